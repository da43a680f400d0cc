//! Compiles the part of an expression that the kernel can test into a program for `inet_diag_bc_run`
//! (`net/ipv4/inet_diag.c`).
//!
//! The program accepts every socket for which the expression holds, and maybe more. Tests that the kernel
//! cannot do are assumed to hold, and so are those for which it sees other values: absent values are 0 there,
//! it knows a mark that it does not report, and a socket without a peer may have that of an earlier
//! connection.

mod code;

use std::net::Ipv6Addr;

pub use self::code::{Check, Operation};

pub(super) use self::code::encoded;

use self::code::Node;
use super::expr::ANY_IPV4;
use super::ports::PortSet;
use super::{Expr, Field, Op, Operand, PortItem, Prefix, Side, Test};

/// The heaviest program worth running, in steps of about 5 ns per socket.
///
/// The kernel runs it under a lock. If it excludes all of 19,000 connections, their dump takes 16 ms with 64
/// port ranges, 44 ms with 64 addresses, 1.2 s with 3,000, and 30 ms without a program (Linux 6.18). This
/// limit is far below the 64 KiB of an attribute.
const MAX_STEPS: usize = 400;

/// Stands for a missing port: unequal to every port, and not ordered.
const NO_PORT: (u16, u16) = (0, 0);

/// The most ranges tested for one set of ports; two such sets are within `MAX_STEPS`.
const MAX_RANGES: usize = 64;

/// Compiles an expression reduced for one table of an IP protocol; empty = there is nothing to exclude. A
/// socket that `may_be_bound` has no peer, but the kernel tests that of an earlier connection.
pub(super) fn compile(expr: &Expr, may_be_bound: bool) -> Vec<Operation> {
    let of_test = |test: &Test, holds| match test {
        Test::Field(Field::PeerPort | Field::PeerAddress, op, _)
            if may_be_bound && (*op == Op::Unequal) == holds =>
        {
            Node::ALWAYS
        }
        _ => of_test(test, holds),
    };
    let node = expr.fold(true, &of_test, &Node::list);
    node.within(MAX_STEPS).program()
}

/// What the kernel tests so that a test holds, or fails.
fn of_test(test: &Test, holds: bool) -> Node {
    let Test::Field(field, op, operand) = test else {
        return Node::ALWAYS;
    };
    let (side, equal) = (field.side(), (*op == Op::Equal) == holds);
    match operand {
        Operand::Ports(items) => any_of(side, &ports(*op, items, holds)),
        Operand::Hosts(prefixes) => {
            let hosts_of = |prefixes: &[Prefix]| hosts(side, prefixes, equal);
            let is_any = side == Side::Local && prefixes.iter().any(|own| own.contains(ANY_IPV4));
            if equal && is_any {
                // `::` also includes every IPv4 address, unless it is IPv6-only.
                let any = Prefix::new(Ipv6Addr::UNSPECIFIED.into(), 128);
                Node::any([hosts_of(prefixes), hosts_of(&[any])])
            } else if !equal && side == Side::Peer {
                let no_peer = Node::Test(Check::PortAtMost(Side::Peer, 0));
                Node::any([hosts_of(prefixes), no_peer])
            } else {
                hosts_of(prefixes)
            }
        }
        // Here 0 means absent.
        Operand::Named { number: 0, .. } => Node::ALWAYS,
        Operand::Named { number, .. } if *field == Field::Cgroup => {
            same(Check::Cgroup(*number), equal)
        }
        Operand::Named { number, .. } => {
            let index = u32::try_from(*number).ok();
            index.map_or(Node::ALWAYS, |index| same(Check::Interface(index), equal))
        }
        // If the mark is not reported, `not` of any test of it holds.
        Operand::Masked { value, mask } if holds => {
            let (value, mask) = (*value, *mask);
            same(Check::Mark { value, mask }, equal)
        }
        _ => Node::ALWAYS,
    }
}

/// The ports for which a test holds, or fails.
fn ports(op: Op, items: &[PortItem], holds: bool) -> PortSet {
    let named = PortSet::of(items.iter().map(PortItem::range));
    let first = items.first().map_or(0, |item| item.range().0);
    let matching = match op {
        Op::Equal => named,
        Op::Unequal => named.complement().and(NO_PORT),
        Op::AtLeast => PortSet::of([(first, u16::MAX)]),
        Op::AtMost => PortSet::of([(0, first)]),
        Op::Less => PortSet::of([(first, u16::MAX)]).complement(),
        Op::Greater => PortSet::of([(0, first)]).complement(),
    };
    let wanted = match (holds, op) {
        (true, _) => matching,
        (false, Op::Unequal) => matching.complement(),
        (false, _) => matching.complement().and(NO_PORT),
    };
    wanted.widened(MAX_RANGES)
}

fn any_of(side: Side, ports: &PortSet) -> Node {
    Node::any(ports.ranges().iter().map(|(first, last)| {
        let from = (*first > 0).then_some(Node::Test(Check::PortAtLeast(side, *first)));
        let to = (*last < u16::MAX).then_some(Node::Test(Check::PortAtMost(side, *last)));
        Node::all(from.into_iter().chain(to))
    }))
}

fn hosts(side: Side, prefixes: &[Prefix], equal: bool) -> Node {
    if !prefixes.iter().all(Prefix::is_possible) {
        return Node::ALWAYS;
    }
    let nodes = prefixes
        .iter()
        .map(|prefix| same(Check::Host(side, *prefix), equal));
    Node::list(nodes, !equal)
}

fn same(check: Check, equal: bool) -> Node {
    let same = Node::Test(check);
    if equal { same } else { same.negated() }
}

#[cfg(test)]
mod tests;
