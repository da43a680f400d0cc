//! The look-up of one connection.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;

use lsock::filter::{Exact, Expr, Field, Narrow, Op, Operand, Side};
use lsock::model::{Socket, State, Table};
use lsock::source::{NetlinkSource, Recorder, ReplaySource};
use nix::sys::socket::{setsockopt, sockopt::BindToDevice};
use tempfile::TempDir;

use super::{TCP, TCP6, host, listed, port, visit};
use crate::scene::tcp::{self, listeners, states};
use crate::scene::{At, Expected, Held, V4, V6};
use crate::support::fresh;

/// Of the namespace's `lo`.
const LO: u32 = 1;

fn ends(local: SocketAddr, peer: SocketAddr) -> Vec<Expr> {
    vec![
        host(Side::Local, local),
        port(Side::Local, local.port()),
        host(Side::Peer, peer),
        port(Side::Peer, peer.port()),
    ]
}

/// Bound to no interface.
fn connection(local: SocketAddr, peer: SocketAddr) -> Vec<Expr> {
    let mut members = ends(local, peer);
    members.push(Expr::field(
        Field::Interface,
        Op::Equal,
        Operand::Missing { told: false },
    ));
    members
}

fn narrow_to(expected: &Expected, table: Table) -> Narrow {
    let members = connection(expected.local(), expected.peer());
    Narrow::of(&Expr::all(members).for_table(table))
}

/// The same look-up, beside which a dump would find nothing.
fn look_up_only(narrow: Narrow) -> Narrow {
    assert!(narrow.exact.is_some());
    Narrow {
        local_port: Some(1),
        peer_port: Some(1),
        ..narrow
    }
}

/// Without what is listed whatever the ports are.
fn found(table: Table, narrow: Narrow) -> Vec<Socket> {
    let mut rows = listed(table, narrow);
    rows.retain(|row| row.state != State::Bound);
    rows
}

fn assert_is(rows: &[Socket], expected: &Expected) {
    let [row] = rows else {
        panic!("{}: {rows:#?}", expected.what);
    };
    let ends = [&row.local, &row.peer].map(|end| (end.ip, end.port));
    let wanted = [expected.local(), expected.peer()];
    let wanted = wanted.map(|end| (Some(end.ip()), Some(u32::from(end.port()))));
    assert_eq!(ends, wanted);
    assert_eq!(row.state.name(), expected.state);
    assert_eq!(row.family.name(), expected.family);
}

#[test]
fn connection_is_found_without_a_dump() {
    let Some(_namespace) = fresh() else { return };
    for (ip, table) in [(V4, TCP), (V6, TCP6)] {
        for open in [states::established, states::time_wait, states::syn_rcvd] {
            let held = open(ip).unwrap();
            let connected = |e: &&Expected| e.state != "LISTEN" && e.family == table.family.name();
            for expected in held.expected.iter().filter(connected) {
                let narrow = look_up_only(narrow_to(expected, table));
                assert_is(&found(table, narrow), expected);
            }
        }
    }
}

#[test]
fn mapped_connection_is_found_among_ipv6_and_nowhere_else() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::mapped().unwrap();
    let server = held.the("mapped server");
    let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
    let members = connection(canonical(server.local()), canonical(server.peer()));
    let expr = Expr::all(members);
    let among_ipv6 = look_up_only(Narrow::of(&expr.for_table(TCP6)));
    assert_is(&found(TCP6, among_ipv6), server);
    // Asked for an IPv4 connection, the kernel gives the IPv6 socket.
    assert_eq!(
        found(TCP, look_up_only(Narrow::of(&expr.for_table(TCP)))),
        []
    );
    assert_eq!(found(TCP, Narrow::of(&expr.for_table(TCP))), []);
    // Its other end is an IPv4 socket, which no dump of IPv6 lists.
    let client = held.the("IPv4 client of the mapped server");
    assert_eq!(found(TCP6, narrow_to(client, TCP6)), []);
    assert_is(&found(TCP, look_up_only(narrow_to(client, TCP))), client);
}

#[test]
fn listener_is_not_taken_for_the_connection_that_is_not_there() {
    let Some(_namespace) = fresh() else { return };
    for (ip, table) in [(V4, TCP), (V6, TCP6)] {
        let held = states::listen(ip).unwrap();
        let [listener] = &held.expected[..] else {
            panic!("{held:?}");
        };
        let nobody = SocketAddr::new(ip, 9);
        let expr = Expr::all(connection(listener.local(), nobody));
        assert_eq!(listed(table, Narrow::of(&expr.for_table(table))), []);
    }
}

/// A connection whose client is bound to `lo`.
fn on_lo() -> io::Result<Held> {
    let listener = tcp::listener(V4, 1)?;
    let client = tcp::socket(V4)?;
    setsockopt(&client, BindToDevice, &OsString::from("lo")).at("SO_BINDTODEVICE")?;
    let to = crate::scene::expected::local_address(&listener)?;
    rustix::net::connect(&client, &to).at("connect")?;
    let mut held = Held::new();
    held.keep_tcp("on lo", "ESTABLISHED", client)?;
    held.keep_listener("listener of on lo", listener, 1)?
        .recv_queue = Some(1);
    held.settled()
}

#[test]
fn connection_bound_to_an_interface_is_found_by_the_dump_or_with_the_interface() {
    let Some(_namespace) = fresh() else { return };
    let held = on_lo().unwrap();
    let expected = held.the("on lo");
    let narrow = narrow_to(expected, TCP);
    assert_eq!(found(TCP, look_up_only(narrow.clone())), []);
    assert_is(&found(TCP, narrow.clone()), expected);
    let interface = Expr::field(
        Field::Interface,
        Op::Equal,
        Operand::Named {
            name: "lo".into(),
            number: LO.into(),
        },
    );
    let mut members = ends(expected.local(), expected.peer());
    members.push(interface);
    let with_interface = Narrow::of(&Expr::all(members).for_table(TCP));
    assert_eq!(with_interface.exact.unwrap().interface, Some(LO));
    assert_is(&found(TCP, look_up_only(with_interface)), expected);
    // The other end is bound to none, and the kernel gives it for any interface.
    let [listener_side] = &found(TCP, narrow_of_other_end(expected))[..] else {
        panic!("the other end is not listed");
    };
    let exact = Exact {
        interface: Some(LO),
        ..narrow_of_other_end(expected).exact.unwrap()
    };
    assert_eq!(listener_side.interface, None);
    let narrow = Narrow {
        exact: Some(exact),
        ..Narrow::default()
    };
    assert_eq!(found(TCP, look_up_only(narrow)), []);
}

fn narrow_of_other_end(expected: &Expected) -> Narrow {
    let members = connection(expected.peer(), expected.local());
    Narrow::of(&Expr::all(members).for_table(TCP))
}

#[test]
fn recording_of_one_connection_can_be_replayed() {
    let Some(_namespace) = fresh() else { return };
    let held = states::established(V4).unwrap();
    let expected = held.the("ESTABLISHED client");
    let directory = TempDir::new().unwrap();
    let tape = directory.path().join("recording");
    let recorder = Recorder::create(&tape).unwrap();
    let mut live = NetlinkSource::new(recorder.clone());
    let narrow = narrow_to(expected, TCP);
    assert_is(&visit(&mut live, TCP, narrow.clone()).0, expected);
    recorder.finish().unwrap();
    let mut replay = ReplaySource::open(&tape).unwrap();
    assert_is(&visit(&mut replay, TCP, narrow).0, expected);
}
