//! The program at the tracepoint `inet_sock_set_state`: filters transitions and fills records.
//!
//! It reads everything from the socket and the task, by the kernel's BTF. Records of network namespaces that are not
//! watched do not leave the kernel.

use std::mem::offset_of;

use super::Namespace;
use super::fields::{
    ADDRESS_PLACES, BITS_OF_TCP, HELD, INODE, NETWORK, OF_COMMON, OF_SOCKET, OF_TCP, TASK_CGROUP,
};
use super::record::{COMMAND, StepRecord};
use super::wanted::{SKC_TO_TCP_SOCK, Subject};
use super::writer::{
    CONTEXT, Generation, IS_HELD, NEW_STATE, OLD_STATE, Plan, RECORD, SOCKET, TASK, Turn, Writer,
    at, length,
};
use crate::bpf::Size::{Eight, Four, One, Two};
use crate::bpf::{Btf, Condition, Instruction, Malformed, Register as R, ValueKind};
use crate::source::checks::{ADDRESSES, AF_INET6, CGROUP, COMMON};

// Helpers (`enum bpf_func_id`, `include/uapi/linux/bpf.h`).
const GET_CURRENT_PID_TGID: i32 = 14;
const GET_CURRENT_COMM: i32 = 16;
const GET_CURRENT_TASK: i32 = 35;
const GET_SOCKET_COOKIE: i32 = 46;
const PROBE_READ_USER: i32 = 112;
const GET_NS_CURRENT_PID_TGID: i32 = 120;
const GET_CURRENT_TASK_BTF: i32 = 158;

pub(super) fn program(
    btf: &Btf<'_>,
    generation: Generation,
    turn: Turn,
    plan: &Plan<'_>,
) -> Result<Vec<Instruction>, Malformed> {
    let mut writer = Writer::new(btf, generation, plan)?;
    writer.let_pass(Subject::Step)?;
    writer.take_turn(turn);
    writer.read(Four, IS_HELD, SOCKET, HELD)?;
    writer.reserve_by_holder();
    writer.write_step()?;
    writer.write_socket()?;
    writer.write_task(plan.pids)?;
    Ok(writer.finish())
}

