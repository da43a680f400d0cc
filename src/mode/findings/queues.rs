//! Queues that do not empty.

use crate::model::{
    Counts, Finding, Kind, Protocol, RETRANSMITS, Socket, State, StateSet, TimerKind, UNREAD,
    UNREAD_FOR_MS,
};
use crate::text::{bytes, millis};

use super::look::{Found, Look, Looker};
use super::who::{groups, names};
use super::{finding, many, number, stuck};

/// Those with data under way.
const OPEN: StateSet = StateSet::EMPTY
    .with(State::Established)
    .with(State::CloseWait)
    .with(State::FinWait1);

pub(super) fn find(looker: &mut Looker<'_>, counts: &Counts, out: &mut Vec<Finding>) {
    if counts.unread > 0 {
        unread(looker, out);
    }
    if counts.held_up > 0 {
        unsent(looker, out);
    }
}

/// Much waits, and has waited for long.
fn is_unread(socket: &Socket) -> bool {
    let idle = socket
        .tcp_info()
        .and_then(|info| info.value("last_data_recv"));
    socket.is_unread() && idle.is_some_and(|idle| idle >= UNREAD_FOR_MS)
}

fn unread(looker: &mut Looker<'_>, out: &mut Vec<Finding>) {
    let states = OPEN.with(State::FinWait2);
    let look = Look {
        wanted: stuck::WANTED,
        ..Look::tcp(states)
    };
    let found = looker.look(look, &is_unread);
    for group in groups(&found) {
        let count = group.sockets.len();
        let own = format!(
            "recv_queue >= {UNREAD} and tcp_info.last_data_recv >= {UNREAD_FOR_MS}ms and {}",
            group.who.filter()
        );
        let sockets = looker.filter(Protocol::Tcp, &own);
        out.extend(finding(Kind::ReceiveQueue, many(count), (count, sockets), || {
            let waiting = group.sockets.iter().map(|found| found.socket.recv_queue);
            let waiting: u64 = waiting.map(|bytes| u64::from(bytes.unwrap_or_default())).sum();
            format!(
                "{} does not read: {} waits on {}, and nothing more has come for {}. The program hangs, \
                 or waits for something else first.",
                group.who.words(),
                bytes(waiting),
                number(count, "connection"),
                millis(UNREAD_FOR_MS),
            )
        }));
    }
}

fn unsent(looker: &mut Looker<'_>, out: &mut Vec<Finding>) {
    let look = Look {
        wanted: stuck::WANTED,
        ..Look::tcp(OPEN)
    };
    let found = looker.look(look, &|socket| {
        stuck::is_stuck(socket) && socket.send_queue.is_some_and(|bytes| bytes > 0)
    });
    let probing = |found: &Found| {
        found
            .socket
            .timer
            .is_some_and(|t| t.kind == TimerKind::Probe)
    };
    let (probing, sending): (Vec<Found>, Vec<Found>) = found.into_iter().partition(probing);
    for (kind, timer, found) in [
        (Kind::PeerWindow, TimerKind::Probe, probing),
        (Kind::SendQueue, TimerKind::Retransmit, sending),
    ] {
        let count = found.len();
        let own = format!(
            "state established,close-wait,fin-wait-1 and send_queue > 0 and {}",
            stuck::filter(timer),
        );
        let sockets = looker.filter(Protocol::Tcp, &own);
        out.extend(finding(kind, many(count), (count, sockets), || {
            let waiting = found.iter().map(|found| found.socket.send_queue);
            let waiting: u64 = waiting.map(|bytes| u64::from(bytes.unwrap_or_default())).sum();
            let what = format!(
                "{} on {} of {} cannot be sent",
                bytes(waiting),
                number(count, "connection"),
                names(&found),
            );
            match kind {
                Kind::PeerWindow => format!(
                    "{what}: the window of the peer is closed, and the persist timer probes it. The \
                     program at the other end does not read: look there."
                ),
                _ => format!(
                    "{what}: sent {} times or more without an acknowledgement. The peer or the way to \
                     it is gone; the kernel gives up after tcp_retries2.",
                    RETRANSMITS + 1,
                ),
            }
        }));
    }
}
