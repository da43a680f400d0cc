//! Explanations of states, for `--explain` and watch mode.

use std::fmt::Write as _;

use crate::model::{Explanation, OTHER_TRANSITIONS, State, TRANSITIONS, Transition};
use crate::text::push_wrapped;

/// The greatest width of text.
const WIDEST: usize = 80;
/// The smallest width: names of states need room.
const NARROWEST: usize = 30;

const INDENT: usize = 2;
/// The column of a transition's cause, after `from ESTABLISHED`.
const CAUSE: usize = INDENT + 18;

/// Appends the explanation of a state, for a terminal of this width.
pub fn push_explanation(out: &mut String, state: State, width: usize) {
    let width = width.clamp(NARROWEST, WIDEST);
    let Some(explanation) = Explanation::of(state) else {
        return;
    };
    match state {
        // It means all of them, so it shows no number.
        State::Unknown(0) => out.push_str("UNKNOWN(n)"),
        state => out.push_str(&state.to_string()),
    }
    out.push('\n');
    let paragraph = |out: &mut String, heading: &str, text: &str| {
        push_heading(out, heading);
        push_wrapped(out, text, INDENT, width);
        out.push('\n');
    };
    paragraph(out, "Meaning", explanation.meaning);
    if let Some(text) = explanation.elsewhere {
        paragraph(out, "Other protocols", text);
    }
    if let Some(text) = explanation.half_close {
        paragraph(out, "Half-close", text);
    }
    let state = explanation.state;
    let steps = || TRANSITIONS.iter().chain(OTHER_TRANSITIONS.iter());
    let enters = steps().filter(|step| step.to == state);
    push_steps(
        out,
        "How it gets there",
        ("from", enters, |step| step.from),
        width,
    );
    let leaves = steps().filter(|step| step.from == state);
    push_steps(out, "How it leaves", ("to", leaves, |step| step.to), width);
    paragraph(out, "How long", explanation.stays);
    paragraph(out, "Many of them", explanation.many);
    // A command stays on one line for copying.
    push_heading(out, "List them");
    out.push_str(explanation.command);
    out.push('\n');
}

fn push_heading(out: &mut String, heading: &str) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\n{heading}\n{:INDENT$}", "");
}

fn push_steps<'s>(
    out: &mut String,
    heading: &str,
    (preposition, steps, other): (
        &str,
        impl Iterator<Item = &'s Transition> + Clone,
        fn(&Transition) -> State,
    ),
    width: usize,
) {
    let name = |step| format!("{preposition} {}", other(step));
    let longest = steps.clone().map(|step| name(step).len()).max();
    // It precedes the first of them.
    let mut heading = format!("\n{heading}\n");
    for step in steps {
        let cause = CAUSE.max(INDENT + longest.unwrap_or_default() + 2);
        let (name, column) = if width < 2 * cause {
            (format!("{}\n{:2$}", name(step), "", 2 * INDENT), 2 * INDENT)
        } else {
            (format!("{:1$}", name(step), cause - INDENT), cause)
        };
        let _ = write!(out, "{heading}{:INDENT$}{name}", "");
        heading.clear();
        push_wrapped(out, step.cause, column, width);
        out.push('\n');
    }
}
