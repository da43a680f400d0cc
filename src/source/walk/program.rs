//! The program: walks a part of the table's buckets for each element of a map.
//!
//! It takes neither locks nor references, and writes to no socket. Sockets are freed only after a grace period, and may
//! be reused meanwhile: then their chain ends with the number of another bucket, which is reported. The kernel verifies
//! before the first run that the program only reads.

mod bound;
mod count;
mod lists;
mod steps;
mod write;

use std::mem::offset_of;

pub(super) use self::bound::bound_program;
pub(super) use self::lists::LISTS;
use self::lists::{INDEX_BITS, List, SLOTS};
use self::steps::{BYTE, LONG, POINTER, SHORT, WORD, within};
use super::counts::{Counting, LOOKED_BEFORE};
use super::record::{Extent, Head, STRAYED, TABLE};
use crate::bpf::Size::{Eight, Four, One};
use crate::bpf::{
    Assembler, Btf, CAST, Condition, Instruction, Label, Malformed, NUMBER, Register as R,
    TypeKind, Typed as _, ValueKind,
};
use crate::model::Family;
use crate::source::Request;
use crate::source::checks::{ADDRESSES, AF_INET6, COMMON, Checks, FAMILIES, Ways, When};

// Helpers (`enum bpf_func_id`, `include/uapi/linux/bpf.h`).
const JIFFIES64: i32 = 118;
const SEQ_WRITE: i32 = 127;
const GET_CURRENT_TASK_BTF: i32 = 158;

/// The kernel function called for each element, to which the program is attached.
pub(super) const FUNCTION: &str = "bpf_iter_bpf_map_elem";

const KEY: &str = "bpf_iter__bpf_map_elem";
const TCP: &str = "tcp_sock";
const REST: &str = "inet_timewait_sock";
const OPENING: &str = "inet_request_sock";
/// A socket and its inode.
const FILE: &str = "socket_alloc";
const TABLES: &str = "inet_hashinfo";
/// What is bound to one port.
const ALL_OF_PORT: &str = "inet_bind_bucket";
/// Sockets with one address and port.
const PORT: &str = "inet_bind2_bucket";
const BUCKET_OF_PORTS: &str = "inet_bind_hashbucket";

/// The types and functions that the programs use.
pub(super) const WANTED: [(TypeKind, &str); 21] = [
    (TypeKind::Function, FUNCTION),
    (TypeKind::Function, CAST),
    (TypeKind::Struct, KEY),
    (TypeKind::Struct, "bpf_iter_meta"),
    (TypeKind::Struct, "task_struct"),
    (TypeKind::Struct, "nsproxy"),
    (TypeKind::Struct, "net"),
    (TypeKind::Struct, TABLES),
    (TypeKind::Struct, ALL_OF_PORT),
    (TypeKind::Struct, PORT),
    (TypeKind::Struct, BUCKET_OF_PORTS),
    (TypeKind::Struct, "hlist_node"),
    (TypeKind::Struct, NUMBER),
    (TypeKind::Struct, COMMON),
    (TypeKind::Struct, "sock"),
    (TypeKind::Struct, TCP),
    (TypeKind::Struct, REST),
    (TypeKind::Struct, OPENING),
    (TypeKind::Struct, FILE),
    (TypeKind::Struct, "cgroup"),
    (TypeKind::Struct, "kernfs_node"),
];

/// The sockets that are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Scope {
    /// Those of the reader's network namespace, of one IP version or both.
    Own(Option<Family>),
    /// All in the same table.
    Table,
}

// Stack slots, from the stack's end.
const RECORD: i16 = -(1 << 7);
const BUCKETS: i16 = RECORD - 8;
const NET: i16 = RECORD - 24;
const BASE: i16 = RECORD - 32;
const NOW: i16 = RECORD - 40;
const PORTS: i16 = RECORD - 48;
const ZERO: i16 = RECORD - 56;
const LOWEST: i16 = SLOTS;
/// Index of the first entry for this half of the table.
const HALF: i16 = ZERO - 8;
/// The number of elements as a power of two.
const SHIFT: i16 = SLOTS;

