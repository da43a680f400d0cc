//! The program that lists bound sockets.
//!
//! It takes no locks, so it proves for each element that it saw every bound socket that was there for the whole time
//! (new entries are inserted at the front of a chain):
//!
//! - Each node must point back to where it was found. So both were adjacent in some chain. The last one must do so
//!   before and after the end of the chain is read.
//! - The chains of sockets must end at the addresses and ports where they began, and a second walk of the buckets must
//!   find the same addresses and ports: nothing was moved into another chain meanwhile.
//!
//! What cannot be proven in a few attempts is reported. An element that is walked again reports its sockets again.
//!
//! The chains of an element advance together, one node of each at a time: one after another, each node would wait for
//! the memory of the one before. The addresses of the links to the next nodes are in two lists.
//!
//! For a single port of one namespace, the buckets of ports are walked twice instead, and in between the chain of this
//! port's addresses: each must have the port, the last one also after the end of the chain is read.

use std::mem::offset_of;

use super::lists::{LISTED_AHEAD, List, ROUND, SLOTS};
use super::steps::{BYTE, POINTER, SHORT, WORD, within};
use super::{
    ALL_OF_PORT, BASE, BUCKET, BUCKET_OF_PORTS, BUCKETS, Head, NET, NODE, PORT, Plan, REST, SOCKET,
    STRAYED, Scope, TCP, TIME_WAIT, Writer,
};
use crate::bpf::Size::{Eight, One};
use crate::bpf::{Btf, Condition, Instruction, Label, Malformed, Register as R, Typed as _};
use crate::source::Request;

/// Limit of walks of an element.
const ATTEMPTS: i32 = 16;

// Further stack slots.
/// The number of the element's first bucket.
const FIRST: i16 = SLOTS;
/// The numbers of entries in the lists of addresses and ports, and of sockets.
const PORT_COUNT: i16 = SLOTS + 8;
const SOCKET_COUNT: i16 = SLOTS + 16;
/// The sum of the nodes of addresses and ports.
const SUM: i16 = SLOTS + 24;
/// The same at the first walk.
const BEFORE: i16 = SLOTS + 32;
/// Attempts made.
const ATTEMPT: i16 = SLOTS + 40;
/// The sum of the first links of chains with several sockets, less those of the chains where they ended.
const ENDS: i16 = SLOTS + 48;
/// The address of the next node.
const NEXT: i16 = SLOTS + 56;

/// Where to go if something changed, and if it cannot be proven.
#[derive(Clone, Copy)]
struct Ways {
    again: Label,
    unproven: Label,
}

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
    let mut writer = Writer::new(btf, plan, request);
    writer.look_for_bound()?;
    Ok(writer.code.finish())
}

