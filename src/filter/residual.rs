//! What is left of an expression when the table is known.

use super::port_set::PortSet;
use super::{Expr, Field, Op, PortItem, Prefix, Side, Test};
use crate::model::{Family, Protocol, Stage, StateSet, Table};

/// An expression for the sockets of one table.
///
/// The ports and prefixes of a test are ascending and disjoint, and no services. What is cheap to
/// answer comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    table: Table,
    expr: Expr,
}

impl Rule {
    /// The table.
    pub const fn table(&self) -> Table {
        self.table
    }

    /// What has to hold.
    pub const fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Does no socket of the table match?
    pub fn is_never(&self) -> bool {
        self.expr == Expr::NEVER
    }

    /// Does every socket of the table match?
    pub fn is_always(&self) -> bool {
        matches!(&self.expr, Expr::All(members) if members.is_empty())
    }

    /// The expression as it is, but for lists, of which every member becomes a test.
    #[cfg(test)]
    pub(super) fn spelled_out(expr: &Expr, table: Table) -> Self {
        let expr = super::samples::spelled_out(expr, table);
        Self { table, expr }
    }
}

impl Expr {
    /// What is left of it for the sockets of one table.
    pub fn for_table(&self, table: Table) -> Rule {
        let expr = fold(self, table);
        Rule { table, expr }
    }
}

fn fold(expr: &Expr, table: Table) -> Expr {
    match expr {
        Expr::All(members) => match Expr::all(members.iter().map(|member| fold(member, table))) {
            Expr::All(members) => Expr::all(tidy(members, false)),
            other => other,
        },
        Expr::Any(members) => match Expr::any(members.iter().map(|member| fold(member, table))) {
            Expr::Any(members) => Expr::any(tidy(members, true)),
            other => other,
        },
        Expr::Not(inner) => match fold(inner, table) {
            Expr::Not(twice) => *twice,
            other => other.negated(),
        },
        Expr::Test(test) => fold_test(test, table),
    }
}

fn constant(holds: bool) -> Expr {
    if holds { Expr::ALWAYS } else { Expr::NEVER }
}

fn fold_test(test: &Test, table: Table) -> Expr {
    match test {
        Test::Word {
            field: Field::Protocol,
            equal,
            words,
        } => constant(words.contains(&table.protocol.name()) == *equal),
        Test::Word {
            field: Field::Family,
            equal,
            words,
        } => constant(words.contains(&table.family.name()) == *equal),
        Test::Missing {
            field: Field::Protocol | Field::Family,
            equal,
            ..
        } => constant(!equal),
        Test::Missing { field, equal, .. } if !field.applies_to(table) => constant(*equal),
        other if other.field().is_some_and(|field| !field.applies_to(table)) => {
            constant(other.is_unequal())
        }
        Test::State(StateSet::EMPTY) => Expr::NEVER,
        Test::State(StateSet::ALL) => Expr::ALWAYS,
        Test::Host {
            side,
            equal,
            prefixes,
        } => fold_host(*side, *equal, prefixes, table),
        Test::Name { equal, .. } if table.protocol != Protocol::Unix => constant(!equal),
        Test::Port { side, op, items } => fold_port(*side, *op, items, table),
        Test::Autobound { ports } => fold_autobound(*ports, table),
        Test::HalfClosed if !Field::Shutdown.applies_to(table) => Expr::NEVER,
        Test::Orphan if !table.protocol.is_tcp_like() => Expr::NEVER,
        other => Expr::Test(other.clone()),
    }
}

fn fold_host(side: Side, equal: bool, prefixes: &[Prefix], table: Table) -> Expr {
    if !matches!(table.family, Family::Inet | Family::Inet6) {
        return constant(!equal);
    }
    let possible = |prefix: &&Prefix| table.family == Family::Inet6 || prefix.address.is_ipv4();
    let prefixes: Vec<Prefix> = prefixes.iter().filter(possible).copied().collect();
    if prefixes.is_empty() {
        // Every socket of such a table has addresses.
        return constant(!equal);
    }
    Expr::Test(Test::Host {
        side,
        equal,
        prefixes: disjoint_prefixes(prefixes),
    })
}

