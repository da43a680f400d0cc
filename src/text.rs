//! Words and numbers for people: escaping, durations, byte units, slips, lines.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Writes bytes that are not clean text so that no byte reaches a terminal raw and one name stays on
/// one line: a backslash as `\\`; control characters, DEL, invalid UTF-8 and characters that reorder
/// or break a line as one `\xHH` for each of their bytes. [`unescape`] gives the bytes back.
pub fn escape(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(is_clean)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                clean if is_clean(clean) => out.push(clean),
                other => push_hex(&mut out, other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        push_hex(&mut out, chunk.invalid());
    }
    Cow::Owned(out)
}

/// Writes a path the same way, for a message.
pub fn escape_path(path: &Path) -> Cow<'_, str> {
    escape(path.as_os_str().as_bytes())
}

/// Escapes further characters of a text that [`escape`] made, as `\xHH`: a separator, say.
pub fn escape_also(text: Cow<'_, str>, unwanted: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&unwanted) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if unwanted(c) {
            push_hex(&mut out, c.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// An error and its causes on one line, outermost first.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| {
        (*error).source()
    });
    causes.map(describe).collect::<Vec<_>>().join(": ")
}

/// An operating system's error without Rust's `(os error 13)`, and in lower case.
fn describe(error: &(dyn Error + 'static)) -> String {
    let text = error.to_string();
    if !error.is::<io::Error>() {
        return text;
    }
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    let first = chars.next().into_iter().flat_map(char::to_lowercase);
    first.chain(chars).collect()
}

/// The bytes that [`escape`] was given.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        if *byte != b'\\' {
            out.push(*byte);
        } else if let [b'x', high, low, tail @ ..] = tail
            && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
        {
            out.push(high << 4 | low);
            rest = tail;
        } else if let [next, tail @ ..] = tail {
            out.push(*next);
            rest = tail;
        }
    }
    out
}

fn is_clean(c: char) -> bool {
    // Beyond control characters: marks that reorder the rest of the line, and line separators.
    let reorders =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c != '\\' && !c.is_control() && !reorders
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{byte:02x}");
    }
}

fn hex_digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

/// A duration in microseconds, with the unit that keeps it short: `250us`, `31.2ms`, `4.5s`, `2min`.
pub fn micros(us: u64) -> String {
    text(us, push_micros)
}

/// A duration in milliseconds, likewise.
pub fn millis(ms: u64) -> String {
    text(ms, push_millis)
}

/// Bytes in binary units: `512B`, `64KiB`, `1.5MiB`.
pub fn bytes(count: u64) -> String {
    text(count, push_bytes)
}

/// From which value on a unit is used, how large it is, and its name; the largest first.
type Units = [(u64, u64, &'static str)];

/// Of durations, in microseconds.
const DURATIONS: &Units = &[
    (7_200_000_000, 3_600_000_000, "h"),
    (120_000_000, 60_000_000, "min"),
    (1_000_000, 1_000_000, "s"),
    (1_000, 1_000, "ms"),
    (0, 1, "us"),
];

const SIZES: &Units = &[
    (1 << 30, 1 << 30, "GiB"),
    (1 << 20, 1 << 20, "MiB"),
    (1 << 10, 1 << 10, "KiB"),
    (0, 1, "B"),
];

const RATES: &Units = &[
    (1_000_000_000, 1_000_000_000, "Gbit/s"),
    (1_000_000, 1_000_000, "Mbit/s"),
    (1_000, 1_000, "kbit/s"),
    (0, 1, "bit/s"),
];

/// Appends what [`micros`] returns; allocates nothing.
pub fn push_micros(out: &mut Vec<u8>, us: u64) {
    decimal(out, us, DURATIONS);
}

/// Appends what [`millis`] returns; allocates nothing.
pub fn push_millis(out: &mut Vec<u8>, ms: u64) {
    match ms {
        0 => out.extend_from_slice(b"0ms"),
        _ => push_micros(out, ms.saturating_mul(1_000)),
    }
}

/// Appends what [`bytes`] returns; allocates nothing.
pub fn push_bytes(out: &mut Vec<u8>, count: u64) {
    decimal(out, count, SIZES);
}

/// Appends bytes per second in decimal bits, as links are rated: `84kbit/s`, `1.2Gbit/s`; allocates
/// nothing.
pub fn push_rate(out: &mut Vec<u8>, bytes_per_second: u64) {
    decimal(out, bytes_per_second.saturating_mul(8), RATES);
}

fn text(value: u64, push: impl FnOnce(&mut Vec<u8>, u64)) -> String {
    let mut out = Vec::with_capacity(16);
    push(&mut out, value);
    String::from_utf8_lossy(&out).into_owned()
}

/// Appends a value in the unit that keeps it short, with one decimal, cut, not rounded; a whole number
/// without.
fn decimal(out: &mut Vec<u8>, value: u64, units: &Units) {
    let fitting = units.iter().find(|(from, _, _)| value >= *from);
    let (_, unit, name) = fitting.copied().unwrap_or((0, 1, ""));
    out.extend_from_slice(itoa::Buffer::new().format(value / unit).as_bytes());
    // One digit.
    match u8::try_from(value % unit * 10 / unit) {
        Ok(0) | Err(_) => {}
        Ok(tenths) => out.extend_from_slice(&[b'.', b'0' + tenths]),
    }
    out.extend_from_slice(name.as_bytes());
}

/// The name that a word is probably a slip of.
pub fn nearest<'n>(word: &str, names: &'n [impl AsRef<str>]) -> Option<&'n str> {
    let length = word.chars().count();
    if !(2..=40).contains(&length) {
        return None;
    }
    let distance = |name: &&str| strsim::damerau_levenshtein(word, name);
    let same_start = |name: &str| {
        word.bytes()
            .zip(name.bytes())
            .take_while(|(a, b)| a == b)
            .count()
    };
    let allowed = length.div_ceil(3).min(2);
    let all = names.iter().map(AsRef::as_ref);
    all.min_by_key(|name| (distance(name), Reverse(same_start(name))))
        .filter(|name| distance(name) <= allowed)
}