// Registers that calls preserve.
const OUTPUT: R = R::R6;
/// The address of the next node of a chain.
const NODE: R = R::R7;
const SOCKET: R = R::R8;
/// The number of a bucket.
const BUCKET: R = R::R9;

// States with other structures than a socket (`include/net/tcp_states.h`), and others.
const ESTABLISHED: i32 = 1;
const SYN_SENT: i32 = 2;
const SYN_RECV: i32 = 3;
const FIN_WAIT2: i32 = 5;
const TIME_WAIT: i32 = 6;
const NEW_SYN_RECV: i32 = 12;
/// All states in this table, a bit for each.
const STATES: u32 = 0x1b7e;

/// A field in each cache line that is read: of all sockets, for the head of a record, for the rest.
const TOUCHED: [(ValueKind, &str); 10] = [
    (POINTER, "skc_nulls_node.next"),
    (BYTE, "skc_state"),
    (WORD, "copied_seq"),
    (WORD, "write_seq"),
    (WORD, "snd_una"),
    (BYTE, "icsk_pending"),
    (LONG, "sk_timer.expires"),
    (BYTE, "sk_shutdown"),
    (WORD, "sk_uid.val"),
    (POINTER, "sk_cgrp_data.cgroup"),
];

/// As [`TOUCHED`], for sockets that are counted.
const COUNTED: [(ValueKind, &str); 4] = [
    (POINTER, "skc_nulls_node.next"),
    (BYTE, "skc_state"),
    (WORD, "sk_receive_queue.qlen"),
    (BYTE, "sk_shutdown"),
];
/// The rest for those that are looked at more closely.
const LOOKED_AT: [(ValueKind, &str); 3] = [
    (WORD, "copied_seq"),
    (WORD, "rcv_nxt"),
    (BYTE, "icsk_pending"),
];

struct Writer<'p> {
    code: Assembler,
    btf: &'p Btf<'p>,
    plan: Plan,
    request: &'p Request,
}

/// The parameters of a program.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) scope: Scope,
    pub(super) extent: Extent,
    /// The counters, if it counts.
    pub(super) counts: Option<Counting>,
    /// The map of lists.
    pub(super) lists: i32,
}

/// # Errors
///
/// When the kernel lacks a type, field or function, which the error names.
pub(super) fn program(
    btf: &Btf<'_>,
    plan: Plan,
    request: &Request,
) -> Result<Vec<Instruction>, Malformed> {
    let mut writer = Writer::new(btf, plan, request);
    writer.walk()?;
    Ok(writer.code.finish())
}

impl<'p> Writer<'p> {
    fn new(btf: &'p Btf<'p>, plan: Plan, request: &'p Request) -> Self {
        Self {
            code: Assembler::default(),
            btf,
            plan,
            request,
        }
    }

    fn walk(&mut self) -> Result<(), Malformed> {
        let [next_bucket, next_node, chain_end, strayed, done] =
            [(); 5].map(|()| self.code.label());
        self.begin(["ehash", "ehash_mask"], 0, done)?;
        self.touch()?;
        self.code.place(next_bucket);
        self.code.jump(Condition::TooLong, strayed);
        self.code.load(Eight, R::R1, R::STACK, BUCKETS);
        self.code.jump(Condition::Same(BUCKET, R::R1), done);
        self.first_node(BUCKET, NODE, next_bucket)?;
        self.code.place(next_node);
        self.code.jump(Condition::TooLong, chain_end);
        self.code.jump(Condition::HasBits(NODE, 1), chain_end);
        self.code.jump(Condition::Is(NODE, 0), chain_end);
        self.code.copy(R::R1, NODE);
        self.socket_at()?;
        self.code.copy(SOCKET, R::R0);
        self.code.copy(R::R1, NODE);
        self.number_at(NODE)?;
        self.let_pass(next_node)?;
        self.test_state(next_node)?;
        self.test_ends(next_node)?;
        if let Some(counts) = self.plan.counts {
            self.find_block(counts, next_node);
            self.count(counts, next_node)?;
        }
        self.write_socket()?;
        self.emit()?;
        self.code.jump(Condition::Is(R::R0, 0), next_node);
        // No room: the kernel calls again for this element.
        if let Some(counts) = self.plan.counts {
            self.note_overflow(counts);
        }
        self.code.jump(Condition::Always, done);
        self.code.place(chain_end);
        // After the last node comes the number of the bucket.
        self.code.shift_down(NODE, 1);
        self.code.add_number(NODE, 1);
        self.code.jump(Condition::Same(NODE, BUCKET), next_bucket);
        self.code.place(strayed);
        self.set(One, offset_of!(Head, family), i32::from(STRAYED));
        self.emit()?;
        self.code.place(done);
        self.code.set(R::R0, 0);
        self.code.exit();
        Ok(())
    }

