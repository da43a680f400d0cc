//! Tests of what the request to the kernel contains.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;

use super::{Exact, Narrow};
use crate::filter::{Expr, Field, Op, Operand, PortItem, Prefix, Side};
use crate::model::{Family, Protocol, Table};

const fn table(protocol: Protocol, family: Family) -> Table {
    Table { protocol, family }
}

const TCP: Table = table(Protocol::Tcp, Family::Inet);
const TCP6: Table = table(Protocol::Tcp, Family::Inet6);

fn port(side: Side, first: u16, last: u16) -> Expr {
    Expr::field(
        side.port(),
        Op::Equal,
        Operand::Ports(vec![PortItem::Range(first, last)]),
    )
}

fn host(side: Side, address: &str, length: u8) -> Expr {
    let address = address.parse().unwrap();
    Expr::field(
        side.address(),
        Op::Equal,
        Operand::Hosts(vec![Prefix { address, length }]),
    )
}

fn on(index: Option<u32>) -> Expr {
    Expr::field(
        Field::Interface,
        Op::Equal,
        Operand::named("eth0".into(), index.map(u64::from)),
    )
}

/// A connection of `local`:5000 to `peer`:80.
fn connection(local: &str, peer: &str, length: u8) -> Vec<Expr> {
    vec![
        host(Side::Local, local, length),
        port(Side::Local, 5_000, 5_000),
        port(Side::Peer, 80, 80),
        host(Side::Peer, peer, length),
    ]
}

fn narrowed(expr: &Expr, table: Table) -> Narrow {
    Narrow::of(&expr.for_table(table))
}

fn exact(members: Vec<Expr>, table: Table) -> Option<Exact> {
    narrowed(&Expr::all(members), table).exact
}

fn ends(local: &str, peer: &str, interface: Option<u32>) -> Exact {
    let end = |text: &str| text.parse::<SocketAddr>().unwrap();
    Exact {
        local: end(local),
        peer: end(peer),
        interface,
    }
}

#[test]
fn lone_port_goes_into_the_request_and_leaves_no_program() {
    let narrow = narrowed(&port(Side::Local, 443, 443), TCP);
    assert_eq!((narrow.local_port, narrow.peer_port), (Some(443), None));
    assert!(narrow.program.is_empty());
    let narrow = narrowed(&port(Side::Peer, 443, 443), TCP);
    assert_eq!((narrow.local_port, narrow.peer_port), (None, Some(443)));
}

#[test]
fn service_goes_into_the_request_with_its_number() {
    let expr = Expr::field(
        Field::PeerPort,
        Op::Equal,
        Operand::Ports(vec![PortItem::Service {
            name: "domain".to_owned(),
            numbers: vec![(Protocol::Tcp, 5_353), (Protocol::Udp, 53)],
        }]),
    );
    let udp = narrowed(&expr, table(Protocol::Udp, Family::Inet));
    assert_eq!(udp.peer_port, Some(53));
    // There is no UDP-Lite service with that name, so nothing matches.
    let lite = narrowed(&expr, table(Protocol::UdpLite, Family::Inet));
    assert_eq!((lite.peer_port, lite.bytecode().len()), (None, 4));
}

#[test]
fn second_port_of_an_end_stays_in_the_program() {
    let both = Expr::all([port(Side::Local, 1, 1), port(Side::Local, 2, 2)]);
    let narrow = narrowed(&both, TCP);
    assert_eq!(narrow.local_port, Some(1));
    assert_eq!(narrow.bytecode().len(), 16);
}

#[test]
fn what_is_not_one_port_goes_into_the_program() {
    let below_or = Expr::any([port(Side::Local, 1, 1), port(Side::Peer, 1, 1)]);
    let many = Expr::field(
        Field::LocalPort,
        Op::Equal,
        Operand::Ports(vec![PortItem::Range(1, 1), PortItem::Range(9, 9)]),
    );
    for expr in [
        below_or,
        many,
        port(Side::Local, 1, 2),
        port(Side::Local, 0, 0),
        port(Side::Local, 7, 7).negated(),
    ] {
        let narrow = narrowed(&expr, TCP);
        assert_eq!((narrow.local_port, narrow.peer_port), (None, None));
        assert!(!narrow.program.is_empty(), "{expr:?}");
    }
}

#[test]
fn tables_without_ports_of_16_bits_are_read_whole() {
    for protocol in [
        Protocol::Raw,
        Protocol::Icmp,
        Protocol::Unix,
        Protocol::Packet,
        Protocol::Netlink,
    ] {
        for family in protocol.families() {
            let narrow = narrowed(&port(Side::Local, 6, 6), table(protocol, *family));
            assert_eq!(narrow, Narrow::default());
        }
    }
}

