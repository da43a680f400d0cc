//! Turns errors of clap into one line that says what to type.

use std::error::Error as StdError;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::habits;
use crate::error::Error;
use crate::text::escape;

/// An error of clap in the form used here: no leading `error:`, no final line feed, and no control characters
/// from the arguments.
pub(super) fn usage(
    error: clap::Error,
    arguments: &[OsString],
    definition: clap::Command,
) -> Error {
    // A value refused by our own parser.
    if let Some(Error::Usage(text)) = error.source().and_then(<dyn StdError>::downcast_ref) {
        return Error::Usage(text.clone());
    }
    let is_clean = |word: &&OsString| escape(word.as_bytes()) == word.to_string_lossy();
    let error = if arguments.iter().all(|word| is_clean(&word)) {
        error
    } else {
        // Escaped, the same words are refused for the same reason.
        let clean = arguments
            .iter()
            .map(|word| escape(word.as_bytes()).into_owned());
        let again = definition.try_get_matches_from(clean).err();
        match again {
            Some(again) if again.kind() == error.kind() => again,
            _ => {
                return Error::Usage(
                    "an argument has control characters or is not UTF-8".to_owned(),
                );
            }
        }
    };
    if error.kind() == ErrorKind::UnknownArgument {
        return Error::Usage(unknown(&error, arguments));
    }
    if error.kind() == ErrorKind::TooManyValues
        && let Some(option) = context(&error, ContextKind::InvalidArg)
        && let Some(value) = context(&error, ContextKind::InvalidValue)
    {
        let text = format!("invalid value \"{value}\": {option} takes no value");
        return Error::Usage(text);
    }
    if error.kind() == ErrorKind::InvalidValue
        && let Some(written) = context(&error, ContextKind::InvalidValue).and_then(habits::family)
    {
        return Error::Usage(format!("these sockets are listed by: {written}"));
    }
    let text = error.render().to_string();
    Error::Usage(text.trim_start_matches("error: ").trim_end().to_owned())
}

fn context(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

fn unknown(error: &clap::Error, arguments: &[OsString]) -> String {
    let option = context(error, ContextKind::InvalidArg).unwrap_or_default();
    let meant = context(error, ContextKind::SuggestedArg);
    let meant = meant.map(|meant| format!("did you mean {meant}? "));
    let elsewhere = habits::glued(arguments);
    match elsewhere.or_else(|| habits::elsewhere(option).map(str::to_owned)) {
        Some(text) => format!("unexpected argument '{option}': {text}"),
        None => format!(
            "unexpected argument '{option}'; {}all options: lsock --help",
            meant.unwrap_or_default()
        ),
    }
}
