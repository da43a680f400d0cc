//! Follows the sockets of a table over rounds.

use std::collections::HashMap;
use std::collections::hash_map;
use std::hash::Hash;

use super::{Identity, Sameness};
use crate::model::Socket;

/// Complete rounds in a row that must miss a socket before it counts as gone, and that must list a table before
/// further sockets count as new. A dump continues where its last chunk ended; it skips a socket if one before it in
/// the same bucket disappeared meanwhile.
const LOOKS: u64 = 2;

/// What finds a socket again in the next round.
pub trait Key: Eq + Hash {
    /// True if no other socket ever has this key.
    fn is_unique(&self) -> bool;
}

/// A socket as last listed.
#[derive(Debug, Clone, Copy)]
pub struct Entry<T> {
    /// What identifies it, in addition to its key.
    pub identity: Identity,
    /// The number of the round that listed it.
    pub seen: u64,
    /// Complete rounds that missed it since.
    missed: u64,
    /// The caller's data about it.
    pub kept: T,
}

impl<T> Entry<T> {
    /// The entry of a socket that this round listed.
    pub fn new(socket: &Socket, seen: u64, kept: T) -> Self {
        Self {
            identity: Identity::of(socket),
            seen,
            missed: 0,
            kept,
        }
    }

    /// Compares with a socket that has the same key in a later round. Without a cookie, the result is unclear if a
    /// round in between listed neither.
    fn sameness(&self, socket: &Socket, look: u64) -> Sameness {
        match self.identity.sameness(socket) {
            Sameness::Same if self.identity.cookie.is_none() && self.seen + 1 < look => {
                Sameness::Unclear
            }
            sameness => sameness,
        }
    }
}

/// The sockets of a table, with the caller's data. A round [`meets`](Self::meet) each listed socket, and then
/// [`settles`](Self::settle) the missing ones, or [`gives up`](Self::give_up).
#[derive(Debug)]
pub struct Tracker<K, T> {
    entries: HashMap<K, Entry<T>>,
    looks: u64,
    complete: u64,
}

impl<K, T> Default for Tracker<K, T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            looks: 0,
            complete: 0,
        }
    }
}

impl<K: Key, T> Tracker<K, T> {
    /// The number of finished rounds.
    pub const fn looks(&self) -> u64 {
        self.looks
    }

    /// True if an unknown socket is new: enough rounds have listed the table.
    pub const fn is_learnt(&self) -> bool {
        self.complete >= LOOKS
    }

    /// The entry of this key.
    pub fn get(&self, key: &K) -> Option<&Entry<T>> {
        self.entries.get(key)
    }

    /// Every entry, in no order.
    pub fn entries(&self) -> impl Iterator<Item = (&K, &Entry<T>)> {
        self.entries.iter()
    }

    /// Every entry, mutable, in no order.
    pub fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry<T>> {
        self.entries.values_mut()
    }

    /// Forgets a socket.
    pub fn remove(&mut self, key: &K) -> Option<Entry<T>> {
        self.entries.remove(key)
    }

    /// Records a listed socket. `keep` makes its data from the entry that had its key and how that socket relates to
    /// this one; an [other](Sameness::Other) one is gone.
    ///
    /// Of two sockets with one key in a round, the first is kept.
    pub fn meet(
        &mut self,
        key: K,
        socket: &Socket,
        keep: impl FnOnce(Option<(Sameness, &Entry<T>)>) -> T,
    ) {
        let look = self.looks + 1;
        let is_unique = key.is_unique();
        match self.entries.entry(key) {
            hash_map::Entry::Vacant(place) => {
                place.insert(Entry::new(socket, look, keep(None)));
            }
            hash_map::Entry::Occupied(mut place) => {
                let old = place.get();
                let sameness = match old.sameness(socket, look) {
                    _ if is_unique => Sameness::Same,
                    Sameness::Other if old.seen == look => return,
                    sameness => sameness,
                };
                let kept = keep(Some((sameness, old)));
                place.insert(Entry::new(socket, look, kept));
            }
        }
    }

    /// Ends a complete round. Calls `gone` with each socket that is gone. Returns true if it missed another one, which
    /// the next round decides.
    pub fn settle(&mut self, mut gone: impl FnMut(&K, &Entry<T>)) -> bool {
        self.looks += 1;
        self.complete += 1;
        let looks = self.looks;
        let mut is_open = false;
        self.entries.retain(|key, entry| {
            if entry.seen == looks {
                return true;
            }
            entry.missed += 1;
            let is_gone = entry.missed >= LOOKS;
            if is_gone {
                gone(key, entry);
            } else {
                is_open = true;
            }
            !is_gone
        });
        is_open
    }

    /// Ends an incomplete round: missing sockets mean nothing.
    pub const fn give_up(&mut self) {
        self.looks += 1;
    }
}

#[cfg(test)]
mod tests;
