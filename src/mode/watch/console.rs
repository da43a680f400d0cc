//! What the program lends a view: a screen, and the keys beside it.

use std::io;
use std::os::fd::BorrowedFd;

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A character is typed.
    Char(char),
    /// One is typed with Ctrl.
    Control(char),
    /// An arrow.
    Up,
    /// An arrow.
    Down,
    /// An arrow.
    Left,
    /// An arrow.
    Right,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// To the begin.
    Home,
    /// To the end.
    End,
    /// Return.
    Enter,
    /// Escape.
    Escape,
    /// Erases the character before the cursor.
    Backspace,
    /// Erases the one at the cursor.
    Delete,
    /// The size of the screen is another one.
    Resize,
}

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

    /// Can be read when there is input; `None` = there are no keys.
    fn input(&self) -> Option<BorrowedFd<'_>>;

    /// Is hung up when the terminal is gone.
    fn output(&self) -> BorrowedFd<'_>;

    /// What was done and not told yet.
    fn next(&mut self) -> Option<Input>;

    /// Gives the terminal back, stops the program, and takes the terminal again when it goes on.
    ///
    /// # Errors
    ///
    /// When the terminal cannot be taken again.
    fn suspend(&mut self) -> io::Result<()>;
}

/// Takes the terminal.
pub type OpenConsole = fn() -> io::Result<Box<dyn Console>>;
