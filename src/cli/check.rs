//! `-q`, `--expect`, `--wait` and `--strict`: what they mean.

use std::time::Duration;

use super::Typed;
use crate::error::Error;
use crate::filter;
use crate::query::{Check, Count};
use crate::text::escape;

impl Typed {
    /// What a listing is checked for.
    pub(super) fn check(&self) -> Result<Check, Error> {
        // With events it says when to end.
        let wait = self.wait.filter(|_| !self.events);
        if self.quiet && self.summary && self.expect.is_none() && self.fail_on.is_none() {
            let text =
                "-q leaves out what -s counts: nothing is checked without --expect or --fail-on";
            return Err(Error::Usage(text.to_owned()));
        }
        let is_any_enough = wait.is_some() || self.quiet && !self.summary;
        Ok(Check {
            expected: self.expect.or(is_any_enough.then_some(Count::SOME)),
            quiet: self.quiet,
            strict: self.strict,
            wait,
        })
    }
}

/// The time of `--wait`.
pub(super) fn duration(text: &str) -> Result<Duration, Error> {
    filter::duration(text)
        .ok_or_else(|| wrong("--wait", text, "is no duration, like 500ms, 30s or 5m"))
}

/// The number of `--expect`.
pub(super) fn count(text: &str) -> Result<Count, Error> {
    Count::parse(text)
        .ok_or_else(|| wrong("--expect", text, "is no count, like 3, 1.., ..5 or 2..4"))
}

/// Says what is wrong with the value of an option.
pub(super) fn wrong(option: &str, text: &str, why: &str) -> Error {
    let clean = escape(text.as_bytes());
    Error::Usage(format!("{option}: \"{clean}\" {why}"))
}
