//! The output buffer.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::HeaderLine;
use crate::model::Summary;

/// The most bytes of a write: as many as a pipe holds. With more, the writer waits for the reader, and wakes it twice.
const FULL: usize = 64 * 1024;
/// Extra room for the last row, so that the buffer seldom grows.
const SLACK: usize = 8 * 1024;

/// Collects rows and writes them in large pieces. After a failed write it writes nothing more, and every
/// further attempt fails in the same way.
pub(super) struct Out<'w> {
    to: Box<dyn Write + 'w>,
    /// Bytes not written yet.
    pub(super) buffer: Vec<u8>,
    /// Bytes of them before the last row.
    before: usize,
    failed: Option<io::ErrorKind>,
}

impl<'w> Out<'w> {
    pub(super) fn new(to: Box<dyn Write + 'w>) -> Self {
        Self {
            to,
            buffer: Vec::with_capacity(FULL + SLACK),
            before: 0,
            failed: None,
        }
    }

    /// Ends a row: writes the rows before it if the buffer is full.
    pub(super) fn row_done(&mut self) -> io::Result<ControlFlow<()>> {
        let is_full = self.buffer.len() > FULL || self.failed.is_some();
        let spilled = is_full.then(|| self.spill(self.before));
        self.before = self.buffer.len();
        spilled.transpose().map(|_| ControlFlow::Continue(()))
    }

    /// Ends the output; drops a header that is only wanted before rows.
    pub(super) fn end(&mut self, header: HeaderLine, summary: &Summary) -> io::Result<()> {
        if header == HeaderLine::WithRows && summary.matched == 0 {
            self.buffer.clear();
        }
        self.finish()
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.spill(self.buffer.len())?;
        self.attempt(|to| to.flush())
    }

    /// Writes the first bytes of the buffer, or drops them.
    fn spill(&mut self, end: usize) -> io::Result<()> {
        let mut bytes = std::mem::take(&mut self.buffer);
        let end = end.min(bytes.len());
        let result = self.attempt(|to| to.write_all(bytes.get(..end).unwrap_or_default()));
        bytes.drain(..end);
        self.buffer = bytes;
        result
    }

    fn attempt(&mut self, what: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        what(&mut *self.to).inspect_err(|error| self.failed = Some(error.kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::{FULL, Out};
    use std::cell::RefCell;
    use std::io::{self, Write};

    struct Pieces<'p>(&'p RefCell<Vec<Vec<u8>>>);

    impl Write for Pieces<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_write_has_whole_rows_and_is_no_longer_than_a_pipe_holds() -> io::Result<()> {
        let pieces = RefCell::new(Vec::new());
        let mut out = Out::new(Box::new(Pieces(&pieces)));
        for number in 0..5_000 {
            writeln!(out.buffer, "{number:50}")?;
            let _ = out.row_done()?;
        }
        out.finish()?;
        let pieces = pieces.take();
        assert_eq!(pieces.concat().len(), 5_000 * 51);
        for piece in pieces {
            assert!(piece.len() <= FULL && piece.ends_with(b"\n"));
        }
        Ok(())
    }
}
