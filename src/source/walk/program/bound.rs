//! The program that lists bound sockets.
//!
//! It takes no locks, so it proves for each bucket that it saw everything that was there for the whole time (new
//! entries are inserted at the front):
//!
//! - Each node must point back to where it was found, before and after its successor is read. So both were adjacent
//!   in some chain.
//! - The last socket of a chain must belong to the address and port where the chain began, and a second walk of a
//!   bucket must find the same addresses and ports: nothing was moved into another chain meanwhile.
//!
//! What cannot be proven in a few attempts is reported. A bucket that is walked again reports its sockets again.
//! more.

use std::mem::offset_of;

use super::steps::{BYTE, POINTER, SHORT, within};
use super::{
    BASE, BUCKET, BUCKET_OF_PORTS, BUCKETS, Head, LOWEST, NODE, PORT, Plan, REST, SOCKET, STRAYED,
    TCP, TIME_WAIT, Writer, ZERO,
};
use crate::bpf::Size::{Eight, One};
use crate::bpf::{Btf, Condition, Instruction, Label, Malformed, Register as R, Typed as _};
use crate::source::Request;
use crate::source::walk::record::Extent;

/// Limit of walks of a bucket.
const ATTEMPTS: i32 = 16;

// Further stack slots.
/// The address of the bucket's first link.
const HEAD: i16 = ZERO - 8;
/// The address of the link that led to a node.
const LINK: i16 = ZERO - 16;
/// The addresses of the first link to its sockets, and of the link that led to a socket.
const OWNERS: i16 = ZERO - 24;
const LINK_OF_SOCKET: i16 = ZERO - 32;
/// The addresses of a socket's node, and of the next one.
const NODE_OF_SOCKET: i16 = ZERO - 40;
const NEXT: i16 = ZERO - 48;
/// The sum of the nodes' addresses.
const SUM: i16 = ZERO - 56;
/// The sum of the previous walk; 0 = there was none.
const BEFORE: i16 = ZERO - 64;
/// Attempts left.
const ATTEMPT: i16 = LOWEST;

/// `TCP_CLOSE` (`include/net/tcp_states.h`).
const CLOSE: i32 = 7;

/// # Errors
///
/// When the kernel lacks a type, field or function, which the error names.
pub(in crate::source::walk) fn bound_program(
    btf: &Btf<'_>,
    plan: Plan,
    request: &Request,
) -> Result<Vec<Instruction>, Malformed> {
    let plan = Plan {
        extent: Extent::Detailed,
        counts: None,
        ..plan
    };
    let mut writer = Writer::new(btf, plan, request);
    writer.look_for_bound()?;
    Ok(writer.code.finish())
}

