//! Option parsing like `getopt_long(3)` of the C library.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::slice::Iter;

use crate::text::escape;

/// The options of a program.
pub(super) struct Options {
    pub(super) letters: &'static [u8],
    /// Letters of options with an argument.
    pub(super) with_argument: &'static [u8],
    /// Long options with their letters; some exist only here. An ambiguous abbreviation lists its candidates
    /// in this order.
    pub(super) long: &'static str,
}

/// The letter of long options that mean an argument of `-A`.
const ARGUMENT: &str = "=";

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    Letter(u8),
    /// An option and its argument.
    Argument(u8, Vec<u8>),
    /// An argument that is not an option.
    Word(Vec<u8>),
}

type Words<'w> = &'w mut dyn Iterator<Item = Vec<u8>>;

impl Options {
    /// Parses a command line without the program's name. Calls back with each option, other word, or error
    /// message of the C library, until that returns an error.
    pub(super) fn read<E>(
        &self,
        words: impl IntoIterator<Item = OsString>,
        mut take: impl FnMut(Result<Given, String>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut words = words.into_iter().map(OsString::into_vec);
        while let Some(word) = words.next() {
            match word.as_slice() {
                b"--" => return words.try_for_each(|word| take(Ok(Given::Word(word)))),
                [b'-', b'-', word @ ..] => take(self.long(word, &mut words))?,
                [b'-', letters @ ..] if !letters.is_empty() => {
                    let mut letters = letters.iter();
                    while let Some(letter) = letters.next() {
                        take(self.short(*letter, &mut letters, &mut words))?;
                    }
                }
                _ => take(Ok(Given::Word(word)))?,
            }
        }
        Ok(())
    }

    fn short(
        &self,
        letter: u8,
        rest: &mut Iter<'_, u8>,
        words: Words<'_>,
    ) -> Result<Given, String> {
        if !self.letters.contains(&letter) {
            return Err(format!("invalid option -- '{}'", escape(&[letter])));
        }
        if !self.with_argument.contains(&letter) {
            return Ok(Given::Letter(letter));
        }
        let argument = if rest.len() == 0 {
            words.next()
        } else {
            Some(rest.copied().collect())
        };
        let given = argument.map(|argument| Given::Argument(letter, argument));
        let missing = || format!("option requires an argument -- '{}'", char::from(letter));
        given.ok_or_else(missing)
    }

    fn long(&self, word: &[u8], words: Words<'_>) -> Result<Given, String> {
        let mut parts = word.splitn(2, |byte| *byte == b'=');
        let (name, value) = (parts.next().unwrap_or_default(), parts.next());
        let (name, letter) = self.meant(name, word)?;
        let letter = match (letter, value) {
            (ARGUMENT, None) => return Ok(Given::Argument(b'A', name.into())),
            (letter, _) => letter.bytes().next().unwrap_or_default(),
        };
        match (self.with_argument.contains(&letter), value) {
            (true, Some(value)) => Ok(Given::Argument(letter, value.to_vec())),
            (true, None) => {
                let given = words.next().map(|word| Given::Argument(letter, word));
                given.ok_or_else(|| format!("option '--{name}' requires an argument"))
            }
            (false, Some(_)) => Err(format!("option '--{name}' doesn't allow an argument")),
            (false, None) => Ok(Given::Letter(letter)),
        }
    }

    /// The option with this name, or the one it abbreviates. The C library takes all arguments of `-A` as one
    /// option; the first of them counts.
    fn meant(&self, name: &[u8], word: &[u8]) -> Result<(&'static str, &'static str), String> {
        let mut long = self.long.split(' ');
        let long = std::iter::from_fn(|| long.next().zip(long.next()));
        let matches = long.filter(|(long, _)| long.as_bytes().starts_with(name));
        let matches: Vec<(&str, &str)> = matches.collect();
        if let Some(exact) = matches.iter().find(|(long, _)| long.len() == name.len()) {
            return Ok(*exact);
        }
        let shown = escape(word);
        let Some(first) = matches.first() else {
            return Err(format!("unrecognized option '--{shown}'"));
        };
        let others = matches.iter().filter(|(_, letter)| *letter != first.1);
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
}
