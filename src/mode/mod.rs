//! What `lsock` does with the stream of sockets.

mod check;
mod events;
mod findings;
mod held;
mod judge;
mod list;
mod netstat;
mod resolve;
mod said;
mod seen;
mod signals;
mod wait;
mod watch;

use std::io::Write;

pub use events::events;
pub use list::list;
pub use netstat::netstat;
use said::Said;
pub use watch::{Console, Input, OpenConsole, OpenOutput, Refilter, Repeating, Viewing, watch};

/// Where messages go: the standard error, one line each.
pub struct Messages<'a> {
    program: &'a str,
    out: &'a mut dyn Write,
    /// Over many rounds: what need not be said again.
    said: Option<Said>,
}

impl<'a> Messages<'a> {
    /// Messages of `program` to `out`.
    pub fn new(program: &'a str, out: &'a mut dyn Write) -> Self {
        Self {
            program,
            out,
            said: None,
        }
    }

    /// From now on the same is said in round after round: a warning is written once, what is wrong
    /// when the round before did not say so.
    fn repeat(&mut self) {
        self.said = Some(Said::default());
    }

    /// Another round begins.
    fn next_round(&mut self) {
        if let Some(said) = &mut self.said {
            said.next_round();
        }
    }

    /// Messages that were kept, as they are.
    fn pass_on(&mut self, kept: &[u8]) {
        let _ = self.out.write_all(kept);
    }

    /// Something is wrong. A message that cannot be written is lost: there is nobody to tell.
    pub fn error(&mut self, text: &str) {
        if self.said.as_mut().is_none_or(|said| said.error(text)) {
            let _ = writeln!(self.out, "{}: {text}", self.program);
        }
    }

    /// Something must be known.
    pub fn warning(&mut self, text: &str) {
        if self.said.as_mut().is_none_or(|said| said.warning(text)) {
            let _ = writeln!(self.out, "{}: warning: {text}", self.program);
        }
    }

    /// Something in words of its own.
    pub fn plain(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }
}
