//! Structures left of sockets closed in `FIN_WAIT_2`, until they enter `TIME_WAIT` or are gone.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use super::queue::Queue;
use super::rests::RestRecord;
use crate::model::{Event, Owner, Socket, Spent, State, Syn};

/// `TCP_FIN_TIMEOUT_MAX` (`include/net/tcp.h`) plus a second: after that the structure is gone, without a transition.
const LIFE_NS: u64 = 121_000_000_000;

/// The small structures in the kernel.
#[derive(Debug, Default)]
pub(super) struct Rests {
    /// Their addresses by that of their sockets, until the record of the socket's transition comes.
    made: HashMap<u64, u64>,
    /// By address.
    left: HashMap<u64, Left>,
    /// Times and addresses, in order of time.
    came: VecDeque<(u64, u64)>,
    /// Those that existed before the watch, by cookie.
    found: HashMap<u64, Socket>,
}

/// The last transition of a socket.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) event: Event,
    pub(super) span: Span,
    pub(super) came_ns: u64,
}

/// When a life and its state began, in nanoseconds, if recorded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Span {
    pub(super) life: Option<u64>,
    pub(super) state: Option<u64>,
}

impl Span {
    pub(super) fn until(self, time_ns: u64) -> Spent {
        let since = |begin: u64| time_ns.saturating_sub(begin) / 1_000;
        Spent {
            in_state_us: self.state.map(since),
            in_all_us: self.life.map(since),
        }
    }
}

impl Rests {
    /// Adds one that existed before the watch.
    pub(super) fn add_found(&mut self, socket: &Socket) {
        if let (State::FinWait2, None, Some(cookie)) = (socket.state, socket.inode, socket.cookie) {
            self.found.insert(cookie, socket.clone());
        }
    }

    /// Takes the address of the structure left of a socket.
    pub(super) fn take_place(&mut self, socket: u64) -> Option<u64> {
        self.made.remove(&socket)
    }

    pub(super) fn add(&mut self, place: u64, left: Left, queue: &mut Queue) {
        self.expire(left.came_ns, queue);
        self.came.push_back((left.came_ns, place));
        if let Some(replaced) = self.left.insert(place, left) {
            queue.end(replaced.event.connection);
        }
    }

    /// Removes those that are gone by now.
    fn expire(&mut self, now_ns: u64, queue: &mut Queue) {
        while let Some((came_ns, place)) = self.came.front().copied()
            && came_ns.saturating_add(LIFE_NS) < now_ns
        {
            self.came.pop_front();
            if self
                .left
                .get(&place)
                .is_some_and(|left| left.came_ns == came_ns)
                && let Some(gone) = self.left.remove(&place)
            {
                queue.end(gone.event.connection);
            }
        }
    }

    /// Handles a record of one; returns its transition to `TIME_WAIT`. One that existed before the watch gets a new
    /// connection number.
    pub(super) fn follow(
        &mut self,
        rest: RestRecord,
        time: Timestamp,
        connections: &mut u64,
    ) -> Option<Event> {
        if rest.socket != 0 {
            self.made.insert(rest.socket, rest.place);
            return None;
        }
        let found = self.found.remove(&rest.cookie);
        let mut event = match (self.left.remove(&rest.place), found) {
            (Some(left), _) => Event {
                spent: left.span.until(rest.time_ns),
                ..left.event
            },
            (None, Some(socket)) => {
                *connections += 1;
                Event {
                    time,
                    old_state: Some(State::FinWait2),
                    socket,
                    sampled: false,
                    connection: *connections,
                    syn: Syn::Sent,
                    ending: None,
                    owner: Some(Owner::default()),
                    task: None,
                    traffic: None,
                    spent: Spent::default(),
                }
            }
            (None, None) => return None,
        };
        event.time = time;
        event.socket.state = State::TimeWait;
        Some(event)
    }
}
