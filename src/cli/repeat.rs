//! `-c`: what its value is, and which options do not go with it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::check::wrong;
use super::{Terminal, Typed};
use crate::error::Error;
use crate::filter;
use crate::mode::{OpenConsole, Repeating, Viewing};
use crate::query::{Query, Report};
use crate::render::{Format, Repeats};

/// The letter of the option.
const LETTER: u8 = b'c';
/// Its name.
const NAME: &[u8] = b"--continuous";

/// Joins `-c` and what can be nothing but its value: `-tc 5` and `-c0.5` become `-tc=5` and `-c=0.5`.
///
/// Everything else behind it is what it would be without it: in `-c -tan` and `-ctan` options, in
/// `-c sport = 22` a filter, which begins with a letter or a sign.
pub(super) fn joined(
    arguments: impl IntoIterator<Item = OsString>,
    definition: &clap::Command,
) -> Vec<OsString> {
    let options = Options(definition);
    let mut arguments = arguments.into_iter().peekable();
    let mut joined: Vec<OsString> = arguments.next().into_iter().collect();
    while let Some(word) = arguments.next() {
        match options.read(word.as_bytes()) {
            Ending::Itself if word == "--" => {
                joined.push(word);
                break;
            }
            Ending::Itself => joined.push(word),
            Ending::Value => {
                joined.push(word);
                joined.extend(arguments.next());
            }
            Ending::Seconds(before, b"") => {
                let value = arguments.next_if(|next| options.is_seconds(next));
                joined.push(match value {
                    Some(value) => with_value(before, value.as_bytes()),
                    None => word,
                });
            }
            Ending::Seconds(before, value) => joined.push(with_value(before, value)),
        }
    }
    joined.extend(arguments);
    joined
}

fn with_value(option: &[u8], value: &[u8]) -> OsString {
    OsString::from_vec([option, b"=", value].concat())
}

/// The options of the command line.
struct Options<'d>(&'d clap::Command);

/// How a word of the command line ends.
enum Ending<'w> {
    /// It stands for itself.
    Itself,
    /// With an option whose value is the next word.
    Value,
    /// With `-c`: up to the letter, and what follows it and is a value.
    Seconds(&'w [u8], &'w [u8]),
}

impl Options<'_> {
    /// True if an option takes a value; `None` = there is no such option.
    fn takes_value(&self, is_meant: impl Fn(&clap::Arg) -> bool) -> Option<bool> {
        let option = self.0.get_arguments().find(|option| is_meant(option))?;
        Some(option.get_action().takes_values())
    }

    fn letter_takes_value(&self, letter: u8) -> Option<bool> {
        self.takes_value(|option| option.get_short() == Some(char::from(letter)))
    }

    fn read<'w>(&self, word: &'w [u8]) -> Ending<'w> {
        if word == NAME {
            return Ending::Seconds(word, b"");
        }
        let is_named = |name: &str| word.strip_prefix(b"--") == Some(name.as_bytes());
        if self.takes_value(|option| option.get_long().is_some_and(is_named)) == Some(true) {
            return Ending::Value;
        }
        let [b'-', letters @ ..] = word else {
            return Ending::Itself;
        };
        let valued = |letter: &u8| self.letter_takes_value(*letter) == Some(true);
        let Some(place) = letters.iter().position(valued) else {
            return Ending::Itself;
        };
        let (before, after) = word.split_at_checked(place + 2).unwrap_or((word, b""));
        match (before.ends_with(&[LETTER]), after) {
            (true, b"") => Ending::Seconds(before, after),
            (true, [first, ..]) if is_of_a_number(*first) => Ending::Seconds(before, after),
            (false, b"") => Ending::Value,
            _ => Ending::Itself,
        }
    }

    /// Does it look like a number, and not like `-4`, `-6` or `-0`?
    fn is_seconds(&self, word: &OsStr) -> bool {
        match word.as_bytes() {
            [b'-', digits @ ..] => {
                let is_flag = |letter: &u8| self.letter_takes_value(*letter) == Some(false);
                digits.first().copied().is_some_and(is_of_a_number) && !digits.iter().all(is_flag)
            }
            [first, ..] => is_of_a_number(*first),
            [] => false,
        }
    }
}

