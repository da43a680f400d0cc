//! What the kernel leaves of a connection where it reports the end of its socket: a smaller structure
//! in `TIME_WAIT`, or in `FIN_WAIT_2` where the program has closed it. No tracepoint tells of these, so
//! they are looked up again.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::super::ends::{Ends, Facts};
use super::super::finder::Finder;
use crate::model::{Event, Socket, State, steps};

/// What is left in `FIN_WAIT_2` is looked up as often.
const AGAIN: Duration = Duration::from_millis(100);
/// Behind the moment at which `TIME_WAIT` should be over: the kernel's timers are late, too.
const LATE: Duration = Duration::from_millis(10);
/// All look-ups together take no larger share of the time than one in so many.
const SHARE: u32 = 20;

/// What is left, and when to look again.
#[derive(Debug, Default)]
pub(super) struct Remains {
    left: HashMap<u64, Left>,
    by_ends: HashMap<Ends, u64>,
    due: BTreeSet<(Instant, u64)>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    ends: Ends,
    state: State,
    facts: Facts,
    due: Instant,
}

impl Left {
    /// Steps to a state.
    fn steps(&self, connection: u64, to: State, time: Timestamp) -> impl Iterator<Item = Event> {
        let (facts, ends) = (self.facts, self.ends);
        let steps = steps(self.state, to).into_iter();
        steps.map(move |(old_state, state)| Event {
            time,
            old_state,
            socket: facts.socket(ends, state),
            sampled: true,
            connection,
        })
    }
}

impl Remains {
    /// When something is to be looked up.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Keeps what was found of a connection. Of its owner only what was known `before` is.
    pub(super) fn keep(&mut self, connection: u64, found: &Socket, before: Facts) {
        let Some(ends) = Ends::of(found) else {
            return;
        };
        let left = Left {
            ends,
            state: found.state,
            facts: Facts::of(found).or(before),
            due: Instant::now() + pause(found),
        };
        self.due.insert((left.due, connection));
        self.by_ends.insert(ends, connection);
        self.left.insert(connection, left);
    }

    /// A new connection has these ends: what was left with them is no more.
    pub(super) fn replaced(&mut self, ends: Ends, time: Timestamp, events: &mut Vec<Event>) {
        if let Some(connection) = self.by_ends.get(&ends).copied() {
            self.over(connection, time, events);
        }
    }

    /// Something happened at the other end: what is left in `FIN_WAIT_2` is looked up at once.
    pub(super) fn stirred(&mut self, other: Ends, finder: &mut Finder, events: &mut Vec<Event>) {
        let waits = |connection: &u64| {
            let left = self.left.get(connection);
            left.is_some_and(|left| left.state == State::FinWait2)
        };
        let connection = self.by_ends.get(&other.reversed()).copied().filter(waits);
        if let Some(connection) = connection {
            self.look(connection, finder, events);
        }
    }

    /// Looks up what may have changed without a record, be it due or not.
    pub(super) fn look_at_all(&mut self, finder: &mut Finder, events: &mut Vec<Event>) {
        let waiting = self.left.iter();
        let waiting = waiting.filter(|(_, left)| left.state == State::FinWait2);
        let waiting: Vec<u64> = waiting.map(|(connection, _)| *connection).collect();
        for connection in waiting {
            self.look(connection, finder, events);
        }
    }

    /// Looks up what is due.
    pub(super) fn look_up(&mut self, finder: &mut Finder, events: &mut Vec<Event>) {
        let begun = Instant::now();
        let mut behind = Vec::new();
        while let Some((due, connection)) = self.due.first().copied() {
            if due > begun {
                break;
            }
            self.look(connection, finder, events);
            behind.extend(
                self.left
                    .get(&connection)
                    .map(|left| (left.due, connection)),
            );
        }
        // Many that change together are looked up less often.
        let rest = begun.elapsed() * SHARE;
        for (due, connection) in behind {
            if due < begun + rest {
                self.put_off(connection, begun + rest);
            }
        }
    }

    fn look(&mut self, connection: u64, finder: &mut Finder, events: &mut Vec<Event>) {
        let Some(left) = self.left.get_mut(&connection) else {
            return;
        };
        let now = Timestamp::now();
        let found = match left.facts.interface {
            None => finder.find(left.ends),
            Some(interface) => finder.find_on(left.ends, interface),
        };
        let same = |found: &Socket| {
            let remains = matches!(found.state, State::TimeWait | State::FinWait2);
            remains && found.inode.is_none() && found.cookie == left.facts.cookie
        };
        let Some(found) = found.filter(same) else {
            return self.over(connection, now, events);
        };
        if found.state != left.state {
            events.extend(left.steps(connection, found.state, now));
            left.state = found.state;
        }
        let due = Instant::now() + pause(&found);
        self.put_off(connection, due);
    }

    fn put_off(&mut self, connection: u64, due: Instant) {
        if let Some(left) = self.left.get_mut(&connection) {
            self.due.remove(&(left.due, connection));
            left.due = due;
            self.due.insert((due, connection));
        }
    }

    fn over(&mut self, connection: u64, time: Timestamp, events: &mut Vec<Event>) {
        let Some(left) = self.left.remove(&connection) else {
            return;
        };
        self.due.remove(&(left.due, connection));
        self.by_ends.remove(&left.ends);
        events.extend(left.steps(connection, State::Closed, time));
    }
}

/// Until the next look.
fn pause(found: &Socket) -> Duration {
    match (found.state, found.timer) {
        (State::TimeWait, Some(timer)) => Duration::from_millis(u64::from(timer.expires_ms)) + LATE,
        _ => AGAIN,
    }
}
