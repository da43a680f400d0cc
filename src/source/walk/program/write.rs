//! Writes the record of a socket in the program.

use std::mem::offset_of;

use super::super::record::{Detailed, Extent, Head};
use super::steps::{BYTE, LONG, POINTER, SHORT, WORD, at, within};
use super::{
    ADDRESSES, AF_INET6, FILE, NEW_SYN_RECV, NOW, OPENING, REST, SOCKET, SYN_RECV, SYN_SENT, TCP,
    TIME_WAIT, Writer,
};
use crate::bpf::Size::{Eight, Four, One};
use crate::bpf::{Condition, Label, Malformed, Register as R, Typed as _, ValueKind};

impl Writer<'_> {
    pub(super) fn write_socket(&mut self) -> Result<(), Malformed> {
        let [rest, opening, written] = [(); 3].map(|()| self.code.label());
        self.write_ends()?;
        self.of_socket(R::R1, BYTE, "skc_state")?;
        self.write(One, offset_of!(Head, state), R::R1);
        self.code.jump(Condition::Is(R::R1, TIME_WAIT), rest);
        self.code.jump(Condition::Is(R::R1, NEW_SYN_RECV), opening);
        self.write_full(written)?;
        self.code.jump(Condition::Always, written);
        self.code.place(rest);
        self.write_rest()?;
        self.code.jump(Condition::Always, written);
        self.code.place(opening);
        self.write_opening()?;
        self.code.place(written);
        Ok(())
    }

    /// Writes a bound socket, which has neither timer nor queues. The record is [clear](Self::clear).
    pub(super) fn write_bound(&mut self) -> Result<(), Malformed> {
        self.write_ends()?;
        self.copy(BYTE, "skc_state", offset_of!(Head, state))?;
        self.write_owner()
    }

    /// Clears the record. If all of it is written before it is read, the verifier ignores old content when it compares
    /// paths; otherwise it would take a hundred times as long.
    pub(super) fn clear(&mut self) {
        for place in (0..self.plan.extent.bytes()).step_by(8) {
            self.set(Eight, place, 0);
        }
    }

    fn write_ends(&mut self) -> Result<(), Malformed> {
        let both = [
            (WORD, "skc_bound_dev_if", offset_of!(Head, interface)),
            (SHORT, "skc_num", offset_of!(Head, local_port)),
            (SHORT, "skc_dport", offset_of!(Head, peer_port)),
        ];
        for (value, field, place) in both {
            self.copy(value, field, place)?;
        }
        self.write_addresses()
    }

    fn write_addresses(&mut self) -> Result<(), Malformed> {
        let done = self.code.label();
        let places = [offset_of!(Head, local), offset_of!(Head, peer)];
        // For IPv4, too: if both paths leave the same stack, the verifier checks what follows once.
        for ([_, field], place) in ADDRESSES.into_iter().zip(places) {
            let from = self
                .btf
                .offset(TCP, &within(field), ValueKind::Structure(16))?;
            for word in [0, 4, 8, 12] {
                self.code.load(Four, R::R1, SOCKET, from + word);
                self.code.store(Four, R::STACK, at(place) + word, R::R1);
            }
        }
        self.of_socket(R::R1, SHORT, "skc_family")?;
        self.write(One, offset_of!(Head, family), R::R1);
        self.code.jump(Condition::Is(R::R1, AF_INET6), done);
        for ([field, _], place) in ADDRESSES.into_iter().zip(places) {
            self.copy(WORD, field, place)?;
        }
        self.code.place(done);
        Ok(())
    }

    /// Writes a full socket.
    fn write_full(&mut self, written: Label) -> Result<(), Malformed> {
        let queues = [
            ("rcv_nxt", "copied_seq", offset_of!(Head, recv_queue)),
            ("write_seq", "snd_una", offset_of!(Head, send_queue)),
        ];
        for (end, begin, place) in queues {
            self.of_socket(R::R1, WORD, end)?;
            self.of_socket(R::R2, WORD, begin)?;
            self.code.subtract(R::R1, R::R2);
            self.write(Four, place, R::R1);
        }
        if self.plan.extent == Extent::Head {
            // Before the first SYN there is no timer, and the queue is meaningless.
            let timer = self.code.label();
            self.code
                .load(One, R::R1, R::STACK, at(offset_of!(Head, state)));
            self.code.jump(Condition::Is(R::R1, SYN_SENT), timer);
            self.set(One, offset_of!(Head, timer), 0);
            self.code.jump(Condition::Always, written);
            self.code.place(timer);
        }
        self.write_timer()?;
        match self.plan.extent {
            Extent::Head => Ok(()),
            Extent::Detailed => self.write_owner(),
        }
    }

    /// Writes user, mark, shutdown, inode and cgroup of a full socket.
    fn write_owner(&mut self) -> Result<(), Malformed> {
        self.copy(WORD, "sk_uid.val", offset_of!(Detailed, uid))?;
        self.copy(WORD, "sk_mark", offset_of!(Detailed, mark))?;
        self.copy(BYTE, "sk_shutdown", offset_of!(Detailed, shutdown))?;
        self.write_inode()?;
        self.of_socket(R::R1, POINTER, "sk_cgrp_data.cgroup")?;
        self.load(R::R1, R::R1, POINTER, ["cgroup", "kn"])?;
        self.load(R::R1, R::R1, LONG, ["kernfs_node", "id"])?;
        self.write(Eight, offset_of!(Detailed, cgroup), R::R1);
        self.set(One, offset_of!(Detailed, is_full), 1);
        Ok(())
    }

    /// Before Linux 6.18 only the file has the number.
    fn write_inode(&mut self) -> Result<(), Malformed> {
        let place = offset_of!(Detailed, inode);
        if self.btf.offset(TCP, &within("sk_ino"), LONG).is_ok() {
            return self.copy(LONG, "sk_ino", place);
        }
        self.of_socket(R::R1, POINTER, "sk_socket")?;
        self.cast(FILE)?;
        self.load(R::R1, R::R0, LONG, [FILE, "vfs_inode.i_ino"])?;
        self.write(Eight, place, R::R1);
        Ok(())
    }

    /// Writes the running timer that netlink would report (`inet_sk_diag_fill`).
    fn write_timer(&mut self) -> Result<(), Malformed> {
        let [resend, probe, chosen] = [(); 3].map(|()| self.code.label());
        self.of_socket(R::R1, BYTE, "icsk_pending")?;
        // ICSK_TIME_RETRANS, ICSK_TIME_LOSS_PROBE, ICSK_TIME_REO_TIMEOUT; ICSK_TIME_PROBE0.
        for (pending, label) in [(1, resend), (5, resend), (6, resend), (3, probe)] {
            self.code.jump(Condition::Is(R::R1, pending), label);
        }
        self.of_socket(R::R2, BYTE, "icsk_probes_out")?;
        let keepalive = self.there(["icsk_keepalive_timer", "sk_timer"]);
        self.of_socket(R::R3, LONG, &format!("{keepalive}.expires"))?;
        self.of_socket(R::R4, POINTER, &format!("{keepalive}.entry.pprev"))?;
        self.code.set(R::R1, 2);
        self.code.jump(Condition::IsNot(R::R4, 0), chosen);
        self.zero(R::R1);
        self.zero(R::R2);
        self.code.jump(Condition::Always, chosen);
        self.code.place(resend);
        self.code.set(R::R1, 1);
        self.of_socket(R::R2, BYTE, "icsk_retransmits")?;
        let retransmission = self.there(["icsk_retransmit_timer", "sk_timer"]);
        let expires = format!("{retransmission}.expires");
        self.of_socket(R::R3, LONG, &expires)?;
        self.code.jump(Condition::Always, chosen);
        self.code.place(probe);
        self.code.set(R::R1, 4);
        self.of_socket(R::R2, BYTE, "icsk_probes_out")?;
        self.of_socket(R::R3, LONG, &expires)?;
        self.code.place(chosen);
        self.write_chosen();
        Ok(())
    }

    /// The timer's name in this kernel. Since Linux 6.19 `sk_timer` is for retransmits, before for keepalives.
    fn there<'t>(&self, [timer, other]: [&'t str; 2]) -> &'t str {
        let path = within(&format!("{timer}.expires"));
        if self.btf.offset(TCP, &path, LONG).is_ok() {
            timer
        } else {
            other
        }
    }

    /// Writes the kind of a timer, the number of retransmissions, and when it fires.
    fn write_chosen(&mut self) {
        self.write(One, offset_of!(Head, timer), R::R1);
        self.write(One, offset_of!(Head, retransmits), R::R2);
        if self.plan.extent == Extent::Detailed {
            self.code.load(Eight, R::R1, R::STACK, NOW);
            self.code.subtract(R::R3, R::R1);
            self.write(Four, offset_of!(Detailed, expires), R::R3);
        }
    }

    /// Writes a timewait structure.
    fn write_rest(&mut self) -> Result<(), Malformed> {
        self.code.copy(R::R1, SOCKET);
        self.cast(REST)?;
        self.code.copy(SOCKET, R::R0);
        let state = [REST, "tw_substate"];
        self.load(R::R1, SOCKET, BYTE, state)?;
        self.write(One, offset_of!(Head, state), R::R1);
        self.code.set(R::R1, 3);
        self.zero(R::R2);
        self.load(R::R3, SOCKET, LONG, [REST, "tw_timer.expires"])?;
        self.write_chosen();
        self.write_nobodys([REST, "tw_mark"])
    }

    /// Writes a connection request.
    fn write_opening(&mut self) -> Result<(), Malformed> {
        self.code.copy(R::R1, SOCKET);
        self.cast(OPENING)?;
        self.code.copy(SOCKET, R::R0);
        self.set(One, offset_of!(Head, state), SYN_RECV);
        self.code.set(R::R1, 1);
        let again = [OPENING, "req.num_retrans"];
        self.load(R::R2, SOCKET, BYTE, again)?;
        let expires = [OPENING, "req.rsk_timer.expires"];
        self.load(R::R3, SOCKET, LONG, expires)?;
        self.write_chosen();
        self.write_nobodys([OPENING, "ir_mark"])
    }

    /// Writes a structure without owner, which has a mark and nothing else.
    fn write_nobodys(&mut self, mark: [&str; 2]) -> Result<(), Malformed> {
        self.set(Four, offset_of!(Head, recv_queue), 0);
        self.set(Four, offset_of!(Head, send_queue), 0);
        if self.plan.extent == Extent::Detailed {
            self.load(R::R1, SOCKET, WORD, mark)?;
            self.write(Four, offset_of!(Detailed, mark), R::R1);
            self.set(Eight, offset_of!(Detailed, inode), 0);
            self.set(Four, offset_of!(Detailed, uid), 0);
            self.set(One, offset_of!(Detailed, is_full), 0);
        }
        Ok(())
    }
}