    /// Finds a table, and the part of it for this element. The field `count` exceeds the number of the last bucket by
    /// `more`.
    fn begin(
        &mut self,
        [table, count]: [&str; 2],
        more: i32,
        done: Label,
    ) -> Result<(), Malformed> {
        // Values unknown to the verifier: with known ones it would follow many more paths.
        self.code.copy(SOCKET, R::R1);
        self.code.call(JIFFIES64);
        for place in (LOWEST..0).step_by(8) {
            self.code.add_number(R::R0, 1);
            self.code.store(Eight, R::STACK, place, R::R0);
        }
        self.code.copy(R::R1, R::R0);
        self.code.subtract(R::R0, R::R1);
        self.code.store(Eight, R::STACK, ZERO, R::R0);
        // In two stores: then the verifier treats each load from there as another value.
        self.code.store(Four, R::STACK, ZERO, R::R0);
        self.code.copy(R::R1, SOCKET);
        self.load(R::R2, R::R1, POINTER, [KEY, "key"])?;
        self.code.jump(Condition::Is(R::R2, 0), done);
        self.code.load(Four, BUCKET, R::R2, 0);
        self.load(R::R2, R::R1, POINTER, [KEY, "value"])?;
        self.code.jump(Condition::Is(R::R2, 0), done);
        self.code.load(Eight, R::R3, R::R2, 0);
        self.code.copy(R::R2, R::R3);
        self.code.lower_half(R::R2);
        self.code.add_register(BUCKET, R::R2);
        self.code.copy(R::R2, R::R3);
        self.code.shift_up(R::R2, 24);
        self.code.shift_down(R::R2, 56);
        self.code.store(Eight, R::STACK, SHIFT, R::R2);
        self.code.shift_down(R::R3, 40);
        self.code.shift_up(R::R3, INDEX_BITS - 1);
        self.code.store(Eight, R::STACK, HALF, R::R3);
        self.load(R::R1, R::R1, POINTER, [KEY, "meta"])?;
        self.load(OUTPUT, R::R1, POINTER, ["bpf_iter_meta", "seq"])?;
        self.code.call(GET_CURRENT_TASK_BTF);
        // For trusted pointers the verifier would search all types at each step.
        self.code.copy(R::R1, R::R0);
        self.cast("task_struct")?;
        self.load(R::R1, R::R0, POINTER, ["task_struct", "nsproxy"])?;
        self.load(R::R1, R::R1, POINTER, ["nsproxy", "net_ns"])?;
        self.code.store(Eight, R::STACK, NET, R::R1);
        let tables = ["net", "ipv4.tcp_death_row.hashinfo"];
        self.load(SOCKET, R::R1, POINTER, tables)?;
        self.load(R::R1, R::R1, WORD, ["net", "ns.inum"])?;
        self.write(Four, offset_of!(Head, netns), R::R1);
        self.load(NODE, SOCKET, WORD, [TABLES, count])?;
        self.code.add_number(NODE, -more);
        let begin = self.code.label();
        self.code.jump(Condition::IsNot(BUCKET, 0), begin);
        self.write(Four, offset_of!(Head, send_queue), NODE);
        self.load(R::R2, SOCKET, BYTE, [TABLES, "pernet"])?;
        self.write(One, offset_of!(Head, state), R::R2);
        self.set(One, offset_of!(Head, family), i32::from(TABLE));
        self.emit()?;
        self.code.place(begin);
        self.forget(BUCKET);
        // Buckets for each element; in a small table most elements have none.
        self.code.copy(R::R3, NODE);
        self.code.load(Eight, R::R2, R::STACK, SHIFT);
        self.code.shift_down_by(R::R3, R::R2);
        self.code.add_number(R::R3, 1);
        self.code.multiply(BUCKET, R::R3);
        self.code.jump(Condition::Above(BUCKET, NODE), done);
        self.code.add_register(R::R3, BUCKET);
        self.code.store(Eight, R::STACK, BUCKETS, R::R3);
        let buckets = self.btf.offset(TABLES, table, POINTER)?;
        self.code.copy(R::R1, SOCKET);
        self.code.add_number(R::R1, buckets.into());
        self.number_at(R::R2)?;
        self.code.store(Eight, R::STACK, BASE, R::R2);
        if self.plan.extent == Extent::Detailed {
            self.code.call(JIFFIES64);
            self.code.store(Eight, R::STACK, NOW, R::R0);
            if let Some(counts) = self.plan.counts {
                self.begin_counting(counts);
            }
        }
        Ok(())
    }

