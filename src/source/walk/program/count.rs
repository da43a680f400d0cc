//! Counts sockets in the program.

use std::mem::offset_of;

use super::super::counts::{
    BLOCK, Counting, IN_USE, INDEX, INDEXED, LAST_END, LOOKED, LOOKED_BEFORE, NOW, OVERFLOWED,
    PORTS, PROTOCOLS, WATCHED,
};
use super::super::record::Head;
use super::lists::SLOTS;
use super::steps::{BYTE, LONG, POINTER, SHORT, WORD, at};
use super::{AF_INET6, ESTABLISHED, REST, SOCKET, TIME_WAIT, Writer};
use crate::bpf::Size::{Eight, Four, One, Two};
use crate::bpf::{Condition, Label, Malformed, Register as R, Typed as _};
use crate::model::{RETRANSMITS, UNREAD};

/// The stack slot of the offset of a block.
const OFFSET: i16 = SLOTS + 8;
/// `ICSK_TIME_PROBE0` (`include/net/inet_connection_sock.h`).
const PROBE: i32 = 3;

impl Writer<'_> {
    /// Stores the current tick, and whether sockets of the element before were looked at more closely.
    pub(super) fn begin_counting(&mut self, counting: Counting) {
        self.code.set_map_value(R::R3, counting.map);
        self.code.store(Eight, R::R3, NOW, R::R0);
        self.code.load(Eight, R::R2, R::R3, LOOKED);
        self.code.store(Eight, R::R3, LOOKED_BEFORE, R::R2);
        self.code.set(R::R1, 0);
        self.code.store(Eight, R::R3, LOOKED, R::R1);
    }

    /// Notes that the records of an element have not fit.
    pub(super) fn note_overflow(&mut self, counting: Counting) {
        self.code.set_map_value(R::R3, counting.map);
        self.code.set(R::R1, 1);
        self.code.store(Eight, R::R3, OVERFLOWED, R::R1);
    }

    /// Finds the block of the socket's namespace, or jumps to the next node.
    pub(super) fn find_block(&mut self, counting: Counting, next_node: Label) {
        let Some((lowest, bits)) = counting.several else {
            return;
        };
        self.code
            .load(Four, R::R1, R::STACK, at(offset_of!(Head, netns)));
        self.code.set_unsigned(R::R2, lowest);
        self.code.subtract(R::R1, R::R2);
        self.require(Condition::AtMost(R::R1, INDEXED - 1), next_node);
        self.code.set_map_value(R::R3, counting.map);
        self.code.add_register(R::R3, R::R1);
        self.code.load(One, R::R1, R::R3, INDEX);
        self.code.jump(Condition::Is(R::R1, 0), next_node);
        self.code.add_number(R::R1, -1);
        self.code.shift_up(R::R1, 64 - bits);
        self.code.shift_down(R::R1, 64 - bits);
        self.code.set(R::R2, BLOCK);
        self.code.multiply(R::R1, R::R2);
        self.code.store(Eight, R::STACK, OFFSET, R::R1);
    }

    /// Loads the address of the block into the third register.
    fn block(&mut self, counting: Counting) {
        self.code.set_map_value(R::R3, counting.map);
        self.code.add_number(R::R3, counting.blocks());
        if counting.several.is_some() {
            self.code.load(Eight, R::R1, R::STACK, OFFSET);
            self.code.add_register(R::R3, R::R1);
        }
    }

    /// Counts the socket and jumps to the next node, unless more than its state matters: it is half closed, connected
    /// to itself, or may be stuck.
    pub(super) fn count(&mut self, counting: Counting, next_node: Label) -> Result<(), Malformed> {
        let [special, rest, counted, ipv4] = [(); 4].map(|()| self.code.label());
        self.of_socket(R::R1, BYTE, "skc_state")?;
        self.code.jump(Condition::Is(R::R1, TIME_WAIT), rest);
        self.code
            .jump(Condition::IsNot(R::R1, ESTABLISHED), special);
        self.of_socket(R::R1, BYTE, "sk_shutdown")?;
        self.code.jump(Condition::IsNot(R::R1, 0), special);
        self.look_closer(counting, special)?;
        self.of_socket(R::R1, SHORT, "skc_num")?;
        self.of_socket(R::R2, SHORT, "skc_dport")?;
        self.code.from_network(Two, R::R2);
        self.code.jump(Condition::Same(R::R1, R::R2), special);
        self.code.set(R::R4, 0);
        self.block(counting);
        self.code.jump(Condition::Always, counted);
        self.code.place(rest);
        self.code.copy(R::R1, SOCKET);
        self.cast(REST)?;
        self.load(R::R1, R::R0, BYTE, [REST, "tw_substate"])?;
        self.code.jump(Condition::IsNot(R::R1, TIME_WAIT), special);
        self.load(R::R2, R::R0, LONG, [REST, "tw_timer.expires"])?;
        self.block(counting);
        let is_earlier = self.code.label();
        self.code.load(Eight, R::R1, R::R3, LAST_END);
        self.code.jump(Condition::Above(R::R1, R::R2), is_earlier);
        self.code.store(Eight, R::R3, LAST_END, R::R2);
        self.code.place(is_earlier);
        self.code.set(R::R4, 16);
        self.code.place(counted);
        self.of_socket(R::R1, SHORT, "skc_num")?;
        self.code.jump(Condition::Is(R::R1, 0), special);
        self.code.add_register(R::R1, R::R3);
        self.code.load(One, R::R2, R::R1, PORTS);
        self.code
            .jump(Condition::Is(R::R2, WATCHED.into()), special);
        self.code.set(R::R2, IN_USE.into());
        self.code.store(One, R::R1, PORTS, R::R2);
        self.of_socket(R::R1, SHORT, "skc_family")?;
        self.code.jump(Condition::IsNot(R::R1, AF_INET6), ipv4);
        self.code.add_number(R::R4, 8);
        self.code.place(ipv4);
        self.code.add_register(R::R3, R::R4);
        self.code.load(Eight, R::R1, R::R3, 0);
        self.code.add_number(R::R1, 1);
        self.code.store(Eight, R::R3, 0, R::R1);
        self.code.jump(Condition::Always, next_node);
        self.code.place(special);
        Ok(())
    }

    /// Jumps to `special` for a socket that may be stuck: it has unread data, or retransmits or probes.
    ///
    /// That an idle one does not is seen in memory that is read anyway: nothing waits to be received, and there is one
    /// reference, whereas a timer that runs holds another. This is so for the protocol that the socket was created with;
    /// others (`sockmap`, TLS, MPTCP) keep data elsewhere.
    fn look_closer(&mut self, counting: Counting, special: Label) -> Result<(), Malformed> {
        let [closer, usual] = [(); 2].map(|()| self.code.label());
        self.of_socket(R::R1, WORD, "sk_receive_queue.qlen")?;
        self.code.jump(Condition::IsNot(R::R1, 0), closer);
        self.of_socket(R::R1, WORD, "skc_refcnt.refs.counter")?;
        self.code.jump(Condition::IsNot(R::R1, 1), closer);
        self.of_socket(R::R1, POINTER, "skc_prot")?;
        self.code.set_map_value(R::R3, counting.map);
        for known in PROTOCOLS {
            self.code.load(Eight, R::R2, R::R3, known);
            self.code.jump(Condition::Same(R::R1, R::R2), usual);
        }
        self.of_socket(R::R2, POINTER, "sk_prot_creator")?;
        self.code.jump(Condition::Differ(R::R1, R::R2), closer);
        let [first, second] = PROTOCOLS;
        self.code.load(Eight, R::R2, R::R3, first);
        self.code.store(Eight, R::R3, second, R::R2);
        self.code.store(Eight, R::R3, first, R::R1);
        self.code.jump(Condition::Always, usual);
        self.code.place(closer);
        self.code.set_map_value(R::R3, counting.map);
        self.code.set(R::R1, 1);
        self.code.store(Eight, R::R3, LOOKED, R::R1);
        self.of_socket(R::R1, WORD, "rcv_nxt")?;
        self.of_socket(R::R2, WORD, "copied_seq")?;
        self.code.subtract(R::R1, R::R2);
        self.code.lower_half(R::R1);
        let unread = UNREAD.cast_signed() - 1;
        self.require(Condition::AtMost(R::R1, unread), special);
        self.of_socket(R::R1, BYTE, "icsk_pending")?;
        self.code.jump(Condition::Is(R::R1, PROBE), special);
        self.of_socket(R::R1, BYTE, "icsk_retransmits")?;
        let often = Condition::AtMost(R::R1, i32::from(RETRANSMITS) - 1);
        self.require(often, special);
        self.code.place(usual);
        Ok(())
    }

    /// Jumps to `otherwise` unless the condition holds.
    fn require(&mut self, condition: Condition, otherwise: Label) {
        let holds = self.code.label();
        self.code.jump(condition, holds);
        self.code.jump(Condition::Always, otherwise);
        self.code.place(holds);
    }
}
