//! Events: state changes of TCP sockets.

use std::sync::Arc;

use jiff::Timestamp;

use super::machine::transition;
use super::{Diagnostics, Process, Socket, State, named};

/// One state change of a socket.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When the kernel recorded it; with [`Event::sampled`], when polling noticed it.
    pub time: Timestamp,
    /// The state before; `None` = unknown, because nothing was watching.
    pub old_state: Option<State>,
    /// The socket after the change. Fields that need a lookup (inode, cookie, user …) are `None` if the
    /// socket was gone by then.
    pub socket: Socket,
    /// True if found by polling, not recorded by the kernel: the change is certain, its time is late.
    pub sampled: bool,
    /// Number of the connection (or listener) in this run. A `TIME_WAIT` socket has the number of the socket
    /// it replaces.
    pub connection: u64,
    /// What became of the SYN, in a change to `SYN_SENT`.
    pub syn: Syn,
    /// How the connection ended, if the kernel reports it and it was not by `LAST_ACK` or `TIME_WAIT`.
    pub ending: Option<Ending>,
    /// The owner of the socket; `None` = not in the kernel's record: look up who holds the inode now.
    pub owner: Option<Owner>,
    /// The thread that caused the change; `None` = a segment or a timer did, or unknown.
    pub task: Option<Task>,
    /// Traffic up to the change; `None` = unknown.
    pub traffic: Option<Traffic>,
    /// Time spent in the old state and since the first event.
    pub spent: Spent,
}

/// Times in microseconds; `None` = the start was not recorded, or there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// In the old state.
    pub in_state_us: Option<u64>,
    /// Since the first event.
    pub in_all_us: Option<u64>,
}

/// The thread whose system call caused a state change, or that destroyed another program's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Its process id.
    pub pid: u32,
    /// Its thread id.
    pub tid: u32,
    /// `comm`, padded with NULs.
    pub comm: [u8; 16],
}

impl Task {
    /// Its name: any bytes except NUL.
    pub fn name(&self) -> &[u8] {
        let name = self.comm.split(|byte| *byte == 0).next();
        name.unwrap_or_default()
    }
}

/// The traffic of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// Bytes of data sent, without retransmissions.
    pub bytes_sent: u64,
    /// Bytes of data received.
    pub bytes_received: u64,
    /// Segments retransmitted.
    pub retransmits: u32,
    /// The smoothed round-trip time in microseconds; `None` = not measured yet.
    pub rtt_us: Option<u32>,
}

impl Event {
    /// True if the connection ended abnormally: refused, reset, timed out, aborted.
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

    /// The step of the handshake or the close; `None` = the state before is unknown.
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

/// What became of the SYN of `connect(2)`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Syn {
    /// It was sent.
    #[default]
    Sent,
    /// It was sent, or waits for the first data (`TCP_FASTOPEN_CONNECT`).
    MayWait,
    /// It waits for the first data, or could not be sent.
    NotSent,
    /// There is none: `TCP_REPAIR` restores a connection.
    Restored,
}

impl Syn {
    /// The text for a change to `SYN_SENT`; `None` = the usual one.
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
    /// How a connection ended without `LAST_ACK` or `TIME_WAIT`, with the text for it.
    pub enum Ending {
        /// The peer's FIN arrived, and MPTCP has no `TIME_WAIT`.
        Complete = "close 4/4: FIN received and acknowledged",
        /// The peer answered the SYN with RST.
        Refused = "connection refused",
        /// ICMP "port unreachable" answered the SYN, typically from a firewall.
        Rejected = "connection refused by ICMP",
        /// No answer to the SYN, to data, or to keepalive probes.
        TimedOut = "timed out",
        /// ICMP or the routing table reports the host or network as unreachable.
        Unreachable = "host or network unreachable",
        /// The peer sent RST.
        ResetByPeer = "reset by the peer",
        /// RST, from either side.
        Reset = "reset",
        /// The program aborted it: `SO_LINGER` 0, unread data at `close(2)`, `connect(2)` to `AF_UNSPEC`.
        Aborted = "aborted: RST sent",
        /// The program closed it before its SYN was answered.
        GivenUp = "given up before the peer answered",
        /// It was closed, or failed to open, before a SYN was sent.
        NotBegun = "closed before a SYN was sent",
        /// No local port was available.
        NoPort = "no local port left",
        /// It was not accepted before the listener was closed.
        NotAccepted = "listener closed before it was accepted: RST sent",
        /// The program removed it silently with `TCP_REPAIR`.
        Removed = "TCP_REPAIR: nothing sent",
        /// An administrator destroyed it: `lsock -K`, `ss -K`.
        Destroyed = "destroyed by an administrator",
    }
}

/// The owner of a socket, as far as the kernel's records show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owner {
    /// The process that opened it, or used it last.
    pub process: Option<Arc<Process>>,
    /// The cgroup of that process at that time; `None` = unknown.
    pub cgroup_id: Option<u64>,
    /// The inode by which its holders were found when watching began: its own, or that of the listener it
    /// came from. They take precedence over `process`.
    pub inode: Option<u64>,
}

/// The summary at the end of a run that watched events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventSummary {
    /// Events shown.
    pub matched: u64,
    /// State changes that the kernel dropped for lack of buffer space, or that are missing between others.
    pub lost: u64,
    /// True if events came from polling: late, and without short-lived sockets.
    pub sampled: bool,
    /// What is missing, and warnings.
    pub diagnostics: Diagnostics,
}
