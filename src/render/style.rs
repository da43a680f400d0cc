//! Writes names in cells: escaped, on one line, and never like a sign with a meaning.

use std::borrow::Cow;

use super::{Extras, Layout, digits};
use crate::text;

/// Options for cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    /// True if blanks become `\x20`, so that a line has as many words as cells. Otherwise only blanks at the
    /// edges of a name are escaped.
    pub(super) escapes_blanks: bool,
    /// True if descriptors follow the processes: `nginx[812]{3,4}`.
    pub(super) descriptors: bool,
    /// True if an IPv4-mapped address is shortened to IPv4 with a sign: `^127.0.0.1:80`.
    pub(super) shortens_mapped: bool,
}

impl Style {
    /// For a cell delimited by its format: by quotes, or by its column.
    pub(super) const TEXT: Self = Self {
        escapes_blanks: false,
        descriptors: false,
        shortens_mapped: false,
    };

    /// For a cell among words.
    pub(super) const WORD: Self = Self {
        escapes_blanks: true,
        ..Self::TEXT
    };

    /// The same, with descriptors and for a terminal as in the layout.
    pub(super) const fn of(self, layout: &Layout) -> Self {
        Self {
            descriptors: layout.extras.has(Extras::EXTENDED),
            shortens_mapped: layout.width.is_some() && !self.escapes_blanks,
            ..self
        }
    }

    /// The separator of words in a cell with several.
    pub(super) const fn separator(self) -> u8 {
        if self.escapes_blanks { b',' } else { b' ' }
    }

    /// Writes a name as a whole cell.
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

    /// Writes a name in a cell where some characters have a meaning.
    pub(super) fn name(self, out: &mut Vec<u8>, name: &[u8], has_meaning: fn(char) -> bool) {
        let plain = |c: &u8| c.is_ascii_graphic() && *c != b'\\';
        if name
            .iter()
            .all(|c| plain(c) && !has_meaning(char::from(*c)))
        {
            // Nearly every name is like this, and needs no escaping.
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
