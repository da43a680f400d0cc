//! What programs have in common: what they know of the kernel, whose sockets they look at, and how they give
//! records to us.

use std::os::fd::RawFd;

use super::super::Watched;
use super::Namespace;
use super::fields::{Field, NETWORK};
use crate::bpf::Size::{self, Eight, Four};
use crate::bpf::{Assembler, Btf, Condition, Instruction, Label, Malformed, Register as R};
use crate::source::checks::offset;

// Helpers (`enum bpf_func_id`, `include/uapi/linux/bpf.h`).
const MAP_LOOKUP_ELEM: i32 = 1;
const MAP_UPDATE_ELEM: i32 = 2;
const MAP_DELETE_ELEM: i32 = 3;
const KTIME_GET_NS: i32 = 5;
const PROBE_READ_KERNEL: i32 = 113;
const RINGBUF_RESERVE: i32 = 131;
const RINGBUF_SUBMIT: i32 = 132;

/// What differs from run to run.
#[derive(Debug)]
pub(super) struct Plan<'w> {
    /// What is to pass.
    pub(super) watched: &'w [Watched],
    /// The network namespaces, by inode; `None` = every one.
    pub(super) networks: Option<&'w [u32]>,
    /// The pid namespace; `None` = the first one.
    pub(super) pids: Option<Namespace>,
    pub(super) ring: RawFd,
    /// What the programs of both turns share.
    pub(super) taken: RawFd,
    /// The counter of records that had no room.
    pub(super) lost: RawFd,
}

/// What a kernel lets such a program do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// From 5.12 on: the task is read as the socket is, and a socket without a cookie gets one.
    Typed,
    /// Before: the task is read by copies.
    Copied,
}

/// A program is attached twice, one behind the other. The kernel does not run one that is at work on the same processor:
/// for the steps of an interrupt that comes into it and, seen with Linux 7.3, of a task that runs before another has left it.
/// The second takes those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Takes every step.
    First,
    /// Takes those that the first was not run for.
    Second,
}

/// Steps that the first took and the second has not met yet: their sockets, with their new states. One stays if the
/// second is not run for it, until the next step of its socket.
pub(super) const TAKEN: usize = 4_096;

// The registers that keep their values in calls.
/// The socket, or what is left of one.
pub(super) const SOCKET: R = R::R6;
pub(super) const RECORD: R = R::R7;
/// 1 where a task holds the socket and the record has room for a command line, 0 elsewhere.
pub(super) const IS_HELD: R = R::R8;
/// The arguments of the tracepoint; behind their use, the task.
pub(super) const CONTEXT: R = R::R9;
pub(super) const TASK: R = R::R9;

// Where the states stand among the arguments of the tracepoint.
pub(super) const OLD_STATE: i16 = 8;
pub(super) const NEW_STATE: i16 = 16;

pub(super) struct Writer<'p> {
    pub(super) code: Assembler,
    pub(super) btf: &'p Btf<'p>,
    pub(super) generation: Generation,
    pub(super) plan: &'p Plan<'p>,
    /// Where it goes when there is no room for a record,
    lost: Label,
    /// and when there is nothing to do.
    pub(super) end: Label,
}

impl<'p> Writer<'p> {
    /// Begins with what takes a socket of one of the network namespaces as its first argument.
    pub(super) fn new(
        btf: &'p Btf<'p>,
        generation: Generation,
        plan: &'p Plan<'p>,
    ) -> Result<Self, Malformed> {
        let mut code = Assembler::default();
        let (lost, end) = (code.label(), code.label());
        code.copy(CONTEXT, R::R1);
        code.load(Eight, SOCKET, CONTEXT, 0);
        let mut writer = Self {
            code,
            btf,
            generation,
            plan,
            lost,
            end,
        };
        if let Some(networks) = plan.networks {
            let is_one = writer.code.label();
            writer.follow(Four, &NETWORK)?;
            for network in networks {
                let other = writer.code.label();
                writer.code.set_unsigned(R::R2, *network);
                writer.code.jump(Condition::Differ(R::R1, R::R2), other);
                writer.code.jump(Condition::Always, is_one);
                writer.code.place(other);
            }
            writer.code.jump(Condition::Always, end);
            writer.code.place(is_one);
        }
        Ok(writer)
    }

