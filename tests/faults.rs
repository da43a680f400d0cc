//! System calls fail, one at a time: `strace` makes them. A list is whole, or says that it is not.

use std::collections::HashSet;
use std::net::TcpStream;
use std::os::fd::OwnedFd;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::scene::expected::local_address;
use crate::scene::{Namespace, V4, tcp};
use crate::support::{
    Run, UNLISTED, can_strace, lsock, program, run, strace, straced, until, with_faults,
};

mod files;
mod forged;
mod netlink;
mod repeats;
mod unix_peers;

/// Connections to one listener; each is two sockets, and all together are a dozen datagrams: enough
/// for a thread of their own that receives those behind the fourth.
const CONNECTIONS: usize = 400;
/// What netlink and `/proc/net` both tell.
const COLUMNS: &str = "protocol,family,state,local_address,local_port,peer_address,peer_port,inode";

/// Many TCP sockets in a namespace of the test's own, listed as JSON.
struct Stage {
    rows: Vec<String>,
    _sockets: (OwnedFd, Vec<TcpStream>),
    _namespace: Namespace,
}

impl Stage {
    /// Nothing where system calls cannot be made to fail or others open sockets too.
    fn new() -> Option<Self> {
        let namespace = straced()?;
        let sockets = connections_of(CONNECTIONS);
        let list = || {
            let rows = lsock(LIST).clean().rows();
            (rows.len() == 2 * CONNECTIONS + 1).then_some(rows)
        };
        Some(Self {
            rows: until("every connection", list),
            _sockets: sockets,
            _namespace: namespace,
        })
    }
}

/// The list of which every row is known; what `-i` and `-m` ask for makes the dump longer.
const LIST: [&str; 4] = ["-tanj4", "--columns", COLUMNS, "-im"];

/// A listener and its callers, of whom it accepts none.
pub fn connections_of(count: usize) -> (OwnedFd, Vec<TcpStream>) {
    allow_many_descriptors();
    let listener = tcp::listener(V4, i32::try_from(count).unwrap()).unwrap();
    let address = local_address(&listener).unwrap();
    let callers = (0..count).map(|_| TcpStream::connect(address).unwrap());
    let callers = callers.collect();
    (listener, callers)
}

/// As many as this user may have.
pub fn allow_many_descriptors() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    }
}

/// The list is the undisturbed one, and who told it is `source`.
fn assert_whole(attempt: &Run, stage: &Stage, source: &str) {
    assert_eq!(attempt.status, Some(0), "{attempt:?}");
    assert_same(&attempt.rows(), &stage.rows);
    let document = attempt.document();
    // Which sockets are BOUND /proc/net does not tell.
    let is_complete = source != "procfs";
    assert_eq!(document["summary"]["complete"], is_complete, "{attempt:?}");
    assert_eq!(
        document["summary"]["sources"][0]["source"], source,
        "{attempt:?}"
    );
}

fn assert_same(found: &[String], expected: &[String]) {
    let (is, was): (HashSet<_>, HashSet<_>) = (found.iter().collect(), expected.iter().collect());
    let lost: Vec<_> = was.difference(&is).collect();
    let new: Vec<_> = is.difference(&was).collect();
    assert!(
        lost.is_empty() && new.is_empty(),
        "lost {lost:#?}, new {new:#?}"
    );
    assert_eq!(found.len(), expected.len());
}

/// The list may lack rows, says so, and has none twice and none that is not there.
fn assert_incomplete(attempt: &Run, stage: &Stage, part: &str) {
    assert_eq!(attempt.status, Some(2), "{attempt:?}");
    assert!(attempt.stderr.contains(part), "{attempt:?}");
    let document = attempt.document();
    assert_eq!(document["summary"]["complete"], false, "{attempt:?}");
    let rows = attempt.rows();
    let distinct: HashSet<_> = rows.iter().collect();
    assert_eq!(distinct.len(), rows.len(), "rows are doubled");
    let known: HashSet<_> = stage.rows.iter().collect();
    assert!(
        distinct.is_subset(&known),
        "{:#?}",
        distinct.difference(&known)
    );
}
