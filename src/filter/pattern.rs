//! Patterns that texts are compared with.

use crate::text::unescaped;

/// A literal text, or a glob: `*` matches any bytes, `?` one character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// Exactly these bytes.
    Exact(Vec<u8>),
    /// A glob as typed; `\xHH` and `\\` are escapes, as in displayed names.
    Glob(String, Case),
}

/// Case sensitivity, for ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    Sensitive,
    Insensitive,
}

impl Pattern {
    /// True if it matches the whole text.
    pub fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Exact(bytes) => bytes == text,
            Self::Glob(glob, case) => matches_glob(glob.as_bytes(), *case, text),
        }
    }

    /// Matches the name of a unix socket as the kernel holds it. A leading `@` of a glob means the NUL of an
    /// abstract name; a literal `@` is written `\x40` there.
    pub fn matches_name(&self, name: &[u8]) -> bool {
        match (self, name) {
            (Self::Exact(bytes), _) => bytes == name,
            (Self::Glob(glob, case), _) => match (glob.as_bytes(), name) {
                ([b'@', glob @ ..], [0, name @ ..]) => matches_glob(glob, *case, name),
                ([b'@', ..], _) => false,
                (glob, _) => matches_glob(glob, *case, name),
            },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Any bytes.
    Any,
    /// One character, or one byte of invalid UTF-8.
    One,
    /// This byte.
    Byte(u8),
}

impl Piece {
    /// Splits off the first piece of a glob.
    fn cut(glob: &[u8]) -> Option<(Self, &[u8])> {
        Some(match glob {
            [b'*', rest @ ..] => (Self::Any, rest),
            [b'?', rest @ ..] => (Self::One, rest),
            _ => unescaped(glob).map(|(byte, rest)| (Self::Byte(byte), rest))?,
        })
    }
}

/// Matches piece by piece. After a mismatch the last `*` takes one more byte; earlier ones never need to,
/// because the pieces between them match as early as possible.
fn matches_glob(glob: &[u8], case: Case, text: &[u8]) -> bool {
    let (mut glob, mut at) = (glob, 0);
    let mut last_star = None;
    loop {
        let piece = Piece::cut(glob);
        if let Some((Piece::Any, rest)) = piece {
            glob = rest;
            last_star = Some((rest, at));
            continue;
        }
        let step = match piece {
            Some((piece, rest)) => taken(piece, case, text, at).map(|bytes| (rest, at + bytes)),
            None if at == text.len() => return true,
            None => None,
        };
        if let Some(next) = step {
            (glob, at) = next;
            continue;
        }
        match last_star {
            Some((rest, from)) if from < text.len() => {
                (glob, at) = (rest, from + 1);
                last_star = Some((glob, at));
            }
            _ => return false,
        }
    }
}

/// The bytes that a piece matches here; `None` = no match.
fn taken(piece: Piece, case: Case, text: &[u8], at: usize) -> Option<usize> {
    match piece {
        Piece::Any => None,
        Piece::One => character(text, at),
        Piece::Byte(wanted) => {
            let byte = text.get(at)?;
            let equal = match case {
                Case::Sensitive => *byte == wanted,
                Case::Insensitive => byte.eq_ignore_ascii_case(&wanted),
            };
            equal.then_some(1)
        }
    }
}

/// The length of the character at this position; `None` inside a character, and at the end.
fn character(text: &[u8], at: usize) -> Option<usize> {
    let byte = text.get(at)?;
    if byte.is_ascii() {
        return Some(1);
    }
    let within = (1..=3).any(|back| {
        at.checked_sub(back)
            .is_some_and(|begin| valid_len(text, begin) > back)
    });
    (!within).then(|| valid_len(text, at).max(1))
}

/// The length of the valid character at this position; 0 = none.
fn valid_len(text: &[u8], begin: usize) -> usize {
    let rest = text.get(begin..).unwrap_or_default();
    // A character has at most four bytes.
    let start = rest.get(..4).unwrap_or(rest);
    let first = start.utf8_chunks().next();
    first
        .and_then(|chunk| chunk.valid().chars().next())
        .map_or(0, char::len_utf8)
}

#[cfg(test)]
mod tests;
