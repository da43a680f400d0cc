//! The netlink socket.

use std::io::Read as _;
use std::process::Stdio;

use super::*;
use crate::support::{Child, close};

const NETLINK: [&str; 6] = [LIST[0], LIST[1], LIST[2], LIST[3], "--source", "netlink"];

#[test]
fn forbidden_netlink_falls_back_to_proc_with_one_warning() {
    let Some(stage) = Stage::new() else { return };
    for (code, text) in [
        ("EPERM", "operation not permitted"),
        ("EACCES", "permission denied"),
    ] {
        for call in ["socket", "sendto"] {
            let attempt = with_faults(&[&format!("{call}:error={code}")], &LIST);
            assert_whole(&attempt, &stage, "procfs");
            let reason = format!("netlink: cannot list IPv4 TCP sockets: {text}");
            let warning = format!(
                "lsock: warning: {reason}; reading /proc/net, which has no BOUND sockets and fewer fields\n"
            );
            assert_eq!(attempt.stderr, warning, "{call} {code}");
            let source = &attempt.document()["summary"]["sources"][0];
            assert_eq!(source["reason"], *reason, "{call} {code}");
        }
    }
}

#[test]
fn forbidden_netlink_is_warned_of_once_for_all_tables() {
    let Some(_stage) = Stage::new() else { return };
    let attempt = with_faults(&["socket:error=EPERM"], &["-anj"]);
    assert_eq!(attempt.status, Some(0), "{attempt:?}");
    assert_eq!(attempt.stderr.lines().count(), 1, "{attempt:?}");
    let document = attempt.document();
    let sources = document["summary"]["sources"].as_array().unwrap();
    for source in sources {
        assert_ne!(source["source"], "netlink", "{source}");
        assert!(source["reason"].is_string(), "{source}");
    }
}

#[test]
fn netlink_that_the_kernel_does_not_have_falls_back_to_proc_with_what_it_lacks() {
    let Some(stage) = Stage::new() else { return };
    for code in ["EPROTONOSUPPORT", "EAFNOSUPPORT", "ENOSYS"] {
        let attempt = with_faults(&[&format!("socket:error={code}")], &LIST);
        assert_whole(&attempt, &stage, "procfs");
        assert_eq!(attempt.stderr, UNLISTED, "{code}");
        let document = attempt.document();
        let reason = document["summary"]["sources"][0]["reason"].as_str();
        let begin = "netlink: cannot list IPv4 TCP sockets: ";
        assert!(reason.unwrap().starts_with(begin), "{code}: {reason:?}");
    }
}

#[test]
fn protocol_whose_module_is_missing_is_told_to_come_from_proc() {
    let Some(_stage) = Stage::new() else { return };
    for (words, of, module) in [
        ("-u", "IPv4 UDP", "udp_diag"),
        ("-x", "unix", "unix_diag"),
        ("-0", "packet", "af_packet_diag"),
        ("--netlink", "netlink", "netlink_diag"),
    ] {
        let attempt = with_faults(&["sendto:error=ENOENT"], &["-anj", words]);
        let warning = format!(
            "lsock: warning: netlink: cannot list {of} sockets: {module} is not loaded (ENOENT); \
             modprobe {module}; reading /proc/net, which has fewer fields\n"
        );
        assert_eq!(
            (attempt.status, attempt.stderr.as_str()),
            (Some(0), &*warning)
        );
        let document = attempt.document();
        let sources = document["summary"]["sources"].as_array().unwrap();
        assert!(!sources.is_empty());
        assert!(
            sources.iter().all(|source| source["source"] == "procfs"),
            "{words}: {sources:?}"
        );
    }
    let attempt = with_faults(&["sendto:error=ENOENT"], &["-tuanj"]);
    assert_eq!(attempt.stderr.lines().count(), 2, "{attempt:?}");
    let check = ["-uq", "--expect", "0", "memory.rmem > 1"];
    let attempt = with_faults(&["sendto:error=ENOENT"], &check);
    assert_eq!(attempt.status, Some(2), "{attempt:?}");
}

