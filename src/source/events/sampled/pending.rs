//! Events found, and not lent yet.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::model::{Event, Protocol, Socket, Spent, State, Syn, steps};

/// Events in order.
#[derive(Debug, Default)]
pub(super) struct PendingEvents {
    events: VecDeque<Event>,
    connections: u64,
}

impl PendingEvents {
    /// The number of a new connection.
    pub(super) const fn number(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// Adds a socket in its state, from an unknown one.
    pub(super) fn arrived(&mut self, socket: &Socket, connection: u64) {
        self.push(None, socket.clone(), connection);
    }

    /// Adds a new socket, and returns the number of its connection. Listeners and connections in `SYN_SENT` can only
    /// come from CLOSED.
    pub(super) fn appeared(&mut self, socket: &Socket) -> u64 {
        let connection = self.number();
        let begins = matches!(socket.state, State::Listen | State::SynSent);
        let old_state = begins.then_some(State::Closed);
        self.push(old_state, socket.clone(), connection);
        connection
    }

    /// Adds the transitions from an earlier state to the current one that must have happened.
    pub(super) fn moved(&mut self, from: State, socket: &Socket, connection: u64) {
        for (old_state, to) in steps(from, socket.state) {
            let mut passed = socket.clone();
            passed.state = to;
            self.push(old_state, passed, connection);
        }
    }

    fn push(&mut self, old_state: Option<State>, socket: Socket, connection: u64) {
        // Until the peer answers, a timer runs.
        let is_sent = socket.timer.is_some() || socket.protocol != Protocol::Tcp;
        self.events.push_back(Event {
            time: Timestamp::UNIX_EPOCH,
            old_state,
            socket,
            sampled: true,
            connection,
            syn: if is_sent { Syn::Sent } else { Syn::NotSent },
            ending: None,
            owner: None,
            task: None,
            traffic: None,
            spent: Spent::default(),
        });
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Removes the events of a namespace after the first `len`.
    pub(super) fn take_back(&mut self, len: usize, netns: Option<u32>) {
        let mut place = 0;
        self.events.retain(|event| {
            place += 1;
            place <= len || event.socket.netns != netns
        });
    }

    /// Sets the time of all events after the first `len`.
    pub(super) fn stamp(&mut self, len: usize, time: Timestamp) {
        for event in self.events.range_mut(len..) {
            event.time = time;
        }
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}
