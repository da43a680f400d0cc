//! Checks of `-E`: how many steps there were.

use std::io::{BufRead as _, BufReader};

use nix::sys::signal::Signal;

use super::waiting::Waiting;
use super::*;
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
    let message = "lsock: cannot tell: expected no TCP step where sport = 1, found none";
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
