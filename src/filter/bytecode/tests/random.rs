//! Tests of random expressions on random sockets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::select;

use super::kernel::{Entry, audit, runs};
use super::{cgroup, interface, mark, port};
use crate::filter::bytecode::{compile, encoded};
use crate::filter::expr_samples::prefix;
use crate::filter::{Expr, Field, Op, Operand, PortItem, Prefix, Side, Test};
use crate::model::{Family, Protocol, Socket, State, StateSet, Table};

const PROTOCOL: Protocol = Protocol::Tcp;

fn near_ports() -> impl Strategy<Value = u16> {
    select(vec![0, 1, 2, 3, 4, 80, 65_534, 65_535])
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    let four = [[0; 4], [10, 0, 0, 1], [10, 0, 0, 2], [10, 128, 0, 1]].map(Ipv4Addr::from);
    let six = ["::", "::1", "2001:db8::1", "2001:db8::2", "::10.0.0.1"];
    let six = six.map(|text| text.parse::<Ipv6Addr>().unwrap());
    let mapped = four.map(|address| IpAddr::V6(address.to_ipv6_mapped()));
    let all = four.map(IpAddr::V4).into_iter().chain(mapped);
    select(all.chain(six.map(IpAddr::V6)).collect::<Vec<_>>())
}

fn prefixes() -> impl Strategy<Value = Vec<Prefix>> {
    let lengths = select(vec![0, 1, 8, 9, 31, 32, 33, 96, 104, 127, 128_u8]);
    let one = (addresses(), lengths).prop_map(|(address, length)| {
        let length = length.min(if address.is_ipv4() { 32 } else { 128 });
        prefix(&address.to_string(), length)
    });
    prop::collection::vec(one, 1..4)
}

fn sides() -> impl Strategy<Value = Side> {
    select(vec![Side::Local, Side::Peer])
}

fn items() -> impl Strategy<Value = PortItem> {
    let number = select(vec![0, 1, 2, 3, 80, 65_535, 70_000]);
    let service = prop::collection::vec((select(vec![PROTOCOL, Protocol::Udp]), number), 0..2);
    prop_oneof![
        4 => (near_ports(), near_ports()).prop_map(|(first, last)| PortItem::Range(first, last)),
        4 => near_ports().prop_map(|port| PortItem::Range(port, port)),
        1 => service.prop_map(|numbers| PortItem::Service { name: "s".to_owned(), numbers }),
    ]
}

fn port_tests() -> impl Strategy<Value = Expr> {
    let ordered = [Op::Less, Op::AtMost, Op::Greater, Op::AtLeast];
    let equal = vec![Op::Equal, Op::Unequal];
    let set = (sides(), select(equal), prop::collection::vec(items(), 1..4))
        .prop_map(|(side, op, items)| Expr::field(side.port(), op, Operand::Ports(items)));
    let single = (sides(), select(ordered.to_vec()), near_ports())
        .prop_map(|(side, op, number)| port(side, op, [(number, number)]));
    prop_oneof![set, single]
}

fn leaves() -> impl Strategy<Value = Expr> {
    let hosts = (sides(), any::<bool>(), prefixes()).prop_map(|(side, equal, prefixes)| {
        Expr::field(side.address(), Op::equal(equal), Operand::Hosts(prefixes))
    });
    // Two tests that the kernel does not know.
    let others = select(vec![
        Expr::Test(Test::HalfClosed),
        Expr::Test(Test::State(StateSet::EMPTY.with(State::Listen))),
    ]);
    let small = prop::option::of(0..4_u32);
    prop_oneof![
        4 => port_tests(),
        3 => hosts,
        1 => (any::<bool>(), 0..4_u32, 0..4_u32).prop_map(|(equal, value, mask)| mark(equal, value, mask)),
        1 => (any::<bool>(), small.clone()).prop_map(|(equal, index)| interface(equal, index)),
        1 => (any::<bool>(), small).prop_map(|(equal, id)| cgroup(equal, id.map(u64::from))),
        1 => others,
    ]
}

fn expressions() -> impl Strategy<Value = Expr> {
    leaves().prop_recursive(5, 40, 5, |inner| {
        let list = || prop::collection::vec(inner.clone(), 0..5);
        prop_oneof![
            list().prop_map(Expr::All),
            list().prop_map(Expr::Any),
            inner.prop_map(|expr| Expr::Not(Box::new(expr))),
        ]
    })
}

