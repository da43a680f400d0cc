//! BOUND, where the source does not list it: unknown is not none.

use super::*;
use crate::model::{Source as Kind, StateSet};

const AT_80: &str = "sport = 80";
const LIKELY: &str = "lsock: warning: TCP sockets in BOUND are not listed: ";
const PROC: &str = "/proc/net does not report them\n";

/// A look over `/proc/net`.
fn look_without_bound(sockets: impl Into<Vec<Socket>>) -> Look {
    let bound = StateSet::EMPTY.with(State::Bound);
    let look = look(sockets).unlisted(TCP, Kind::Procfs, bound);
    look.unlisted(TCP6, Kind::Procfs, bound)
}

fn document(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.out).unwrap()
}

#[test]
fn listing_of_every_state_is_warned_of_once_and_is_not_complete() {
    let run = list(&["-tanj"], look_without_bound([listener(80)]));
    assert_eq!(run.told(), (0, format!("{LIKELY}{PROC}").as_str()));
    assert_eq!(document(&run)["summary"]["complete"], false);
    for words in [&["-tnj"][..], &["-tlnj"], &["-tnj", "state established"]] {
        let run = list(words, look_without_bound([]));
        assert_eq!(run.told(), (0, ""), "{words:?}");
        assert_eq!(document(&run)["summary"]["complete"], true, "{words:?}");
    }
}

#[test]
fn listing_of_bound_alone_is_incomplete() {
    let run = list(&["-tnj", "state bound"], look_without_bound([]));
    let message = format!("lsock: incomplete list: TCP sockets in BOUND are not listed: {PROC}");
    assert_eq!(run.told(), (2, message.as_str()));
}

#[test]
fn who_does_not_list_them_is_told() {
    for (source, why) in [
        (Kind::Netlink, "the kernel reports them from Linux 6.8 on\n"),
        (Kind::Procfs, PROC),
    ] {
        let look = look([]).unlisted(TCP, source, StateSet::EMPTY.with(State::Bound));
        let run = list(&["-t4an"], look);
        assert_eq!(run.told(), (0, format!("{LIKELY}{why}").as_str()));
    }
    let look = look([]).unlisted(TCP, Kind::Replay, StateSet::EMPTY.with(State::Bound));
    assert_eq!(list(&["-t4an"], look).told(), (0, ""));
}

#[test]
fn check_that_hangs_on_bound_has_no_answer() {
    for (words, status) in [
        (&["-q", "--expect", "0", "state bound"][..], 2),
        (&["-q", "state bound"], 2),
        (&["--expect", "0", "state bound"], 2),
        (&["-taq", "--expect", "1", AT_80], 2),
        (&["-taq", "--expect", "0", "sport = 81"], 2),
        (&["-taq", "--expect", "..3", AT_80], 2),
        (&["-taq", "--expect", "0", AT_80], 1),
        (&["-taq", AT_80], 0),
        (&["-taq", "--expect", "1..", AT_80], 0),
        (&["-q", "--expect", "0", "state established"], 0),
        (&["-q", "--expect", "1", "state listen"], 0),
        (&["-tlq", "--expect", "0", "sport = 81"], 0),
        (
            &["-taq", "--expect", "0", "not state bound and dport = 9"],
            0,
        ),
        (&["-saq", "--expect", "1"], 2),
        (&["-slq", "--expect", "1"], 0),
    ] {
        let run = list(words, look_without_bound([listener(80)]));
        assert_eq!(run.status(), status, "{words:?}: {run:?}");
        let is_explained = run.messages.contains(PROC) && run.messages.contains("cannot tell");
        assert_eq!(is_explained, status == 2, "{words:?}: {run:?}");
    }
}

#[test]
fn wait_ends_early_only_where_no_socket_can_bring_an_answer() {
    let nothing = look_without_bound([]);
    let words = ["-tan", "--wait", "30s", "--expect", "0", "state bound"];
    let (run, took) = wait(&words, std::slice::from_ref(&nothing));
    assert_eq!(run.status(), 2, "{run:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    let words = ["-tanH", "--wait", "30s", AT_80];
    let mut looks = vec![nothing.clone(); 200];
    looks.push(look_without_bound([listener(80)]));
    let (run, took) = wait(&words, &looks);
    assert_eq!((run.status(), run.lines()), (0, 1), "{run:?}");
    assert!(took > Duration::from_secs(1), "{took:?}");
    let (run, took) = wait(&words, &[nothing]);
    assert_eq!(run.status(), 2, "nobody knows who is bound to it: {run:?}");
    assert_eq!(took, Duration::from_secs(30));
}

#[test]
fn summary_has_no_number_for_them() {
    let look = || look_without_bound([listener(80)]);
    let run = list(&["-stj"], look());
    assert_eq!(run.told(), (0, format!("{LIKELY}{PROC}").as_str()));
    let document = document(&run);
    assert_eq!(document["summary"]["complete"], false);
    let states = &document["counts"][0]["states"];
    assert!(states["BOUND"].is_null(), "{states}");
    assert_eq!(
        (&states["LISTEN"], &states["CLOSED"]),
        (&1.into(), &0.into())
    );
    let lines = |format| {
        let run = list(&["-stH", "--format", format], look());
        let lines = run.out.lines().map(str::to_owned);
        lines
            .filter(|line| line.contains("BOUND"))
            .collect::<Vec<_>>()
    };
    assert_eq!(lines("csv"), ["tcp,inet,BOUND,", "tcp,inet6,BOUND,"]);
    let null = |family| {
        format!(r#"{{"protocol":"tcp","family":"{family}","state":"BOUND","count":null}}"#)
    };
    assert_eq!(lines("ndjson"), ["inet", "inet6"].map(null));
    let plain = lines("plain");
    let words: Vec<Vec<&str>> = plain
        .iter()
        .map(|l| l.split_whitespace().collect())
        .collect();
    assert_eq!(words, [["tcp", "BOUND", "?", "?", "?"]]);
    let drawn = list(&["-st", "--format", "table"], look()).out;
    assert!(drawn.contains('?'), "{drawn}");
}
