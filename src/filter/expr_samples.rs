//! Random expressions; some match the sockets of `samples`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::samples::{
    GLOBS, IPV4, IPV6, NAMES, PORTS, TEXT_FIELDS, WORD_FIELDS, number, option, states, text,
};
use crate::filter::{Case, Expr, Field, Op, Operand, Pattern, PortItem, Prefix, Side, Test};
use crate::model::{Protocol, Table};

/// An expression of any shape.
pub(super) fn expr() -> impl Strategy<Value = Expr> {
    let leaf = test().prop_map(Expr::Test);
    leaf.prop_recursive(4, 40, 6, |inner| {
        let members = || prop::collection::vec(inner.clone(), 0..6);
        prop_oneof![
            members().prop_map(Expr::all),
            members().prop_map(Expr::any),
            inner.prop_map(Expr::negated),
        ]
    })
}

/// A test of any kind.
pub(super) fn test() -> impl Strategy<Value = Test> {
    prop_oneof![
        2 => states().prop_map(Test::State),
        3 => select(WORD_FIELDS.to_vec()).prop_flat_map(word),
        3 => host(),
        1 => (side(), any::<bool>(), pattern())
            .prop_map(|(side, equal, pattern)| Test::Field(side.address(), Op::equal(equal), Operand::Name(pattern))),
        5 => port(),
        3 => numeric(),
        3 => looked_up(),
        2 => (select(TEXT_FIELDS.to_vec()), any::<bool>(), pattern())
            .prop_map(|(field, equal, pattern)| Test::Field(field, Op::equal(equal), Operand::Text(pattern))),
        2 => (field(), any::<[bool; 2]>()).prop_map(|(field, [equal, told])| Test::Field(field, Op::equal(equal), Operand::Missing { told })),
        1 => select(vec![
            Test::Autobound { ports: Some((32_768, 60_999)) },
            Test::Autobound { ports: Some((9, 8)) },
            Test::Autobound { ports: None },
            Test::HalfClosed,
            Test::Orphan,
            Test::Shown("nginx".into()),
        ]),
    ]
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        select(
            Field::comparable()
                .filter(|field| field.prefix().is_empty())
                .collect::<Vec<_>>()
        ),
        select(Field::comparable().collect::<Vec<_>>())
    ]
}

fn side() -> impl Strategy<Value = Side> {
    select(vec![Side::Local, Side::Peer])
}

fn op() -> impl Strategy<Value = Op> {
    select(vec![
        Op::Equal,
        Op::Unequal,
        Op::Less,
        Op::AtMost,
        Op::Greater,
        Op::AtLeast,
    ])
}

fn word(field: Field) -> impl Strategy<Value = Test> {
    let words = field.words();
    let words = subsequence(words.to_vec(), 1..=words.len());
    (any::<bool>(), words)
        .prop_map(move |(equal, words)| Test::Field(field, Op::equal(equal), Operand::Words(words)))
}

fn pattern() -> impl Strategy<Value = Pattern> {
    let case = select(vec![Case::Sensitive, Case::Insensitive]);
    prop_oneof![
        text().prop_map(|text| Pattern::Exact(text.into())),
        select(NAMES.to_vec()).prop_map(|name| Pattern::Exact(name.into())),
        (select(GLOBS.to_vec()), case).prop_map(|(glob, case)| Pattern::Glob(glob.into(), case)),
    ]
}

/// A test of ports, several for `=` and `!=`.
pub(super) fn port() -> impl Strategy<Value = Test> {
    let items = prop::collection::vec(port_item(), 1..5);
    (side(), op(), items, select(PORTS.to_vec())).prop_map(|(side, op, items, port)| {
        let items = match op {
            Op::Equal | Op::Unequal => items,
            _ if port == 1 => vec![service("http", 80)],
            _ => vec![PortItem::Range(port, port)],
        };
        Test::Field(side.port(), op, Operand::Ports(items))
    })
}

fn port_item() -> impl Strategy<Value = PortItem> {
    let port = || select(PORTS.to_vec());
    prop_oneof![
        4 => port().prop_map(|port| PortItem::Range(port, port)),
        3 => (port(), port()).prop_map(|(a, b)| PortItem::Range(a.min(b), a.max(b))),
        1 => Just(service("http", 80)),
        1 => Just(service("odd", 70_080)),
    ]
}

fn service(name: &str, number: u32) -> PortItem {
    PortItem::Service {
        name: name.into(),
        numbers: vec![(Protocol::Tcp, number), (Protocol::Netlink, number)],
    }
}

