//! A step through the TCP state machine, as it was seen.

use jiff::Timestamp;

use super::machine::transition;
use super::{Diagnostics, Socket, State};

/// One step of one socket.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When: as the kernel recorded it, or, where [`Event::sampled`] is set, when it was noticed.
    pub time: Timestamp,
    /// The state it left; `None` = it is not known, for nobody looked in between.
    pub old_state: Option<State>,
    /// The socket after the step. What is only known by looking it up (inode, cookie, user …) is
    /// `None` where it was gone before it could be looked up.
    pub socket: Socket,
    /// Noticed by looking again, not recorded by the kernel: the step is certain, its time is late.
    pub sampled: bool,
    /// Which connection (or listener) of this run it belongs to. The socket that the kernel puts in
    /// the place of another (`TIME_WAIT`) has the same number.
    pub connection: u64,
}

impl Event {
    /// What the step means in the handshake or the close; `None` = it is not known where it came from.
    pub fn step(&self) -> Option<&'static str> {
        transition(self.old_state?, self.socket.state).map(|found| found.step)
    }
}

/// What is to be said at the end of a run that watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventSummary {
    /// Events shown.
    pub matched: u64,
    /// Records that the kernel had no room for: that many steps, or more, were not seen.
    pub lost: u64,
    /// The steps were found by looking again and again: not all of them, and later than they happened.
    pub sampled: bool,
    /// What is missing, and what else must be known.
    pub diagnostics: Diagnostics,
}
