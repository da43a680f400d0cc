//! Parts of values that several formats write.

pub(super) use crate::fields::{Datum, Side};

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
