//! Recordings that are cut, changed, made up, or of a listing that was itself incomplete.

use std::ops::ControlFlow;
use std::path::Path;

use lsock::filter::Narrow;
use lsock::model::{Family, Protocol, Socket, StateSet};
use lsock::source::{Extensions, ReplaySource, Request, Source as _};
use proptest::prelude::*;

use crate::recording::{
    DONE, ERROR, HEADER, INTERRUPTED, MULTI, Message, SOCKET, file, file_of, fixture,
};
use crate::scene::{Namespace, V4, tcp};
use crate::support::{LSOCK, Run, command, lsock_within, run};

mod changed;
mod cut;

fn replay(path: &Path) -> Run {
    let path = path.to_str().unwrap();
    lsock_within(["-aimnj", "--replay", path])
}

fn replay_of(path: &str, words: &[&str]) -> Run {
    lsock_within([words, &["--replay", path]].concat())
}

/// The whole recordings whose bytes are cut and changed: two dumps of each, the second shorter.
fn samples() -> Vec<Vec<Message>> {
    let few = |name: &str, count: usize| {
        let mut messages = fixture(name);
        let end = messages.pop().unwrap();
        messages.truncate(count);
        if name.starts_with("tcp") || name.starts_with("mptcp") {
            // The numbers of tcp_info are many bytes that are all read alike.
            for message in &mut messages {
                *message = message.without(72, &[2]);
            }
        }
        messages.push(end);
        messages
    };
    vec![
        [few("tcp4.bin", 2), few("udp6.bin", 2)].concat(),
        [
            few("unix.bin", 6),
            few("netlink.bin", 2),
            few("packet.bin", 2),
        ]
        .concat(),
        [few("mptcp4.bin", 1), proc_lines()].concat(),
    ]
}

/// `/proc/net/icmp` in a recording of ours: lines in messages of the type `LS`.
fn proc_lines() -> Vec<Message> {
    const LINE: u16 = 0x4c53;
    let table = lsock::model::Table {
        protocol: Protocol::Icmp,
        family: Family::Inet,
    };
    let sequence = lsock::wire::tag(table);
    let line = |number: u32| {
        let text = format!(
            "  {number}: 0100007F:0007 00000000:0000 07 00000000:00000000 00:00000000 00000000  \
             1000        0 {} 2 0000000000000000 0",
            4711 + number
        );
        Message::new(LINE, sequence, text.as_bytes())
    };
    vec![
        line(1),
        line(2),
        Message::new(DONE, sequence, &0_i32.to_ne_bytes()),
    ]
}

/// Is every row of `part` one of `whole`, none more often than there?
fn is_part(part: &[String], whole: &[String]) -> bool {
    let mut left = whole.to_vec();
    part.iter().all(|row| {
        let found = left.iter().position(|other| other == row);
        found.map(|index| left.swap_remove(index)).is_some()
    })
}

fn assert_incomplete(attempt: &Run, part: &str) {
    attempt.assert_speaks_plainly();
    assert_eq!(attempt.status, Some(2), "{attempt:?}");
    assert!(attempt.stderr.contains(part), "{attempt:?}");
    assert_eq!(attempt.document()["summary"]["complete"], false);
}

#[test]
fn sample_is_listed_whole() {
    for sample in samples() {
        let attempt = replay(file(&sample).path());
        assert_eq!((attempt.status, attempt.stderr.as_str()), (Some(0), ""));
        let sockets = sample.iter().filter(|message| message.kind() != DONE);
        assert_eq!(attempt.rows().len(), sockets.count());
    }
}

#[test]
fn recording_from_a_pipe_is_listed_as_from_a_file() {
    let file = file(&samples().concat());
    let script = "cat \"$1\" | \"$0\" -aimnj --replay /dev/stdin";
    let piped = run(command("sh").args(["-c", script, LSOCK]).arg(file.path()));
    assert_eq!(piped.sockets(), replay(file.path()).sockets());
}

