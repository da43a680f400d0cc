//! Filters for tests of programs.

use crate::filter::{Expr, Field, Op, Operand, PortItem, Prefix, Side};

/// A filter nearly as heavy as a kernel ever gets.
pub(in crate::source) fn heavy() -> Expr {
    let sides = [Side::Local, Side::Peer];
    let ports = sides.map(|side| {
        let items = (1..=20).map(|at| PortItem::Range(512 * at, 512 * at + 9));
        Expr::field(side.port(), Op::Unequal, Operand::Ports(items.collect()))
    });
    let hosts = sides.map(|side| {
        let four = (0..9).map(|at| Prefix::new([10 + at, at, 0, 1].into(), 9 + at));
        let six = (0..9).map(|at: u8| {
            let high = 0x2001 + 0x100 * u16::from(at);
            Prefix::new([high, 0xdb8, 0, 0, 0, 0, 0, 1].into(), 17 + 9 * at)
        });
        let hosts = Expr::field(
            side.address(),
            Op::Equal,
            Operand::Hosts(four.chain(six).collect()),
        );
        hosts.negated()
    });
    let single = Expr::field(
        Field::LocalPort,
        Op::Equal,
        Operand::Ports(vec![PortItem::Range(80, 80)]),
    );
    Expr::all(ports.into_iter().chain(hosts).chain([single]))
}
