//! Steps that were found and are to be told.

use crate::model::{Socket, State, certain};

/// One step of one socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// The state it left; `None` = not known.
    pub(super) old_state: Option<State>,
    /// The socket in its new state.
    pub(super) socket: Socket,
    /// The number of its connection.
    pub(super) connection: u64,
}

/// Steps in their order.
#[derive(Debug, Default)]
pub(super) struct News {
    steps: Vec<Step>,
    connections: u64,
}

impl News {
    /// The number of another connection.
    pub(super) const fn number(&mut self) -> u64 {
        self.connections += 1;
        self.connections
    }

    /// A socket arrived in its state, nobody saw from where.
    pub(super) fn arrived(&mut self, socket: &Socket, connection: u64) {
        self.step(None, socket.clone(), connection);
    }

    /// A socket is there that was not. A listener and a connection that just begins can come from
    /// nowhere but CLOSED.
    pub(super) fn appeared(&mut self, socket: &Socket, connection: u64) {
        let begins = matches!(socket.state, State::Listen | State::SynSent);
        let old_state = begins.then_some(State::Closed);
        self.step(old_state, socket.clone(), connection);
    }

    /// A socket was in a state and is in another now: what it must have passed on its way.
    pub(super) fn moved(&mut self, from: State, socket: &Socket, connection: u64) {
        let steps = certain(from, socket.state);
        for step in &steps {
            let mut passed = socket.clone();
            passed.state = step.to;
            self.step(Some(step.from), passed, connection);
        }
        if steps.iter().all(|step| step.to != socket.state) {
            self.arrived(socket, connection);
        }
    }

    fn step(&mut self, old_state: Option<State>, socket: Socket, connection: u64) {
        self.steps.push(Step {
            old_state,
            socket,
            connection,
        });
    }

    /// How many steps wait to be told.
    pub(super) const fn len(&self) -> usize {
        self.steps.len()
    }

    /// Takes back all but the first steps.
    pub(super) fn truncate(&mut self, len: usize) {
        self.steps.truncate(len);
    }

    /// The steps, which are not kept.
    pub(super) fn take(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.steps)
    }
}
