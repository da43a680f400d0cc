//! Lists of addresses in a map: the chains of an element advance together, one node of each at a time. One after
//! another, each node would wait for the memory of the one before.

use super::{HALF, NODE, SOCKET, Writer, ZERO};
use crate::bpf::Size::Eight;
use crate::bpf::{Condition, Label, Malformed, Register as R};

// Stack slots, in addition to those of `super`.
/// Entries taken from a list, and put back.
const TAKEN: i16 = ZERO - 16;
const PUT: i16 = ZERO - 24;
/// 0 at the first entries of the chains.
pub(super) const ROUND: i16 = ZERO - 32;
/// The lowest of eight for others.
pub(super) const SLOTS: i16 = ZERO - 96;

/// Entries of a list, and their limit.
const LISTED: i32 = 1 << (INDEX_BITS - 2);
/// Bits of an index: there are two lists for each half of the table.
pub(super) const INDEX_BITS: i32 = 16;
/// Bytes of the entries after one that may be read with it.
pub(super) const LISTED_AHEAD: i16 = 8 * 8;
/// Bytes of the map.
pub(in crate::source::walk) const LISTS: usize = (8 << INDEX_BITS) + 8 * 8;

/// A list.
#[derive(Clone, Copy)]
pub(super) struct List {
    /// The index of its first entry.
    first: i32,
    /// The stack slot of the number of its entries.
    pub(super) count: i16,
}

impl List {
    pub(super) const fn first(count: i16) -> Self {
        Self { first: 0, count }
    }

    pub(super) const fn second(count: i16) -> Self {
        Self {
            first: LISTED,
            count,
        }
    }
}

impl Writer<'_> {
    /// Replaces each entry of a list by the next one of its chain, until all chains have ended. `load` gets an entry in
    /// the node's register and leaves the next one in the socket's register, or jumps if the chain has ended; before,
    /// `prepare` gets the index in the first register.
    pub(super) fn advance(
        &mut self,
        list: List,
        unproven: Label,
        prepare: impl FnOnce(&mut Self, List) -> Result<(), Malformed>,
        load: impl FnOnce(&mut Self, Label) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let [round, next, end, done] = [(); 4].map(|()| self.code.label());
        self.reset(&[ROUND]);
        self.code.place(round);
        self.code.jump(Condition::TooLong, unproven);
        self.get(R::R1, list.count);
        self.code.jump(Condition::Is(R::R1, 0), done);
        self.reset(&[TAKEN, PUT]);
        self.code.place(next);
        self.code.jump(Condition::TooLong, unproven);
        self.get(R::R1, TAKEN);
        self.get(R::R2, list.count);
        self.code.jump(Condition::Same(R::R1, R::R2), end);
        prepare(self, list)?;
        self.get(R::R1, TAKEN);
        self.code.copy(R::R2, R::R1);
        self.code.add_number(R::R2, 1);
        self.keep(TAKEN, R::R2);
        self.place_in(list);
        self.code.load(Eight, NODE, R::R3, 0);
        load(self, next)?;
        self.push(list, PUT, SOCKET, unproven);
        self.code.jump(Condition::Always, next);
        self.code.place(end);
        self.get(R::R1, PUT);
        self.keep(list.count, R::R1);
        self.add(ROUND, 1);
        self.code.jump(Condition::Always, round);
        self.code.place(done);
        Ok(())
    }

    /// Adds an entry to a list that has `count` of them.
    pub(super) fn push(&mut self, list: List, count: i16, entry: R, unproven: Label) {
        self.get(R::R1, count);
        self.code.jump(Condition::Is(R::R1, LISTED), unproven);
        self.code.copy(R::R2, R::R1);
        self.code.add_number(R::R2, 1);
        self.keep(count, R::R2);
        self.place_in(list);
        self.code.store(Eight, R::R3, 0, entry);
    }

    /// Loads the address of an entry of a list, by its index in the first register, into the third register.
    pub(super) fn place_in(&mut self, list: List) {
        self.code.add_number(R::R1, list.first);
        self.get(R::R2, HALF);
        self.code.add_register(R::R1, R::R2);
        // The lowest bits, times eight.
        self.code.shift_up(R::R1, 64 - INDEX_BITS);
        self.code.shift_down(R::R1, 64 - INDEX_BITS - 3);
        self.code.set_map_value(R::R3, self.plan.lists);
        self.code.add_register(R::R3, R::R1);
    }

    pub(super) fn add(&mut self, place: i16, number: i32) {
        self.get(R::R1, place);
        self.code.add_number(R::R1, number);
        self.keep(place, R::R1);
    }

    pub(super) fn reset(&mut self, places: &[i16]) {
        self.zero(R::R1);
        for place in places {
            self.keep(*place, R::R1);
        }
    }

    pub(super) fn get(&mut self, into: R, place: i16) {
        self.code.load(Eight, into, R::STACK, place);
        self.forget(into);
    }

    pub(super) fn keep(&mut self, place: i16, from: R) {
        self.forget(from);
        self.code.store(Eight, R::STACK, place, from);
    }
}
