//! `getopt_long(3)` of the C library over the options of `netstat`.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

use crate::text::escape;

/// Letters that are options.
const LETTERS: &[u8] = b"ACFMacdeghilnNoprsStuUvVWw2fx64?Z";
/// The one that takes an argument.
const WITH_ARGUMENT: u8 = b'A';

/// Options with long names, in the order in which those that an abbreviation may mean are told:
/// letters, some of which exist here alone, and names of families.
const LONG: [(&str, Option<u8>); 45] = [
    ("ax25", None),
    ("x25", None),
    ("ip", None),
    ("ipx", None),
    ("appletalk", None),
    ("netrom", None),
    ("inet", None),
    ("inet6", None),
    ("ddp", None),
    ("rose", None),
    ("unix", None),
    ("bluetooth", None),
    ("tcpip", None),
    ("version", Some(b'V')),
    ("interfaces", Some(b'i')),
    ("help", Some(b'h')),
    ("route", Some(b'r')),
    ("masquerade", Some(b'M')),
    ("protocol", Some(WITH_ARGUMENT)),
    ("tcp", Some(b't')),
    ("sctp", Some(b'S')),
    ("udp", Some(b'u')),
    ("udplite", Some(b'U')),
    ("raw", Some(b'w')),
    ("unix", Some(b'x')),
    ("l2cap", Some(b'2')),
    ("rfcomm", Some(b'f')),
    ("listening", Some(b'l')),
    ("all", Some(b'a')),
    ("timers", Some(b'o')),
    ("continuous", Some(b'c')),
    ("extend", Some(b'e')),
    ("programs", Some(b'p')),
    ("verbose", Some(b'v')),
    ("statistics", Some(b's')),
    ("wide", Some(b'W')),
    ("numeric", Some(b'n')),
    ("numeric-hosts", Some(NUMERIC_HOSTS)),
    ("numeric-ports", Some(NUMERIC_PORTS)),
    ("numeric-users", Some(NUMERIC_USERS)),
    ("symbolic", Some(b'N')),
    ("cache", Some(b'C')),
    ("fib", Some(b'F')),
    ("groups", Some(b'g')),
    ("context", Some(b'Z')),
];

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

/// What is wrong with an option, in the words of the C library.
pub(super) type Mistake = String;

/// The options of a command line, one after another; other words mean nothing.
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

    fn letter(&mut self, letter: u8) -> Result<Given, Mistake> {
        if !LETTERS.contains(&letter) {
            let shown = escape(&[letter]).into_owned();
            return Err(format!("invalid option -- '{shown}'"));
        }
        if letter != WITH_ARGUMENT {
            return Ok(Given::Letter(letter));
        }
        let rest: Vec<u8> = self.letters.drain(..).collect();
        let argument = if rest.is_empty() {
            let next = self.words.pop_front();
            next.map(|word| word.as_bytes().to_vec())
        } else {
            Some(rest)
        };
        argument
            .map(Given::Families)
            .ok_or_else(|| "option requires an argument -- 'A'".to_owned())
    }

    fn long(&mut self, word: &[u8]) -> Result<Given, Mistake> {
        let mut parts = word.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        let (name, letter) = meant(name, word)?;
        match (letter, value) {
            (Some(WITH_ARGUMENT), Some(value)) => Ok(Given::Families(value.to_vec())),
            (Some(WITH_ARGUMENT), None) => {
                let next = self.words.pop_front();
                let families = next.map(|word| Given::Families(word.as_bytes().to_vec()));
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
fn meant(name: &[u8], word: &[u8]) -> Result<(&'static str, Option<u8>), Mistake> {
    let exact = LONG.iter().find(|(long, _)| long.as_bytes() == name);
    if let Some(exact) = exact {
        return Ok(*exact);
    }
    let mut matches = LONG
        .iter()
        .filter(|(long, _)| long.as_bytes().starts_with(name));
    let shown = escape(word);
    let Some(first) = matches.next() else {
        return Err(format!("unrecognized option '--{shown}'"));
    };
    let others = matches.filter(|(_, letter)| *letter != first.1);
    let others: Vec<&str> = others.map(|(long, _)| *long).collect();
    if others.is_empty() {
        return Ok(*first);
    }
    Err(format!(
        "option '--{shown}' is ambiguous; possibilities: '--{}' '--{}'",
        first.0,
        others.join("' '--")
    ))
}

impl Iterator for Options {
    type Item = Result<Given, Mistake>;

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
