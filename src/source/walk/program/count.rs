//! Counts sockets in the program.

use super::super::counts::{
    COUNTED, IN_USE, LAST_END, LOOKED, LOOKED_BEFORE, NOW, OF_ELEMENT, PORTS, PROTOCOLS, WATCHED,
};
use super::steps::{BYTE, LONG, POINTER, SHORT, WORD};
use super::{AF_INET6, ESTABLISHED, REST, SOCKET, TIME_WAIT, Writer};
use crate::bpf::Size::{Eight, One, Two};
use crate::bpf::{Condition, Label, Malformed, Register as R, Typed as _};
use crate::model::{RETRANSMITS, UNREAD};

/// `ICSK_TIME_PROBE0` (`include/net/inet_connection_sock.h`).
const PROBE: i32 = 3;

impl Writer<'_> {
    /// Stores the current tick.
    pub(super) fn note_now(&mut self, counts: i32) {
        self.code.set_map_value(R::R3, counts);
        self.code.store(Eight, R::R3, NOW, R::R0);
    }

    /// Resets the counters of an element.
    pub(super) fn begin_element(&mut self, counts: i32) {
        self.code.set_map_value(R::R3, counts);
        self.code.set(R::R1, 0);
        for counter in (0..).step_by(8).take(COUNTED.len()) {
            self.code.store(Eight, R::R3, OF_ELEMENT + counter, R::R1);
        }
        self.code.load(Eight, R::R2, R::R3, LOOKED);
        self.code.store(Eight, R::R3, LOOKED_BEFORE, R::R2);
        self.code.store(Eight, R::R3, LOOKED, R::R1);
    }

    /// Adds the counters of an element whose records have fit.
    pub(super) fn end_element(&mut self, counts: i32) {
        self.code.set_map_value(R::R3, counts);
        for counter in (0..).step_by(8).take(COUNTED.len()) {
            self.code.load(Eight, R::R1, R::R3, counter);
            self.code.load(Eight, R::R2, R::R3, OF_ELEMENT + counter);
            self.code.add_register(R::R1, R::R2);
            self.code.store(Eight, R::R3, counter, R::R1);
        }
    }

    /// Counts the socket and jumps to the next node, unless more than its state matters: it is half closed, connected
    /// to itself, or may be stuck.
    pub(super) fn count(&mut self, counts: i32, next_node: Label) -> Result<(), Malformed> {
        let [special, rest, counted, ipv4] = [(); 4].map(|()| self.code.label());
        self.of_socket(R::R1, BYTE, "skc_state")?;
        self.code.jump(Condition::Is(R::R1, TIME_WAIT), rest);
        self.code
            .jump(Condition::IsNot(R::R1, ESTABLISHED), special);
        self.of_socket(R::R1, BYTE, "sk_shutdown")?;
        self.code.jump(Condition::IsNot(R::R1, 0), special);
        self.look_closer(counts, special)?;
        self.of_socket(R::R1, SHORT, "skc_num")?;
        self.of_socket(R::R2, SHORT, "skc_dport")?;
        self.code.from_network(Two, R::R2);
        self.code.jump(Condition::Same(R::R1, R::R2), special);
        self.code.set(R::R4, 0);
        self.code.set_map_value(R::R3, counts);
        self.code.jump(Condition::Always, counted);
        self.code.place(rest);
        self.code.copy(R::R1, SOCKET);
        self.cast(REST)?;
        self.load(R::R1, R::R0, BYTE, [REST, "tw_substate"])?;
        self.code.jump(Condition::IsNot(R::R1, TIME_WAIT), special);
        self.load(R::R2, R::R0, LONG, [REST, "tw_timer.expires"])?;
        self.code.set_map_value(R::R3, counts);
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
        self.code.load(Eight, R::R1, R::R3, OF_ELEMENT);
        self.code.add_number(R::R1, 1);
        self.code.store(Eight, R::R3, OF_ELEMENT, R::R1);
        self.code.jump(Condition::Always, next_node);
        self.code.place(special);
        Ok(())
    }

    /// Jumps to `special` for a socket that may be stuck: it has unread data, or retransmits or probes.
    ///
    /// That an idle one does not is seen in memory that is read anyway: nothing waits to be received, and there is one
    /// reference, whereas a timer that runs holds another. This is so for the protocol that the socket was created with;
    /// others (`sockmap`, TLS, MPTCP) keep data elsewhere.
    fn look_closer(&mut self, counts: i32, special: Label) -> Result<(), Malformed> {
        let [closer, usual] = [(); 2].map(|()| self.code.label());
        self.of_socket(R::R1, WORD, "sk_receive_queue.qlen")?;
        self.code.jump(Condition::IsNot(R::R1, 0), closer);
        self.of_socket(R::R1, WORD, "skc_refcnt.refs.counter")?;
        self.code.jump(Condition::IsNot(R::R1, 1), closer);
        self.of_socket(R::R1, POINTER, "skc_prot")?;
        self.code.set_map_value(R::R3, counts);
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
        self.code.set_map_value(R::R3, counts);
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
