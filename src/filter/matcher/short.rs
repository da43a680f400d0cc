//! Text that needs no memory of its own.

use std::fmt::{self, Write as _};

/// Bytes of the longest IP address, `ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255`, and some.
const CAPACITY: usize = 48;

/// A short text: an address, the name of an interface that has none.
pub(super) struct Short {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Short {
    /// How this is written.
    pub(super) fn of(value: impl fmt::Display) -> Self {
        let mut short = Self {
            bytes: [0; CAPACITY],
            len: 0,
        };
        // It fails for a text that is too long, and none is.
        let _ = write!(short, "{value}");
        short
    }

    /// What an interface without a name is called: `if7`.
    pub(super) fn interface(index: u32) -> Self {
        Self::of(format_args!("if{index}"))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let free = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        free.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