    /// Prefetches the sockets: first the first one of each bucket, then those behind it.
    fn touch(&mut self) -> Result<(), Malformed> {
        let [next, rest, over] = [(); 3].map(|()| self.code.label());
        let sockets = List::first(SLOTS);
        self.reset(&[sockets.count]);
        self.code.copy(SOCKET, BUCKET);
        self.code.place(next);
        self.code.jump(Condition::TooLong, over);
        self.code.load(Eight, R::R1, R::STACK, BUCKETS);
        self.code.jump(Condition::Same(SOCKET, R::R1), rest);
        self.first_node(SOCKET, NODE, next)?;
        self.push(sockets, sockets.count, NODE, rest);
        self.touch_socket(NODE)?;
        self.code.jump(Condition::Always, next);
        self.code.place(rest);
        self.advance(
            sockets,
            over,
            |_, _| Ok(()),
            |writer, next| {
                writer.code.copy(R::R1, NODE);
                writer.number_at(SOCKET)?;
                writer.code.jump(Condition::HasBits(SOCKET, 1), next);
                writer.code.jump(Condition::Is(SOCKET, 0), next);
                writer.touch_socket(SOCKET)
            },
        )?;
        self.code.place(over);
        Ok(())
    }

    /// Loads a field of each cache line of the socket with the node at this address.
    fn touch_socket(&mut self, node: R) -> Result<(), Malformed> {
        self.code.copy(R::R1, node);
        self.socket_at()?;
        for (value, field) in self.touched() {
            self.load(R::R1, R::R0, *value, [TCP, &within(field)])?;
        }
        if let Some(counts) = self.plan.counts {
            let touched = self.code.label();
            self.code.set_map_value(R::R3, counts.map);
            self.code.load(Eight, R::R1, R::R3, LOOKED_BEFORE);
            self.code.jump(Condition::Is(R::R1, 0), touched);
            for (value, field) in LOOKED_AT {
                self.load(R::R1, R::R0, value, [TCP, &within(field)])?;
            }
            self.code.place(touched);
        }
        Ok(())
    }

