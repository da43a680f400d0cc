//! `-s` on a terminal: everything, if it fits the screen. Otherwise findings are shortened to their first sentences, then
//! the diagram to lines of counts, and the last line names what is missing.

use std::io::Write as _;

use crate::model::{Findings, Summary};
use crate::text::counted;

use super::super::Counted;
use super::text::{self, height};
use super::{Totals, brief, diagram, findings};

/// The longest last line.
const LAST: usize = "Not shown: 100 findings, remedies, detailed counts (append | less)".len();

/// Writes as much as fits. Below a dashboard, which scrolls, the rest follows.
pub(in crate::render) fn write(out: &mut Vec<u8>, totals: &Totals, summary: &Summary) {
    let layout = &totals.layout;
    let can_draw = diagram::is_possible(&totals.counts, layout);
    let begin = out.len();
    if can_draw {
        draw(out, totals);
    }
    // The last line of the screen is for the prompt, or the keys.
    let lines = layout
        .height
        .map(|height| usize::from(height).saturating_sub(1));
    text::write(out, totals, summary, layout.color, (can_draw, lines));
    let Some(lines) = lines else { return };
    if height(out, begin, totals) <= lines {
        return;
    }
    for (is_drawn, is_told) in [(true, true), (true, false), (false, true), (false, false)] {
        let is_last = !is_drawn && !is_told;
        out.truncate(begin);
        if is_drawn && !can_draw {
            continue;
        }
        short(out, totals, summary, (is_drawn, is_told), lines);
        if is_last || height(out, begin, totals) <= lines {
            break;
        }
    }
    if layout.counted == Counted::Compared {
        let used = height(out, begin, totals);
        out.extend(std::iter::repeat_n(b'\n', lines.saturating_sub(used)));
        text::write(out, totals, summary, layout.color, (false, None));
    }
}

fn draw(out: &mut Vec<u8>, totals: &Totals) {
    diagram::write(out, (&totals.counts, totals.before()), &totals.layout);
}

/// Writes less: TCP `is_drawn` or has lines of counts; findings are `is_told` in full or by their first sentences. May
/// exceed these lines.
fn short(
    out: &mut Vec<u8>,
    totals: &Totals,
    summary: &Summary,
    (is_drawn, is_told): (bool, bool),
    lines: usize,
) {
    let (color, begin) = (totals.layout.color, out.len());
    let mut behind = Vec::new();
    if is_drawn {
        draw(out, totals);
        text::push_of_tcp(out, &totals.counts);
        behind.push(b'\n');
        brief::others(&mut behind, totals, color);
    } else {
        brief::counts(out, totals, color);
    }
    text::since(out, totals, is_drawn);
    let has_listeners = totals.counts.listeners.count > 0;
    let left = |out: &[u8]| lines.saturating_sub(height(out, begin, totals));
    // Lines of the rest, with one for listeners.
    let last = height(&[b'.'; LAST], 0, totals);
    let needed = height(&behind, 0, totals) + usize::from(has_listeners) + last;
    let mut not_shown = Vec::new();
    match &totals.findings {
        Some(all) if !is_told && !all.found.is_empty() => {
            if is_drawn {
                out.push(b'\n');
            }
            let unchecked = all.not_checked();
            let room = left(out).saturating_sub(needed + usize::from(unchecked.is_some()));
            let shown = findings::facts(out, all, totals, color, room);
            if let Some(line) = unchecked {
                // Writing to a Vec cannot fail.
                let _ = writeln!(out, "{line}");
            }
            not_shown = of_findings(all, shown);
        }
        _ => text::found(out, totals, summary, color),
    }
    out.extend(behind);
    match left(out).saturating_sub(last) {
        _ if !has_listeners => {}
        // A blank line, the titles, listeners and the number of the others.
        room @ 4.. => {
            out.push(b'\n');
            text::listeners(out, totals, text::QUEUES, room - 1);
        }
        _ => brief::listeners(out, totals, color),
    }
    not_shown.push("detailed counts".to_owned());
    let how = match totals.layout.counted {
        Counted::Compared => "scroll down",
        _ => "append | less",
    };
    let _ = writeln!(out, "Not shown: {} ({how})", not_shown.join(", "));
}

/// What is missing if this many findings are shown by their first sentences.
fn of_findings(all: &Findings, shown: usize) -> Vec<String> {
    let more = all.found.len() - shown;
    let more = (more > 0).then(|| counted(more, "finding"));
    more.into_iter().chain(["remedies".to_owned()]).collect()
}
