//! Ports that run out towards one destination.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::model::{Counts, Finding, Kind, Protocol, Socket, State, StateSet};

use super::finding;
use super::limits::numbers;
use super::look::{Look, Looker, Owners, end};
use super::who::names;

/// The ports of one address towards one destination.
#[derive(Debug, Default, Clone, Copy)]
struct Used {
    all: u64,
    time_wait: usize,
}

impl Used {
    /// In percent of so many ports.
    fn share(self, size: u64) -> u64 {
        self.all.saturating_mul(100) / size
    }

    /// Enough for a finding, and most of them in `TIME_WAIT`.
    fn are_many(self, size: u64) -> bool {
        let time_wait = u64::try_from(self.time_wait).unwrap_or(u64::MAX);
        let is_finding = Kind::EphemeralPorts.severity(self.share(size)).is_some();
        is_finding && time_wait.saturating_mul(2) >= self.all
    }
}

/// Those that a process may hold.
const OPEN: StateSet = StateSet::ALL
    .without(State::Listen)
    .without(State::Bound)
    .without(State::SynRcvd)
    .without(State::TimeWait);

pub(super) fn find(looker: &mut Looker<'_>, counts: &Counts, out: &mut Vec<Finding>) {
    let Some([first, last]) = range() else {
        return;
    };
    let size = last.saturating_sub(first).saturating_add(1);
    let is_many = |count: u64| {
        Kind::EphemeralPorts
            .severity(count.saturating_mul(100) / size)
            .is_some()
    };
    // Most of what uses them up is in TIME_WAIT.
    if !is_many(counts.of(Protocol::Tcp, State::TimeWait).saturating_mul(2)) {
        return;
    }
    let look = Look {
        owners: Owners::NotAsked,
        ..Look::tcp(StateSet::ALL.without(State::Listen).without(State::Bound))
    };
    let is_ephemeral = |socket: &Socket| {
        let port = socket.local.port.map(u64::from);
        port.is_some_and(|port| (first..=last).contains(&port))
    };
    let mut by_destination: BTreeMap<(IpAddr, SocketAddr), Used> = BTreeMap::new();
    looker.each(look, &is_ephemeral, &mut |socket, _| {
        if let (Some(local), Some(peer)) = (end(&socket.local), end(&socket.peer)) {
            let used = by_destination.entry((local.ip(), peer)).or_default();
            used.all += 1;
            used.time_wait += usize::from(socket.state == State::TimeWait);
        }
    });
    by_destination.retain(|_, used| used.are_many(size));
    for ((local, peer), used) in by_destination {
        let (count, share) = (used.time_wait, used.share(size));
        let is_there = |socket: &Socket| {
            end(&socket.local).is_some_and(|end| end.ip() == local)
                && end(&socket.peer) == Some(peer)
        };
        let still_open = looker.look(Look::tcp(OPEN), &is_there);
        let own = format!(
            "state time-wait and src {local} and dst {peer} and sport >= :{first} and sport <= :{last}"
        );
        let sockets = looker.filter(Protocol::Tcp, &own);
        out.extend(finding(Kind::EphemeralPorts, share, (count, sockets), || {
            let who = match names(&still_open) {
                names if names.is_empty() => names,
                names => format!(" by {names}"),
            };
            format!(
                "{} of the {size} ports of ip_local_port_range ({first} to {last}) are used from {local} \
                 to {peer}{who}, {count} of them in TIME_WAIT; {} are left. Keep connections open and use \
                 them again, widen the range, or see tcp_tw_reuse.",
                used.all,
                size.saturating_sub(used.all),
            )
        }));
    }
}

fn range() -> Option<[u64; 2]> {
    let range: [u64; 2] = numbers("ipv4/ip_local_port_range")?.try_into().ok()?;
    (range[0] <= range[1]).then_some(range)
}
