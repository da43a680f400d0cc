//! What `lsock` does with the stream of sockets.

mod check;
mod events;
mod findings;
mod held;
mod judge;
mod list;
mod resolve;
mod seen;
mod signals;
mod wait;

use std::io::Write;

pub use events::events;
pub use list::list;

/// Where messages go: the standard error, one line each.
pub struct Messages<'a> {
    out: &'a mut dyn Write,
}

impl<'a> Messages<'a> {
    /// Messages to `out`.
    pub fn new(out: &'a mut dyn Write) -> Self {
        Self { out }
    }

    /// What others have said already.
    fn pass_on(&mut self, said: &[u8]) {
        let _ = self.out.write_all(said);
    }

    /// Something is wrong. A message that cannot be written is lost: there is nobody to tell.
    pub fn error(&mut self, text: &str) {
        let _ = writeln!(self.out, "lsock: {text}");
    }

    /// Something must be known.
    pub fn warning(&mut self, text: &str) {
        let _ = writeln!(self.out, "lsock: warning: {text}");
    }
}
