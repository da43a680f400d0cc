//! The sockets of one table, from one look to the next.

use std::collections::HashMap;
use std::collections::hash_map;
use std::hash::Hash;

use super::{Identity, Sameness};
use crate::model::Socket;

/// So many complete looks in a row must miss a socket before it is gone, and as many must list a table
/// before a socket that they did not list is new. A dump continues where its last chunk ended, and skips a
/// socket if one before it in the same bucket has gone away meanwhile.
const LOOKS: u64 = 2;

/// What a socket is found by in the next look.
pub trait Key: Eq + Hash {
    /// True if no other socket ever has the key.
    fn is_unique(&self) -> bool;
}

/// A socket as it was listed last.
#[derive(Debug, Clone, Copy)]
pub struct Entry<T> {
    /// What it is known by beside its key.
    pub identity: Identity,
    /// The number of the look that listed it.
    pub seen: u64,
    /// How many complete looks missed it since.
    missed: u64,
    /// What is kept of it.
    pub kept: T,
}

impl<T> Entry<T> {
    /// Of a socket that this look listed.
    pub fn new(socket: &Socket, seen: u64, kept: T) -> Self {
        Self {
            identity: Identity::of(socket),
            seen,
            missed: 0,
            kept,
        }
    }

    /// Compares it with a socket that has its key in a later look. Without a cookie nothing is certain if
    /// a look in between listed neither.
    fn sameness(&self, socket: &Socket, look: u64) -> Sameness {
        match self.identity.sameness(socket) {
            Sameness::Same if self.identity.cookie.is_none() && self.seen + 1 < look => {
                Sameness::Unclear
            }
            sameness => sameness,
        }
    }
}

/// The sockets of a table, with what is kept of each. A look [`meets`](Self::meet) what is listed, and
/// then [`settles`](Self::settle) what it missed, or [`gives up`](Self::give_up).
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
    /// The number of looks that are over.
    pub const fn looks(&self) -> u64 {
        self.looks
    }

    /// True if a socket that is not known is new: enough looks have listed the table.
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

    /// Every entry, in no order, to be changed.
    pub fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry<T>> {
        self.entries.values_mut()
    }

    /// Forgets a socket.
    pub fn remove(&mut self, key: &K) -> Option<Entry<T>> {
        self.entries.remove(key)
    }

    /// A look lists a socket. `keep` makes what is kept of it from the entry that had its key and what
    /// that socket is to this one; an [other](Sameness::Other) one is gone.
    ///
    /// Of two sockets with one key in the same look the first is kept.
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

    /// A complete look is over. Lends what is gone now to `gone`. True if it missed another socket, about
    /// which the next look decides.
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

    /// A look is over that may have missed anything: nothing is concluded from that.
    pub const fn give_up(&mut self) {
        self.looks += 1;
    }
}

#[cfg(test)]
mod tests;
