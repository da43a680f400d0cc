//! The names of the peers of unix sockets: those of sockets that the dump does not have are asked for apart.

use super::*;
use crate::scene::unix;
use crate::support::lsock;
use std::os::unix::net::UnixDatagram;
use tempfile::TempDir;

/// The columns that do not depend on the other end.
const WORDS: [&str; 3] = [
    "-xanj",
    "--columns",
    "state,inode,local_address,peer_address",
];

struct Pairs {
    rows: Vec<String>,
    _stage: (crate::scene::Held, Namespace),
    /// A connection to a socket of another namespace.
    _elsewhere: (TempDir, [UnixDatagram; 2]),
}

fn pairs() -> Option<Pairs> {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("elsewhere");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let namespace = straced()?;
    let sender = UnixDatagram::unbound().unwrap();
    sender.connect(&path).unwrap();
    let held = unix::states::all().unwrap();
    let attempt = lsock(WORDS);
    assert_eq!((attempt.status, attempt.stderr.as_str()), (Some(0), ""));
    let rows = attempt.rows();
    assert!(
        rows.iter()
            .any(|row| !row.contains("\"peer_address\":null"))
    );
    Some(Pairs {
        rows,
        _stage: (held, namespace),
        _elsewhere: (directory, [sender, receiver]),
    })
}

/// What goes wrong behind the dump.
const FAULTS: [&str; 3] = [
    "sendto:error=ENOBUFS:when=2",
    "recvfrom:error=ENOBUFS:when=3+",
    "recvfrom:retval=0:when=3+",
];

#[test]
fn names_that_cannot_be_had_are_warned_of() {
    let Some(pairs) = pairs() else { return };
    for fault in FAULTS {
        let attempt = with_faults(&[fault], &WORDS);
        assert_eq!(attempt.status, Some(0), "{fault}: {attempt:?}");
        assert_same(&attempt.rows(), &pairs.rows);
        let warning = "lsock: warning: netlink: names of unix peers are missing: ";
        assert!(attempt.stderr.starts_with(warning), "{fault}: {attempt:?}");
        let warnings = attempt.document()["summary"]["warnings"].clone();
        assert_eq!(warnings.as_array().unwrap().len(), 1, "{fault}: {warnings}");
    }
}

#[test]
fn sockets_and_names_are_asked_for_up_to_four_times() {
    let Some(pairs) = pairs() else { return };
    for when in ["1", "2", "1..3"] {
        let attempt = with_faults(&[&format!("recvfrom:error=ENOBUFS:when={when}")], &WORDS);
        assert_eq!(
            (attempt.status, attempt.stderr.as_str()),
            (Some(0), ""),
            "{when}"
        );
        assert_same(&attempt.rows(), &pairs.rows);
    }
}

#[test]
fn interrupted_calls_change_nothing() {
    let Some(pairs) = pairs() else { return };
    for call in ["recvfrom", "sendto"] {
        for when in ["1", "2", "1+2"] {
            let attempt = with_faults(&[&format!("{call}:error=EINTR:when={when}")], &WORDS);
            assert_eq!((attempt.status, attempt.stderr.as_str()), (Some(0), ""));
            assert_same(&attempt.rows(), &pairs.rows);
        }
    }
}

#[test]
fn filter_by_names_that_cannot_be_had_has_no_answer() {
    let Some(_pairs) = pairs() else { return };
    for (words, expression) in [("-xaj", "dst @nobody"), ("-xaq", "dst @nobody")] {
        let undisturbed = lsock([words, expression]);
        let expected = i32::from(words == "-xaq");
        assert_eq!(undisturbed.status, Some(expected), "{undisturbed:?}");
        for fault in FAULTS {
            let attempt = with_faults(&[fault], &[words, expression]);
            assert_eq!(attempt.status, Some(2), "{words}: {attempt:?}");
            let message = "incomplete list: netlink: names of unix peers are missing: ";
            assert!(attempt.stderr.contains(message), "{words}: {attempt:?}");
        }
    }
}
