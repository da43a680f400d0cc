//! The program at the tracepoint `inet_sock_set_state`: what it lets pass, and how it fills a record.
//!
//! Everything is read from the socket and the task by their addresses and the kernel's description of its
//! types. Records of other network namespaces do not leave the kernel.

use std::mem::offset_of;
use std::os::fd::RawFd;

use super::super::Watched;
use super::Namespace;
use super::fields::{
    ADDRESSES, CGROUP, COMMON, Field, INODE, NETWORK, OF_COMMON, OF_SOCKET, OF_TCP,
};
use super::record::{COMMAND, Record};
use crate::bpf::Size::{self, Eight, Four, Two};
use crate::bpf::{Assembler, Btf, Condition, Instruction, Label, Malformed, Register as R, Value};
use crate::model::{Family, Protocol};

// Helpers (`enum bpf_func_id`, `include/uapi/linux/bpf.h`).
pub(super) const KTIME_GET_NS: i32 = 5;
const GET_CURRENT_PID_TGID: i32 = 14;
const GET_CURRENT_COMM: i32 = 16;
const GET_CURRENT_TASK: i32 = 35;
const GET_SOCKET_COOKIE: i32 = 46;
const PROBE_READ_USER: i32 = 112;
const PROBE_READ_KERNEL: i32 = 113;
const GET_NS_CURRENT_PID_TGID: i32 = 120;
pub(super) const RINGBUF_RESERVE: i32 = 131;
pub(super) const RINGBUF_SUBMIT: i32 = 132;
const SKC_TO_TCP_SOCK: i32 = 137;
const GET_CURRENT_TASK_BTF: i32 = 158;

const AF_INET6: i32 = 10;

/// What differs from run to run.
#[derive(Debug)]
pub(super) struct Plan<'w> {
    /// What is to pass.
    pub(super) watched: &'w [Watched],
    /// The network namespace, by inode.
    pub(super) network: u32,
    /// The pid namespace; `None` = the first one.
    pub(super) pids: Option<Namespace>,
    /// The ring buffer.
    pub(super) ring: RawFd,
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

// The registers that keep their values in calls.
const SOCKET: R = R::R6;
const RECORD: R = R::R7;
/// 1 where a task holds the socket and the record has room for a command line, 0 elsewhere.
const IS_HELD: R = R::R8;
/// The arguments of the tracepoint; behind their use, the task.
const CONTEXT: R = R::R9;
const TASK: R = R::R9;

/// The program.
pub(super) fn program(
    btf: &Btf<'_>,
    generation: Generation,
    plan: &Plan<'_>,
) -> Result<Vec<Instruction>, Malformed> {
    let mut writer = Writer {
        code: Assembler::default(),
        btf,
        generation,
    };
    let (lost, end) = (writer.code.label(), writer.code.label());
    writer.code.copy(CONTEXT, R::R1);
    writer.code.load(Eight, SOCKET, CONTEXT, 0);
    writer.let_pass(plan, end)?;
    writer.reserve(plan.ring, lost)?;
    writer.write_step()?;
    writer.write_socket()?;
    writer.write_task(plan.pids)?;
    let code = &mut writer.code;
    code.copy(R::R1, RECORD);
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
    Ok(writer.code.finish())
}

/// A program being written.
struct Writer<'b> {
    code: Assembler,
    btf: &'b Btf<'b>,
    generation: Generation,
}