    /// One field in each cache line.
    fn touched(&self) -> &'static [(ValueKind, &'static str)] {
        let is_narrow =
            !self.request.narrow.operations().is_empty() || self.wanted() & 1 << ESTABLISHED == 0;
        match self.plan.extent {
            _ if is_narrow => &TOUCHED[..2],
            _ if self.plan.counts.is_some() => &COUNTED,
            Extent::Head => &TOUCHED[..5],
            Extent::Detailed => &TOUCHED,
        }
    }

    /// Loads the first node and advances the bucket; jumps to `empty` if the bucket has only a marker.
    fn first_node(&mut self, bucket: R, into: R, empty: Label) -> Result<(), Malformed> {
        self.code.copy(R::R1, bucket);
        self.code.add_number(bucket, 1);
        self.code.shift_up(R::R1, 3);
        self.code.load(Eight, R::R2, R::STACK, BASE);
        self.code.add_register(R::R1, R::R2);
        self.number_at(into)?;
        self.code.jump(Condition::HasBits(into, 1), empty);
        Ok(())
    }

    /// Casts the address of a node in the first register to a socket.
    fn socket_at(&mut self) -> Result<(), Malformed> {
        let node = self
            .btf
            .offset(TCP, &within("skc_nulls_node.next"), POINTER)?;
        self.code.add_number(R::R1, -i32::from(node));
        self.cast(TCP)
    }

    /// Jumps to the next node for a socket of another namespace, or records its namespace.
    fn let_pass(&mut self, next_node: Label) -> Result<(), Malformed> {
        self.of_socket(R::R1, POINTER, "skc_net.net")?;
        match self.plan.scope {
            Scope::Own(_) => {
                self.code.load(Eight, R::R2, R::STACK, NET);
                self.code.jump(Condition::Differ(R::R1, R::R2), next_node);
            }
            Scope::Table => {
                self.load(R::R1, R::R1, WORD, ["net", "ns.inum"])?;
                self.write(Four, offset_of!(Head, netns), R::R1);
            }
        }
        Ok(())
    }

    /// The wanted states, as a bit mask of the table's states.
    fn wanted(&self) -> u32 {
        let wanted = self.request.states.kernel_mask();
        let holds = |state: i32| wanted >> state & 1;
        // A timewait structure may stand for FIN_WAIT_2, too, and a request has its own state for SYN_RCVD.
        let rests = (holds(FIN_WAIT2) | holds(TIME_WAIT)) << TIME_WAIT;
        wanted & !(1 << NEW_SYN_RECV) | rests | holds(SYN_RECV) << NEW_SYN_RECV
    }

    /// Jumps to the next node for an unwanted state.
    fn test_state(&mut self, next_node: Label) -> Result<(), Malformed> {
        let wanted = self.wanted();
        if wanted & STATES == STATES {
            return Ok(());
        }
        self.of_socket(R::R1, BYTE, "skc_state")?;
        self.code.set_unsigned(R::R2, wanted);
        self.code.shift_down_by(R::R2, R::R1);
        let passed = self.code.label();
        self.code.jump(Condition::HasBits(R::R2, 1), passed);
        self.code.jump(Condition::Always, next_node);
        self.code.place(passed);
        Ok(())
    }

    /// Jumps to the next node for the other IP version, or for what the filter cannot accept.
    fn test_ends(&mut self, next_node: Label) -> Result<(), Malformed> {
        let operations = self.request.narrow.operations();
        let only = match self.plan.scope {
            Scope::Own(family) => family,
            Scope::Table => None,
        };
        if operations.is_empty() && only.is_none() {
            return Ok(());
        }
        let ways = Ways {
            pass: self.code.label(),
            fail: next_node,
        };
        self.checks().read_ports(R::R1, R::R2)?;
        self.checks().keep_ports(R::R1, R::R2);
        for (family, number) in FAMILIES {
            let other = self.code.label();
            self.of_socket(R::R1, SHORT, "skc_family")?;
            self.code.jump(Condition::IsNot(R::R1, number), other);
            let is_wanted = only.is_none_or(|only| only == family);
            if is_wanted {
                self.checks().write(&operations, family, ways)?;
            }
            let end = if is_wanted { ways.pass } else { next_node };
            self.code.jump(Condition::Always, end);
            self.code.place(other);
        }
        self.code.place(ways.pass);
        Ok(())
    }

    fn checks(&mut self) -> Checks<'_, '_> {
        Checks {
            code: &mut self.code,
            btf: self.btf,
            socket: SOCKET,
            ports: PORTS,
            when: When::Listed,
        }
    }
}
