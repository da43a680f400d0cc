//! What is said of sockets that come, change and go.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::net::Ipv4Addr;

use super::{Kept, Known, Whole};
use crate::model::State::{
    Bound, CloseWait, Established, FinWait2, LastAck, Listen, SynRcvd, SynSent, TimeWait, Unconn,
};
use crate::model::{Change, Family, Protocol, Row, Socket, State};

/// A connection of this port, or a listener.
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

/// What a round says: of what is there, and of what is gone.
type Told = Vec<(u32, State, Change)>;

fn told(known: &Known) -> Told {
    let is_gone = |kept: &Kept| kept.change == Change::Gone;
    let rows = [known.rows(|kept| !is_gone(kept)), known.rows(is_gone)];
    let told = rows.iter().flatten().map(|kept| {
        let row = kept.row.row();
        let port = row.socket.local.port.unwrap_or_default();
        (port, row.socket.state, kept.change)
    });
    told.collect()
}

fn look(known: &mut Known, sockets: &[Socket]) {
    for socket in sockets {
        known.meet(&Row::bare(socket));
    }
}

/// A round whose looks list the same.
fn round(known: &mut Known, sockets: &[Socket]) -> Told {
    known.begin();
    look(known, sockets);
    if known.is_open() {
        known.again();
        look(known, sockets);
    }
    known.end(Whole::Yes);
    told(known)
}

#[test]
fn what_is_there_at_first_is_found_and_what_comes_is_new() {
    let mut known = Known::default();
    let first = tcp(1, Established, Some(1), Some(1));
    let second = tcp(2, SynSent, Some(2), Some(2));
    assert_eq!(
        round(&mut known, std::slice::from_ref(&first)),
        [(1, Established, Change::Found)]
    );
    assert_eq!(
        round(&mut known, &[first.clone(), second.clone()]),
        [(1, Established, Change::None), (2, SynSent, Change::New)]
    );
    assert_eq!(
        round(&mut known, &[second]),
        [(2, SynSent, Change::None), (1, Established, Change::Gone)]
    );
    assert_eq!(round(&mut known, &[]), [(2, SynSent, Change::Gone)]);
    assert_eq!(round(&mut known, &[]), []);
}