fn host() -> impl Strategy<Value = Test> {
    let address = select([IPV4.as_slice(), &IPV6].concat());
    let length = select(vec![0, 8, 16, 24, 31, 32, 96, 128]);
    let prefix = (address, length).prop_map(|(address, length)| prefix(address, length));
    let prefixes = prop::collection::vec(prefix, 1..4);
    (side(), any::<bool>(), prefixes).prop_map(|(side, equal, prefixes)| {
        Test::Field(side.address(), Op::equal(equal), Operand::Hosts(prefixes))
    })
}

#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
pub(super) fn prefix(address: &str, length: u8) -> Prefix {
    match address.parse().unwrap() {
        IpAddr::V4(ip) => {
            let length = length.min(32);
            let kept = u32::MAX.checked_shr(length.into()).map_or(0, |rest| rest);
            let address = Ipv4Addr::from_bits(ip.to_bits() & !kept);
            Prefix {
                address: address.into(),
                length,
            }
        }
        IpAddr::V6(ip) => {
            let kept = u128::MAX.checked_shr(length.into()).map_or(0, |rest| rest);
            let address = Ipv6Addr::from_bits(ip.to_bits() & !kept);
            Prefix {
                address: address.into(),
                length,
            }
        }
    }
}

fn numeric() -> impl Strategy<Value = Test> {
    let fields = Field::comparable().filter(|field| field.unit().is_some());
    let field = prop_oneof![
        select(vec![Field::Pid, Field::Fd, Field::Uid, Field::RecvQueue]),
        select(fields.collect::<Vec<_>>()),
    ];
    (field, op(), number())
        .prop_map(|(field, op, value)| Test::Field(field, op, Operand::Number(value.into())))
}

fn looked_up() -> impl Strategy<Value = Test> {
    let mark = (any::<bool>(), number(), select(vec![u32::MAX, 1, 0xff]));
    let interface = (any::<bool>(), select(vec!["eth0", "if5", "5"]));
    let cgroup = (any::<bool>(), select(vec!["/a.slice", "/"]));
    prop_oneof![
        mark.prop_map(|(equal, value, mask)| Test::Field(
            Field::Mark,
            Op::equal(equal),
            Operand::Masked { value, mask }
        )),
        (interface, option(number())).prop_map(|((equal, name), index)| Test::Field(
            Field::Interface,
            Op::equal(equal),
            Operand::named(name.into(), index.map(u64::from))
        )),
        (cgroup, option(number())).prop_map(|((equal, path), id)| Test::Field(
            Field::Cgroup,
            Op::equal(equal),
            Operand::named(path.into(), id.map(u64::from))
        )),
    ]
}

/// The expression with each list of ports or prefixes split into separate tests.
pub(super) fn spelled_out(expr: &Expr, table: Table) -> Expr {
    let each = |members: &[Expr]| {
        members
            .iter()
            .map(|member| spelled_out(member, table))
            .collect()
    };
    match expr {
        Expr::All(members) => Expr::All(each(members)),
        Expr::Any(members) => Expr::Any(each(members)),
        Expr::Not(inner) => Expr::Not(Box::new(spelled_out(inner, table))),
        Expr::Test(Test::Field(field, op, Operand::Ports(items))) => {
            spelled_ports(*field, *op, items, table)
        }
        Expr::Test(Test::Field(field, op, Operand::Hosts(prefixes))) => {
            let single = |prefix: &Prefix| Expr::field(*field, *op, Operand::Hosts(vec![*prefix]));
            let tests = prefixes.iter().map(single).collect();
            if *op == Op::Equal {
                Expr::Any(tests)
            } else {
                Expr::All(tests)
            }
        }
        Expr::Test(other) => Expr::Test(other.clone()),
    }
}

fn spelled_ports(field: Field, op: Op, items: &[PortItem], table: Table) -> Expr {
    let number = |item: &PortItem| match item {
        PortItem::Range(first, last) => Some(PortItem::Range(*first, *last)),
        PortItem::Service { numbers, .. } => {
            let of_table = numbers.iter().find(|(of, _)| *of == table.protocol)?;
            let port = u16::try_from(of_table.1).ok()?;
            Some(PortItem::Range(port, port))
        }
    };
    let single = |item: PortItem| Expr::field(field, op, Operand::Ports(vec![item]));
    let tests = items.iter().filter_map(number).map(single);
    if op == Op::Unequal {
        Expr::All(tests.collect())
    } else {
        Expr::Any(tests.collect())
    }
}