#[test]
fn dump_that_the_kernel_broke_off_is_incomplete() {
    let mut dump = fixture("tcp4.bin");
    let end = dump.pop().unwrap();
    for (kind, code) in [(DONE, -12_i32), (ERROR, -105)] {
        let broken = Message::new(kind, end.sequence(), &code.to_ne_bytes());
        let attempt = replay(file(&[dump.clone(), vec![broken]].concat()).path());
        assert_eq!(attempt.rows().len(), dump.len());
        assert_incomplete(&attempt, "the kernel aborted");
    }
}

#[test]
fn table_that_changed_while_it_was_recorded_is_incomplete() {
    let mut dump = fixture("tcp4.bin");
    let sockets = dump.len() - 1;
    let last = dump.last_mut().unwrap();
    *last = last.with_flags(MULTI | INTERRUPTED);
    let attempt = replay(file(&dump).path());
    assert_eq!(attempt.rows().len(), sockets);
    assert_incomplete(&attempt, "NLM_F_DUMP_INTR");
}

#[test]
fn dump_without_an_end_before_another_one_is_incomplete() {
    let mut first = fixture("tcp4.bin");
    first.pop();
    let second = fixture("udp4.bin");
    let rows = first.len() + second.len() - 1;
    let attempt = replay(file(&[first, second].concat()).path());
    assert_eq!(attempt.rows().len(), rows);
    assert_incomplete(&attempt, "breaks off in the middle of the IPv4 TCP sockets");
}

#[test]
fn refused_table_is_none_of_the_recording() {
    let udp = fixture("udp4.bin");
    let sequence = fixture("tcp4.bin")[0].sequence();
    let refused = Message::new(ERROR, sequence, &(-2_i32).to_ne_bytes());
    let attempt = replay(file(&[vec![refused], udp.clone()].concat()).path());
    assert_eq!(
        (attempt.status, attempt.rows().len()),
        (Some(0), udp.len() - 1)
    );
}

#[test]
fn table_that_is_not_in_the_recording_is_missing() {
    let recording = file(&fixture("udp4.bin"));
    let path = recording.path().to_str().unwrap();
    let attempt = lsock_within(["-anj", "-A", "unix,udp", "--replay", path]);
    assert_eq!(attempt.rows().len(), fixture("udp4.bin").len() - 1);
    assert_incomplete(&attempt, "holds no");
}

#[test]
fn unread_reply_of_a_recording_is_counted() {
    let mut dump = fixture("tcp4.bin");
    for length in [0, 1, 71] {
        let payload = dump[0].payload()[..length].to_vec();
        dump.insert(1, Message::new(SOCKET, dump[0].sequence(), &payload));
    }
    let rows = dump.len() - 1 - 3;
    let attempt = replay(file(&dump).path());
    assert_eq!(attempt.rows().len(), rows);
    assert_incomplete(&attempt, "3 malformed replies");
}

#[test]
fn reply_of_a_family_that_was_not_asked_for_is_counted() {
    let mut dump = fixture("tcp4.bin");
    dump[0].0[HEADER] = 40;
    let attempt = replay(file(&dump).path());
    assert_eq!(attempt.rows().len(), dump.len() - 2);
    assert_incomplete(&attempt, "address family 40");
}

#[test]
fn limited_recording_is_replayed_as_incomplete() {
    let _namespace = Namespace::enter();
    let _held = tcp::states::half_closed(V4).unwrap();
    let recording = file_of(b"");
    let path = recording.path().to_str().unwrap();
    let limited = lsock_within(["-t4anj", "--limit", "1", "-D", path]);
    assert_eq!(limited.status, Some(0), "{limited:?}");
    let replayed = replay(recording.path());
    // The kernel may have put the end of the dump beside the first socket.
    if replayed.status == Some(0) {
        assert!(replayed.rows().len() > 1, "{replayed:?}");
    }
}

