//! Checks on processes that may not be read.

use super::waiting::Waiting;
use super::*;
use crate::owners::nobody::Reachable;
use crate::support::{Run, run};

/// A listener of this process, which is root's, and a program that nobody runs.
struct Stage {
    lsock: Reachable,
    port: u16,
    _listener: OwnedFd,
    _namespace: crate::scene::Namespace,
}

impl Stage {
    fn new() -> Option<Self> {
        let namespace = fresh()?;
        let lsock = Reachable::new()?;
        let listener = tcp::listener(V4, 1).unwrap();
        Some(Self {
            lsock,
            port: local_address(&listener).unwrap().port(),
            _listener: listener,
            _namespace: namespace,
        })
    }

    fn run(&self, words: &[&str], filter: &str) -> Run {
        self.lsock.run(&[words, &[filter]].concat())
    }
}

#[test]
fn filter_that_asks_for_an_unreadable_owner_has_no_answer() {
    let Some(stage) = Stage::new() else { return };
    for filter in [
        "process = nginx",
        "not process = nginx",
        "process != nginx",
        "pid = none",
        "pid != none",
        "fd > 2",
        "pid = 1",
    ] {
        for words in [
            &["-tlq"][..],
            &["-tlq", "--expect", "0"],
            &["-tl", "--expect", "1"],
        ] {
            let run = stage.run(words, filter);
            assert_eq!(run.status, Some(2), "{words:?} {filter}: {}", run.stderr);
            let said: Vec<&str> = run.stderr.lines().collect();
            assert_eq!(said.len(), 2, "{words:?} {filter}: {}", run.stderr);
            assert!(said[0].contains("not readable; run as root"), "{said:?}");
            assert!(
                said[1].starts_with("lsock: undecided: expected "),
                "{said:?}"
            );
            assert!(said[1].ends_with("none; 1 socket could not be checked"));
        }
    }
}

#[test]
fn filter_that_does_not_depend_on_the_owner_has_an_answer() {
    let Some(stage) = Stage::new() else { return };
    let port = stage.port;
    for (filter, status) in [
        (at(port), 0),
        (at(port - 1), 1),
        (format!("sport = {port} or process = nginx"), 0),
        (format!("sport = {} and process = nginx", port - 1), 1),
        ("pid = unknown".to_owned(), 0),
        ("pid != unknown".to_owned(), 1),
    ] {
        let run = stage.run(&["-tlq"], &filter);
        assert_eq!(
            (run.status, run.stderr.as_str()),
            (Some(status), ""),
            "{filter}"
        );
    }
}

#[test]
fn process_of_its_own_is_read_by_nobody_too() {
    let Some(stage) = Stage::new() else { return };
    // Its own process has no listener, which is certain: no other one is looked at.
    let mut command = stage.lsock.command();
    command.args(["-tlq", "pid = 1 or pid = 2"]);
    assert_eq!(run(&mut command).status, Some(2));
    let mut shell = crate::scene::holder::as_nobody("/bin/sh".as_ref());
    let program = stage.lsock.command();
    let path = program.get_args().last().unwrap().to_str().unwrap();
    shell.args(["-c", &format!("{path} -tlq \"pid = $$\"; exit $?")]);
    let run = run(&mut shell);
    assert_eq!((run.status, run.stderr.as_str()), (Some(1), ""));
}

#[test]
fn unreadable_owner_is_2_with_strict_in_every_mode_that_lists() {
    let Some(stage) = Stage::new() else { return };
    for words in [
        &["-tlp"][..],
        &["-tlpj"],
        &["-tlp", "--expect", "1"],
        &["-tlp", "--wait", "0"],
        &["-tlp", "--limit", "1"],
        &["-tlp", "--sort", "local"],
    ] {
        let lax = stage.run(words, "state listen");
        assert_eq!(lax.status, Some(0), "{words:?}: {}", lax.stderr);
        assert!(lax.stderr.starts_with("lsock: warning: "), "{}", lax.stderr);
        let strict = stage.run(&[words, &["--strict"]].concat(), "state listen");
        assert_eq!(strict.status, Some(2), "{words:?}: {}", strict.stderr);
        let begin = "lsock: incomplete list: ";
        assert!(
            strict.stderr.starts_with(begin),
            "{words:?}: {}",
            strict.stderr
        );
    }
    for words in [&["-tlq"][..], &["-stl"], &["-stq", "--expect", "0.."]] {
        let words = [words, &["--strict"]].concat();
        let filter = "state listen or process = nginx";
        let run = stage.run(&words, filter);
        assert_eq!(
            run.status,
            Some(0),
            "no owner was asked for: {}",
            run.stderr
        );
        let run = stage.run(&words, "pid = unknown");
        assert_eq!(run.status, Some(2), "{words:?}: {}", run.stderr);
    }
}

#[test]
fn strict_says_in_json_that_the_list_is_incomplete() {
    let Some(stage) = Stage::new() else { return };
    for (more, complete) in [("-n", true), ("--strict", false)] {
        let summary = &stage.run(&["-tlpj", more], "state listen").document()["summary"];
        assert_eq!(summary["complete"], complete, "{summary}");
        assert_eq!(
            summary["warnings"].as_array().unwrap().len(),
            1,
            "{summary}"
        );
    }
}

#[test]
fn strict_is_nothing_to_lists_without_owners() {
    let Some(stage) = Stage::new() else { return };
    let run = stage.run(&["-tl", "--strict"], &at(stage.port));
    assert_eq!((run.status, run.stderr.as_str()), (Some(0), ""));
}

#[test]
fn wait_on_an_unreadable_owner_has_no_answer_when_the_time_is_over() {
    let Some(stage) = Stage::new() else { return };
    let filter = format!("sport = {} and process = nginx", stage.port);
    let run = stage.run(&["-tl", "--wait", "200ms"], &filter);
    assert_eq!(run.status, Some(2), "{}", run.stderr);
    let port = stage.port;
    let closest = format!("; port {port} is bound by a process of user 0 that cannot be read on ");
    assert!(run.stderr.contains(&closest), "{}", run.stderr);
}

#[test]
fn certain_match_beside_an_unreadable_one_is_a_match() {
    let Some(stage) = Stage::new() else { return };
    let filter = "process = nginx or sport = 1";
    let words = ["-tlnH", "--wait", "60s", filter];
    let mut waiting = Waiting::of(stage.lsock.command().args(words));
    waiting.let_pass(300);
    assert!(!waiting.is_over());
    let _listener = listen_at(V4, 1);
    let (attempt, _) = waiting.end();
    assert_eq!(attempt.status, Some(0), "{attempt:?}");
    assert_eq!(lines(&attempt).len(), 1, "{attempt:?}");
}
