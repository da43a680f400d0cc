//! Tests of what can be decided before names and owners are looked up.

use proptest::prelude::*;

use super::{answer, cgroup, held_at, holds, interface, missing, number, table, tcp, text, word};
use crate::filter::expr_samples::expr;
use crate::filter::samples::any_sample;
use crate::filter::{Expr, Field, Op, Test};
use crate::model::{Row, Stage, State, StateSet};

#[test]
fn shown_text_is_asked_for_at_the_end() {
    let socket = tcp();
    let row = Row::bare(&socket);
    let test = Test::Shown("shown".into());
    assert_eq!(answer(&test, &row, Stage::Names), None);
    assert_eq!(answer(&test, &row, Stage::Owners), Some(true));
    assert!(!holds(&Test::Shown("other".into()), &row));
}

#[test]
fn what_comes_later_cannot_be_told_before() {
    let mut socket = tcp();
    (socket.uid, socket.cgroup_id, socket.interface) = (Some(0), Some(1), Some(2));
    let row = Row::bare(&socket);
    for test in [
        text(Field::User, true, "*"),
        text(Field::Interface, true, "*"),
        interface(true, "eth0", None),
        cgroup(true, "/", None),
        missing(Field::Netns),
        number(Field::Pid, Op::Equal, 1),
        missing(Field::Process),
        word(Field::ProcessStatus, "found"),
    ] {
        assert_eq!(answer(&test, &row, Stage::Socket), None, "{test:?}");
    }
    assert!(answer(&text(Field::User, true, "*"), &row, Stage::Names).is_some());
    assert_eq!(answer(&missing(Field::Pid), &row, Stage::Names), None);
}

#[test]
fn what_the_socket_lacks_is_told_at_once() {
    let socket = tcp();
    let row = Row::bare(&socket);
    for test in [
        text(Field::User, true, "*"),
        text(Field::Interface, true, "*"),
        text(Field::Cgroup, true, "*"),
        interface(true, "eth0", None),
        cgroup(true, "/", None),
    ] {
        assert_eq!(answer(&test, &row, Stage::Socket), Some(false), "{test:?}");
    }
}

#[test]
fn decided_member_decides_early() {
    let socket = tcp();
    let pid = || Expr::Test(number(Field::Pid, Op::Equal, 1));
    let state = |state| Expr::Test(Test::State(StateSet::EMPTY.with(state)));
    let early = |expr: Expr| {
        let rule = expr.for_table(table(&socket));
        held_at(&rule, &Row::bare(&socket), Stage::Socket, &mut |_| false)
    };
    let (wrong, right) = (state(State::Listen), state(State::Established));
    assert_eq!(early(Expr::all([pid(), wrong.clone()])), Some(false));
    assert_eq!(early(Expr::all([pid(), right.clone()])), None);
    assert_eq!(early(Expr::any([pid(), right.clone()])), Some(true));
    assert_eq!(early(Expr::any([pid(), wrong])), None);
    assert_eq!(early(Expr::any([pid(), right]).negated()), Some(false));
    assert_eq!(early(pid().negated()), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn an_early_answer_is_the_last_one(sample in any_sample(), expr in expr()) {
        let rule = expr.for_table(table(&sample.socket));
        let mut shown = |_: &str| true;
        let end = held_at(&rule, &sample.row(), Stage::Owners, &mut shown);
        prop_assert!(end.is_some());
        let mut unasked = |_: &str| -> bool { unreachable!("asked too early") };
        let bare = Row::bare(&sample.socket);
        let first = held_at(&rule, &bare, Stage::Socket, &mut unasked);
        prop_assert!(first.is_none() || first == end);
        let named = held_at(&rule, &sample.named(), Stage::Names, &mut unasked);
        prop_assert!(named.is_none() || named == end);
        prop_assert!(first.is_none() || named == first);
    }
}
