//! Changes from round to round. A round that misses a socket, or that is the first, looks twice.

use super::*;
use crate::mode::fake::watch_by;
use crate::model::State::{Bound, Established, FinWait2, SynSent, TimeWait};
use crate::model::Warning;

/// What is told of one socket in a round: what became of it, its old state, and the new one.
type Told = (&'static str, &'static str, &'static str);

/// The looks of a round, and what is told of it.
type Round<'r> = (Vec<Look>, &'r [Told]);

/// A connection with a cookie, from its own port to one of the peer.
fn connection(state: State, cookie: u64, peer: u16) -> Socket {
    let mut socket = tcp(state, "127.0.0.1:4000", &format!("10.0.0.9:{peer}"));
    socket.cookie = Some(cookie);
    // What is left of a connection belongs to nobody.
    socket.inode = (state != TimeWait).then_some(cookie);
    socket
}

/// Tells these rounds, and no more. Gives the exit status, and what was said.
#[track_caller]
fn told(rounds: &[Round<'_>]) -> (u8, String) {
    let looks: Vec<Look> = rounds.iter().flat_map(|(looks, _)| looks.clone()).collect();
    let clock = FakeClock::new(Some((rounds.len() + 1, 15)));
    let query = query(&["-tan4", "--format", "ndjson"]);
    let run = watch_by(&clock, &query, &looks);
    let expected = rounds.iter().flat_map(|(_, told)| told.iter());
    let expected: Vec<String> = expected
        .map(|(change, old, state)| format!("{change} {old} {state}"))
        .collect();
    let lines = run.out.lines().map(|line| {
        let words = ["change", "old_state", "state"].map(|key| text_of(line, key));
        words.join(" ")
    });
    assert_eq!(lines.collect::<Vec<_>>(), expected, "{run:?}");
    (run.status(), run.messages.clone())
}

/// The word under a key of an object; `-` = null.
fn text_of<'l>(line: &'l str, key: &str) -> &'l str {
    let (_, value) = line.split_once(&format!("\"{key}\":")).unwrap();
    let word = value.strip_prefix('"').map(|rest| rest.split('"').next());
    word.flatten().unwrap_or("-")
}

const FOUND: Told = ("-", "-", "ESTABLISHED");

#[test]
fn a_socket_that_comes_is_told_once() {
    let first = connection(Established, 1, 80);
    let second = connection(SynSent, 2, 81);
    let (one, both) = (look([first.clone()]), look([first, second]));
    let rounds: [Round<'_>; 3] = [
        (vec![one.clone(), one], &[FOUND]),
        (vec![both.clone()], &[("new", "-", "SYN_SENT")]),
        (vec![both], &[]),
    ];
    assert_eq!(told(&rounds), (0, String::new()));
}

#[test]
fn a_socket_that_changes_its_state_is_told_with_the_old_one() {
    let at = |state| look([connection(state, 1, 80)]);
    let rounds: [Round<'_>; 3] = [
        (vec![at(Established), at(Established)], &[FOUND]),
        (
            vec![at(FinWait2)],
            &[("changed", "ESTABLISHED", "FIN_WAIT_2")],
        ),
        // Another structure has taken its place.
        (
            vec![at(TimeWait), at(TimeWait)],
            &[("changed", "FIN_WAIT_2", "TIME_WAIT")],
        ),
    ];
    assert_eq!(told(&rounds), (0, String::new()));
}

#[test]
fn a_socket_that_ends_is_gone_after_two_looks_and_not_before() {
    let there = look([connection(Established, 1, 80)]);
    let rounds: [Round<'_>; 4] = [
        (vec![there.clone(), there.clone()], &[FOUND]),
        // Missed once, and found again.
        (vec![look([]), there.clone()], &[]),
        (vec![there], &[]),
        (vec![look([]), look([])], &[("gone", "-", "ESTABLISHED")]),
    ];
    assert_eq!(told(&rounds), (0, String::new()));
}

#[test]
fn a_dump_that_is_refused_ends_nothing_and_is_trouble() {
    let there = look([connection(Established, 1, 80)]);
    let refused = look([]).fails(TCP, || Error::NotInProc(TCP));
    let rounds: [Round<'_>; 4] = [
        (vec![there.clone(), there.clone()], &[FOUND]),
        (vec![refused.clone()], &[]),
        (vec![refused], &[]),
        (vec![there], &[]),
    ];
    let (status, said) = told(&rounds);
    assert_eq!(status, 2);
    assert_eq!(
        said.lines().count(),
        1,
        "once for as long as it lasts: {said}"
    );
}

#[test]
fn a_dump_that_is_cut_ends_nothing_and_one_that_begins_again_is_whole() {
    let all = [80, 81].map(|peer| connection(Established, peer.into(), peer));
    let lost = Warning::failed(format!("{TCP}: the receive buffer overran (ENOBUFS)"));
    let cut = look([all[0].clone()]).warns(TCP, lost);
    let again = look(all.clone()).disturbed(TCP, 1);
    let all = look(all);
    let rounds: [Round<'_>; 3] = [
        (vec![all.clone(), all], &[FOUND, FOUND]),
        (vec![again], &[]),
        (vec![cut], &[]),
    ];
    assert_eq!(told(&rounds).0, 2);
}

#[test]
fn what_is_left_of_connections_is_told_from_their_socket() {
    let mut bound = connection(Bound, 1, 80);
    bound.clear_leftovers();
    let left = [80, 81].map(|peer| connection(TimeWait, 1, peer));
    let one = look([connection(Established, 1, 80)]);
    let closed = look([bound.clone(), left[0].clone()]);
    let twice = look([left[0].clone(), left[1].clone(), bound]);
    let rounds: [Round<'_>; 5] = [
        (vec![one.clone(), one], &[FOUND]),
        (
            vec![closed.clone()],
            &[
                ("changed", "ESTABLISHED", "BOUND"),
                ("new", "-", "TIME_WAIT"),
            ],
        ),
        (vec![closed], &[]),
        (vec![twice.clone()], &[("new", "-", "TIME_WAIT")]),
        (vec![twice], &[]),
    ];
    assert_eq!(told(&rounds), (0, String::new()));
}
