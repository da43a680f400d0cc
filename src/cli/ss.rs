//! The command line of the `ss` drop-in: its options, combined as in the original.

mod tables;

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use self::tables::{ALL_STATES, CLOSE, LISTEN, Tables};
pub(super) use self::tables::{kinds, of_kinds};
use super::expression::{filter_in, not_text};
use super::getopt::{Given, Options};
use super::{Command, Terminal};
use crate::enrich::{Interfaces, Lookups, Mapped, Ports, SystemNames, Tasks};
use crate::error::Error;
use crate::exit::Verdict;
use crate::filter::{self, Expr, Test};
use crate::model::{Selection, StateSet};
use crate::netns::Wanted;
use crate::query::{Check, Input, Killing, PROC, Query};
use crate::render::{Format, HeaderLine, Layout, Letters, SsLayout};
use crate::source::Extensions;
use crate::text::escape;

pub(super) const NAME: &str = "ss";

const HELP: &str = include_str!("ss/help.txt");

const OPTIONS: Options = Options {
    letters: b"dhaletuwxnro460spTbEfmMiADFvVzZNKHSOQ",
    with_argument: b"fADFN",
    long: "numeric n resolve r options o extended e memory m info i processes p threads T bpf b events E dccp d \
        tcp t sctp S udp u raw w unix x tipc ~ vsock + all a listening l ipv4 4 ipv6 6 packet 0 family f \
        socket A query A summary s diag D filter F version V help h context Z contexts z net N tipcinfo % \
        tos @ cgroup / kill K no-header H xdp ^ mptcp M oneline O inet-sockopt # no-queues Q",
};

/// The mode of `SELinux`, if that is enabled.
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// Parses the command line without the program's name.
pub(super) fn parse(
    words: impl IntoIterator<Item = OsString>,
    terminal: Terminal,
) -> Result<Command, Error> {
    let mut typed = Typed::default();
    match OPTIONS.read(words, |given| typed.take(given)) {
        Err(end) => Ok(end),
        Ok(()) => typed.command(terminal),
    }
}

fn refuse(text: &str, verdict: Verdict) -> Command {
    Command::Refuse(format!("{NAME}: {text}"), verdict)
}

fn misused(mistake: &str) -> Command {
    let text = format!("{mistake}\n{NAME}: see {NAME} --help");
    refuse(&text, Verdict::Trouble)
}

#[derive(Debug, Default)]
struct Typed {
    letters: Letters,
    tables: Tables,
    words: Vec<OsString>,
    record: Option<PathBuf>,
    netns: Option<OsString>,
    filter: Option<PathBuf>,
}

impl Typed {
    /// Handles an option; the error is what to do instead of listing.
    fn take(&mut self, given: Result<Given, String>) -> Result<(), Command> {
        match given.map_err(|mistake| misused(&mistake))? {
            Given::Word(word) => self.words.push(OsString::from_vec(word)),
            Given::Letter(letter) => self.letter(letter)?,
            Given::Argument(letter, argument) => self.argument(letter, argument)?,
        }
        Ok(())
    }

    fn letter(&mut self, letter: u8) -> Result<(), Command> {
        let version = env!("CARGO_PKG_VERSION");
        match letter {
            b'h' => return Err(Command::Print(HELP.to_owned())),
            b'v' | b'V' => {
                let text = format!("lsock {version}, drop-in replacement for ss (iproute2 6.1)\n");
                return Err(Command::Print(text));
            }
            b'Z' | b'z' if !Path::new(SELINUX).exists() => {
                return Err(refuse("SELinux is not enabled.", Verdict::Failed));
            }
            b'T' | b'Z' | b'z' => self.letters = self.letters.with(letter).with(b'p'),
            b'a' => self.tables.state_filter = ALL_STATES,
            b'l' => self.tables.state_filter = LISTEN | CLOSE,
            other if self.tables.add(other) => {}
            other => self.letters = self.letters.with(other),
        }
        if matches!(letter, b'e' | b'b') {
            self.letters = self.letters.with(b'o');
        }
        Ok(())
    }

    fn argument(&mut self, letter: u8, argument: Vec<u8>) -> Result<(), Command> {
        match letter {
            b'f' if argument == b"help" => return Err(Command::Print(HELP.to_owned())),
            b'f' if !self.tables.add_family(&argument) => {
                let text = format!("\"{}\" is invalid family", escape(&argument));
                return Err(misused(&text));
            }
            b'A' => {
                let wrong = self.tables.query(&argument);
                if let Some(wrong) = wrong {
                    let text = format!("\"{}\" is illegal socket table id", escape(wrong));
                    return Err(misused(&text));
                }
            }
            b'D' | b'F' => {
                // A dash is standard output or standard input.
                let path = match (letter, argument.as_slice()) {
                    (b'D', [b'-', ..]) => PathBuf::from("/dev/stdout"),
                    (_, [b'-', ..]) => PathBuf::from("-"),
                    _ => PathBuf::from(OsString::from_vec(argument)),
                };
                if letter == b'F' && self.filter.is_some() {
                    return Err(misused("More than one filter file"));
                }
                let place = if letter == b'D' {
                    &mut self.record
                } else {
                    &mut self.filter
                };
                *place = Some(path);
            }
            b'N' => self.netns = Some(OsString::from_vec(argument)),
            _ => {}
        }
        Ok(())
    }

