//! Text for people: escaping, durations, byte units, spelling suggestions, wrapping.

use std::borrow::{Borrow, Cow};
use std::cmp::Reverse;
use std::error::Error;
use std::fmt::{Display, Write as _};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Escapes bytes so that none reaches a terminal raw and a name stays on one line: a backslash as `\\`; control
/// characters, DEL, invalid UTF-8 and [hidden characters](is_hidden) as `\xHH` for each byte. [`unescape`] restores
/// the bytes.
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

/// True for printable ASCII without backslash, quotation mark or comma, which is the same in every format.
pub fn is_plain(bytes: &[u8]) -> bool {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'"' | b',');
    // Without an early exit, which would prevent the use of vectors.
    bytes.iter().fold(true, |all, byte| all & is_plain(byte))
}

/// Escapes a path for a message.
pub fn escape_path(path: &Path) -> Cow<'_, str> {
    escape(path.as_os_str().as_bytes())
}

/// Escapes further characters, such as separators, as `\xHH` in a text from [`escape`].
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

/// Makes a message safe for a terminal: escapes what was not escaped yet, except newlines.
pub fn shown(message: &str) -> Cow<'_, str> {
    escape_also(Cow::Borrowed(message), |c| {
        c != '\n' && (c.is_control() || is_hidden(c))
    })
}

/// True for the separators in a list of processes, `a[1],b[2]{3}`, which are escaped in names.
pub const fn separates_processes(c: char) -> bool {
    matches!(c, ',' | '[' | ']' | '{' | '}')
}

/// The name of a unix socket for a message: `@` begins an abstract name, `\x40` a path that begins with `@`.
pub fn unix_name(name: &[u8]) -> String {
    let (first, rest) = unix_name_parts(name);
    format!("{first}{}", escape(rest))
}

/// The name of a unix socket in two parts to write in order: the replacement of its first byte, and the bytes still
/// to be escaped.
pub const fn unix_name_parts(name: &[u8]) -> (&'static str, &[u8]) {
    match name {
        [0, rest @ ..] => ("@", rest),
        [b'@', rest @ ..] => ("\\x40", rest),
        path => ("", path),
    }
}

/// An error and its causes on one line, outermost first.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| {
        (*error).source()
    });
    causes.map(describe).collect::<Vec<_>>().join(": ")
}

/// The text of an operating system error in lower case, without Rust's `(os error 13)`.
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

/// Restores the bytes given to [`escape`].
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = unescaped(rest) {
        out.push(byte);
        rest = tail;
    }
    out
}

/// The first byte, unescaped, and the rest; `None` at the end.
pub fn unescaped(text: &[u8]) -> Option<(u8, &[u8])> {
    let (first, rest) = text.split_first()?;
    if *first != b'\\' {
        return Some((*first, rest));
    }
    if let [b'x', high, low, rest @ ..] = rest
        && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
    {
        return Some((high << 4 | low, rest));
    }
    let (next, rest) = rest.split_first()?;
    Some((*next, rest))
}

fn is_clean(c: char) -> bool {
    match c {
        ' '..='[' | ']'..='~' => true,
        _ => c != '\\' && !c.is_control() && !is_hidden(c),
    }
}

