//! Tests that run programs as the kernel does.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod kernel;
mod random;

use std::net::IpAddr;

use self::kernel::{Entry, audit, runs};
use super::{MAX_STEPS, compile, encoded};
use crate::filter::{Expr, Field, Op, Operand, PortItem, Prefix, Side, Test};
use crate::model::{Family, Protocol, State, StateSet, Table};

const TCP: Table = Table {
    protocol: Protocol::Tcp,
    family: Family::Inet6,
};
const NO_PROGRAM: [u8; 0] = [];
const NO_PORTS: [u16; 0] = [];

fn port(side: Side, op: Op, items: impl IntoIterator<Item = (u16, u16)>) -> Expr {
    Expr::field(
        side.port(),
        op,
        Operand::Ports(
            items
                .into_iter()
                .map(|(first, last)| PortItem::Range(first, last))
                .collect(),
        ),
    )
}

fn local_port(op: Op, port_number: u16) -> Expr {
    port(Side::Local, op, [(port_number, port_number)])
}

fn host(side: Side, equal: bool, prefixes: &[&str]) -> Expr {
    let prefixes = prefixes.iter().map(|text| prefix(text)).collect();
    Expr::field(side.address(), Op::equal(equal), Operand::Hosts(prefixes))
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').unwrap();
    Prefix {
        address: address.parse().unwrap(),
        length: length.parse().unwrap(),
    }
}

fn mark(equal: bool, value: u32, mask: u32) -> Expr {
    Expr::field(
        Field::Mark,
        Op::equal(equal),
        Operand::Masked { value, mask },
    )
}

fn interface(equal: bool, index: Option<u32>) -> Expr {
    Expr::field(
        Field::Interface,
        Op::equal(equal),
        Operand::named("eth0".into(), index.map(u64::from)),
    )
}

fn cgroup(equal: bool, id: Option<u64>) -> Expr {
    Expr::field(
        Field::Cgroup,
        Op::equal(equal),
        Operand::named(b"/system.slice".to_vec(), id),
    )
}

fn service(op: Op, numbers: &[(Protocol, u32)]) -> Expr {
    let service = Expr::field(
        Field::LocalPort,
        op,
        Operand::Ports(vec![PortItem::Service {
            name: "here".to_owned(),
            numbers: numbers.to_vec(),
        }]),
    );
    service.for_table(TCP).expr().clone()
}

/// Compiles an expression to a program that the kernel accepts.
fn program(expr: &Expr) -> Vec<u8> {
    let program = encoded(&compile(expr, false)).unwrap();
    assert!(program.is_empty() || audit(&program), "{expr:?}");
    program
}

fn accepts(expr: &Expr, entry: &Entry) -> bool {
    let program = program(expr);
    program.is_empty() || runs(&program, entry)
}

/// Those of some ports that a program accepts.
fn ports_accepted(expr: &Expr) -> Vec<u16> {
    let ports = [0, 1, 21, 22, 23, 79, 80, 81, 443, 65_534, 65_535];
    let accepted = |port: &u16| {
        accepts(
            expr,
            &Entry {
                sport: *port,
                ..Entry::default()
            },
        )
    };
    ports.into_iter().filter(accepted).collect()
}

fn address_accepted(expr: &Expr, local: &str) -> bool {
    let local: IpAddr = local.parse().unwrap();
    let entry = Entry {
        dport: 1,
        ..Entry::between(local, local)
    };
    accepts(expr, &entry)
}

#[test]
fn each_comparison_of_a_port_accepts_its_side() {
    let accepted = |op| ports_accepted(&local_port(op, 80));
    assert_eq!(accepted(Op::Equal), [80]);
    assert_eq!(accepted(Op::Less), [0, 1, 21, 22, 23, 79]);
    assert_eq!(accepted(Op::AtMost), [0, 1, 21, 22, 23, 79, 80]);
    assert_eq!(accepted(Op::Greater), [81, 443, 65_534, 65_535]);
    assert_eq!(accepted(Op::AtLeast), [80, 81, 443, 65_534, 65_535]);
    assert_eq!(
        accepted(Op::Unequal),
        [0, 1, 21, 22, 23, 79, 81, 443, 65_534, 65_535],
        "no port is another one"
    );
}

#[test]
fn not_accepts_the_other_ports_and_none() {
    let accepted = |op| ports_accepted(&local_port(op, 80).negated());
    assert_eq!(accepted(Op::Unequal), [80]);
    assert_eq!(accepted(Op::Less), [0, 80, 81, 443, 65_534, 65_535]);
    assert_eq!(accepted(Op::AtMost), [0, 81, 443, 65_534, 65_535]);
}

#[test]
fn comparisons_at_the_ends_of_the_numbers() {
    assert_eq!(program(&local_port(Op::AtLeast, 0)), NO_PROGRAM);
    assert_eq!(program(&local_port(Op::AtMost, 65_535)), NO_PROGRAM);
    assert_eq!(ports_accepted(&local_port(Op::Less, 0)), NO_PORTS);
    assert_eq!(ports_accepted(&local_port(Op::Greater, 65_535)), NO_PORTS);
    assert_eq!(ports_accepted(&local_port(Op::Equal, 65_535)), [65_535]);
}