#[test]
fn netlink_alone_has_nothing_to_fall_back_to() {
    let Some(stage) = Stage::new() else { return };
    for code in ["EPERM", "EACCES", "EPROTONOSUPPORT"] {
        let attempt = with_faults(&[&format!("socket:error={code}")], &NETLINK);
        assert_incomplete(
            &attempt,
            &stage,
            "lsock: netlink: cannot list IPv4 TCP sockets: ",
        );
        assert_eq!(attempt.rows().len(), 0, "{code}: {attempt:?}");
        assert_eq!(attempt.stderr.lines().count(), 1, "{code}: {attempt:?}");
    }
}

#[test]
fn shortage_is_no_reason_to_fall_back() {
    let Some(stage) = Stage::new() else { return };
    for code in ["EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EIO"] {
        for call in ["socket", "sendto"] {
            let attempt = with_faults(&[&format!("{call}:error={code}")], &LIST);
            assert_incomplete(
                &attempt,
                &stage,
                "lsock: netlink: cannot list IPv4 TCP sockets: ",
            );
            assert_eq!(attempt.rows().len(), 0, "{call} {code}: {attempt:?}");
            let document = attempt.document();
            let source = &document["summary"]["sources"][0]["source"];
            assert!(source.is_null(), "{call} {code}: {source}");
        }
    }
}

/// What can happen to `recv`: an error, the end of the file, more bytes than fit the buffer.
const LOSSES: [(&str, &str); 4] = [
    ("error=ENOBUFS", "the receive buffer overran (ENOBUFS)"),
    ("error=EIO", "receiving failed: input/output error"),
    ("retval=0", "receiving failed: "),
    ("retval=40000", "receiving failed: truncated datagram"),
];

/// Of a short dump, for which one thread makes all calls.
#[test]
fn loss_before_the_first_row_begins_the_dump_again() {
    let Some(_stage) = Stage::new() else { return };
    let words = ["-tlnj4", "--columns", COLUMNS];
    let rows = lsock(words).rows();
    for (fault, _) in LOSSES {
        for when in ["1", "1..2"] {
            let attempt = with_faults(&[&format!("recvfrom:{fault}:when={when}")], &words);
            assert_eq!(
                (attempt.status, attempt.stderr.as_str()),
                (Some(0), ""),
                "{fault}"
            );
            assert_eq!(attempt.rows(), rows, "{fault} {when}");
            assert_eq!(attempt.document()["summary"]["complete"], true);
        }
    }
}

#[test]
fn loss_before_the_first_row_again_and_again_is_told() {
    let Some(stage) = Stage::new() else { return };
    for (fault, text) in LOSSES {
        let attempt = with_faults(&[&format!("recvfrom:{fault}")], &LIST);
        assert_incomplete(&attempt, &stage, text);
        assert_eq!(attempt.rows().len(), 0, "{fault}: {attempt:?}");
    }
}

/// `strace` counts the calls of each thread by themselves. The first one makes four, the one that
/// receives ahead makes the others, so that the fifth is always of the latter.
#[test]
fn loss_amid_the_rows_is_told_and_doubles_none() {
    let Some(stage) = Stage::new() else { return };
    for (fault, text) in LOSSES {
        for call in [2, 3, 4, 5, 6] {
            let attempt = with_faults(&[&format!("recvfrom:{fault}:when={call}")], &LIST);
            assert_incomplete(&attempt, &stage, text);
            let rows = attempt.rows().len();
            assert!(rows > 0 && rows < stage.rows.len(), "{fault}: {rows} rows");
        }
    }
}

#[test]
fn thread_that_cannot_be_had_changes_nothing() {
    let Some(stage) = Stage::new() else { return };
    let attempt = with_faults(&["?clone,?clone3:error=EAGAIN"], &LIST);
    assert_whole(&attempt, &stage, "netlink");
    assert_eq!(attempt.stderr, "");
}

