//! The part of a filter that the kernel applies.

use std::net::{IpAddr, SocketAddr};

use super::bytecode::{Check, Operation, compile, encoded};
use super::{Expr, Field, Op, Operand, PortItem, Rule, Side, Test};
use crate::model::{Endpoint, Family, Protocol, Socket, State, Table};

/// The part of an expression that makes the kernel send less. It never excludes a socket that the expression
/// accepts; by default it excludes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrow {
    /// The only local port, for the id of the request.
    pub local_port: Option<u16>,
    /// The only peer port, for the id of the request.
    pub peer_port: Option<u16>,
    /// The only possible connection. Two may have the same ends if one is bound to an interface, so the
    /// expression must test the interface.
    pub exact: Option<Exact>,
    /// True if nothing else is wanted if that connection does not exist.
    pub is_only: bool,
    /// The rest, as a program; empty = none.
    pub program: Vec<Operation>,
}

/// Both ends of a connection, in the family of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    /// The local address.
    pub local: SocketAddr,
    /// The peer's address.
    pub peer: SocketAddr,
    /// The interface it is bound to; `None` = not bound to any.
    pub interface: Option<u32>,
}

impl Narrow {
    /// The part for one table; empty for a table without 16-bit ports. (The port of a raw socket is its IP
    /// protocol, and such sockets are few.)
    pub fn of(rule: &Rule) -> Self {
        let is_tcp = rule.table().protocol == Protocol::Tcp;
        Self::of_states(rule, is_tcp && rule.states().contains(State::Bound))
    }

    /// Likewise, if the source does not list BOUND.
    pub fn without_bound(rule: &Rule) -> Self {
        Self::of_states(rule, false)
    }

    fn of_states(rule: &Rule, may_be_bound: bool) -> Self {
        let protocol = rule.table().protocol;
        // `sctp_diag` runs no program.
        if !protocol.has_service_ports() || protocol == Protocol::Sctp {
            return Self::default();
        }
        let members = match rule.expr() {
            Expr::All(members) => members.as_slice(),
            other => std::slice::from_ref(other),
        };
        let mut narrow = Self::default();
        let rest = members.iter().filter(|member| !narrow.takes(member));
        let rest: Vec<Expr> = rest.cloned().collect();
        narrow.program = compile(&Expr::all(rest), may_be_bound);
        narrow.exact = Exact::of(members, &narrow, rule.table());
        narrow
    }

    /// Drops conditions that may change during the life of a socket: one that does not match now may match
    /// later.
    #[must_use]
    pub fn for_life(mut self) -> Self {
        if self.program.iter().any(|one| one.check.may_change()) {
            self.program.clear();
        }
        self
    }

    /// True if it has a single port, or is a single connection.
    pub const fn is_by_port(&self) -> bool {
        self.local_port.is_some() || self.peer_port.is_some() || self.exact.is_some()
    }

    /// Everything a socket must pass, the single ports last.
    pub fn operations(&self) -> Vec<Operation> {
        let ends = [(Side::Local, self.local_port), (Side::Peer, self.peer_port)];
        let ends = ends
            .into_iter()
            .filter_map(|(side, port)| Some((side, port?)));
        let ports = ends.flat_map(|(side, port)| {
            let checks = [
                Check::PortAtLeast(side, port),
                Check::PortAtMost(side, port),
            ];
            checks.map(|check| Operation {
                check,
                fail: usize::MAX,
            })
        });
        self.program.iter().copied().chain(ports).collect()
    }

    /// The program for `INET_DIAG_REQ_BYTECODE`; empty = nothing to exclude.
    pub fn bytecode(&self) -> Vec<u8> {
        encoded(&self.program).unwrap_or_default()
    }

    /// True if it excludes all that these ports and this program exclude.
    pub fn is_within(&self, ports: [Option<u16>; 2], program: &[u8]) -> bool {
        let [local, peer] = ports;
        (local.is_none() || local == self.local_port)
            && (peer.is_none() || peer == self.peer_port)
            && (program.is_empty() || program == self.bytecode())
    }

    /// Moves the first single port of each end to the id.
    fn takes(&mut self, member: &Expr) -> bool {
        let Expr::Test(Test::Field(field, Op::Equal, Operand::Ports(items))) = member else {
            return false;
        };
        let place = match field.side() {
            Side::Local => &mut self.local_port,
            Side::Peer => &mut self.peer_port,
        };
        match items.as_slice() {
            [PortItem::Range(first, last)] if first == last && *first != 0 && place.is_none() => {
                *place = Some(*first);
                true
            }
            _ => false,
        }
    }
}

impl Exact {
    /// The connection of a socket; `None` = it has no peer.
    pub fn of_socket(socket: &Socket) -> Option<Self> {
        let end = |end: &Endpoint| {
            let port = u16::try_from(end.port?).ok()?;
            Some(SocketAddr::new(end.ip?, port))
        };
        Some(Self {
            local: end(&socket.local)?,
            peer: end(&socket.peer)?,
            interface: socket.interface,
        })
    }

    /// True if it is the connection of this socket.
    pub fn is_of(self, socket: &Socket) -> bool {
        socket.local.is_at(self.local)
            && socket.peer.is_at(self.peer)
            && socket.interface == self.interface
    }

    fn of(members: &[Expr], narrow: &Narrow, table: Table) -> Option<Self> {
        if table.protocol != Protocol::Tcp {
            return None;
        }
        let end = |side, port| {
            let ip = members.iter().find_map(|member| address(member, side))?;
            Some(SocketAddr::new(in_family(ip, table.family)?, port))
        };
        Some(Self {
            local: end(Side::Local, narrow.local_port?)?,
            peer: end(Side::Peer, narrow.peer_port?)?,
            interface: members.iter().find_map(interface)?,
        })
    }
}

/// The only address that this end may have.
fn address(member: &Expr, wanted: Side) -> Option<IpAddr> {
    let Expr::Test(Test::Field(field, Op::Equal, Operand::Hosts(prefixes))) = member else {
        return None;
    };
    match prefixes.as_slice() {
        // No connection has the unspecified address.
        [prefix]
            if *field == wanted.address()
                && prefix.is_single()
                && !prefix.address.is_unspecified() =>
        {
            Some(prefix.address)
        }
        _ => None,
    }
}

/// An address in the form of a family: an IPv4 one may be mapped.
fn in_family(ip: IpAddr, family: Family) -> Option<IpAddr> {
    match (ip, family) {
        (IpAddr::V4(_), Family::Inet) | (IpAddr::V6(_), Family::Inet6) => Some(ip),
        (IpAddr::V4(ip), Family::Inet6) => Some(ip.to_ipv6_mapped().into()),
        _ => None,
    }
}

/// The only interface that the socket may be bound to; `Some(None)` = it must not be bound to any.
#[expect(clippy::option_option, reason = "whether it is said, and what is said")]
fn interface(member: &Expr) -> Option<Option<u32>> {
    let Expr::Test(Test::Field(Field::Interface, Op::Equal, operand)) = member else {
        return None;
    };
    match operand {
        Operand::Named { number, .. } => {
            let index = u32::try_from(*number).ok();
            index.filter(|index| *index != 0).map(Some)
        }
        Operand::Missing { .. } => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
