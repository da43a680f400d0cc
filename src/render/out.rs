//! The output buffer.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::HeaderLine;
use crate::model::Summary;

/// The buffer is written at this many bytes.
const FULL: usize = 64 * 1024;
/// Extra room for the last row, so that the buffer seldom grows.
const SLACK: usize = 8 * 1024;

/// Collects rows and writes them in large pieces. After a failed write it writes nothing more, and every
/// further attempt fails in the same way.
pub(super) struct Out<'w> {
    to: Box<dyn Write + 'w>,
    /// Bytes not written yet.
    pub(super) buffer: Vec<u8>,
    failed: Option<io::ErrorKind>,
}

impl<'w> Out<'w> {
    pub(super) fn new(to: Box<dyn Write + 'w>) -> Self {
        Self {
            to,
            buffer: Vec::with_capacity(FULL + SLACK),
            failed: None,
        }
    }

    /// Ends a row: writes the buffer if it is full.
    pub(super) fn row_done(&mut self) -> io::Result<ControlFlow<()>> {
        if self.buffer.len() >= FULL || self.failed.is_some() {
            self.spill()?;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Ends the output; drops a header that is only wanted before rows.
    pub(super) fn end(&mut self, header: HeaderLine, summary: &Summary) -> io::Result<()> {
        if header == HeaderLine::WithRows && summary.matched == 0 {
            self.buffer.clear();
        }
        self.finish()
    }

    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.spill()?;
        self.attempt(|to| to.flush())
    }

    fn spill(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.buffer);
        let result = self.attempt(|to| to.write_all(&bytes));
        self.buffer = bytes;
        self.buffer.clear();
        result
    }

    fn attempt(&mut self, what: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        what(&mut *self.to).inspect_err(|error| self.failed = Some(error.kind()))
    }
}
