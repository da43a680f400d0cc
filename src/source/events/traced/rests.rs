//! Programs for sockets closed in `FIN_WAIT_2`: the kernel keeps a small structure, which enters `TIME_WAIT` without
//! a socket's transition. If programs can be attached to functions, two functions of the kernel show it.

use std::mem::offset_of;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::fields::REST;
use super::wanted::Subject;
use super::writer::{CONTEXT, Generation, Plan, SOCKET, Writer, length};
use crate::bpf::Size::{Eight, One};
use crate::bpf::{Btf, Condition, Hook, Instruction, Malformed, Register as R, TypeKind};
use crate::model::{State, StateSet};
use crate::source::checks::COMMON;

/// The transition that only these programs report.
pub(super) const STEP: StateSet = StateSet::EMPTY.with(State::FinWait2).with(State::TimeWait);

/// `TCP_FIN_WAIT2` (`include/net/tcp_states.h`).
const FIN_WAIT_2: i32 = 5;
/// `TCP_TIME_WAIT`.
const TIME_WAIT: i32 = 6;

/// A structure was made for a socket, or entered `TIME_WAIT`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct RestRecord {
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub(super) time_ns: u64,
    /// The address of the structure.
    pub(super) place: u64,
    /// The socket's address; 0 = the structure is in `TIME_WAIT`.
    pub(super) socket: u64,
    /// 0 = none yet.
    pub(super) cookie: u64,
}

/// The programs, and their hooks.
pub(super) fn programs(
    btf: &Btf<'_>,
    plan: &Plan<'_>,
) -> Result<[(Vec<Instruction>, Hook); 2], Malformed> {
    let [made, moved] = REST.map(|name| btf.find(TypeKind::Function, name).map(Hook::Exit));
    Ok([
        (program(btf, plan, Moment::Made)?, made?),
        (program(btf, plan, Moment::Moved)?, moved?),
    ])
}

/// What a program reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// At the exit of `inet_twsk_alloc(socket, …, state)`: a structure was made.
    Made,
    /// At the exit of `tcp_timewait_state_process(structure, …)`: a segment was handled.
    Moved,
}

fn program(btf: &Btf<'_>, plan: &Plan<'_>, moment: Moment) -> Result<Vec<Instruction>, Malformed> {
    let mut writer = Writer::new(btf, Generation::Typed, plan)?;
    writer.let_pass(Subject::Rest)?;
    let (place, socket) = (R::R8, R::R9);
    let end = writer.end;
    match moment {
        Moment::Made => {
            // A 32-bit argument: the upper half of its register is undefined.
            writer.code.load(Eight, R::R1, CONTEXT, 16);
            writer.code.lower_half(R::R1);
            writer.code.jump(Condition::IsNot(R::R1, FIN_WAIT_2), end);
            writer.code.load(Eight, place, CONTEXT, 24);
            writer.code.jump(Condition::Is(place, 0), end);
            writer.code.copy(socket, SOCKET);
        }
        Moment::Moved => {
            let field = ["inet_timewait_sock", "tw_substate"];
            writer.read(One, R::R1, SOCKET, field)?;
            writer.code.jump(Condition::IsNot(R::R1, TIME_WAIT), end);
            writer.code.copy(place, SOCKET);
            writer.code.set(socket, 0);
        }
    }
    writer.code.set(R::R2, length(size_of::<RestRecord>()));
    writer.reserve();
    writer.write(Eight, offset_of!(RestRecord, place), place);
    writer.write(Eight, offset_of!(RestRecord, socket), socket);
    writer.read(Eight, R::R1, SOCKET, [COMMON, "skc_cookie.counter"])?;
    writer.write(Eight, offset_of!(RestRecord, cookie), R::R1);
    writer.write_time(offset_of!(RestRecord, time_ns));
    Ok(writer.finish())
}
