//! The TCP state machine: which step leads from where to where (RFC 9293, figure 5, as Linux makes
//! the steps), and what is to be said of each state.

mod explanation;

pub use explanation::{EXPLANATIONS, Explanation};

use super::State::{
    self, Bound, CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, Listen,
    SynRcvd, SynSent, TimeWait, Unconn,
};

/// One step of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    /// Where it begins.
    pub from: State,
    /// Where it leads.
    pub to: State,
    /// The segments or system calls that make it happen: `receive FIN, send ACK`.
    pub cause: &'static str,
    /// The words for it as it happens: `handshake 1/3: SYN sent`.
    pub step: &'static str,
}

const fn step([from, to]: [State; 2], cause: &'static str, step: &'static str) -> Transition {
    Transition {
        from,
        to,
        cause,
        step,
    }
}

/// Every step, in the order of a connection's life; of several between the same states the usual one
/// is the first.
///
/// The kernel has one code for CLOSED, BOUND and UNCONN, and reports no step between them. It goes
/// from `FIN_WAIT_1` to `TIME_WAIT` in two steps at once, by way of `FIN_WAIT_2`. Where `TIME_WAIT`
/// begins it reports a step to CLOSED, since a smaller structure takes over from the socket.
pub const TRANSITIONS: &[Transition] = &[
    step([Closed, Bound], "bind(2)", "port bound"),
    step(
        [Closed, Listen],
        "listen(2); the kernel chooses the port",
        "begins to listen",
    ),
    step([Bound, Listen], "listen(2)", "begins to listen"),
    step(
        [Closed, SynSent],
        "connect(2): send SYN",
        "handshake 1/3: SYN sent",
    ),
    step(
        [Bound, SynSent],
        "connect(2): send SYN",
        "handshake 1/3: SYN sent",
    ),
    // The listener stays; the kernel reports the step of the new socket.
    step(
        [Listen, SynRcvd],
        "receive SYN, send SYN and ACK: a new socket, the listener stays",
        "handshake 2/3: SYN received, SYN and ACK sent",
    ),
    step(
        [SynSent, SynRcvd],
        "receive SYN without ACK, send SYN and ACK (simultaneous open)",
        "simultaneous open: SYN received, SYN and ACK sent",
    ),
    step(
        [SynSent, Established],
        "receive SYN and ACK, send ACK",
        "handshake 3/3: SYN and ACK received, ACK sent, open both ways",
    ),
    step(
        [SynRcvd, Established],
        "receive ACK; with TCP_DEFER_ACCEPT, the first data",
        "handshake 3/3: ACK received, open both ways",
    ),
    step(
        [SynRcvd, FinWait1],
        "close(2) or shutdown(2) of sending: send FIN; only after a simultaneous open or with TCP Fast Open, otherwise no program has the socket yet",
        "close 1/4: FIN sent, can only receive",
    ),
    step(
        [Established, FinWait1],
        "close(2) or shutdown(2) of sending: send FIN",
        "close 1/4: FIN sent, can only receive",
    ),
    step(
        [Established, CloseWait],
        "receive FIN, send ACK",
        "close 2/4: FIN received and acknowledged, half-closed: can only send",
    ),
    step(
        [FinWait1, FinWait2],
        "receive ACK of FIN",
        "close 2/4: FIN acknowledged, half-closed: can only receive",
    ),
    step(
        [FinWait1, Closing],
        "receive FIN, send ACK (simultaneous close)",
        "simultaneous close: FIN received and acknowledged, its own is not, closed both ways",
    ),
    step(
        [FinWait1, TimeWait],
        "receive FIN and ACK of FIN in one segment, send ACK",
        "close 4/4: FIN received and acknowledged, 2·MSL begins",
    ),
    step(
        [FinWait2, TimeWait],
        "receive FIN, send ACK",
        "close 4/4: FIN received and acknowledged, 2·MSL begins",
    ),
    step(
        [Closing, TimeWait],
        "receive ACK of FIN",
        "simultaneous close: FIN acknowledged, 2·MSL begins",
    ),
    step(
        [CloseWait, LastAck],
        "close(2) or shutdown(2) of sending: send FIN",
        "close 3/4: FIN sent, closed both ways",
    ),
    step(
        [LastAck, Closed],
        "receive ACK of FIN",
        "close 4/4: FIN acknowledged",
    ),
    step([TimeWait, Closed], "2·MSL are over", "2·MSL over"),
    // What ends without the handshake of the close.
    step([Bound, Closed], "close(2)", "closed"),
    step(
        [Listen, Closed],
        "close(2), or shutdown(2) of receiving; connections not accepted yet are reset",
        "no longer listens",
    ),
    step(
        [SynSent, Closed],
        "receive RST (connection refused) or ICMP unreachable; no answer to any SYN (timed out); close(2)",
        "connection refused, timed out or given up",
    ),
    step(
        [SynRcvd, Closed],
        "receive RST; no ACK (timed out); the listener is closed",
        "handshake broken off: reset or timed out",
    ),
    step(
        [Established, Closed],
        "receive RST; no ACK of data or of keepalive probes (timed out); close(2) with data unread or with SO_LINGER 0: send RST",
        ABORTED,
    ),
    step(
        [FinWait1, Closed],
        "receive RST; no ACK of FIN (timed out); data arrives after close(2): send RST",
        ABORTED,
    ),
    step(
        [FinWait2, Closed],
        "no FIN comes after close(2) (tcp_fin_timeout); receive RST; data arrives after close(2): send RST",
        ABORTED,
    ),
    step(
        [CloseWait, Closed],
        "receive RST; no ACK of data (timed out); close(2) with data unread or with SO_LINGER 0: send RST",
        ABORTED,
    ),
    step(
        [Closing, Closed],
        "receive RST; no ACK of FIN (timed out)",
        ABORTED,
    ),
    step(
        [LastAck, Closed],
        "receive RST; no ACK of FIN (timed out)",
        ABORTED,
    ),
    step(
        [TimeWait, Closed],
        "a new connection takes the ports: SYN received beyond the old sequence numbers, or connect(2) with tcp_tw_reuse; receive RST, unless tcp_rfc1337 is set",
        "ended before 2·MSL were over",
    ),
    // Protocols without a handshake.
    step([Closed, Unconn], "socket(2)", "socket made"),
    step(
        [Unconn, Established],
        "connect(2): no packet is sent for UDP and raw sockets",
        "connected",
    ),
    step([Unconn, Listen], "listen(2) (unix)", "begins to listen"),
    step(
        [Established, Unconn],
        "connect(2) to AF_UNSPEC (UDP, raw)",
        "connection dissolved",
    ),
    step([Unconn, Closed], "close(2)", "closed"),
];