impl Writer<'_> {
    fn look_for_bound(&mut self) -> Result<(), Malformed> {
        let [again, listed, compare, unproven, done] = [(); 5].map(|()| self.code.label());
        let ways = Ways { again, unproven };
        let [ports, sockets] = [PORT_COUNT, SOCKET_COUNT];
        let [ports, sockets] = [List::first(ports), List::second(sockets)];
        let [node, owners] = self.places_in_port()?;
        let table = if self.is_single() { "bhash" } else { "bhash2" };
        self.begin([table, "bhash_size"], 1, done)?;
        self.keep(FIRST, BUCKET);
        self.reset(&[ATTEMPT]);
        self.code.place(again);
        self.code.jump(Condition::TooLong, unproven);
        self.get(R::R1, ATTEMPT);
        self.code.jump(Condition::Is(R::R1, ATTEMPTS), unproven);
        self.code.add_number(R::R1, 1);
        self.keep(ATTEMPT, R::R1);
        self.reset(&[SUM, ENDS, PORT_COUNT, SOCKET_COUNT]);
        if self.is_single() {
            self.each_node(listed, unproven, |writer| {
                writer.test_back(SOCKET, again)?;
                writer.list_port(ports, ways)
            })?;
        } else {
            self.list_buckets(ports, listed, unproven)?;
        }
        self.code.place(listed);
        let touch = |writer: &mut Self, list| writer.touch_listed(list, Some(owners - node));
        self.advance(ports, unproven, touch, |writer, next| {
            if writer.is_single() {
                writer.look_at_address(sockets, ways, next)
            } else {
                writer.look_at_port(sockets, ways, next)
            }
        })?;
        self.get(R::R1, SUM);
        self.code.jump(Condition::Is(R::R1, 0), done);
        self.keep(BEFORE, R::R1);
        let touch = |writer: &mut Self, list| writer.touch_listed(list, None);
        self.advance(sockets, unproven, touch, |writer, next| {
            writer.look_at_socket(again, next)
        })?;
        self.get(R::R1, ENDS);
        self.code.jump(Condition::IsNot(R::R1, 0), again);
        self.reset(&[SUM]);
        self.each_node(compare, unproven, |_| Ok(()))?;
        self.code.place(compare);
        self.get(R::R1, SUM);
        self.get(R::R2, BEFORE);
        self.code.jump(Condition::Differ(R::R1, R::R2), again);
        self.code.jump(Condition::Always, done);
        self.code.place(unproven);
        self.clear();
        self.set(One, offset_of!(Head, family), i32::from(STRAYED));
        self.emit()?;
        self.code.place(done);
        self.code.set(R::R0, 0);
        self.code.exit();
        Ok(())
    }

    /// True if a single port of one namespace is wanted.
    fn is_single(&self) -> bool {
        matches!(self.plan.scope, Scope::Own(_)) && self.request.narrow.local_port.is_some()
    }

    /// Lists the buckets that are not empty.
    fn list_buckets(&mut self, ports: List, over: Label, unproven: Label) -> Result<(), Malformed> {
        let next_bucket = self.each_bucket(over, unproven)?;
        self.number_at(R::R1)?;
        self.code.jump(Condition::Is(R::R1, 0), next_bucket);
        self.push(ports, ports.count, NODE, unproven);
        self.code.jump(Condition::Always, next_bucket);
        Ok(())
    }

    /// Adds up the nodes of all buckets, one after another; before, `look` gets each in the socket's register, and the
    /// link that led to it in the node's register.
    fn each_node(
        &mut self,
        over: Label,
        unproven: Label,
        look: impl FnOnce(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let next_bucket = self.each_bucket(over, unproven)?;
        let next_node = self.code.label();
        self.code.place(next_node);
        self.code.jump(Condition::TooLong, unproven);
        self.code.copy(R::R1, NODE);
        self.number_at(SOCKET)?;
        self.code.jump(Condition::Is(SOCKET, 0), next_bucket);
        look(self)?;
        self.add_node();
        self.code.copy(NODE, SOCKET);
        self.code.jump(Condition::Always, next_node);
        Ok(())
    }

    /// Lists the link to the addresses of the node's port, if it is the wanted one.
    fn list_port(&mut self, ports: List, ways: Ways) -> Result<(), Malformed> {
        let other = self.code.label();
        let node = self.btf.offset(ALL_OF_PORT, "node.next", POINTER)?;
        let first = self.btf.offset(ALL_OF_PORT, "bhash2.first", POINTER)?;
        let moved = Ways {
            again: other,
            ..ways
        };
        self.test_port(ALL_OF_PORT, node.into(), moved)?;
        self.code.copy(R::R4, SOCKET);
        self.code
            .add_number(R::R4, i32::from(first) - i32::from(node));
        self.push(ports, ports.count, R::R4, ways.unproven);
        self.code.place(other);
        Ok(())
    }

    /// Looks at the address of the single port that a link leads to, and lists the link to its sockets.
    fn look_at_address(&mut self, sockets: List, ways: Ways, next: Label) -> Result<(), Malformed> {
        let [node, _] = self.places_in_port()?;
        let [is_there, listed] = [(); 2].map(|()| self.code.label());
        self.code.copy(R::R1, NODE);
        self.number_at(SOCKET)?;
        self.code.jump(Condition::IsNot(SOCKET, 0), is_there);
        self.get(R::R1, ROUND);
        self.code.jump(Condition::Is(R::R1, 0), next);
        self.code.copy(SOCKET, NODE);
        self.test_port(PORT, node, ways)?;
        self.code.jump(Condition::Always, next);
        self.code.place(is_there);
        self.test_back(SOCKET, ways.again)?;
        self.test_port(PORT, node, ways)?;
        self.list_sockets(sockets, ways.unproven, listed)?;
        self.code.place(listed);
        Ok(())
    }

    /// Adds the node in the socket's register, with the link that led to it.
    fn add_node(&mut self) {
        self.get(R::R1, SUM);
        self.code.shift_up(NODE, 7);
        self.code.exclusive_or(NODE, SOCKET);
        self.code.add_register(R::R1, NODE);
        self.keep(SUM, R::R1);
    }

    /// Before each eighth link of a list, prefetches the nodes that this and the next ones lead to, and what is `behind`
    /// each. The index is in the first register.
    fn touch_listed(&mut self, list: List, behind: Option<i32>) -> Result<(), Malformed> {
        if self.is_single() {
            return Ok(());
        }
        let back = self.btf.offset("hlist_node", "pprev", POINTER)?;
        let touched = self.code.label();
        let others = i32::from(LISTED_AHEAD / 8 - 1);
        self.code.jump(Condition::HasBits(R::R1, others), touched);
        self.place_in(list);
        self.code.copy(NODE, R::R3);
        for entry in (0..LISTED_AHEAD).step_by(8) {
            self.code.load(Eight, R::R1, NODE, entry);
            self.number_at(SOCKET)?;
            for place in [Some(back.into()), behind].into_iter().flatten() {
                self.code.copy(R::R1, SOCKET);
                self.code.add_number(R::R1, place);
                self.number_at(R::R1)?;
            }
        }
        self.code.place(touched);
        Ok(())
    }

    /// Looks at the address and port that a link leads to, and lists the link to its sockets.
    fn look_at_port(&mut self, sockets: List, ways: Ways, next: Label) -> Result<(), Malformed> {
        let [node, _] = self.places_in_port()?;
        let passed = self.code.label();
        self.code.copy(R::R1, NODE);
        self.number_at(SOCKET)?;
        self.code.jump(Condition::Is(SOCKET, 0), next);
        self.test_back(SOCKET, ways.again)?;
        self.add_node();
        let other = Ways {
            again: passed,
            ..ways
        };
        self.test_port(PORT, node, other)?;
        self.list_sockets(sockets, ways.unproven, passed)?;
        self.code.place(passed);
        self.code.copy(R::R1, SOCKET);
        self.number_at(R::R1)?;
        self.code.jump(Condition::Is(R::R1, 0), next);
        Ok(())
    }

    /// Lists the link to the sockets of an address and port, or jumps to `over` if there are none.
    fn list_sockets(
        &mut self,
        sockets: List,
        unproven: Label,
        over: Label,
    ) -> Result<(), Malformed> {
        let [node, owners] = self.places_in_port()?;
        self.code.copy(NODE, SOCKET);
        self.code.add_number(NODE, owners - node);
        self.code.copy(R::R1, NODE);
        self.number_at(R::R1)?;
        self.code.jump(Condition::Is(R::R1, 0), over);
        self.push(sockets, sockets.count, NODE, unproven);
        Ok(())
    }

    /// Looks at the socket that a link leads to.
    fn look_at_socket(&mut self, again: Label, next: Label) -> Result<(), Malformed> {
        let [other, last, begun] = [(); 3].map(|()| self.code.label());
        self.code.copy(R::R1, NODE);
        self.number_at(BUCKET)?;
        self.code.jump(Condition::Is(BUCKET, 0), again);
        self.test_back(BUCKET, again)?;
        self.code.copy(R::R1, BUCKET);
        self.socket_of_port()?;
        self.code.copy(SOCKET, R::R0);
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
        self.code.copy(R::R1, BUCKET);
        self.number_at(R::R1)?;
        self.keep(NEXT, R::R1);
        self.test_back(BUCKET, again)?;
        self.get(R::R1, NEXT);
        self.code.jump(Condition::Is(R::R1, 0), last);
        self.get(R::R1, ROUND);
        self.code.jump(Condition::IsNot(R::R1, 0), begun);
        self.get(R::R1, ENDS);
        self.code.add_register(R::R1, NODE);
        self.keep(ENDS, R::R1);
        self.code.jump(Condition::Always, begun);
        self.code.place(last);
        // The only socket was found where the chain begins.
        self.get(R::R1, ROUND);
        self.code.jump(Condition::Is(R::R1, 0), next);
        self.add_end()?;
        self.code.jump(Condition::Always, next);
        self.code.place(begun);
        self.code.copy(SOCKET, BUCKET);
        Ok(())
    }

    /// Begins a loop over the element's buckets, which goes on at the label: loads the address of each one's first link
    /// into the node's register.
    fn each_bucket(&mut self, over: Label, unproven: Label) -> Result<Label, Malformed> {
        let next_bucket = self.code.label();
        self.get(BUCKET, FIRST);
        self.code.place(next_bucket);
        self.code.jump(Condition::TooLong, unproven);
        self.get(R::R1, BUCKETS);
        self.code.jump(Condition::Same(BUCKET, R::R1), over);
        self.code.copy(R::R1, BUCKET);
        self.code.add_number(BUCKET, 1);
        self.forget(BUCKET);
        self.code.set(R::R2, self.btf.size(BUCKET_OF_PORTS)?);
        self.code.multiply(R::R1, R::R2);
        self.get(R::R2, BASE);
        self.code.add_register(R::R1, R::R2);
        let first = self.btf.offset(BUCKET_OF_PORTS, "chain.first", POINTER)?;
        self.code.add_number(R::R1, first.into());
        self.code.copy(NODE, R::R1);
        Ok(next_bucket)
    }

    /// Offsets of the node in the structure of an address and port, and of the first link to its sockets.
    fn places_in_port(&self) -> Result<[i32; 2], Malformed> {
        let node = if self.is_single() {
            "bhash_node.next"
        } else {
            "node.next"
        };
        let node = self.btf.offset(PORT, node, POINTER)?;
        let owners = self.btf.offset(PORT, "owners.first", POINTER)?;
        Ok([node, owners].map(i32::from))
    }

    /// Checks that a node points back to the link that led to it, in the node's register.
    fn test_back(&mut self, node: R, again: Label) -> Result<(), Malformed> {
        let back = self.btf.offset("hlist_node", "pprev", POINTER)?;
        self.code.copy(R::R1, node);
        self.code.add_number(R::R1, back.into());
        self.number_at(R::R1)?;
        self.code.jump(Condition::Differ(R::R1, NODE), again);
        Ok(())
    }

    /// Jumps to `again` for another port than the single wanted one. The node is in the socket's register, `node` bytes
    /// after the start of the structure.
    fn test_port(&mut self, structure: &str, node: i32, ways: Ways) -> Result<(), Malformed> {
        let Some(port) = self.request.narrow.local_port else {
            return Ok(());
        };
        self.code.copy(R::R1, SOCKET);
        self.code.add_number(R::R1, -node);
        self.cast(structure)?;
        self.load(R::R1, R::R0, SHORT, [structure, "port"])?;
        self.code
            .jump(Condition::IsNot(R::R1, port.into()), ways.again);
        if self.is_single() {
            self.load(R::R1, R::R0, POINTER, [structure, "ib_net.net"])?;
            self.code.load(Eight, R::R2, R::STACK, NET);
            self.code.jump(Condition::Differ(R::R1, R::R2), ways.again);
            // Each VRF has a chain of its own.
            self.load(R::R1, R::R0, WORD, [structure, "l3mdev"])?;
            self.code.jump(Condition::IsNot(R::R1, 0), ways.unproven);
        }
        Ok(())
    }

    /// Subtracts the first link of the chain to which the last socket belongs.
    fn add_end(&mut self) -> Result<(), Malformed> {
        let is_full = self.code.label();
        let [_, owners] = self.places_in_port()?;
        let own = self.btf.offset(TCP, &within("icsk_bind2_hash"), POINTER)?;
        let rest = self.btf.offset(REST, "tw_tb2", POINTER)?;
        let node = self.place_of_node()?;
        self.of_socket(R::R2, BYTE, "skc_state")?;
        self.code.copy(R::R1, BUCKET);
        self.code.add_number(R::R1, i32::from(own) - node);
        self.code.jump(Condition::IsNot(R::R2, TIME_WAIT), is_full);
        self.code
            .add_number(R::R1, i32::from(rest) - i32::from(own));
        self.code.place(is_full);
        self.number_at(R::R2)?;
        self.code.add_number(R::R2, owners);
        self.get(R::R1, ENDS);
        self.code.subtract(R::R1, R::R2);
        self.keep(ENDS, R::R1);
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
}
