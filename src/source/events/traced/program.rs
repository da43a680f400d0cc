//! The program at the tracepoint `inet_sock_set_state`: what it lets pass, and how it fills a record.
//!
//! Everything is read from the socket and the task by their addresses and the kernel's description of its
//! types. Records of other network namespaces do not leave the kernel.

use std::mem::offset_of;
use std::os::fd::RawFd;

use super::super::Watched;
use super::Namespace;
use super::record::{COMMAND, Record};
use crate::bpf::{
    Assembler, Btf, Condition, Instruction, Kind, Label, Malformed, Register, Size, Value,
};
use crate::model::{Family, Protocol};

/// The type that describes the arguments: socket, old state, new state.
pub(super) const TRACEPOINT: &str = "btf_trace_inet_sock_set_state";
/// The types that the program must know.
pub(super) const WANTED: [(Kind, &str); 12] = [
    (Kind::Typedef, TRACEPOINT),
    (Kind::Struct, "sock"),
    (Kind::Struct, "tcp_sock"),
    (Kind::Struct, "net"),
    (Kind::Struct, "socket"),
    (Kind::Struct, "file"),
    (Kind::Struct, "inode"),
    (Kind::Struct, "cgroup"),
    (Kind::Struct, "kernfs_node"),
    (Kind::Struct, "task_struct"),
    (Kind::Struct, "mm_struct"),
    (Kind::Struct, "cred"),
];

// Helpers (`enum bpf_func_id`, `include/uapi/linux/bpf.h`).
const KTIME_GET_NS: i32 = 5;
const GET_CURRENT_PID_TGID: i32 = 14;
const GET_CURRENT_COMM: i32 = 16;
const GET_CURRENT_TASK: i32 = 35;
const GET_SOCKET_COOKIE: i32 = 46;
const PROBE_READ_USER: i32 = 112;
const PROBE_READ_KERNEL: i32 = 113;
const GET_NS_CURRENT_PID_TGID: i32 = 120;
const RINGBUF_RESERVE: i32 = 131;
const RINGBUF_SUBMIT: i32 = 132;
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
const SOCKET: Register = Register::R6;
const RECORD: Register = Register::R7;
/// 1 where a task holds the socket and the record has room for a command line, 0 elsewhere.
const IS_HELD: Register = Register::R8;
/// The arguments of the tracepoint; behind their use, the task.
const CONTEXT: Register = Register::R9;
const TASK: Register = Register::R9;

