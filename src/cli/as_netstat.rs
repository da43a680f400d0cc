//! `--format netstat` with the program's own options: the lines are those of `netstat`, what the options
//! mean is not.

use super::netstat::bytes_for;
use super::{FormatWord, Named, Terminal, Typed, given, refuse};
use crate::enrich::{OwnerSource, Ports, ScanScope};
use crate::error::Error;
use crate::filter::{Expr, Test};
use crate::model::{Protocol, Source, State, StateSet};
use crate::query::{Input, Query, Selection};
use crate::render::{
    Addresses, Banner, Extra, Extras, Format, HeaderLine, Hosts, NetstatLayout, Section,
};

/// What the format needs of a query.
pub(super) struct AsNetstat {
    layout: NetstatLayout,
    /// Columns of which netlink does not tell all are shown.
    listed: bool,
}

/// The protocols whose sockets `netstat` lists.
const LISTED: [Protocol; 5] = [
    Protocol::Tcp,
    Protocol::Udp,
    Protocol::UdpLite,
    Protocol::Raw,
    Protocol::Unix,
];

impl Typed {
    /// `None` for another format.
    pub(super) fn as_netstat(&self, terminal: Terminal) -> Result<Option<AsNetstat>, Error> {
        if self.format != Some(FormatWord::Netstat) {
            return Ok(None);
        }
        self.check_netstat()?;
        let extras = [
            (self.extended, Extra::Extended),
            (self.processes, Extra::Processes),
            (self.timers, Extra::Timers),
        ];
        Ok(Some(AsNetstat {
            layout: NetstatLayout {
                banner: Banner::Connected,
                header: if self.no_header {
                    HeaderLine::Hidden
                } else {
                    HeaderLine::Shown
                },
                sections: &[],
                extras: given(extras).collect::<Extras>(),
                hosts: if self.resolve {
                    Hosts::Named
                } else {
                    Hosts::Numeric
                },
                addresses: Addresses::Cut,
                bytes: bytes_for(terminal),
            },
            listed: self.extended || self.timers,
        }))
    }

    fn check_netstat(&self) -> Result<(), Error> {
        let others = [
            (self.summary, "-s"),
            (self.events, "-E"),
            (self.info, "-i"),
            (self.memory, "-m"),
            (self.oneline, "-O"),
            (self.columns.is_some(), "--columns"),
            // It cannot tell what first threads show.
            (self.owners == OwnerSource::Bpf, "--owners bpf"),
        ];
        refuse(others, |option| {
            format!(
                "the lines of --format netstat are those of netstat: {option} does not go with it"
            )
        })?;
        let named = |protocol| self.family.contains(&Named::Protocol(protocol));
        let families = [
            (self.packet || named(Protocol::Packet), "packet"),
            (self.netlink || named(Protocol::Netlink), "netlink"),
            (self.mptcp || named(Protocol::Mptcp), "MPTCP"),
            (named(Protocol::Icmp), "ping"),
        ];
        refuse(families, |name| {
            format!("netstat lists no {name} sockets, and --format netstat has no line for them")
        })
    }
}

impl AsNetstat {
    /// Makes it the query whose rows have such lines.
    pub(super) fn of(self, mut query: Query) -> Query {
        query
            .tables
            .retain(|table| LISTED.contains(&table.protocol));
        let listed = Test::State(StateSet::ALL.without(State::Bound));
        query.filter = Expr::all([Expr::Test(listed), query.filter]);
        query.extensions.proc_net = self.listed;
        if query.lookups.scope == ScanScope::All {
            query.lookups.scope = ScanScope::FirstThreads;
        }
        query.lookups.nobody = Some(0);
        if query.lookups.services == Ports::Named {
            query.lookups.services = Ports::NamedLast;
        }
        let banner = match query.selection {
            Selection::Connected => Banner::Connected,
            Selection::Listening => Banner::Listening,
            Selection::All => Banner::All,
        };
        query.format = Format::Netstat(NetstatLayout {
            banner,
            sections: sections(&query),
            ..self.layout
        });
        if query.input == Input::Auto && query.record.is_none() && is_in_files(&query) {
            query.input = Input::Files;
        }
        query
    }
}

/// Those that have a table.
fn sections(query: &Query) -> &'static [Section] {
    let is_unix = |unix: bool| {
        let mut tables = query.tables.iter();
        tables.any(|table| (table.protocol == Protocol::Unix) == unix)
    };
    match (is_unix(false), is_unix(true)) {
        (true, true) => &[Section::Internet, Section::Unix],
        (true, false) => &[Section::Internet],
        (false, true) => &[Section::Unix],
        (false, false) => &[],
    }
}

/// Does `/proc/net` tell all that the filter asks for?
fn is_in_files(query: &Query) -> bool {
    let mut rules = query.tables.iter().map(|table| query.rule(*table));
    rules.all(|rule| rule.unknowable(Source::Procfs).is_empty())
}
