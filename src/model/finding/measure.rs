//! Values that findings compare with thresholds: queues, ports, descriptors and orphans.

use std::collections::BTreeSet;

use super::super::{Counts, Socket, State};
use super::group::{Found, Group, Holder};
use super::limits::Limits;

/// Share of its accept queue, in percent, from which a listener is nearly full.
pub(super) const NEARLY_FULL: u64 = 75;

/// Share of the accept queue in use, in percent; 0 if not reported. The queue takes one connection more than
/// the backlog: `sk_acceptq_is_full`, `unix_recvq_full` in the kernel.
pub(super) fn queue_in_use(socket: &Socket) -> u64 {
    match (socket.recv_queue, socket.send_queue) {
        (Some(waiting), Some(backlog)) if socket.state == State::Listen => {
            u64::from(waiting) * 100 / (u64::from(backlog) + 1)
        }
        _ => 0,
    }
}

/// True if a listener's accept queue is nearly full; `None` = not reported.
pub(super) fn is_nearly_full(socket: &Socket) -> Option<bool> {
    match (socket.recv_queue, socket.send_queue) {
        (Some(0), _) => Some(false),
        (Some(_), Some(_)) => Some(queue_in_use(socket) >= NEARLY_FULL),
        _ => None,
    }
}

/// True if the fullest listener matches, or may match.
pub(super) fn is_fullest(counts: &Counts, such: fn(&Socket) -> bool) -> bool {
    let fullest = counts.listeners.fullest.first();
    counts.listeners.count > 0 && fullest.is_none_or(|row| such(row.row().socket))
}

/// Overflows of accept queues in this network namespace.
pub(super) fn overflows(limits: &dyn Limits) -> u64 {
    let counter = limits.counter("netstat", "TcpExt", "ListenOverflows");
    counter.unwrap_or_default()
}

/// Share of the ephemeral ports, in percent.
pub(super) fn ports_in_use(count: u64, limits: &dyn Limits) -> u64 {
    let size = limits.ephemeral().map(|ports| ports.size());
    size.map_or(0, |size| count.saturating_mul(100) / size)
}

/// Likewise of all ports in use, or slightly more, including those of bound sockets that are not listed.
pub(super) fn most_ports_in_use(counts: &Counts, limits: &dyn Limits) -> u64 {
    let Some(range) = limits.ephemeral() else {
        return 0;
    };
    let listed = counts.ports_in(range.first, range.last);
    ports_in_use(listed.saturating_add(limits.sockets_in_no_table()), limits)
}

/// True if a process has no descriptor left; `None` = unknown.
fn is_at_limit(holder: &Holder, limits: &dyn Limits) -> Option<bool> {
    match holder {
        Holder::Process(pid, ..) => match limits.most_descriptors(*pid) {
            Some(most) => Some(limits.descriptors(*pid)? >= most),
            // The limit may be "unlimited".
            None => limits.text(&format!("{pid}/limits")).map(|_| false),
        },
        Holder::Unreadable(_) => None,
        Holder::Nobody => Some(false),
    }
}

/// The holders of a group (the same for each socket) for which `is_at_limit` has this value.
pub(super) fn holders_of<'f>(
    group: &Group<'f>,
    limits: &dyn Limits,
    at_limit: Option<bool>,
) -> Vec<&'f Holder> {
    let holders = group.sockets.first().map(|found| found.holders.iter());
    let holders = holders.into_iter().flatten();
    let such = holders.filter(|holder| is_at_limit(holder, limits) == at_limit);
    such.collect()
}

/// Share of the holders without a descriptor left, in percent; at least 1 if there is any.
pub(super) fn at_their_limit(group: &Group<'_>, limits: &dyn Limits) -> u64 {
    let at_limit = holders_of(group, limits, Some(true)).len();
    let all = group.sockets.first().map_or(0, |found| found.holders.len());
    let share = (at_limit * 100).checked_div(all).unwrap_or_default();
    u64::try_from(share.max(at_limit.min(1))).unwrap_or(u64::MAX)
}

/// Number of sockets that could not be checked, and the highest share possible.
pub(super) fn may_be_at_their_limit(group: &Group<'_>, limits: &dyn Limits) -> [u64; 2] {
    if holders_of(group, limits, None).is_empty() {
        return [0; 2];
    }
    let has_room = !holders_of(group, limits, Some(false)).is_empty();
    [group.count, if has_room { 1 } else { 100 }]
}

/// Orphans in percent of the limit; 0 if not reported.
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

/// Least number of handshakes that a listener has dropped. The rest may be ACKs without data, which
/// `TCP_DEFER_ACCEPT` drops intentionally; the kernel counts those for the whole network namespace.
pub(super) fn handshakes_dropped(group: &Group<'_>, limits: &dyn Limits) -> u64 {
    let deferred = limits.counter("netstat", "TcpExt", "TCPDeferAcceptDrop");
    group
        .sum(drops)
        .saturating_sub(deferred.unwrap_or_default())
}