/// The stream of Linux 2.6.32 (`ss -D`): one dump has TCP over both IP versions.
#[test]
fn dump_of_both_ip_versions_is_whole() {
    const OLDER: u16 = 18;
    const OF_SS: u32 = 123_456;
    let of = |name: &str, place: usize| {
        let row = &fixture(name)[place];
        Message::new(OLDER, OF_SS, row.payload())
    };
    let end = Message::new(DONE, OF_SS, &0_i32.to_ne_bytes());
    let rows = [
        of("tcp4.bin", 0),
        of("tcp6.bin", 0),
        of("tcp4.bin", 1),
        of("tcp6.bin", 1),
    ];
    let whole = replay(file(&[&rows[..], std::slice::from_ref(&end)].concat()).path());
    whole.assert_speaks_plainly();
    assert_eq!(
        (whole.status, whole.rows().len()),
        (Some(0), 4),
        "{whole:?}"
    );
    let one = [of("tcp4.bin", 0), end];
    let path = file(&one);
    let named = lsock_within(["-tanj", "--replay", path.path().to_str().unwrap()]);
    assert_eq!(
        (named.status, named.rows().len()),
        (Some(0), 1),
        "{named:?}"
    );
    assert_incomplete(&replay(file(&rows).path()), "ends in the middle of a dump");
}

/// `ss -D` writes a dump of each IP version; of one without a socket no more than its end.
#[test]
fn dump_of_ss_without_a_socket_is_whole() {
    const OF_SS: u32 = 123_456;
    let row = |name: &str| Message::new(SOCKET, OF_SS, fixture(name)[0].payload());
    let end = |code: i32| Message::new(DONE, OF_SS, &code.to_ne_bytes());
    let refused = Message::new(ERROR, OF_SS, &(-22_i32).to_ne_bytes()).with_flags(0);
    for (messages, rows) in [
        (vec![row("tcp4.bin"), end(0), end(0)], 1),
        (vec![end(0), row("tcp6.bin"), end(0)], 1),
        (vec![end(0), end(0)], 0),
        (vec![end(0)], 0),
        (vec![refused.clone(), end(0)], 0),
    ] {
        let recording = file(&messages);
        let path = recording.path().to_str().unwrap();
        for words in [&["-anj"][..], &["-tanj"], &["-anj", "-4", "-t", "-6"]] {
            let attempt = lsock_within([words, &["--replay", path]].concat()).clean();
            assert_eq!(attempt.rows().len(), rows, "{messages:?}");
            assert_eq!(attempt.document()["summary"]["complete"], true);
        }
        assert_incomplete(&replay_of(path, &["-uanj"]), "holds no IPv4 UDP sockets");
    }
    for (messages, message) in [
        (vec![end(-2)], "the kernel refused a dump: no such file"),
        (vec![refused], "holds no dump"),
    ] {
        let attempt = replay(file(&messages).path());
        assert_eq!(attempt.status, Some(2));
        assert!(attempt.stderr.contains(message), "{attempt:?}");
    }
    let half = file(&[row("tcp4.bin"), end(0), end(-2)]);
    assert_incomplete(&replay(half.path()), "the kernel refused a dump");
}

#[test]
fn recording_that_is_cut_while_it_is_played_is_told() {
    let table = lsock::model::Table::new(Protocol::Tcp, Family::Inet);
    let request = Request {
        states: StateSet::ALL,
        extensions: Extensions::default(),
        narrow: Narrow::default(),
        netns: None,
    };
    let dump = fixture("tcp4.bin");
    let count = dump.len() - 1;
    // Also where every row is left, but not the end.
    for left in 0..=count {
        let recording = file(&dump);
        let mut source = ReplaySource::open(recording.path()).unwrap();
        let bytes: usize = dump[..left].iter().map(|message| message.0.len()).sum();
        recording
            .as_file()
            .set_len(u64::try_from(bytes).unwrap())
            .unwrap();
        let mut rows = 0;
        let outcome = source.visit(table, &request, &mut |_: &Socket| {
            rows += 1;
            ControlFlow::Continue(())
        });
        assert!(rows <= left);
        let gaps: Vec<String> = outcome
            .unwrap()
            .into_gaps()
            .map(|gap| gap.to_string())
            .collect();
        let cut = format!("{}: cut while it was read", recording.path().display());
        assert_eq!(gaps, [cut], "{left} messages left");
    }
}
