//! Sockets that the first reading keeps for findings.

use crate::filter::Decision;
use crate::model::{Protocol, Socket, Source, State, StateSet};

/// Limit of sockets kept.
const MOST: usize = 4_096;

/// The states that usually have few sockets. The others are counted in the kernel, or not listed by every source.
const FEW: StateSet = StateSet::EMPTY
    .with(State::Listen)
    .with(State::SynSent)
    .with(State::SynRcvd)
    .with(State::FinWait1)
    .with(State::FinWait2)
    .with(State::CloseWait)
    .with(State::LastAck)
    .with(State::Closing);

/// From this many sockets for each that may be stuck, looking those up costs less than reading all.
const PAYS: usize = 16;

/// TCP sockets in states with few of them, and those in `ESTABLISHED` that may be stuck. By default none are kept.
#[derive(Debug, Default)]
pub(in crate::mode) struct Kept {
    sockets: Vec<Socket>,
    /// The states with such sockets, unless they were too many.
    states: StateSet,
    /// Sockets kept before the checkpoint.
    settled: usize,
}

impl Kept {
    /// Keeps sockets.
    pub(in crate::mode) fn new() -> Self {
        Self {
            states: FEW.with(State::Established),
            ..Self::default()
        }
    }

    /// Keeps a socket that the query may select. If there are too many, the state with the most is given up.
    pub(in crate::mode) fn add(&mut self, socket: &Socket, decision: Decision) {
        let is_of_few = socket.protocol == Protocol::Tcp && self.states.contains(socket.state);
        let is_plain = socket.state == State::Established && !socket.may_be_stuck();
        if decision == Decision::No || !is_of_few || is_plain {
            return;
        }
        self.sockets.push(socket.clone());
        if self.sockets.len() > MOST {
            let count = |state: &State| self.sockets.iter().filter(|s| s.state == *state).count();
            let most = State::NAMED.into_iter().max_by_key(count);
            let most = most.unwrap_or_default();
            let before = self.sockets.iter().take(self.settled);
            self.settled = before.filter(|socket| socket.state != most).count();
            self.sockets.retain(|socket| socket.state != most);
            self.states = self.states.without(most);
        }
    }

    /// Marks the start of sockets that may be rolled back.
    pub(in crate::mode) const fn checkpoint(&mut self) {
        self.settled = self.sockets.len();
    }

    /// Drops every socket since the last checkpoint.
    pub(in crate::mode) fn rollback(&mut self) {
        self.sockets.truncate(self.settled);
    }

    /// Takes those of a network namespace, or all, in an order that does not depend on the source.
    pub(in crate::mode) fn take(&mut self, netns: Option<u32>) -> Self {
        let is_in = |socket: &mut Socket| netns.is_none() || socket.netns == netns;
        let mut sockets: Vec<Socket> = self.sockets.extract_if(.., is_in).collect();
        sockets.sort_by_key(|socket| socket.inode);
        Self { sockets, ..*self }
    }

    /// The states whose sockets are all kept.
    pub(super) const fn states(&self) -> StateSet {
        self.states.without(State::Established)
    }

    /// The states whose sockets that may be stuck are all kept; empty if looking those up does not pay, among `all`
    /// sockets.
    pub(super) fn stuck_states(&self, all: u64) -> StateSet {
        let (stuck, all) = (self.stuck().count(), usize::try_from(all));
        let is_told = self.stuck().all(|socket| socket.source != Source::Procfs);
        if is_told && all.is_ok_and(|all| all / PAYS >= stuck) {
            self.states
        } else {
            StateSet::EMPTY
        }
    }

    pub(super) fn stuck(&self) -> impl Iterator<Item = &Socket> {
        self.sockets.iter().filter(|socket| socket.may_be_stuck())
    }

    pub(super) fn sockets(&self) -> &[Socket] {
        &self.sockets
    }
}
