//! Tests of sorted and limited rows.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::rc::Rc;

use super::{feed, scene};
use crate::model::{OwnedRow, ProcessStatus, Protocol, Row, Socket, State, Summary};
use crate::render::{Arrangement, Field, Order, RowBuffer, Sink, SortKey};

/// Keeps the rows it receives.
#[derive(Default)]
struct Seen {
    inodes: Vec<u64>,
    summary: Option<Summary>,
}

struct Witness(Rc<RefCell<Seen>>);

impl Sink for Witness {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.0.borrow_mut().inodes.push(row.socket.inode.unwrap());
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        self.0.borrow_mut().summary = Some(summary.clone());
        Ok(())
    }
}

fn pass(rows: &[OwnedRow], arrangement: Arrangement) -> (Vec<u64>, Summary) {
    let seen = Rc::new(RefCell::new(Seen::default()));
    let mut sink = RowBuffer::new(Box::new(Witness(Rc::clone(&seen))), arrangement);
    let summary = Summary {
        matched: 77,
        ..Summary::default()
    };
    feed(&mut sink, rows, &summary).unwrap();
    let seen = seen.take();
    (seen.inodes, seen.summary.unwrap())
}

/// Rows with the inodes 0, 1, 2, …; `set` makes them differ.
fn rows<T: Clone>(values: &[T], set: impl Fn(&mut Socket, T)) -> Vec<OwnedRow> {
    let row = |(inode, value): (u64, &T)| {
        let mut socket = scene::inet(Protocol::Tcp, ("1.1.1.1", 1), ("1.1.1.1", Some(1)));
        socket.inode = Some(inode);
        set(&mut socket, value.clone());
        OwnedRow::keep(&Row::bare(&socket))
    };
    (0..).zip(values).map(row).collect()
}

fn sorted(rows: &[OwnedRow], keys: &[(Field, bool)], limit: Option<usize>) -> (Vec<u64>, Summary) {
    let key = |(column, descending): &(Field, bool)| SortKey {
        column: *column,
        descending: *descending,
    };
    let arrangement = Arrangement {
        order: Order::Keys(keys.iter().map(key).collect()),
        limit,
        name_hosts: None,
    };
    pass(rows, arrangement)
}

fn order(rows: &[OwnedRow], column: Field, descending: bool) -> Vec<u64> {
    sorted(rows, &[(column, descending)], None).0
}

#[test]
fn numbers_are_sorted_by_value_and_unknown_comes_last_both_ways() {
    let rows = rows(&[Some(10), None, Some(9), Some(100)], |s, n| {
        s.recv_queue = n;
    });
    assert_eq!(order(&rows, Field::RecvQueue, false), [2, 0, 3, 1]);
    assert_eq!(order(&rows, Field::RecvQueue, true), [3, 0, 2, 1]);
}

#[test]
fn addresses_are_sorted_by_family_then_by_value() {
    let addresses = [
        "::1",
        "10.0.0.10",
        "10.0.0.9",
        "::ffff:1.1.1.1",
        "9.255.255.255",
    ];
    let rows = rows(&addresses, |s, text| {
        s.local.ip = text.parse::<IpAddr>().ok();
    });
    assert_eq!(order(&rows, Field::LocalAddress, false), [4, 2, 1, 0, 3]);
    assert_eq!(order(&rows, Field::Local, true), [3, 0, 1, 2, 4]);
}

#[test]
fn one_cell_ends_are_sorted_by_address_then_by_port() {
    let rows = rows(&[Some(443), Some(80), None, Some(8_080)], |s, port| {
        s.peer.port = port;
    });
    assert_eq!(order(&rows, Field::Peer, false), [1, 0, 3, 2]);
}

#[test]
fn text_is_sorted_by_its_bytes() {
    let states = [
        State::TimeWait,
        State::Listen,
        State::Unknown(10),
        State::Unknown(9),
    ];
    let rows = rows(&states, |socket, state| socket.state = state);
    assert_eq!(order(&rows, Field::State, false), [1, 0, 3, 2]);
}

#[test]
fn rows_without_processes_come_last() {
    let socket = |inode| {
        let mut socket = scene::unix(b"", b"");
        socket.inode = Some(inode);
        socket
    };
    let owners = ["zsh", "bash"].map(|name| [scene::process(1, name.as_bytes(), &[])]);
    let row = |inode, processes| {
        OwnedRow::keep(&Row {
            processes,
            process_status: Some(ProcessStatus::Found),
            ..Row::bare(&socket(inode))
        })
    };
    let rows = [
        row(0, Some(&[][..])),
        row(1, Some(&owners[0])),
        row(2, None),
        row(3, Some(&owners[1])),
    ];
    assert_eq!(order(&rows, Field::Processes, false), [3, 1, 0, 2]);
    assert_eq!(order(&rows, Field::Processes, true), [1, 3, 0, 2]);
}

