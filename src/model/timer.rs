//! The timer that runs for a socket.

use super::named;

named! {
    /// Which timer.
    pub enum TimerKind {
        /// A segment waits for its acknowledgement.
        Retransmit = "retransmit",
        /// Keepalive, or another timer that runs while the connection is idle.
        Keepalive = "keepalive",
        /// The rest of 2·MSL.
        TimeWait = "time_wait",
        /// The peer's window is closed and is probed (persist timer).
        Probe = "probe",
        /// An acknowledgement is put off, to be sent with data.
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
    /// Which one.
    pub kind: TimerKind,
    /// Milliseconds until it fires.
    pub expires_ms: u32,
    /// Segments sent again, or probes sent, without an answer.
    pub retransmits: u8,
}
