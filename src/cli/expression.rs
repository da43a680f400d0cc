//! Reads the text of a filter from arguments or a file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::error::Error;
use crate::text::escape;

/// The largest filter file, in bytes.
const LONGEST_FILTER: u64 = 1 << 20;

/// The filter in a file, or on standard input if it is called `-`. Lines that begin with `#` are comments.
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
