//! `-c`: its value, and the options that cannot be combined with it.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::time::Duration;

use clap::Arg;
use jiff::tz::TimeZone;

use super::words::wrong;
use super::{Terminal, Typed};
use crate::error::Error;
use crate::filter;
use crate::mode::{Ending, OpenConsole, Purpose, Repeating, Viewing};
use crate::query::{Query, Report};
use crate::render::Format;

const LETTER: u8 = b'c';
const NAME: &[u8] = b"--continuous";

/// Joins `-c` and a following value: `-tc 5` and `-c0.5` become `-tc=5` and `-c=0.5`.
///
/// Anything that cannot be its value keeps its meaning: options in `-c -tan` and `-ctan`, a filter, which
/// begins with a letter or a sign, in `-c sport = 22`.
pub(super) fn joined(arguments: Vec<OsString>, definition: &clap::Command) -> Vec<OsString> {
    let mut arguments = arguments.into_iter().peekable();
    let mut joined = Vec::new();
    while let Some(word) = arguments.next() {
        let is_end = word == "--";
        let (option, glued) = valued(word.as_bytes(), definition).unwrap_or_default();
        let is_repeated =
            option == NAME || !option.starts_with(b"--") && option.ends_with(&[LETTER]);
        let value = match glued {
            b"" if is_repeated => arguments.next_if(|next| is_seconds(next.as_bytes(), definition)),
            // No option is called `-`.
            [first, ..] if is_repeated && (is_of_a_number(*first) || *first == b'-') => {
                Some(OsString::from_vec(glued.to_vec()))
            }
            _ => None,
        };
        let other = !is_repeated && glued.is_empty() && !option.is_empty();
        joined.push(match value {
            Some(value) => OsString::from_vec([option, b"=", value.as_bytes()].concat()),
            None => word,
        });
        if is_end {
            break;
        }
        joined.extend(arguments.next_if(|_| other));
    }
    joined.extend(arguments);
    joined
}

/// A word up to an option that takes a value, and the rest; `None` = no such option.
fn valued<'w>(word: &'w [u8], definition: &clap::Command) -> Option<(&'w [u8], &'w [u8])> {
    let valued = || {
        let options = definition.get_arguments();
        options.filter(|option| option.get_action().takes_values())
    };
    if let Some(name) = word.strip_prefix(b"--") {
        let mut names = valued().filter_map(Arg::get_long);
        let is_valued = names.any(|long| long.as_bytes() == name);
        return is_valued.then_some((word, b""));
    }
    let letters = word.strip_prefix(b"-")?;
    let is_valued = |letter: &u8| {
        let mut shorts = valued().filter_map(Arg::get_short);
        shorts.any(|short| short == char::from(*letter))
    };
    let place = letters.iter().position(is_valued)?;
    word.split_at_checked(place + 2)
}

/// True if it looks like a number and not like `-4`, `-6` or `-0`.
fn is_seconds(word: &[u8], definition: &clap::Command) -> bool {
    let is_option = |letter: &u8| {
        let letter = Some(char::from(*letter));
        definition
            .get_arguments()
            .any(|option| option.get_short() == letter)
    };
    let digits = word.strip_prefix(b"-");
    let is_flags = digits.is_some_and(|digits| digits.iter().all(is_option));
    !is_flags
        && digits
            .unwrap_or(word)
            .first()
            .copied()
            .is_some_and(is_of_a_number)
}

const fn is_of_a_number(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

impl Typed {
    pub(super) fn repeating(self, terminal: Terminal) -> Result<Repeating, Error> {
        let every = self.continuous.unwrap_or_default();
        let (query, is_ended) = (self.clone().round(terminal)?, self.kill);
        check_rounds(&query)?;
        let is_seen = query.format == Format::Table && query.groups.is_none();
        let viewing = terminal.console.filter(|_| is_seen);
        if is_ended && viewing.is_none() {
            let text = "-K with -c asks before it ends sockets: it needs the view, a terminal and the format table";
            return Err(Error::Usage(text.to_owned()));
        }
        let viewing = viewing.map(|open| self.viewing(open, terminal));
        Ok(Repeating {
            query,
            every,
            viewing,
            output: terminal.output,
        })
    }

    fn round(self, terminal: Terminal) -> Result<Query, Error> {
        if self.kill {
            self.ended(terminal)
        } else {
            self.query(terminal)
        }
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
            ending: self.kill.then(|| Ending {
                is_all: self.all,
                ssh: terminal.ssh.and_then(|find| find()),
            }),
            refilter: Box::new(move |filter, purpose| {
                let typed = Self {
                    filter: vec![filter.into()],
                    ..self.clone()
                };
                match purpose {
                    Purpose::List => typed.round(terminal),
                    Purpose::Groups(by) => typed.grouped(by).query(terminal),
                    Purpose::Details => typed.detailed().query(terminal),
                }
            }),
        }
    }
}

impl Typed {
    /// The same sockets in groups.
    fn grouped(self, by: &str) -> Self {
        Self {
            by: Some(by.to_owned()),
            columns: None,
            sort: None,
            kill: false,
            ..self
        }
    }

    /// Sockets in any state, with all details.
    fn detailed(self) -> Self {
        Self {
            json: true,
            format: None,
            columns: None,
            sort: None,
            limit: None,
            filter_file: None,
            all: true,
            kill: false,
            processes: self.processes.max(2),
            extended: true,
            info: true,
            memory: true,
            ..self
        }
    }
}

fn check_rounds(query: &Query) -> Result<(), Error> {
    let tells_changes =
        query.report == Report::Rows && query.format == Format::Ndjson && query.groups.is_none();
    if tells_changes && query.limit.is_some() {
        let text = "--limit cannot be combined with -c in ndjson: changes would be lost";
        return Err(Error::Usage(text.to_owned()));
    }
    Ok(())
}

pub(super) fn seconds(text: &str) -> Result<Duration, Error> {
    match filter::duration(text) {
        Some(Duration::ZERO) => {
            let why = "is too short an interval (minimum 0.001)";
            Err(wrong("-c", text, why))
        }
        Some(every) => Ok(every),
        None => Err(wrong(
            "-c",
            text,
            "is not an interval (expected 0.5, 2 or 1m)",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::joined;
    use crate::cli::definition;

    fn of(line: &str) -> String {
        let words = line.split(' ').map(Into::into).collect();
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