/// A socket as reported, and as a program sees it: with a mark even if none is reported.
fn sockets() -> impl Strategy<Value = (Socket, Entry)> {
    let ends = (addresses(), addresses(), near_ports(), near_ports());
    let numbers = (0..4_u32, 0..4_u32, 0..4_u64);
    (ends, numbers, any::<[bool; 4]>()).prop_map(
        |((local, peer, sport, dport), (index, mark, id), told)| {
            let mut socket = Socket::new(PROTOCOL, Family::Inet6);
            socket.local.ip = Some(local);
            socket.peer.ip = Some(peer);
            socket.local.port = Some(u32::from(sport)).filter(|port| *port != 0);
            socket.peer.port = Some(u32::from(dport)).filter(|port| *port != 0);
            // Without a peer nothing is left of an earlier one.
            socket.peer.ip = socket.peer.ip.filter(|_| dport != 0 || told[1]);
            if told[3] {
                socket.state = State::Bound;
                socket.clear_leftovers();
            }
            socket.interface = Some(index).filter(|index| *index != 0);
            socket.cgroup_id = Some(id).filter(|id| *id != 0);
            socket.mark = told[0].then_some(mark);
            // The answers of the tests that the kernel does not know.
            socket.recv_queue = Some(told[1].into());
            socket.send_queue = Some(told[2].into());
            let entry = Entry {
                sport,
                dport,
                interface: index,
                mark,
                cgroup: id,
                ..Entry::between(local, peer)
            };
            (socket, entry)
        },
    )
}

/// True if the expression holds. Absent values match only `!=`, and an unknown mark not even that.
fn holds(expr: &Expr, socket: &Socket) -> bool {
    match expr {
        Expr::All(members) => members.iter().all(|member| holds(member, socket)),
        Expr::Any(members) => members.iter().any(|member| holds(member, socket)),
        Expr::Not(inner) => !holds(inner, socket),
        Expr::Test(test @ Test::Field(Field::Mark, ..)) => {
            test_holds(test, socket).unwrap_or(false)
        }
        Expr::Test(test) => {
            let is_unequal = matches!(test, Test::Field(_, Op::Unequal, _));
            test_holds(test, socket).unwrap_or(is_unequal)
        }
    }
}

fn test_holds(test: &Test, socket: &Socket) -> Option<bool> {
    let Test::Field(field, op, operand) = test else {
        return Some(match test {
            Test::HalfClosed => socket.recv_queue? == 1,
            _ => socket.send_queue? == 1,
        });
    };
    let end = match field.side() {
        Side::Local => &socket.local,
        Side::Peer => &socket.peer,
    };
    let is_same = match operand {
        Operand::Ports(items) => return Some(port_holds(*op, items, end.port?)),
        Operand::Hosts(prefixes) => {
            let address = end.ip?;
            prefixes.iter().any(|prefix| begins(address, prefix))
        }
        Operand::Named { number, .. } => {
            let own = match field {
                Field::Interface => socket.interface?.into(),
                _ => socket.cgroup_id?,
            };
            own == *number
        }
        Operand::Masked { value, mask } => socket.mark? & mask == *value,
        _ => socket.send_queue? == 1,
    };
    Some(is_same == (*op == Op::Equal))
}

fn port_holds(op: Op, items: &[PortItem], port: u32) -> bool {
    let mut ranges = items.iter().filter_map(|item| match item {
        PortItem::Range(first, last) => Some((u32::from(*first), u32::from(*last))),
        PortItem::Service { numbers, .. } => {
            let named = numbers.iter().find(|(of, _)| *of == PROTOCOL);
            named.map(|(_, number)| (*number, *number))
        }
    });
    match op {
        Op::Equal => ranges.any(|(first, last)| (first..=last).contains(&port)),
        Op::Unequal => !ranges.any(|(first, last)| (first..=last).contains(&port)),
        _ => ranges.any(|(value, _)| op.holds(&port, &value)),
    }
}

fn begins(address: IpAddr, prefix: &Prefix) -> bool {
    match (address, prefix.address) {
        (IpAddr::V4(address), IpAddr::V4(with)) => {
            let shift = 32 - u32::from(prefix.length);
            address.to_bits().checked_shr(shift) == with.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(address), IpAddr::V6(with)) => {
            let shift = 128 - u32::from(prefix.length);
            address.to_bits().checked_shr(shift) == with.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(address), IpAddr::V4(_)) => address
            .to_ipv4_mapped()
            .is_some_and(|address| begins(address.into(), prefix)),
        (IpAddr::V4(_), IpAddr::V6(_)) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn kernel_filter_never_rejects_a_match(
        expr in expressions(),
        sockets in prop::collection::vec(sockets(), 1..20),
    ) {
        let table = Table { protocol: PROTOCOL, family: Family::Inet6 };
        let program = encoded(&compile(expr.for_table(table).expr(), true)).unwrap();
        prop_assert!(program.is_empty() || audit(&program), "{:?}", program);
        for (socket, entry) in &sockets {
            let accepted = program.is_empty() || runs(&program, entry);
            prop_assert!(accepted || !holds(&expr, socket), "{:?} {:?}", entry, program);
        }
    }
}
