//! The sockets of one table, round after round.

use std::collections::HashMap;
use std::sync::Arc;

use crate::model::{Change, Endpoint, Ends, Identity, Kinship, OwnedRow, Row, Socket, State};

/// A socket as a round saw it, and what became of it since the round before.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Its row.
    pub(super) row: Arc<OwnedRow>,
    /// What became of it.
    pub(super) change: Change,
    /// Where it stood in the round that saw it last.
    pub(super) place: usize,
}

impl Kept {
    fn socket(&self) -> &Socket {
        self.row.row().socket
    }
}

/// What a socket is found by in the next round.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// Nothing is better; never used twice.
    Cookie(u64),
    /// A TCP connection without a cookie: what is left of it has no inode either.
    Ends(Ends),
    /// Any other socket without a cookie.
    Inode(u64),
    /// Nothing but its ends, and it may share them with others: the number of it among those.
    Place(Box<(Endpoint, Endpoint)>, u32),
}

/// What a round knows of the table: the sockets in the order they were listed.
#[derive(Debug, Default)]
struct Listed {
    rows: Vec<Kept>,
    index: HashMap<Key, usize>,
}

impl Listed {
    fn with_room(count: usize) -> Self {
        Self {
            rows: Vec::with_capacity(count),
            index: HashMap::with_capacity(count),
        }
    }

    fn push(&mut self, key: Key, kept: Kept) {
        self.index.insert(key, self.rows.len());
        self.rows.push(kept);
    }

    fn get_mut(&mut self, key: &Key) -> Option<&mut Kept> {
        self.rows.get_mut(*self.index.get(key)?)
    }
}

/// The sockets of a table. A round is [`begun`](Self::begin), [`meets`](Self::meet) what is listed,
/// may list it [`again`](Self::again), and [`ends`](Self::end).
///
/// A dump goes on where its last piece ended, and leaves a socket out when another one before it in
/// the same bucket went away meanwhile. So nothing is gone because one look missed it, and nothing is
/// new because the very first one did.
#[derive(Debug, Default)]
pub(super) struct Known {
    listed: Listed,
    gone: Vec<Kept>,
    /// What the round before listed and this one did not yet; a place is empty once it did.
    before: Vec<Option<Kept>>,
    index_before: HashMap<Key, usize>,
    /// How many of these there are.
    lacking: usize,
    /// Sockets that nothing but a place tells from others, in this look.
    places: HashMap<(Endpoint, Endpoint), u32>,
    /// There was a whole round: what is not known is new.
    learnt: bool,
}

impl Known {
    /// A round begins.
    pub(super) fn begin(&mut self) {
        let room = self.listed.rows.len();
        let before = std::mem::replace(&mut self.listed, Listed::with_room(room));
        self.before = before.rows.into_iter().map(Some).collect();
        self.index_before = before.index;
        self.lacking = self.before.len();
        self.gone.clear();
        self.places.clear();
    }

    /// The table is listed again in this round.
    pub(super) fn again(&mut self) {
        self.places.clear();
    }

    /// A look lists a socket.
    pub(super) fn meet(&mut self, row: &Row<'_>) {
        let socket = row.socket;
        let key = self.key(socket);
        if let Some(kept) = self.listed.get_mut(&key) {
            // Without a cookie, two of one look with the same ends cannot be told apart.
            if is_same(&key, kept.socket(), socket) {
                kept.change = match kept.change {
                    Change::None => compare(kept.socket(), socket),
                    told => told,
                };
                kept.row = Arc::new(OwnedRow::keep(row));
            }
            return;
        }
        let change = match self.take(&key, socket) {
            Some(before) => compare(before.socket(), socket),
            None if self.learnt => Change::New,
            None => Change::Found,
        };
        let kept = Kept {
            row: Arc::new(OwnedRow::keep(row)),
            change,
            place: self.listed.rows.len(),
        };
        self.listed.push(key, kept);
    }

    /// The socket as the round before left it.
    fn take(&mut self, key: &Key, socket: &Socket) -> Option<Kept> {
        let place = self.before.get_mut(*self.index_before.get(key)?)?;
        let is_it = |kept: &mut Kept| is_same(key, kept.socket(), socket);
        let before = place.take_if(is_it);
        self.lacking -= usize::from(before.is_some());
        before
    }

    /// Is another look needed before anything is concluded from this one?
    pub(super) fn is_open(&mut self) -> bool {
        self.join();
        self.lacking > 0 || !self.learnt
    }

