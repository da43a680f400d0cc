//! Tracks the sockets of one table over rounds.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Change, ChangedRow, Endpoint, OwnedRow, Row, Socket, SocketType, State};
use crate::track::{self, Endpoints, Identity, Sameness, Tracker};

/// A row with its position.
#[derive(Debug, Clone)]
struct TrackedRow {
    row: ChangedRow,
    /// Its position in the last round that listed it, and the reads before that round.
    place: (usize, u64),
}

impl TrackedRow {
    fn socket(&self) -> &Socket {
        self.row.row.row().socket
    }

    fn is_new(&self) -> bool {
        matches!(self.row.change, Change::New | Change::Found)
    }

    /// Its change since the round before, if it is now this socket.
    fn become_now(&self, socket: &Socket) -> Change {
        match self.row.change {
            Change::None => compare(self.socket(), socket),
            told => told,
        }
    }
}

/// The identity of a socket in the next read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// The cookie, which is unique.
    Cookie(u64),
    /// What remains of a connection has the cookie of its socket, which may live on; so has an association.
    Left(u64, Endpoints),
    /// A TCP connection without a cookie; once it is closed it has no inode either.
    Ends(Endpoints),
    /// Any other socket without a cookie.
    Inode(u64),
    /// Only its ends, which it may share with others: its number among those.
    Place(Box<(Endpoint, Endpoint)>, u32),
}

impl Key {
    /// The identity without a cookie.
    fn without_cookie(socket: &Socket) -> Option<Self> {
        if has_own_ends(socket) {
            return Endpoints::of(socket).map(Self::Ends);
        }
        socket.inode.map(Self::Inode)
    }
}

impl track::Key for Key {
    fn is_unique(&self) -> bool {
        !matches!(self, Self::Ends(_))
    }
}

/// The sockets of a table. A round [`begins`](Self::begin) and has one or two reads. A read
/// [`meets`](Self::meet) what is listed, then [`ends`](Self::end).
#[derive(Debug, Default)]
pub(super) struct TrackedTable {
    tracker: Tracker<Key, TrackedRow>,
    gone: Vec<TrackedRow>,
    next: (usize, u64),
    /// Number of sockets with the same ends and no other identity, in this read.
    places: HashMap<(Endpoint, Endpoint), u32>,
}

impl TrackedTable {
    pub(super) fn begin(&mut self) {
        self.next = (0, self.tracker.looks());
        self.gone.clear();
        for entry in self.tracker.entries_mut() {
            entry.kept.row.change = Change::None;
        }
    }

    pub(super) fn meet(&mut self, row: &Row<'_>) {
        let socket = row.socket;
        let key = self.key(socket);
        let new = if self.tracker.is_learnt() {
            Change::New
        } else {
            Change::Found
        };
        let (next, gone) = (&mut self.next, &mut self.gone);
        self.tracker.meet(key, socket, |before| {
            let (change, place) = match before {
                Some((Sameness::Other, old)) => {
                    bury(gone, &old.kept);
                    (new, *next)
                }
                Some((_, old)) if old.seen > next.1 => {
                    (old.kept.become_now(socket), old.kept.place)
                }
                Some((_, old)) => (old.kept.become_now(socket), *next),
                None => (new, *next),
            };
            next.0 += usize::from(place == *next);
            let row = Arc::new(OwnedRow::keep(row));
            TrackedRow {
                row: ChangedRow { row, change },
                place,
            }
        });
    }

    pub(super) fn restart(&mut self) {
        self.places.clear();
    }

    /// Ends a read. If it may be incomplete, only sockets replaced by others are gone. True if another read
    /// is needed for a conclusion.
    pub(super) fn end(&mut self, is_whole: bool) -> bool {
        self.join();
        if !is_whole {
            self.tracker.give_up();
            return false;
        }
        let gone = &mut self.gone;
        let is_open = self.tracker.settle(|_, entry| bury(gone, &entry.kept));
        is_open || !self.tracker.is_learnt()
    }

