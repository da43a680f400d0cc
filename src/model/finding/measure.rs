//! What findings measure: queues, ports and orphans against the limits of the kernel.

use super::super::{Socket, State};
use super::group::{Found, Group};
use crate::text::bytes;

/// Limits and counters of the kernel.
pub trait Limits {
    /// The numbers of a key below `/proc/sys/net`; `None` = this kernel, or this namespace, has none.
    fn numbers(&self, key: &str) -> Option<Vec<u64>>;

    /// Orphans of the whole machine.
    fn orphans(&self) -> Option<u64>;

    /// Datagrams dropped because a socket had no room, in this namespace.
    fn udp_without_room(&self) -> u64;

    /// The first of these numbers.
    fn number(&self, key: &str) -> Option<u64> {
        self.numbers(key)?.first().copied()
    }

    /// The ports that the kernel chooses from: first, last, and how many.
    fn ephemeral(&self) -> Option<[u64; 3]> {
        let range: [u64; 2] = self.numbers("ipv4/ip_local_port_range")?.try_into().ok()?;
        let [first, last] = range;
        (first <= last).then(|| [first, last, (last - first).saturating_add(1)])
    }
}

/// From this share of its accept queue on a listener is nearly full, in percent.
pub(super) const NEARLY_FULL: u64 = 75;

/// How much of its accept queue is in use, in percent; 0 where that is not told. The queue takes one
/// connection more than the backlog: `sk_acceptq_is_full`, `unix_recvq_full` in the kernel.
pub(super) fn queue_in_use(socket: &Socket) -> u64 {
    match (socket.recv_queue, socket.send_queue) {
        (Some(waiting), Some(backlog)) if socket.state == State::Listen => {
            u64::from(waiting) * 100 / (u64::from(backlog) + 1)
        }
        _ => 0,
    }
}

/// In percent of the ports that the kernel chooses from.
pub(super) fn ports_in_use(count: u64, limits: &dyn Limits) -> u64 {
    let size = limits.ephemeral().map(|[_, _, size]| size);
    size.map_or(0, |size| count.saturating_mul(100) / size)
}

/// In percent of the limit; 0 where that is not told.
pub(super) fn orphans_of_limit(limits: &dyn Limits) -> u64 {
    match (limits.orphans(), limits.number("ipv4/tcp_max_orphans")) {
        (Some(all), Some(most)) => all.saturating_mul(100) / most.max(1),
        _ => 0,
    }
}

pub(super) fn drops(socket: &Socket) -> u64 {
    let drops = socket.memory().and_then(|memory| memory.drops);
    drops.map(u64::from).unwrap_or_default()
}

/// The receive queue; 0 where that is not told.
pub(super) fn unread(socket: &Socket) -> u64 {
    socket.recv_queue.unwrap_or_default().into()
}

/// The send queue; 0 where that is not told.
pub(super) fn unsent(socket: &Socket) -> u64 {
    socket.send_queue.unwrap_or_default().into()
}

/// What of a group cannot be sent, whose it is, and why.
pub(super) fn cannot_be_sent(group: &Group<'_>, why: &str) -> String {
    format!(
        "{} on {} of {} cannot be sent: {why}",
        bytes(group.sum(unsent)),
        group.number("connection"),
        group.holders(),
    )
}

/// Listeners at loopback, and at every address.
pub(super) fn places<'f>(group: &Group<'f>) -> [Vec<&'f Found>; 2] {
    let is_loopback = |found: &&Found| {
        let ip = found.socket.local.ip;
        ip.is_some_and(|ip| ip.to_canonical().is_loopback())
    };
    let (loopback, wildcard) = group.related.iter().copied().partition(is_loopback);
    [loopback, wildcard]
}
