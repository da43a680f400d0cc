//! Options that cannot be combined.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use crate::error::Error;

/// An option, other options that conflict with it or one that it requires, and the message.
fn clashes() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    let lines = include_str!("clashes.txt").lines();
    lines.filter_map(|line| {
        let (option, rest) = line.split_once("  ")?;
        let (others, text) = rest.split_once("  ")?;
        Some((option, others, text))
    })
}

/// Refuses options that conflict, or lack one that they require.
pub(super) fn check(given: &ArgMatches, definition: &clap::Command) -> Result<(), Error> {
    let is_given = |typed: &str| {
        let (option, value) = typed.split_once(' ').unwrap_or((typed, ""));
        argument(option, definition).is_some_and(|argument| {
            let id = argument.get_id().as_str();
            let mut values = given.get_raw(id).into_iter().flatten();
            given.value_source(id) == Some(ValueSource::CommandLine)
                && (value.is_empty() || values.any(|given| given == value))
                && (option != "-pp" || given.get_count(id) > 1)
        })
    };
    let is_meant = |typed: &str| match typed.split_once(" without ") {
        Some((option, other)) => is_given(option) && !is_given(other),
        None => is_given(typed),
    };
    for (_, others, text) in clashes().filter(|(option, ..)| is_meant(option)) {
        let other = match others.strip_prefix("without ") {
            Some(needed) => Some(needed).filter(|needed| !is_given(needed)),
            None => others.split(", ").find(|other| is_given(other)),
        };
        if let Some(other) = other {
            return Err(Error::Usage(text.replace("{}", other)));
        }
    }
    Ok(())
}

fn argument<'d>(option: &str, definition: &'d clap::Command) -> Option<&'d Arg> {
    definition
        .get_arguments()
        .find(|argument| match option.strip_prefix("--") {
            Some(name) => argument.get_long() == Some(name),
            None => argument.get_short() == option.chars().nth(1),
        })
}

#[cfg(test)]
mod tests {
    use super::{argument, clashes};
    use crate::cli::definition;

    #[test]
    fn every_option_that_clashes_is_one() {
        let definition = definition();
        for (option, others, text) in clashes() {
            let others = others.trim_start_matches("without ").split(", ");
            for typed in others.chain([option]) {
                let option = typed.split(' ').next().unwrap_or_default();
                assert!(argument(option, &definition).is_some(), "{typed}: {text}");
            }
        }
        assert!(clashes().count() > 15);
    }
}
