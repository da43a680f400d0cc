//! What `lsock` does with the stream of sockets.

mod check;
mod events;
#[cfg(test)]
pub(crate) mod fake;
mod findings;
mod host_names;
mod kill;
mod list;
mod matcher;
mod message_dedup;
mod netstat;
mod no_table;
mod peers;
mod pending_rows;
mod recording;
mod signals;
mod sources;
mod stdout;
mod tracked;
mod wait;
mod watch;

use std::io::Write;

use crate::error::Error;
use crate::exit::Verdict;
use crate::model::{Diagnostics, Warning};
use crate::query::Query;
use crate::query::netstat::Netstat;
use crate::render::Envelope;
use crate::text::shown;

use check::checked;
pub use events::events;
pub use kill::kill;
use message_dedup::MessageDedup;
pub use signals::ignored_signals;
pub use stdout::{Stderr, Stdout};
pub use watch::{Console, EventSender, OpenConsole, Refilter, Repeating, Viewing, watch};

/// Lists, or counts, what the query asks for, or checks it.
///
/// # Errors
///
/// When nothing can be listed at all, or the output cannot be written. Trouble with a part of the
/// list goes to `messages` and into the verdict.
pub fn list(
    query: &Query,
    envelope: fn() -> Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    checked(&query.check, messages, |messages| {
        if let Some(hint) = &query.hint {
            messages.error(hint);
        }
        match query.check.wait {
            Some(time) => {
                let shown = query.clone();
                let rows = move || list::buffer(&shown, &envelope(), out);
                wait::wait(query, time, rows, messages)
            }
            None => list::run(query, &sources::open, envelope, out, messages),
        }
    })
}

/// Lists as `netstat` does.
///
/// # Errors
///
/// When nothing can be listed at all, or the output cannot be written.
pub fn netstat(
    netstat: &Netstat,
    envelope: &Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    netstat::run(netstat, &sources::open, envelope, out, messages)
}

/// Where messages go: the standard error, one line each.
pub struct Messages<'a> {
    program: &'a str,
    out: &'a mut dyn Write,
    /// Over many rounds: what need not be written again.
    dedup: Option<MessageDedup>,
}

impl<'a> Messages<'a> {
    /// Messages of `program` to `out`.
    pub fn new(program: &'a str, out: &'a mut dyn Write) -> Self {
        Self {
            program,
            out,
            dedup: None,
        }
    }

    /// From now on the same is said in round after round: a warning is written once, what is wrong
    /// when the round before did not say so.
    fn repeat(&mut self) {
        self.dedup = Some(MessageDedup::default());
    }

    fn next_round(&mut self) {
        if let Some(dedup) = &mut self.dedup {
            dedup.next_round();
        }
    }

    /// Messages that were kept, as they are.
    fn pass_on(&mut self, kept: &[u8]) {
        let _ = self.out.write_all(kept);
    }

    /// Something is wrong. A message that cannot be written is lost: there is nobody to tell.
    pub fn error(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}: {}", self.program, shown(text));
    }

    /// The same of a part of a list, which goes on without it; `what` says what is wrong then.
    fn trouble(&mut self, what: &str, warning: &Warning) {
        let dedup = self.dedup.as_mut();
        if dedup.is_none_or(|dedup| dedup.is_new_trouble(warning)) {
            self.error(&format!("{what}{warning}"));
        }
    }

    /// Notes what must be known, and writes it. `incomplete` stands before what is missing.
    fn note(&mut self, incomplete: &str, warning: Warning, noted: &mut Diagnostics) {
        if warning.is_gap() {
            return self.note_gap(incomplete, warning, noted);
        }
        let dedup = self.dedup.as_mut();
        if dedup.is_none_or(|dedup| dedup.is_new_warning(&warning)) {
            self.error(&format!("warning: {warning}"));
        }
        noted.warnings.push(warning);
    }

    /// Notes that something is missing.
    fn note_gap(&mut self, incomplete: &str, warning: Warning, noted: &mut Diagnostics) {
        self.trouble(incomplete, &warning);
        noted.gaps += 1;
        noted.warnings.push(warning);
    }

    /// Notes which owners are missing; `true` = they must not be, with `--strict`.
    fn note_owners(
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

    /// Something in words of its own.
    pub fn plain(&mut self, text: &str) {
        let _ = writeln!(self.out, "{}", shown(text));
    }
}
