//! `--format netstat`: the lines of `netstat` with the options of `lsock`.

use super::Terminal;
use super::netstat::lines;
use crate::error::Error;
use crate::filter::{Expr, Test};
use crate::model::{Protocol, Source, State, StateSet};
use crate::query::{Input, Query, Tables};
use crate::render::{NetstatLayout, Section};

/// True if `netstat` lists sockets of this protocol.
const fn is_listed(protocol: Protocol) -> bool {
    matches!(
        protocol,
        Protocol::Tcp
            | Protocol::Sctp
            | Protocol::Udp
            | Protocol::UdpLite
            | Protocol::Raw
            | Protocol::Unix
    )
}

/// Refuses protocols named alone that `netstat` has no lines for.
pub(super) fn check_listed(tables: &Tables) -> Result<(), Error> {
    let mut named = tables.alone.iter();
    match named.find(|protocol| !is_listed(**protocol)) {
        Some(protocol) => Err(Error::Usage(format!(
            "netstat lists no {} sockets, and --format netstat has no line for them",
            protocol.title()
        ))),
        None => Ok(()),
    }
}

pub(super) fn as_netstat(mut query: Query, terminal: Terminal) -> Result<Query, Error> {
    query.tables.retain(|table| is_listed(table.protocol));
    let listed = Test::State(StateSet::ALL.without(State::Bound));
    query.filter = Expr::all([Expr::Test(listed), lines()?, query.filter]);
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
    Ok(query)
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

/// True if `/proc/net` has everything the filter needs.
fn is_in_files(query: &Query) -> bool {
    let mut rules = query.tables.iter().map(|table| query.rule(*table));
    rules.all(|rule| rule.unknowable(Source::Procfs).is_empty())
}