#[test]
fn several_ports_are_one_set() {
    let some = |op| port(Side::Local, op, [(443, 443), (22, 22), (80, 81)]);
    assert_eq!(ports_accepted(&some(Op::Equal)), [22, 80, 81, 443]);
    let others = [0, 1, 21, 23, 79, 65_534, 65_535];
    assert_eq!(ports_accepted(&some(Op::Unequal)), others);
    assert_eq!(ports_accepted(&some(Op::Equal).negated()), others);
}

#[test]
fn many_ports_are_widened() {
    let odd = port(
        Side::Local,
        Op::Equal,
        (0..5_000).map(|n| (2 * n + 1, 2 * n + 1)),
    );
    assert!(program(&odd).len() <= 64 * 20, "{}", program(&odd).len());
    let accepted = ports_accepted(&odd);
    assert!(
        [1, 21, 23, 79, 81, 443]
            .iter()
            .all(|port| accepted.contains(port))
    );
    assert!(!accepted.contains(&65_534));
}

#[test]
fn service_is_the_number_of_the_protocol() {
    let numbers = [(Protocol::Udp, 443), (Protocol::Tcp, 22)];
    assert_eq!(ports_accepted(&service(Op::Equal, &numbers)), [22]);
}

#[test]
fn service_without_a_number_matches_nothing_and_its_opposite_everything() {
    for numbers in [vec![(Protocol::Udp, 80)], vec![(Protocol::Tcp, 70_000)]] {
        for op in [Op::Equal, Op::Less, Op::AtLeast] {
            assert_eq!(ports_accepted(&service(op, &numbers)), NO_PORTS);
            assert_eq!(program(&service(op, &numbers).negated()), NO_PROGRAM);
        }
        assert_eq!(program(&service(Op::Unequal, &numbers)), NO_PROGRAM);
        let named = service(Op::Unequal, &numbers).negated();
        assert_eq!(ports_accepted(&named), NO_PORTS);
    }
}

#[test]
fn prefix_meets_its_family_and_ipv4_meets_mapped() {
    let cases = [
        ("10.1.0.0/16", "10.1.2.3", true),
        ("10.1.0.0/16", "10.2.2.3", false),
        ("10.1.0.0/16", "::ffff:10.1.2.3", true),
        ("10.1.0.0/16", "::ffff:10.2.2.3", false),
        ("10.1.0.0/15", "10.0.255.1", true),
        ("0.0.0.0/0", "192.0.2.1", true),
        ("0.0.0.0/0", "::ffff:192.0.2.1", true),
        ("0.0.0.0/0", "2001:db8::1", false),
        ("::/0", "2001:db8::1", true),
        ("::/0", "10.1.2.3", false),
        ("2001:db8::/33", "2001:db8:7fff::1", true),
        ("2001:db8::/33", "2001:db8:8000::1", false),
        ("2001:db8::1/128", "2001:db8::1", true),
        ("2001:db8::1/128", "2001:db8::2", false),
    ];
    for (prefix, address, met) in cases {
        for (side, equal) in [(Side::Local, true), (Side::Peer, false)] {
            let expr = host(side, equal, &[prefix]);
            let accepted = address_accepted(&expr, address);
            assert_eq!(accepted, met == equal, "{prefix} {address}");
            let accepted = address_accepted(&expr.negated(), address);
            assert_eq!(accepted, met != equal, "not {prefix} {address}");
        }
    }
}

#[test]
fn what_is_left_of_an_earlier_peer_is_none() {
    let old: IpAddr = "10.1.2.3".parse().unwrap();
    let bound = Entry::between(old, old);
    for expr in [
        host(Side::Peer, false, &["10.0.0.0/8"]),
        host(Side::Peer, true, &["10.0.0.0/8"]).negated(),
    ] {
        assert!(accepts(&expr, &bound), "{expr}");
    }
}

#[test]
fn one_of_several_prefixes_is_enough_and_none_may_be_met() {
    let some = |equal| {
        host(
            Side::Local,
            equal,
            &["10.0.0.0/8", "127.0.0.1/32", "::1/128"],
        )
    };
    for (address, met) in [("10.9.9.9", true), ("::1", true), ("11.0.0.1", false)] {
        assert_eq!(address_accepted(&some(true), address), met);
        assert_eq!(address_accepted(&some(false), address), !met);
    }
}

#[test]
fn prefix_longer_than_its_address_is_not_tested() {
    assert_eq!(
        program(&host(Side::Local, true, &["10.0.0.0/33"])),
        NO_PROGRAM
    );
}