#[test]
fn equal_rows_keep_their_order_and_the_next_key_decides() {
    let rows = rows(&[(1, 5), (0, 5), (1, 4), (0, 5)], |s, (uid, mark)| {
        (s.uid, s.mark) = (Some(uid), Some(mark));
    });
    let keys = [(Field::Uid, false), (Field::Mark, true)];
    assert_eq!(sorted(&rows, &keys, None).0, [1, 3, 0, 2]);
}

#[test]
fn a_sort_with_a_limit_is_the_sort_cut_at_the_limit() {
    let values: Vec<Option<u32>> = (0..100_u32).map(|n| Some(n * 37 % 11)).collect();
    let rows = rows(&values, |socket, n| socket.recv_queue = n);
    let keys = [(Field::RecvQueue, true)];
    let (all, summary) = sorted(&rows, &keys, None);
    assert_eq!((summary.limited, summary.matched), (false, 77));
    for limit in [0, 1, 7, 50, 99] {
        let (cut, summary) = sorted(&rows, &keys, Some(limit));
        assert_eq!(cut, all[..limit]);
        assert_eq!(
            (summary.limited, summary.matched),
            (true, u64::try_from(limit).unwrap())
        );
    }
    for limit in [100, usize::MAX] {
        let (whole, summary) = sorted(&rows, &keys, Some(limit));
        assert_eq!(whole, all);
        assert!(!summary.limited);
    }
}

fn usual(rows: &[OwnedRow], limit: Option<usize>) -> Vec<u64> {
    let arrangement = Arrangement {
        order: Order::Usual,
        limit,
        name_hosts: None,
    };
    pass(rows, arrangement).0
}

#[test]
fn for_reading_listeners_come_by_port_and_others_by_state_and_peer() {
    use Protocol::{Tcp, Udp};
    let ends = [
        (Udp, State::Unconn, ("0.0.0.0", 68), ("0.0.0.0", None)),
        (Tcp, State::TimeWait, ("1.1.1.1", 1), ("2.2.2.2", Some(9))),
        (
            Tcp,
            State::Established,
            ("1.1.1.1", 5),
            ("2.2.2.2", Some(70)),
        ),
        (Tcp, State::Listen, ("::", 80), ("::", None)),
        (
            Tcp,
            State::Established,
            ("1.1.1.1", 4),
            ("2.2.2.2", Some(70)),
        ),
        (
            Tcp,
            State::Established,
            ("1.1.1.1", 9),
            ("2.2.2.2", Some(8)),
        ),
        (Tcp, State::Listen, ("127.0.0.1", 443), ("0.0.0.0", None)),
        (Tcp, State::Listen, ("0.0.0.0", 80), ("0.0.0.0", None)),
        (Udp, State::Unconn, ("0.0.0.0", 53), ("0.0.0.0", None)),
    ];
    let row = |(inode, (protocol, state, local, peer))| {
        let mut socket = scene::inet(protocol, local, peer);
        (socket.inode, socket.state) = (Some(inode), state);
        OwnedRow::keep(&Row::bare(&socket))
    };
    let rows: Vec<_> = (0..).zip(ends).map(row).collect();
    let order = [7, 3, 6, 5, 4, 2, 1, 8, 0];
    assert_eq!(usual(&rows, None), order);
    assert_eq!(usual(&rows, Some(4)), order[..4]);
}

#[test]
fn too_many_to_sort_for_reading_stay_as_they_were_read() {
    let ports: Vec<_> = (0..u32::try_from(Order::MOST).unwrap()).rev().collect();
    let listener = |socket: &mut Socket, port| {
        socket.state = State::Listen;
        socket.local.port = Some(port);
    };
    let mut rows = rows(&ports, listener);
    assert!(usual(&rows, None).is_sorted_by(|a, b| a > b));
    rows.push(rows[0].clone());
    assert_eq!(usual(&rows, None)[..3], [0, 1, 2]);
    let last = u64::try_from(Order::MOST).unwrap() - 1;
    assert_eq!(usual(&rows, Some(2)), [last, last - 1]);
}

#[test]
fn a_limit_is_reached_only_when_one_more_row_is_offered() {
    let rows = rows(&[(); 3], |_, ()| {});
    for (limit, shown, limited, matched) in [
        (0, 0, true, 0),
        (2, 2, true, 2),
        (3, 3, false, 77),
        (4, 3, false, 77),
    ] {
        let (seen, summary) = sorted(&rows, &[], Some(limit));
        assert_eq!(seen.len(), shown, "limit {limit}");
        assert_eq!((summary.limited, summary.matched), (limited, matched));
    }
}
