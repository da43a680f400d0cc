//! What the kernel leaves out when it is asked to: never a socket that was wanted.

mod exact;
#[path = "../src/filter/bytecode/tests/kernel.rs"]
mod kernel;
mod random;
mod refused;
mod twins;

use std::net::SocketAddr;
use std::ops::ControlFlow;

use lsock::filter::{Expr, Narrow, Op, Operand, PortItem, Prefix, Side};
use lsock::model::{Endpoint, Family, Protocol, Socket, State, StateSet, Table};
use lsock::source::{Extensions, NetlinkSource, Outcome, Recorder, Request, Source};

use crate::support::{skip, stage};

const TCP: Table = Table {
    protocol: Protocol::Tcp,
    family: Family::Inet,
};
const TCP6: Table = Table {
    family: Family::Inet6,
    ..TCP
};

/// The tables in which ports are ports.
fn tables() -> impl Iterator<Item = Table> {
    let protocols = [
        Protocol::Tcp,
        Protocol::Udp,
        Protocol::UdpLite,
        Protocol::Mptcp,
    ];
    protocols.into_iter().flat_map(|protocol| {
        let table = move |family| Table { protocol, family };
        [Family::Inet, Family::Inet6].map(table)
    })
}

/// Everything a source lends of a table so narrowed.
fn visit(source: &mut dyn Source, table: Table, narrow: Narrow) -> (Vec<Socket>, Outcome) {
    let request = Request {
        states: StateSet::ALL,
        extensions: Extensions::default(),
        narrow,
        netns: None,
    };
    let mut rows = Vec::new();
    let outcome = source
        .visit(table, &request, &mut |socket: &Socket| {
            rows.push(socket.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(outcome.warnings, []);
    (rows, outcome)
}

/// What the kernel lists of a table so narrowed.
fn listed(table: Table, narrow: Narrow) -> Vec<Socket> {
    let mut source = NetlinkSource::new(Recorder::default());
    let (rows, outcome) = visit(&mut source, table, narrow);
    assert!(!outcome.refused_program, "{table}");
    rows
}

/// A table as a whole; empty where this kernel does not have it.
fn whole(table: Table) -> Vec<Socket> {
    let request = Request {
        states: StateSet::ALL,
        extensions: Extensions::default(),
        narrow: Narrow::default(),
        netns: None,
    };
    let mut source = NetlinkSource::new(Recorder::default());
    let visited = source.visit(table, &request, &mut |_: &Socket| ControlFlow::Break(()));
    if let Err(error) = visited {
        skip(format_args!("{error:?}"));
        return Vec::new();
    }
    listed(table, Narrow::default())
}

/// What tells a socket from all others, and its state.
fn identity(socket: &Socket) -> (Option<u64>, &Endpoint, &Endpoint, State) {
    (socket.cookie, &socket.local, &socket.peer, socket.state)
}

fn contains(rows: &[Socket], wanted: &Socket) -> bool {
    rows.iter().any(|row| identity(row) == identity(wanted))
}

fn port(side: Side, number: u16) -> Expr {
    Expr::field(
        side.port(),
        Op::Equal,
        Operand::Ports(vec![PortItem::Range(number, number)]),
    )
}

fn host(side: Side, address: SocketAddr) -> Expr {
    let address = address.ip();
    let length = if address.is_ipv4() { 32 } else { 128 };
    Expr::field(
        side.address(),
        Op::Equal,
        Operand::Hosts(vec![Prefix { address, length }]),
    )
}

#[test]
fn port_in_the_request_keeps_every_socket_that_has_it() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let mut states = Vec::new();
    for table in tables() {
        let all = whole(table);
        for socket in &all {
            let ends = [(Side::Local, &socket.local), (Side::Peer, &socket.peer)];
            for (side, end) in ends {
                let Some(number) = end.port else { continue };
                let number = u16::try_from(number).unwrap();
                let narrow = Narrow::of(&port(side, number).for_table(table));
                assert!(narrow.program.is_empty());
                assert!(contains(&listed(table, narrow), socket), "{socket:?}");
                states.push(socket.state);
            }
        }
    }
    for state in [
        State::Listen,
        State::TimeWait,
        State::SynRcvd,
        State::SynSent,
        State::Bound,
        State::Established,
        State::Unconn,
    ] {
        assert!(states.contains(&state), "{state}");
    }
}

#[test]
fn port_in_the_request_leaves_other_sockets_out() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    let all = whole(TCP);
    let listens = |socket: &&Socket| socket.state == State::Listen;
    let number = all.iter().find(listens).unwrap().local.port;
    let narrow = Narrow::of(&port(Side::Local, number.unwrap().try_into().unwrap()).for_table(TCP));
    let rows = listed(TCP, narrow);
    // The kernel does not look at the ports of sockets that are bound and nothing else.
    let others = |row: &&Socket| row.local.port != number && row.state != State::Bound;
    assert_eq!(rows.iter().find(others), None);
    assert!(rows.len() < all.len());
}