#[test]
fn long_dump_ends_when_no_more_rows_are_wanted() {
    let Some(stage) = Stage::new() else { return };
    for limit in ["1", "100", "500"] {
        let attempt = lsock([&LIST[..], &["--limit", limit]].concat());
        assert_eq!(
            (attempt.status, attempt.stderr.as_str()),
            (Some(0), ""),
            "{limit}"
        );
        let rows = attempt.rows();
        assert_eq!(rows.len().to_string(), limit);
        assert!(rows.iter().all(|row| stage.rows.contains(row)), "{rows:#?}");
    }
}

#[test]
fn long_dump_ends_when_its_reader_leaves() {
    let Some(_stage) = Stage::new() else { return };
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut program = program();
    let child = Child::start(program.args(LIST).stdout(writer).stderr(Stdio::piped()));
    // What the parent holds of the pipe goes with the command.
    drop(program);
    reader.read_exact(&mut [0; 100]).unwrap();
    close(reader);
    let attempt = child.end();
    assert_eq!((attempt.status, attempt.stderr.as_str()), (Some(0), ""));
}

#[test]
fn loss_in_one_table_leaves_the_next_one_whole() {
    let Some(stage) = Stage::new() else { return };
    let words = ["-tuanj4", "--columns", COLUMNS, "-im"];
    let attempt = with_faults(&["recvfrom:error=ENOBUFS:when=2"], &words);
    assert_incomplete(
        &attempt,
        &stage,
        "IPv4 TCP sockets: the receive buffer overran",
    );
    let sources = &attempt.document()["summary"]["sources"];
    assert_eq!(sources[1]["protocol"], "udp");
    assert_eq!(sources[1]["source"], "netlink");
    assert_eq!(attempt.stderr.lines().count(), 1, "{attempt:?}");
}

#[test]
fn recording_of_an_incomplete_list_replays_as_incomplete() {
    let Some(stage) = Stage::new() else { return };
    let recording = crate::recording::file_of(b"");
    let path = recording.path().to_str().unwrap();
    let words = ["-tanj46", "--columns", COLUMNS, "-imD", path];
    let live = with_faults(&["recvfrom:error=ENOBUFS:when=2"], &words);
    assert_incomplete(&live, &stage, "ENOBUFS");
    let replayed = lsock(["-tanj46", "--columns", COLUMNS, "--replay", path]);
    assert_incomplete(&replayed, &stage, "in the middle of");
    assert_same(&replayed.rows(), &live.rows());
}

#[test]
fn interrupted_calls_change_nothing() {
    let Some(stage) = Stage::new() else { return };
    for call in ["recvfrom", "sendto", "write"] {
        for when in ["1", "2", "5", "1+2", "1..3"] {
            let attempt = with_faults(&[&format!("{call}:error=EINTR:when={when}")], &LIST);
            assert_whole(&attempt, &stage, "netlink");
            assert_eq!(attempt.stderr, "", "{call} {when}");
        }
    }
}

#[test]
fn request_sent_by_half_is_an_error() {
    let Some(stage) = Stage::new() else { return };
    let attempt = with_faults(&["sendto:retval=10"], &LIST);
    assert_incomplete(
        &attempt,
        &stage,
        "lsock: netlink: cannot list IPv4 TCP sockets: ",
    );
    assert_eq!(attempt.rows().len(), 0);
}

#[test]
fn both_ip_versions_at_once_are_asked_for_one_by_one_where_that_is_refused() {
    let Some(stage) = Stage::new() else { return };
    let words = ["-tanj", "--columns", COLUMNS];
    let refused = with_faults(&["sendto:error=EINVAL:when=1"], &words);
    assert_eq!((refused.status, refused.stderr.as_str()), (Some(0), ""));
    assert_same(&refused.rows(), &stage.rows);
}