    /// Goes to the end for a step that the other turn takes.
    pub(super) fn take_turn(&mut self, turn: Turn) {
        let (key, value) = (-8, -16);
        self.code.store(Eight, R::STACK, key, SOCKET);
        self.code.load(Eight, R::R1, CONTEXT, NEW_STATE);
        self.code.store(Four, R::STACK, value, R::R1);
        match turn {
            Turn::First => {
                self.code.copy(R::R3, R::STACK);
                self.code.add_number(R::R3, value.into());
                self.code.set(R::R4, 0);
                self.call_with_taken(MAP_UPDATE_ELEM, key);
                // Where there is no room, the second takes it.
                self.code.jump(Condition::IsNot(R::R0, 0), self.end);
            }
            Turn::Second => {
                let take = self.code.label();
                self.call_with_taken(MAP_LOOKUP_ELEM, key);
                self.code.jump(Condition::Is(R::R0, 0), take);
                self.code.load(Four, R::R1, R::R0, 0);
                self.code.load(Four, R::R2, R::STACK, value);
                self.code.jump(Condition::Differ(R::R1, R::R2), take);
                self.call_with_taken(MAP_DELETE_ELEM, key);
                self.code.jump(Condition::Always, self.end);
                self.code.place(take);
            }
        }
    }

    /// Calls a helper for what was taken of the socket whose address is at this place of the stack.
    fn call_with_taken(&mut self, helper: i32, key: i16) {
        self.code.set_map(R::R1, self.plan.taken);
        self.code.copy(R::R2, R::STACK);
        self.code.add_number(R::R2, key.into());
        self.code.call(helper);
    }

    /// Makes room for a record of as many bytes as the second register says.
    pub(super) fn reserve(&mut self) {
        let code = &mut self.code;
        code.set_map(R::R1, self.plan.ring);
        code.set(R::R3, 0);
        code.call(RINGBUF_RESERVE);
        code.jump(Condition::Is(R::R0, 0), self.lost);
        code.copy(RECORD, R::R0);
    }

    /// Writes when it is.
    pub(super) fn write_time(&mut self, place: usize) {
        self.code.call(KTIME_GET_NS);
        self.write(Eight, place, R::R0);
    }

    /// Gives the record away, and counts those that had no room.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        let code = &mut self.code;
        code.copy(R::R1, RECORD);
        code.set(R::R2, 0);
        code.call(RINGBUF_SUBMIT);
        code.jump(Condition::Always, self.end);
        code.place(self.lost);
        code.set_map_value(R::R1, self.plan.lost);
        code.set(R::R2, 1);
        code.add_at(R::R1, 0, R::R2);
        code.place(self.end);
        code.set(R::R0, 0);
        code.exit();
        self.code.finish()
    }

    /// Reads a field of the structure at the address in a register.
    pub(super) fn read(
        &mut self,
        size: Size,
        into: R,
        from: R,
        field: [&str; 2],
    ) -> Result<(), Malformed> {
        let offset = offset(self.btf, size, field)?;
        self.code.load(size, into, from, offset);
        Ok(())
    }

    /// The same of a task, and of what it leads to.
    pub(super) fn read_of_task(
        &mut self,
        size: Size,
        into: R,
        from: R,
        field: [&str; 2],
    ) -> Result<(), Malformed> {
        let offset = offset(self.btf, size, field)?;
        self.load_of_task(size, into, from, offset);
        Ok(())
    }

    /// Reads what stands at an offset of a task, or of what it leads to.
    pub(super) fn load_of_task(&mut self, size: Size, into: R, from: R, offset: i16) {
        let code = &mut self.code;
        if self.generation == Generation::Typed {
            return code.load(size, into, from, offset);
        }
        code.copy(R::R3, from);
        code.add_number(R::R3, offset.into());
        code.copy(R::R1, R::STACK);
        code.add_number(R::R1, -8);
        code.set(R::R2, size.bytes().into());
        code.call(PROBE_READ_KERNEL);
        code.load(size, into, R::STACK, -8);
    }

    /// Reads what a way from the socket leads to.
    pub(super) fn follow(&mut self, size: Size, way: &[[&str; 2]]) -> Result<(), Malformed> {
        let mut from = SOCKET;
        for (field, left) in way.iter().zip((0..way.len()).rev()) {
            let size = if left == 0 { size } else { Eight };
            self.read(size, R::R1, from, *field)?;
            from = R::R1;
        }
        Ok(())
    }

    pub(super) fn write(&mut self, size: Size, place: usize, from: R) {
        self.code.store(size, RECORD, at(place), from);
    }

    /// Reads fields of a structure and writes them.
    pub(super) fn copy(
        &mut self,
        from: R,
        structure: &str,
        fields: &[Field],
    ) -> Result<(), Malformed> {
        for (size, path, place) in fields {
            self.read(*size, R::R1, from, [structure, path])?;
            self.write(*size, *place, R::R1);
        }
        Ok(())
    }
}

/// An offset in a record.
pub(super) fn at(place: usize) -> i16 {
    i16::try_from(place).unwrap_or(i16::MAX)
}

pub(super) fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}
