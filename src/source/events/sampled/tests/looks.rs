//! When rounds happen, and what they prove.

use crate::model::{Event, Protocol, Warning};
use std::io::Write as _;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use super::{Play, Stage, connection};
use crate::error::Error;
use crate::model::Source as Kind;
use crate::model::State::{CloseWait, Closed, Established, SynSent, TimeWait};
use crate::source::events::EventSource as _;
use crate::source::events::sampled::PACER;

const MS: Duration = Duration::from_millis(1);

#[test]
fn what_one_look_misses_is_not_gone() {
    let there = vec![connection(Established, 1)];
    let mut play = Play::of(there.clone());
    play.stage.borrow_mut().sockets.clear();
    play.sampled.look().unwrap();
    assert_eq!(play.steps(there), []);
}

#[test]
fn what_an_incomplete_look_misses_is_not_gone() {
    let mut play = Play::of(vec![connection(Established, 1)]);
    play.stage.borrow_mut().gap = Some("interrupted");
    for _ in 0..5 {
        assert_eq!(play.steps(vec![]), []);
    }
    assert_eq!(play.sampled.gaps(), [Warning::Failed("interrupted".into())]);
    play.stage.borrow_mut().gap = Some("interrupted again");
    assert_eq!(play.steps(vec![]), []);
    assert_eq!(play.sampled.gaps(), []);
    play.stage.borrow_mut().gap = None;
    assert_eq!(play.steps(vec![]), [(None, Closed, 1)]);
}

#[test]
fn what_an_incomplete_look_shows_is_told() {
    let mut play = Play::of(vec![connection(Established, 1)]);
    play.stage.borrow_mut().gap = Some("interrupted");
    let told = play.steps(vec![connection(CloseWait, 1)]);
    assert_eq!(told, [(Some(Established), CloseWait, 1)]);
}

#[test]
fn after_an_incomplete_look_two_complete_ones_tell_what_is_gone() {
    let there = vec![connection(Established, 1)];
    let mut play = Play::of(there.clone());
    play.stage.borrow_mut().gap = Some("interrupted");
    assert_eq!(play.steps(there), []);
    play.stage.borrow_mut().gap = None;
    assert_eq!(play.steps(vec![]), [(None, Closed, 1)]);
}

#[test]
fn what_the_first_look_missed_is_not_new() {
    let mut play = Play::on(Stage {
        gap: Some("interrupted"),
        ..Stage::default()
    });
    let there = vec![connection(Established, 1)];
    assert_eq!(play.steps(there.clone()), []);
    play.stage.borrow_mut().gap = None;
    assert_eq!(play.steps(there.clone()), []);
    assert_eq!(play.steps(there), []);
    let told = play.steps(vec![connection(TimeWait, 1)]);
    assert_eq!(told.last().unwrap().1, TimeWait);
}

#[test]
fn a_table_that_cannot_be_read_ends_the_watch() {
    let mut play = Play::of(vec![]);
    play.stage.borrow_mut().refused = true;
    let wake = play.wake.0.as_fd();
    let end = play
        .sampled
        .wait(wake, None, &mut |_: &Event| ControlFlow::Continue(()));
    assert!(matches!(end, Err(Error::NotInProc(_))));
}

#[test]
fn sockets_read_in_another_way_are_learnt_anew() {
    let mut play = Play::of(vec![connection(Established, 1)]);
    play.stage.borrow_mut().kind = Some(Kind::Procfs);
    let there = || vec![connection(Established, 0)];
    assert_eq!(play.steps(there()), []);
    assert_eq!(play.steps(there()), []);
    assert_eq!(play.sampled.gaps().len(), 1);
    let told = play.steps(vec![connection(CloseWait, 0)]);
    assert_eq!((told[0].0, told[0].1), (Some(Established), CloseWait));
}

#[test]
fn the_reason_and_what_the_source_warns_of_are_told() {
    let play = Play::on(Stage {
        warning: Some(Warning::FewerFields(Protocol::Tcp, "refused".into())),
        ..Stage::default()
    });
    let fewer = "reading /proc/net, which has no BOUND sockets and fewer fields";
    let why = Some(format!("no right; refused; {fewer}"));
    assert_eq!((play.sampled.sampled(), play.sampled.lost()), (why, 0));
}

#[test]
fn bound_sockets_are_not_asked_for() {
    let play = Play::of(vec![]);
    let states = play.stage.borrow().requests[0].states;
    assert!(!states.contains(crate::model::State::Bound));
    assert!(states.contains(TimeWait));
}

#[test]
fn a_costly_look_is_rare() {
    let mut play = Play::on(Stage {
        cost: 4 * MS,
        ..Stage::default()
    });
    play.stage.borrow_mut().looks.clear();
    let until = Instant::now() + 300 * MS;
    let wake = play.wake.0.as_fd();
    let flow = play.sampled.wait(
        wake,
        Some(until),
        &mut |_: &Event| ControlFlow::Continue(()),
    );
    assert_eq!(flow.unwrap(), ControlFlow::Continue(()));
    let stage = play.stage.borrow();
    // The last round happens because time is up.
    let regular = &stage.looks[..stage.looks.len() - 1];
    let pauses = regular.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(
        pauses
            .min()
            .is_none_or(|pause| pause >= 4 * MS * PACER.rest)
    );
    assert!(Instant::now() >= until);
}

#[test]
fn a_wait_ends_when_something_is_told() {
    let mut play = Play::of(vec![]);
    play.stage.borrow_mut().sockets = vec![connection(SynSent, 1)];
    let mut told = 0;
    let wake = play.wake.0.as_fd();
    let flow = play.sampled.wait(wake, None, &mut |_: &Event| {
        told += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((flow.unwrap(), told), (ControlFlow::Continue(()), 1));
}

#[test]
fn a_wait_that_is_woken_tells_what_happened_before() {
    let mut play = Play::of(vec![connection(Established, 1)]);
    play.stage.borrow_mut().sockets.clear();
    play.wake.1.write_all(b"!").unwrap();
    let mut told = Vec::new();
    let wake = play.wake.0.as_fd();
    let flow = play.sampled.wait(wake, None, &mut |event: &Event| {
        told.push(event.socket.state);
        ControlFlow::Continue(())
    });
    assert_eq!(flow.unwrap(), ControlFlow::Continue(()));
    assert_eq!(told, [Closed]);
}

#[test]
fn a_visitor_that_wants_no_more_gets_no_more() {
    let mut play = Play::of(vec![]);
    let mut second = connection(SynSent, 2);
    second.local.port = Some(4_001);
    play.stage.borrow_mut().sockets = vec![connection(SynSent, 1), second];
    let mut told = 0;
    let wake = play.wake.0.as_fd();
    let flow = play.sampled.wait(wake, None, &mut |_: &Event| {
        told += 1;
        ControlFlow::Break(())
    });
    assert_eq!((flow.unwrap(), told), (ControlFlow::Break(()), 1));
}
