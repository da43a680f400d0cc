//! `--explain`: explanations of states.

use super::Terminal;
use crate::error::Error;
use crate::model::{EXPLANATIONS, State};
use crate::render::push_explanation;
use crate::text::{escape, nearest};

/// Every word that can be explained, for completions.
pub(super) fn words() -> Vec<String> {
    let states = EXPLANATIONS
        .iter()
        .map(|explanation| explanation.state.name());
    let names = states.map(|name| name.to_ascii_lowercase().replace('_', "-"));
    std::iter::once("all".to_owned()).chain(names).collect()
}

/// The explanation of a state, or of `all`.
pub(super) fn explain(word: &str, terminal: Terminal) -> Result<String, Error> {
    let width = terminal.width.map_or(usize::MAX, usize::from);
    let mut out = String::new();
    for state in states(word)? {
        if !out.is_empty() {
            out.push('\n');
        }
        push_explanation(&mut out, state, width);
    }
    Ok(out)
}

fn states(word: &str) -> Result<Vec<State>, Error> {
    if word.eq_ignore_ascii_case("all") {
        return Ok(EXPLANATIONS
            .iter()
            .map(|explanation| explanation.state)
            .collect());
    }
    if word.eq_ignore_ascii_case(State::Unknown(0).name()) {
        return Ok(vec![State::Unknown(0)]);
    }
    State::from_name(word)
        .map(|state| vec![state])
        .ok_or_else(|| {
            let words = words();
            let meant = nearest(&word.to_ascii_lowercase().replace('_', "-"), &words)
                .map(|meant| format!("did you mean {meant}? "))
                .unwrap_or_default();
            Error::Usage(format!(
                "unknown state \"{}\"; {meant}the states are: {}",
                escape(word.as_bytes()),
                words.join(", ")
            ))
        })
}