#[test]
fn a_life_is_one_socket_from_the_request_to_time_wait() {
    // With the cookie handed on, with another where the kernel swaps the structure, and without any.
    let cookies = [
        [1, 1, 1, 1].map(Some),
        [1, 2, 2, 3].map(Some),
        [None, None, None, None],
    ];
    for cookies in cookies {
        let mut known = Known::default();
        round(&mut known, &[]);
        let steps = [SynRcvd, Established, FinWait2, TimeWait];
        let inodes = [None, Some(7), Some(7), None];
        let mut before = None;
        for ((state, cookie), inode) in steps.into_iter().zip(cookies).zip(inodes) {
            let change = before.map_or(Change::New, Change::Changed);
            let told = round(&mut known, &[tcp(1, state, cookie, inode)]);
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
            let mut known = Known::default();
            round(&mut known, &[tcp(1, old, cookies[0], None)]);
            let told = round(&mut known, &[tcp(1, new, cookies[1], None)]);
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
        let mut known = Known::default();
        round(&mut known, &[tcp(1, Bound, Some(1), Some(1))]);
        let told = round(&mut known, &[tcp(1, state, Some(1), Some(1))]);
        assert_eq!(told, [(1, state, change)]);
    }
}

#[test]
fn another_peer_of_the_same_socket_is_a_change() {
    let mut socket = tcp(1, Established, Some(1), Some(1));
    socket.protocol = Protocol::Udp;
    let mut known = Known::default();
    round(&mut known, std::slice::from_ref(&socket));
    socket.peer.port = Some(10);
    let told = round(&mut known, std::slice::from_ref(&socket));
    assert_eq!(told, [(1, Established, Change::Changed(Established))]);
    socket.state = Unconn;
    (socket.peer.ip, socket.peer.port) = (None, None);
    let told = round(&mut known, &[socket]);
    assert_eq!(told, [(1, Unconn, Change::Changed(Established))]);
}

#[test]
fn what_one_look_of_a_round_misses_is_not_gone() {
    let both = [1, 2].map(|port| tcp(port, Established, Some(port.into()), None));
    let mut known = Known::default();
    round(&mut known, &both);
    known.begin();
    look(&mut known, &both[1..]);
    assert!(known.is_open());
    known.again();
    look(&mut known, &both);
    assert!(!known.is_open());
    known.end(Whole::Yes);
    let rows = [
        (2, Established, Change::None),
        (1, Established, Change::None),
    ];
    assert_eq!(told(&known), rows);
}

#[test]
fn what_the_very_first_look_missed_is_not_new() {
    let both = [1, 2].map(|port| tcp(port, Established, Some(port.into()), None));
    let mut known = Known::default();
    known.begin();
    look(&mut known, &both[1..]);
    assert!(known.is_open());
    known.again();
    look(&mut known, &both);
    known.end(Whole::Yes);
    assert!(told(&known).iter().all(|told| told.2 == Change::Found));
}

#[test]
fn a_look_that_lists_a_socket_twice_shows_it_once_as_it_was_last() {
    let mut known = Known::default();
    round(&mut known, &[tcp(1, Bound, Some(1), None)]);
    let twice = [Bound, SynSent].map(|state| tcp(1, state, Some(1), None));
    assert_eq!(
        round(&mut known, &twice),
        [(1, SynSent, Change::Changed(Bound))]
    );
}

#[test]
fn an_incomplete_round_ends_no_socket_and_makes_none_new() {
    let both = [1, 2].map(|port| tcp(port, Established, Some(port.into()), None));
    let mut known = Known::default();
    round(&mut known, &both);
    known.begin();
    look(&mut known, &both[..1]);
    known.end(Whole::No);
    let whole = [
        (1, Established, Change::None),
        (2, Established, Change::None),
    ];
    assert_eq!(told(&known), whole);
    assert_eq!(round(&mut known, &both), whole);
}

#[test]
fn until_a_round_was_whole_nothing_is_new() {
    let both = [1, 2].map(|port| tcp(port, Established, Some(port.into()), None));
    let mut known = Known::default();
    known.begin();
    look(&mut known, &both[..1]);
    known.end(Whole::No);
    assert_eq!(
        round(&mut known, &both),
        [
            (1, Established, Change::None),
            (2, Established, Change::Found)
        ]
    );
}

#[test]
fn what_another_one_replaced_is_gone_in_an_incomplete_round_too() {
    let mut known = Known::default();
    round(&mut known, &[tcp(1, TimeWait, None, None)]);
    known.begin();
    look(&mut known, &[tcp(1, SynSent, None, Some(3))]);
    known.end(Whole::No);
    let rows = [(1, SynSent, Change::New), (1, TimeWait, Change::Gone)];
    assert_eq!(told(&known), rows);
}

#[test]
fn sockets_that_nothing_tells_apart_are_counted() {
    let mut known = Known::default();
    let count = |known: &Known, change| {
        let told = told(known);
        told.iter().filter(|told| told.2 == change).count()
    };
    let alike = |count: usize| vec![unix(b"/run/a", None); count];
    round(&mut known, &alike(3));
    assert_eq!(count(&known, Change::Found), 3);
    round(&mut known, &alike(5));
    assert_eq!(
        (count(&known, Change::None), count(&known, Change::New)),
        (3, 2)
    );
    round(&mut known, &alike(1));
    assert_eq!(
        (count(&known, Change::None), count(&known, Change::Gone)),
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
        let mut known = Known::default();
        round(&mut known, &with(before));
        let told = round(&mut known, &with(now));
        assert!(told.iter().all(|told| told.2 == Change::None), "{told:?}");
    }
}

#[test]
fn what_is_gone_stands_where_it_was() {
    let all = [1, 2, 3].map(|port| tcp(port, Established, Some(port.into()), None));
    let mut known = Known::default();
    round(&mut known, &all);
    round(&mut known, &[all[0].clone(), all[2].clone()]);
    let ports = known.rows(|_| true);
    let ports = ports.iter().map(|kept| kept.row.row().socket.local.port);
    assert_eq!(ports.collect::<Vec<_>>(), [Some(1), Some(2), Some(3)]);
}
