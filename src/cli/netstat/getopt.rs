//! `getopt_long(3)` of the C library over the options of `netstat`.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use super::plan::{FAMILIES, LONG_FAMILIES};
use crate::text::escape;

/// Letters that are options.
const LETTERS: &[u8] = b"ACFMacdeghilnNoprsStuUvVWw2fx64?Z";
/// The one that takes an argument.
const WITH_ARGUMENT: u8 = b'A';

/// Long options and their letters, some of which exist here alone. An ambiguous abbreviation lists its
/// candidates in this order, after those for families.
const LONG: [(&str, u8); 32] = [
    ("version", b'V'),
    ("interfaces", b'i'),
    ("help", b'h'),
    ("route", b'r'),
    ("masquerade", b'M'),
    ("protocol", WITH_ARGUMENT),
    ("tcp", b't'),
    ("sctp", b'S'),
    ("udp", b'u'),
    ("udplite", b'U'),
    ("raw", b'w'),
    ("unix", b'x'),
    ("l2cap", b'2'),
    ("rfcomm", b'f'),
    ("listening", b'l'),
    ("all", b'a'),
    ("timers", b'o'),
    ("continuous", b'c'),
    ("extend", b'e'),
    ("programs", b'p'),
    ("verbose", b'v'),
    ("statistics", b's'),
    ("wide", b'W'),
    ("numeric", b'n'),
    ("numeric-hosts", NUMERIC_HOSTS),
    ("numeric-ports", NUMERIC_PORTS),
    ("numeric-users", NUMERIC_USERS),
    ("symbolic", b'N'),
    ("cache", b'C'),
    ("fib", b'F'),
    ("groups", b'g'),
    ("context", b'Z'),
];

/// All of them, and their letters; a family has none.
fn long() -> impl Iterator<Item = (&'static str, Option<u8>)> {
    let families = FAMILIES.iter().take(LONG_FAMILIES);
    let families = families.map(|(name, _)| (*name, None));
    families.chain(LONG.map(|(name, letter)| (name, Some(letter))))
}

/// `--numeric-hosts`
pub(super) const NUMERIC_HOSTS: u8 = b'!';
/// `--numeric-ports`
pub(super) const NUMERIC_PORTS: u8 = b'@';
/// `--numeric-users`
pub(super) const NUMERIC_USERS: u8 = b'#';

/// One option.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// A letter.
    Letter(u8),
    /// Families by their names, separated by commas.
    Families(Vec<u8>),
}

/// The options of a command line, one after another, or what is wrong with one in the words of the C
/// library; other words mean nothing.
pub(super) struct Options {
    words: VecDeque<OsString>,
    /// Letters of the current word that are still to be read.
    letters: VecDeque<u8>,
}

impl Options {
    /// Of these words, without the program's name.
    pub(super) fn new(words: impl IntoIterator<Item = OsString>) -> Self {
        Self {
            words: words.into_iter().collect(),
            letters: VecDeque::new(),
        }
    }

    fn letter(&mut self, letter: u8) -> Result<Given, String> {
        if !LETTERS.contains(&letter) {
            let shown = escape(&[letter]).into_owned();
            return Err(format!("invalid option -- '{shown}'"));
        }
        if letter != WITH_ARGUMENT {
            return Ok(Given::Letter(letter));
        }
        let argument = if self.letters.is_empty() {
            self.next_word()
        } else {
            Some(self.letters.drain(..).collect())
        };
        argument
            .map(Given::Families)
            .ok_or_else(|| "option requires an argument -- 'A'".to_owned())
    }

    fn next_word(&mut self) -> Option<Vec<u8>> {
        self.words.pop_front().map(OsString::into_vec)
    }

    fn long(&mut self, word: &[u8]) -> Result<Given, String> {
        let mut parts = word.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        let (name, letter) = meant(name, word)?;
        match (letter, value) {
            (Some(WITH_ARGUMENT), Some(value)) => Ok(Given::Families(value.to_vec())),
            (Some(WITH_ARGUMENT), None) => {
                let families = self.next_word().map(Given::Families);
                families.ok_or_else(|| format!("option '--{name}' requires an argument"))
            }
            (_, Some(_)) => Err(format!("option '--{name}' doesn't allow an argument")),
            (Some(letter), None) => Ok(Given::Letter(letter)),
            (None, None) => Ok(Given::Families(name.as_bytes().to_vec())),
        }
    }
}

/// The option of this name, or the one whose name begins so. All families are one option to the C
/// library: of these the first is meant.
fn meant(name: &[u8], word: &[u8]) -> Result<(&'static str, Option<u8>), String> {
    if let Some(exact) = long().find(|(long, _)| long.as_bytes() == name) {
        return Ok(exact);
    }
    let mut matches = long().filter(|(long, _)| long.as_bytes().starts_with(name));
    let shown = escape(word);
    let Some(first) = matches.next() else {
        return Err(format!("unrecognized option '--{shown}'"));
    };
    let others = matches.filter(|(_, letter)| *letter != first.1);
    let others: Vec<&str> = others.map(|(long, _)| long).collect();
    if others.is_empty() {
        return Ok(first);
    }
    Err(format!(
        "option '--{shown}' is ambiguous; possibilities: '--{}' '--{}'",
        first.0,
        others.join("' '--")
    ))
}

impl Iterator for Options {
    type Item = Result<Given, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(letter) = self.letters.pop_front() {
            return Some(self.letter(letter));
        }
        loop {
            let word = self.words.pop_front()?;
            match word.as_bytes() {
                b"--" => {
                    self.words.clear();
                    return None;
                }
                [b'-', b'-', name @ ..] => return Some(self.long(name)),
                [b'-', letter, letters @ ..] => {
                    self.letters.extend(letters);
                    return Some(self.letter(*letter));
                }
                _ => {}
            }
        }
    }
}
