//! How names are written in a cell: escaped, on one line, never like a sign that has a meaning.

use std::borrow::Cow;

use super::{Extras, Layout, digits};
use crate::text;

/// How cells are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// True if blanks are written `\x20`: a line has as many words as it has cells. Where they stay,
    /// those at the edge of a name are escaped all the same.
    pub(super) escapes_blanks: bool,
    /// True if descriptors follow the processes: `nginx[812]{3,4}`.
    pub(super) descriptors: bool,
    /// True if an IPv4-mapped address is written as that of IPv4 with a sign: `^127.0.0.1:80`.
    pub(super) shortens_mapped: bool,
}

impl Style {
    /// For a cell whose ends are marked by its format: with quotes, or by its column.
    pub(super) const TEXT: Self = Self {
        escapes_blanks: false,
        descriptors: false,
        shortens_mapped: false,
    };

    /// For a cell that stands among words.
    pub(super) const WORD: Self = Self {
        escapes_blanks: true,
        ..Self::TEXT
    };

    /// The same, with descriptors if the layout has them, and for a terminal if it has one.
    pub(super) const fn of(self, layout: &Layout) -> Self {
        Self {
            descriptors: layout.extras.has(Extras::EXTENDED),
            shortens_mapped: layout.width.is_some() && !self.escapes_blanks,
            ..self
        }
    }

    /// Between the words of a cell that has several.
    pub(super) const fn separator(self) -> u8 {
        if self.escapes_blanks { b',' } else { b' ' }
    }

    /// Writes a name that is a cell of its own.
    pub(super) fn lone_name(self, out: &mut Vec<u8>, name: &[u8]) {
        match name {
            [] => out.push(b'-'),
            [sign @ (b'-' | b'*' | b'?')] => {
                out.extend_from_slice(b"\\x");
                digits::hex(out, (*sign).into());
            }
            name => self.name(out, name, |_| false),
        }
    }

    pub(super) fn path(self, out: &mut Vec<u8>, name: &[u8]) {
        match text::unix_name_parts(name) {
            ("", path) => self.lone_name(out, path),
            (first, rest) => {
                out.extend_from_slice(first.as_bytes());
                self.name(out, rest, |_| false);
            }
        }
    }

    /// Writes a name that is part of a cell in which some characters have a meaning.
    pub(super) fn name(self, out: &mut Vec<u8>, name: &[u8], has_meaning: fn(char) -> bool) {
        let plain = |c: &u8| c.is_ascii_graphic() && *c != b'\\';
        if name
            .iter()
            .all(|c| plain(c) && !has_meaning(char::from(*c)))
        {
            // What nearly every name is: nothing below would change it.
            return out.extend_from_slice(name);
        }
        let clean = text::escape(name);
        let blanks = self.escapes_blanks
            || clean.starts_with(char::is_whitespace)
            || clean.ends_with(char::is_whitespace);
        let clean: Cow<'_, str> =
            text::escape_also(clean, |c| blanks && c.is_whitespace() || has_meaning(c));
        out.extend_from_slice(clean.as_bytes());
    }
}
