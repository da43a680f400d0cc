//! Reports the nearest match after a timeout of `--wait`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::ops::ControlFlow;
use std::slice;

use super::port_usage::{Group, PortUsage, end, holder, listed};
use crate::enrich::ScanScope;
use crate::filter::{Expr, Field, Op, Operand, PortItem, Rule, Side, Test};
use crate::mode::Messages;
use crate::mode::list::{Listing, Output};
use crate::mode::sources::telling_owners;
use crate::model::{Family, Origin, Protocol, Row, Selection, Socket, StateSet, Table};
use crate::query::Query;
use crate::source::Source;

/// Reads once more: the port that the filter names, without its other conditions, unless the last poll saw
/// it; or the sockets that fail a single condition. `None` = nothing to report. `is_none` = it is certain
/// that nothing matches.
pub(super) fn closest(query: &Query, source: &mut dyn Source, is_none: bool) -> Option<String> {
    let rules = rules(query);
    let Some(port) = port_of_rules(&rules) else {
        return nearest(query, source, &rules);
    };
    let mut protocols: Vec<Protocol> = with_ports(&rules)
        .map(|rule| rule.table().protocol)
        .collect();
    protocols.dedup();
    let asks_no_more = !matches!(query.filter, Expr::All(_)) && query.checked.is_none();
    let mut usage = PortUsage::default();
    let mut unseen = BTreeSet::new();
    for protocol in protocols {
        let tables: Vec<Table> = protocol.tables().collect();
        let are_seen = tables.iter().all(|table| query.tables.contains(table));
        let states = if is_none && asks_no_more && are_seen {
            query.selection.states(protocol).complement()
        } else {
            StateSet::ALL
        };
        let ports = Operand::Ports(vec![PortItem::Range(port, port)]);
        let at_port = Expr::field(Field::LocalPort, Op::Equal, ports);
        let whole = Query {
            tables,
            checked: None,
            selection: Selection::All,
            filter: Expr::all([Expr::Test(Test::State(states)), at_port]),
            ..query.clone()
        };
        unseen.extend(look(&whole, source, &mut usage)?);
    }
    let unseen: Vec<String> = unseen.into_iter().collect();
    Some(seen_at(port, &usage, query, &unseen))
}

/// Reads once more the sockets that are too many.
pub(super) fn taken(query: &Query, source: &mut dyn Source) -> Option<String> {
    let mut usage = PortUsage::default();
    look(query, source, &mut usage)?;
    let holders = usage.bound.holders.union(&usage.connected.holders);
    let holders = listed(holders.cloned());
    let held = (!holders.is_empty()).then(|| format!("held by {holders}"));
    let parts: Vec<String> = held.into_iter().chain(time_wait(&usage)).collect();
    let what = parts.join(" and ");
    match port_of_rules(&rules(query)) {
        _ if what.is_empty() => None,
        Some(port) => Some(format!("port {port} is {what}")),
        None => Some(what),
    }
}

fn rules(query: &Query) -> Vec<Rule> {
    let tables = query.tables.iter();
    tables.map(|table| query.rule(*table)).collect()
}

fn with_ports(rules: &[Rule]) -> impl Iterator<Item = &Rule> {
    let has_ports = |rule: &&Rule| rule.table().protocol.has_service_ports();
    rules.iter().filter(has_ports)
}

fn port_of_rules(rules: &[Rule]) -> Option<u16> {
    with_ports(rules).find_map(|rule| port(rule.expr()))
}

/// Reads all that a query selects. Returns what the source does not list; `None` = incomplete.
fn look(query: &Query, source: &mut dyn Source, usage: &mut PortUsage) -> Option<BTreeSet<String>> {
    let mut matcher = telling_owners(query, ScanScope::All, source).ok()?;
    let output = Output::to(Box::new(usage));
    let mut listing = Listing::new(query, &mut matcher, output);
    // Errors were already reported for the last poll.
    let mut untold = io::sink();
    let mut messages = Messages::new("", &mut untold);
    listing
        .read_all(&query.tables, source, &mut messages)
        .ok()?;
    let unlisted = listing.summary.sources.iter();
    let unlisted = unlisted.filter_map(Origin::unlisted_sockets);
    listing.is_complete().then(|| unlisted.collect())
}

/// The only local port that an expression allows, or the only one of either end.
fn port(expr: &Expr) -> Option<u16> {
    let ends = match expr {
        Expr::All(members) => return members.iter().find_map(port),
        Expr::Any(ends) => ends.as_slice(),
        test => slice::from_ref(test),
    };
    let of_end = |end: &Expr| match end {
        Expr::Test(Test::Field(field, Op::Equal, Operand::Ports(items))) => {
            match items.as_slice() {
                [PortItem::Range(first, last)] if first == last => Some((field.side(), *first)),
                _ => None,
            }
        }
        _ => None,
    };
    let ends: Vec<(Side, u16)> = ends.iter().map(of_end).collect::<Option<_>>()?;
    let &(_, port) = ends.first()?;
    let is_only = ends.iter().all(|end| end.1 == port);
    (is_only && ends.contains(&(Side::Local, port))).then_some(port)
}

