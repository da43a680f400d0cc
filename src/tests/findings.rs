//! `-s`: what is wrong, over sockets that are listed once to be counted and, if need be, once more to be searched.
//!
//! Thresholds, grouping and sentences are tested beside the search; here are the whole runs. Nobody on
//! this machine holds the inodes, so that a process is never named.

use super::*;
use crate::mode::fake::{FakeKernel, list_over};
use crate::model::Warning;

/// Severity and count of a finding, if there is one.
fn finding(run: &Run, kind: &str) -> Option<(String, u64)> {
    let document: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let findings = document["findings"].as_array().unwrap();
    let own = findings.iter().find(|finding| finding["kind"] == kind)?;
    let text = |key: &str| own[key].as_str().unwrap().to_owned();
    Some((text("severity"), own["count"].as_u64().unwrap()))
}

fn is_complete(run: &Run) -> bool {
    let document: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    document["summary"]["complete"].as_bool().unwrap()
}

/// Counts and searches these looks.
fn search(words: &[&str], looks: &[Look]) -> Run {
    list_over(&Page::default(), &query(words), looks)
}

fn many(count: u16, socket: impl Fn(u16) -> Socket) -> Vec<Socket> {
    (0..count).map(socket).collect()
}

#[test]
fn half_close_held_up_is_a_warning_and_fails_the_run() {
    let held_up = |number: u16| {
        let mut socket = tcp(State::CloseWait, "10.0.0.1:22", "10.0.0.9:4000");
        socket.peer.port = Some(4_000 + u32::from(number));
        socket.inode = None;
        socket
    };
    let sockets = many(20, held_up);
    let run = search(&["-stj", "--fail-on", "warning"], &[look(sockets.clone())]);
    assert_eq!(
        finding(&run, "close_wait"),
        Some(("warning".to_owned(), 20))
    );
    assert_eq!(
        run.told(),
        (1, "lsock: 1 finding of severity warning or higher\n")
    );
    let run = search(&["-stj", "--fail-on", "critical"], &[look(sockets.clone())]);
    assert_eq!(run.told(), (0, ""));
    let run = search(&["-stj", "--fail-on", "warning"], &[look(&sockets[1..])]);
    assert_eq!((finding(&run, "close_wait"), run.told()), (None, (0, "")));
}

#[test]
fn accept_queue_is_full_from_its_backlog_on() {
    let waiting = |waiting| {
        let mut socket = listener(80);
        (socket.recv_queue, socket.send_queue) = (Some(waiting), Some(3));
        socket.inode = Some(7);
        look([socket])
    };
    for (count, expected) in [(2, None), (3, Some("warning")), (4, Some("critical"))] {
        let run = search(&["-stj"], &[waiting(count)]);
        let found = finding(&run, "accept_queue").map(|(severity, _)| severity);
        assert_eq!(found.as_deref(), expected, "{count}: {}", run.out);
    }
}

#[test]
fn ports_run_out_in_time_wait() {
    let at = |port: u16| {
        let mut socket = tcp(State::TimeWait, "10.0.0.1:1", "10.0.0.9:443");
        socket.local.port = Some(u32::from(32_768 + port));
        socket
    };
    let mut kernel = FakeKernel::default();
    let file = "sys/net/ipv4/ip_local_port_range".to_owned();
    kernel.files.insert(file, "32768\t60999\n".to_owned());
    let used = |count| look(many(count, at)).of_kernel(kernel.clone());
    let run = search(&["-stj"], &[used(28_232)]);
    assert_eq!(
        finding(&run, "ephemeral_ports"),
        Some(("critical".to_owned(), 28_232))
    );
    let run = search(&["-stj"], &[used(14_000)]);
    assert_eq!(finding(&run, "ephemeral_ports"), None);
}

