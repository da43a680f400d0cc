//! What was seen, and what follows from seeing it again, changed, or not.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};

use jiff::Timestamp;

use super::super::ends::{Ends, Facts, steps};
use crate::model::{Event, Socket, State, Table};

/// A dump can pass over a socket while others go: what is missing so often in a row is gone.
const MISSES: u8 = 2;

/// So many programs may hold a socket whose connection is over.
const UNTOLD: usize = 65_536;

/// Every socket that is there, as it was seen last.
#[derive(Debug, Default)]
pub(super) struct Seen {
    sockets: HashMap<Place, Known>,
    /// Told to be gone, and not seen before.
    notices: Vec<Notice>,
    /// The cookies of those that are gone and were not told yet: a program can hold a socket for long
    /// whose connection is over. The oldest come first.
    untold: VecDeque<u64>,
    /// The number of the look.
    look: u64,
    time: Timestamp,
    connections: u64,
}

/// Where a socket is. Several listeners can be at one place: their cookies tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Place {
    ends: Ends,
    interface: Option<u32>,
    listener: Option<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    state: State,
    facts: Facts,
    connection: u64,
    /// The look that found it last.
    look: u64,
    misses: u8,
    /// The kernel told that it is gone.
    is_told: bool,
}

#[derive(Debug, Clone, Copy)]
struct Notice {
    ends: Ends,
    facts: Facts,
    looks: u8,
}

/// Is what is at a place what was there before?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Identity {
    Same,
    Other,
    /// The source has nothing to tell them apart by.
    Unknown,
}

impl Notice {
    /// Where it came from, nobody saw.
    fn event(&self, connection: u64, time: Timestamp) -> Event {
        Event {
            time,
            old_state: None,
            socket: self.facts.socket(self.ends, State::Closed),
            sampled: true,
            connection,
        }
    }
}

impl Known {
    fn identity(&self, facts: Facts) -> Identity {
        let cookies = self.facts.cookie.zip(facts.cookie);
        match cookies.or_else(|| self.facts.inode.zip(facts.inode)) {
            Some((before, now)) if before == now => Identity::Same,
            Some(_) => Identity::Other,
            None => Identity::Unknown,
        }
    }
}

impl Seen {
    /// A look begins.
    pub(super) const fn begin(&mut self, time: Timestamp) {
        self.look += 1;
        self.time = time;
    }

    /// A socket was told to be gone.
    pub(super) fn destroyed(&mut self, socket: &Socket) {
        let Some(ends) = Ends::of(socket) else {
            return;
        };
        // What had no peer was a listener, which was seen before, or no connection at all.
        if ends.local.port() != 0 && ends.peer.port() != 0 {
            self.notices.push(Notice {
                ends,
                facts: Facts::of(socket),
                looks: 0,
            });
        }
    }

    /// A socket is there.
    pub(super) fn see(&mut self, socket: &Socket, events: &mut Vec<Event>) {
        let Some(ends) = Ends::of(socket) else {
            return;
        };
        if matches!(socket.state, State::Bound | State::Closed | State::Unconn) {
            return;
        }
        let facts = Facts::of(socket);
        let is_listener = socket.state == State::Listen;
        let place = Place {
            ends,
            interface: socket.interface,
            listener: is_listener.then_some(facts.cookie.or(facts.inode).unwrap_or_default()),
        };
        let mut now = Known {
            state: socket.state,
            facts,
            connection: self.connections + 1,
            look: self.look,
            misses: 0,
            is_told: false,
        };
        let time = self.time;
        let mut tell = |known: &Known, step| events.push(event(known, ends, step, time));
        match self.sockets.entry(place) {
            Entry::Vacant(vacant) => {
                tell(&now, (origin(now.state), now.state));
                vacant.insert(now);
                self.connections += 1;
            }
            Entry::Occupied(mut occupied) => {
                let before = *occupied.get();
                let identity = before.identity(facts);
                if identity == Identity::Other {
                    for step in steps(before.state, State::Closed) {
                        tell(&before, step);
                    }
                    tell(&now, (origin(now.state), now.state));
                    self.connections += 1;
                } else {
                    now.connection = before.connection;
                    // The kernel leaves these out of a smaller socket.
                    now.facts = facts.or(before.facts);
                    if before.state != now.state && identity == Identity::Same {
                        for step in steps(before.state, now.state) {
                            tell(&now, step);
                        }
                    } else if before.state != now.state {
                        tell(&now, (None, now.state));
                    }
                }
                occupied.insert(now);
            }
        }
    }

    /// The look is over: these tables were seen whole.
    pub(super) fn end(&mut self, complete: &[Table], events: &mut Vec<Event>) {
        self.end_notices(complete, events);
        let (look, time, untold) = (self.look, self.time, &mut self.untold);
        self.sockets.retain(|place, known| {
            if known.look == look || !complete.contains(&place.ends.table) {
                return true;
            }
            known.misses += 1;
            if known.misses < MISSES {
                return true;
            }
            if !known.is_told {
                untold.extend(known.facts.cookie);
            }
            for step in steps(known.state, State::Closed) {
                events.push(event(known, place.ends, step, time));
            }
            false
        });
        let too_many = self.untold.len().saturating_sub(UNTOLD);
        self.untold.drain(..too_many);
    }

    /// What was never seen, and is not there in the smaller form either, came and went.
    fn end_notices(&mut self, complete: &[Table], events: &mut Vec<Event>) {
        if self.notices.is_empty() {
            return;
        }
        let cookies = self.notices.iter().filter_map(|notice| notice.facts.cookie);
        let cookies: HashSet<u64> = cookies.collect();
        // A smaller socket has a cookie of its own where nobody asked for that of the whole one.
        let ends: HashSet<Ends> = self.notices.iter().map(|notice| notice.ends).collect();
        let mut known_ends = HashSet::new();
        let mut known_cookies = HashSet::new();
        for (place, known) in &mut self.sockets {
            let cookie = known.facts.cookie.filter(|cookie| cookies.contains(cookie));
            known.is_told |= cookie.is_some();
            known_cookies.extend(cookie);
            known_ends.extend(Some(place.ends).filter(|of| ends.contains(of)));
        }
        self.untold.retain(|cookie| {
            let is_told = cookies.contains(cookie);
            known_cookies.extend(Some(*cookie).filter(|_| is_told));
            !is_told
        });
        let (time, connections) = (self.time, &mut self.connections);
        self.notices.retain_mut(|notice| {
            let cookie = notice.facts.cookie;
            let is_known = cookie.is_some_and(|cookie| known_cookies.contains(&cookie));
            if is_known || known_ends.contains(&notice.ends) {
                return false;
            }
            notice.looks += u8::from(complete.contains(&notice.ends.table));
            if notice.looks < MISSES {
                return true;
            }
            *connections += 1;
            events.push(notice.event(*connections, time));
            false
        });
    }

    /// Is something missing that another look would make certain?
    pub(super) fn is_unsure(&self) -> bool {
        !self.notices.is_empty() || self.sockets.values().any(|known| known.misses > 0)
    }
}

/// From where it must have come that is seen for the first time.
const fn origin(state: State) -> Option<State> {
    match state {
        State::Listen | State::SynSent => Some(State::Closed),
        _ => None,
    }
}

fn event(known: &Known, ends: Ends, step: (Option<State>, State), time: Timestamp) -> Event {
    Event {
        time,
        old_state: step.0,
        socket: known.facts.socket(ends, step.1),
        sampled: true,
        connection: known.connection,
    }
}