/// The use of a port by others.
fn seen_at(port: u16, usage: &PortUsage, query: &Query, unseen: &[String]) -> String {
    let bound = (usage.bound.count > 0).then(|| bound(&usage.bound, query));
    let connected = (usage.connected.count > 0).then(|| connected(&usage.connected));
    let parts: Vec<String> = [bound, connected, time_wait(usage)]
        .into_iter()
        .flatten()
        .collect();
    let seen = match parts.join(" and ") {
        what if !what.is_empty() => format!("port {port} is {what}"),
        _ if unseen.is_empty() => format!("nothing uses port {port}"),
        _ => format!("no listed socket uses port {port}"),
    };
    match unseen {
        [] => seen,
        unseen => format!("{seen}; not checked: {}", unseen.join(", ")),
    }
}

/// `bound by python3[123] on 127.0.0.1 only`
fn bound(group: &Group, query: &Query) -> String {
    let is_asked = |version: &Family| {
        let mut families = query.tables.iter().map(|table| table.family);
        let is_other = query.checked.is_some_and(|checked| checked != *version);
        !is_other && families.any(|own| own == *version)
    };
    let only = match group.versions.iter().any(is_asked) {
        true => group.places(),
        false if !group.versions.contains(&Family::Inet6) => " over IPv4 only".to_owned(),
        false if group.may_speak_ipv4 => " over IPv6 and possibly IPv4".to_owned(),
        false => " over IPv6 only".to_owned(),
    };
    let idle = if group.listens {
        ""
    } else {
        " and has no listener"
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
fn time_wait(usage: &PortUsage) -> Option<String> {
    let rest = usage.rest_ms.map(|rest| rest.div_ceil(1_000));
    match (usage.time_wait, rest) {
        (0, _) => None,
        (_, Some(seconds)) => Some(format!("in TIME_WAIT for another {seconds} s")),
        (_, None) => Some("in TIME_WAIT".to_owned()),
    }
}

/// The sockets that fail only one condition.
struct NearMiss {
    what: String,
    count: u64,
    first: Socket,
}

/// One of the sockets that fail the rarest condition.
fn nearest(query: &Query, source: &mut dyn Source, rules: &[Rule]) -> Option<String> {
    let mut matcher = telling_owners(query, ScanScope::All, source).ok()?;
    let mut missed: Vec<NearMiss> = Vec::new();
    for rule in rules {
        let parts = parts(rule);
        if parts.len() < 2 {
            continue;
        }
        let all = Expr::ALWAYS.for_table(rule.table());
        // Sockets that cannot be read are not considered.
        let _ = source.visit(all.table(), &query.request(&all), &mut |socket: &Socket| {
            let only = matcher.only_failing(socket, &parts);
            let Some(what) = only.and_then(|only| lacking(&parts, only)) else {
                return ControlFlow::Continue(());
            };
            match missed.iter_mut().find(|missed| missed.what == what) {
                Some(missed) => missed.count += 1,
                None => missed.push(NearMiss {
                    what,
                    count: 1,
                    first: socket.clone(),
                }),
            }
            ControlFlow::Continue(())
        });
    }
    let nearest = missed.into_iter().min_by_key(|missed| missed.count)?;
    let first = words(&matcher.row_of(&nearest.first));
    let what = nearest.what;
    Some(format!("the nearest match is {first}, but not {what}"))
}

/// The conditions of a rule, separately.
fn parts(rule: &Rule) -> Vec<Rule> {
    match rule.expr() {
        Expr::All(members) => {
            let members = members.iter();
            members.map(|part| part.for_table(rule.table())).collect()
        }
        _ => Vec::new(),
    }
}

/// The failed condition, if the others test more than the state.
fn lacking(parts: &[Rule], only: usize) -> Option<String> {
    let is_state = |part: &Rule| matches!(part.expr(), Expr::Test(Test::State(_)));
    let mut rest = parts.iter().enumerate().filter(|(place, _)| *place != only);
    if rest.all(|(_, part)| is_state(part)) {
        return None;
    }
    let part = parts.get(only)?;
    Some(if is_state(part) {
        "in such a state".to_owned()
    } else {
        part.expr().to_string()
    })
}

/// `tcp LISTEN 127.0.0.1:8080 of python3[123]`
fn words(row: &Row<'_>) -> String {
    let socket = row.socket;
    let mut text = format!("{} {}", socket.protocol, socket.state);
    for (before, end) in [("", end(&socket.local)), ("to ", end(&socket.peer))] {
        if let Some(end) = end {
            // Writing to a String cannot fail.
            let _ = write!(text, " {before}{end}");
        }
    }
    let _ = write!(text, " of {}", holder(row));
    text
}
