//! Socket states: those of TCP (RFC 9293, section 3.3.2), of SCTP and of SMC.

use std::fmt;

use super::named;

named! {
    /// States that TCP does not have: those of SCTP associations (RFC 9260, section 4), then those of SMC
    /// (`net/smc/smc.h`).
    #[non_exhaustive]
    pub enum OtherState {
        /// Has sent an INIT and waits for the INIT ACK.
        CookieWait = "COOKIE_WAIT",
        /// Has sent back the cookie and waits for its acknowledgement.
        CookieEchoed = "COOKIE_ECHOED",
        /// The program has closed it; some data is unacknowledged.
        ShutdownPending = "SHUTDOWN_PENDING",
        /// Has sent a SHUTDOWN and waits for the SHUTDOWN ACK.
        ShutdownSent = "SHUTDOWN_SENT",
        /// The peer has sent a SHUTDOWN; own data is unacknowledged.
        ShutdownReceived = "SHUTDOWN_RECEIVED",
        /// Has sent a SHUTDOWN ACK and waits for the SHUTDOWN COMPLETE.
        ShutdownAckSent = "SHUTDOWN_ACK_SENT",
        /// Closed first; the peer has not.
        PeerCloseWait1 = "PEER_CLOSE_WAIT_1",
        /// Closed first, for sending; the peer has sent all its data.
        PeerCloseWait2 = "PEER_CLOSE_WAIT_2",
        /// The peer has closed, the program has not.
        AppCloseWait1 = "APP_CLOSE_WAIT_1",
        /// The peer has closed; the program has closed for sending.
        AppCloseWait2 = "APP_CLOSE_WAIT_2",
        /// Both have closed, the program last.
        AppFinCloseWait = "APP_FIN_CLOSE_WAIT",
        /// Closed after the peer, whose end still exists.
        PeerFinCloseWait = "PEER_FIN_CLOSE_WAIT",
        /// Aborted by this end.
        PeerAbortWait = "PEER_ABORT_WAIT",
        /// Aborted by the peer; the program has not closed.
        ProcessAbort = "PROCESS_ABORT",
    }
}

/// The state of a socket: those of TCP (RFC 9293, section 3.3.2) and others.
///
/// ```
/// use lsock::State;
///
/// assert_eq!(State::CloseWait.to_string(), "CLOSE_WAIT");
/// assert_eq!(State::from_name("time-wait"), Some(State::TimeWait));
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// No connection. The kernel lists no such sockets; transitions begin and end here.
    Closed,
    /// Has a local port and neither connects nor listens (TCP).
    Bound,
    /// Waits for connections.
    Listen,
    /// Has sent a SYN and waits for the answer.
    SynSent,
    /// Has received a SYN, sent its own, and waits for the acknowledgement.
    SynRcvd,
    /// Open: data may flow both ways.
    Established,
    /// Closed first; its FIN is unacknowledged.
    FinWait1,
    /// Its FIN is acknowledged; the peer's has not arrived: can only receive.
    FinWait2,
    /// The peer has sent its FIN; the program has not closed: can only send.
    CloseWait,
    /// Both have sent a FIN; its own is unacknowledged.
    Closing,
    /// Closed after the peer; its FIN is unacknowledged.
    LastAck,
    /// Closed on both sides; waits 2·MSL for delayed segments.
    TimeWait,
    /// Unconnected, of a protocol without a handshake.
    #[default]
    Unconn,
    /// A state that TCP does not have.
    Other(OtherState),
    /// A code unknown to this version.
    Unknown(u8),
}

/// `TCP_NEW_SYN_RECV` (`include/net/tcp_states.h`): a request without a socket yet.
const NEW_SYN_RECV: u8 = 12;
/// `TCP_BOUND_INACTIVE` (Linux 6.8).
const BOUND_INACTIVE: u8 = 13;
/// `SO_ACCEPTCON` in the flags of `/proc/net/unix`.
const UNIX_ACCEPTCON: u32 = 0x1_0000;

impl State {
    /// Every state of TCP and of connectionless protocols, in the order of a connection's life.
    pub const NAMED: [Self; 13] = [
        Self::Closed,
        Self::Bound,
        Self::Listen,
        Self::SynSent,
        Self::SynRcvd,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::CloseWait,
        Self::Closing,
        Self::LastAck,
        Self::TimeWait,
        Self::Unconn,
    ];