/// The words for an end from any state but by the handshake of the close.
const ABORTED: &str = "aborted: reset or timed out";

/// The step between two states, the usual one if there are several; `None` = the machine has none.
///
/// CLOSED can be reached from every named state, if by nothing else then by an abort.
pub fn transition(from: State, to: State) -> Option<&'static Transition> {
    TRANSITIONS
        .iter()
        .find(|step| step.from == from && step.to == to)
}

/// The steps that a TCP socket made on every way from one state to another, in their order, as what it
/// left and where it arrived. The last of them leads to `to`; `None` where nobody knows from where.
/// Whoever saw the socket in the one state and later, with the same ends, in the other knows that it
/// made these.
///
/// BOUND does not appear: the kernel's code for it is that of CLOSED.
pub fn steps(from: State, to: State) -> Vec<(Option<State>, State)> {
    let mut ways = ways(from, to);
    let mut certain = ways.pop().unwrap_or_default();
    certain.retain(|step| ways.iter().all(|way| way.contains(step)));
    let mut steps: Vec<_> = certain.iter().map(|s| (Some(s.from), s.to)).collect();
    if steps.last().is_none_or(|(_, last)| *last != to) {
        steps.push((None, to));
    }
    steps
}

/// Can a TCP socket come from one state to another within one life, that is, without being CLOSED in
/// between? Of a state that this version does not know, nothing is denied.
pub fn can_follow(from: State, to: State) -> bool {
    let is_known = |state| !matches!(state, State::Unknown(_));
    from == to || !is_known(from) || !is_known(to) || !ways(from, to).is_empty()
}

/// The ways of a TCP socket from one state to another that pass no state twice and begin no other life.
fn ways(from: State, to: State) -> Vec<Vec<&'static Transition>> {
    let mut ways = Vec::new();
    let mut begun: Vec<Vec<&Transition>> = vec![Vec::new()];
    while let Some(way) = begun.pop() {
        let here = way.last().map_or(from, |step| step.to);
        if here == to {
            ways.push(way);
        } else if here != Closed || way.is_empty() {
            let is_passed = |state| state == from || way.iter().any(|step| step.to == state);
            let steps = TRANSITIONS.iter().filter(|step| step.from == here);
            let steps = steps.filter(|step| is_of_tcp(step) && !is_passed(step.to));
            begun.extend(steps.map(|step| [way.as_slice(), &[step]].concat()));
        }
    }
    ways
}

/// Does a TCP socket make this step itself? The listener stays where it is.
fn is_of_tcp(step: &Transition) -> bool {
    let ends = [step.from, step.to];
    let is_usual = transition(step.from, step.to) == Some(step);
    is_usual && ends != [Listen, SynRcvd] && !ends.iter().any(|s| [Bound, Unconn].contains(s))
}

#[cfg(test)]
mod tests;