impl Writer<'_> {
    /// Reserves a record, with room for a command line if a task holds the socket.
    fn reserve_by_holder(&mut self) {
        let reserve = self.code.label();
        self.code.set(R::R2, length(size_of::<StepRecord>()));
        self.code.jump(Condition::Is(IS_HELD, 0), reserve);
        self.code.set(IS_HELD, 1);
        let with_command = length(size_of::<StepRecord>() + COMMAND);
        self.code.set(R::R2, with_command);
        self.code.place(reserve);
        self.reserve();
        self.write(One, offset_of!(StepRecord, is_held), IS_HELD);
    }

    /// Writes time, socket, old and new state, and cookie.
    fn write_step(&mut self) -> Result<(), Malformed> {
        self.write_time(offset_of!(StepRecord, time_ns));
        self.write(Eight, offset_of!(StepRecord, socket), SOCKET);
        let places = [
            offset_of!(StepRecord, old_state),
            offset_of!(StepRecord, new_state),
        ];
        for (argument, place) in [OLD_STATE, NEW_STATE].into_iter().zip(places) {
            self.code.load(Eight, R::R1, CONTEXT, argument);
            self.write(Four, place, R::R1);
        }
        if self.generation == Generation::Typed {
            self.code.copy(R::R1, SOCKET);
            self.code.call(GET_SOCKET_COOKIE);
        } else {
            self.read(Eight, R::R0, SOCKET, [COMMON, "skc_cookie.counter"])?;
        }
        self.write(Eight, offset_of!(StepRecord, cookie), R::R0);
        Ok(())
    }

    fn write_socket(&mut self) -> Result<(), Malformed> {
        self.copy(SOCKET, COMMON, &OF_COMMON)?;
        self.copy(SOCKET, "sock", &OF_SOCKET)?;
        let (ipv4, done) = (self.code.label(), self.code.label());
        self.read(Two, R::R2, SOCKET, [COMMON, "skc_family"])?;
        self.code.jump(Condition::IsNot(R::R2, AF_INET6), ipv4);
        for ([_, path], place) in ADDRESSES.into_iter().zip(ADDRESS_PLACES) {
            let from = self.btf.offset(COMMON, path, ValueKind::Structure(16))?;
            for word in [0, 4, 8, 12] {
                self.code.load(Four, R::R1, SOCKET, from + word);
                self.code.store(Four, RECORD, at(place) + word, R::R1);
            }
        }
        self.code.jump(Condition::Always, done);
        self.code.place(ipv4);
        for ([path, _], place) in ADDRESSES.into_iter().zip(ADDRESS_PLACES) {
            self.copy(SOCKET, COMMON, &[(Four, path, place)])?;
        }
        self.code.place(done);
        self.follow(Four, &NETWORK)?;
        self.write(Four, offset_of!(StepRecord, netns), R::R1);
        self.follow(Eight, &INODE)?;
        self.write(Eight, offset_of!(StepRecord, inode), R::R1);
        self.follow(Eight, &CGROUP)?;
        self.write(Eight, offset_of!(StepRecord, cgroup), R::R1);
        self.write_numbers()
    }

    /// Writes the counters of TCP; 0 for other protocols.
    fn write_numbers(&mut self) -> Result<(), Malformed> {
        let (none, done) = (self.code.label(), self.code.label());
        self.code.copy(R::R1, SOCKET);
        self.code.call(SKC_TO_TCP_SOCK);
        self.code.jump(Condition::Is(R::R0, 0), none);
        self.copy(R::R0, "tcp_sock", &OF_TCP)?;
        for (path, place) in BITS_OF_TCP {
            let (offset, bit) = self.btf.bit("tcp_sock", path)?;
            self.code.load(One, R::R1, R::R0, offset);
            self.code.shift_down(R::R1, bit);
            self.write(Two, place, R::R1);
        }
        self.code.jump(Condition::Always, done);
        self.code.place(none);
        let bits = BITS_OF_TCP.map(|(_, place)| (Two, place));
        let of_tcp = OF_TCP.map(|(size, _, place)| (size, place));
        for (size, place) in of_tcp.into_iter().chain(bits) {
            // R0 is 0 here.
            self.write(size, place, R::R0);
        }
        self.code.place(done);
        Ok(())
    }

    /// Writes the current task, and its command line if it holds the socket.
    fn write_task(&mut self, pids: Option<Namespace>) -> Result<(), Malformed> {
        self.write_pids(pids);
        self.code.copy(R::R1, RECORD);
        let place = at(offset_of!(StepRecord, thread_name));
        self.code.add_number(R::R1, place.into());
        self.code.set(R::R2, 16);
        self.code.call(GET_CURRENT_COMM);
        self.code.call(match self.generation {
            Generation::Typed => GET_CURRENT_TASK_BTF,
            Generation::Copied => GET_CURRENT_TASK,
        });
        self.code.copy(TASK, R::R0);
        self.read_of_task(Four, R::R1, TASK, ["task_struct", "flags"])?;
        self.write(Four, offset_of!(StepRecord, task_flags), R::R1);
        // The process name, in two halves.
        for half in [0, 8] {
            self.read_of_task(Eight, R::R1, TASK, ["task_struct", "group_leader"])?;
            let name = self.btf.offset("task_struct", "comm", ValueKind::Other)?;
            self.load_of_task(Eight, R::R1, R::R1, name + half);
            let place = offset_of!(StepRecord, name);
            self.code.store(Eight, RECORD, at(place) + half, R::R1);
        }
        self.read_of_task(Eight, R::R1, TASK, ["task_struct", "group_leader"])?;
        for field in TASK_CGROUP {
            self.read_of_task(Eight, R::R1, R::R1, field)?;
        }
        self.write(Eight, offset_of!(StepRecord, task_cgroup), R::R1);
        self.read_of_task(Eight, R::R1, TASK, ["task_struct", "cred"])?;
        self.read_of_task(Four, R::R1, R::R1, ["cred", "euid.val"])?;
        self.write(Four, offset_of!(StepRecord, task_uid), R::R1);
        self.write_command()
    }

    /// Writes process and thread ids as our PID namespace numbers them; 0 in another one.
    fn write_pids(&mut self, pids: Option<Namespace>) {
        let (thread, process) = (
            offset_of!(StepRecord, thread),
            offset_of!(StepRecord, process),
        );
        let Some(Namespace { device, inode }) = pids else {
            self.code.call(GET_CURRENT_PID_TGID);
            self.write(Four, thread, R::R0);
            self.code.shift_down(R::R0, 32);
            return self.write(Four, process, R::R0);
        };
        self.code.set_unsigned(R::R1, device);
        self.code.set_unsigned(R::R2, inode);
        // `struct bpf_pidns_info`: thread and process.
        self.code.copy(R::R3, R::STACK);
        self.code.add_number(R::R3, -8);
        self.code.set(R::R4, 8);
        self.code.call(GET_NS_CURRENT_PID_TGID);
        for (place, from) in [(thread, -8), (process, -4)] {
            self.code.load(Four, R::R0, R::STACK, from);
            self.write(Four, place, R::R0);
        }
    }

    fn write_command(&mut self) -> Result<(), Malformed> {
        let (short, none) = (self.code.label(), self.code.label());
        let (memory, begin, length) = (TASK, IS_HELD, R::R2);
        self.code.set(length, 0);
        self.write(Four, offset_of!(StepRecord, command_length), length);
        self.code.jump(Condition::Is(IS_HELD, 0), none);
        self.read_of_task(Eight, memory, TASK, ["task_struct", "mm"])?;
        self.code.jump(Condition::Is(memory, 0), none);
        self.read_of_task(Eight, begin, memory, ["mm_struct", "arg_start"])?;
        self.read_of_task(Eight, length, memory, ["mm_struct", "arg_end"])?;
        self.code.subtract(length, begin);
        let most = self::length(COMMAND);
        self.code.jump(Condition::AtMost(length, most), short);
        self.code.set(length, most);
        self.code.place(short);
        self.write(Four, offset_of!(StepRecord, command_length), length);
        self.code.copy(R::R1, RECORD);
        let place = self::length(size_of::<StepRecord>());
        self.code.add_number(R::R1, place);
        self.code.copy(R::R3, begin);
        self.code.call(PROBE_READ_USER);
        self.code.place(none);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