    fn command(mut self, terminal: Terminal) -> Result<Command, Error> {
        let is_summed = self.letters.has(b's');
        let is_listed = !self.tables.are_default() || !self.words.is_empty();
        let words = self.filter_words()?;
        let mut rest = words.as_slice();
        while let [what, name, others @ ..] = rest
            && matches!(&**what, "state" | "exclude" | "excl")
        {
            self.tables.state(what == "state", states(name)?);
            rest = others;
        }
        if let Some(lacking) = self.tables.settle() {
            let text = format!("no {lacking} to show with such filter.");
            return Ok(refuse(&text, Verdict::Done));
        }
        if self.record.is_some() && !self.tables.keep_tcp() {
            let text = "tcpdiag dump requested and no tcp in filter.";
            return Ok(refuse(text, Verdict::Done));
        }
        let query = self.query(&rest.join(" "), terminal)?;
        Ok(if self.letters.has(b'K') {
            if words.is_empty() {
                let text =
                    "-K without a filter would end every connection: add a filter, or state all";
                return Ok(refuse(text, Verdict::Trouble));
            }
            Command::Kill(Box::new(killing(query)))
        } else if self.letters.has(b'E') {
            Command::Destroyed(Box::new(query), terminal.output)
        } else if is_summed {
            Command::Sockstat(Box::new(query), is_listed)
        } else {
            Command::List(Box::new(query))
        })
    }

    /// The words of the filter, then those of the file.
    fn filter_words(&self) -> Result<Vec<String>, Error> {
        let words = self.words.iter();
        let words = words.map(|word| word.to_str().ok_or_else(|| not_text(word)));
        let mut words: Vec<String> = words
            .map(|word| word.map(str::to_owned))
            .collect::<Result<_, _>>()?;
        if let Some(path) = &self.filter {
            let text = filter_in(path)?;
            words.extend(text.split_whitespace().map(str::to_owned));
        }
        Ok(words)
    }

    fn query(&self, filter: &str, terminal: Terminal) -> Result<Query, Error> {
        let has = |letter| self.letters.has(letter);
        let tables = self.tables.list();
        let names = SystemNames {
            hosts: has(b'r'),
            only_unix: self.tables.are_only_unix(),
            other_netns: self.netns.is_some(),
            root: self.netns.is_none().then_some(Path::new(PROC)),
            ..SystemNames::default()
        };
        let filter = filter::parse_for(filter, &names, &tables)
            .map_err(|error| Error::Usage(format!("filter: {error}")))?
            .counting_no_port_as_0();
        Ok(Query {
            named: true,
            selection: Selection::All,
            // Destroyed sockets all have the same state.
            filter: if has(b'E') {
                filter
            } else {
                Expr::all([self.tables.shown(), filter])
            },
            extensions: Extensions {
                info: has(b'i'),
                sctp: Some(self.tables.shown_states()),
                options: has(b'@') || has(b'#'),
                memory: has(b'm'),
                files: has(b'e'),
                attributes: has(b'e') || has(b'b') || has(b'%'),
                ..Extensions::default()
            },
            lookups: Lookups {
                owners: (has(b'p') || has(b'K')).then(|| PROC.into()),
                services: if has(b'n') {
                    Ports::Numbers
                } else {
                    Ports::AsSs
                },
                tasks: Tasks {
                    threads: has(b'T'),
                    contexts: has(b'Z') || has(b'z'),
                },
                interfaces: Interfaces::Live,
                cgroups: has(b'e') || has(b'/'),
                ..Lookups::default()
            },
            hosts: has(b'r').then_some(Mapped::AsIpv4),
            layout: Layout {
                header: if has(b'H') {
                    HeaderLine::Hidden
                } else {
                    HeaderLine::Shown
                },
                ..Layout::default()
            },
            format: Format::Ss(SsLayout {
                options: self.letters,
                shows_netid: self.tables.are_many(),
                shows_state: self.tables.have_many_states(),
                width: terminal.width.filter(|_| terminal.is_terminal),
            }),
            input: Input::Auto,
            netns: self.netns.iter().map(|word| Wanted::of(word)).collect(),
            check: Check {
                // A recording is complete and shows nothing.
                quiet: self.record.is_some(),
                strict: self.record.is_some(),
                ..Check::default()
            },
            record: self.record.clone(),
            tables,
            ..Query::default()
        })
    }
}

/// Destroys the sockets without asking.
fn killing(query: Query) -> Killing {
    Killing {
        query: Query {
            is_ended: true,
            ..query
        },
        is_quiet: false,
        is_dry: false,
        yes: 2,
        ask: None,
        ssh: None,
    }
}

/// The states with this name.
fn states(name: &str) -> Result<StateSet, Error> {
    let text = format!("state {name}");
    match filter::parse(&text, &SystemNames::default()) {
        Ok(Expr::Test(Test::State(states))) => Ok(states),
        Ok(_) => Ok(StateSet::EMPTY),
        Err(error) => Err(Error::Usage(format!("filter: {error}"))),
    }
}
