//! What `/proc/net` does not list, on the kernel that runs.

use std::net::TcpStream;

use crate::scene::{V4, tcp};
use crate::support::{UNLISTED, UNLISTED_BY_KERNEL, fresh, lists_bound, lsock};

/// `lsock <words> --source procfs`
fn status(words: &[&str]) -> Option<i32> {
    let run = lsock([words, &["--source", "procfs"]].concat());
    run.assert_speaks_plainly();
    run.status
}

#[test]
fn check_over_proc_that_hangs_on_bound_has_no_answer() {
    let Some(_namespace) = fresh() else { return };
    let _listener = tcp::listener(V4, 1).unwrap();
    for (words, expected) in [
        (&["-q", "--expect", "0", "state bound"][..], 2),
        (&["-q", "state bound"], 2),
        (&["-taq", "--expect", "0", "sport = 1"], 2),
        (&["-q", "--wait", "0.1s", "--expect", "0", "state bound"], 2),
        (&["-saq", "--expect", "1"], 2),
        (&["-q", "--expect", "0", "state established"], 0),
        (&["-q", "--expect", "1", "state listen"], 0),
        (&["-taq", "--expect", "1.."], 0),
        (&["-tlq", "--expect", "2"], 1),
    ] {
        assert_eq!(status(words), Some(expected), "{words:?}");
    }
    let over_netlink = lsock(["-q", "--expect", "0", "state bound"]).status;
    assert_eq!(over_netlink, Some(if lists_bound() { 0 } else { 2 }));
}

#[test]
fn bound_over_proc_has_no_number() {
    let Some(_namespace) = fresh() else { return };
    let run = lsock(["-stj", "--source", "procfs"]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), UNLISTED));
    let document = run.document();
    assert_eq!(document["summary"]["complete"], false);
    assert!(document["counts"][0]["states"]["BOUND"].is_null());
    let run = lsock(["-stj"]);
    let bound = run.document()["counts"][0]["states"]["BOUND"].as_u64();
    let expected = if lists_bound() {
        (Some(0), "")
    } else {
        (None, UNLISTED_BY_KERNEL)
    };
    assert_eq!((bound, run.stderr.as_str()), expected);
}

#[test]
fn events_that_no_source_tells_are_not_none() {
    let Some(_namespace) = fresh() else { return };
    for words in [
        &["-Eq", "--wait", "50ms", "--expect", "0", "state bound"][..],
        &[
            "-Eq", "--wait", "50ms", "--expect", "0", "--source", "procfs",
        ],
    ] {
        assert_eq!(lsock(words).status, Some(2), "{words:?}");
    }
}

#[test]
fn queue_over_proc_without_its_limit_is_not_checked() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let words = ["-stj", "--fail-on", "warning", "not state bound"];
    let over_proc = || lsock([&words[..], &["--source", "procfs"]].concat());
    over_proc().clean();
    let to = rustix::net::getsockname(&listener).unwrap();
    let to = std::net::SocketAddr::try_from(to).unwrap();
    let _waiting = [
        TcpStream::connect(to).unwrap(),
        TcpStream::connect(to).unwrap(),
    ];
    let run = over_proc();
    let said = "lsock: undecided: not checked: accept_queue of 1 socket\n";
    assert_eq!((run.status, run.stderr.as_str()), (Some(2), said));
    assert_eq!(run.document()["not_checked"][0]["kind"], "accept_queue");
    assert_eq!(
        lsock(words).status,
        Some(1),
        "netlink tells that it is full"
    );
}