impl Writer<'_> {
    fn look_for_bound(&mut self) -> Result<(), Malformed> {
        let [
            next_bucket,
            again,
            attempt,
            next_port,
            next_link,
            over,
            first,
            unproven,
            done,
        ] = [(); 9].map(|()| self.code.label());
        self.begin(["bhash2", "bhash_size"], 1, done)?;
        self.touch_ports()?;
        self.code.place(next_bucket);
        self.code.jump(Condition::TooLong, unproven);
        self.get(R::R1, BUCKETS);
        self.code.jump(Condition::Same(BUCKET, R::R1), done);
        self.first_port(BUCKET)?;
        self.keep(HEAD, R::R1);
        self.number_at(NODE)?;
        self.code.jump(Condition::Is(NODE, 0), next_bucket);
        self.zero(R::R1);
        self.code.add_number(R::R1, ATTEMPTS);
        self.keep(ATTEMPT, R::R1);
        self.code.place(again);
        self.zero(R::R1);
        self.keep(BEFORE, R::R1);
        self.code.place(attempt);
        self.get(R::R1, ATTEMPT);
        self.code.jump(Condition::Is(R::R1, 0), unproven);
        self.code.add_number(R::R1, -1);
        self.keep(ATTEMPT, R::R1);
        self.zero(R::R1);
        self.keep(SUM, R::R1);
        self.get(R::R1, HEAD);
        self.keep(LINK, R::R1);
        self.code.place(next_port);
        self.code.jump(Condition::TooLong, unproven);
        self.get(R::R1, LINK);
        self.number_at(NODE)?;
        self.code.jump(Condition::Is(NODE, 0), over);
        self.test_back(NODE, LINK, again)?;
        self.get(R::R1, SUM);
        self.code.add_register(R::R1, NODE);
        self.keep(SUM, R::R1);
        self.get(R::R1, BEFORE);
        self.code.jump(Condition::IsNot(R::R1, 0), next_link);
        self.test_port(next_link)?;
        self.look_at_sockets(again, unproven)?;
        self.code.place(next_link);
        self.keep(LINK, NODE);
        self.code.jump(Condition::Always, next_port);
        self.code.place(over);
        self.get(R::R1, SUM);
        self.get(R::R2, BEFORE);
        self.code.jump(Condition::Same(R::R1, R::R2), next_bucket);
        self.code.jump(Condition::Is(R::R2, 0), first);
        self.code.jump(Condition::Always, again);
        self.code.place(first);
        self.keep(BEFORE, R::R1);
        self.code.jump(Condition::Always, attempt);
        self.code.place(unproven);
        self.clear();
        self.set(One, offset_of!(Head, family), i32::from(STRAYED));
        self.emit()?;
        self.code.place(done);
        self.code.set(R::R0, 0);
        self.code.exit();
        Ok(())
    }

    /// Prefetches each bucket's addresses and ports, as [`touch`](Self::touch) does.
    fn touch_ports(&mut self) -> Result<(), Malformed> {
        let [next, next_port, over] = [(); 3].map(|()| self.code.label());
        let [node, owners] = self.places_in_port()?;
        self.code.copy(SOCKET, BUCKET);
        self.code.place(next);
        self.code.jump(Condition::TooLong, over);
        self.get(R::R1, BUCKETS);
        self.code.jump(Condition::Same(SOCKET, R::R1), over);
        self.first_port(SOCKET)?;
        self.code.place(next_port);
        self.code.jump(Condition::TooLong, over);
        self.number_at(NODE)?;
        self.code.jump(Condition::Is(NODE, 0), next);
        if self.request.narrow.local_port.is_none() {
            self.code.copy(R::R1, NODE);
            self.code.add_number(R::R1, owners - node);
            self.number_at(R::R1)?;
            self.socket_of_port()?;
            self.load(R::R1, R::R0, BYTE, [TCP, &within("skc_state")])?;
            self.load(R::R1, R::R0, POINTER, [TCP, &within("icsk_bind2_hash")])?;
        }
        self.code.copy(R::R1, NODE);
        self.code.jump(Condition::Always, next_port);
        self.code.place(over);
        Ok(())
    }

    /// Loads the address of a bucket's first link into the first register, and advances the bucket.
    fn first_port(&mut self, bucket: R) -> Result<(), Malformed> {
        self.code.copy(R::R1, bucket);
        self.code.add_number(bucket, 1);
        self.forget(bucket);
        self.code.set(R::R2, self.btf.size(BUCKET_OF_PORTS)?);
        self.code.multiply(R::R1, R::R2);
        self.get(R::R2, BASE);
        self.code.add_register(R::R1, R::R2);
        let first = self.btf.offset(BUCKET_OF_PORTS, "chain.first", POINTER)?;
        self.code.add_number(R::R1, first.into());
        Ok(())
    }

    /// Offsets of the node in the structure of an address and port, and of the first link to its sockets.
    fn places_in_port(&self) -> Result<[i32; 2], Malformed> {
        let node = self.btf.offset(PORT, "node.next", POINTER)?;
        let owners = self.btf.offset(PORT, "owners.first", POINTER)?;
        Ok([node, owners].map(i32::from))
    }

    /// Checks that a node points back to the link that led to it.
    fn test_back(&mut self, node: R, link: i16, again: Label) -> Result<(), Malformed> {
        let back = self.btf.offset("hlist_node", "pprev", POINTER)?;
        self.code.copy(R::R1, node);
        self.code.add_number(R::R1, back.into());
        self.number_at(R::R1)?;
        self.get(R::R2, link);
        self.code.jump(Condition::Differ(R::R1, R::R2), again);
        Ok(())
    }

    /// Jumps to the next node for another port than the single wanted one.
    fn test_port(&mut self, next_link: Label) -> Result<(), Malformed> {
        let Some(port) = self.request.narrow.local_port else {
            return Ok(());
        };
        let [node, _] = self.places_in_port()?;
        self.code.copy(R::R1, NODE);
        self.code.add_number(R::R1, -node);
        self.cast(PORT)?;
        self.load(R::R1, R::R0, SHORT, [PORT, "port"])?;
        let other = Condition::IsNot(R::R1, port.into());
        self.code.jump(other, next_link);
        Ok(())
    }

    /// Walks the sockets of a node.
    fn look_at_sockets(&mut self, again: Label, unproven: Label) -> Result<(), Malformed> {
        let [next, other, last, over] = [(); 4].map(|()| self.code.label());
        let [node, owners] = self.places_in_port()?;
        self.code.copy(R::R1, NODE);
        self.code.add_number(R::R1, owners - node);
        self.keep(OWNERS, R::R1);
        self.keep(LINK_OF_SOCKET, R::R1);
        self.number_at(R::R1)?;
        self.code.jump(Condition::Is(R::R1, 0), over);
        self.code.place(next);
        self.code.jump(Condition::TooLong, unproven);
        self.keep(NODE_OF_SOCKET, R::R1);
        self.socket_of_port()?;
        self.code.copy(SOCKET, R::R0);
        self.get(R::R2, NODE_OF_SOCKET);
        self.test_back(R::R2, LINK_OF_SOCKET, again)?;
        self.of_socket(R::R1, BYTE, "skc_state")?;
        self.code.jump(Condition::IsNot(R::R1, CLOSE), other);
        self.of_socket(R::R1, SHORT, "skc_num")?;
        self.code.jump(Condition::Is(R::R1, 0), other);
        self.clear();
        self.let_pass(other)?;
        self.test_ends(other)?;
        self.write_bound()?;
        self.emit()?;
        self.code.place(other);
        self.get(R::R1, NODE_OF_SOCKET);
        self.number_at(R::R1)?;
        self.keep(NEXT, R::R1);
        self.get(R::R2, NODE_OF_SOCKET);
        self.test_back(R::R2, LINK_OF_SOCKET, again)?;
        self.get(R::R1, NEXT);
        self.code.jump(Condition::Is(R::R1, 0), last);
        self.get(R::R2, NODE_OF_SOCKET);
        self.keep(LINK_OF_SOCKET, R::R2);
        self.code.jump(Condition::Always, next);
        self.code.place(last);
        self.test_last(owners, again)?;
        self.code.place(over);
        Ok(())
    }

    /// Checks that the last socket belongs to this node.
    fn test_last(&mut self, owners: i32, again: Label) -> Result<(), Malformed> {
        let is_full = self.code.label();
        let own = self.btf.offset(TCP, &within("icsk_bind2_hash"), POINTER)?;
        let rest = self.btf.offset(REST, "tw_tb2", POINTER)?;
        let node = self.place_of_node()?;
        self.of_socket(R::R2, BYTE, "skc_state")?;
        self.get(R::R1, NODE_OF_SOCKET);
        self.code.add_number(R::R1, i32::from(own) - node);
        self.code.jump(Condition::IsNot(R::R2, TIME_WAIT), is_full);
        self.code
            .add_number(R::R1, i32::from(rest) - i32::from(own));
        self.code.place(is_full);
        self.number_at(R::R1)?;
        self.code.add_number(R::R1, owners);
        self.get(R::R2, OWNERS);
        self.code.jump(Condition::Differ(R::R1, R::R2), again);
        Ok(())
    }

    /// Casts the address of a node in the first register to a socket.
    fn socket_of_port(&mut self) -> Result<(), Malformed> {
        let node = self.place_of_node()?;
        self.code.add_number(R::R1, -node);
        self.cast(TCP)
    }

    fn place_of_node(&self) -> Result<i32, Malformed> {
        let node = within("skc_bind_node.next");
        self.btf.offset(TCP, &node, POINTER).map(i32::from)
    }

    fn get(&mut self, into: R, place: i16) {
        self.code.load(Eight, into, R::STACK, place);
        self.forget(into);
    }

    fn keep(&mut self, place: i16, from: R) {
        self.forget(from);
        self.code.store(Eight, R::STACK, place, from);
    }
}