/// Appends a text, broken at blanks into lines no wider than `width` where its words allow. Every
/// line but the first begins with `indent` blanks; the first is taken to begin there too.
pub fn push_wrapped(out: &mut String, text: &str, indent: usize, width: usize) {
    let mut column = indent;
    for (index, word) in text.split(' ').enumerate() {
        let length = word.chars().count();
        if index > 0 && column + 1 + length > width {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if index > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
}

#[cfg(test)]
mod tests {
    use super::{
        bytes, escape, escape_also, micros, millis, push_rate, push_wrapped, text, unescape,
    };
    use proptest::prelude::*;

    #[test]
    fn clean_text_is_borrowed() {
        assert!(matches!(
            escape("nginx: worker é".as_bytes()),
            std::borrow::Cow::Borrowed(_)
        ));
    }

    #[test]
    fn escapes_newline_escape_and_del() {
        assert_eq!(escape(b"a\nb\x1b[31m\x7f"), "a\\x0ab\\x1b[31m\\x7f");
    }

    #[test]
    fn escapes_osc52_in_process_name() {
        assert_eq!(escape(b"\x1b]52;c;aGk=\x07"), "\\x1b]52;c;aGk=\\x07");
    }

    #[test]
    fn escapes_c1_controls_and_bidi_marks() {
        assert_eq!(
            escape("a\u{9b}b\u{202e}c".as_bytes()),
            "a\\xc2\\x9bb\\xe2\\x80\\xaec"
        );
    }

    #[test]
    fn escapes_invalid_utf8_and_backslash() {
        assert_eq!(escape(b"\xff\\n"), "\\xff\\\\n");
    }

    #[test]
    fn escapes_a_separator_too() {
        assert_eq!(escape_also(escape(b"a b\\"), |c| c == ' '), "a\\x20b\\\\");
    }

    #[test]
    fn durations_choose_their_unit() {
        let texts = [
            micros(0),
            micros(999),
            micros(31_250),
            micros(4_500_000),
            millis(60_000),
            millis(7_200_000),
        ];
        assert_eq!(texts.join(" "), "0us 999us 31.2ms 4.5s 60s 2h");
    }

    #[test]
    fn sizes_and_rates_choose_their_unit() {
        let texts = [
            bytes(1_023),
            bytes(65_536),
            bytes(1_572_864),
            text(10_500, push_rate),
            text(150_000_000, push_rate),
        ];
        assert_eq!(texts.join(" "), "1023B 64KiB 1.5MiB 84kbit/s 1.2Gbit/s");
    }

    #[test]
    fn lines_are_broken_at_blanks_and_indented() {
        let mut out = String::new();
        push_wrapped(
            &mut out,
            "one two three incomprehensibilities 2·MSL four",
            2,
            12,
        );
        assert_eq!(
            out,
            "one two\n  three\n  incomprehensibilities\n  2·MSL four"
        );
    }

    proptest! {
        #[test]
        fn unescape_gives_the_bytes_back(name in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(unescape(&escape(&name)), name.clone());
            prop_assert_eq!(unescape(&escape_also(escape(&name), |c| c == ' ' || c == ';')), name);
        }

        #[test]
        fn escaped_text_is_one_clean_line(name in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(escape(&name).chars().all(|c| !c.is_control()));
        }
    }
}
