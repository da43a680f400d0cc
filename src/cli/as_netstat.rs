//! `--format netstat` with the program's own options: the lines are those of `netstat`, what the options
//! mean is not.

use super::Terminal;
use crate::error::Error;
use crate::filter::{Expr, Test};
use crate::model::{Protocol, Source, State, StateSet};
use crate::query::{Input, Query, Tables};
use crate::render::{NetstatLayout, Section};

/// The protocols whose sockets `netstat` does not list.
const UNLISTED: [(Protocol, &str); 4] = [
    (Protocol::Packet, "packet"),
    (Protocol::Netlink, "netlink"),
    (Protocol::Mptcp, "MPTCP"),
    (Protocol::Icmp, "ping"),
];

/// Refuses protocols that were named by themselves and have no lines.
pub(super) fn check_listed(tables: &Tables) -> Result<(), Error> {
    let mut unlisted = UNLISTED.iter();
    match unlisted.find(|(protocol, _)| tables.alone.contains(protocol)) {
        Some((_, name)) => Err(Error::Usage(format!(
            "netstat lists no {name} sockets, and --format netstat has no line for them"
        ))),
        None => Ok(()),
    }
}

pub(super) fn as_netstat(mut query: Query, terminal: Terminal) -> Query {
    query
        .tables
        .retain(|table| UNLISTED.iter().all(|(other, _)| *other != table.protocol));
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
