//! The running timer of a socket.

use super::named;

named! {
    /// The kind of a timer.
    pub enum TimerKind {
        /// Retransmission: a segment is unacknowledged.
        Retransmit = "retransmit",
        /// Keepalive, or another timer of an idle connection.
        Keepalive = "keepalive",
        /// The rest of 2·MSL.
        TimeWait = "time_wait",
        /// Persist timer: the peer's window is closed.
        Probe = "probe",
        /// Delayed acknowledgement.
        DelayedAck = "delayed_ack",
    }
}

impl TimerKind {
    /// From `idiag_timer`, or the field `tr` of `/proc/net/tcp`; `None` for 0 and unknown codes.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Retransmit),
            2 => Some(Self::Keepalive),
            3 => Some(Self::TimeWait),
            4 => Some(Self::Probe),
            5 => Some(Self::DelayedAck),
            _ => None,
        }
    }
}

/// A running timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    pub kind: TimerKind,
    /// Milliseconds until it expires.
    pub expires_ms: u32,
    /// Unanswered retransmissions or probes.
    pub retransmits: u8,
}
