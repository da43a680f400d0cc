//! The sockets of one table, and what certainly happened to them since the last round.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use super::pending::PendingEvents;
use crate::model::{Socket, State, Structure, Table};
use crate::track::{Endpoints, Entry, Key, Sameness, Tracker};

/// If the peer of an unseen socket was silent for this long, the socket was seen before, or is not reported: its
/// program may have kept the descriptor of a connection that ended long ago.
const FRESH_MS: u64 = 1_000;

/// How long the ends of a socket that is gone are remembered: longer than its notice could be mistaken for that of
/// another.
const REMEMBERED: Duration = Duration::from_secs(3);

/// Limit of destroyed sockets kept that no round saw.
const MOST_UNSEEN: usize = 65_536;

/// Complete rounds that must show that nothing replaced a socket that none of them saw.
const UNSEEN_LOOKS: u64 = 2;

/// The reported fields of a socket that is gone, besides ends and identity.
#[derive(Debug, Clone, Copy)]
struct Facts {
    /// The number of its connection.
    connection: u64,
    /// 0 = none.
    interface: u32,
    uid: Option<u32>,
    mark: Option<u32>,
    cgroup_id: Option<NonZeroU64>,
}

impl Facts {
    fn of(socket: &Socket, connection: u64) -> Self {
        Self {
            connection,
            interface: socket.interface.unwrap_or_default(),
            uid: socket.uid,
            mark: socket.mark,
            cgroup_id: socket.cgroup_id.and_then(NonZeroU64::new),
        }
    }
}

impl Key for Endpoints {
    fn is_unique(&self) -> bool {
        false
    }
}

/// The sockets of a table.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) table: Table,
    tracker: Tracker<Endpoints, Facts>,
    /// Sockets reported as gone, and when.
    gone: HashMap<Endpoints, Instant>,
    /// Destroyed sockets that no round saw.
    unseen: Vec<(Endpoints, Entry<Facts>)>,
}

impl Known {
    pub(super) fn new(table: Table) -> Self {
        Self {
            table,
            tracker: Tracker::default(),
            gone: HashMap::new(),
            unseen: Vec::new(),
        }
    }

    pub(super) fn meet(&mut self, socket: &Socket, pending: &mut PendingEvents) {
        let is_learnt = self.tracker.is_learnt();
        let Some(ends) = Endpoints::of(socket).filter(|_| socket.state != State::Bound) else {
            return;
        };
        self.tracker.meet(ends, socket, |before| {
            let connection = match before {
                None if !is_learnt => pending.number(),
                None => pending.appeared(socket),
                Some((Sameness::Other, old)) => {
                    end(self.table, &ends, old, pending);
                    pending.appeared(socket)
                }
                Some((sameness, old)) => {
                    let (from, connection) = (old.identity.state, old.kept.connection);
                    match sameness {
                        _ if from == socket.state => {}
                        Sameness::Same => pending.moved(from, socket, connection),
                        _ => pending.arrived(socket, connection),
                    }
                    connection
                }
            };
            Facts::of(socket, connection)
        });
    }

    /// Handles a notice of a destroyed socket. If it was seen, the following rounds miss it. If not, it is kept until
    /// they show that nothing replaced it.
    ///
    /// Sockets that were never connected are destroyed, too, without a transition.
    pub(super) fn destroyed(&mut self, socket: &Socket) {
        let is_known = |ends: &Endpoints| {
            let entry = self.tracker.get(ends);
            entry.is_some_and(|entry| entry.identity.has_cookie_of(socket))
                || self.gone.contains_key(ends)
        };
        let Some(ends) = Endpoints::of(socket).filter(|ends| !is_known(ends)) else {
            return;
        };
        if socket.peer.port.is_some() && is_fresh(socket) && self.unseen.len() < MOST_UNSEEN {
            let entry = Entry::new(socket, self.tracker.looks(), Facts::of(socket, 0));
            self.unseen.push((ends, entry));
        }
    }

    /// Ends a complete round and reports what it missed. True if the next one decides about something.
    pub(super) fn settle(&mut self, now: Instant, pending: &mut PendingEvents) -> bool {
        let (table, gone) = (self.table, &mut self.gone);
        gone.retain(|_, since| now.saturating_duration_since(*since) < REMEMBERED);
        let mut is_open = self.tracker.settle(|ends, entry| {
            end(table, ends, entry, pending);
            gone.insert(*ends, now);
        });
        let tracker = &self.tracker;
        self.unseen.retain(|(ends, entry)| {
            if tracker.get(ends).is_some() || gone.contains_key(ends) {
                return false;
            }
            let is_over = tracker.looks() >= entry.seen + UNSEEN_LOOKS;
            if is_over {
                let connection = pending.number();
                pending.arrived(&closed(table, ends, entry), connection);
            }
            is_open |= !is_over;
            !is_over
        });
        is_open
    }

    /// Ends an incomplete round: missing sockets mean nothing, and notices of destroyed sockets cannot be compared with
    /// it.
    pub(super) fn give_up(&mut self) {
        self.tracker.give_up();
        self.unseen.clear();
    }
}

/// The socket of an entry, closed.
fn closed(table: Table, ends: &Endpoints, entry: &Entry<Facts>) -> Socket {
    let port = |port: u16| Some(u32::from(port)).filter(|port| *port != 0);
    let number = |number: Option<NonZeroU64>| number.map(NonZeroU64::get);
    let (identity, facts) = (&entry.identity, &entry.kept);
    let mut socket = Socket::new(table.protocol, table.family);
    socket.state = State::Closed;
    (socket.local.ip, socket.peer.ip) = (Some(ends.local), Some(ends.peer));
    (socket.local.port, socket.peer.port) = (port(ends.local_port), port(ends.peer_port));
    socket.interface = Some(facts.interface).filter(|index| *index != 0);
    (socket.uid, socket.mark) = (facts.uid, facts.mark);
    (socket.inode, socket.cookie) = (number(identity.inode), number(identity.cookie));
    socket.cgroup_id = number(facts.cgroup_id);
    socket.netns = Some(ends.netns).filter(|inode| *inode != 0);
    socket
}

/// Reports the end of a socket, unless it was seen CLOSED.
fn end(table: Table, ends: &Endpoints, entry: &Entry<Facts>, pending: &mut PendingEvents) {
    let state = entry.identity.state;
    if state != State::Closed {
        pending.moved(state, &closed(table, ends, entry), entry.kept.connection);
    }
}

/// True if the peer of a destroyed socket answered a moment ago.
fn is_fresh(socket: &Socket) -> bool {
    let info = socket.info(Structure::TcpInfo);
    let idle = info.and_then(|info| info.value("last_ack_recv"));
    idle.is_some_and(|idle| idle < FRESH_MS)
}

#[cfg(test)]
mod tests;
