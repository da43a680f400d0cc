//! One rule for every field: a known absence satisfies only `!=`, an unknown value neither `=` nor `!=`.

use std::collections::HashSet;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::fields::{Datum, Value};
use crate::filter::parser::tests::Known;
use crate::filter::samples::{Sample, any_sample};
use crate::filter::{Decision, Expr, Field, Operand, Test, parse};
use crate::model::{Family, Protocol, Row, Socket, Source, State, Structure};

/// A value that the field can be compared with.
fn written(field: Field) -> &'static str {
    match field {
        Field::LocalAddress | Field::PeerAddress => "10.0.0.1",
        Field::User => "www-data",
        Field::Interface => "eth0",
        Field::Cgroup => "/system.slice",
        Field::FileDevice => "8:1",
        Field::Congestion => "cubic",
        _ if field.unit().is_some() => "1",
        _ => field.words().first().unwrap_or(&"1"),
    }
}

/// The tests of a field, with their operators.
fn tests(field: Field) -> Vec<(&'static str, Expr)> {
    let text = |op: &str| format!("{} {op} {}", field.name(), written(field));
    let signs = ["=", "!=", "<", "<=", ">", ">=", "~", "!~"];
    let direct = signs.map(|op| (op, parse(&text(op), &Known)));
    let missing = [("none", "= none"), ("some", "!= none"), ("null", "= null")];
    let missing = missing.map(|(name, words)| {
        let text = format!("{} {words}", field.name());
        (name, parse(&text, &Known))
    });
    // For some fields it is an ordinary word.
    let is_missing = |(_, parsed): &(_, Result<_, _>)| {
        matches!(
            parsed,
            Ok(Expr::Test(Test::Field(_, _, Operand::Missing { .. })))
        )
    };
    let missing = missing.into_iter().filter(is_missing);
    let opposite = [("not =", "="), ("not !=", "!=")];
    let opposite = opposite.map(|(name, op)| (name, parse(&format!("not {}", text(op)), &Known)));
    let all = direct.into_iter().chain(opposite).chain(missing);
    // Not every field is ordered, or takes a glob.
    let all = all.filter_map(|(op, expr)| Some((op, expr.ok()?)));
    let all: Vec<_> = all.collect();
    for op in ["=", "!=", "not =", "not !="] {
        assert!(all.iter().any(|(known, _)| *known == op), "{field:?} {op}");
    }
    all
}

/// The answer according to the rule; `None` = it depends on the value.
fn expected(op: &str, value: &Value<'_>) -> Option<Decision> {
    let is_unequal = matches!(op, "!=" | "!~" | "not =");
    let has_none = !matches!(value, Value::Known(_));
    match value {
        Value::NotYet => Some(Decision::NotYet),
        _ if op == "null" => Some(if has_none {
            Decision::Yes
        } else {
            Decision::No
        }),
        Value::Absent if op == "none" => Some(Decision::Yes),
        Value::Known(Datum::Processes(_)) => None,
        Value::Known(_) if op == "none" => Some(Decision::No),
        Value::Known(_) if op == "some" => Some(Decision::Yes),
        Value::Known(_) => None,
        Value::Absent if is_unequal => Some(Decision::Yes),
        Value::Absent => Some(Decision::No),
        Value::Void => Some(Decision::of(op.starts_with("not"))),
        Value::NotReported => Some(Decision::CannotTell {
            held: op.starts_with("not") || op == "none",
            by_source: true,
        }),
    }
}

/// The answers with and without reduction, whatever the reason if unknown.
fn answer(expr: &Expr, row: &Row<'_>) -> [Decision; 2] {
    let fitted = expr.for_table(row.socket.table());
    let whole = crate::filter::Rule::spelled_out(expr, row.socket.table());
    [fitted, whole].map(|rule| match rule.decide(row, &mut |_| false) {
        Decision::CannotTell { held, .. } => Decision::CannotTell {
            held,
            by_source: true,
        },
        decision => decision,
    })
}