    /// Matches sockets that are no longer listed with what the kernel put in their place.
    fn join(&mut self) {
        self.places.clear();
        let look = self.tracker.looks() + 1;
        let missed = self
            .tracker
            .entries()
            .filter(|(_, entry)| entry.seen < look);
        let missed = missed.filter_map(|(key, entry)| {
            let link = Key::without_cookie(entry.kept.socket())?;
            Some((link, (key.clone(), entry.kept.clone())))
        });
        let mut missed: HashMap<Key, (Key, TrackedRow)> = missed.collect();
        if missed.is_empty() {
            return;
        }
        let mut joined = Vec::new();
        let entries = self.tracker.entries_mut();
        for entry in entries.filter(|entry| entry.seen == look && entry.kept.is_new()) {
            let socket = entry.kept.socket();
            let link = Key::without_cookie(socket).filter(|link| {
                let before = missed.get(link);
                before.is_some_and(|(_, before)| is_kin(before.socket(), socket))
            });
            if let Some((key, before)) = link.and_then(|link| missed.remove(&link)) {
                entry.kept.row.change = before.become_now(socket);
                joined.push(key);
            }
        }
        for key in joined {
            self.tracker.remove(&key);
        }
    }

    /// The wanted rows in the order of the last round; those that are gone keep their position.
    pub(super) fn rows(&self, wanted: impl Fn(&ChangedRow) -> bool) -> Vec<ChangedRow> {
        let there = self.tracker.entries().map(|(_, entry)| &entry.kept);
        let rows = self.gone.iter().chain(there);
        let mut rows: Vec<_> = rows.filter(|kept| wanted(&kept.row)).collect();
        rows.sort_by_key(|kept| kept.place);
        rows.into_iter().map(|kept| kept.row.clone()).collect()
    }

    pub(super) fn rows_mut(&mut self) -> impl Iterator<Item = &mut OwnedRow> {
        let entries = self.tracker.entries_mut();
        entries.map(|entry| Arc::make_mut(&mut entry.kept.row.row))
    }

    fn key(&mut self, socket: &Socket) -> Key {
        let ends = Endpoints::of(socket).filter(|_| {
            socket.state == State::TimeWait || socket.kind == Some(SocketType::Association)
        });
        let cookie = socket.cookie.map(|cookie| match ends {
            Some(ends) => Key::Left(cookie, ends),
            None => Key::Cookie(cookie),
        });
        let key = cookie.or_else(|| Key::without_cookie(socket));
        key.unwrap_or_else(|| {
            let ends = (socket.local.clone(), socket.peer.clone());
            let count = self.places.entry(ends.clone()).or_default();
            *count += 1;
            Key::Place(Box::new(ends), *count)
        })
    }
}

/// Keeps a socket as gone, unless it was never reported.
fn bury(gone: &mut Vec<TrackedRow>, kept: &TrackedRow) {
    if !kept.is_new() {
        let mut kept = kept.clone();
        kept.row.change = Change::Gone;
        gone.push(kept);
    }
}

/// True if no other socket can have its ends.
const fn has_own_ends(socket: &Socket) -> bool {
    socket.is_connection() && socket.peer.port.is_some()
}

/// True if two sockets of different rounds are the same, as far as known.
pub(super) fn is_same(before: &Socket, now: &Socket) -> bool {
    let known = Key::without_cookie(now);
    before.table() == now.table()
        && (before.cookie.is_some() && before.cookie == now.cookie
            || known.is_some() && known == Key::without_cookie(before))
}

/// True if two sockets with the same ends, or the same inode, are one connection.
fn is_kin(before: &Socket, now: &Socket) -> bool {
    if has_own_ends(now) {
        return Identity::of(before).sameness(now) != Sameness::Other;
    }
    before.cookie.is_none() || now.cookie.is_none()
}

fn compare(before: &Socket, now: &Socket) -> Change {
    // Names of unix peers are looked up elsewhere; the inode identifies the peer.
    let peer = |socket: &Socket| (socket.peer.ip, socket.peer.port, socket.peer_inode);
    if before.state == now.state && before.local == now.local && peer(before) == peer(now) {
        Change::None
    } else {
        Change::Changed(before.state)
    }
}

#[cfg(test)]
mod tests;
