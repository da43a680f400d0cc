//! The text of a filter, as words and in a file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::error::Error;
use crate::text::escape;

/// The longest filter that is read from a file.
const LONGEST_FILTER: u64 = 1 << 20;

/// The filter in a file, or, of the name `-`, on the standard input. Lines that begin with `#` are remarks.
pub(super) fn filter_in(path: &Path) -> Result<String, Error> {
    let from = if path == Path::new("-") {
        Path::new("/dev/stdin")
    } else {
        path
    };
    let failed = |cause| Error::file("read", path, cause);
    let mut text = String::new();
    let file = File::open(from).map_err(failed)?;
    let mut file = file.take(LONGEST_FILTER + 1);
    let length = file.read_to_string(&mut text).map_err(failed)?;
    if length > usize::try_from(LONGEST_FILTER).unwrap_or(usize::MAX) {
        return Err(failed(io::Error::other("longer than 1 MiB")));
    }
    let lines = text.lines().map(str::trim);
    let lines: Vec<&str> = lines.filter(|line| !line.starts_with('#')).collect();
    Ok(lines.join(" "))
}

pub(super) fn not_text(word: &OsStr) -> Error {
    let clean = escape(word.as_bytes());
    Error::Usage(format!(
        "filter: \"{clean}\" is not UTF-8; write such bytes as \\xHH within a quoted name"
    ))
}
