//! The command line of the `netstat` drop-in: its options, combined as in the original.

mod plan;

use std::collections::BTreeSet;
use std::ffi::OsString;

use self::plan::{family, parts};
use super::getopt::{Given, Options};
use super::{Command, Terminal, given};
use crate::enrich::{Interfaces, Lookups, Machine, Mapped, Ports, SystemNames};
use crate::error::Error;
use crate::exit::Verdict;
use crate::filter::{self, Expr};
use crate::model::Selection;
use crate::query::netstat::{Netstat, Part};
use crate::query::{Input, PROC, Query};
use crate::render::{Extras, Format, HeaderLine, Layout, NetstatLayout, Section};
use crate::text::escape;

pub(super) const NAME: &str = "netstat";

const HELP: &str = include_str!("netstat/help.txt");

const OPTIONS: Options = Options {
    letters: b"ACFMacdeghilnNoprsStuUvVWw2fx64?Z",
    with_argument: b"A",
    long: "ax25 = x25 = ip = ipx = appletalk = netrom = inet = inet6 = ddp = rose = unix = bluetooth = \
        tcpip = version V interfaces i help h route r masquerade M protocol A tcp t sctp S udp u udplite U \
        raw w unix x l2cap 2 rfcomm f listening l all a timers o continuous c extend e programs p verbose v \
        statistics s wide W numeric n numeric-hosts ! numeric-ports @ numeric-users # symbolic N cache C \
        fib F groups g context Z",
};

const NUMERIC_HOSTS: u8 = b'!';
const NUMERIC_PORTS: u8 = b'@';
const NUMERIC_USERS: u8 = b'#';

/// Options of `netstat` that do not list sockets, with today's tool for each.
const ELSEWHERE: [(u8, &str); 6] = [
    (b'r', "the routing table is shown by: ip route"),
    (b'i', "interfaces are shown by: ip -s link"),
    (b'g', "multicast groups are shown by: ip maddr"),
    (b's', "statistics are shown by: nstat"),
    (b'M', "masqueraded connections are shown by: conntrack -L"),
    (b'Z', "security contexts are shown by: lsock -Z"),
];

/// Parses the command line without the program's name.
pub(super) fn parse(
    words: impl IntoIterator<Item = OsString>,
    terminal: Terminal,
) -> Result<Command, Error> {
    let mut typed = Typed::default();
    if let Err(end) = OPTIONS.read(words, |given| typed.take(given)) {
        return Ok(end);
    }
    Ok(match typed.elsewhere {
        Some((letter, tool)) => Command::Refuse(
            format!("{NAME}: -{} is not for sockets; {tool}", char::from(letter)),
            Verdict::Trouble,
        ),
        None => Command::Netstat(Box::new(typed.netstat(terminal)?)),
    })
}

fn misused(mistake: &str) -> Command {
    let text = format!("{NAME}: {mistake}\n{NAME}: see {NAME} --help");
    Command::Refuse(text, Verdict::Misused)
}

fn version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("lsock {version}, drop-in replacement for netstat (net-tools 2.10)\n")
}

#[derive(Debug, Default)]
struct Typed {
    letters: BTreeSet<u8>,
    /// The first option that another tool implements.
    elsewhere: Option<(u8, &'static str)>,
}

impl Typed {
    /// Handles an option; the error is what to do instead of listing.
    fn take(&mut self, given: Result<Given, String>) -> Result<(), Command> {
        match given.map_err(|mistake| misused(&mistake))? {
            Given::Letter(b'h') => return Err(Command::Print(HELP.to_owned())),
            Given::Letter(b'V') => return Err(Command::Print(version())),
            Given::Letter(b'?') => return Err(misused("no option is called '?'")),
            Given::Letter(b'n') => {
                let numeric = [NUMERIC_HOSTS, NUMERIC_PORTS, NUMERIC_USERS];
                self.letters.extend(numeric);
            }
            Given::Letter(letter) => {
                self.letters.insert(letter);
                let found = ELSEWHERE.into_iter().find(|(other, _)| *other == letter);
                self.elsewhere = self.elsewhere.or(found);
            }
            Given::Word(_) => {}
            Given::Argument(_, names) => {
                for name in names.split(|byte| *byte == b',') {
                    let Some(letter) = family(name) else {
                        let text = format!("Unknown address family `{}'.", escape(name));
                        return Err(Command::Refuse(text, Verdict::Failed));
                    };
                    self.letters.insert(letter);
                }
            }
        }
        Ok(())
    }

