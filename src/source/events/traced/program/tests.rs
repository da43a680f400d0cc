#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::super::Namespace;
use super::super::fields::{TRACEPOINT, WANTED};
use super::super::writer::{Generation, Plan, TAKEN, Turn};
use super::program;
use crate::bpf::{self, BTF, Hook, Kernel, Map, MapKind, TypeKind};
use crate::filter::{Expr, Field, Narrow, Op, Operand, PortItem, Prefix, Side};
use crate::model::{Family, Protocol, State, StateSet, Table};
use crate::skip::skip;
use crate::source::events::Watched;
use std::path::Path;

fn watched() -> Vec<Watched> {
    let protocols = [Protocol::Tcp, Protocol::Mptcp];
    let tables = protocols.into_iter().flat_map(|protocol| {
        [Family::Inet, Family::Inet6].map(|family| Table { protocol, family })
    });
    let watched = tables.map(|table| Watched {
        narrow: Narrow::without_bound(&heavy().for_table(table)),
        states: StateSet::EMPTY.with(State::CloseWait),
        ..Watched::all(table)
    });
    watched.collect()
}

/// A filter nearly as heavy as is given to a kernel.
fn heavy() -> Expr {
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

/// Kernels check programs of both kinds; with every part that there can be.
#[test]
fn this_kernel_takes_both_programs() {
    let others = || {
        Ok((
            Map::new(MapKind::Value, 8)?,
            Map::new(MapKind::Keyed, TAKEN)?,
        ))
    };
    let ring = Map::new(MapKind::RingBuffer, 1 << 16);
    let maps = ring.and_then(|ring| others().map(|(lost, taken)| (ring, lost, taken)));
    let (ring, lost, taken) = match maps {
        Ok(maps) => maps,
        Err(error) => return skip(error.chain()),
    };
    let watched = watched();
    for generation in [Generation::Typed, Generation::Copied] {
        for pids in [None, Namespace::of("/proc/self/ns/pid").ok()] {
            let plan = Plan {
                watched: &watched,
                networks: Some(&[u32::MAX, 1]),
                pids,
                ring: ring.descriptor(),
                taken: taken.descriptor(),
                lost: lost.descriptor(),
            };
            let (code, tracepoint) = bpf::describe(Path::new(BTF), &WANTED, |btf| {
                Ok((
                    [Turn::First, Turn::Second]
                        .map(|turn| program(btf, generation, turn, &plan).unwrap()),
                    btf.find(TypeKind::Typedef, TRACEPOINT)?,
                ))
            })
            .unwrap();
            for code in code {
                assert!(code.len() > 1_000, "{}", code.len());
                let hook = Hook::Tracepoint(tracepoint);
                if let Err(error) = bpf::attach("lsock_test", &code, hook) {
                    assert!(error.chain().contains("not permitted"), "{}", error.chain());
                    return skip(error.chain());
                }
            }
        }
    }
}

#[test]
fn kernel_without_a_field_is_told() {
    let mut kernel = Kernel::new();
    let four = kernel.number(4);
    kernel.structure("sock_common", &[("skc_num", four, 0)]);
    let bytes = kernel.bytes();
    let btf = bpf::Btf::read(&bytes, &WANTED).unwrap();
    let plan = Plan {
        watched: &[],
        networks: Some(&[1]),
        pids: None,
        ring: 3,
        taken: 5,
        lost: 4,
    };
    let error = program(&btf, Generation::Typed, Turn::First, &plan).unwrap_err();
    let text = "it has no sock_common.skc_net.net of the kind that is known";
    assert_eq!(error, text);
}
