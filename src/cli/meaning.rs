//! What the words of the command line mean.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

use clap::ValueEnum;

use super::fields::{FieldNeeds, columns, sort_keys};
use super::{
    ColorWord, FamilyWord, FormatWord, OwnersWord, SeverityWord, SourceWord, Terminal, Typed,
};
use crate::enrich::{Interfaces, Lookups, Meanings, Ports, Way};
use crate::error::Error;
use crate::filter::{self, Expr};
use crate::model::{Family, Protocol, Severity};
use crate::query::{Hidden, Input, PROC, Query, Report, Selection, Tables};
use crate::render::{
    Color, Column, Extra, Extras, Format, Header, Layout, Place, Signs, default_columns,
};
use crate::source::Extensions;
use crate::text::escape;

impl Typed {
    pub(super) fn query(self, terminal: Terminal) -> Result<Query, Error> {
        if self.summary {
            self.check_summary()?;
        }
        let netstat = self.as_netstat(terminal)?;
        let format = self.output_format(terminal);
        let chosen = self.columns.as_deref().map(columns).transpose()?;
        let sort = self
            .sort
            .as_deref()
            .map(sort_keys)
            .transpose()?
            .unwrap_or_default();
        let input = self.input()?;
        let filter = self.filter(&input)?;
        let tables = self.tables(&filter);
        let extras = self.extras(&tables);
        let columns = match chosen.clone() {
            Some(columns) => columns,
            // What `any` searches, whatever the format of the numbers.
            None if self.summary => default_columns(Format::Plain, extras),
            None => default_columns(format, extras),
        };
        let shows = !(self.summary || self.quiet) || filter.needs().shown;
        let listed = if shows { &*columns } else { &[] };
        let needs = FieldNeeds::new(listed, chosen.is_some(), &sort, filter.needs());
        let owners = shows && self.processes || needs.named.owners;
        if owners || needs.filter.owners {
            Self::check_owners(&input)?;
        }
        let query = Query {
            extensions: self.extensions(&needs, shows),
            lookups: Lookups {
                only: filter.pids(),
                way: self.way()?,
                ..self.lookups(&needs, format, (&input, owners))
            },
            layout: self.layout(columns.clone(), extras, terminal),
            named: tables.are_named(),
            tables: tables.list(&input, &self.named_alone(&tables)),
            selection: self.selection(&filter),
            filter,
            hosts: self.resolve && format.is_text(),
            hidden: Hidden {
                owners: !owners,
                users: self.numeric,
            },
            report: self.report(&input)?,
            format,
            sort,
            limit: self.limit,
            input,
            check: self.check()?,
            record: self.record,
        };
        Ok(match netstat {
            Some(netstat) => netstat.of(query),
            None => query,
        })
    }

    /// The words of the filter, joined by blanks, as one expression.
    fn filter(&self, input: &Input) -> Result<Expr, Error> {
        let words: Vec<&str> = self
            .filter
            .iter()
            .map(|word| word.to_str().ok_or_else(|| not_text(word)))
            .collect::<Result<_, _>>()?;
        let meanings = Meanings {
            live: self.is_live(input),
            hosts: self.resolve,
        };
        filter::parse(&words.join(" "), &meanings)
            .map_err(|error| Error::Usage(format!("filter: {error}")))
    }

    fn tables(&self, filter: &Expr) -> Tables {
        let mut tables = Tables {
            filtered: filter.protocols(),
            ..Tables::default()
        };
        let flags = [
            (self.tcp, &[Protocol::Tcp][..]),
            (self.udp, &[Protocol::Udp, Protocol::UdpLite]),
            (self.raw, &[Protocol::Raw, Protocol::Icmp]),
            (self.unix, &[Protocol::Unix]),
            (self.packet, &[Protocol::Packet]),
            (self.netlink, &[Protocol::Netlink]),
            (self.mptcp, &[Protocol::Mptcp]),
        ];
        for (_, protocols) in flags.into_iter().filter(|(given, _)| *given) {
            tables.protocols.extend(protocols);
        }
        let versions = [(self.ipv4, Family::Inet), (self.ipv6, Family::Inet6)];
        let versions = versions.into_iter().filter(|(given, _)| *given);
        tables.families.extend(versions.map(|(_, family)| family));
        for word in &self.family {
            match *word {
                FamilyWord::All => tables.protocols.extend(Protocol::ALL),
                FamilyWord::Version(family) => _ = tables.families.insert(family),
                FamilyWord::Protocol(protocol) => _ = tables.protocols.insert(protocol),
            }
        }
        if self.events && tables.protocols.is_empty() && tables.filtered.is_empty() {
            tables.protocols.insert(Protocol::Tcp);
        }
        tables
    }

