//! What is known of one table, and what certainly happened since the look before.

use std::collections::HashMap;
use std::collections::hash_map;
use std::time::{Duration, Instant};

use super::Found;
use super::entry::Entry;
use super::news::News;
use crate::model::{Ends, Kinship, Socket, State, Table};

/// So many looks in a row must miss a socket before it is gone, and as many list a table before one
/// that they did not list is new. A dump goes on where its last piece ended, and leaves a socket out
/// when another one before it in the same bucket went away meanwhile.
const LOOKS: u64 = 2;

/// A connection without a sign of life for so long was seen before, or is not told of: its program
/// may have kept the descriptor of a connection that ended long ago.
const FRESH_MS: u64 = 1_000;

/// How long the ends of a socket that is gone are remembered: longer than the word of its destruction
/// can be taken for that of another.
const REMEMBERED: Duration = Duration::from_secs(3);

/// Sockets that were destroyed before any look: more than this are not kept.
const MOST_UNSEEN: usize = 65_536;

/// The sockets of a table.
#[derive(Debug)]
pub(super) struct Known {
    table: Table,
    entries: HashMap<Ends, Entry>,
    /// Sockets that were told to be gone, and when.
    gone: HashMap<Ends, Instant>,
    /// Sockets of whose end the kernel told, and that no look had seen.
    unseen: Vec<(Ends, Entry)>,
    /// Looks so far.
    looks: u64,
    /// Complete looks so far.
    complete: u64,
}

impl Known {
    /// Nothing yet.
    pub(super) fn new(table: Table) -> Self {
        Self {
            table,
            entries: HashMap::new(),
            gone: HashMap::new(),
            unseen: Vec::new(),
            looks: 0,
            complete: 0,
        }
    }

    /// Which table it is.
    pub(super) const fn table(&self) -> Table {
        self.table
    }

    /// Have there been looks enough to tell what is new?
    pub(super) const fn is_learnt(&self) -> bool {
        self.complete >= LOOKS
    }

    /// A look lists a socket.
    pub(super) fn meet(&mut self, socket: &Socket, news: &mut News) {
        let learnt = self.is_learnt();
        let look = self.looks + 1;
        let Some(ends) = Ends::of(socket).filter(|_| socket.state != State::Bound) else {
            return;
        };
        let mut entry = match self.entries.entry(ends) {
            hash_map::Entry::Vacant(place) => {
                let connection = news.number();
                if learnt {
                    news.appeared(socket, connection);
                }
                place.insert(Entry::new(socket, connection, look));
                return;
            }
            hash_map::Entry::Occupied(place) => place,
        };
        let old = *entry.get();
        let mut connection = old.connection;
        let old_state = old.identity.state;
        match old.kinship(socket, look) {
            Kinship::Same | Kinship::Unclear if old_state == socket.state => {}
            Kinship::Same => news.moved(old_state, socket, connection),
            Kinship::Unclear => news.arrived(socket, connection),
            // Two in one look cannot be told apart: the first is kept.
            Kinship::Another if old.seen == look => return,
            Kinship::Another => {
                end(&old, self.table, &ends, news);
                connection = news.number();
                news.appeared(socket, connection);
            }
        }
        entry.insert(Entry::new(socket, connection, look));
    }

    /// The kernel tells that a socket was destroyed. One that was seen is missed by the looks that
    /// follow; one that was not is kept until they show that nothing took its place.
    ///
    /// Sockets that were never connected are destroyed too, and make no step.
    pub(super) fn destroyed(&mut self, socket: &Socket) {
        let known = |ends: &Ends| {
            let entry = self.entries.get(ends);
            entry.is_some_and(|entry| entry.identity.has_cookie_of(socket))
                || self.gone.contains_key(ends)
        };
        let Some(ends) = Ends::of(socket).filter(|ends| !known(ends)) else {
            return;
        };
        if socket.peer.port.is_none() || !is_fresh(socket) || self.unseen.len() >= MOST_UNSEEN {
            return;
        }
        self.unseen.push((ends, Entry::new(socket, 0, self.looks)));
    }

    /// A complete look is over: tells what it missed. `Change` = the next one decides about something.
    pub(super) fn settle(&mut self, now: Instant, news: &mut News) -> Found {
        self.looks += 1;
        self.complete += 1;
        let (table, looks) = (self.table, self.looks);
        let mut found = Found::Nothing;
        self.gone
            .retain(|_, since| now.saturating_duration_since(*since) < REMEMBERED);
        let gone = &mut self.gone;
        self.entries.retain(|ends, entry| {
            if entry.seen == looks {
                return true;
            }
            entry.missed += 1;
            if entry.missed >= LOOKS {
                end(entry, table, ends, news);
                gone.insert(*ends, now);
                return false;
            }
            found = Found::Change;
            true
        });
        self.unseen.retain_mut(|(ends, entry)| {
            let replaced = self.entries.contains_key(ends) || self.gone.contains_key(ends);
            entry.missed += 1;
            if !replaced && entry.missed >= LOOKS {
                let connection = news.number();
                news.arrived(&ended(entry, table, ends), connection);
            } else if !replaced {
                found = Found::Change;
                return true;
            }
            false
        });
        found
    }

    /// A look is over that may have missed anything: nothing is concluded from it, and what the kernel
    /// told of destroyed sockets cannot be compared with it.
    pub(super) fn give_up(&mut self) {
        self.looks += 1;
        self.unseen.clear();
    }
}

/// The socket of an entry, closed.
fn ended(entry: &Entry, table: Table, ends: &Ends) -> Socket {
    let mut socket = entry.socket(table, ends);
    socket.state = State::Closed;
    socket
}

/// Tells the end of a socket, unless it was seen CLOSED.
fn end(entry: &Entry, table: Table, ends: &Ends, news: &mut News) {
    let state = entry.identity.state;
    if state != State::Closed {
        let socket = ended(entry, table, ends);
        news.moved(state, &socket, entry.connection);
    }
}

/// Did the peer of a destroyed socket answer a moment ago?
fn is_fresh(socket: &Socket) -> bool {
    let info = socket.tcp_info();
    let idle = info.and_then(|info| info.value("last_ack_recv"));
    idle.is_some_and(|idle| idle < FRESH_MS)
}

#[cfg(test)]
mod tests;
