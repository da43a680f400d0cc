//! What the program lends a view: a screen.

use std::io;
use std::os::fd::BorrowedFd;

use super::event::EventSender;

/// A terminal that is taken for a view, and given back as it was when this is dropped.
pub trait Console {
    /// Columns and lines.
    fn size(&self) -> [u16; 2];

    /// Writes to the screen.
    ///
    /// # Errors
    ///
    /// When that fails: the terminal is gone.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// True if keys can be read.
    fn has_keys(&self) -> bool;

    /// Is hung up when the terminal is gone.
    fn output(&self) -> BorrowedFd<'_>;
}

/// Takes the terminal, and tells what is done there from then on.
pub type OpenConsole = fn(EventSender) -> io::Result<Box<dyn Console>>;
