//! Tests of sockets that appear, change and disappear.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::net::Ipv4Addr;

use super::TrackedTable;
use crate::model::State::{
    Bound, CloseWait, Established, FinWait2, LastAck, Listen, SynRcvd, SynSent, TimeWait, Unconn,
};
use crate::model::{Change, ChangedRow, Family, Protocol, Row, Socket, State};

/// A connection with this port, or a listener.
fn tcp(port: u32, state: State, cookie: Option<u64>, inode: Option<u64>) -> Socket {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    socket.state = state;
    (socket.cookie, socket.inode) = (cookie, inode);
    socket.local.ip = Some(Ipv4Addr::LOCALHOST.into());
    socket.local.port = Some(port);
    if !matches!(state, Listen | Bound) {
        socket.peer.ip = Some(Ipv4Addr::LOCALHOST.into());
        socket.peer.port = Some(9);
    }
    socket
}

fn unix(name: &[u8], inode: Option<u64>) -> Socket {
    let mut socket = Socket::new(Protocol::Unix, Family::Unix);
    socket.state = SynSent;
    socket.inode = inode;
    socket.local.set_name(name);
    socket
}

/// The reported rows of a round, including those that are gone.
type Told = Vec<(u32, State, Change)>;

fn told(table: &TrackedTable) -> Told {
    let is_gone = |row: &ChangedRow| row.change == Change::Gone;
    let rows = [table.rows(|row| !is_gone(row)), table.rows(is_gone)];
    let told = rows.iter().flatten().map(|kept| {
        let row = kept.row.row();
        let port = row.socket.local.port.unwrap_or_default();
        (port, row.socket.state, kept.change)
    });
    told.collect()
}

fn look(table: &mut TrackedTable, sockets: &[Socket]) {
    for socket in sockets {
        table.meet(&Row::bare(socket));
    }
}

/// A round whose reads list the same.
fn round(table: &mut TrackedTable, sockets: &[Socket]) -> Told {
    table.begin();
    look(table, sockets);
    if table.end(true) {
        look(table, sockets);
        table.end(true);
    }
    told(table)
}

#[test]
fn what_is_there_at_first_is_found_and_what_comes_is_new() {
    let mut table = TrackedTable::default();
    let first = tcp(1, Established, Some(1), Some(1));
    let second = tcp(2, SynSent, Some(2), Some(2));
    assert_eq!(
        round(&mut table, std::slice::from_ref(&first)),
        [(1, Established, Change::Found)]
    );
    assert_eq!(
        round(&mut table, &[first.clone(), second.clone()]),
        [(1, Established, Change::None), (2, SynSent, Change::New)]
    );
    assert_eq!(
        round(&mut table, &[second]),
        [(2, SynSent, Change::None), (1, Established, Change::Gone)]
    );
    assert_eq!(round(&mut table, &[]), [(2, SynSent, Change::Gone)]);
    assert_eq!(round(&mut table, &[]), []);
}

#[test]
fn a_life_is_one_socket_from_the_request_to_time_wait() {
    // With the same cookie, with another where the kernel swaps the structure, and without.
    let cookies = [
        [1, 1, 1, 1].map(Some),
        [1, 2, 2, 3].map(Some),
        [None, None, None, None],
    ];
    for cookies in cookies {
        let mut table = TrackedTable::default();
        round(&mut table, &[]);
        let steps = [SynRcvd, Established, FinWait2, TimeWait];
        let inodes = [None, Some(7), Some(7), None];
        let mut before = None;
        for ((state, cookie), inode) in steps.into_iter().zip(cookies).zip(inodes) {
            let change = before.map_or(Change::New, Change::Changed);
            let told = round(&mut table, &[tcp(1, state, cookie, inode)]);
            assert_eq!(told, [(1, state, change)], "{cookies:?}");
            before = Some(state);
        }
    }
}

#[test]
fn another_connection_with_the_same_ends_is_another() {
    for cookies in [[Some(1), Some(2)], [None, None]] {
        for (old, new) in [
            (TimeWait, SynSent),
            (TimeWait, Established),
            (LastAck, SynRcvd),
        ] {
            let mut table = TrackedTable::default();
            round(&mut table, &[tcp(1, old, cookies[0], None)]);
            let told = round(&mut table, &[tcp(1, new, cookies[1], None)]);
            assert_eq!(told, [(1, new, Change::New), (1, old, Change::Gone)]);
        }
    }
}

