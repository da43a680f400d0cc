//! `-q`, `--expect`, `--wait` and `--strict`: what they mean, and what does not go with them.

use std::time::Duration;

use super::{Typed, refuse};
use crate::error::Error;
use crate::filter;
use crate::query::{Check, Count};
use crate::text::escape;

impl Typed {
    /// Options that mean nothing by themselves.
    pub(super) fn check_company(&self) -> Result<(), Error> {
        let alone = [
            (
                self.fail_on.is_some() && !self.summary,
                "--fail-on judges what -s finds: add -s",
            ),
            (
                self.by.is_some() && !self.events,
                "--by groups the events of -E: add -E",
            ),
        ];
        refuse(alone, str::to_owned)
    }

    /// What a listing is checked for.
    pub(super) fn check(&self) -> Result<Check, Error> {
        let wait = if self.events {
            // There it says when to end.
            None
        } else {
            self.duration()?
        };
        if wait.is_some() {
            self.check_wait()?;
        }
        let expected = self.expect.as_deref().map(count).transpose()?;
        if self.quiet && self.summary && expected.is_none() && self.fail_on.is_none() {
            let text =
                "-q leaves out what -s counts: nothing is checked without --expect or --fail-on";
            return Err(Error::Usage(text.to_owned()));
        }
        let is_any_enough = wait.is_some() || self.quiet && !self.summary;
        Ok(Check {
            expected: expected.or(is_any_enough.then_some(Count::SOME)),
            quiet: self.quiet,
            strict: self.strict,
            wait,
        })
    }

    /// The time of `--wait`.
    pub(super) fn duration(&self) -> Result<Option<Duration>, Error> {
        let Some(text) = &self.wait else {
            return Ok(None);
        };
        match filter::duration(text) {
            Some(duration) => Ok(Some(duration)),
            None => Err(Error::Usage(format!(
                "--wait: \"{}\" is no duration, like 500ms, 30s or 5m",
                escape(text.as_bytes())
            ))),
        }
    }

    /// A wait is for a listing of what changes.
    fn check_wait(&self) -> Result<(), Error> {
        let reasons = [
            (
                self.replay.is_some(),
                "--replay lists a recording, which does not change",
            ),
            (self.record.is_some(), "-D records one list"),
            (self.summary, "-s counts once"),
        ];
        refuse(reasons, |other| {
            format!("--wait looks again and again and {other}: they do not go together")
        })
    }
}

fn count(text: &str) -> Result<Count, Error> {
    Count::parse(text).ok_or_else(|| {
        Error::Usage(format!(
            "--expect: \"{}\" is no count, like 3, 1.., ..5 or 2..4",
            escape(text.as_bytes())
        ))
    })
}
