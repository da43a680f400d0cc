//! One output that several writers write to, one after another.

use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;

/// A writer of it.
pub(in crate::mode) struct Shared<W>(Rc<RefCell<W>>);

impl<W: Write> Shared<W> {
    /// The first writer of this output.
    pub(in crate::mode) fn new(out: W) -> Self {
        Self(Rc::new(RefCell::new(out)))
    }

    /// Takes the output, and leaves an empty one.
    pub(super) fn take(&self) -> W
    where
        W: Default,
    {
        self.0.take()
    }
}

impl<W> Clone for Shared<W> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<W: Write> Write for Shared<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.borrow_mut().flush()
    }
}