#[test]
fn a_bound_socket_that_connects_or_listens_is_the_same() {
    for (state, change) in [
        (SynSent, Change::Changed(Bound)),
        (Listen, Change::Changed(Bound)),
    ] {
        let mut table = TrackedTable::default();
        round(&mut table, &[tcp(1, Bound, Some(1), Some(1))]);
        let told = round(&mut table, &[tcp(1, state, Some(1), Some(1))]);
        assert_eq!(told, [(1, state, change)]);
    }
}

#[test]
fn another_peer_of_the_same_socket_is_a_change() {
    let mut socket = tcp(1, Established, Some(1), Some(1));
    socket.protocol = Protocol::Udp;
    let mut table = TrackedTable::default();
    round(&mut table, std::slice::from_ref(&socket));
    socket.peer.port = Some(10);
    let told = round(&mut table, std::slice::from_ref(&socket));
    assert_eq!(told, [(1, Established, Change::Changed(Established))]);
    socket.state = Unconn;
    (socket.peer.ip, socket.peer.port) = (None, None);
    let told = round(&mut table, &[socket]);
    assert_eq!(told, [(1, Unconn, Change::Changed(Established))]);
}

#[test]
fn what_one_look_of_a_round_misses_is_not_gone() {
    let both = [1, 2].map(|port| tcp(port, Established, Some(port.into()), None));
    let mut table = TrackedTable::default();
    round(&mut table, &both);
    table.begin();
    look(&mut table, &both[1..]);
    assert!(table.end(true));
    look(&mut table, &both);
    assert!(!table.end(true));
    let rows = [
        (2, Established, Change::None),
        (1, Established, Change::None),
    ];
    assert_eq!(told(&table), rows);
}

#[test]
fn what_the_very_first_look_missed_is_not_new() {
    let both = [1, 2].map(|port| tcp(port, Established, Some(port.into()), None));
    let mut table = TrackedTable::default();
    table.begin();
    look(&mut table, &both[1..]);
    assert!(table.end(true));
    look(&mut table, &both);
    table.end(true);
    assert!(told(&table).iter().all(|told| told.2 == Change::Found));
}

#[test]
fn a_look_that_lists_a_socket_twice_shows_it_once_as_it_was_last() {
    let mut table = TrackedTable::default();
    round(&mut table, &[tcp(1, Bound, Some(1), None)]);
    let twice = [Bound, SynSent].map(|state| tcp(1, state, Some(1), None));
    assert_eq!(
        round(&mut table, &twice),
        [(1, SynSent, Change::Changed(Bound))]
    );
}

#[test]
fn an_incomplete_round_ends_no_socket_and_makes_none_new() {
    let both = [1, 2].map(|port| tcp(port, Established, Some(port.into()), None));
    let mut table = TrackedTable::default();
    round(&mut table, &both);
    table.begin();
    look(&mut table, &both[..1]);
    table.end(false);
    let whole = [
        (1, Established, Change::None),
        (2, Established, Change::None),
    ];
    assert_eq!(told(&table), whole);
    assert_eq!(round(&mut table, &both), whole);
}

#[test]
fn until_a_round_was_whole_nothing_is_new() {
    let both = [1, 2].map(|port| tcp(port, Established, Some(port.into()), None));
    let mut table = TrackedTable::default();
    table.begin();
    look(&mut table, &both[..1]);
    table.end(false);
    assert_eq!(
        round(&mut table, &both),
        [
            (1, Established, Change::None),
            (2, Established, Change::Found)
        ]
    );
}

#[test]
fn what_another_one_replaced_is_gone_in_an_incomplete_round_too() {
    let mut table = TrackedTable::default();
    round(&mut table, &[tcp(1, TimeWait, None, None)]);
    table.begin();
    look(&mut table, &[tcp(1, SynSent, None, Some(3))]);
    table.end(false);
    let rows = [(1, SynSent, Change::New), (1, TimeWait, Change::Gone)];
    assert_eq!(told(&table), rows);
}

