#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use super::{COMMAND, DEAD, DONE, KERNEL_THREAD, StepRecord};
use crate::model::State::{
    CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRcvd, SynSent,
    TimeWait,
};
use crate::model::{Ending, State};
use std::net::IpAddr;
use zerocopy::{FromZeros as _, IntoBytes as _};

/// The kernel's code for a state.
pub(in super::super) fn code(state: State) -> u32 {
    let codes = 1..=11;
    let is_it = |code: &u32| State::from_mptcp(u8::try_from(*code).unwrap()) == state;
    codes.into_iter().find(is_it).unwrap()
}

/// A transition of a TCP socket with these ports, made by a segment.
pub(in super::super) fn record(step: (State, State), local: u16, peer: u16) -> StepRecord {
    StepRecord {
        socket: 7,
        old_state: code(step.0),
        new_state: code(step.1),
        protocol: 6,
        family: 2,
        port: local,
        peer_port: peer.to_be_bytes(),
        address: [127, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        peer_address: [127, 0, 0, 2, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        ..StepRecord::new_zeroed()
    }
}

/// The same, made by a system call of a process.
pub(in super::super) fn made_by(process: u32, record: StepRecord) -> StepRecord {
    let mut name = [0; 16];
    name[..4].copy_from_slice(b"curl");
    StepRecord {
        is_held: 1,
        process,
        name,
        thread_name: name,
        ..record
    }
}

#[test]
fn what_is_too_short_is_no_record() {
    let mut long = made_by(5, record((Closed, SynSent), 0, 80));
    long.command_length = 5;
    let bytes = [long.as_bytes(), b"curl\0"].concat();
    for length in 0..size_of::<StepRecord>() {
        assert!(
            StepRecord::read(&bytes[..length]).is_none(),
            "{length} bytes"
        );
    }
    for length in size_of::<StepRecord>()..bytes.len() {
        assert_eq!(
            StepRecord::read(&bytes[..length]).unwrap().1,
            b"",
            "{length}"
        );
    }
    assert_eq!(StepRecord::read(&bytes).unwrap().1, b"curl\0");
    assert!(size_of::<StepRecord>().is_multiple_of(8) && COMMAND.is_multiple_of(8));
}

#[test]
fn ends_are_those_of_the_family() {
    let mut step = record((Established, CloseWait), 5_000, 80);
    assert_eq!(step.local(), ([127, 0, 0, 1].into(), 5_000));
    assert_eq!(step.peer(), ([127, 0, 0, 2].into(), 80));
    step.family = 10;
    assert_eq!(step.local().0, IpAddr::from(step.address));
    step.port = 0;
    step.last_port = 5_000_u16.to_be_bytes();
    // Of the socket's previous use.
    assert_eq!(step.local().1, 0);
    step.new_state = code(Closed);
    assert_eq!(step.local().1, 5_000);
    // It may have had a peer before.
    for states in [(Closed, Listen), (Listen, Closed)] {
        assert_eq!(record(states, 80, 9).peer(), ([0; 4].into(), 0));
    }
    for states in [(Listen, SynRcvd), (Listen, Established)] {
        assert_eq!(record(states, 80, 9).peer().1, 9);
    }
}

#[test]
fn what_is_not_watched_has_no_table() {
    let mut step = record((Closed, SynSent), 0, 80);
    assert!(step.table().is_some());
    step.protocol = 132;
    assert_eq!(step.table(), None);
    (step.protocol, step.family) = (6, 1);
    assert_eq!(step.table(), None);
}

#[test]
fn end_of_a_socket_is_not_that_of_its_connection() {
    let told = |states, flags, error| {
        StepRecord {
            flags,
            error,
            ..record(states, 5_000, 80)
        }
        .new_state()
    };
    assert_eq!(told((FinWait2, Closed), DONE, 0), Some(TimeWait));
    assert_eq!(told((FinWait2, Closed), DONE | DEAD, 0), Some(TimeWait));
    assert_eq!(told((Closing, Closed), DONE, 0), Some(TimeWait));
    assert_eq!(told((FinWait2, Closed), DEAD, 0), None);
    assert_eq!(told((FinWait2, Closed), 0, 0), Some(Closed));
    assert_eq!(told((FinWait2, Closed), DEAD, 104), Some(Closed));
    assert_eq!(told((LastAck, Closed), DEAD | DONE, 0), Some(Closed));
    assert_eq!(told((Established, Closed), 0, 0), Some(Closed));
    assert_eq!(told((Closed, Closed), 0, 0), None);
    let mut of_mptcp = record((FinWait2, Closed), 5_000, 80);
    (of_mptcp.protocol, of_mptcp.flags) = (262, DEAD);
    assert_eq!(of_mptcp.new_state(), Some(Closed));
    assert_eq!(of_mptcp.ending(), Some(Ending::Complete));
    of_mptcp = record((SynSent, Closed), 0, 0);
    of_mptcp.protocol = 262;
    assert_eq!(of_mptcp.ending(), None);
}

#[test]
fn end_tells_its_reason() {
    let told = |old, error| StepRecord {
        error,
        ..record((old, Closed), 5_000, 80)
    };
    for (step, ending) in [
        (told(SynSent, 111), Some(Ending::Rejected)),
        (
            StepRecord {
                answers: 1,
                ..told(SynSent, 111)
            },
            Some(Ending::Refused),
        ),
        (told(SynSent, 110), Some(Ending::TimedOut)),
        (told(SynSent, 113), Some(Ending::Unreachable)),
        (
            StepRecord {
                segments: 1,
                ..told(SynSent, 0)
            },
            Some(Ending::GivenUp),
        ),
        (told(SynSent, 0), Some(Ending::NotBegun)),
        (record((SynSent, Closed), 0, 0), Some(Ending::NoPort)),
        (told(Established, 104), Some(Ending::ResetByPeer)),
        (told(CloseWait, 32), Some(Ending::ResetByPeer)),
        (
            StepRecord {
                flags: DEAD,
                ..told(FinWait2, 104)
            },
            Some(Ending::Reset),
        ),
        (told(Established, 103), Some(Ending::Destroyed)),
        (told(Listen, 103), Some(Ending::Destroyed)),
        (made_by(5, told(Established, 0)), Some(Ending::Aborted)),
        (
            StepRecord {
                repair: 0b11,
                ..made_by(5, told(Established, 0))
            },
            Some(Ending::Removed),
        ),
        (told(Established, 0), Some(Ending::NotAccepted)),
        (
            StepRecord {
                inode: 9,
                ..told(Established, 0)
            },
            None,
        ),
        (made_by(5, told(Listen, 0)), None),
        (told(LastAck, 0), None),
        // To TIME_WAIT, when its own process handles the segment.
        (
            StepRecord {
                flags: DONE,
                ..made_by(5, told(Closing, 0))
            },
            None,
        ),
        (told(Established, 1), None),
        (record((Established, FinWait1), 5_000, 80), None),
    ] {
        assert_eq!(step.ending(), ending, "{step:?}");
    }
}

#[test]
fn only_who_holds_the_socket_uses_it() {
    let step = made_by(5, record((Closed, SynSent), 0, 80));
    let user = step.user(b"curl\0-s\0http://x\0").unwrap();
    assert_eq!((user.pid, user.name.as_deref()), (5, Some(&b"curl"[..])));
    assert_eq!(
        (user.command.as_deref(), user.called),
        (Some(&b"curl -s http://x"[..]), 4)
    );
    for other in [
        StepRecord { is_held: 0, ..step },
        // Of another PID namespace.
        StepRecord { process: 0, ..step },
        StepRecord {
            task_flags: KERNEL_THREAD,
            ..step
        },
        // Of the process that destroys it.
        StepRecord { error: 103, ..step },
        StepRecord {
            old_state: code(Listen),
            new_state: code(Closed),
            ..step
        },
    ] {
        assert_eq!(other.user(b""), None, "{other:?}");
    }
    let closed = StepRecord {
        old_state: code(Listen),
        new_state: code(Closed),
        shutdown: 3,
        ..step
    };
    assert!(closed.user(b"").is_some());
}

#[test]
fn step_of_a_system_call_has_a_task_and_that_of_a_segment_has_none() {
    let by = |states, error| {
        let step = StepRecord {
            thread: 6,
            error,
            ..made_by(5, record(states, 5_000, 80))
        };
        let task = step.task();
        assert!(task.is_none_or(|task| (task.pid, task.tid, task.name()) == (5, 6, b"curl")));
        task.is_some()
    };
    for states in [
        (Closed, SynSent),
        (Closed, Listen),
        (Listen, Closed),
        (SynRcvd, FinWait1),
        (Established, FinWait1),
        (CloseWait, LastAck),
        (Established, Closed),
        (SynSent, Closed),
    ] {
        assert!(by(states, 0), "{states:?}");
    }
    // By a segment that came while the socket's user held it.
    for states in [
        (SynSent, Established),
        (Established, CloseWait),
        (FinWait1, FinWait2),
        (LastAck, Closed),
    ] {
        assert!(!by(states, 0), "{states:?}");
    }
    assert!(!by((Established, Closed), 104));
    assert!(by((Established, Closed), 103), "who destroys it");
    let elsewhere = made_by(0, record((Closed, SynSent), 0, 80));
    assert_eq!(elsewhere.task(), None);
    // Of the process that closes the listener.
    let of_listener = StepRecord {
        process: 5,
        ..record((Established, Closed), 80, 5_000)
    };
    assert_eq!(of_listener.task().map(|task| task.pid), Some(5));
}

#[test]
fn traffic_is_that_of_data() {
    let counted = StepRecord {
        sent: 1_500,
        resent: 500,
        received: 301,
        retransmits: 2,
        srtt: 801,
        flags: DONE,
        ..record((FinWait2, Closed), 5_000, 80)
    };
    let traffic = counted.traffic().unwrap();
    assert_eq!((traffic.bytes_sent, traffic.bytes_received), (1_000, 300));
    assert_eq!((traffic.retransmits, traffic.rtt_us), (2, Some(100)));
    let open = StepRecord {
        flags: 0,
        srtt: 0,
        ..counted
    };
    let traffic = open.traffic().unwrap();
    assert_eq!((traffic.bytes_received, traffic.rtt_us), (301, None));
    assert_eq!(record((Closed, Listen), 80, 0).traffic(), None);
    assert_eq!(record((Listen, Closed), 80, 0).traffic(), None);
    assert!(record((Listen, SynRcvd), 80, 9).traffic().is_some());
}
