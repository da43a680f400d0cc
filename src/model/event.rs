//! A step through the TCP state machine, as it was seen.

use std::sync::Arc;

use jiff::Timestamp;

use super::machine::transition;
use super::{Diagnostics, Process, Socket, State, named};

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
    /// What became of the SYN of a step to `SYN_SENT`.
    pub syn: Syn,
    /// How it ended, where that was neither in `LAST_ACK` nor in `TIME_WAIT` and the kernel tells.
    pub ending: Option<Ending>,
    /// Whose socket it is; `None` = the kernel's record does not tell, and whoever holds the inode is to
    /// be looked up now.
    pub owner: Option<Owner>,
    /// Who made the step; `None` = a segment or a timer did, or it is not known.
    pub task: Option<Task>,
    /// What TCP has counted up to the step; `None` = it is not known.
    pub traffic: Option<Traffic>,
    /// How long it was in the state that it left, and how long it has lived.
    pub spent: Spent,
}

/// Microseconds that a socket has spent; `None` = the begin was not recorded, or there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// In the state that it left.
    pub in_state_us: Option<u64>,
    /// Since its first step.
    pub in_all_us: Option<u64>,
}

/// The thread that made a step by a system call, or that destroyed a socket of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Its process.
    pub pid: u32,
    /// Its own number.
    pub tid: u32,
    /// `comm`, ended by NULs.
    pub comm: [u8; 16],
}

impl Task {
    /// Its name: any bytes but NUL.
    pub fn name(&self) -> &[u8] {
        let name = self.comm.split(|byte| *byte == 0).next();
        name.unwrap_or_default()
    }
}

/// What a connection has carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of data sent, each counted once.
    pub bytes_sent: u64,
    /// Bytes of data received.
    pub bytes_received: u64,
    /// Segments sent again.
    pub retransmits: u32,
    /// The smoothed round-trip time in microseconds; `None` = not measured yet.
    pub rtt_us: Option<u32>,
}

impl Event {
    /// True if it ends a connection otherwise than both ends wanted: refused, reset, timed out, aborted.
    pub fn is_broken_off(&self) -> bool {
        let is_early = match self.old_state {
            Some(State::Listen | State::LastAck | State::TimeWait | State::Bound) | None => false,
            Some(_) => self.socket.state == State::Closed,
        };
        let wanted = [
            Ending::Complete,
            Ending::GivenUp,
            Ending::NotBegun,
            Ending::Removed,
        ];
        let wanted = wanted.map(Some);
        is_early && !wanted.contains(&self.ending)
    }

    /// What the step means in the handshake or the close; `None` = it is not known where it came from.
    pub fn step(&self) -> Option<&'static str> {
        let words = match (self.old_state, self.socket.state) {
            (_, State::SynSent) => self.syn.words(),
            (Some(State::SynSent), State::Established) if self.syn == Syn::Restored => {
                Some("TCP_REPAIR: no handshake")
            }
            _ => self.ending.map(Ending::name),
        };
        let step = transition(self.old_state?, self.socket.state).map(|found| found.step);
        words.or(step)
    }
}

/// What became of the SYN that `connect(2)` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Syn {
    /// It was sent.
    #[default]
    Sent,
    /// It was sent, or waits for the first data: `TCP_FASTOPEN_CONNECT`.
    MayWait,
    /// It waits for the first data, or there was no way to send it.
    NotSent,
    /// There is none: a program restores a connection, by `TCP_REPAIR`.
    Restored,
}

impl Syn {
    /// The words for a step to `SYN_SENT`; `None` = the usual ones.
    const fn words(self) -> Option<&'static str> {
        match self {
            Self::Sent => None,
            Self::MayWait => Some("handshake 1/3: SYN may wait for data (TCP Fast Open)"),
            Self::NotSent => Some("handshake 1/3: no SYN yet"),
            Self::Restored => Some("TCP_REPAIR: no SYN sent"),
        }
    }
}

named! {
    /// How a connection ended that did not end in `LAST_ACK` or `TIME_WAIT`, and the words for it.
    pub enum Ending {
        /// The peer's FIN came, and there is no `TIME_WAIT`: MPTCP.
        Complete = "close 4/4: FIN received and acknowledged",
        /// The peer answered the SYN with RST.
        Refused = "connection refused",
        /// ICMP answered the SYN: port unreachable, as a firewall says it.
        Rejected = "connection refused by ICMP",
        /// No answer: to the SYN, to data, or to keepalive probes.
        TimedOut = "timed out",
        /// No way leads there, as ICMP or the routes say.
        Unreachable = "host or network unreachable",
        /// The peer sent RST.
        ResetByPeer = "reset by the peer",
        /// RST, by whomever.
        Reset = "reset",
        /// The program ended it: `SO_LINGER` 0, data unread at `close(2)`, `connect(2)` to `AF_UNSPEC`.
        Aborted = "aborted: RST sent",
        /// The program closed it before there was an answer to its SYN.
        GivenUp = "given up before the peer answered",
        /// It was closed, or could not be opened, before a SYN was sent.
        NotBegun = "closed before a SYN was sent",
        /// There was no local port for it.
        NoPort = "no local port left",
        /// Nobody had accepted it when the listener was closed.
        NotAccepted = "listener closed before it was accepted: RST sent",
        /// The program took it away without a segment, by `TCP_REPAIR`.
        Removed = "TCP_REPAIR: nothing sent",
        /// An administrator ended it: `lsock -K`, `ss -K`.
        Destroyed = "destroyed by an administrator",
    }
}

/// Whose a socket is, as far as the kernel's records tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The process that opened it, or was the last to use it.
    pub process: Option<Arc<Process>>,
    /// The cgroup that it was in then; `None` = unknown.
    pub cgroup_id: Option<u64>,
    /// The inode that its holders had when the watch began: its own, or that of the listener that made
    /// it. What they were found to be then counts more than `process`.
    pub inode: Option<u64>,
}

/// What is to be said at the end of a run that watched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventSummary {
    /// Events shown.
    pub matched: u64,
    /// Steps that the kernel has not recorded, for want of room or as those that followed show.
    pub lost: u64,
    /// True if the steps were found by polling: late, and without those of short-lived sockets.
    pub sampled: bool,
    /// What is missing, and what else must be known.
    pub diagnostics: Diagnostics,
}
