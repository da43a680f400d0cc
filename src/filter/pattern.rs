//! What a text is compared with.

/// A text, or a glob: `*` stands for any characters, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// These bytes, no others.
    Exact(Vec<u8>),
    /// A glob as it was typed; `\xHH` and `\\` stand for bytes, as in every name that is shown.
    Glob(String, Case),
}

/// Do capitals differ from small letters? (Of ASCII.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Case {
    /// They do.
    Sensitive,
    /// They do not.
    Insensitive,
}

/// A piece of a glob.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    /// Any bytes.
    Any,
    /// One character; a byte where the text is no UTF-8.
    One,
    /// This byte.
    Byte(u8),
}