    /// The protocols with a source of their own only, if they were named by themselves.
    fn named_alone(&self, tables: &Tables) -> Vec<Protocol> {
        let has_one_source =
            |protocol: &Protocol| protocol.sock_diag().is_none() || protocol.proc_net().is_none();
        let is_named = |protocol: &Protocol| {
            let flagged = self.mptcp && *protocol == Protocol::Mptcp;
            let filtered = tables.protocols.is_empty() && tables.names(*protocol);
            flagged || filtered || self.family.contains(&FamilyWord::Protocol(*protocol))
        };
        let protocols = Protocol::ALL.into_iter();
        protocols
            .filter(|protocol| has_one_source(protocol) && is_named(protocol))
            .collect()
    }

    /// A summary counts, and tells nothing of a single socket.
    fn check_summary(&self) -> Result<(), Error> {
        let of_rows = [
            (self.resolve, "-r"),
            (self.processes, "-p"),
            (self.extended, "-e"),
            (self.timers, "-o"),
            (self.info, "-i"),
            (self.memory, "-m"),
            (self.oneline, "-O"),
            (self.columns.is_some(), "--columns"),
            (self.sort.is_some(), "--sort"),
        ];
        match of_rows.into_iter().find(|(given, _)| *given) {
            Some((_, option)) => Err(Error::Usage(format!(
                "-s counts sockets and {option} is about each of them: they do not go together"
            ))),
            None => Ok(()),
        }
    }

    fn report(&self, input: &Input) -> Result<Report, Error> {
        if !self.summary {
            return Ok(Report::Rows);
        }
        let fail_on = self.fail_on.map(severity);
        if fail_on.is_some() && !input.is_live() {
            let what = match input {
                Input::Replay(_) => "a recording",
                _ => "another /proc",
            };
            return Err(Error::Usage(format!(
                "{what} is not looked through for what is wrong: no --fail-on"
            )));
        }
        Ok(Report::Summary { fail_on })
    }

    /// A filter that speaks of states has the last word about them. A summary counts every
    /// state, and events are of all.
    fn selection(&self, filter: &Expr) -> Selection {
        let every_state = (self.summary || self.events) && !self.listening;
        let all = self.all || every_state || filter.names_state();
        match (all, self.listening) {
            (true, _) => Selection::All,
            (false, true) => Selection::Listening,
            (false, false) => Selection::Connected,
        }
    }

    fn output_format(&self, terminal: Terminal) -> Format {
        if self.json {
            return Format::Json;
        }
        let usual = if terminal.is_terminal {
            FormatWord::Table
        } else {
            FormatWord::Plain
        };
        match self.format.unwrap_or(usual) {
            FormatWord::Json => Format::Json,
            FormatWord::Table => Format::Table,
            // Its rows have the names that those of `plain` have.
            FormatWord::Plain | FormatWord::Netstat => Format::Plain,
            FormatWord::Ndjson => Format::Ndjson,
            FormatWord::Csv => Format::Csv,
        }
    }

    fn input(&self) -> Result<Input, Error> {
        let clash = |option: &str| {
            Error::Usage(format!(
                "--source {} and {option} do not go together",
                word(&self.source)
            ))
        };
        match (self.source, &self.proc_root, &self.replay) {
            (SourceWord::Netlink, Some(_), _) => Err(clash("--proc-root")),
            (SourceWord::Netlink | SourceWord::Procfs, _, Some(_)) => Err(clash("--replay")),
            (_, Some(root), _) => Ok(Input::Procfs(root.clone())),
            (SourceWord::Procfs, None, None) => Ok(Input::Procfs(PathBuf::from(PROC))),
            (_, _, Some(path)) => Ok(Input::Replay(path.clone())),
            (SourceWord::Netlink, None, None) => Ok(Input::Netlink),
            (SourceWord::Auto, None, None) => Ok(Input::Auto),
        }
    }

