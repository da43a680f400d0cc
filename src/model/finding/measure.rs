//! What findings measure: queues, ports, descriptors and orphans against the limits of the kernel.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::super::{Counts, Socket, State};
use super::group::{Found, Group, Holder, names, place};
use super::limits::Limits;
use crate::text::bytes;

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

/// True if a listener's accept queue is nearly full; `None` = that is not told.
pub(super) fn is_nearly_full(socket: &Socket) -> Option<bool> {
    match (socket.recv_queue, socket.send_queue) {
        (Some(0), _) => Some(false),
        (Some(_), Some(_)) => Some(queue_in_use(socket) >= NEARLY_FULL),
        _ => None,
    }
}

/// True if there are listeners, and the fullest may be such a one.
pub(super) fn is_fullest(counts: &Counts, such: fn(&Socket) -> bool) -> bool {
    let fullest = counts.listeners.fullest.first();
    counts.listeners.count > 0 && fullest.is_none_or(|row| such(row.row().socket))
}

/// How often accept queues of this network namespace have overflowed.
pub(super) fn overflows(limits: &dyn Limits) -> u64 {
    let counter = limits.counter("netstat", "TcpExt", "ListenOverflows");
    counter.unwrap_or_default()
}

/// In percent of the ports that the kernel chooses from.
pub(super) fn ports_in_use(count: u64, limits: &dyn Limits) -> u64 {
    let size = limits.ephemeral().map(|ports| ports.size());
    size.map_or(0, |size| count.saturating_mul(100) / size)
}

/// The same of all that are in use, or a little more: those of sockets that are bound, and not listed, too.
pub(super) fn most_ports_in_use(counts: &Counts, limits: &dyn Limits) -> u64 {
    let Some(range) = limits.ephemeral() else {
        return 0;
    };
    let listed = counts.ports_in(range.first, range.last);
    ports_in_use(listed.saturating_add(limits.sockets_in_no_table()), limits)
}

/// Processes that hold these sockets and have no descriptor left: name and limit.
pub(super) fn at_their_limit(group: &Group<'_>, limits: &dyn Limits) -> Vec<(String, u64)> {
    let holders = group.sockets.iter().flat_map(|found| &found.holders);
    let holders: BTreeSet<&Holder> = holders.collect();
    let at_limit = holders.into_iter().filter_map(|holder| {
        let Holder::Process(pid, _) = holder else {
            return None;
        };
        let most = limits.most_descriptors(*pid)?;
        let is_at_limit = limits.descriptors(*pid)? >= most;
        is_at_limit.then(|| (holder.to_string(), most))
    });
    at_limit.collect()
}

/// Where connections wait to be accepted, and whose program must do it: `0.0.0.0:80 (nginx[812])`.
pub(super) fn listener(group: &Group<'_>) -> String {
    let own = group.sockets.iter().map(|found| found.socket.local.ip);
    let own: BTreeSet<_> = own.collect();
    let takes = |found: &&Found| {
        let ip = found.socket.local.ip;
        ip.is_none_or(|ip| ip.is_unspecified()) || own.contains(&ip)
    };
    let listeners: Vec<&Found> = group.related.iter().copied().filter(takes).collect();
    let places: BTreeSet<String> = listeners.iter().map(|found| place(found)).collect();
    let places: Vec<String> = places.into_iter().take(3).collect();
    match places.as_slice() {
        [] => format!("port {}", group.who()),
        _ => format!("{} ({})", places.join(", "), names(&listeners)),
    }
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

/// Listeners at loopback, and those of other programs at every address of the same IP version.
pub(super) fn places<'f>(group: &Group<'f>) -> [Vec<&'f Found>; 2] {
    let versions = [true, false].into_iter().filter(|is_ipv4| {
        let mut both = [is_loopback, is_wildcard].map(|is_it| {
            let related = group.related.iter().copied();
            related
                .filter(move |found| is_it(&found.socket, *is_ipv4))
                .peekable()
        });
        let are_there = both.iter_mut().all(|found| found.peek().is_some());
        are_there && !are_of_one_process(both.into_iter().flatten())
    });
    let versions: Vec<bool> = versions.collect();
    [is_loopback, is_wildcard].map(|is_it| {
        let is_of_them = |found: &&Found| versions.iter().any(|ipv4| is_it(&found.socket, *ipv4));
        group.related.iter().copied().filter(is_of_them).collect()
    })
}

fn is_loopback(socket: &Socket, is_ipv4: bool) -> bool {
    let ip = socket.local.ip.map(|ip| ip.to_canonical());
    ip.is_some_and(|ip| ip.is_loopback() && ip.is_ipv4() == is_ipv4)
}

fn is_wildcard(socket: &Socket, is_ipv4: bool) -> bool {
    let ip = socket.local.ip.map(|ip| ip.to_canonical());
    let takes_it =
        |ip: IpAddr| ip.is_ipv4() == is_ipv4 || is_ipv4 && socket.takes_ipv4_too() == Some(true);
    ip.is_some_and(|ip| ip.is_unspecified() && takes_it(ip))
}

/// True if there is a process that holds all of them.
fn are_of_one_process<'f>(found: impl Iterator<Item = &'f Found>) -> bool {
    let pid = |holder: &Holder| match holder {
        Holder::Process(pid, _) => Some(*pid),
        Holder::Unreadable(_) | Holder::Nobody => None,
    };
    let pids = found.map(|found| found.holders.iter().filter_map(pid).collect());
    let common = pids.reduce(|one: BTreeSet<u32>, other| &one & &other);
    common.is_some_and(|pids| !pids.is_empty())
}
