#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use super::super::record::tests::{made_by, record};
use super::{Lives, Queue, RecordClock, RestRecord, StepRecord, Whole};
use crate::model::State::{
    CloseWait, Closed, Established, FinWait1, FinWait2, LastAck, Listen, SynRcvd, SynSent, TimeWait,
};
use crate::model::{Event, Family, Protocol, Socket, State};
use jiff::Timestamp;
use std::ops::ControlFlow;

const START: RecordClock = RecordClock {
    wall: Timestamp::UNIX_EPOCH,
    mono_ns: 0,
};

/// The events of these records, and the connections that ended in another way than CLOSED.
fn told(records: &[StepRecord]) -> (Vec<Event>, Vec<u64>) {
    let (mut lives, mut queue) = (Lives::default(), Queue::default());
    let mut events = Vec::new();
    for record in records {
        lives.follow(record, b"", START, &mut queue);
    }
    let flow = queue.tell(Some(Timestamp::MAX), &mut |event: &Event| {
        events.push(event.clone());
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    (events, queue.take_ended())
}

fn connections(records: &[StepRecord]) -> Vec<u64> {
    let (events, _) = told(records);
    events.iter().map(|event| event.connection).collect()
}

fn owners(records: &[StepRecord]) -> Vec<Option<u32>> {
    let (events, _) = told(records);
    let process = |event: &Event| event.owner.clone().unwrap().process;
    let pids = events.iter().map(process);
    pids.map(|process| process.map(|process| process.pid))
        .collect()
}

/// The active close.
const CLOSE: [(State, State); 3] = [
    (Established, FinWait1),
    (FinWait1, FinWait2),
    (FinWait2, Closed),
];

#[test]
fn what_got_the_place_of_another_is_not_the_other() {
    let steps = [
        ((Closed, SynSent), 0, 80),
        ((SynSent, Established), 5_000, 80),
        ((Established, CloseWait), 5_000, 80),
        // A record was lost.
        ((LastAck, Closed), 5_000, 80),
        // So were the records of its end and of the next one's start.
        ((SynSent, Established), 6_000, 80),
        ((SynSent, Established), 6_001, 80),
        // The last record has no port.
        ((Established, Closed), 0, 80),
        ((LastAck, Closed), 0, 80),
        ((Closed, Listen), 80, 9),
        ((Listen, Closed), 80, 7),
    ];
    let records = steps.map(|(step, local, peer)| record(step, local, peer));
    assert_eq!(connections(&records), [1, 1, 1, 1, 2, 3, 3, 4, 5, 5]);
}

#[test]
fn first_step_gets_its_port_from_the_next_one() {
    let records = [
        record((Closed, SynSent), 0, 80),
        StepRecord {
            cookie: 9,
            ..record((SynSent, Established), 5_000, 80)
        },
    ];
    let (events, _) = told(&records);
    for event in &events {
        assert_eq!(event.socket.local.port, Some(5_000));
        assert_eq!(event.socket.cookie, Some(9));
    }
    // Nobody answered.
    assert_eq!(told(&records[..1]).0[0].socket.local.port, None);
}

#[test]
fn port_that_no_record_tells_is_that_of_the_list() {
    let listed = |cookie, inode, state| {
        let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
        (socket.cookie, socket.inode, socket.state) = (cookie, inode, state);
        socket.local.ip = Some([127, 0, 0, 1].into());
        socket.local.port = Some(5_000);
        socket
    };
    for (cookie, inode, step, found, port) in [
        (9, 8, SynSent, listed(Some(9), None, SynSent), Some(5_000)),
        (
            0,
            8,
            SynSent,
            listed(Some(9), Some(8), SynSent),
            Some(5_000),
        ),
        (0, 8, Listen, listed(Some(9), Some(8), Listen), Some(5_000)),
        // Another socket, an unknown one, and the same in another state.
        (9, 8, SynSent, listed(Some(7), Some(6), SynSent), None),
        (0, 0, SynSent, listed(None, None, SynSent), None),
        (9, 8, SynSent, listed(Some(9), Some(8), Listen), None),
    ] {
        let (mut lives, mut queue) = (Lives::default(), Queue::default());
        let record = StepRecord {
            cookie,
            inode,
            ..made_by(5, record((Closed, step), 0, 80))
        };
        lives.follow(&record, b"", START, &mut queue);
        assert!(queue.lacks_port(Timestamp::UNIX_EPOCH));
        lives.complete(&lives.without_port(), &found, &mut queue);
        assert_eq!(queue.lacks_port(Timestamp::UNIX_EPOCH), port.is_none());
        let mut told = Vec::new();
        let flow = queue.tell(Some(Timestamp::MAX), &mut |event: &Event| {
            told.push(event.socket.local.port);
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        assert_eq!(told, [port], "{found:?}");
        if (step, port) == (Listen, Some(5_000)) {
            let owner = lives.listeners.owner_at((0, [127, 0, 0, 1].into(), 5_000));
            assert_eq!(owner.process.unwrap().pid, 5);
        }
    }
}

#[test]
fn accepted_connection_gets_its_peer_from_the_next_record_and_its_owner_from_the_listener() {
    let mut first = record((Listen, SynRcvd), 80, 0);
    (first.address, first.peer_address, first.cookie) = ([0; 16], [0; 16], 1);
    let child = |step, cookie| StepRecord {
        socket: 8,
        cookie,
        ..step
    };
    let records = [
        made_by(5, record((Closed, Listen), 80, 0)),
        child(first, 1),
        child(record((SynRcvd, Established), 80, 5_000), 2),
        child(made_by(6, record((Established, FinWait1), 80, 5_000)), 2),
    ];
    let (events, _) = told(&records);
    assert_eq!(events[1].socket.peer, events[2].socket.peer);
    assert_eq!(events[1].socket.local, events[2].socket.local);
    assert_eq!(events[1].socket.cookie, Some(2));
    assert_eq!(
        [1, 1, 1, 0],
        [1, 2, 3, 0].map(|at: usize| { u32::from(events[at].connection == events[3].connection) })
    );
    assert_eq!(owners(&records), [Some(5), Some(5), Some(5), Some(6)]);
}

#[test]
fn what_a_step_and_a_life_took_is_told_where_their_begin_was() {
    let at = |micros: u64, record| StepRecord {
        time_ns: 1_000 * micros + 999,
        ..record
    };
    let steps = [
        at(10, record((Closed, SynSent), 0, 80)),
        at(30, record((SynSent, Established), 5_000, 80)),
        // A record was lost.
        at(100, record((CloseWait, LastAck), 5_000, 80)),
        at(101, record((LastAck, Closed), 5_000, 80)),
        at(200, record((Listen, SynRcvd), 80, 5_000)),
        at(201, record((SynRcvd, Established), 80, 5_000)),
    ];
    let spent = |records: &[StepRecord]| -> Vec<_> {
        let (events, _) = told(records);
        let spent = events.iter().map(|event| event.spent);
        spent
            .map(|spent| (spent.in_state_us, spent.in_all_us))
            .collect()
    };
    let expected = [
        (None, Some(0)),
        (Some(20), Some(20)),
        (None, Some(90)),
        (Some(1), Some(91)),
        (None, Some(0)),
        (Some(1), Some(1)),
    ];
    assert_eq!(spent(&steps), expected);
    assert_eq!(spent(&steps[1..3]), [(None, None), (None, None)]);
    assert_eq!(spent(&steps[2..4]), [(None, None), (Some(1), None)]);
}

#[test]
fn segment_does_not_change_the_owner() {
    let elsewhere = |record| StepRecord {
        process: 99,
        ..record
    };
    let records = [
        made_by(5, record((Closed, SynSent), 0, 80)),
        elsewhere(record((SynSent, Established), 5_000, 80)),
        elsewhere(record((Established, CloseWait), 5_000, 80)),
        made_by(6, record((CloseWait, LastAck), 5_000, 80)),
        elsewhere(record((LastAck, Closed), 5_000, 80)),
    ];
    let expected = [Some(5), Some(5), Some(5), Some(6), Some(6)];
    assert_eq!(owners(&records), expected);
}

#[test]
fn what_was_there_before_belongs_to_who_holds_its_inode() {
    let with_inode = |record| StepRecord {
        inode: 77,
        ..record
    };
    let records = [
        with_inode(record((Established, CloseWait), 5_000, 80)),
        with_inode(made_by(5, record((CloseWait, LastAck), 5_000, 80))),
    ];
    let (events, _) = told(&records);
    let inodes = events
        .iter()
        .map(|event| event.owner.clone().unwrap().inode);
    assert_eq!(inodes.collect::<Vec<_>>(), [Some(77), Some(77)]);
    assert_eq!(owners(&records), [None, Some(5)]);
}

#[test]
fn connection_that_is_left_to_the_kernel_ends_without_a_step() {
    let mut close = CLOSE.map(|step| record(step, 5_000, 80));
    close[2].flags = 1 << 0;
    let (events, ended) = told(&close);
    assert_eq!((events.len(), ended), (2, vec![1]));
    close[2].flags = 1 << 1;
    let (events, ended) = told(&close);
    let last = events.last().unwrap();
    assert_eq!((last.socket.state, ended), (TimeWait, vec![1]));
    assert_eq!(last.ending, None);
}

#[test]
fn what_is_left_in_fin_wait_2_is_followed_to_time_wait() {
    let (mut lives, mut queue) = (Lives::default(), Queue::default());
    let mut close = CLOSE.map(|step| record(step, 5_000, 80));
    close[2].flags = 1 << 0;
    lives.follow(&close[0], b"", START, &mut queue);
    lives.follow(&close[1], b"", START, &mut queue);
    lives.follow_rest(rest(70, 7, 0), START, &mut queue);
    lives.follow(&close[2], b"", START, &mut queue);
    let mut events = Vec::new();
    let mut tell = |queue: &mut Queue| {
        let flow = queue.tell(Some(Timestamp::MAX), &mut |event: &Event| {
            events.push((event.old_state, event.socket.state, event.connection));
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        (events.len(), queue.take_ended())
    };
    assert_eq!(tell(&mut queue), (2, vec![]));
    // Its segments, also later ones; and one of a structure left before.
    for rest in [rest(71, 0, 0), rest(70, 0, 0), rest(70, 0, 0)] {
        lives.follow_rest(rest, START, &mut queue);
    }
    assert_eq!(tell(&mut queue), (3, vec![1]));
    assert_eq!(events[2], (Some(FinWait2), TimeWait, 1));
}

/// The record of a structure made for a socket in `FIN_WAIT_2`, or in `TIME_WAIT`.
fn rest(place: u64, socket: u64, cookie: u64) -> RestRecord {
    RestRecord {
        time_ns: 9,
        place,
        socket,
        cookie,
    }
}

/// Reported transitions to `TIME_WAIT`, and the number of ended connections.
fn left(queue: &mut Queue) -> (Vec<(Option<u32>, u64)>, usize) {
    let mut told = Vec::new();
    let flow = queue.tell(Some(Timestamp::MAX), &mut |event: &Event| {
        if event.socket.state == TimeWait {
            assert_eq!(event.old_state, Some(FinWait2));
            told.push((event.socket.local.port, event.connection));
        }
        ControlFlow::Continue(())
    });
    assert!(flow.is_continue());
    (told, queue.take_ended().len())
}

#[test]
fn what_was_in_fin_wait_2_before_is_followed_to_time_wait() {
    let (mut lives, mut queue) = (Lives::default(), Queue::default());
    // Closed already, and not yet.
    let mut small = Socket::new(Protocol::Tcp, Family::Inet);
    (small.state, small.cookie) = (FinWait2, Some(5));
    small.local.port = Some(1_000);
    lives.rests.add_found(&small);
    small.cookie = Some(6);
    small.inode = Some(77);
    lives.rests.add_found(&small);
    lives.follow_rest(rest(70, 7, 6), START, &mut queue);
    let mut close = record((FinWait2, Closed), 2_000, 80);
    close.flags = 1 << 0;
    lives.follow(&close, b"", START, &mut queue);
    assert_eq!(left(&mut queue), (vec![], 0));
    for rest in [
        rest(71, 0, 5),
        rest(70, 0, 6),
        rest(70, 0, 6),
        rest(71, 0, 5),
    ] {
        lives.follow_rest(rest, START, &mut queue);
    }
    let told = vec![(Some(1_000), 2), (Some(2_000), 1)];
    assert_eq!(left(&mut queue), (told, 2));
}

#[test]
fn what_is_left_is_forgotten_when_no_fin_came_in_time() {
    let (mut lives, mut queue) = (Lives::default(), Queue::default());
    let mut ended = Vec::new();
    for (place, seconds) in [(70, 0), (71, 100), (72, 122)] {
        let mut close = record((FinWait2, Closed), 2_000, 80);
        (close.flags, close.time_ns) = (1 << 0, seconds * 1_000_000_000);
        lives.follow_rest(rest(place, 7, 0), START, &mut queue);
        lives.follow(&close, b"", START, &mut queue);
        ended.push(left(&mut queue));
    }
    assert_eq!(ended, [(vec![], 0), (vec![], 0), (vec![], 1)]);
}

#[test]
fn connection_is_over_when_its_last_event_was_told() {
    let (mut lives, mut queue) = (Lives::default(), Queue::default());
    let mut end = record((FinWait2, Closed), 5_000, 80);
    (end.flags, end.socket) = (1 << 1, 8);
    for record in [record((Closed, SynSent), 0, 80), end] {
        lives.follow(&record, b"", START, &mut queue);
    }
    let mut tell = |waited| {
        let flow = queue.tell(waited, &mut |_: &Event| ControlFlow::Continue(()));
        assert!(flow.is_continue());
        queue.take_ended()
    };
    assert_eq!(tell(None), [0; 0]);
    assert_eq!(tell(Some(Timestamp::MAX)), [2]);
}

#[test]
fn socket_of_a_destroyed_listener_is_closed_once() {
    let records = [(Closed, Listen), (Listen, Closed), (Closed, Closed)];
    let (events, ended) = told(&records.map(|step| record(step, 80, 0)));
    assert_eq!((events.len(), ended.len()), (2, 0));
}

#[test]
fn what_lacks_something_holds_back_what_follows_for_a_while() {
    let (mut lives, mut queue) = (Lives::default(), Queue::default());
    let other = |record| StepRecord {
        socket: 8,
        time_ns: 1_000,
        ..record
    };
    for record in [
        record((Closed, SynSent), 0, 80),
        other(record((Established, CloseWait), 80, 5_000)),
    ] {
        lives.follow(&record, b"", START, &mut queue);
    }
    let mut told = |waited| {
        let mut count = 0;
        let flow = queue.tell(waited, &mut |_: &Event| {
            count += 1;
            ControlFlow::Continue(())
        });
        assert!(flow.is_continue());
        count
    };
    assert_eq!(told(None), 0);
    assert_eq!(told(Some(Timestamp::MIN)), 0);
    assert_eq!(told(Some(Timestamp::UNIX_EPOCH)), 2);
}

#[test]
fn step_without_a_record_is_counted_where_every_step_should_have_one() {
    let steps = [
        ((Closed, SynSent), 0, 80),
        ((SynSent, Established), 5_000, 80),
        // Its state before was FIN_WAIT_1.
        ((FinWait1, FinWait2), 5_000, 80),
        // And entered TIME_WAIT.
        ((Closed, SynSent), 0, 80),
    ];
    for (whole, missing) in [(Whole::All, 2), (Whole::WithEnds, 2), (Whole::None, 0)] {
        let mut lives = Lives {
            whole,
            ..Lives::default()
        };
        for (step, port, peer) in steps {
            let record = record(step, port, peer);
            lives.follow(&record, b"", START, &mut Queue::default());
        }
        assert_eq!(lives.missing, missing, "{whole:?}");
    }
}

#[test]
fn end_is_awaited_of_what_has_each_step_recorded() {
    let steps = [
        ((Closed, SynSent), 0),
        ((SynSent, Established), 5_000),
        ((Established, CloseWait), 5_000),
        ((CloseWait, Closed), 5_000),
    ];
    for (whole, open) in [
        (Whole::All, [1, 1, 1, 0]),
        // Until both ends are known, a filter on them passes more than wanted.
        (Whole::WithEnds, [0, 0, 1, 0]),
        (Whole::None, [0, 0, 0, 0]),
    ] {
        let mut lives = Lives {
            whole,
            ..Lives::default()
        };
        let found = steps.map(|(step, port)| {
            let record = StepRecord {
                cookie: 9,
                ..record(step, port, 80)
            };
            lives.follow(&record, b"", START, &mut Queue::default());
            assert_eq!(lives.is_open(9, 7), step.1 != Closed);
            lives.open().len()
        });
        assert_eq!(found, open, "{whole:?}");
    }
}
