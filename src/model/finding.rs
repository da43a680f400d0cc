//! What is wrong, found in the sockets.

use std::fmt;

/// How grave a finding is; a graver one is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; it may be meant so.
    Info,
    /// Something does not go as it should, or soon will not.
    Warning,
    /// Connections fail, or are about to.
    Critical,
}

impl Severity {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What kind of trouble it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A process does not close connections that its peers have closed.
    CloseWait,
    /// A process waits for peers that do not close their direction.
    HalfClosed,
    /// Connections that nobody holds wait for the FIN of their peers.
    HalfClosedOrphans,
    /// A listener does not accept.
    AcceptQueue,
    /// Handshakes are not completed by the clients.
    SynRcvd,
    /// A peer does not answer.
    SynSent,
    /// The ports towards one destination run out.
    EphemeralPorts,
    /// Closed sockets near the limit of the kernel.
    Orphans,
    /// The last FIN is not acknowledged.
    ClosingStuck,
    /// Nobody reads what has arrived.
    ReceiveQueue,
    /// The peer takes nothing more.
    PeerWindow,
    /// What was sent is not acknowledged.
    SendQueue,
    /// Datagrams were dropped for want of room.
    UdpDrops,
    /// A port is listened on by every address and, apart, by loopback.
    WildcardAndLoopback,
}

/// From how much on there is a finding, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// What it is of.
    pub kind: Kind,
    /// How grave it is from there on.
    pub severity: Severity,
    /// So much or more.
    pub least: u64,
    /// Of what.
    pub unit: &'static str,
    /// Why so much, and not less.
    pub reason: &'static str,
}

impl Kind {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloseWait => "close_wait",
            Self::HalfClosed => "half_closed",
            Self::HalfClosedOrphans => "half_closed_orphans",
            Self::AcceptQueue => "accept_queue",
            Self::SynRcvd => "syn_rcvd",
            Self::SynSent => "syn_sent",
            Self::EphemeralPorts => "ephemeral_ports",
            Self::Orphans => "orphans",
            Self::ClosingStuck => "closing_stuck",
            Self::ReceiveQueue => "receive_queue",
            Self::PeerWindow => "peer_window",
            Self::SendQueue => "send_queue",
            Self::UdpDrops => "udp_drops",
            Self::WildcardAndLoopback => "wildcard_and_loopback",
        }
    }

    /// How grave so much of it is; `None` = it is no finding.
    pub fn severity(self, amount: u64) -> Option<Severity> {
        let reached = THRESHOLDS
            .iter()
            .filter(|threshold| threshold.kind == self && amount >= threshold.least);
        reached.map(|threshold| threshold.severity).max()
    }

    /// The least that makes a finding.
    pub fn least(self) -> u64 {
        let own = THRESHOLDS.iter().filter(|threshold| threshold.kind == self);
        own.map(|threshold| threshold.least)
            .min()
            .unwrap_or(u64::MAX)
    }
}

/// A connection is stuck if it was sent again so often: over a second and a half, for each pause is
/// twice the one before it and the first is 200 ms. A lost segment takes one or two.
pub const RETRANSMITS: u8 = 3;

/// A window stays closed if it was probed so often: each pause is twice the one before it, too, though
/// every probe is answered. `icsk_backoff` in the kernel.
pub const BACKOFF: u64 = 3;

/// Nobody answers a SYN that was sent again so often: two seconds, or three on older kernels. A reply
/// over any distance comes within one.
pub const SYN_RETRANSMITS: u8 = 2;

/// Bytes that wait to be read. A program may leave the rest of a message for later, but not this much.
pub const UNREAD: u32 = 16 * 1024;

/// So long nothing more has arrived, in milliseconds, and what waits still was not read.
pub const UNREAD_FOR_MS: u64 = 5_000;