/// Number of listeners that could not be checked, and the most drops possible: accept queue overflows.
pub(super) fn may_have_dropped(group: &Group<'_>, limits: &dyn Limits) -> [u64; 2] {
    [group.count, group.sum(drops).min(overflows(limits))]
}

/// The receive queue; 0 if not reported.
pub(super) fn unread(socket: &Socket) -> u64 {
    socket.recv_queue.unwrap_or_default().into()
}

/// The send queue; 0 if not reported.
pub(super) fn unsent(socket: &Socket) -> u64 {
    socket.send_queue.unwrap_or_default().into()
}

/// Listeners on loopback, and those of other programs on the wildcard address of the same IP version.
pub(super) fn places<'f>(group: &Group<'f>) -> [Vec<&'f Found>; 2] {
    let versions = [true, false].into_iter();
    let versions = versions.filter(|is_ipv4| is_at_places(group, *is_ipv4) == Some(true));
    let versions: Vec<bool> = versions.collect();
    let is_there = |is_it: &dyn Fn(&Socket, bool) -> bool| {
        let is_of_them = |found: &&Found| versions.iter().any(|ipv4| is_it(&found.socket, *ipv4));
        group.related.iter().copied().filter(is_of_them).collect()
    };
    [
        is_there(&is_loopback),
        is_there(&|socket, is_ipv4| is_wildcard(socket, is_ipv4) == Some(true)),
    ]
}

/// Number of sockets that could not be checked for [`places`].
pub(super) fn may_be_at_places(group: &Group<'_>) -> [u64; 2] {
    let may_be = [true, false].map(|is_ipv4| is_at_places(group, is_ipv4).is_none());
    let count = u64::try_from(group.related.len()).unwrap_or(u64::MAX);
    if may_be.contains(&true) {
        [count, 1]
    } else {
        [0; 2]
    }
}

/// True if one program listens on loopback and another on the wildcard address; `None` = unknown whether
/// these are two programs, or whether one accepts this IP version.
fn is_at_places(group: &Group<'_>, is_ipv4: bool) -> Option<bool> {
    let related = || group.related.iter().copied();
    let differs = |is_there: &dyn Fn(Option<bool>) -> bool| {
        let loopback = related().filter(|found| is_loopback(&found.socket, is_ipv4));
        let wildcard = related().filter(|found| is_there(is_wildcard(&found.socket, is_ipv4)));
        let (mut loopback, mut wildcard) = (loopback.peekable(), wildcard.peekable());
        if loopback.peek().is_none() || wildcard.peek().is_none() {
            return Some(false);
        }
        are_of_one_process(loopback.chain(wildcard)).map(|are_of_one| !are_of_one)
    };
    match differs(&|is_there| is_there == Some(true)) {
        Some(true) => Some(true),
        told => told.filter(|_| differs(&|is_there| is_there != Some(false)) == Some(false)),
    }
}

/// False if bound to an interface other than `lo`, which has index 1 in every namespace.
fn is_on_loopback(socket: &Socket) -> bool {
    socket.interface.is_none_or(|interface| interface <= 1)
}

fn is_loopback(socket: &Socket, is_ipv4: bool) -> bool {
    let ip = socket.local.ip.map(|ip| ip.to_canonical());
    let is_it = ip.is_some_and(|ip| ip.is_loopback() && ip.is_ipv4() == is_ipv4);
    is_it && is_on_loopback(socket)
}

/// `None` = unknown whether it accepts IPv4, too.
fn is_wildcard(socket: &Socket, is_ipv4: bool) -> Option<bool> {
    let ip = socket.local.ip.map(|ip| ip.to_canonical());
    match ip.filter(|ip| ip.is_unspecified() && is_on_loopback(socket)) {
        Some(ip) if ip.is_ipv4() == is_ipv4 => Some(true),
        Some(_) if is_ipv4 => socket.takes_ipv4_too(),
        _ => Some(false),
    }
}

/// True if one process holds all of them; `None` = no process that holds any can be read.
fn are_of_one_process<'f>(found: impl Iterator<Item = &'f Found>) -> Option<bool> {
    let pid = |holder: &Holder| match holder {
        Holder::Process(pid, ..) => Some(*pid),
        Holder::Unreadable(_) | Holder::Nobody => None,
    };
    let mut is_any_known = false;
    let pids = found.map(|found| {
        is_any_known |= !found.holders.iter().any(Holder::is_unreadable);
        found.holders.iter().filter_map(pid).collect()
    });
    let common = pids.reduce(|one: BTreeSet<u32>, other| &one & &other);
    let is_one = common.is_some_and(|pids| !pids.is_empty());
    (is_one || is_any_known).then_some(is_one)
}