#[test]
fn sockets_that_nothing_tells_apart_are_counted() {
    let mut table = TrackedTable::default();
    let count = |table: &TrackedTable, change| {
        let told = told(table);
        told.iter().filter(|told| told.2 == change).count()
    };
    let alike = |count: usize| vec![unix(b"/run/a", None); count];
    round(&mut table, &alike(3));
    assert_eq!(count(&table, Change::Found), 3);
    round(&mut table, &alike(5));
    assert_eq!(
        (count(&table, Change::None), count(&table, Change::New)),
        (3, 2)
    );
    round(&mut table, &alike(1));
    assert_eq!(
        (count(&table, Change::None), count(&table, Change::Gone)),
        (1, 4)
    );
}

#[test]
fn read_in_another_way_sockets_are_known_again() {
    let with = |cookie: Option<u64>| {
        [
            tcp(1, Listen, cookie, Some(1)),
            tcp(2, CloseWait, cookie.map(|cookie| cookie + 1), Some(2)),
        ]
    };
    for [before, now] in [[Some(1), None], [None, Some(1)]] {
        let mut table = TrackedTable::default();
        round(&mut table, &with(before));
        let told = round(&mut table, &with(now));
        assert!(told.iter().all(|told| told.2 == Change::None), "{told:?}");
    }
}

#[test]
fn what_is_gone_stands_where_it_was() {
    let all = [1, 2, 3].map(|port| tcp(port, Established, Some(port.into()), None));
    let mut table = TrackedTable::default();
    round(&mut table, &all);
    round(&mut table, &[all[0].clone(), all[2].clone()]);
    let ports = table.rows(|_| true);
    let ports = ports.iter().map(|kept| kept.row.row().socket.local.port);
    assert_eq!(ports.collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
}

#[test]
fn swap_between_the_looks_of_a_round_is_a_change_of_one_socket() {
    let mut table = TrackedTable::default();
    let both = [(1, Some(1)), (2, Some(3))].map(|(port, id)| tcp(port, FinWait2, id, None));
    round(&mut table, &both);
    table.begin();
    look(&mut table, &both[..1]);
    assert!(table.end(true));
    let swapped = tcp(1, TimeWait, Some(2), None);
    look(&mut table, &[swapped, both[1].clone()]);
    assert!(!table.end(true));
    let rows = [
        (1, TimeWait, Change::Changed(FinWait2)),
        (2, FinWait2, Change::None),
    ];
    let mut told = told(&table);
    told.sort_by_key(|row| row.0);
    assert_eq!(told, rows);
}

#[test]
fn socket_that_came_and_went_in_one_round_is_not_told_as_gone() {
    let mut table = TrackedTable::default();
    let other = tcp(2, Established, None, None);
    round(&mut table, std::slice::from_ref(&other));
    table.begin();
    look(&mut table, &[tcp(1, TimeWait, None, None)]);
    assert!(table.end(true));
    look(&mut table, &[tcp(1, SynSent, None, Some(3)), other]);
    assert!(!table.end(true));
    let rows = [(1, SynSent, Change::New), (2, Established, Change::None)];
    assert_eq!(told(&table), rows);
}

#[test]
fn what_is_left_of_connections_has_their_cookie_beside_the_socket() {
    let bound = tcp(1, Bound, Some(1), Some(7));
    let left = |peer| {
        let mut socket = tcp(1, TimeWait, Some(1), None);
        socket.peer.port = Some(peer);
        socket
    };
    let mut table = TrackedTable::default();
    let all = [bound.clone(), left(80), left(81)];
    assert_eq!(round(&mut table, &all).len(), 3);
    for _ in 0..2 {
        let told = round(&mut table, &all);
        assert!(told.iter().all(|row| row.2 == Change::None), "{told:?}");
    }
    // The socket connects again, and the older connection is gone.
    let again = tcp(1, SynSent, Some(1), Some(7));
    let told = round(&mut table, &[again, left(81)]);
    let rows = [
        (1, SynSent, Change::Changed(Bound)),
        (1, TimeWait, Change::None),
        (1, TimeWait, Change::Gone),
    ];
    assert_eq!(told, rows);
}
