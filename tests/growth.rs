//! Work grows with the sockets, not with their square: instructions of ten times as many, which a busy
//! machine does not change.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;

use tempfile::NamedTempFile;

use crate::scene::{V4, tcp};
use crate::support::{LSOCK, command, fresh, has, lsock, run};

/// Sockets of the small scene; the large one has ten times as many.
const FEW: u16 = 200;
/// Ten, and what a sort needs more. The square would be 100.
const MOST: u64 = 15;

/// Instructions of `lsock <words>`.
fn instructions(words: &[&str]) -> u64 {
    let profile = NamedTempFile::new().unwrap();
    let mut valgrind = command("valgrind");
    valgrind
        .args(["-q", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", profile.path().display()))
        .arg(LSOCK)
        .args(words);
    let run = run(&mut valgrind);
    assert_eq!(run.status, Some(0), "{words:?}: {run:?}");
    let text = std::fs::read_to_string(profile.path()).unwrap();
    let mut totals = text
        .lines()
        .filter_map(|line| line.strip_prefix("totals: "));
    totals.next().unwrap().trim().parse().unwrap()
}

/// Opens no sockets, few and ten times as many, and compares what a command costs.
fn grows<T>(words: &[&str], open: impl Fn(u16) -> T) {
    if !has("valgrind") {
        return;
    }
    let mut costs = [0; 3];
    for (cost, count) in costs.iter_mut().zip([0, FEW, 10 * FEW]) {
        let Some(_namespace) = fresh() else { return };
        let _held = open(count);
        // Without looking for findings, whose processes are found by a clock that valgrind does not have.
        let recording = NamedTempFile::new().unwrap();
        let path = recording.path().to_str().unwrap();
        lsock(["-tan", "-D", path]).clean();
        *cost = instructions(&[words, &["--replay", path]].concat());
    }
    let [none, few, many] = costs;
    let ratio = (many - none) / (few - none);
    assert!(ratio <= MOST, "{words:?}: {ratio} times, {costs:?}");
}

/// Listeners on one port, each at another address, each with a smaller backlog than the one before.
fn listeners(count: u16) -> Vec<OwnedFd> {
    let at = |number: u16| {
        let [high, low] = number.to_be_bytes();
        let address = SocketAddr::from((Ipv4Addr::new(127, 1, high, low), 80));
        let socket = tcp::socket(V4).unwrap();
        rustix::net::bind(&socket, &address).unwrap();
        rustix::net::listen(&socket, 3_000 - i32::from(number)).unwrap();
        socket
    };
    (0..count).map(at).collect()
}

#[test]
fn listeners_of_a_summary_each_fuller_than_the_one_before() {
    grows(&["-s", "-t", "--limit", "100000"], |count| {
        let listeners = listeners(count);
        let clients = listeners
            .iter()
            .map(|listener| tcp::connect(listener).unwrap());
        (clients.collect::<Vec<_>>(), listeners)
    });
}

#[test]
fn rows_that_are_sorted_and_laid_out() {
    grows(
        &["-tln", "--sort", "-local,send_queue", "--format", "table"],
        listeners,
    );
}