    /// Finds what the kernel put in the place of sockets that are not listed any more.
    fn join(&mut self) {
        if self.lacking == 0 {
            return;
        }
        let lacking = self.before.iter().enumerate();
        let lacking = lacking.filter_map(|(place, kept)| {
            let kept = kept.as_ref()?;
            Some((Link::of(kept.socket())?, place))
        });
        let lacking: HashMap<Link, usize> = lacking.collect();
        let fresh = self.listed.rows.iter_mut();
        let fresh = fresh.filter(|kept| matches!(kept.change, Change::New | Change::Found));
        for kept in fresh {
            let link = Link::of(kept.socket());
            let place = link.and_then(|link| self.before.get_mut(*lacking.get(&link)?));
            let Some(place) = place else { continue };
            let is_it = |before: &mut Kept| is_kin(before.socket(), kept.socket());
            if let Some(before) = place.take_if(is_it) {
                kept.change = compare(before.socket(), kept.socket());
                self.lacking -= 1;
            }
        }
    }

    /// The round is over. Of one that may have missed anything, nothing is gone but what another one
    /// replaced.
    pub(super) fn end(&mut self, whole: Whole) {
        self.join();
        self.learnt |= whole == Whole::Yes;
        let keys = std::mem::take(&mut self.index_before).into_iter();
        let keys = keys.map(|(key, place)| (place, key));
        let mut keys: HashMap<usize, Key> = match whole {
            Whole::No if self.lacking > 0 => keys.collect(),
            _ => HashMap::new(),
        };
        let before = std::mem::take(&mut self.before);
        for (place, kept) in before.into_iter().enumerate() {
            let Some(kept) = kept else { continue };
            let become_now = |change| Kept { change, ..kept };
            match keys.remove(&place) {
                Some(key) if !self.listed.index.contains_key(&key) => {
                    self.listed.push(key, become_now(Change::None));
                }
                _ => self.gone.push(become_now(Change::Gone)),
            }
        }
        self.lacking = 0;
    }

    /// Such sockets of the last round in the order it met them, those that are gone where they were.
    pub(super) fn rows(&self, wanted: impl Fn(&Kept) -> bool) -> Vec<Kept> {
        let gone = self.gone.iter().filter(|kept| wanted(kept));
        let there = self.listed.rows.iter().filter(|kept| wanted(kept));
        let mut rows: Vec<Kept> = gone.chain(there).cloned().collect();
        rows.sort_by_key(|kept| kept.place);
        rows
    }

    /// The rows of the last round, to be changed.
    pub(super) fn rows_mut(&mut self) -> impl Iterator<Item = &mut OwnedRow> {
        let rows = self.listed.rows.iter_mut();
        rows.map(|kept| Arc::make_mut(&mut kept.row))
    }

    fn key(&mut self, socket: &Socket) -> Key {
        let ends = || Ends::of(socket).filter(|_| is_connection(socket));
        match (socket.cookie, socket.inode) {
            (Some(cookie), _) => Key::Cookie(cookie),
            (None, inode) => match (ends(), inode) {
                (Some(ends), _) => Key::Ends(ends),
                (None, Some(inode)) => Key::Inode(inode),
                (None, None) => {
                    let ends = (socket.local.clone(), socket.peer.clone());
                    let count = self.places.entry(ends.clone()).or_default();
                    *count += 1;
                    Key::Place(Box::new(ends), *count)
                }
            },
        }
    }
}

/// Did a round see all that was asked for?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// Nothing is known to be missing.
    Yes,
    /// It may have missed anything.
    No,
}

/// By what a socket is known again that has another key now.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Link {
    Ends(Ends),
    Inode(u64),
}

impl Link {
    fn of(socket: &Socket) -> Option<Self> {
        if is_connection(socket) {
            return Ends::of(socket).map(Self::Ends);
        }
        socket.inode.map(Self::Inode)
    }
}

/// Can nobody else have its ends?
const fn is_connection(socket: &Socket) -> bool {
    socket.protocol.is_tcp_like()
        && socket.peer.port.is_some()
        && !matches!(socket.state, State::Listen | State::Bound)
}

/// Are two sockets with the same key one?
fn is_same(key: &Key, before: &Socket, now: &Socket) -> bool {
    match key {
        Key::Ends(_) => is_kin(before, now),
        Key::Cookie(_) | Key::Inode(_) | Key::Place(..) => true,
    }
}

/// Are two sockets with the same ends, or with the same inode, one connection?
fn is_kin(before: &Socket, now: &Socket) -> bool {
    if is_connection(now) {
        return Identity::of(before).kinship(now) != Kinship::Another;
    }
    before.cookie.is_none() || now.cookie.is_none()
}

/// What became of a socket.
fn compare(before: &Socket, now: &Socket) -> Change {
    // The name of a unix peer is looked up elsewhere; its inode says which it is.
    let peer = |socket: &Socket| (socket.peer.ip, socket.peer.port, socket.peer_inode);
    if before.state == now.state && before.local == now.local && peer(before) == peer(now) {
        Change::None
    } else {
        Change::Changed(before.state)
    }
}

#[cfg(test)]
mod tests;