#[test]
fn one_port_at_every_address_and_at_loopback_is_not_checked_where_nobody_is_known() {
    let at = |local: &str, inode| {
        let mut socket = listener_at(local);
        socket.inode = Some(inode);
        socket
    };
    let both = [at("127.0.0.1:80", 1), at("0.0.0.0:80", 2)];
    // Who holds them is not known: it may be one.
    let run = search(&["-stj", "--fail-on", "info"], &[look(both.clone())]);
    assert_eq!(finding(&run, "wildcard_and_loopback"), None);
    let untold = "lsock: undecided: not checked: wildcard_and_loopback of 2 sockets\n";
    assert_eq!(run.told(), (2, untold));
    let run = search(&["-stj", "--fail-on", "warning"], &[look(both.clone())]);
    assert_eq!(run.told(), (0, ""));
    let run = search(&["-stj", "sport = 81"], &[look(both)]);
    assert_eq!(finding(&run, "wildcard_and_loopback"), None);
    let run = search(
        &["-stj"],
        &[look([at("127.0.0.1:80", 1), at("0.0.0.0:81", 2)])],
    );
    assert_eq!(finding(&run, "wildcard_and_loopback"), None);
}

/// A connection that is searched for once more.
fn suspicious() -> Look {
    let mut socket = tcp(State::Established, "10.0.0.1:22", "10.0.0.1:22");
    socket.inode = Some(7);
    look([socket])
}

#[test]
fn states_with_few_sockets_are_not_listed_again() {
    let at = |state, port: u16| {
        let mut socket = tcp(state, "10.0.0.1:4000", &format!("10.0.0.9:{port}"));
        socket.inode = None;
        socket
    };
    let first = look(many(20, |port| at(State::CloseWait, port)));
    let later = look(many(20, |port| at(State::FinWait2, port)));
    let run = search(&["-stj", "dport < 50"], &[first.clone(), later.clone()]);
    let expected = Some(("warning".to_owned(), 20));
    assert_eq!(finding(&run, "close_wait"), expected, "{}", run.out);
    // Lost and lent again.
    let disturbed = first.clone().disturbed(TCP, 15);
    let run = search(&["-stj"], &[disturbed, later.clone()]);
    assert_eq!(finding(&run, "close_wait"), expected, "{}", run.out);
    // The filter excludes one of them.
    let run = search(&["-stj", "dport != 7"], &[first.clone(), later.clone()]);
    assert_eq!(finding(&run, "close_wait"), None, "{}", run.out);
    // Where something is missing, everything is read again.
    let lost = Warning::failed(format!("{TCP}: the receive buffer overran (ENOBUFS)"));
    let run = search(&["-stj"], &[first.warns(TCP, lost), later]);
    assert_eq!(finding(&run, "close_wait"), None, "{}", run.out);
}

#[test]
fn search_that_is_refused_makes_the_summary_incomplete() {
    let refused = || suspicious().fails(TCP, || Error::NotInProc(TCP));
    let run = search(&["-stj"], &[suspicious(), refused()]);
    assert_eq!(run.status(), 2);
    assert!(!is_complete(&run), "{}", run.out);
    assert_eq!(finding(&run, "self_connected"), None);
    let gap = "lsock: incomplete list: findings: /proc does not list IPv4 TCP sockets\n";
    assert_eq!(run.messages, gap);
}

#[test]
fn search_that_is_disturbed_makes_the_summary_incomplete() {
    let lost = Warning::failed(format!("{TCP}: the receive buffer overran (ENOBUFS)"));
    let run = search(&["-stj"], &[suspicious(), suspicious().warns(TCP, lost)]);
    assert_eq!(run.status(), 2);
    assert!(!is_complete(&run), "{}", run.out);
    assert_eq!(
        finding(&run, "self_connected"),
        Some(("warning".to_owned(), 1))
    );
}

#[test]
fn nothing_is_searched_where_the_counts_rule_findings_out() {
    let connection = |_| tcp(State::Established, "10.0.0.1:22", "10.0.0.9:4000");
    let healthy = look(many(30, connection));
    let refused = healthy.clone().fails(TCP, || Error::NotInProc(TCP));
    let run = search(&["-stj"], &[healthy, refused]);
    assert_eq!((run.told(), is_complete(&run)), ((0, ""), true));
}

#[test]
fn recording_is_not_searched() {
    let run = list(&["-stj"], suspicious());
    let document: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert!(document["findings"].is_null(), "{}", run.out);
}