    /// Every named state, including those that TCP does not have.
    pub fn all_named() -> impl Iterator<Item = Self> {
        Self::NAMED
            .into_iter()
            .chain(OtherState::ALL.map(Self::Other))
    }

    /// From the kernel's TCP code (`include/net/tcp_states.h`).
    ///
    /// Code 7 (`TCP_CLOSE`) is listed only for sockets with a port: BOUND.
    #[doc(hidden)]
    pub const fn from_tcp(code: u8) -> Self {
        match code {
            1 => Self::Established,
            2 => Self::SynSent,
            3 | NEW_SYN_RECV => Self::SynRcvd,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 | BOUND_INACTIVE => Self::Bound,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            other => Self::Unknown(other),
        }
    }

    /// From the kernel's MPTCP code. MPTCP lists no bound sockets: code 7 means closed.
    #[doc(hidden)]
    pub const fn from_mptcp(code: u8) -> Self {
        match code {
            7 => Self::Closed,
            other => Self::from_tcp(other),
        }
    }

    /// From the kernel's code for a protocol without a handshake (udp, raw, …), and from `unix_diag`: TCP's
    /// codes, where 7 means unconnected.
    #[doc(hidden)]
    pub const fn from_datagram(code: u8) -> Self {
        match code {
            7 => Self::Unconn,
            other => Self::from_tcp(other),
        }
    }

    /// From the kernel's code for an SCTP association (`enum sctp_state`, `include/linux/sctp.h`).
    #[doc(hidden)]
    pub fn from_sctp_association(code: u8) -> Self {
        match code {
            0 => Self::Closed,
            3 => Self::Established,
            other => {
                let place = other - if other < 3 { 1 } else { 2 };
                Self::other(other, place, OtherState::ShutdownAckSent)
            }
        }
    }

    /// From the kernel's code for SMC (`enum smc_state`, `net/smc/smc.h`).
    #[doc(hidden)]
    pub fn from_smc(code: u8) -> Self {
        match code {
            1 => Self::Established,
            2 => Self::Unconn,
            7 => Self::Closed,
            10 => Self::Listen,
            20.. => Self::other(code, code - 14, OtherState::ProcessAbort),
            other => Self::Unknown(other),
        }
    }

    /// The state at index `place` of [`OtherState::ALL`]; `Unknown` beyond `last`.
    fn other(code: u8, place: u8, last: OtherState) -> Self {
        let known = OtherState::ALL.get(usize::from(place));
        let known = known.filter(|state| **state <= last);
        known.map_or(Self::Unknown(code), |state| Self::Other(*state))
    }

    /// From `St` and `Flags` of `/proc/net/unix`: `socket_state` (`include/uapi/linux/net.h`).
    ///
    /// There 2 and 4 only mean that no program holds the socket: 2 is connected and waits for `accept`, 4 is
    /// unconnected (`unix_seq_show` in `net/unix/af_unix.c`).
    #[doc(hidden)]
    pub const fn from_unix_proc(code: u8, flags: u32) -> Self {
        match code {
            _ if flags & UNIX_ACCEPTCON != 0 => Self::Listen,
            1 | 4 => Self::Unconn,
            2 | 3 => Self::Established,
            other => Self::Unknown(other),
        }
    }

    /// From `ndiag_state`: `NETLINK_UNCONNECTED` 0, `NETLINK_CONNECTED` 1 (`net/netlink/af_netlink.c`), or 7,
    /// `TCP_CLOSE`, before the first connect.
    #[doc(hidden)]
    pub const fn from_netlink(code: u8) -> Self {
        match code {
            0 | 7 => Self::Unconn,
            1 => Self::Established,
            other => Self::Unknown(other),
        }
    }

    /// True if such a socket is only bound, or waits for peers.
    #[doc(hidden)]
    pub const fn is_bound(self) -> bool {
        matches!(self, Self::Bound | Self::Listen | Self::Unconn)
    }

