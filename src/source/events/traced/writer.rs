//! Common parts of the programs: the kernel's layout, the selection of sockets, and the output of records.

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

/// The parameters of a run.
#[derive(Debug)]
pub(super) struct Plan<'w> {
    /// What is watched.
    pub(super) watched: &'w [Watched],
    /// The network namespaces, by inode; `None` = every one.
    pub(super) networks: Option<&'w [u32]>,
    /// The PID namespace; `None` = the first one.
    pub(super) pids: Option<Namespace>,
    pub(super) ring: RawFd,
    /// The map shared by the programs of both turns.
    pub(super) taken: RawFd,
    /// The counter of records without room.
    pub(super) lost: RawFd,
}

/// What a kernel allows such a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Generation {
    /// From 5.12 on: the task is read like the socket, and a socket without a cookie gets one.
    Typed,
    /// Before: the task is read by copying.
    Copied,
}

/// A program is attached twice, in sequence. The kernel skips a program that is running on the same processor: for
/// transitions in an interrupt during it and, seen with Linux 7.3, of a task that runs before another has left it. The
/// second program takes those.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// Takes every transition.
    First,
    /// Takes those for which the first was skipped.
    Second,
}

/// Limit of transitions that the first took and the second has not seen yet: sockets with their new states. If the
/// second is skipped, an entry stays until the next transition of its socket.
pub(super) const TAKEN: usize = 4_096;

// Registers that calls preserve.
/// The socket, or the structure left of one.
pub(super) const SOCKET: R = R::R6;
pub(super) const RECORD: R = R::R7;
/// 1 if a task holds the socket and the record has room for a command line, else 0.
pub(super) const IS_HELD: R = R::R8;
/// The arguments of the tracepoint; later the task.
pub(super) const CONTEXT: R = R::R9;
pub(super) const TASK: R = R::R9;

// Offsets of the states in the tracepoint's arguments.
pub(super) const OLD_STATE: i16 = 8;
pub(super) const NEW_STATE: i16 = 16;

pub(super) struct Writer<'p> {
    pub(super) code: Assembler,
    pub(super) btf: &'p Btf<'p>,
    pub(super) generation: Generation,
    pub(super) plan: &'p Plan<'p>,
    /// The target if there is no room for a record.
    lost: Label,
    /// The target if there is nothing to do.
    pub(super) end: Label,
}

impl<'p> Writer<'p> {
    /// Begins a program whose first argument is a socket, and selects the network namespaces.
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

    /// Jumps to the end for a transition that the other turn takes.
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
                // If there is no room, the second takes it.
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

    /// Calls a helper on the map of taken transitions, with the key in this stack slot.
    fn call_with_taken(&mut self, helper: i32, key: i16) {
        self.code.set_map(R::R1, self.plan.taken);
        self.code.copy(R::R2, R::STACK);
        self.code.add_number(R::R2, key.into());
        self.code.call(helper);
    }

    /// Reserves a record of as many bytes as the second register holds.
    pub(super) fn reserve(&mut self) {
        let code = &mut self.code;
        code.set_map(R::R1, self.plan.ring);
        code.set(R::R3, 0);
        code.call(RINGBUF_RESERVE);
        code.jump(Condition::Is(R::R0, 0), self.lost);
        code.copy(RECORD, R::R0);
    }

    /// Writes the current time.
    pub(super) fn write_time(&mut self, place: usize) {
        self.code.call(KTIME_GET_NS);
        self.write(Eight, place, R::R0);
    }

    /// Submits the record, and counts those without room.
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

    /// Reads a field of the structure whose address is in a register.
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

    /// As [`Self::read`], for a task and what it points to.
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

    /// Reads at an offset of a task, or of what it points to.
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

    /// Reads the field at the end of a path from the socket.
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

    /// Copies fields of a structure into the record.
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
