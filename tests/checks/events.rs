//! Checks of `-E`: how many steps there were.

use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::net::{Shutdown, TcpListener, TcpStream};

use nix::sys::signal::Signal;
use rustix::net::sockopt::set_socket_linger;

use super::waiting::Waiting;
use super::*;
use crate::owners::nobody::Reachable;
use crate::support::{lsock, skip};

/// How `lsock -E` ends that saw a listener come.
fn end_with_a_step(more: &[&str]) -> (Option<i32>, String) {
    let port = free_port();
    let mut program = program();
    program.args(["-E", "-n", "--wait", "60s", &at(port)]);
    program.args(more);
    let mut child = Child::piped(&mut program);
    let mut out = BufReader::new(child.stdout());
    let mut line = String::new();
    // Titles tell that it watches.
    out.read_line(&mut line).unwrap();
    let _listener = listen_at(V4, port);
    out.read_line(&mut line).unwrap();
    assert!(line.contains("LISTEN"), "{line}");
    child.signal(Signal::SIGINT);
    let run = child.end();
    (run.status, run.stderr)
}

#[test]
fn steps_are_counted() {
    let Some(_namespace) = fresh() else { return };
    for (count, status) in [("1..", 0), ("0", 1)] {
        let (ended, said) = end_with_a_step(&["--expect", count]);
        assert_eq!(ended, Some(status), "{count}: {said}");
        if status == 1 {
            let line = said.lines().last().unwrap();
            let begin = "lsock: expected no TCP step where sport = ";
            assert!(
                line.starts_with(begin) && line.contains(", found "),
                "{said}"
            );
        }
    }
}

/// One connection that is closed in order, one that is reset, and one that is refused: 18 steps, and 5 of three
/// listeners, of which one stays.
fn three_connections() {
    let port = free_port();
    let listener = TcpListener::from(listen_at(V4, port));
    let connect = || {
        let client = TcpStream::connect((V4, port)).unwrap();
        (client, listener.accept().unwrap().0)
    };
    let (mut client, mut server) = connect();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    drop(server);
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    drop(client);
    let (mut client, server) = connect();
    set_socket_linger(&server, Some(Duration::ZERO)).unwrap();
    drop(server);
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let error = TcpStream::connect((V4, free_port())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    // A listener makes steps of its own.
    std::mem::forget(listener);
}

#[test]
fn steps_into_and_out_of_every_state_are_counted_exactly() {
    let Some(_namespace) = fresh() else { return };
    let watches = [
        ("state syn-sent", "6", 0),
        ("state syn-rcvd", "4", 0),
        ("state established", "8", 0),
        ("state established", "..7", 1),
        ("state fin-wait-1", "2", 0),
        ("state fin-wait-2", "2", 0),
        ("state time-wait", "1", 0),
        ("state close-wait", "2", 0),
        ("state last-ack", "2", 0),
        ("state closing", "0", 0),
        ("state closed", "12", 0),
        ("state closed", "13..", 1),
        ("not state listen", "23", 0),
    ];
    let watching: Vec<_> = watches
        .iter()
        .map(|(filter, count, _)| {
            let mut program = program();
            program.args(["-En", "--wait", "60s", "--expect", count, filter]);
            let mut child = Child::piped(&mut program);
            let mut out = BufReader::new(child.stdout());
            // Titles tell that it watches.
            out.read_line(&mut String::new()).unwrap();
            let reading = std::thread::spawn(move || out.lines().count());
            (child, reading)
        })
        .collect();
    three_connections();
    std::thread::sleep(Duration::from_millis(300));
    for ((filter, count, status), (child, reading)) in watches.into_iter().zip(watching) {
        child.signal(Signal::SIGINT);
        let run = child.end();
        let steps = reading.join().unwrap();
        if run.stderr.contains("(sampled)") {
            return skip("steps are not recorded here");
        }
        // Where that step of others may have been made, the count is not certain.
        let is_certain = !run.stderr.contains("FIN_WAIT_2 -> TIME_WAIT");
        let status = if is_certain { status } else { 2 };
        let what = format!("{filter} {count}: {steps} steps, {run:?}");
        assert_eq!(run.status, Some(status), "{what}");
    }
}

/// Who does not know where the process runs does not know whether that is a container.
#[test]
fn a_step_that_may_match_is_counted_neither_as_a_match_nor_as_none() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    for count in ["1..", "0"] {
        let port = free_port();
        let filter = format!("sport = {port} and container = none");
        let mut command = lsock.command();
        command.args(["-En", "--wait", "60s", "--expect", count, &filter]);
        let mut child = Child::piped(&mut command);
        let mut out = BufReader::new(child.stdout());
        let mut line = String::new();
        // Titles tell that it watches.
        out.read_line(&mut line).unwrap();
        let _listener = listen_at(V4, port);
        // What may match is shown.
        out.read_line(&mut line).unwrap();
        assert!(line.contains("LISTEN"), "{line}");
        child.signal(Signal::SIGINT);
        let run = child.end();
        assert_eq!(run.status, Some(2), "{count}: {run:?}");
        assert!(run.stderr.contains("undecided: "), "{count}: {run:?}");
    }
}

#[test]
fn quiet_watch_ends_with_the_first_step() {
    let Some(_namespace) = fresh() else { return };
    let port = free_port();
    let mut waiting = Waiting::begin(&["-Eqn", "--wait", "60s", &at(port)]);
    while !waiting.is_over() {
        // It may not watch yet.
        let listener = listen_at(V4, port);
        std::thread::sleep(Duration::from_millis(100));
        close(listener);
    }
    let (attempt, took) = waiting.end();
    assert_eq!((told(&attempt), lines(&attempt).len()), ((Some(0), ""), 0));
    assert!(took < Duration::from_secs(50), "{took:?}");
}

#[test]
fn that_no_step_was_made_is_certain_of_recorded_steps_only() {
    let Some(_namespace) = fresh() else { return };
    let words = ["-En", "--wait", "200ms", "--expect", "0", "sport = 1"];
    let best = lsock(words);
    if best.stderr.contains("(sampled)") {
        skip("steps are not recorded here");
    } else {
        assert_eq!(told(&best), (Some(0), ""));
    }
    let sampled = lsock([&words[..], &["--source", "netlink"]].concat());
    assert_eq!(sampled.status, Some(2), "{sampled:?}");
    let line = sampled.stderr.lines().last().unwrap();
    let message = "lsock: undecided: expected no TCP step where sport = 1, found none";
    assert_eq!(line, message, "{sampled:?}");
    let quiet = lsock([
        "-Eqn",
        "--wait",
        "200ms",
        "sport = 1",
        "--source",
        "netlink",
    ]);
    assert_eq!(quiet.status, Some(2), "{quiet:?}");
    assert!(quiet.stderr.contains("(sampled)"), "{quiet:?}");
}
