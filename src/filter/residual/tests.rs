use proptest::prelude::*;

use crate::filter::expr_samples::{expr, prefix, test};
use crate::filter::samples::{Sample, any_sample, tables};
use crate::filter::{Expr, Field, Op, Operand, PortItem, Prefix, Rule, Side, Test};
use crate::model::{Family, Protocol, State, StateSet, Table};

const TCP: Table = Table {
    protocol: Protocol::Tcp,
    family: Family::Inet,
};
const TCP6: Table = Table {
    protocol: Protocol::Tcp,
    family: Family::Inet6,
};
const UDP: Table = Table {
    protocol: Protocol::Udp,
    family: Family::Inet,
};
const UNIX: Table = Table {
    protocol: Protocol::Unix,
    family: Family::Unix,
};
const NETLINK: Table = Table {
    protocol: Protocol::Netlink,
    family: Family::Netlink,
};

fn folded(test: Test, table: Table) -> Expr {
    Expr::Test(test).for_table(table).expr().clone()
}

fn word(field: Field, words: &[&'static str]) -> Test {
    let words = words.to_vec();
    Test::Field(field, Op::Equal, Operand::Words(words))
}

fn port(op: Op, items: Vec<PortItem>) -> Test {
    let side = Side::Local;
    Test::Field(side.port(), op, Operand::Ports(items))
}

fn one_port(number: u16) -> Expr {
    let items = vec![PortItem::Range(number, number)];
    Expr::Test(port(Op::Equal, items))
}

fn http() -> PortItem {
    PortItem::Service {
        name: "http".into(),
        numbers: vec![(Protocol::Tcp, 80)],
    }
}

fn host(equal: bool, prefixes: Vec<Prefix>) -> Test {
    Test::Field(
        Field::PeerAddress,
        Op::equal(equal),
        Operand::Hosts(prefixes),
    )
}

fn pid() -> Expr {
    Expr::field(Field::Pid, Op::Equal, Operand::Number(1))
}

#[test]
fn the_protocol_of_a_table_is_known() {
    let test = word(Field::Protocol, &["tcp", "udp"]);
    assert_eq!(folded(test.clone(), TCP), Expr::ALWAYS);
    assert_eq!(folded(test, UNIX), Expr::NEVER);
}

#[test]
fn the_family_of_a_table_is_known() {
    let test = word(Field::Family, &["inet6"]);
    assert_eq!(
        *Expr::Test(test.clone()).for_table(TCP6).expr(),
        Expr::ALWAYS
    );
    assert!(Expr::Test(test).for_table(TCP).is_never());
}

#[test]
fn only_unix_and_packet_sockets_have_a_type() {
    let test = word(Field::Type, &["stream"]);
    assert_eq!(folded(test.clone(), UNIX), Expr::Test(test.clone()));
    assert_eq!(folded(test, TCP), Expr::NEVER);
}

#[test]
fn a_field_the_table_has_not_is_missing() {
    let missing = |equal| {
        Test::Field(
            Field::Mark,
            Op::equal(equal),
            Operand::Missing { told: false },
        )
    };
    assert_eq!(folded(missing(true), UNIX), Expr::ALWAYS);
    assert_eq!(folded(missing(false), UNIX), Expr::NEVER);
    assert_eq!(folded(missing(true), TCP), Expr::Test(missing(true)));
}

#[test]
fn every_socket_has_a_protocol() {
    let missing = Test::Field(
        Field::Protocol,
        Op::Unequal,
        Operand::Missing { told: false },
    );
    assert_eq!(folded(missing, TCP), Expr::ALWAYS);
}

#[test]
fn ipv6_prefixes_meet_no_ipv4_socket() {
    let prefixes = vec![prefix("2001:db8::", 32)];
    assert_eq!(folded(host(true, prefixes.clone()), TCP), Expr::NEVER);
    assert_eq!(folded(host(false, prefixes), TCP), Expr::ALWAYS);
}

#[test]
fn ipv4_prefixes_stay_for_ipv6_sockets() {
    let test = host(true, vec![prefix("10.0.0.0", 8)]);
    assert_eq!(folded(test.clone(), TCP6), Expr::Test(test));
}

#[test]
fn sockets_without_an_ip_address_are_on_no_host() {
    let prefixes = vec![prefix("0.0.0.0", 0)];
    for table in [UNIX, NETLINK] {
        assert_eq!(folded(host(true, prefixes.clone()), table), Expr::NEVER);
        assert_eq!(folded(host(false, prefixes.clone()), table), Expr::ALWAYS);
    }
}

#[test]
fn prefixes_within_others_are_left_out() {
    let prefixes = [("10.1.0.0", 16), ("192.168.0.0", 16), ("10.0.0.0", 8)];
    let prefixes = prefixes.map(|(address, length)| prefix(address, length));
    let kept = vec![prefix("10.0.0.0", 8), prefix("192.168.0.0", 16)];
    assert_eq!(
        folded(host(true, prefixes.to_vec()), TCP),
        Expr::Test(host(true, kept))
    );
}

#[test]
fn a_service_becomes_its_number() {
    assert_eq!(folded(port(Op::Equal, vec![http()]), TCP), one_port(80));
}

#[test]
fn no_port_is_a_service_the_protocol_has_not() {
    for op in [Op::Equal, Op::Less, Op::AtLeast] {
        assert_eq!(folded(port(op, vec![http()]), UDP), Expr::NEVER);
    }
}

#[test]
fn every_port_differs_from_a_service_the_protocol_has_not() {
    assert_eq!(folded(port(Op::Unequal, vec![http()]), UDP), Expr::ALWAYS);
}

#[test]
fn a_service_number_beyond_all_ports_is_none() {
    let item = PortItem::Service {
        name: "huge".into(),
        numbers: vec![(Protocol::Tcp, 65_536)],
    };
    assert_eq!(folded(port(Op::Equal, vec![item]), TCP), Expr::NEVER);
}

#[test]
fn unix_sockets_have_no_port() {
    let test = |op| port(op, vec![PortItem::Range(1, 1)]);
    assert_eq!(folded(test(Op::Unequal), UNIX), Expr::ALWAYS);
    for op in [Op::Equal, Op::Less, Op::AtLeast] {
        assert_eq!(folded(test(op), UNIX), Expr::NEVER);
    }
}

#[test]
fn autobound_is_a_range_of_ports_and_a_kind_of_unix_name() {
    let test = Test::Autobound {
        ports: Some((32_768, 60_999)),
    };
    let ports = port(Op::Equal, vec![PortItem::Range(32_768, 60_999)]);
    assert_eq!(folded(test.clone(), TCP), Expr::Test(ports));
    assert_eq!(folded(test.clone(), UNIX), Expr::Test(test.clone()));
    assert_eq!(folded(test, NETLINK), Expr::NEVER);
}

#[test]
fn every_state_or_none_is_decided() {
    assert_eq!(folded(Test::State(StateSet::ALL), TCP), Expr::ALWAYS);
    assert_eq!(folded(Test::State(StateSet::EMPTY), TCP), Expr::NEVER);
}

#[test]
fn only_tcp_has_orphans() {
    assert_eq!(folded(Test::Orphan, TCP), Expr::Test(Test::Orphan));
    assert_eq!(folded(Test::Orphan, UDP), Expr::NEVER);
}

#[test]
fn constants_are_turned_around_and_vanish() {
    let listening = Expr::Test(Test::State(StateSet::EMPTY.with(State::Listen)));
    let not_udp = Expr::Test(word(Field::Protocol, &["udp"])).negated();
    let both = Expr::all([not_udp, listening.clone()]);
    assert_eq!(*both.for_table(TCP).expr(), listening);
    assert!(both.for_table(UDP).is_never());
}

#[test]
fn wanted_ports_become_one_test() {
    let expr = Expr::any([443, 80, 22, 81].map(one_port));
    let items = [(22, 22), (80, 81), (443, 443)].map(|(a, b)| PortItem::Range(a, b));
    let joined = Expr::Test(port(Op::Equal, items.to_vec()));
    assert_eq!(*expr.for_table(TCP).expr(), joined);
}

#[test]
fn unwanted_ports_become_one_test() {
    let unwanted = |number| Expr::Test(port(Op::Unequal, vec![PortItem::Range(number, number)]));
    let expr = Expr::all([80, 22].map(unwanted));
    let items = [(22, 22), (80, 80)].map(|(a, b)| PortItem::Range(a, b));
    let joined = Expr::Test(port(Op::Unequal, items.to_vec()));
    assert_eq!(*expr.for_table(TCP).expr(), joined);
}

#[test]
fn a_hundred_thousand_ports_and_hosts_take_no_time() {
    let hosts = (0..100_000_u32).map(|number| {
        let address = std::net::Ipv4Addr::from_bits(number * 2).to_string();
        Expr::Test(host(true, vec![prefix(&address, 32)]))
    });
    let ports = (0..=u16::MAX).step_by(2).map(one_port);
    let rule = Expr::any(hosts.chain(ports)).for_table(TCP);
    assert!(matches!(rule.expr(), Expr::Any(members) if members.len() == 2));
}

#[test]
fn owners_are_asked_last() {
    let listening = Expr::Test(Test::State(StateSet::EMPTY.with(State::Listen)));
    let either = Expr::any([pid(), one_port(80)]);
    let expr = Expr::all([either, pid(), one_port(22), listening.clone()]);
    let expected = [
        one_port(22),
        listening,
        Expr::any([one_port(80), pid()]),
        pid(),
    ];
    assert_eq!(*expr.for_table(TCP).expr(), Expr::all(expected));
}

fn ends_are_tidy(expr: &Expr) -> bool {
    expr.tests().into_iter().all(|test| match test {
        Test::Field(_, _, Operand::Ports(items)) => {
            let ranges: Option<Vec<_>> = items
                .iter()
                .map(|item| match item {
                    PortItem::Range(first, last) => Some((*first, *last)),
                    PortItem::Service { .. } => None,
                })
                .collect();
            ranges.is_some_and(|ranges| {
                !ranges.is_empty() && ranges.is_sorted_by(|before, after| before.1 < after.0)
            })
        }
        Test::Field(_, _, Operand::Hosts(prefixes)) => {
            !prefixes.is_empty()
                && prefixes.is_sorted_by(|before, after| {
                    before.address < after.address && !before.contains(after.address)
                })
        }
        _ => true,
    })
}

/// The answers of the reduced rule, and of the original expression.
fn answers(sample: &Sample, expr: &Expr) -> (Option<bool>, Option<bool>) {
    let socket = &sample.socket;
    let table = Table {
        protocol: socket.protocol,
        family: socket.family,
    };
    let answer = |rule: Rule| {
        let mut shown = |text: &str| text.len() % 2 == usize::from(socket.uid.is_some());
        rule.decide(&sample.row(), &mut shown).held()
    };
    let whole = answer(Rule::spelled_out(expr, table));
    (answer(expr.for_table(table)), whole)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn a_table_never_changes_the_answer(
        sample in any_sample(), expr in expr()
    ) {
        let (fitted, whole) = answers(&sample, &expr);
        prop_assert_eq!(fitted, whole);
    }

    #[test]
    fn a_table_never_changes_the_answer_of_a_test(
        sample in any_sample(),
        tests in prop::collection::vec(test(), 20),
    ) {
        for test in tests {
            let (fitted, whole) = answers(&sample, &Expr::Test(test.clone()));
            prop_assert_eq!(fitted, whole, "{:?}", test);
        }
    }

    #[test]
    fn ports_and_prefixes_of_a_rule_are_ascending_and_disjoint(
        expr in expr(),
        table in prop::sample::select(tables()),
    ) {
        prop_assert!(ends_are_tidy(expr.for_table(table).expr()));
    }
}