impl Writer<'_> {
    /// The offset of a number of this size or, of eight bytes, an address.
    fn offset(&self, size: Size, [structure, path]: [&str; 2]) -> Result<i16, Malformed> {
        let bytes = u32::from(size.bytes().unsigned_abs());
        let number = self.btf.offset(structure, path, Value::Number(bytes));
        number.or_else(|none| match size {
            Eight => self.btf.offset(structure, path, Value::Pointer),
            _ => Err(none),
        })
    }

    /// Reads a field of the structure at the address in a register.
    fn read(&mut self, size: Size, into: R, from: R, field: [&str; 2]) -> Result<(), Malformed> {
        let offset = self.offset(size, field)?;
        self.code.load(size, into, from, offset);
        Ok(())
    }

    /// The same of a task, and of what it leads to.
    fn read_of_task(
        &mut self,
        size: Size,
        into: R,
        from: R,
        field: [&str; 2],
    ) -> Result<(), Malformed> {
        if self.generation == Generation::Typed {
            return self.read(size, into, from, field);
        }
        let offset = self.offset(size, field)?;
        let code = &mut self.code;
        code.copy(R::R3, from);
        code.add_number(R::R3, offset.into());
        code.copy(R::R1, R::STACK);
        code.add_number(R::R1, -8);
        code.set(R::R2, size.bytes().into());
        code.call(PROBE_READ_KERNEL);
        code.load(size, into, R::STACK, -8);
        Ok(())
    }

    /// Reads what a way from the socket leads to.
    fn follow(&mut self, size: Size, way: &[[&str; 2]]) -> Result<(), Malformed> {
        let mut from = SOCKET;
        for (field, left) in way.iter().zip((0..way.len()).rev()) {
            let size = if left == 0 { size } else { Eight };
            self.read(size, R::R1, from, *field)?;
            from = R::R1;
        }
        Ok(())
    }

    fn write(&mut self, size: Size, place: usize, from: R) {
        self.code.store(size, RECORD, at(place), from);
    }

    /// Reads fields of a structure and writes them.
    fn copy(&mut self, from: R, structure: &str, fields: &[Field]) -> Result<(), Malformed> {
        for (size, path, place) in fields {
            self.read(*size, R::R1, from, [structure, path])?;
            self.write(*size, *place, R::R1);
        }
        Ok(())
    }

    /// Goes to the end for what is not wanted.
    fn let_pass(&mut self, plan: &Plan<'_>, end: Label) -> Result<(), Malformed> {
        let wanted = self.code.label();
        self.follow(Four, &NETWORK)?;
        self.code.set_unsigned(R::R2, plan.network);
        self.code.jump(Condition::Differ(R::R1, R::R2), end);
        let [protocol, family, port, peer_port] = [R::R1, R::R2, R::R3, R::R4];
        self.read(Two, protocol, SOCKET, ["sock", "sk_protocol"])?;
        self.read(Two, family, SOCKET, [COMMON, "skc_family"])?;
        self.read(Two, port, SOCKET, [COMMON, "skc_num"])?;
        self.read(Two, peer_port, SOCKET, [COMMON, "skc_dport"])?;
        let code = &mut self.code;
        for watched in plan.watched {
            let Some((of_protocol, of_family)) = codes(watched) else {
                continue;
            };
            let other = code.label();
            code.jump(Condition::IsNot(protocol, of_protocol), other);
            code.jump(Condition::IsNot(family, of_family), other);
            let (local, peer) = (watched.narrow.local_port, watched.narrow.peer_port);
            for (register, wanted) in [(port, local), (peer_port, peer.map(u16::to_be))] {
                if let Some(wanted) = wanted {
                    // Not chosen yet, or no more; and a listener has no peer.
                    let passed = code.label();
                    code.jump(Condition::Is(register, 0), passed);
                    code.jump(Condition::IsNot(register, wanted.into()), other);
                    code.place(passed);
                }
            }
            code.jump(Condition::Always, wanted);
            code.place(other);
        }
        code.jump(Condition::Always, end);
        code.place(wanted);
        Ok(())
    }

    /// Makes room for a record, with a command line where a task holds the socket.
    fn reserve(&mut self, ring: RawFd, lost: Label) -> Result<(), Malformed> {
        self.read(Four, IS_HELD, SOCKET, ["sock", "sk_lock.owned"])?;
        let code = &mut self.code;
        let reserve = code.label();
        code.set(R::R2, length(size_of::<Record>()));
        code.jump(Condition::Is(IS_HELD, 0), reserve);
        code.set(IS_HELD, 1);
        code.set(R::R2, length(size_of::<Record>() + COMMAND));
        code.place(reserve);
        code.set_map(R::R1, ring);
        code.set(R::R3, 0);
        code.call(RINGBUF_RESERVE);
        code.jump(Condition::Is(R::R0, 0), lost);
        code.copy(RECORD, R::R0);
        self.write(Four, offset_of!(Record, is_held), IS_HELD);
        Ok(())
    }

    /// When, which socket, from where and whereto.
    fn write_step(&mut self) -> Result<(), Malformed> {
        self.code.call(KTIME_GET_NS);
        self.write(Eight, offset_of!(Record, time_ns), R::R0);
        self.write(Eight, offset_of!(Record, socket), SOCKET);
        let places = [offset_of!(Record, old_state), offset_of!(Record, new_state)];
        for (argument, place) in [8, 16].into_iter().zip(places) {
            self.code.load(Eight, R::R1, CONTEXT, argument);
            self.write(Four, place, R::R1);
        }
        if self.generation == Generation::Typed {
            self.code.copy(R::R1, SOCKET);
            self.code.call(GET_SOCKET_COOKIE);
        } else {
            self.read(Eight, R::R0, SOCKET, [COMMON, "skc_cookie.counter"])?;
        }
        self.write(Eight, offset_of!(Record, cookie), R::R0);
        Ok(())
    }

    /// What is known of the socket.
    fn write_socket(&mut self) -> Result<(), Malformed> {
        self.copy(SOCKET, COMMON, &OF_COMMON)?;
        self.copy(SOCKET, "sock", &OF_SOCKET)?;
        let (ipv4, done) = (self.code.label(), self.code.label());
        self.read(Two, R::R2, SOCKET, [COMMON, "skc_family"])?;
        self.code.jump(Condition::IsNot(R::R2, AF_INET6), ipv4);
        for ([_, path], place) in ADDRESSES {
            let from = self.btf.offset(COMMON, path, Value::Structure(16))?;
            for word in [0, 4, 8, 12] {
                self.code.load(Four, R::R1, SOCKET, from + word);
                self.code.store(Four, RECORD, at(place) + word, R::R1);
            }
        }
        self.code.jump(Condition::Always, done);
        self.code.place(ipv4);
        for ([path, _], place) in ADDRESSES {
            self.copy(SOCKET, COMMON, &[(Four, path, place)])?;
        }
        self.code.place(done);
        self.follow(Eight, &INODE)?;
        self.write(Eight, offset_of!(Record, inode), R::R1);
        self.follow(Eight, &CGROUP)?;
        self.write(Eight, offset_of!(Record, cgroup), R::R1);
        self.write_numbers()
    }

    /// What TCP has counted; 0 of another protocol.
    fn write_numbers(&mut self) -> Result<(), Malformed> {
        let (none, done) = (self.code.label(), self.code.label());
        self.code.copy(R::R1, SOCKET);
        self.code.call(SKC_TO_TCP_SOCK);
        self.code.jump(Condition::Is(R::R0, 0), none);
        self.copy(R::R0, "tcp_sock", &OF_TCP)?;
        self.code.jump(Condition::Always, done);
        self.code.place(none);
        for (size, _, place) in OF_TCP {
            // This register is 0 here.
            self.write(size, place, R::R0);
        }
        self.code.place(done);
        Ok(())
    }

    /// The task that runs, and its command line where it holds the socket.
    fn write_task(&mut self, pids: Option<Namespace>) -> Result<(), Malformed> {
        self.write_pids(pids);
        self.code.copy(R::R1, RECORD);
        self.code
            .add_number(R::R1, at(offset_of!(Record, name)).into());
        self.code.set(R::R2, 16);
        self.code.call(GET_CURRENT_COMM);
        self.code.call(match self.generation {
            Generation::Typed => GET_CURRENT_TASK_BTF,
            Generation::Copied => GET_CURRENT_TASK,
        });
        self.code.copy(TASK, R::R0);
        self.read_of_task(Four, R::R1, TASK, ["task_struct", "flags"])?;
        self.write(Four, offset_of!(Record, task_flags), R::R1);
        self.read_of_task(Eight, R::R1, TASK, ["task_struct", "cred"])?;
        self.read_of_task(Four, R::R1, R::R1, ["cred", "euid.val"])?;
        self.write(Four, offset_of!(Record, task_uid), R::R1);
        self.write_command()
    }

    /// Process and thread as our pid namespace numbers them; 0 in another one.
    fn write_pids(&mut self, pids: Option<Namespace>) {
        let (thread, process) = (offset_of!(Record, thread), offset_of!(Record, process));
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
        self.write(Four, offset_of!(Record, command_length), length);
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
        self.write(Four, offset_of!(Record, command_length), length);
        self.code.copy(R::R1, RECORD);
        let place = self::length(size_of::<Record>());
        self.code.add_number(R::R1, place);
        self.code.copy(R::R3, begin);
        self.code.call(PROBE_READ_USER);
        self.code.place(none);
        Ok(())
    }
}

/// The kernel's numbers for the protocol and the family of a table.
const fn codes(watched: &Watched) -> Option<(i32, i32)> {
    let protocol = match watched.table.protocol {
        Protocol::Tcp => 6,
        Protocol::Mptcp => 262,
        _ => return None,
    };
    match watched.table.family {
        Family::Inet => Some((protocol, 2)),
        Family::Inet6 => Some((protocol, AF_INET6)),
        _ => None,
    }
}

/// An offset in a record.
fn at(place: usize) -> i16 {
    i16::try_from(place).unwrap_or(i16::MAX)
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
