//! Selects protocols, IP versions and socket types from options and words of `-A`.

use std::collections::BTreeSet;

use super::ss::{kinds, of_kinds};
use super::words::Named;
use super::{Typed, given};
use crate::error::Error;
use crate::filter::Expr;
use crate::model::{Family, Protocol, SocketType, Table};
use crate::query::Tables;
use crate::render::Format;

impl Typed {
    pub(super) fn lists_only_unix(&self) -> bool {
        let named = self.tables(&Expr::ALWAYS);
        named.families.is_empty() && named.protocols.iter().eq([&Protocol::Unix])
    }

    pub(super) fn tables(&self, filter: &Expr) -> Tables {
        let mut tables = Tables {
            filtered: filter.protocols(),
            ..Tables::default()
        };
        for protocols in given(self.protocol_flags()) {
            tables.protocols.extend(protocols);
            if let [only] = protocols {
                tables.alone.insert(*only);
            }
        }
        let versions = given([(self.ipv4, Family::Inet), (self.ipv6, Family::Inet6)]);
        tables.families.extend(versions);
        for (is_added, named) in &self.family {
            if *is_added {
                add(&mut tables, *named);
            } else {
                remove(&mut tables, *named);
            }
        }
        if self.events && tables.protocols.is_empty() && tables.filtered.is_empty() {
            tables.protocols.insert(Protocol::Tcp);
        }
        tables
    }

    /// A filter for socket types, if not all of a protocol are listed.
    pub(super) fn types(&self, tables: &Tables) -> Result<Expr, Error> {
        if self.family.iter().any(|(is_added, _)| !is_added) && !tables.are_named() {
            let text = "-A excludes everything that it lists";
            return Err(Error::Usage(text.to_owned()));
        }
        let of_protocol = |protocol: &Protocol| {
            let left = |kind: &SocketType| !tables.omitted.contains(&(*protocol, *kind));
            let all: BTreeSet<SocketType> = types_of(*protocol).collect();
            if all.iter().all(left) {
                return Expr::ALWAYS;
            }
            of_kinds(protocol.name(), all.into_iter().filter(left))
        };
        Ok(Expr::all(tables.protocols.iter().map(of_protocol)))
    }

    const fn protocol_flags(&self) -> [(bool, &'static [Protocol]); 12] {
        [
            (self.tcp, &[Protocol::Tcp]),
            (self.udp, &[Protocol::Udp, Protocol::UdpLite]),
            (self.raw, &[Protocol::Raw, Protocol::Icmp]),
            (self.sctp, &[Protocol::Sctp]),
            (self.unix, &[Protocol::Unix]),
            (self.packet, &[Protocol::Packet]),
            (self.netlink, &[Protocol::Netlink]),
            (self.vsock, &[Protocol::Vsock]),
            (self.tipc, &[Protocol::Tipc]),
            (self.xdp, &[Protocol::Xdp]),
            (self.smc, &[Protocol::Smc]),
            (self.mptcp, &[Protocol::Mptcp]),
        ]
    }
}

/// The socket types of a protocol that have names.
fn types_of(protocol: Protocol) -> impl Iterator<Item = SocketType> {
    let all = kinds().filter(move |(_, _, of, _)| *of == protocol);
    all.map(|(.., kind)| kind)
}

fn add(tables: &mut Tables, named: Named) {
    match named {
        Named::All => {
            tables.protocols.extend(Protocol::ALL);
            tables.omitted.clear();
        }
        Named::Version(family) => _ = tables.families.insert(family),
        Named::Protocol(protocol, kind) => {
            tables.alone.insert(protocol);
            if tables.protocols.insert(protocol) {
                let all = types_of(protocol).map(|kind| (protocol, kind));
                tables.omitted.extend(all);
            }
            let is_it = |of: &(Protocol, SocketType)| kind.is_none_or(|kind| of.1 == kind);
            tables.omitted.retain(|of| of.0 != protocol || !is_it(of));
        }
    }
}

/// Removes from the selection, or from the default if nothing was added.
fn remove(tables: &mut Tables, named: Named) {
    match named {
        Named::All => tables.protocols.clear(),
        Named::Version(family) => {
            if tables.families.is_empty() {
                tables.families.extend([Family::Inet, Family::Inet6]);
            }
            tables.families.remove(&family);
        }
        Named::Protocol(protocol, kind) => {
            if tables.protocols.is_empty() {
                let all = Protocol::ALL.into_iter();
                tables
                    .protocols
                    .extend(all.filter(|known| known.is_default()));
            }
            let left_out =
                types_of(protocol).filter(|known| kind.is_none_or(|kind| *known == kind));
            let left_out = left_out.map(|kind| (protocol, kind));
            tables.omitted.extend(left_out);
            if types_of(protocol).all(|kind| tables.omitted.contains(&(protocol, kind))) {
                tables.protocols.remove(&protocol);
                tables.alone.remove(&protocol);
            }
        }
    }
}

/// Refuses a drawing without TCP: it shows no other protocol.
pub(super) fn check_drawn(format: Format, tables: &[Table]) -> Result<(), Error> {
    if format != Format::Svg || tables.iter().any(|table| table.protocol == Protocol::Tcp) {
        return Ok(());
    }
    let text = "--format svg draws the states of TCP: add -t";
    Err(Error::Usage(text.to_owned()))
}
