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
}

impl Style {
    /// For a cell whose ends are marked by its format: with quotes, or by its column.
    pub(super) const TEXT: Self = Self {
        escapes_blanks: false,
        descriptors: false,
    };

    /// For a cell that stands among words.
    pub(super) const WORD: Self = Self {
        escapes_blanks: true,
        descriptors: false,
    };

    /// The same, with descriptors if the layout has them.
    pub(super) const fn of(self, layout: &Layout) -> Self {
        Self {
            descriptors: layout.extras.has(Extras::EXTENDED),
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
            name => self.name(out, name, &[]),
        }
    }

    pub(super) fn path(self, out: &mut Vec<u8>, name: &[u8]) {
        match path_parts(name) {
            ("", path) => self.lone_name(out, path),
            (first, rest) => {
                out.extend_from_slice(first.as_bytes());
                self.name(out, rest, &[]);
            }
        }
    }

    /// Writes a name that is part of a cell in which some characters have a meaning.
    pub(super) fn name(self, out: &mut Vec<u8>, name: &[u8], meaningful: &[char]) {
        let plain = |c: &u8| c.is_ascii_graphic() && *c != b'\\';
        if name
            .iter()
            .all(|c| plain(c) && !meaningful.contains(&char::from(*c)))
        {
            // What nearly every name is: nothing below would change it.
            return out.extend_from_slice(name);
        }
        let clean = text::escape(name);
        let blanks = self.escapes_blanks
            || clean.starts_with(char::is_whitespace)
            || clean.ends_with(char::is_whitespace);
        let clean: Cow<'_, str> = text::escape_also(clean, |c| {
            blanks && c.is_whitespace() || meaningful.contains(&c)
        });
        out.extend_from_slice(clean.as_bytes());
    }
}

/// The name of a unix socket in two parts, to be written one after the other: what stands for its
/// first byte, and the bytes that are still to be escaped.
///
/// An abstract name begins with `@`; a path that does so itself begins with `\x40`.
pub(super) fn path_parts(name: &[u8]) -> (&'static str, &[u8]) {
    match name {
        [0, rest @ ..] => ("@", rest),
        [b'@', rest @ ..] => ("\\x40", rest),
        path => ("", path),
    }
}
