//! Tests of what is certain about a socket with unknown holders.

use proptest::prelude::*;

use super::{held, missing, number, process, table, tcp, text, word};
use crate::filter::expr_samples::expr;
use crate::filter::samples::any_sample;
use crate::filter::{Decision, Expr, Field, Op, Operand, Rule, Test};
use crate::model::{ProcessStatus, Row, Socket, Stage, State, StateSet};

/// The answer if certain.
fn certain(rule: &Rule, row: &Row<'_>) -> Option<bool> {
    let stage = Stage::Owners;
    match rule.decide(&Row { stage, ..*row }, &mut |_| false) {
        Decision::CannotTell { .. } => None,
        decision => decision.held(),
    }
}

/// The answer for a socket whose holders are unknown.
fn unread(expr: &Expr, socket: &Socket) -> Option<bool> {
    let row = Row {
        process_status: Some(ProcessStatus::Unreadable),
        is_owner_in_doubt: true,
        ..Row::bare(socket)
    };
    certain(&expr.for_table(table(socket)), &row)
}

#[test]
fn test_of_a_process_has_no_answer_where_none_can_be_read() {
    let socket = tcp();
    for test in [
        number(Field::Pid, Op::Equal, 1),
        number(Field::Pid, Op::Unequal, 1),
        number(Field::Fd, Op::Greater, 2),
        text(Field::Process, true, "nginx"),
        text(Field::Process, false, "nginx"),
        text(Field::Command, true, "*"),
        text(Field::ProcessUser, true, "root"),
        word(Field::ProcessStatus, "none"),
        word(Field::ProcessStatus, "found"),
    ] {
        let test = Expr::Test(test);
        assert_eq!(unread(&test, &socket), None, "{test}");
        assert_eq!(unread(&test.clone().negated(), &socket), None, "not {test}");
    }
}

#[test]
fn whether_processes_can_be_told_has_an_answer() {
    let socket = tcp();
    for (words, answer) in [(&["unreadable"][..], true), (&["found", "none"], false)] {
        let test = Test::Field(
            Field::ProcessStatus,
            Op::Equal,
            Operand::Words(words.to_vec()),
        );
        assert_eq!(
            unread(&Expr::Test(test), &socket),
            Some(answer),
            "{words:?}"
        );
    }
    let unknown = Expr::Test(missing(Field::Process));
    assert_eq!(unread(&unknown, &socket), Some(true));
}

#[test]
fn what_decides_without_them_decides() {
    let socket = tcp();
    let state = |state| Expr::Test(Test::State(StateSet::EMPTY.with(state)));
    let nginx = || Expr::Test(text(Field::Process, true, "nginx"));
    let (wrong, right) = (state(State::Listen), state(State::Established));
    for (expr, answer) in [
        (Expr::all([nginx(), wrong.clone()]), Some(false)),
        (Expr::all([nginx(), right.clone()]), None),
        (Expr::any([nginx(), right]), Some(true)),
        (Expr::any([nginx(), wrong]), None),
    ] {
        assert_eq!(unread(&expr, &socket), answer, "{expr}");
    }
}

#[test]
fn socket_that_nobody_can_hold_is_certain() {
    let mut socket = tcp();
    socket.state = State::TimeWait;
    socket.inode = None;
    let test = Expr::Test(text(Field::Process, true, "nginx"));
    assert_eq!(unread(&test, &socket), Some(false));
}

#[test]
fn processes_that_were_found_are_certain() {
    let (socket, processes) = (tcp(), [process(1, "nginx", None)]);
    let row = held(&socket, &processes);
    for (name, answer) in [("nginx", true), ("api", false)] {
        let test = Expr::Test(text(Field::Process, true, name));
        let rule = test.for_table(table(&socket));
        assert_eq!(certain(&rule, &row), Some(answer), "{name}");
    }
}

#[test]
fn process_beside_others_may_have_any_value() {
    let (socket, processes) = (tcp(), [process(1, "nginx", None)]);
    let row = Row {
        process_status: Some(ProcessStatus::Partial),
        is_owner_in_doubt: true,
        ..held(&socket, &processes)
    };
    for (test, answer) in [
        (text(Field::Process, true, "nginx"), Some(true)),
        (text(Field::Process, true, "api"), None),
        (text(Field::Process, false, "nginx"), Some(false)),
        (text(Field::Process, false, "api"), None),
        (number(Field::Pid, Op::Equal, 1), Some(true)),
        (number(Field::Pid, Op::Greater, 1), None),
        (number(Field::Fd, Op::Equal, 4), Some(true)),
        (word(Field::ProcessStatus, "partial"), Some(true)),
        (word(Field::ProcessStatus, "none"), Some(false)),
    ] {
        let rule = Expr::Test(test).for_table(table(&socket));
        assert_eq!(certain(&rule, &row), answer, "{:?}", rule.expr());
    }
}

#[test]
fn process_whose_name_cannot_be_read_may_have_any() {
    let socket = tcp();
    let mut processes = [process(1, "nginx", None)];
    processes[0].name = None;
    let row = held(&socket, &processes);
    for (test, answer) in [
        (text(Field::Process, true, "nginx"), None),
        (text(Field::Process, false, "nginx"), None),
        (number(Field::Pid, Op::Equal, 1), Some(true)),
    ] {
        let rule = Expr::Test(test).for_table(table(&socket));
        assert_eq!(certain(&rule, &row), answer, "{:?}", rule.expr());
    }
}

/// True if it tests whether holders are known, which changes once they are.
fn asks_whether_told(expr: &Expr) -> bool {
    expr.tests().into_iter().any(|test| match test {
        Test::Field(field, _, Operand::Missing { .. }) => field.is_of_owners(),
        Test::Field(field, _, Operand::Words(_)) => *field == Field::ProcessStatus,
        _ => false,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_certain_is_so_whoever_holds_the_socket(sample in any_sample(), expr in expr()) {
        let row = sample.row();
        let rule = expr.for_table(table(&sample.socket));
        let unread = Row {
            process_status: Some(ProcessStatus::Unreadable),
            is_owner_in_doubt: true,
            ..sample.named()
        };
        let told = certain(&rule, &unread);
        let is_read = row.process_status != Some(ProcessStatus::Unreadable);
        if told.is_some() && is_read && !asks_whether_told(&expr) {
            prop_assert_eq!(rule.decide(&row, &mut |_| false).held(), told);
        }
    }
}