    /// The kernel's iterator knows the processes of this machine, and is no file.
    fn way(&self) -> Result<Way, Error> {
        let elsewhere = match (&self.proc_root, &self.replay) {
            (Some(_), _) => Some("--proc-root"),
            (None, Some(_)) => Some("--replay"),
            (None, None) => None,
        };
        match (self.owners, elsewhere) {
            (OwnersWord::Bpf, Some(option)) => Err(Error::Usage(format!(
                "--owners bpf and {option} do not go together"
            ))),
            (OwnersWord::Proc, _) | (OwnersWord::Auto, Some(_)) => Ok(Way::Proc),
            (OwnersWord::Auto, None) => Ok(Way::Auto),
            (OwnersWord::Bpf, None) => Ok(Way::Bpf),
        }
    }

    /// Processes can be told of this machine, and of another `/proc`; not of a recording.
    fn check_owners(input: &Input) -> Result<(), Error> {
        if matches!(input, Input::Replay(_)) {
            let text = "a recording does not hold the processes of its sockets: \
                no -p with --replay, and no pid or process in a filter";
            return Err(Error::Usage(text.to_owned()));
        }
        Ok(())
    }

    fn extras(&self, tables: &Tables) -> Extras {
        let listed = |protocol| tables.names(protocol);
        let extras = [
            (listed(Protocol::Unix), Extra::Unix),
            (listed(Protocol::Packet), Extra::Packet),
            (self.extended, Extra::Extended),
            (self.timers, Extra::Timers),
            (self.info, Extra::Info),
            (self.memory, Extra::Memory),
            (self.processes, Extra::Processes),
        ];
        extras
            .into_iter()
            .filter(|(given, _)| *given)
            .map(|(_, extra)| extra)
            .collect()
    }

    fn extensions(&self, needs: &FieldNeeds, shows: bool) -> Extensions {
        let (named, filter) = (needs.named, needs.filter);
        Extensions {
            info: shows && self.info || named.info || filter.info,
            memory: shows && self.memory || named.memory || filter.memory,
            unix_peers: needs.shown.unix_peers || filter.unix_peers,
            proc_net: false,
        }
    }

    /// `owners` = processes are shown.
    fn lookups(
        &self,
        needs: &FieldNeeds,
        format: Format,
        (input, owners): (&Input, bool),
    ) -> Lookups {
        let here = self.is_live(input);
        let owners = owners || needs.filter.owners;
        let replayed = matches!(input, Input::Replay(_));
        let users = !self.numeric && (owners || needs.shown.users);
        Lookups {
            owners: owners.then(|| input.processes()),
            only: None,
            first_threads: false,
            way: Way::default(),
            nobody: None,
            users: !replayed && (users || needs.filter.users),
            services: if !self.numeric && format.is_text() && needs.has_ports {
                Ports::Named
            } else {
                Ports::Numbers
            },
            interfaces: if here {
                Interfaces::Live
            } else {
                Interfaces::NumbersOnly
            },
            cgroups: here && (needs.shown.cgroups || needs.filter.cgroups),
        }
    }

    /// Are these the sockets of this machine?
    fn is_live(&self, input: &Input) -> bool {
        match input {
            Input::Auto | Input::Files | Input::Netlink => true,
            Input::Procfs(_) => self.proc_root.is_none(),
            Input::Replay(_) => false,
        }
    }

    fn layout(&self, columns: Vec<Column>, extras: Extras, terminal: Terminal) -> Layout {
        let colored = match self.color {
            ColorWord::Auto => terminal.is_terminal && !terminal.no_color,
            ColorWord::Always => true,
            ColorWord::Never => false,
        };
        Layout {
            columns,
            header: if self.no_header {
                Header::Hidden
            } else {
                Header::Shown
            },
            extras,
            place: if self.oneline {
                Place::SameLine
            } else {
                Place::Below
            },
            color: if colored { Color::Always } else { Color::Never },
            width: terminal.width,
            signs: if terminal.utf8 {
                Signs::Unicode
            } else {
                Signs::Ascii
            },
        }
    }
}

fn not_text(word: &OsStr) -> Error {
    let clean = escape(word.as_bytes());
    Error::Usage(format!(
        "filter: \"{clean}\" is not UTF-8; write such bytes as \\xHH within a quoted name"
    ))
}

/// A word of the command line as it is typed.
fn word(value: &impl ValueEnum) -> String {
    value
        .to_possible_value()
        .map(|word| word.get_name().to_owned())
        .unwrap_or_default()
}

const fn severity(word: SeverityWord) -> Severity {
    match word {
        SeverityWord::Info => Severity::Info,
        SeverityWord::Warning => Severity::Warning,
        SeverityWord::Critical => Severity::Critical,
    }
}