/// A test for no interface.
fn on_none() -> Expr {
    Expr::field(
        Field::Interface,
        Op::Equal,
        Operand::Missing { told: false },
    )
}

/// Two ends without an interface.
fn unbound(local: &str, peer: &str, length: u8) -> Vec<Expr> {
    let mut members = connection(local, peer, length);
    members.push(on_none());
    members
}

#[test]
fn complete_connection_can_be_looked_up() {
    let four = unbound("10.0.0.1", "10.0.0.2", 32);
    let expected = ends("10.0.0.1:5000", "10.0.0.2:80", None);
    assert_eq!(exact(four, TCP), Some(expected));
    let six = unbound("fe80::1", "fe80::2", 128);
    assert_eq!(
        exact(six, TCP6),
        Some(ends("[fe80::1]:5000", "[fe80::2]:80", None))
    );
}

#[test]
fn connections_that_an_interface_may_tell_apart_are_not_looked_up() {
    assert_eq!(exact(connection("10.0.0.1", "10.0.0.2", 32), TCP), None);
    for unknown in [None, Some(0)] {
        let mut members = connection("10.0.0.1", "10.0.0.2", 32);
        members.push(on(unknown));
        assert_eq!(exact(members, TCP), None);
    }
}

#[test]
fn ipv4_connection_is_a_mapped_one_among_ipv6() {
    let four = unbound("10.0.0.1", "10.0.0.2", 32);
    assert_eq!(
        exact(four, TCP6),
        Some(ends("[::ffff:10.0.0.1]:5000", "[::ffff:10.0.0.2]:80", None))
    );
    let six = unbound("::ffff:10.0.0.1", "::ffff:10.0.0.2", 128);
    assert_eq!(exact(six, TCP), None);
}

#[test]
fn interface_is_part_of_the_look_up() {
    let mut members = connection("10.0.0.1", "10.0.0.2", 32);
    members.push(on(Some(3)));
    assert_eq!(
        exact(members, TCP),
        Some(ends("10.0.0.1:5000", "10.0.0.2:80", Some(3)))
    );
}

#[test]
fn incomplete_connection_is_not_looked_up() {
    for left_out in 0..5 {
        let mut members = unbound("10.0.0.1", "10.0.0.2", 32);
        members.remove(left_out);
        assert_eq!(exact(members, TCP), None, "{left_out}");
    }
    assert_eq!(exact(unbound("10.0.0.0", "10.0.0.2", 31), TCP), None);
    let both = unbound("10.0.0.1", "10.0.0.2", 32);
    let udp = table(Protocol::Udp, Family::Inet);
    let mptcp = table(Protocol::Mptcp, Family::Inet);
    assert_eq!(exact(both.clone(), udp), None);
    assert_eq!(exact(both.clone(), mptcp), None);
    assert_eq!(exact(vec![Expr::any(both)], TCP), None);
}

#[test]
fn rest_of_the_conjunction_is_the_program_beside_the_ids() {
    let members = connection("10.0.0.1", "10.0.0.2", 32);
    let narrow = narrowed(&Expr::all(members), TCP);
    assert_eq!(narrow.local_port.zip(narrow.peer_port), Some((5_000, 80)));
    // Two host conditions.
    assert_eq!(narrow.bytecode().len(), 2 * (4 + 8 + 4));
}

#[test]
fn a_whole_life_is_narrowed_by_its_ends_and_not_by_mark_or_cgroup() {
    let number = |test| Expr::all(vec![port(Side::Peer, 80, 80), test]);
    let mark = number(Expr::field(
        Field::Mark,
        Op::Equal,
        Operand::Masked {
            value: 7,
            mask: u32::MAX,
        },
    ));
    let cgroup = number(Expr::field(
        Field::Cgroup,
        Op::Equal,
        Operand::named(b"/a".to_vec(), Some(9)),
    ));
    for passing in [mark, cgroup] {
        let narrow = narrowed(&passing, TCP);
        assert!(!narrow.program.is_empty());
        let life = narrow.for_life();
        assert_eq!((life.peer_port, life.program), (Some(80), Vec::new()));
    }
    let lasting = [
        host(Side::Peer, "10.0.0.0", 8),
        port(Side::Local, 1, 1_023),
        on(Some(3)),
    ];
    let narrow = narrowed(&Expr::any(lasting.to_vec()), TCP);
    assert!(!narrow.program.is_empty());
    assert_eq!(narrow.clone().for_life(), narrow);
}