    /// Its position in the order of a connection's life, and its name.
    const fn place(self) -> (u16, &'static str) {
        match self {
            Self::Closed => (0, "CLOSED"),
            Self::Bound => (1, "BOUND"),
            Self::Listen => (2, "LISTEN"),
            Self::SynSent => (3, "SYN_SENT"),
            Self::SynRcvd => (4, "SYN_RCVD"),
            Self::Established => (5, "ESTABLISHED"),
            Self::FinWait1 => (6, "FIN_WAIT_1"),
            Self::FinWait2 => (7, "FIN_WAIT_2"),
            Self::CloseWait => (8, "CLOSE_WAIT"),
            Self::Closing => (9, "CLOSING"),
            Self::LastAck => (10, "LAST_ACK"),
            Self::TimeWait => (11, "TIME_WAIT"),
            Self::Unconn => (12, "UNCONN"),
            Self::Unknown(_) => (13, "UNKNOWN"),
            #[expect(clippy::as_conversions, reason = "the place in a list")]
            Self::Other(state) => (14 + state as u16, state.name()),
        }
    }

    /// The name in every format, without the number of an unknown one.
    pub const fn name(self) -> &'static str {
        self.place().1
    }

    /// The state with this name, in any case, with or without `-` and `_`, or as another tool spells it.
    pub fn from_name(name: &str) -> Option<Self> {
        let own = Self::all_named().map(|state| (state.name(), state));
        let mut all = own.chain(OTHER_NAMES);
        let known = all.find(|(known, _)| plain(known).eq(plain(name)));
        let unknown = || {
            let upper = name.to_ascii_uppercase();
            let code = upper.strip_prefix("UNKNOWN(")?.strip_suffix(')')?;
            Some(Self::Unknown(code.parse().ok()?))
        };
        known.map(|(_, state)| state).or_else(unknown)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(code) => f.pad(&format!("UNKNOWN({code})")),
            known => f.pad(known.name()),
        }
    }
}

/// Spellings of other tools and the kernel.
const OTHER_NAMES: [(&str, State); 8] = [
    ("CLOSE", State::Closed),
    ("BOUND_INACTIVE", State::Bound),
    ("LISTENING", State::Listen),
    ("SYN_RECV", State::SynRcvd),
    ("NEW_SYN_RECV", State::SynRcvd),
    ("ESTAB", State::Established),
    // SCTP.
    ("ACK_SENT", State::Other(OtherState::ShutdownAckSent)),
    ("UNCONNECTED", State::Unconn),
];

/// The significant letters of a name.
fn plain(name: &str) -> impl Iterator<Item = u8> {
    let letters = name.bytes().filter(|byte| !matches!(byte, b'-' | b'_'));
    letters.map(|byte| byte.to_ascii_uppercase())
}

/// A set of states; all unknown ones count as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateSet(u32);

impl StateSet {
    /// The empty set.
    pub const EMPTY: Self = Self(0);
    /// Every state, including the unknown ones.
    pub const ALL: Self = Self((1 << (14 + OtherState::ALL.len())) - 1);
    /// Every state of TCP and of connectionless protocols, including the unknown ones.
    pub const OF_TCP: Self = Self(0x3fff);
    /// The states that TCP does not have.
    pub const OTHER: Self = Self(Self::ALL.0 & !Self::OF_TCP.0);
    /// The states of connections that the program has closed and the kernel has not.
    pub const ORPHANED: Self = Self::EMPTY
        .with(State::FinWait1)
        .with(State::FinWait2)
        .with(State::Closing)
        .with(State::LastAck);

    const fn bit(state: State) -> u32 {
        1 << state.place().0
    }

    /// Adds a state.
    #[must_use]
    pub const fn with(self, state: State) -> Self {
        Self(self.0 | Self::bit(state))
    }

    /// Removes a state.
    #[must_use]
    pub const fn without(self, state: State) -> Self {
        Self(self.0 & !Self::bit(state))
    }

    /// The states in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The states in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The states not in the set.
    #[must_use]
    pub const fn complement(self) -> Self {
        Self(Self::ALL.0 & !self.0)
    }

    /// True if the state is in the set.
    pub const fn contains(self, state: State) -> bool {
        self.0 & Self::bit(state) != 0
    }

    /// The mask of kernel codes that covers the set, for `idiag_states` and the like. It may cover more; all
    /// ones for the full set, so that codes of later kernels are included.
    pub fn kernel_mask(self) -> u32 {
        if self == Self::ALL {
            return u32::MAX;
        }
        let readers = [State::from_tcp, State::from_mptcp, State::from_datagram];
        let holds = |code: &u8| {
            readers
                .iter()
                .any(|state_of| self.contains(state_of(*code)))
        };
        (0..32).filter(holds).fold(0, |mask, code| mask | 1 << code)
    }
}

#[cfg(test)]
mod tests;
