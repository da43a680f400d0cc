//! Reduces an expression for one table.

use super::ports::PortSet;
use super::{Expr, Field, Op, Operand, PortItem, Prefix, Test};
use crate::model::{Family, Protocol, Stage, StateSet, Table};

/// An expression reduced for the sockets of one table.
///
/// Ports and prefixes are ascending and disjoint, and services are resolved. Cheap tests come first.
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

    /// The expression.
    pub const fn expr(&self) -> &Expr {
        &self.expr
    }

    /// True if no socket of the table matches.
    pub fn is_never(&self) -> bool {
        self.expr == Expr::NEVER
    }

    /// True if every socket of the table matches.
    pub fn is_always(&self) -> bool {
        matches!(&self.expr, Expr::All(members) if members.is_empty())
    }

    /// The expression with each list split into separate tests.
    #[cfg(test)]
    pub(super) fn spelled_out(expr: &Expr, table: Table) -> Self {
        let expr = super::expr_samples::spelled_out(expr, table);
        Self { table, expr }
    }
}

impl Expr {
    /// Reduces it for the sockets of one table.
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
        Test::State(StateSet::EMPTY) => Expr::NEVER,
        Test::State(StateSet::ALL) => Expr::ALWAYS,
        Test::Field(field, op, operand) => fold_field(*field, *op, operand, table),
        Test::Autobound { ports } => fold_autobound(*ports, table),
        Test::HalfClosed if !Field::Shutdown.applies_to(table) => Expr::NEVER,
        Test::Orphan if !table.protocol.is_tcp_like() => Expr::NEVER,
        other => Expr::Test(other.clone()),
    }
}

fn fold_field(field: Field, op: Op, operand: &Operand, table: Table) -> Expr {
    let is_told = |is_so: bool| constant(is_so != (op == Op::Unequal));
    let mut operand = match (field, operand) {
        (Field::Protocol, Operand::Words(words)) => {
            return is_told(words.contains(&table.protocol.name()));
        }
        (Field::Family, Operand::Words(words)) => {
            return is_told(words.contains(&table.family.name()));
        }
        (Field::Protocol | Field::Family, Operand::Missing { .. }) => return is_told(false),
        (_, operand) if !field.applies_to(table) => {
            return is_told(matches!(operand, Operand::Missing { .. }));
        }
        (_, Operand::Hosts(prefixes)) => {
            let possible = |prefix: &&Prefix| {
                let is_both = table.family != Family::Inet;
                table.family.has_ip() && (is_both || prefix.address.is_ipv4())
            };
            Operand::Hosts(prefixes.iter().filter(possible).copied().collect())
        }
        (_, Operand::Name(_)) if table.protocol != Protocol::Unix => return is_told(false),
        (_, Operand::Ports(items)) => {
            let ranges = items
                .iter()
                .filter_map(|item| range_of(item, table.protocol));
            Operand::Ports(
                ranges
                    .map(|(first, last)| PortItem::Range(first, last))
                    .collect(),
            )
        }
        (_, other) => other.clone(),
    };
    make_disjoint(&mut operand);
    // Sockets of such a table have no IP addresses, and an unknown service has no port.
    let is_empty = match &operand {
        Operand::Hosts(prefixes) => prefixes.is_empty(),
        Operand::Ports(items) => items.is_empty(),
        _ => false,
    };
    if is_empty {
        return is_told(false);
    }
    Expr::field(field, op, operand)
}

/// The range of an item; `None` = no number in this protocol.
fn range_of(item: &PortItem, protocol: Protocol) -> Option<(u16, u16)> {
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
            let ports = Operand::Ports(vec![PortItem::Range(first, last)]);
            fold_field(Field::LocalPort, Op::Equal, &ports, table)
        }
        _ if has_ports || table.protocol == Protocol::Unix => Expr::Test(Test::Autobound { ports }),
        _ => Expr::NEVER,
    }
}

/// Joins tests of ports and of addresses, and moves cheap tests to the front. Members are alternatives if
/// `is_any`, else all must hold.
fn tidy(members: Vec<Expr>, is_any: bool) -> Vec<Expr> {
    let wanted = Op::equal(is_any);
    let mut kept: Vec<Expr> = Vec::with_capacity(members.len());
    // Index of the first test of each joinable kind: ports and addresses.
    let mut places: Vec<usize> = Vec::new();
    for mut member in members {
        if let Expr::Test(Test::Field(field, op, more)) = &mut member
            && *op == wanted
            && matches!(more, Operand::Ports(_) | Operand::Hosts(_))
        {
            let is_joined = places.iter().any(|place| match kept.get_mut(*place) {
                Some(Expr::Test(Test::Field(known, _, first))) if known == field => {
                    join(first, more)
                }
                _ => false,
            });
            if is_joined {
                continue;
            }
            places.push(kept.len());
        }
        kept.push(member);
    }
    for place in places {
        if let Some(Expr::Test(Test::Field(_, _, operand))) = kept.get_mut(place) {
            make_disjoint(operand);
        }
    }
    kept.sort_by_cached_key(stage);
    kept
}

/// Appends the ports or prefixes of another list; false = other kind.
fn join(first: &mut Operand, other: &mut Operand) -> bool {
    match (first, other) {
        (Operand::Ports(items), Operand::Ports(more)) => items.append(more),
        (Operand::Hosts(prefixes), Operand::Hosts(more)) => prefixes.append(more),
        _ => return false,
    }
    true
}

/// Sorts ports and prefixes, and removes overlaps.
fn make_disjoint(operand: &mut Operand) {
    match operand {
        Operand::Ports(items) => {
            let ports = PortSet::of(items.iter().map(PortItem::range));
            let ranges = ports.ranges().iter();
            *items = ranges
                .map(|(first, last)| PortItem::Range(*first, *last))
                .collect();
        }
        Operand::Hosts(prefixes) => {
            prefixes.sort_unstable_by_key(|prefix| (prefix.address, prefix.length));
            // Prefixes overlap only if one contains the other; the shorter one is first.
            prefixes.dedup_by(|prefix, kept| kept.contains(prefix.address));
        }
        _ => {}
    }
}

/// The stage at which its last test can be answered.
fn stage(expr: &Expr) -> Stage {
    let stages = expr.tests().into_iter().map(Test::stage);
    stages.max().unwrap_or(Stage::Socket)
}

#[cfg(test)]
mod tests;