fn fold_port(side: Side, op: Op, items: &[PortItem], table: Table) -> Expr {
    let ranges = items
        .iter()
        .filter_map(|item| number_of(item, table.protocol));
    let items = disjoint_ranges(ranges);
    if !items.is_empty() {
        return Expr::Test(Test::Port { side, op, items });
    }
    // No port has a number that is none.
    constant(op == Op::Unequal)
}

/// The range an item stands for; `None` = it has no number in this protocol.
fn number_of(item: &PortItem, protocol: Protocol) -> Option<(u16, u16)> {
    let PortItem::Service { numbers, .. } = item else {
        return Some(item.range());
    };
    let (_, number) = numbers.iter().find(|(of, _)| *of == protocol)?;
    let number = u16::try_from(*number).ok()?;
    Some((number, number))
}

fn fold_autobound(ports: Option<(u16, u16)>, table: Table) -> Expr {
    let has_ports = table.protocol.has_service_ports();
    match ports {
        Some((first, last)) if has_ports => {
            let items = [PortItem::Range(first, last)];
            fold_port(Side::Local, Op::Equal, &items, table)
        }
        _ if has_ports || table.protocol == Protocol::Unix => Expr::Test(Test::Autobound { ports }),
        _ => Expr::NEVER,
    }
}

/// Ascending and disjoint ranges of the same ports.
fn disjoint_ranges(ranges: impl IntoIterator<Item = (u16, u16)>) -> Vec<PortItem> {
    let ports = PortSet::of(ranges);
    let ranges = ports.ranges().iter();
    ranges
        .map(|(first, last)| PortItem::Range(*first, *last))
        .collect()
}

/// Ascending and disjoint prefixes of the same addresses.
fn disjoint_prefixes(mut prefixes: Vec<Prefix>) -> Vec<Prefix> {
    prefixes.sort_unstable_by_key(|prefix| (prefix.address, prefix.length));
    // Prefixes do not overlap but one holds the other, and the shorter one came first.
    prefixes.dedup_by(|prefix, kept| kept.contains(prefix.address));
    prefixes
}

/// Makes one test of those that name one of many ports or addresses, and puts what is cheap to answer
/// first. Of the members one has to hold where it `is_any`, else all.
fn tidy(members: Vec<Expr>, is_any: bool) -> Vec<Expr> {
    let mut kept: Vec<Expr> = Vec::with_capacity(members.len());
    // Where the first test of each list that can be joined stands.
    let mut places = [const { None }; 4];
    for mut member in members {
        if let Expr::Test(test) = &mut member
            && let Some(place) = joined_as(test, is_any).and_then(|list| places.get_mut(list))
        {
            let first = place.and_then(|place: usize| kept.get_mut(place));
            if let Some(Expr::Test(first)) = first {
                join(first, test);
                continue;
            }
            *place = Some(kept.len());
        }
        kept.push(member);
    }
    for place in places.into_iter().flatten() {
        if let Some(Expr::Test(test)) = kept.get_mut(place) {
            make_disjoint(test);
        }
    }
    kept.sort_by_cached_key(stage);
    kept
}

/// Which of four lists a test adds to: ports or prefixes of one end, wanted by any list, unwanted by
/// all.
fn joined_as(test: &Test, is_any: bool) -> Option<usize> {
    let (side, equal, offset) = match test {
        Test::Port {
            side,
            op: op @ (Op::Equal | Op::Unequal),
            ..
        } => (side, *op == Op::Equal, 0),
        Test::Host { side, equal, .. } => (side, *equal, 2),
        _ => return None,
    };
    let end = usize::from(*side == Side::Peer);
    (equal == is_any).then_some(offset + end)
}

fn join(first: &mut Test, other: &mut Test) {
    match (first, other) {
        (Test::Port { items, .. }, Test::Port { items: more, .. }) => items.append(more),
        (Test::Host { prefixes, .. }, Test::Host { prefixes: more, .. }) => prefixes.append(more),
        _ => {}
    }
}

fn make_disjoint(test: &mut Test) {
    match test {
        Test::Port { items, .. } => *items = disjoint_ranges(items.iter().map(PortItem::range)),
        Test::Host { prefixes, .. } => *prefixes = disjoint_prefixes(std::mem::take(prefixes)),
        _ => {}
    }
}

/// When the last of its tests can be answered.
fn stage(expr: &Expr) -> Stage {
    let stages = expr.tests().into_iter().map(Test::stage);
    stages.max().unwrap_or(Stage::Socket)
}

#[cfg(test)]
mod tests;