/// All thresholds.
pub const THRESHOLDS: &[Threshold] = &[
    Threshold {
        kind: Kind::CloseWait,
        severity: Severity::Warning,
        least: 20,
        unit: "connections of one process",
        reason: "a program closes soon after it has read the end: some are seen in passing, not 20 at once",
    },
    Threshold {
        kind: Kind::CloseWait,
        severity: Severity::Critical,
        least: 1_000,
        unit: "connections of one process",
        reason: "1024 is the usual limit of descriptors: there the program can open nothing more",
    },
    Threshold {
        kind: Kind::HalfClosed,
        severity: Severity::Warning,
        least: 20,
        unit: "connections of one process",
        reason: "no timer ends them; a few may be meant so, as while a peer still answers",
    },
    Threshold {
        kind: Kind::HalfClosedOrphans,
        severity: Severity::Warning,
        least: 100,
        unit: "connections",
        reason: "each lasts tcp_fin_timeout at the most; so many come from peers that do not close",
    },
    Threshold {
        kind: Kind::AcceptQueue,
        severity: Severity::Warning,
        least: 75,
        unit: "% of the accept queue, which takes backlog + 1",
        reason: "a program that accepts keeps its queue nearly empty",
    },
    Threshold {
        kind: Kind::AcceptQueue,
        severity: Severity::Critical,
        least: 100,
        unit: "% of the accept queue, which takes backlog + 1",
        reason: "the kernel drops the handshakes that come next",
    },
    Threshold {
        kind: Kind::SynRcvd,
        severity: Severity::Warning,
        least: 64,
        unit: "handshakes on one port",
        reason: "a handshake takes a round trip: so many at once come from clients that do not answer",
    },
    Threshold {
        kind: Kind::SynRcvd,
        severity: Severity::Critical,
        least: 1_024,
        unit: "handshakes on one port",
        reason: "about where tcp_max_syn_backlog drops them, or cookies begin, on usual machines",
    },
    Threshold {
        kind: Kind::SynSent,
        severity: Severity::Warning,
        least: 1,
        unit: "connections to one peer, their SYN sent 3 times or more",
        reason: "a reply over any distance comes within a second",
    },
    Threshold {
        kind: Kind::EphemeralPorts,
        severity: Severity::Warning,
        least: 75,
        unit: "% of the ports towards one destination, most in TIME_WAIT",
        reason: "the rest is used up within 15 s at the pace that brought it there",
    },
    Threshold {
        kind: Kind::EphemeralPorts,
        severity: Severity::Critical,
        least: 95,
        unit: "% of the ports towards one destination, most in TIME_WAIT",
        reason: "connect begins to search long, and to fail with EADDRNOTAVAIL",
    },
    Threshold {
        kind: Kind::Orphans,
        severity: Severity::Warning,
        least: 50,
        unit: "% of tcp_max_orphans",
        reason: "the kernel counts busy orphans twice: from here on it may reset them",
    },
    Threshold {
        kind: Kind::Orphans,
        severity: Severity::Critical,
        least: 90,
        unit: "% of tcp_max_orphans",
        reason: "beyond the limit every further one is reset, and what it had to send is lost",
    },
    Threshold {
        kind: Kind::ClosingStuck,
        severity: Severity::Warning,
        least: 1,
        unit: "connections in LAST_ACK or CLOSING, their FIN sent 4 times or more, or kept back by a window probed 3 times",
        reason: "a lost FIN takes one or two; more than three take the peer",
    },
    Threshold {
        kind: Kind::ReceiveQueue,
        severity: Severity::Warning,
        least: 1,
        unit: "connections of one process with 16 KiB or more unread, for 5 s or longer",
        reason: "a program that works reads within milliseconds",
    },
    Threshold {
        kind: Kind::PeerWindow,
        severity: Severity::Warning,
        least: 1,
        unit: "connections with data whose closed window was probed 3 times or more",
        reason: "a peer that reads opens its window before the third",
    },
    Threshold {
        kind: Kind::SendQueue,
        severity: Severity::Warning,
        least: 1,
        unit: "connections with data sent 4 times or more",
        reason: "a lost segment takes one or two; more than three take the way or the peer",
    },
    Threshold {
        kind: Kind::UdpDrops,
        severity: Severity::Warning,
        least: 100,
        unit: "datagrams of one socket, since it was opened",
        reason: "some are lost in the bursts of a long life; more are the rule of a slow reader",
    },
    Threshold {
        kind: Kind::WildcardAndLoopback,
        severity: Severity::Info,
        least: 1,
        unit: "ports",
        reason: "who connects decides by the address which program answers: seldom meant so",
    },
];

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub kind: Kind,
    /// How grave it is.
    pub severity: Severity,
    /// How many sockets it is about.
    pub count: u64,
    /// A filter that lists exactly these, with `-a`.
    pub sockets: String,
    /// Numbers, processes and what to do, in a sentence or two; clean text.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::{Kind, Severity, THRESHOLDS};

    #[test]
    fn a_threshold_is_reached_at_its_number() {
        for threshold in THRESHOLDS {
            let below = threshold.least - 1;
            let (kind, severity) = (threshold.kind, threshold.severity);
            assert_eq!(
                kind.severity(threshold.least),
                Some(severity),
                "{threshold:?}"
            );
            assert!(kind.severity(below) < Some(severity), "{threshold:?}");
        }
    }

    #[test]
    fn graver_is_greater_and_more() {
        assert!(Severity::ALL.is_sorted());
        let grave = |kind: Kind| THRESHOLDS.iter().filter(move |t| t.kind == kind);
        for threshold in THRESHOLDS {
            let mut same = grave(threshold.kind);
            assert!(same.all(|other| {
                (other.severity > threshold.severity) == (other.least > threshold.least)
            }));
        }
    }
}
