//! What came closest to what was waited for in vain, in words.

use std::ops::ControlFlow;

use super::nearest::nearest;
use super::sightings::{Group, Sightings};
use crate::filter::{Expr, Op, PortItem, Rule, Side, Test};
use crate::mode::judge::Judge;
use crate::mode::seen::Seen;
use crate::model::{Family, Protocol, Socket, Table};
use crate::query::Query;
use crate::source::Source;

/// Looks once more: at what there is too much of; or at the port that the filter names, whatever else
/// it asks for; or at what it leaves out for a single reason. `None` = there is nothing to tell.
pub(super) fn closest(query: &Query, source: &mut dyn Source, is_exceeded: bool) -> Option<String> {
    let rules: Vec<Rule> = query
        .tables
        .iter()
        .map(|table| query.rule(*table))
        .collect();
    let with_port = rules.iter().filter(|rule| has_ports(rule.table().protocol));
    let port = with_port.clone().find_map(|rule| port(rule.expr()));
    match port {
        _ if is_exceeded => taken(port, &sightings(query, source, &rules)?),
        Some(port) => {
            let tables = with_port.map(|rule| rule.table().protocol);
            let rules: Vec<Rule> = of_both_versions(tables)
                .map(|table| at_port(port).for_table(table))
                .collect();
            Some(seen_at(port, &sightings(query, source, &rules)?, query))
        }
        None => nearest(query, source, &rules),
    }
}

/// What the sockets are that these rules want; `None` = there may be others.
fn sightings(query: &Query, source: &mut dyn Source, rules: &[Rule]) -> Option<Sightings> {
    let mut judge = Judge::telling_owners(query).ok()?;
    let mut sightings = Sightings::default();
    for rule in rules {
        let is_whole = visit(query, source, rule, &mut |socket, seen| {
            if judge.ask(socket, rule, seen).held {
                sightings.add(&judge.row(socket));
            }
        });
        if !is_whole {
            return None;
        }
    }
    Some(sightings)
}

/// Lends what the kernel sends for a rule; `true` = that is everything.
pub(super) fn visit(
    query: &Query,
    source: &mut dyn Source,
    rule: &Rule,
    take: &mut dyn FnMut(&Socket, &mut Seen),
) -> bool {
    if rule.is_never() {
        return true;
    }
    let mut seen = Seen::new(rule, &query.input);
    let request = query.request(rule);
    let outcome = source.visit(rule.table(), &request, &mut |socket: &Socket| {
        take(socket, &mut seen);
        ControlFlow::Continue(())
    });
    outcome.is_ok_and(|outcome| outcome.gaps.is_empty())
}

/// The only local port that an expression allows, or the only one of either end.
fn port(expr: &Expr) -> Option<u16> {
    match expr {
        Expr::All(members) => members.iter().find_map(port),
        Expr::Any(ends) => {
            let mut ports = ends.iter().map(port_of);
            let first = ports.next()??;
            ports.all(|port| port == Some(first)).then_some(first)
        }
        test => port_of(test).filter(|_| is_local(test)),
    }
}

fn port_of(expr: &Expr) -> Option<u16> {
    let Expr::Test(Test::Port {
        op: Op::Equal,
        items,
        ..
    }) = expr
    else {
        return None;
    };
    match items.as_slice() {
        [PortItem::Range(first, last)] if first == last => Some(*first),
        _ => None,
    }
}

const fn is_local(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Test(Test::Port {
            side: Side::Local,
            ..
        })
    )
}

const fn has_ports(protocol: Protocol) -> bool {
    matches!(
        protocol,
        Protocol::Tcp | Protocol::Udp | Protocol::UdpLite | Protocol::Mptcp
    )
}

fn at_port(port: u16) -> Expr {
    Expr::Test(Test::Port {
        side: Side::Local,
        op: Op::Equal,
        items: vec![PortItem::Range(port, port)],
    })
}

/// The tables of these protocols, over both versions of IP, each once.
fn of_both_versions(protocols: impl Iterator<Item = Protocol>) -> impl Iterator<Item = Table> {
    let mut protocols: Vec<Protocol> = protocols.collect();
    protocols.dedup();
    let table = |protocol: Protocol| {
        let families = protocol.families().iter().copied();
        families.map(move |family| Table { protocol, family })
    };
    protocols.into_iter().flat_map(table)
}

/// Of what there is too much.
fn taken(port: Option<u16>, sightings: &Sightings) -> Option<String> {
    let holders = sightings.bound.holders.union(&sightings.connected.holders);
    let holders = super::sightings::listed(holders.cloned());
    let held = (!holders.is_empty()).then(|| format!("held by {holders}"));
    let parts: Vec<String> = held.into_iter().chain(time_wait(sightings)).collect();
    let what = parts.join(" and ");
    match port {
        _ if what.is_empty() => None,
        Some(port) => Some(format!("port {port} is {what}")),
        None => Some(what),
    }
}

/// What a port is to somebody else.
fn seen_at(port: u16, sightings: &Sightings, query: &Query) -> String {
    let bound = (sightings.bound.count > 0).then(|| bound(&sightings.bound, query));
    let connected = (sightings.connected.count > 0).then(|| connected(&sightings.connected));
    let parts: Vec<String> = [bound, connected, time_wait(sightings)]
        .into_iter()
        .flatten()
        .collect();
    match parts.join(" and ") {
        nothing if nothing.is_empty() => format!("nothing has port {port}"),
        what => format!("port {port} is {what}"),
    }
}

/// `bound by python3[123] on 127.0.0.1 only`
fn bound(group: &Group, query: &Query) -> String {
    let is_asked = |family: &Family| query.tables.iter().any(|table| table.family == *family);
    let only = match (group.families.iter().any(is_asked), group.places()) {
        (false, _) if group.families.contains(&Family::Inet6) => " over IPv6 only".to_owned(),
        (false, _) => " over IPv4 only".to_owned(),
        (true, Some(places)) => format!(" on {places} only"),
        (true, None) => String::new(),
    };
    let idle = if group.listens {
        ""
    } else {
        " and not listened at"
    };
    format!("bound by {}{only}{idle}", group.holders())
}

/// `used by 2 connections of curl[900]`
fn connected(group: &Group) -> String {
    let number = match group.count {
        1 => "a connection".to_owned(),
        count => format!("{count} connections"),
    };
    format!("used by {number} of {}", group.holders())
}

/// `in TIME_WAIT for another 41 s`
fn time_wait(sightings: &Sightings) -> Option<String> {
    let rest = sightings.rest_ms.map(|rest| rest.div_ceil(1_000));
    match (sightings.time_wait, rest) {
        (0, _) => None,
        (_, Some(seconds)) => Some(format!("in TIME_WAIT for another {seconds} s")),
        (_, None) => Some("in TIME_WAIT".to_owned()),
    }
}
