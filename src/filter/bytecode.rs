//! The part of an expression that the kernel itself can test: a program for `inet_diag_bc_run`
//! (`net/ipv4/inet_diag.c`).
//!
//! The program accepts every socket for which the expression holds, and maybe more. What the kernel
//! cannot test is taken to hold, and so is what it sees otherwise than the expression does: a field
//! that is unknown here is 0 there, and a mark that is not told still is tested there.

mod code;
mod ports;

pub(super) use self::code::lasts;

use self::code::{Leaf, Node};
use self::ports::Ports;
use super::{Expr, Op, PortItem, Prefix, Side, Test};
use crate::model::{Protocol, Table};

/// The heaviest program that is worth it, in steps of some 5 ns for each socket.
///
/// The kernel runs it under a lock. Where it leaves out all of 19,000 connections, their dump takes
/// 16 ms with 64 ranges of ports, 44 ms with 64 addresses, 1.2 s with 3,000, and 30 ms without any
/// program (Linux 6.18). What is within this limit is far within the 64 KiB of an attribute.
const MAX_STEPS: usize = 400;

/// Ranges tested for one set of ports: two sets are within the limit.
const MAX_RANGES: usize = 64;

/// The program for one table of an IP protocol; empty = there is nothing to leave out.
pub(super) fn compile(expr: &Expr, table: Table) -> Vec<u8> {
    node(expr, table, Polarity::Holds)
        .within(MAX_STEPS)
        .program()
}

/// Is a test wanted to hold, or below an odd number of `not`, to fail?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Polarity {
    Holds,
    Fails,
}

impl Polarity {
    const fn turned(self) -> Self {
        match self {
            Self::Holds => Self::Fails,
            Self::Fails => Self::Holds,
        }
    }

    /// Does a test for `=` (or for `!=`) come down to equality?
    const fn asks_equal(self, equal: bool) -> bool {
        matches!(self, Self::Holds) == equal
    }
}

fn node(expr: &Expr, table: Table, polarity: Polarity) -> Node {
    match (expr, polarity) {
        (Expr::All(members), Polarity::Holds) | (Expr::Any(members), Polarity::Fails) => {
            Node::all(members.iter().map(|member| node(member, table, polarity)))
        }
        (Expr::Any(members), Polarity::Holds) | (Expr::All(members), Polarity::Fails) => {
            Node::any(members.iter().map(|member| node(member, table, polarity)))
        }
        (Expr::Not(inner), _) => node(inner, table, polarity.turned()),
        (Expr::Test(test), _) => leaf(test, table, polarity),
    }
}

fn leaf(test: &Test, table: Table, polarity: Polarity) -> Node {
    match test {
        Test::Port { side, op, items } => match ports(*op, items, table.protocol, polarity) {
            Some(ports) => any_of(*side, &ports.widened(MAX_RANGES)),
            None => Node::Accept,
        },
        Test::Host {
            side,
            equal,
            prefixes,
        } => hosts(*side, prefixes, polarity.asks_equal(*equal)),
        Test::Interface {
            equal,
            index: Some(index),
            ..
        } => number(*index, *equal, polarity, Leaf::interface),
        Test::Cgroup {
            equal,
            id: Some(id),
            ..
        } => number(*id, *equal, polarity, Leaf::cgroup),
        // Where the mark is not told, `not` of any test of it holds.
        Test::Mark { equal, value, mask } if polarity == Polarity::Holds => {
            Node::leaf(Leaf::mark(*value, *mask), *equal)
        }
        _ => Node::Accept,
    }
}

/// The ports wanted; `None` when that cannot be told.
fn ports(op: Op, items: &[PortItem], protocol: Protocol, polarity: Polarity) -> Option<Ports> {
    let ranges: Vec<_> = items
        .iter()
        .filter_map(|item| port_range(item, protocol))
        .collect();
    if polarity == Polarity::Fails && ranges.len() < items.len() {
        return None;
    }
    let matching = match op {
        Op::Equal => Ports::of(ranges),
        Op::Unequal => Ports::of(ranges).complement(),
        _ => compared(op, &ranges)?,
    };
    Some(match polarity {
        Polarity::Holds => matching,
        // No port is 0 there.
        Polarity::Fails => matching.complement().and((0, 0)),
    })
}

/// The ports that a word means, first and last; `None` when the protocol has none of that name.
pub(super) fn port_range(item: &PortItem, protocol: Protocol) -> Option<(u16, u16)> {
    match item {
        PortItem::Range(first, last) => Some((*first, *last)),
        PortItem::Service { numbers, .. } => {
            let named = numbers.iter().find(|(of, _)| *of == protocol);
            let port = u16::try_from(named?.1).ok()?;
            Some((port, port))
        }
    }
}

/// The ports that are less or greater than a single one.
fn compared(op: Op, ranges: &[(u16, u16)]) -> Option<Ports> {
    let port = match ranges {
        [] => return Some(Ports::of([])),
        [(port, last)] if port == last => *port,
        _ => return None,
    };
    let upper = Ports::of([(port, u16::MAX)]);
    let lower = Ports::of([(0, port)]);
    Some(match op {
        Op::AtLeast => upper,
        Op::AtMost => lower,
        Op::Less => upper.complement(),
        Op::Greater => lower.complement(),
        Op::Equal | Op::Unequal => return None,
    })
}

fn any_of(side: Side, ports: &Ports) -> Node {
    Node::any(ports.ranges().iter().map(|(first, last)| {
        let from = (*first > 0).then(|| Node::leaf(Leaf::port_at_least(side, *first), true));
        let to = (*last < u16::MAX).then(|| Node::leaf(Leaf::port_at_most(side, *last), true));
        Node::all(from.into_iter().chain(to))
    }))
}

/// An IP socket always has both addresses, so that `!=` is the opposite of `=`.
fn hosts(side: Side, prefixes: &[Prefix], equal: bool) -> Node {
    let conditions: Option<Vec<_>> = prefixes
        .iter()
        .map(|prefix| Some(Node::leaf(Leaf::host(side, *prefix)?, equal)))
        .collect();
    match conditions {
        Some(conditions) if equal => Node::any(conditions),
        Some(conditions) => Node::all(conditions),
        None => Node::Accept,
    }
}

/// A number of which 0 is unknown.
fn number<N: Copy + Default + PartialEq>(
    value: N,
    equal: bool,
    polarity: Polarity,
    condition: impl Fn(N) -> Leaf,
) -> Node {
    let unknown = N::default();
    if value == unknown {
        return Node::Accept;
    }
    match (polarity.asks_equal(equal), polarity) {
        (true, Polarity::Holds) => Node::leaf(condition(value), true),
        (true, Polarity::Fails) => {
            Node::any([value, unknown].map(|value| Node::leaf(condition(value), true)))
        }
        (false, _) => Node::leaf(condition(value), false),
    }
}

#[cfg(test)]
mod tests;
