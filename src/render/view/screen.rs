//! The contents of the screen, and the bytes that change them.

use std::fmt::Write as _;

/// A column and a line of the screen, from 0.
pub(super) type Cursor = (usize, usize);

/// The last drawing.
#[derive(Debug, Default)]
pub(super) struct Screen {
    width: usize,
    height: usize,
    /// `None` = unknown.
    lines: Option<Vec<String>>,
}

/// Synchronized output: terminals that support it show everything between these at once.
const BEGIN: &str = "\u{1b}[?2026h";
const END: &str = "\u{1b}[?2026l";

impl Screen {
    /// Sets the size; `true` = it changed.
    pub(super) fn resize(&mut self, width: usize, height: usize) -> bool {
        let is_other = (self.width, self.height) != (width, height);
        if is_other {
            (self.width, self.height) = (width, height);
            self.lines = None;
        }
        is_other
    }

    /// Forgets the contents, because something else was drawn.
    pub(super) fn forget(&mut self) {
        self.lines = None;
    }

    /// The bytes that make the screen show these painted lines, and the cursor here or hidden; only changed
    /// lines are written.
    pub(super) fn show(&mut self, mut lines: Vec<String>, cursor: Option<Cursor>) -> Vec<u8> {
        lines.truncate(self.height);
        let mut out = String::from(BEGIN);
        out.push_str("\u{1b}[?25l");
        if self.lines.is_none() {
            out.push_str("\u{1b}[2J");
        }
        let before = self.lines.take().unwrap_or_default();
        for (row, line) in lines.iter().enumerate() {
            if before.get(row).map_or("", String::as_str) != line {
                // Writing to a String cannot fail.
                let _ = write!(out, "\u{1b}[{};1H\u{1b}[K{line}", row + 1);
            }
        }
        if let Some((column, row)) = cursor {
            let _ = write!(out, "\u{1b}[{};{}H\u{1b}[?25h", row + 1, column + 1);
        }
        out.push_str(END);
        self.lines = Some(lines);
        out.into_bytes()
    }
}