const fn is_of_a_number(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

impl Typed {
    pub(super) fn repeating(self, terminal: Terminal) -> Result<Repeating, Error> {
        let every = self.continuous.unwrap_or_default();
        let query = self.clone().query(terminal)?;
        check_rounds(&query)?;
        let is_seen = (query.report, query.format) == (Report::Rows, Format::Table);
        let viewing = terminal.console.filter(|_| is_seen);
        let viewing = viewing.map(|open| self.viewing(open, terminal));
        Ok(Repeating {
            query,
            every,
            viewing,
            output: terminal.output,
        })
    }

    fn viewing(self, open: OpenConsole, terminal: Terminal) -> Viewing {
        let words: Vec<_> = self
            .filter
            .iter()
            .map(|word| word.to_string_lossy())
            .collect();
        Viewing {
            open,
            zone: terminal.zone.map_or(TimeZone::UTC, |find| find()),
            filter: words.join(" "),
            refilter: Box::new(move |filter| {
                let typed = Self {
                    filter: vec![filter.into()],
                    ..self.clone()
                };
                typed.query(terminal)
            }),
        }
    }
}

fn check_rounds(query: &Query) -> Result<(), Error> {
    let text = match (query.report, query.format.repeats()) {
        (Report::Rows, Repeats::Changes) if query.limit.is_some() => {
            "-c tells every change in ndjson and --limit would leave some out: they do not go together"
        }
        (Report::Summary { .. }, Repeats::Changes | Repeats::Listings) => {
            "the counts of -s have no time in ndjson and csv, which -c needs: use json or plain"
        }
        _ => return Ok(()),
    };
    Err(Error::Usage(text.to_owned()))
}

/// The time between two listings.
pub(super) fn seconds(text: &str) -> Result<Duration, Error> {
    match filter::duration(text) {
        Some(Duration::ZERO) => {
            let why = "is no time between two listings; as often as can be is 0.001";
            Err(wrong("-c", text, why))
        }
        Some(every) => Ok(every),
        None => Err(wrong(
            "-c",
            text,
            "is no number of seconds, like 0.5, 2 or 1m",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::joined;
    use crate::cli::definition;

    fn of(line: &str) -> String {
        let words = line.split(' ').map(Into::into);
        let joined = joined(words, &definition());
        let words: Vec<_> = joined.iter().map(|word| word.to_string_lossy()).collect();
        words.join(" ")
    }

    #[test]
    fn a_number_behind_it_is_its_value() {
        for (line, expected) in [
            ("lsock -c 2 -tan", "lsock -c=2 -tan"),
            ("lsock -tc 5", "lsock -tc=5"),
            ("lsock -c0.5 -t", "lsock -c=0.5 -t"),
            ("lsock -tanc2", "lsock -tanc=2"),
            ("lsock --continuous 1m", "lsock --continuous=1m"),
            ("lsock -c .5", "lsock -c=.5"),
            ("lsock -c -1", "lsock -c=-1"),
            ("lsock -c -0.5", "lsock -c=-0.5"),
            ("lsock -c 2 sport = 22", "lsock -c=2 sport = 22"),
        ] {
            assert_eq!(of(line), expected);
        }
    }

    #[test]
    fn everything_else_stays_what_it_is() {
        for line in [
            "lsock -c",
            "lsock -c -tan",
            "lsock -ctan",
            "lsock -tanc",
            "lsock -c sport = 22",
            "lsock -c :80",
            "lsock -c ( state listen )",
            "lsock -c -4",
            "lsock -c -46 -t",
            "lsock -c=2",
            "lsock -c=",
            "lsock --continuous=0.5",
            "lsock --continuous -t",
            "lsock -t 5",
        ] {
            assert_eq!(of(line), line);
        }
    }

    #[test]
    fn values_of_other_options_and_what_is_no_option_are_left_alone() {
        for line in [
            "lsock --sort -recv_queue -c",
            "lsock --columns -c 5",
            "lsock -D -c 5",
            "lsock -Ac 5",
            "lsock -tA -c 5",
            "lsock -- -c 5",
        ] {
            assert_eq!(of(line), line);
        }
    }
}
