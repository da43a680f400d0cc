#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::super::Namespace;
use super::super::fields::{TRACEPOINT, WANTED};
use super::super::writer::{Generation, Plan, TAKEN, Turn};
use super::program;
use crate::bpf::{self, BTF, Hook, Kernel, Map, MapKind, TypeKind};
use crate::filter::Narrow;
use crate::model::{Family, Protocol, State, StateSet, Table};
use crate::skip::skip;
use crate::source::checks::samples::heavy;
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

/// The kernel accepts programs of both generations, with every optional part.
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
    let text = "no sock_common.skc_net.net of the expected type";
    assert_eq!(error, text);
}
