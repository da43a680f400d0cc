//! Which ports the kernel cannot choose: `inet_csk_find_open_port` for `bind`, `__inet_hash_connect` for
//! `connect`, `udp_lib_get_port` for both of UDP.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Group, GroupBy, GroupKey, Limits, Ports, Socket, State};

/// Ports in use, by what they are in use for.
#[derive(Debug, Default)]
pub(super) struct PortUse {
    /// Of any socket: `bind` cannot choose them, nor `connect` where that has to bind first.
    all: Used,
    /// Bound without a connection: `connect` cannot choose them, whatever the destination.
    bound: BTreeSet<u16>,
    /// Of connections: `connect` cannot choose them for this destination.
    routes: BTreeMap<GroupKey, Used>,
    tw_reuse: u64,
}

#[derive(Debug, Default)]
struct Used {
    ports: BTreeSet<u16>,
    sockets: u64,
    numbers: Ports,
}

impl Used {
    fn add(&mut self, port: u16, state: State) {
        self.ports.insert(port);
        self.sockets += 1;
        self.numbers.time_wait += u64::from(state == State::TimeWait);
        self.numbers.bound += u64::from(is_bound(state));
    }

    fn group(&self, key: GroupKey, taken: usize) -> Group<'static> {
        let mut group = Group::counted(key, [self.sockets; 2]);
        group.ports = self.numbers;
        group.ports.taken = taken.try_into().unwrap_or(u64::MAX);
        group
    }
}

impl PortUse {
    pub(super) fn new(limits: &dyn Limits) -> Self {
        let number = |key| limits.number(key).unwrap_or_default();
        // Without timestamps none is used again: `tcp_twsk_unique`.
        let tw_reuse = match number("ipv4/tcp_timestamps") {
            0 => 0,
            _ => number("ipv4/tcp_tw_reuse"),
        };
        Self {
            tw_reuse,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, socket: &Socket) {
        let Some(port) = socket.local.port.and_then(|port| u16::try_from(port).ok()) else {
            return;
        };
        self.all.add(port, socket.state);
        match GroupKey::of(socket, GroupBy::Route) {
            Some(key @ GroupKey::Route(..)) => {
                let is_free = socket.state == State::TimeWait && self.uses_again(socket);
                let route = self.routes.entry(key).or_default();
                if is_free {
                    route.numbers.free += 1;
                } else {
                    route.add(port, socket.state);
                }
            }
            _ if is_bound(socket.state) => {
                self.bound.insert(port);
            }
            _ => {}
        }
    }

    /// True if another connection to the same destination may have the port of one in `TIME_WAIT`.
    fn uses_again(&self, socket: &Socket) -> bool {
        let ends = [socket.local.ip, socket.peer.ip].into_iter().flatten();
        match self.tw_reuse {
            1 => true,
            2 => ends.map(|ip| ip.to_canonical()).any(|ip| ip.is_loopback()),
            _ => false,
        }
    }

    /// Each destination that uses most of the ports that it cannot have, and what `bind` cannot have
    /// where that is not the same.
    pub(super) fn groups(&self) -> Vec<Group<'static>> {
        let most = |(_, route): &(_, &Used)| route.ports.len() >= self.bound.len();
        let mut groups: Vec<Group> = self
            .routes
            .iter()
            .filter(most)
            .map(|(key, route)| {
                let others = self.bound.difference(&route.ports).count();
                route.group(key.clone(), route.ports.len() + others)
            })
            .collect();
        let all = self.all.group(GroupKey::Nothing, self.all.ports.len());
        let covered = groups.iter().map(|group| group.ports.taken).max();
        // A twentieth more or less is no other finding.
        if covered.unwrap_or_default() < all.ports.taken.saturating_sub(all.ports.taken / 20) {
            groups.push(all);
        }
        groups
    }
}

const fn is_bound(state: State) -> bool {
    matches!(state, State::Bound | State::Listen | State::Unconn)
}
