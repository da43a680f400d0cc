//! What is left of a socket that its program closes in `FIN_WAIT_2`: the kernel keeps a small structure,
//! which goes to `TIME_WAIT` without a step of a socket. Two functions of the kernel tell of it, where
//! programs may be attached to functions.

use std::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::fields::{COMMON, NETWORK, REST};
use super::program::{KTIME_GET_NS, Plan, RINGBUF_RESERVE, RINGBUF_SUBMIT};
use crate::bpf::Size::{Eight, Four, One};
use crate::bpf::{Assembler, Btf, Condition, Hook, Instruction, Kind, Malformed, Register, Value};

/// `TCP_FIN_WAIT2` (`include/net/tcp_states.h`).
const FIN_WAIT_2: i32 = 5;
/// `TCP_TIME_WAIT`.
const TIME_WAIT: i32 = 6;

/// A structure was made for a socket, or is in `TIME_WAIT`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Rest {
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub(super) time_ns: u64,
    /// The address of the structure.
    pub(super) place: u64,
    /// That of the socket; 0 = the structure is in `TIME_WAIT`.
    pub(super) socket: u64,
}

/// The programs, and what they are attached to.
pub(super) fn programs(
    btf: &Btf<'_>,
    plan: &Plan<'_>,
) -> Result<[(Vec<Instruction>, Hook); 2], Malformed> {
    let [made, moved] = REST.map(|name| btf.find(Kind::Function, name).map(Hook::Exit));
    Ok([
        (program(btf, plan, Moment::Made)?, made?),
        (program(btf, plan, Moment::Moved)?, moved?),
    ])
}

/// What a program tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// At the end of `inet_twsk_alloc(socket, …, state)`: a structure was made.
    Made,
    /// At the end of `tcp_timewait_state_process(structure, …)`: it has dealt with a segment.
    Moved,
}

fn program(btf: &Btf<'_>, plan: &Plan<'_>, moment: Moment) -> Result<Vec<Instruction>, Malformed> {
    use Register as R;
    let (first, rest, socket, context) = (R::R6, R::R7, R::R8, R::R9);
    let mut code = Assembler::default();
    let (lost, end) = (code.label(), code.label());
    code.copy(context, R::R1);
    code.load(Eight, first, context, 0);
    let [[_, net], [structure, inum]] = NETWORK;
    code.load(
        Eight,
        R::R1,
        first,
        btf.offset(COMMON, net, Value::Pointer)?,
    );
    let inum = btf.offset(structure, inum, Value::Number(4))?;
    code.load(Four, R::R1, R::R1, inum);
    code.set_unsigned(R::R2, plan.network);
    code.jump(Condition::Differ(R::R1, R::R2), end);
    match moment {
        Moment::Made => {
            code.load(Eight, R::R1, context, 16);
            code.jump(Condition::IsNot(R::R1, FIN_WAIT_2), end);
            code.copy(socket, first);
            code.load(Eight, rest, context, 24);
            code.jump(Condition::Is(rest, 0), end);
        }
        Moment::Moved => {
            let state = btf.offset("inet_timewait_sock", "tw_substate", Value::Number(1))?;
            code.load(One, R::R1, first, state);
            code.jump(Condition::IsNot(R::R1, TIME_WAIT), end);
            code.copy(rest, first);
            code.set(socket, 0);
        }
    }
    code.set_map(R::R1, plan.ring);
    code.set(R::R2, i32::try_from(size_of::<Rest>()).unwrap_or(i32::MAX));
    code.set(R::R3, 0);
    code.call(RINGBUF_RESERVE);
    code.jump(Condition::Is(R::R0, 0), lost);
    code.copy(context, R::R0);
    let at = |place: usize| i16::try_from(place).unwrap_or(i16::MAX);
    code.store(Eight, context, at(offset_of!(Rest, place)), rest);
    code.store(Eight, context, at(offset_of!(Rest, socket)), socket);
    code.call(KTIME_GET_NS);
    code.store(Eight, context, at(offset_of!(Rest, time_ns)), R::R0);
    code.copy(R::R1, context);
    code.set(R::R2, 0);
    code.call(RINGBUF_SUBMIT);
    code.jump(Condition::Always, end);
    code.place(lost);
    code.set_map_value(R::R1, plan.lost);
    code.set(R::R2, 1);
    code.add_at(R::R1, 0, R::R2);
    code.place(end);
    code.set(R::R0, 0);
    code.exit();
    Ok(code.finish())
}