/// The same socket as reported by netlink and by `/proc/net`, at every stage.
fn rows(sample: &Sample) -> [Row<'_>; 3] {
    let bare = Row::bare(&sample.socket);
    [bare, sample.named(), sample.row()]
}

fn situation(value: &Value<'_>) -> &'static str {
    match value {
        Value::Known(_) => "known",
        Value::Absent => "absent",
        Value::Void => "void",
        Value::NotReported => "not reported",
        Value::NotYet => "not yet",
    }
}

#[test]
fn absent_is_unequal_and_unknown_is_neither_whatever_the_field() {
    let table: Vec<_> = Field::comparable()
        .map(|field| (field, tests(field)))
        .collect();
    let mut runner = TestRunner::deterministic();
    let mut seen = HashSet::new();
    for round in 0..4_000 {
        let Ok(tree) = any_sample().new_tree(&mut runner) else {
            continue;
        };
        let mut sample = tree.current();
        if round % 2 == 0 {
            sample.socket.source = Source::Procfs;
        }
        for row in rows(&sample) {
            for (field, tests) in &table {
                check(*field, tests, &row, &mut seen);
            }
        }
    }
    for field in Field::comparable() {
        let name = field.name();
        assert!(
            seen.contains(&(name.clone(), "known")),
            "{name} is never known"
        );
        if field.definition().is_optional {
            assert!(
                seen.contains(&(name.clone(), "absent")),
                "{name} is never absent"
            );
        }
    }
}

#[test]
fn nothing_compares_with_no_limit_or_what_is_left_over() {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    socket.state = State::SynSent;
    let mut bytes = [0; 280];
    bytes[112..120].fill(0xff);
    socket.details_mut().set_info(Structure::TcpInfo, &bytes);
    for name in ["max_pacing_rate", "delivery_rate", "rtt", "send_queue"] {
        for (test, holds) in [
            ("= 5", false),
            ("!= 5", false),
            ("> 0", false),
            ("<= 5", false),
            ("= none", false),
            ("!= none", false),
            ("= unknown", true),
            ("!= null", false),
        ] {
            let text = format!("{name} {test}");
            let answer = parse(&text, &Known).map(|expr| answer(&expr, &Row::bare(&socket)));
            let decision = if holds { Decision::Yes } else { Decision::No };
            assert_eq!(answer, Ok([decision; 2]), "{text}");
        }
    }
}

fn check(
    field: Field,
    tests: &[(&'static str, Expr)],
    row: &Row<'_>,
    seen: &mut HashSet<(String, &'static str)>,
) {
    for (op, expr) in tests {
        // `user = root` tests the uid.
        let asked = expr.tests().first().and_then(|test| test.field());
        let asked = asked.unwrap_or(field);
        let value = asked.value(row);
        seen.insert((field.name(), situation(&value)));
        // Their numbers are compared, without names.
        let has_number = match field {
            Field::Interface => row.socket.interface.is_some(),
            Field::Cgroup => row.socket.cgroup_id.is_some(),
            _ => false,
        };
        // An address of another family is never a host.
        let is_end = matches!(field, Field::LocalAddress | Field::PeerAddress);
        if has_number || is_end && !op.contains('~') && !row.socket.protocol.is_ip() {
            continue;
        }
        if let Some(expected) = expected(op, &value) {
            let answers = answer(expr, row);
            let told = answers.iter().filter(|answer| **answer == expected).count();
            // The table may decide it without a lookup.
            assert!(
                told == 2 || expected == Decision::NotYet && told == 1,
                "{expr} {} {:?}: {answers:?}",
                situation(&value),
                row.socket
            );
        } else if *op == "=" && field != Field::ProcessStatus {
            let unequal = tests.iter().find(|(op, _)| *op == "!=");
            let answers = unequal.map(|(_, unequal)| [answer(expr, row), answer(unequal, row)]);
            let Some([equal, unequal]) = answers else {
                continue;
            };
            if !matches!(equal[0], Decision::CannotTell { .. }) {
                assert_ne!(equal, unequal, "{expr} {:?}", row.socket);
            }
        }
    }
}
