//! `--wait`: what comes, what never comes and what came closest, without waiting.

use super::*;
use crate::model::{Source as SourceKind, StateSet, Timer, TimerKind, Warning};

const AT_80: &str = "sport = 80";

fn nothing() -> Look {
    look([])
}

fn in_vain(words: &[&str], looks: &[Look]) -> String {
    let (run, _) = wait(words, looks);
    assert_eq!(run.status(), 1, "{run:?}");
    assert_eq!(run.out, "", "{run:?}");
    run.messages
}

/// What came closest to a listener at port 80, or whatever else is asked for.
fn closest(words: &[&str], sockets: impl Into<Vec<Socket>>) -> String {
    let message = in_vain(words, &[look(sockets)]);
    let (_, closest) = message.trim_end().split_once("; ").unwrap_or_default();
    closest.to_owned()
}

#[test]
fn what_is_so_already_is_shown_at_once() {
    let words = ["-tlnH", "--wait", "5m", AT_80];
    let (run, took) = wait(&words, &[look([listener(80)])]);
    assert_eq!((run.told(), run.lines()), ((0, ""), 1));
    assert_eq!(took, Duration::ZERO);
}

#[test]
fn what_comes_at_the_third_look_is_shown_once() {
    let looks = [
        nothing(),
        look(listeners(9)),
        look([listener(80), listener(81)]),
    ];
    let clock = FakeClock::new(None);
    let (run, took) = wait_on(&clock, &["-tlnH", "--wait", "30s", AT_80], &looks);
    assert_eq!((run.told(), run.lines()), ((0, ""), 1));
    assert_eq!(clock.sleeps.get(), 2);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn what_goes_away_is_waited_for() {
    let looks = [look([listener(80)]), look([listener(80)]), nothing()];
    let (run, _) = wait(&["-tanH", "--wait", "30s", "--expect", "0", AT_80], &looks);
    assert_eq!((run.told(), run.lines()), ((0, ""), 0));
}

#[test]
fn count_is_waited_for_and_shown_as_a_whole() {
    let looks = [1, 2, 4, 3].map(|count| look(listeners(count)));
    for format in ["plain", "table", "ndjson", "csv"] {
        let words = [
            "-tlnH", "--wait", "30s", "--expect", "3", "--format", format,
        ];
        let (run, _) = wait(&words, &looks);
        assert_eq!((run.told(), run.lines()), ((0, ""), 3), "{format}");
    }
}

#[test]
fn what_never_comes_is_missed_when_the_time_is_over_and_no_sooner() {
    for (wait_for, millis) in [("400ms", 400), ("30s", 30_000), ("7us", 0)] {
        let (run, took) = wait(&["-tln", "--wait", wait_for, AT_80], &[nothing()]);
        let waited = match millis {
            0 => String::new(),
            _ => format!("timed out after {wait_for}: "),
        };
        let message = format!(
            "lsock: {waited}expected at least 1 TCP listener where sport = 80, found none; \
             nothing uses port 80\n"
        );
        assert_eq!(run.told(), (1, message.as_str()));
        assert_eq!(took.as_millis(), millis, "{wait_for}");
    }
}

#[test]
fn what_the_source_does_not_list_is_said_to_be_not_looked_at() {
    let bound = StateSet::EMPTY.with(State::Bound);
    let unseen = "; not checked: TCP sockets in BOUND";
    let peer = "10.0.0.9:4000";
    let left = tcp(State::TimeWait, "127.0.0.1:80", peer);
    for (sockets, seen) in [
        (vec![], "no listed socket uses port 80"),
        (vec![left], "port 80 is in TIME_WAIT"),
    ] {
        let words = ["-tln", "--wait", "0", AT_80];
        let look = look(sockets).unlisted(TCP, SourceKind::Procfs, bound);
        let message = in_vain(&words, &[look]);
        assert!(
            message.trim_end().ends_with(&format!("; {seen}{unseen}")),
            "{message}"
        );
    }
}

#[test]
fn no_time_is_one_look() {
    let clock = FakeClock::new(None);
    let (run, _) = wait_on(&clock, &["-tln", "--wait", "0", AT_80], &[nothing()]);
    let message = "lsock: expected at least 1 TCP listener where sport = 80, found none; \
                   nothing uses port 80\n";
    assert_eq!((run.told(), clock.sleeps.get()), ((1, message), 0));
}

#[test]
fn signal_ends_a_wait() {
    let clock = FakeClock::new(Some((2, 15)));
    let (run, _) = wait_on(&clock, &["-tln", "--wait", "30s", AT_80], &[nothing()]);
    assert_eq!((run.told(), clock.sleeps.get()), ((143, ""), 2));
}

#[test]
fn quiet_wait_says_nothing_either_way() {
    let words = ["-tlnq", "--wait", "1s", AT_80];
    let (run, _) = wait(&words, &[nothing(), look([listener(80)])]);
    assert_eq!((run.told(), run.out.as_str()), ((0, ""), ""));
    assert_eq!(in_vain(&words, &[nothing()]), "");
}

#[test]
fn look_that_was_incomplete_is_made_again() {
    let incomplete = look(listeners(1)).fails(TCP6, || Error::NotInProc(TCP6));
    let words = ["-tlnH", "--wait", "30s", "--expect", "1"];
    let (run, took) = wait(&words, &[incomplete.clone(), look(listeners(1))]);
    assert_eq!((run.told(), run.lines()), ((0, ""), 1));
    assert!(took < Duration::from_secs(1), "{took:?}");
    let (run, took) = wait(&words, &[incomplete]);
    assert_eq!(run.status(), 2, "{run:?}");
    let second = Duration::from_secs(1);
    assert!((second..2 * second).contains(&took), "for good: {took:?}");
    assert!(
        run.messages
            .contains("lsock: undecided: expected exactly 1 "),
        "{run:?}"
    );
}

#[test]
fn trouble_of_looks_that_were_made_again_is_not_told() {
    let lost = Warning::failed("/proc/net/tcp: empty, not even a header");
    let looks = [nothing().warns(TCP, lost), look([listener(80)])];
    let (run, _) = wait(&["-tlnH", "--wait", "30s", AT_80], &looks);
    assert_eq!((run.told(), run.lines()), ((0, ""), 1));
}

#[test]
fn disturbed_look_is_counted_once() {
    for behind in 0..=3 {
        let looks = [nothing(), look(listeners(3)).disturbed(TCP, behind)];
        let (run, _) = wait(&["-tlnH", "--wait", "30s", "--expect", "3"], &looks);
        assert_eq!((run.told(), run.lines()), ((0, ""), 3), "{behind}");
    }
}

#[test]
fn filter_for_what_is_not_listed_is_not_waited_for() {
    let words = ["-tln", "--wait", "30s", "protocol = udp"];
    let (run, took) = wait(&words, &[nothing()]);
    assert_eq!((run.status(), took), (1, Duration::ZERO));
    let warning = "lsock: warning: the filter excludes everything that the options list\n";
    assert!(run.messages.starts_with(warning), "{run:?}");
}

#[test]
fn long_list_is_shown_whole() {
    let (run, _) = wait(&["-tlnH", "--wait", "1s"], &[look(listeners(5_000))]);
    assert_eq!((run.told(), run.lines()), ((0, ""), 5_000));
}

#[test]
fn listener_at_another_address_is_the_closest() {
    let words = |options| [options, "--wait", "0", AT_80];
    let with = |filter| ["-tln", "--wait", "0", filter];
    let at = |local: &str| closest(&with("sport = 80 and src = 10.0.0.1"), [listener_at(local)]);
    assert_eq!(
        at("127.0.0.1:80"),
        "port 80 is bound by no process on 127.0.0.1 only"
    );
    for (wildcard, v6only, written) in [
        ("0.0.0.0:80", None, "0.0.0.0"),
        ("[::]:80", Some(true), "::"),
        ("[::]:80", Some(false), "*"),
        ("[::ffff:0.0.0.0]:80", Some(false), "0.0.0.0"),
    ] {
        let mut listener = listener_at(wildcard);
        listener.v6only = v6only;
        let closest = closest(&with("sport = 80 and src = 10.0.0.1"), [listener]);
        let expected = format!("port 80 is bound by no process on every address ({written})");
        assert_eq!(closest, expected);
    }
    let other = closest(&words("-tln6"), [listener(80)]);
    assert_eq!(other, "port 80 is bound by no process over IPv4 only");
    let other = closest(&words("-tln4"), [listener_at("[::1]:80")]);
    assert_eq!(other, "port 80 is bound by no process over IPv6 only");
    let any = |v6only| {
        let mut any = listener_at("[::]:80");
        any.v6only = v6only;
        any
    };
    let other = closest(&words("-tln4"), [any(Some(true))]);
    assert_eq!(other, "port 80 is bound by no process over IPv6 only");
    let (run, _) = wait(&words("-tln4"), &[look([any(Some(false))])]);
    assert_eq!(run.status(), 0, "it takes IPv4 too");
    let mut mapped = listener_at("[::ffff:127.0.0.1]:80");
    mapped.v6only = Some(false);
    let other = closest(&words("-tln6"), [mapped.clone()]);
    assert_eq!(other, "port 80 is bound by no process over IPv4 only");
    let (run, _) = wait(&words("-tln4"), &[look([mapped])]);
    assert_eq!(run.status(), 0, "it takes IPv4 alone");
    let two = [listener(80), listener_at("127.0.0.2:80")];
    let other = closest(&with("sport = 80 and src = 10.0.0.1"), two);
    assert_eq!(
        other,
        "port 80 is bound by no process on 127.0.0.1 and 127.0.0.2 only"
    );
}

#[test]
fn what_uses_a_port_without_listening_is_the_closest() {
    let words = ["-tln", "--wait", "0", AT_80];
    let peer = "10.0.0.9:4000";
    let bound = tcp(State::Bound, "127.0.0.1:80", "0.0.0.0:0");
    let idle = "bound by no process on 127.0.0.1 only and has no listener";
    assert_eq!(
        closest(&words, [bound.clone()]),
        format!("port 80 is {idle}")
    );
    let connected = tcp(State::Established, "127.0.0.1:80", peer);
    let used = "used by a connection of no process";
    assert_eq!(
        closest(&words, [connected.clone()]),
        format!("port 80 is {used}")
    );
    let both = closest(&words, [bound, connected.clone(), connected]);
    let used = "used by 2 connections of no process";
    assert_eq!(both, format!("port 80 is {idle} and {used}"));
}

#[test]
fn time_wait_is_told_with_what_is_left_of_it() {
    let words = ["-tan", "--wait", "1s", "--expect", "0", AT_80];
    let mut left = tcp(State::TimeWait, "127.0.0.1:80", "10.0.0.9:4000");
    assert_eq!(closest(&words, [left.clone()]), "port 80 is in TIME_WAIT");
    left.timer = Some(Timer {
        kind: TimerKind::TimeWait,
        expires_ms: 41_900,
        retransmits: 0,
    });
    let mut later = left.clone();
    later.timer.as_mut().unwrap().expires_ms -= 2_000;
    let rest = "port 80 is in TIME_WAIT for another 42 s";
    assert_eq!(closest(&words, [left.clone(), later]), rest);
    let held = "port 80 is held by no process and in TIME_WAIT for another 42 s";
    assert_eq!(closest(&words, [left, listener(80)]), held);
}

#[test]
fn too_many_are_held_by_somebody() {
    let words = ["-tln", "--wait", "0", "--expect", "..1"];
    let message = in_vain(&words, &[look(listeners(3))]);
    let expected = "lsock: expected at most 1 TCP listener, found 3; held by no process\n";
    assert_eq!(message, expected);
}

#[test]
fn socket_that_lacks_one_thing_is_the_closest_where_no_port_is_named() {
    let mut full = listener(80);
    full.recv_queue = Some(5);
    let words = |filter| ["-tln", "--wait", "0", filter];
    let nearest = closest(&words("src = 127.0.0.1 and recv_queue > 7"), [full]);
    let expected =
        "the nearest match is tcp LISTEN 127.0.0.1:80 of no process, but not recv_queue > 7";
    assert_eq!(nearest, expected);
    let peer = "10.0.0.9:4000";
    let connected = tcp(State::Established, "127.0.0.1:80", peer);
    let nearest = closest(&words("src = 127.0.0.1"), [connected.clone()]);
    let expected = "the nearest match is tcp ESTABLISHED 127.0.0.1:80 to 10.0.0.9:4000 of no process, \
                    but not in such a state";
    assert_eq!(nearest, expected);
    let lacks_two = closest(&words("src = 127.0.0.1 and recv_queue > 7"), [connected]);
    assert_eq!(lacks_two, "");
}
