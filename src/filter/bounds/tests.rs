use std::collections::BTreeSet;
use std::net::IpAddr;

use proptest::prelude::*;

use crate::fields::Cost;
use crate::filter::expr_samples::expr;
use crate::filter::samples::any_sample;
use crate::filter::{Case, Expr, Field, Op, Operand, Pattern, PortItem, Prefix, Side, Test};
use crate::model::{Family, Protocol, Source, State, StateSet, Table};

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

fn state(state: State) -> Expr {
    Expr::Test(Test::State(StateSet::EMPTY.with(state)))
}

fn number(field: Field, op: Op, value: u64) -> Expr {
    Expr::field(field, op, Operand::Number(value))
}

fn pid(pid: u64) -> Expr {
    number(Field::Pid, Op::Equal, pid)
}

fn word(field: Field, words: &[&'static str]) -> Expr {
    let words = words.to_vec();
    Expr::field(field, Op::Equal, Operand::Words(words))
}

fn without(field: Field, words: &[&'static str]) -> Expr {
    Expr::field(field, Op::Unequal, Operand::Words(words.to_vec()))
}

/// Every non-empty set of words of a field.
fn sets(field: Field) -> impl Iterator<Item = Vec<&'static str>> {
    let words = field.words();
    (1..1_usize << words.len()).map(move |bits| {
        let places = (0..).zip(words).filter(|(place, _)| bits >> place & 1 == 1);
        places.map(|(_, word)| *word).collect()
    })
}

#[test]
fn any_number_of_protocols_is_named_by_equal_and_none_by_unequal() {
    for words in sets(Field::Protocol) {
        let named = word(Field::Protocol, &words).protocols();
        let found: Vec<&str> = named.into_iter().map(Protocol::name).collect();
        assert_eq!(found, words);
        assert!(without(Field::Protocol, &words).protocols().is_empty());
    }
    for words in sets(Field::Family) {
        let named = word(Field::Family, &words).protocols();
        let own = |word: &&str| !matches!(*word, "inet" | "inet6");
        let found: Vec<&str> = named.into_iter().map(Protocol::name).collect();
        let own: Vec<_> = words.iter().copied().filter(own).collect();
        assert_eq!(found, own);
        assert!(without(Field::Family, &words).protocols().is_empty());
    }
}

fn missing(field: Field) -> Expr {
    Expr::field(field, Op::Equal, Operand::Missing { told: false })
}

fn text(field: Field) -> Expr {
    Expr::field(
        field,
        Op::Equal,
        Operand::Text(Pattern::Glob("*".into(), Case::Sensitive)),
    )
}

fn name(side: Side) -> Expr {
    Expr::field(
        side.address(),
        Op::Equal,
        Operand::Name(Pattern::Exact(b"/run/a".to_vec())),
    )
}

fn cgroup(id: Option<u64>) -> Expr {
    Expr::field(Field::Cgroup, Op::Equal, Operand::named(b"/".to_vec(), id))
}

fn states(expr: &Expr) -> StateSet {
    expr.for_table(TCP).states()
}

#[test]
fn states_go_through_and_or_and_not() {
    let listen = StateSet::EMPTY.with(State::Listen);
    let either = listen.with(State::TimeWait);
    let (one, other) = (state(State::Listen), state(State::TimeWait));
    assert_eq!(states(&Expr::all([one.clone(), pid(1)])), listen);
    assert_eq!(states(&Expr::any([one.clone(), other])), either);
    assert_eq!(states(&one.clone().negated()), listen.complement());
    assert_eq!(states(&Expr::any([one.clone(), pid(1)])), StateSet::ALL);
    let neither = Expr::any([one.clone(), pid(1)]).negated();
    assert_eq!(states(&neither), listen.complement());
    assert_eq!(states(&Expr::all([one, pid(1)]).negated()), StateSet::ALL);
}

#[test]
fn orphans_have_few_states() {
    let orphaned = states(&Expr::Test(Test::Orphan));
    assert!(orphaned.contains(State::LastAck));
    assert!(!orphaned.contains(State::TimeWait));
    assert_eq!(states(&Expr::Test(Test::Orphan).negated()), StateSet::ALL);
}

#[test]
fn state_is_found_below_not() {
    assert!(Expr::all([pid(1), state(State::Listen).negated()]).names_state());
    assert!(!Expr::all([pid(1), Expr::Test(Test::Orphan)]).names_state());
}

#[test]
fn pids_are_bounded_by_and_and_or() {
    assert_eq!(pid(7).pids(), Some(vec![7]));
    assert_eq!(Expr::any([pid(9), pid(7), pid(9)]).pids(), Some(vec![7, 9]));
    let all_asked = Expr::all([Expr::any([pid(1), pid(2)]), pid(3), state(State::Listen)]);
    assert_eq!(all_asked.pids(), Some(vec![1, 2, 3]));
    let beside = Expr::all([pid(1), pid(2).negated()]);
    assert_eq!(beside.pids(), Some(vec![1, 2]));
    assert_eq!(Expr::NEVER.pids(), Some(Vec::new()));
    assert_eq!(pid(1 << 40).pids(), Some(Vec::new()));
}

#[test]
fn pids_are_else_unbounded() {
    assert_eq!(Expr::ALWAYS.pids(), None);
    assert_eq!(pid(1).negated().pids(), None);
    assert_eq!(number(Field::Pid, Op::Unequal, 1).pids(), None);
    assert_eq!(Expr::any([pid(1), state(State::Listen)]).pids(), None);
    let fd = number(Field::Fd, Op::Greater, 2);
    assert_eq!(Expr::all([pid(1), fd]).pids(), None, "of another process");
}

#[test]
fn cheap_tests_need_nothing() {
    let cheap = Expr::all([
        state(State::Listen),
        name(Side::Local),
        cgroup(Some(1)),
        number(Field::Uid, Op::Equal, 0),
    ]);
    assert_eq!(cheap.needs(), BTreeSet::new());
}

#[test]
fn every_costly_test_needs_its_own() {
    for (expr, needs) in [
        (text(Field::Congestion), &[Cost::Info][..]),
        (missing(Field::Congestion), &[Cost::Info]),
        (number(Field::MemoryPart(1), Op::Less, 1), &[Cost::Memory]),
        (name(Side::Peer), &[Cost::UnixPeers]),
        (text(Field::PeerAddress), &[Cost::UnixPeers]),
        (missing(Field::PeerAddress), &[Cost::UnixPeers]),
        (text(Field::User), &[Cost::User]),
        (cgroup(None), &[Cost::Cgroup]),
        (text(Field::Cgroup), &[Cost::Cgroup]),
        (pid(1).negated(), &[Cost::Owners]),
        (word(Field::ProcessStatus, &["none"]), &[Cost::Owners]),
        (missing(Field::Fd), &[Cost::Owners]),
        (text(Field::ProcessUser), &[Cost::User, Cost::Owners]),
        (Expr::Test(Test::Shown("x".into())), &[Cost::Shown]),
    ] {
        assert_eq!(expr.needs(), needs.iter().copied().collect(), "{expr:?}");
    }
}

#[test]
fn positive_tests_name_protocols() {
    let expr = Expr::any([
        word(Field::Protocol, &["tcp", "icmp"]),
        word(Field::Family, &["packet", "inet"]),
        name(Side::Local),
    ]);
    let named: Vec<_> = expr.protocols().into_iter().collect();
    let expected = [
        Protocol::Tcp,
        Protocol::Icmp,
        Protocol::Unix,
        Protocol::Packet,
    ];
    assert_eq!(named, expected);
}

#[test]
fn what_is_unwanted_names_no_protocol() {
    for expr in [
        word(Field::Protocol, &["unix"]).negated(),
        without(Field::Protocol, &["tcp", "udp"]),
        without(Field::Family, &["inet"]),
        pid(1),
    ] {
        assert!(expr.protocols().is_empty(), "{expr:?}");
    }
}

fn untold(expr: &Expr, table: Table, source: Source) -> Vec<Field> {
    expr.for_table(table).unknowable(source)
}

#[test]
fn mark_is_told_to_the_privileged_only() {
    let mark = number(Field::Mark, Op::Equal, 1);
    assert_eq!(untold(&mark, TCP, Source::Netlink), [Field::Mark]);
    assert_eq!(untold(&mark, TCP, Source::Procfs), [Field::Mark]);
    let missing = Expr::field(Field::Mark, Op::Equal, Operand::Missing { told: false });
    assert_eq!(untold(&missing, TCP, Source::Procfs), [], "it has none");
}

#[test]
fn procfs_tells_no_cookie_nor_shutdown() {
    let cookie = number(Field::Cookie, Op::Equal, 1);
    let shutdown = word(Field::Shutdown, &["both"]);
    let expr = Expr::all([cookie.clone(), shutdown, cookie]);
    let fields = [Field::Cookie, Field::Shutdown];
    assert_eq!(untold(&expr, TCP, Source::Procfs), fields);
    assert_eq!(untold(&expr, TCP, Source::Netlink), []);
}

#[test]
fn procfs_tells_drops_of_udp() {
    let drops = number(Field::MemoryPart(8), Op::Greater, 0);
    let limit = number(Field::MemoryPart(1), Op::Greater, 0);
    assert_eq!(untold(&drops, UDP, Source::Procfs), []);
    assert_eq!(untold(&limit, UDP, Source::Procfs), [Field::MemoryPart(1)]);
    assert_eq!(untold(&drops, TCP, Source::Procfs), [Field::MemoryPart(8)]);
}

#[test]
fn procfs_tells_no_peers_of_unix_sockets() {
    let expr = Expr::all([name(Side::Peer), number(Field::PeerInode, Op::Equal, 1)]);
    let fields = [Field::PeerAddress, Field::PeerInode];
    assert_eq!(untold(&expr, UNIX, Source::Procfs), fields);
    assert_eq!(untold(&name(Side::Local), UNIX, Source::Procfs), []);
}

#[test]
fn half_close_is_told_by_the_state_of_tcp() {
    let half = Expr::Test(Test::HalfClosed);
    assert_eq!(untold(&half, TCP, Source::Procfs), []);
    assert_eq!(untold(&half, UNIX, Source::Procfs), [Field::Shutdown]);
}

#[test]
fn procfs_tells_no_limit_of_a_listeners_queue() {
    let queue = number(Field::SendQueue, Op::Greater, 0);
    assert_eq!(untold(&queue, TCP, Source::Procfs), [Field::SendQueue]);
    let open = Expr::all([queue, state(State::Established)]);
    assert_eq!(untold(&open, TCP, Source::Procfs), []);
}

#[test]
fn what_the_table_has_not_is_not_unknowable() {
    let mark = number(Field::Mark, Op::Equal, 1);
    assert_eq!(untold(&mark, UNIX, Source::Procfs), []);
    let items = vec![PortItem::Range(1, 1)];
    let port = Expr::field(Field::PeerPort, Op::Equal, Operand::Ports(items));
    assert_eq!(untold(&port, TCP, Source::Procfs), []);
}

#[test]
fn what_waits_for_peers_is_not_asked_for_by_its_peer() {
    let port = |side: Side| {
        Expr::field(
            side.port(),
            Op::Equal,
            Operand::Ports(vec![PortItem::Range(1, 1)]),
        )
    };
    let host = |address: &str, length| {
        Expr::field(
            Field::PeerAddress,
            Op::Equal,
            Operand::Hosts(
                address
                    .parse::<IpAddr>()
                    .map(|address| vec![Prefix::new(address, length)])
                    .unwrap_or_default(),
            ),
        )
    };
    let waits = |expr: &Expr, table| {
        let states = expr.for_table(table).states();
        [State::Listen, State::Bound].map(|state| states.contains(state))
    };
    for without in [port(Side::Peer), host("10.0.0.0", 8), host("::1", 128)] {
        assert_eq!(waits(&without, TCP6), [false; 2], "{without}");
        assert_eq!(waits(&without.negated(), TCP6), [true; 2]);
    }
    for with in [port(Side::Local), host("::", 0), host("::", 128)] {
        assert_eq!(waits(&with, TCP6), [true; 2], "{with}");
    }
    assert_eq!(waits(&port(Side::Peer), UDP), [true; 2], "no handshake");
}

/// Expressions that mostly test processes and states.
fn owned() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        4 => (0_u64..6).prop_map(pid),
        1 => prop::sample::select(State::NAMED.to_vec()).prop_map(state),
        1 => expr(),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let members = || prop::collection::vec(inner.clone(), 1..4);
        prop_oneof![
            3 => members().prop_map(Expr::all),
            3 => members().prop_map(Expr::any),
            1 => inner.prop_map(Expr::negated),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn bounds_hold_for_every_accepted_socket(sample in any_sample(), expr in owned()) {
        let socket = &sample.socket;
        let table = Table { protocol: socket.protocol, family: socket.family };
        let rule = expr.for_table(table);
        let accepted = rule.decide(&sample.row(), &mut |_| true).held();
        if accepted == Some(true) {
            prop_assert!(rule.states().contains(socket.state));
            if let Some(pids) = expr.pids() {
                let processes = sample.processes.unwrap_or_default();
                let held = processes.iter().any(|process| pids.contains(&process.pid));
                prop_assert!(held);
            }
        }
    }
}
