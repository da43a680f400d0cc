//! What was sent and does not get through.

use crate::model::{BACKOFF, RETRANSMITS, Socket, TimerKind};
use crate::source::Extensions;

/// What a look must ask for: `tcp_info` tells how long a window has been closed.
pub(super) const WANTED: Extensions = Extensions {
    info: true,
    proc_net: false,
    memory: false,
    unix_peers: false,
};

/// How long it has been so, as a filter says it.
pub(super) fn filter(timer: TimerKind) -> String {
    match timer {
        TimerKind::Probe => format!("timer = probe and tcp_info.backoff >= {BACKOFF}"),
        other => format!(
            "timer = {} and timer.retransmits >= {RETRANSMITS}",
            other.name()
        ),
    }
}

/// It was sent again and again, or the window of the peer stays closed.
pub(super) fn is_stuck(socket: &Socket) -> bool {
    let is_probing = socket.timer.is_some_and(|t| t.kind == TimerKind::Probe);
    let backoff = socket.tcp_info().and_then(|info| info.value("backoff"));
    socket.is_held_up() && (!is_probing || backoff.is_some_and(|backoff| backoff >= BACKOFF))
}
