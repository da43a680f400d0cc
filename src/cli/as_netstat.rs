//! `--format netstat` with the program's own options: the lines are those of `netstat`, what the options
//! mean is not.

use super::{FormatWord, Named, Terminal, Typed, given};
use crate::error::Error;
use crate::filter::{Expr, Test};
use crate::model::{Protocol, Source, State, StateSet};
use crate::query::{Input, Query};
use crate::render::{NetstatLayout, Section};

/// The protocols whose sockets `netstat` lists.
const LISTED: [Protocol; 5] = [
    Protocol::Tcp,
    Protocol::Udp,
    Protocol::UdpLite,
    Protocol::Raw,
    Protocol::Unix,
];

impl Typed {
    /// True if this is the format, which has no lines for some protocols.
    pub(super) fn is_netstat(&self) -> Result<bool, Error> {
        if self.format != Some(FormatWord::Netstat) {
            return Ok(false);
        }
        let named = |protocol| self.family.contains(&Named::Protocol(protocol));
        let families = [
            (self.packet || named(Protocol::Packet), "packet"),
            (self.netlink || named(Protocol::Netlink), "netlink"),
            (self.mptcp || named(Protocol::Mptcp), "MPTCP"),
            (named(Protocol::Icmp), "ping"),
        ];
        match given(families).next() {
            Some(name) => Err(Error::Usage(format!(
                "netstat lists no {name} sockets, and --format netstat has no line for them"
            ))),
            None => Ok(true),
        }
    }
}

/// Makes a query one whose rows have such lines.
pub(super) fn as_netstat(mut query: Query, terminal: Terminal) -> Query {
    query
        .tables
        .retain(|table| LISTED.contains(&table.protocol));
    let listed = Test::State(StateSet::ALL.without(State::Bound));
    query.filter = Expr::all([Expr::Test(listed), query.filter]);
    let layout = NetstatLayout {
        selection: query.selection,
        header: query.layout.header,
        sections: sections(&query),
        extras: query.layout.extras,
        names_hosts: query.hosts.is_some(),
        cuts_addresses: true,
        escapes_names: terminal.is_terminal,
    };
    let mut query = query.as_netstat(layout);
    if query.input == Input::Auto && query.record.is_none() && is_in_files(&query) {
        query.input = Input::Files;
    }
    query
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
