//! Lines of a file, one at a time, through one buffer.

use std::io::{self, BufRead as _, BufReader, Read};

/// Bytes kept of a line; the kernel's longest have some 200.
pub(super) const LINE_MAX: usize = 4096;
/// Bytes after which a line counts as endless.
const ENDLESS: u64 = 16 * 1024 * 1024;

/// Reads a file line by line in constant memory.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    text: Vec<u8>,
    pub(super) count: u64,
    /// True if lines end in CR LF, as the first one does: a copy from another system.
    has_returns: bool,
}

pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: u64,
    /// Without its newline.
    pub(super) text: &'a [u8],
    /// True if the text is the complete line.
    pub(super) whole: bool,
    /// True if a newline ends it.
    pub(super) ended: bool,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(file: R) -> Self {
        Self {
            reader: BufReader::with_capacity(32 * 1024, file),
            text: Vec::with_capacity(256),
            count: 0,
            has_returns: false,
        }
    }

    /// The next line; the last one may lack its newline.
    pub(super) fn advance(&mut self) -> io::Result<Option<Line<'_>>> {
        self.text.clear();
        let limit = u64::try_from(LINE_MAX).unwrap_or(u64::MAX);
        let mut start = self.reader.by_ref().take(limit);
        if start.read_until(b'\n', &mut self.text)? == 0 {
            return Ok(None);
        }
        let mut whole = true;
        let ended = self.text.last() == Some(&b'\n');
        if ended {
            self.text.pop();
            let ends_in_return = self.text.last() == Some(&b'\r');
            self.has_returns |= ends_in_return && self.count == 0;
            if self.has_returns && ends_in_return {
                self.text.pop();
            }
        } else if self.text.len() >= LINE_MAX {
            whole = false;
            let skipped = self.reader.by_ref().take(ENDLESS).skip_until(b'\n')?;
            if u64::try_from(skipped).unwrap_or(ENDLESS) >= ENDLESS {
                return Err(io::Error::other("endless line"));
            }
        }
        self.count += 1;
        Ok(Some(Line {
            number: self.count,
            text: &self.text,
            whole,
            ended,
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        reason = "a test stops at the first thing that is not as expected"
    )]

    use super::{LINE_MAX, Lines};

    fn lengths(text: &[u8]) -> Vec<(usize, bool)> {
        let mut lines = Lines::new(text);
        let mut found = Vec::new();
        while let Some(line) = lines.advance().unwrap() {
            found.push((line.text.len(), line.whole));
        }
        found
    }

    #[test]
    fn last_line_may_lack_its_newline() {
        assert_eq!(lengths(b"ab\n\nc"), [(2, true), (0, true), (1, true)]);
    }

    #[test]
    fn lines_may_end_as_the_first_one_does() {
        assert_eq!(
            lengths(b"ab\r\nc\r\n\r\r\nd"),
            [2, 1, 1, 1].map(|l| (l, true))
        );
        assert_eq!(lengths(b"ab\nc\r\n"), [2, 2].map(|l| (l, true)));
    }

    #[test]
    fn empty_file_has_no_line() {
        assert_eq!(lengths(b""), []);
    }

    #[test]
    fn line_without_an_end_is_an_error() {
        let mut lines = Lines::new(std::io::repeat(b'x'));
        let error = lines.advance().err().unwrap();
        assert_eq!(error.to_string(), "endless line");
    }

    #[test]
    fn long_line_is_cut_and_the_next_one_is_whole() {
        let text = [vec![b'x'; 1 << 20], b"\nab\n".to_vec()].concat();
        assert_eq!(lengths(&text), [(LINE_MAX, false), (2, true)]);
    }
}