/// True for a character beyond ASCII that is invisible, looks like a blank, reorders the rest of the line, or breaks
/// it: names that differ only in such a character would look alike.
///
/// Unicode's `Default_Ignorable_Code_Point`, its other separators and blanks, and the marks of interlinear
/// annotations.
pub fn is_hidden(c: char) -> bool {
    match c {
        '\0'..='\u{9f}' => false,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{2800}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => true,
        other => other.is_whitespace(),
    }
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

/// A number with its noun: `1 socket`, `2 sockets`, `2 processes`.
pub fn counted(count: impl Display, noun: &str) -> String {
    let count = count.to_string();
    match (&*count, noun) {
        ("1", _) => format!("1 {noun}"),
        (_, noun) if noun.ends_with('s') => format!("{count} {noun}es"),
        _ => format!("{count} {noun}s"),
    }
}

/// A duration in microseconds, in the largest exact unit: `250us`, `31.25ms`, `4.5s`, `2min`.
pub fn micros(us: u64) -> String {
    text(us, MICROS)
}

/// As [`micros`], from milliseconds.
pub fn millis(ms: u64) -> String {
    text(ms, MILLIS)
}

/// Bytes in the largest exact binary unit: `512B`, `64KiB`, `1.5MiB`, `8273449B`.
pub fn bytes(count: u64) -> String {
    text(count, SIZES)
}

/// Units, largest first: the smallest value that uses it, its size, its name, and 10 to the power of its most
/// decimals.
pub(crate) type Units = [(u64, u64, &'static str, u64)];

/// Units of durations, in microseconds.
pub(crate) const MICROS: &Units = &[
    (7_200_000_000, 3_600_000_000, "h", 1),
    (120_000_000, 60_000_000, "min", 1),
    (1_000_000, 1_000_000, "s", 1_000_000),
    (1_000, 1_000, "ms", 1_000),
    (0, 1, "us", 1),
];

/// Units of durations, in milliseconds.
pub(crate) const MILLIS: &Units = &[
    (7_200_000, 3_600_000, "h", 1),
    (120_000, 60_000, "min", 1),
    (1_000, 1_000, "s", 1_000),
    (0, 1, "ms", 1),
];

pub(crate) const SIZES: &Units = &[
    (1 << 30, 1 << 30, "GiB", 100),
    (1 << 20, 1 << 20, "MiB", 100),
    (1 << 10, 1 << 10, "KiB", 100),
    (0, 1, "B", 1),
];

/// Appends a value in the largest exact unit, so that two values never look the same. Allocates nothing.
pub(crate) fn push_exact(out: &mut Vec<u8>, value: u64, units: &Units) {
    let fits = |(from, unit, _, tens): &&(u64, u64, &str, u64)| {
        value >= *from && (value % unit * tens).is_multiple_of(*unit)
    };
    let Some((_, unit, name, _)) = units.iter().find(fits) else {
        return;
    };
    let _ = write!(out, "{}", value / unit);
    let mut rest = value % unit;
    if rest > 0 {
        out.push(b'.');
    }
    while rest > 0 {
        rest *= 10;
        out.push(b'0' + u8::try_from(rest / unit).unwrap_or_default());
        rest %= unit;
    }
    out.extend_from_slice(name.as_bytes());
}

fn text(value: u64, units: &Units) -> String {
    let mut out = Vec::with_capacity(16);
    push_exact(&mut out, value, units);
    String::from_utf8_lossy(&out).into_owned()
}

/// `a, b or c`
pub(crate) fn enumeration(words: &[impl Borrow<str>], last_word: &str) -> String {
    match words {
        [others @ .., last] if !others.is_empty() => {
            format!("{} {last_word} {}", others.join(", "), last.borrow())
        }
        words => words.join(""),
    }
}

/// The edit distance of two words; only needed where users type them.
#[cfg(feature = "cli")]
use strsim::damerau_levenshtein as distance;
#[cfg(not(feature = "cli"))]
fn distance(one: &str, other: &str) -> usize {
    if one == other { 0 } else { usize::MAX }
}

/// The width of a text on a terminal, in columns.
pub(crate) fn width(text: &str) -> usize {
    #[cfg(feature = "cli")]
    return unicode_width::UnicodeWidthStr::width(text);
    #[cfg(not(feature = "cli"))]
    return text.chars().count();
}

/// The name of which a word is probably a misspelling.
pub fn nearest<'n>(word: &str, names: &'n [impl AsRef<str>]) -> Option<&'n str> {
    let length = word.chars().count();
    if !(2..=40).contains(&length) {
        return None;
    }
    let distance = |name: &&str| distance(word, name);
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

/// Appends a text, wrapped at blanks to lines of at most `width` where words allow. Each further line begins with
/// `indent` blanks; the first is assumed to begin at that column.
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
        bytes, escape, escape_also, is_hidden, micros, millis, push_wrapped, shown, unescape,
        unix_name,
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
    fn escapes_what_does_not_show() {
        let ranges = [
            0xad..=0xad,
            0x34f..=0x34f,
            0x61c..=0x61c,
            0x115f..=0x1160,
            0x180e..=0x180e,
            0x200b..=0x200f,
            0x2028..=0x202e,
            0x2060..=0x2064,
            0x2066..=0x2069,
            0x3164..=0x3164,
            0xfeff..=0xfeff,
            0xffa0..=0xffa0,
            0xe0000..=0xe007f,
            0x80..=0x9f,
            0xa0..=0xa0,
            0x2000..=0x200a,
            0x3000..=0x3000,
        ];
        for c in ranges.into_iter().flatten().filter_map(char::from_u32) {
            let name = format!("a{c}b");
            let escaped = escape(name.as_bytes());
            assert!(escaped.starts_with("a\\x") && escaped.is_ascii(), "{c:?}");
            assert_eq!(shown(&name), escaped, "{c:?}");
        }
        for clean in ["a b", "é", "Ж", "名前", "🦀", "a\u{301}"] {
            assert_eq!(escape(clean.as_bytes()), clean);
        }
    }

    #[test]
    fn messages_keep_their_lines_and_what_was_escaped_before() {
        assert_eq!(shown("a\\x1b\n  ^\u{1b}\r"), "a\\x1b\n  ^\\x1b\\x0d");
    }

    #[test]
    fn unix_names_tell_an_abstract_one_from_a_path() {
        let names = [&b"\0a"[..], b"@a", b"\\x40a", b"/a\n"].map(unix_name);
        assert_eq!(names, ["@a", "\\x40a", "\\\\x40a", "/a\\x0a"]);
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
        assert_eq!(texts.join(" "), "0us 999us 31.25ms 4.5s 60s 2h");
    }

    #[test]
    fn sizes_choose_their_unit() {
        let texts = [
            bytes(1_023),
            bytes(65_536),
            bytes(1_572_864),
            bytes(1_572_865),
        ];
        assert_eq!(texts.join(" "), "1023B 64KiB 1.5MiB 1572865B");
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

        #[test]
        fn names_that_differ_are_written_differently(
            [one, other] in prop::array::uniform2(prop::collection::vec(
                prop::sample::select(&b"\0@\\x40a\n\xe2\x80\x8b"[..]), 0..6,
            ))
        ) {
            prop_assert_eq!(escape(&one) == escape(&other), one == other);
            prop_assert_eq!(unix_name(&one) == unix_name(&other), one == other);
        }

        #[test]
        fn shown_text_is_clean(text: String) {
            let text = shown(&text).into_owned();
            prop_assert!(text.chars().all(|c| c == '\n' || !c.is_control() && !is_hidden(c)));
        }
    }
}