/// The program.
pub(super) fn program(
    btf: &Btf<'_>,
    generation: Generation,
    plan: &Plan<'_>,
) -> Result<Vec<Instruction>, Malformed> {
    let code = Assembler::default();
    let mut writer = Writer {
        code,
        btf,
        generation,
    };
    let (lost, end) = (writer.code.label(), writer.code.label());
    writer.code.copy(CONTEXT, Register::R1);
    writer.code.load(Size::Eight, SOCKET, CONTEXT, 0);
    writer.let_pass(plan, end)?;
    writer.reserve(plan.ring, lost)?;
    writer.write_step()?;
    writer.write_ends()?;
    writer.write_socket()?;
    writer.write_task(plan.pids)?;
    writer.write_numbers()?;
    let code = &mut writer.code;
    code.copy(Register::R1, RECORD);
    code.set(Register::R2, 0);
    code.call(RINGBUF_SUBMIT);
    code.jump(Condition::Always, end);
    code.place(lost);
    code.set_map_value(Register::R1, plan.lost);
    code.set(Register::R2, 1);
    code.add_at(Register::R1, 0, Register::R2);
    code.place(end);
    code.set(Register::R0, 0);
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
    /// Reads a field of the structure at the address in a register.
    fn read(
        &mut self,
        size: Size,
        into: Register,
        from: Register,
        [structure, path]: [&str; 2],
    ) -> Result<(), Malformed> {
        let offset = self.offset(size, structure, path)?;
        self.code.load(size, into, from, offset);
        Ok(())
    }

    /// A number of this size or, of eight bytes, an address.
    fn offset(&self, size: Size, structure: &str, path: &str) -> Result<i16, Malformed> {
        let bytes = u32::from(size.bytes().unsigned_abs());
        let number = self.btf.offset(structure, path, Value::Number(bytes));
        number.or_else(|none| match size {
            Size::Eight => self.btf.offset(structure, path, Value::Pointer),
            _ => Err(none),
        })
    }

    /// The same of a task, and of what it leads to.
    fn read_of_task(
        &mut self,
        size: Size,
        into: Register,
        from: Register,
        [structure, path]: [&str; 2],
    ) -> Result<(), Malformed> {
        let offset = self.offset(size, structure, path)?;
        let code = &mut self.code;
        match self.generation {
            Generation::Typed => code.load(size, into, from, offset),
            Generation::Copied => {
                code.copy(Register::R3, from);
                code.add_number(Register::R3, offset.into());
                code.copy(Register::R1, Register::STACK);
                code.add_number(Register::R1, -8);
                code.set(Register::R2, size.bytes().into());
                code.call(PROBE_READ_KERNEL);
                code.load(size, into, Register::STACK, -8);
            }
        }
        Ok(())
    }

    fn write(&mut self, size: Size, place: usize, from: Register) {
        self.code.store(size, RECORD, at(place), from);
    }

    /// Reads fields of a structure and writes them.
    fn copy(
        &mut self,
        from: Register,
        structure: &str,
        fields: &[(Size, &str, usize)],
    ) -> Result<(), Malformed> {
        for (size, path, place) in fields {
            self.read(*size, Register::R1, from, [structure, path])?;
            self.write(*size, *place, Register::R1);
        }
        Ok(())
    }

    /// Goes to the end for what is not wanted.
    fn let_pass(&mut self, plan: &Plan<'_>, end: Label) -> Result<(), Malformed> {
        use Register as R;
        let wanted = self.code.label();
        self.read(
            Size::Eight,
            R::R1,
            SOCKET,
            ["sock", "__sk_common.skc_net.net"],
        )?;
        self.read(Size::Four, R::R1, R::R1, ["net", "ns.inum"])?;
        self.code.set_unsigned(R::R2, plan.network);
        self.code.jump(Condition::Differ(R::R1, R::R2), end);
        for (register, path) in [
            (R::R1, "sk_protocol"),
            (R::R2, "__sk_common.skc_family"),
            (R::R3, "__sk_common.skc_num"),
            (R::R4, "__sk_common.skc_dport"),
        ] {
            self.read(Size::Two, register, SOCKET, ["sock", path])?;
        }
        for watched in plan.watched {
            let Some((protocol, family)) = codes(watched) else {
                continue;
            };
            let other = self.code.label();
            self.code.jump(Condition::IsNot(R::R1, protocol), other);
            self.code.jump(Condition::IsNot(R::R2, family), other);
            let ports = [
                (R::R3, watched.narrow.local_port),
                (R::R4, watched.narrow.peer_port.map(u16::to_be)),
            ];
            for (register, port) in ports {
                if let Some(port) = port {
                    // Not chosen yet, or no more; and a listener has no peer.
                    let passed = self.code.label();
                    self.code.jump(Condition::Is(register, 0), passed);
                    self.code
                        .jump(Condition::IsNot(register, port.into()), other);
                    self.code.place(passed);
                }
            }
            self.code.jump(Condition::Always, wanted);
            self.code.place(other);
        }
        self.code.jump(Condition::Always, end);
        self.code.place(wanted);
        Ok(())
    }

    /// Makes room for a record, with a command line where a task holds the socket.
    fn reserve(&mut self, ring: RawFd, lost: Label) -> Result<(), Malformed> {
        self.read(Size::Four, IS_HELD, SOCKET, ["sock", "sk_lock.owned"])?;
        let code = &mut self.code;
        let reserve = code.label();
        code.set(Register::R2, length(size_of::<Record>()));
        code.jump(Condition::Is(IS_HELD, 0), reserve);
        code.set(IS_HELD, 1);
        code.set(Register::R2, length(size_of::<Record>() + COMMAND));
        code.place(reserve);
        code.set_map(Register::R1, ring);
        code.set(Register::R3, 0);
        code.call(RINGBUF_RESERVE);
        code.jump(Condition::Is(Register::R0, 0), lost);
        code.copy(RECORD, Register::R0);
        Ok(())
    }

    /// When, which socket, from where and whereto.
    fn write_step(&mut self) -> Result<(), Malformed> {
        self.code.call(KTIME_GET_NS);
        self.write(Size::Eight, offset_of!(Record, time_ns), Register::R0);
        self.write(Size::Eight, offset_of!(Record, socket), SOCKET);
        for (argument, place) in [
            (8, offset_of!(Record, old_state)),
            (16, offset_of!(Record, new_state)),
        ] {
            self.code.load(Size::Eight, Register::R1, CONTEXT, argument);
            self.write(Size::Four, place, Register::R1);
        }
        if self.generation == Generation::Typed {
            self.code.copy(Register::R1, SOCKET);
            self.code.call(GET_SOCKET_COOKIE);
            self.write(Size::Eight, offset_of!(Record, cookie), Register::R0);
            return Ok(());
        }
        let cookie = (
            Size::Eight,
            "__sk_common.skc_cookie.counter",
            offset_of!(Record, cookie),
        );
        self.copy(SOCKET, "sock", &[cookie])
    }

    /// Both ends.
    fn write_ends(&mut self) -> Result<(), Malformed> {
        let fields = [
            (Size::Two, "sk_protocol", offset_of!(Record, protocol)),
            (
                Size::Two,
                "__sk_common.skc_family",
                offset_of!(Record, family),
            ),
            (Size::Two, "__sk_common.skc_num", offset_of!(Record, port)),
            (
                Size::Two,
                "__sk_common.skc_dport",
                offset_of!(Record, peer_port),
            ),
        ];
        self.copy(SOCKET, "sock", &fields)?;
        let (ipv4, done) = (self.code.label(), self.code.label());
        let family = "__sk_common.skc_family";
        self.read(Size::Two, Register::R2, SOCKET, ["sock", family])?;
        self.code
            .jump(Condition::IsNot(Register::R2, AF_INET6), ipv4);
        for (path, place) in [
            ("__sk_common.skc_v6_rcv_saddr", offset_of!(Record, address)),
            ("__sk_common.skc_v6_daddr", offset_of!(Record, peer_address)),
        ] {
            let from = self.btf.offset("sock", path, Value::Structure(16))?;
            for word in [0, 4, 8, 12] {
                self.code
                    .load(Size::Four, Register::R1, SOCKET, from + word);
                self.code
                    .store(Size::Four, RECORD, at(place) + word, Register::R1);
            }
        }
        self.code.jump(Condition::Always, done);
        self.code.place(ipv4);
        let fields = [
            (
                Size::Four,
                "__sk_common.skc_rcv_saddr",
                offset_of!(Record, address),
            ),
            (
                Size::Four,
                "__sk_common.skc_daddr",
                offset_of!(Record, peer_address),
            ),
        ];
        self.copy(SOCKET, "sock", &fields)?;
        self.code.place(done);
        Ok(())
    }

    /// What else is known of the socket.
    fn write_socket(&mut self) -> Result<(), Malformed> {
        let fields = [
            (Size::Four, "sk_mark", offset_of!(Record, mark)),
            (Size::Four, "sk_uid.val", offset_of!(Record, uid)),
            (
                Size::Four,
                "__sk_common.skc_bound_dev_if",
                offset_of!(Record, interface),
            ),
            (Size::Four, "sk_err", offset_of!(Record, error)),
            (
                Size::Eight,
                "__sk_common.skc_flags",
                offset_of!(Record, flags),
            ),
        ];
        self.copy(SOCKET, "sock", &fields)?;
        self.write(Size::Four, offset_of!(Record, is_held), IS_HELD);
        let register = Register::R1;
        // Where there is no file, each address on the way is 0, and so is what is read from there.
        for (from, field) in [
            (SOCKET, ["sock", "sk_socket"]),
            (register, ["socket", "file"]),
            (register, ["file", "f_inode"]),
            (register, ["inode", "i_ino"]),
        ] {
            self.read(Size::Eight, register, from, field)?;
        }
        self.write(Size::Eight, offset_of!(Record, inode), register);
        self.read(
            Size::Eight,
            register,
            SOCKET,
            ["sock", "sk_cgrp_data.cgroup"],
        )?;
        self.read(Size::Eight, register, register, ["cgroup", "kn"])?;
        self.copy(
            register,
            "kernfs_node",
            &[(Size::Eight, "id", offset_of!(Record, cgroup))],
        )
    }

    /// The task that runs, and its command line where it holds the socket.
    fn write_task(&mut self, pids: Option<Namespace>) -> Result<(), Malformed> {
        let register = Register::R1;
        self.write_pids(pids);
        self.code.copy(register, RECORD);
        self.code
            .add_number(register, at(offset_of!(Record, name)).into());
        self.code.set(Register::R2, 16);
        self.code.call(GET_CURRENT_COMM);
        self.code.call(match self.generation {
            Generation::Typed => GET_CURRENT_TASK_BTF,
            Generation::Copied => GET_CURRENT_TASK,
        });
        self.code.copy(TASK, Register::R0);
        self.read_of_task(Size::Four, register, TASK, ["task_struct", "flags"])?;
        self.write(Size::Four, offset_of!(Record, task_flags), register);
        self.read_of_task(Size::Eight, register, TASK, ["task_struct", "cred"])?;
        self.read_of_task(Size::Four, register, register, ["cred", "euid.val"])?;
        self.write(Size::Four, offset_of!(Record, task_uid), register);
        self.write_command()
    }

    /// Process and thread as our pid namespace numbers them; 0 in another one.
    fn write_pids(&mut self, pids: Option<Namespace>) {
        let (thread, process) = (offset_of!(Record, thread), offset_of!(Record, process));
        let result = Register::R0;
        let Some(Namespace { device, inode }) = pids else {
            self.code.call(GET_CURRENT_PID_TGID);
            self.write(Size::Four, thread, result);
            self.code.shift_down(result, 32);
            return self.write(Size::Four, process, result);
        };
        self.code.set_unsigned(Register::R1, device);
        self.code.set_unsigned(Register::R2, inode);
        // `struct bpf_pidns_info`: thread and process.
        self.code.copy(Register::R3, Register::STACK);
        self.code.add_number(Register::R3, -8);
        self.code.set(Register::R4, 8);
        self.code.call(GET_NS_CURRENT_PID_TGID);
        for (place, from) in [(thread, -8), (process, -4)] {
            self.code.load(Size::Four, result, Register::STACK, from);
            self.write(Size::Four, place, result);
        }
    }

    fn write_command(&mut self) -> Result<(), Malformed> {
        let (short, none) = (self.code.label(), self.code.label());
        let (memory, begin, length) = (TASK, IS_HELD, Register::R2);
        self.code.set(length, 0);
        self.write(Size::Four, offset_of!(Record, command_length), length);
        self.code.jump(Condition::Is(IS_HELD, 0), none);
        self.read_of_task(Size::Eight, memory, TASK, ["task_struct", "mm"])?;
        self.code.jump(Condition::Is(memory, 0), none);
        self.read_of_task(Size::Eight, begin, memory, ["mm_struct", "arg_start"])?;
        self.read_of_task(Size::Eight, length, memory, ["mm_struct", "arg_end"])?;
        self.code.subtract(length, begin);
        let most = self::length(COMMAND);
        self.code.jump(Condition::AtMost(length, most), short);
        self.code.set(length, most);
        self.code.place(short);
        self.write(Size::Four, offset_of!(Record, command_length), length);
        let code = &mut self.code;
        code.copy(Register::R1, RECORD);
        code.add_number(Register::R1, self::length(size_of::<Record>()));
        code.copy(Register::R3, begin);
        code.call(PROBE_READ_USER);
        code.place(none);
        Ok(())
    }

    /// What TCP has counted; 0 of another protocol.
    fn write_numbers(&mut self) -> Result<(), Malformed> {
        let fields = [
            (
                Size::Two,
                "inet_conn.icsk_inet.inet_sport",
                offset_of!(Record, last_port),
            ),
            (Size::Four, "srtt_us", offset_of!(Record, srtt)),
            (Size::Four, "total_retrans", offset_of!(Record, retransmits)),
            (Size::Eight, "bytes_sent", offset_of!(Record, sent)),
            (Size::Eight, "bytes_retrans", offset_of!(Record, resent)),
            (Size::Eight, "bytes_received", offset_of!(Record, received)),
        ];
        let (none, done) = (self.code.label(), self.code.label());
        self.code.copy(Register::R1, SOCKET);
        self.code.call(SKC_TO_TCP_SOCK);
        self.code.jump(Condition::Is(Register::R0, 0), none);
        self.copy(Register::R0, "tcp_sock", &fields)?;
        self.code.jump(Condition::Always, done);
        self.code.place(none);
        self.code.set(Register::R1, 0);
        for (size, _, place) in fields {
            self.write(size, place, Register::R1);
        }
        self.code.place(done);
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
