//! Messages on standard error.

use std::io::Write;
use std::mem;

use crate::model::{Diagnostics, Warning};
use crate::text::shown;

/// Writes messages, one per line.
pub struct Messages<'a> {
    pub(super) program: &'a str,
    out: &'a mut dyn Write,
    /// The number of this round, in repeated listings: messages are not repeated.
    round: Option<u64>,
    /// The kinds of warnings written, each with the last round that had it.
    written: Vec<(Warning, u64)>,
}

impl<'a> Messages<'a> {
    /// Writes messages of `program` to `out`.
    pub fn new(program: &'a str, out: &'a mut dyn Write) -> Self {
        Self {
            program,
            out,
            round: None,
            written: Vec::new(),
        }
    }

    /// Starts repeated rounds: a warning is written once, an error only if the round before did not have it.
    pub(super) fn repeat(&mut self) {
        self.round = Some(0);
    }

    pub(super) fn next_round(&mut self) {
        self.round = self.round.map(|round| round + 1);
    }

    /// Records a warning in this round. Returns the last round that had its kind; `None` = none, or not
    /// repeated.
    fn last_round(&mut self, warning: &Warning) -> Option<u64> {
        let (kind, round) = (warning.kind(), self.round?);
        let mut known = self.written.iter_mut();
        if let Some((_, last)) = known.find(|(known, _)| *known == kind) {
            return Some(mem::replace(last, round));
        }
        self.written.push((kind, round));
        None
    }

    /// Writes kept messages unchanged.
    pub(super) fn pass_on(&mut self, kept: &[u8]) {
        let _ = self.out.write_all(kept);
    }

    /// Writes an error. If that fails, nobody can be told.
    pub fn error(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}: {}", self.program, shown(text));
    }

    /// Writes an error about a part of a list, which continues without it; `what` introduces it.
    pub(super) fn trouble(&mut self, what: &str, warning: &Warning) {
        let before = self.last_round(warning);
        if before.is_none_or(|before| Some(before + 1) < self.round) {
            self.error(&format!("{what}{warning}"));
        }
    }

    /// Adds and writes a warning. `incomplete` precedes what is missing.
    pub(super) fn note(&mut self, incomplete: &str, warning: Warning, noted: &mut Diagnostics) {
        if warning.is_gap() {
            return self.note_gap(incomplete, warning, noted);
        }
        if self.last_round(&warning).is_none() {
            self.error(&format!("warning: {warning}"));
        }
        noted.warnings.push(warning);
    }

    /// Adds and writes a gap.
    pub(super) fn note_gap(&mut self, incomplete: &str, warning: Warning, noted: &mut Diagnostics) {
        self.trouble(incomplete, &warning);
        noted.gaps += 1;
        noted.warnings.push(warning);
    }

    /// Adds and writes warnings about missing owners; `true` = failure with `--strict`.
    pub(super) fn note_owners(
        &mut self,
        incomplete: &str,
        warnings: Vec<Warning>,
        is_strict: bool,
        noted: &mut Diagnostics,
    ) -> bool {
        let is_too_little = is_strict && !warnings.is_empty();
        for warning in warnings {
            if is_too_little {
                self.note_gap(incomplete, warning, noted);
            } else {
                self.note(incomplete, warning, noted);
            }
        }
        is_too_little
    }

    /// Writes a text without a prefix.
    pub fn plain(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}", shown(text));
    }
}

#[cfg(test)]
mod tests {
    use super::Messages;
    use crate::model::{Diagnostics, Warning};

    /// The messages written for these warnings over several rounds.
    fn written(rounds: &[&[Warning]]) -> String {
        let (mut out, mut noted) = (Vec::new(), Diagnostics::default());
        let mut messages = Messages::new("p", &mut out);
        messages.repeat();
        for round in rounds {
            messages.next_round();
            for warning in *round {
                messages.note("", warning.clone(), &mut noted);
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_warning_is_said_once_whatever_its_number() {
        let unreadable = |count: u32| {
            let text = format!("{count} processes not readable");
            Warning::note(text).varying("processes not readable")
        };
        let too_new = |count: u32| Warning::note(format!("{count} are too new")).varying("too new");
        let first = [unreadable(212), unreadable(213)];
        let second = [unreadable(1), too_new(1), too_new(2)];
        assert_eq!(
            written(&[&first, &second]),
            "p: warning: 212 processes not readable\np: warning: 1 are too new\n"
        );
    }

    #[test]
    fn what_is_wrong_is_said_again_after_a_round_in_which_it_was_not() {
        let [four, six] = ["IPv4", "IPv6"].map(|of| Warning::failed(format!("{of}: it changed")));
        let first = [four.clone(), six.clone()];
        assert_eq!(
            written(&[&first, &[four], &[six.clone(), six]]),
            "p: IPv4: it changed\np: IPv6: it changed\np: IPv6: it changed\n"
        );
    }
}