    fn has(&self, letter: u8) -> bool {
        self.letters.contains(&letter)
    }

    fn netstat(&self, terminal: Terminal) -> Result<Netstat, Error> {
        let layout = self.layout(terminal);
        let query = self.query(layout)?;
        let parts = parts(&self.letters).into_iter();
        let parts = parts.map(|(sections, steps)| Part {
            query: Query {
                hosts: query.hosts.filter(|_| sections == [Section::Internet]),
                format: Format::Netstat(NetstatLayout { sections, ..layout }),
                ..query.clone()
            },
            steps,
        });
        Ok(Netstat {
            parts: parts.collect(),
            query,
            is_continuous: self.has(b'c'),
        })
    }

    /// The part of the query that all tables share.
    fn query(&self, layout: NetstatLayout) -> Result<Query, Error> {
        let query = Query {
            named: true,
            selection: Selection::All,
            filter: listed(layout.selection)?,
            lookups: Lookups {
                owners: self.has(b'p').then(|| PROC.into()),
                users: self.has(b'e') && !self.has(NUMERIC_USERS),
                services: if self.has(NUMERIC_PORTS) {
                    Ports::Numbers
                } else {
                    Ports::Named
                },
                interfaces: Interfaces::NumbersOnly,
                ..Lookups::default()
            },
            hosts: (!self.has(NUMERIC_HOSTS)).then_some(Mapped::AsIpv6),
            layout: Layout {
                extras: layout.extras,
                ..Layout::default()
            },
            input: Input::Files,
            ..Query::default()
        };
        Ok(query.as_netstat(layout))
    }

    fn layout(&self, terminal: Terminal) -> NetstatLayout {
        let extras = [
            (self.has(b'e'), Extras::EXTENDED),
            (self.has(b'p'), Extras::PROCESSES),
            (self.has(b'o'), Extras::TIMERS),
        ];
        NetstatLayout {
            selection: match (self.has(b'a'), self.has(b'l')) {
                (true, _) => Selection::All,
                (false, true) => Selection::Listening,
                (false, false) => Selection::Connected,
            },
            header: HeaderLine::Shown,
            sections: &[],
            extras: given(extras).collect::<Extras>(),
            names_hosts: !self.has(NUMERIC_HOSTS),
            cuts_addresses: !self.has(b'W'),
            escapes_names: terminal.is_terminal,
        }
    }
}

/// Servers according to `netstat`: TCP sockets whose peer has no port, UDP and raw sockets whose peer has no
/// address.
const SERVERS: &str = "protocol = tcp and not dport >= 1 \
    or protocol = udp,udplite,raw and (dst ::/128 or family = inet and dst 0.0.0.0/32) \
    or protocol = unix and state listen or protocol = sctp and type = endpoint";
/// SCTP sockets that do not listen have no line; their associations have.
const LINES: &str = "not (protocol = sctp and type = endpoint and not state listen)";

fn listed(selection: Selection) -> Result<Expr, Error> {
    let chosen = match selection {
        Selection::All => Expr::ALWAYS,
        Selection::Connected => parsed(SERVERS)?.negated(),
        Selection::Listening => parsed(SERVERS)?,
    };
    Ok(Expr::all([chosen, lines()?]))
}

/// The sockets that `netstat` has a line for.
pub(super) fn lines() -> Result<Expr, Error> {
    parsed(LINES)
}

fn parsed(filter: &str) -> Result<Expr, Error> {
    let names = SystemNames {
        machine: Machine::Elsewhere,
        ..SystemNames::default()
    };
    filter::parse(filter, &names).map_err(|error| Error::Usage(format!("filter: {error}")))
}

#[cfg(test)]
mod tests;
