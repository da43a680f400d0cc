//! How names are written in a cell: escaped, on one line, never like a sign that has a meaning.

use std::borrow::Cow;

use crate::text;

/// What becomes of blanks inside a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blanks {
    /// They stay, but for those at the edge of a name.
    Keep,
    /// They are written `\x20`: a line has as many words as it has cells.
    Escape,
}

/// Are descriptors shown beside the processes?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Descriptors {
    /// `nginx[812]`
    Hidden,
    /// `nginx[812]{3,4}`
    Shown,
}

/// How cells are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) blanks: Blanks,
    pub(super) descriptors: Descriptors,
}

impl Style {
    /// For `local` and `peer` where the format itself marks the ends of a text.
    pub(super) const QUOTED: Self = Self {
        blanks: Blanks::Keep,
        descriptors: Descriptors::Hidden,
    };

    /// For a cell that stands among words.
    pub(super) const WORD: Self = Self {
        blanks: Blanks::Escape,
        descriptors: Descriptors::Hidden,
    };

    /// Between the words of a cell that has several.
    pub(super) const fn separator(self) -> u8 {
        match self.blanks {
            Blanks::Keep => b' ',
            Blanks::Escape => b',',
        }
    }

    /// Writes a name that is a cell of its own.
    pub(super) fn lone_name(self, out: &mut Vec<u8>, name: &[u8]) {
        match name {
            [] => out.push(b'-'),
            [b'-'] => out.extend_from_slice(b"\\x2d"),
            [b'*'] => out.extend_from_slice(b"\\x2a"),
            [b'?'] => out.extend_from_slice(b"\\x3f"),
            name => self.name(out, name, &[]),
        }
    }

    /// Writes the name of a unix socket.
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
        let blanks = match self.blanks {
            Blanks::Escape => true,
            Blanks::Keep => {
                clean.starts_with(char::is_whitespace) || clean.ends_with(char::is_whitespace)
            }
        };
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