#[test]
fn mark_is_never_tested_below_not() {
    let marked = |mark| Entry {
        mark,
        ..Entry::default()
    };
    assert!(accepts(&mark(true, 0x50, 0xf0), &marked(0x5a)));
    assert!(!accepts(&mark(true, 0x50, 0xf0), &marked(0x6a)));
    assert!(accepts(&mark(false, 0x50, 0xf0), &marked(0x6a)));
    assert!(!accepts(&mark(false, 0x50, 0xf0), &marked(0x5a)));
    for equal in [true, false] {
        assert_eq!(program(&mark(equal, 5, u32::MAX).negated()), NO_PROGRAM);
        let twice = Expr::Not(Box::new(mark(equal, 5, u32::MAX).negated()));
        assert_eq!(program(&twice), program(&mark(equal, 5, u32::MAX)));
    }
}

#[test]
fn interface_and_cgroup_that_are_absent_are_0() {
    let entry = |number: u32| Entry {
        interface: number,
        cgroup: number.into(),
        ..Entry::default()
    };
    for test in [
        |equal| interface(equal, Some(3)),
        |equal| cgroup(equal, Some(3)),
    ] {
        let accepted = |expr: Expr| [0, 3, 4].map(|number| accepts(&expr, &entry(number)));
        assert_eq!(accepted(test(true)), [false, true, false]);
        assert_eq!(accepted(test(false)), [true, false, true]);
        assert_eq!(accepted(test(true).negated()), [true, false, true]);
        assert_eq!(accepted(test(false).negated()), [false, true, false]);
    }
}

#[test]
fn what_the_kernel_cannot_test_leaves_nothing_out() {
    let states = Expr::Test(Test::State(StateSet::EMPTY.with(State::Listen)));
    let shown = Expr::Test(Test::Shown("x".to_owned()));
    for unknown in [
        states,
        shown,
        Expr::ALWAYS,
        interface(true, None),
        interface(true, Some(0)),
        cgroup(true, None),
    ] {
        assert_eq!(program(&unknown), NO_PROGRAM);
        let beside = [unknown.clone(), local_port(Op::Equal, 22)];
        assert_eq!(ports_accepted(&Expr::All(beside.to_vec())), [22]);
        assert_eq!(program(&Expr::Any(beside.to_vec())), NO_PROGRAM);
        if unknown != Expr::ALWAYS {
            assert_eq!(program(&unknown.negated()), NO_PROGRAM);
        }
    }
}

#[test]
fn nothing_is_listed_of_what_never_holds() {
    assert_eq!(program(&Expr::NEVER).len(), 4);
    assert_eq!(ports_accepted(&Expr::NEVER), NO_PORTS);
    assert_eq!(program(&Expr::Not(Box::new(Expr::NEVER))), NO_PROGRAM);
}

#[test]
fn lists_within_lists_jump_to_their_own_ends() {
    let either = Expr::any([
        Expr::all([local_port(Op::AtLeast, 22), local_port(Op::AtMost, 23)]),
        Expr::all([
            Expr::any([local_port(Op::Equal, 80), local_port(Op::Equal, 443)]),
            local_port(Op::Unequal, 443),
        ]),
        local_port(Op::Equal, 1),
    ]);
    assert_eq!(ports_accepted(&either), [1, 22, 23, 80]);
    let neither = [0, 21, 79, 81, 443, 65_534, 65_535];
    assert_eq!(ports_accepted(&either.negated()), neither);
}

/// An expression with `count` addresses.
fn hosts(count: usize) -> Expr {
    let texts: Vec<String> = (0..count).map(|n| format!("10.0.0.{n}/32")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    host(Side::Peer, true, &texts)
}

#[test]
fn part_that_costs_more_than_it_saves_is_left_to_user_space() {
    // Four steps and a jump each.
    let most = MAX_STEPS / 5;
    assert_eq!(program(&hosts(most)).len(), most * 20 - 4);
    assert_eq!(program(&hosts(most + 1)), NO_PROGRAM);
    let beside = Expr::all([hosts(most + 1), local_port(Op::Equal, 22)]);
    assert_eq!(ports_accepted(&beside), [22]);
}

#[test]
fn many_ports_of_both_ends_are_worth_it() {
    let odd = || (0..5_000).map(|n| (2 * n + 1, 2 * n + 1));
    let either = [Side::Local, Side::Peer].map(|side| port(side, Op::Equal, odd()));
    assert_ne!(program(&Expr::any(either)), NO_PROGRAM);
}

#[test]
fn audit_refuses_what_the_kernel_refuses() {
    let op = |code: u8, yes: u8, no: u16| [&[code, yes][..], &no.to_ne_bytes()].concat();
    let (jmp, s_ge, auto, none) = (1, 2, 6, 14);
    assert!(audit(&op(jmp, 4, 8)));
    assert!(audit(&op(auto, 4, 8)));
    assert!(!audit(&op(jmp, 4, 12)));
    assert!(!audit(&op(jmp, 4, 0)));
    assert!(!audit(&op(none, 4, 4)));
    assert!(!audit(&op(s_ge, 4, 8)));
    assert!(!audit(&[]));
    // Jumps into the argument of another operation.
    let into = [op(jmp, 4, 8), op(s_ge, 8, 8), op(0, 0, 5)].concat();
    assert!(!audit(&into));
}
