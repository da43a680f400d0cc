//! Which ports the kernel cannot choose: `inet_csk_find_open_port` for `bind`, `__inet_hash_connect` for
//! `connect`, `udp_lib_get_port` for both of UDP.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::model::{Group, GroupBy, GroupKey, Limits, Ports, Socket, State, any_address};

/// Ports in use, by what they are in use for.
#[derive(Debug, Default)]
pub(super) struct PortUse {
    /// Of any socket, by its own address: `bind` cannot choose them there, nor `connect` where that has
    /// to bind first.
    addresses: BTreeMap<IpAddr, Used>,
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

    /// What is taken at an address, with what is at every address.
    fn at(&self, ip: IpAddr, shared: Option<(IpAddr, &Self)>) -> Group<'static> {
        let Some((any, shared)) = shared else {
            return self.group(GroupKey::Address(ip, None), self.ports.len());
        };
        let others = self.ports.difference(&shared.ports).count();
        let sockets = self.sockets + shared.sockets;
        let key = GroupKey::Address(ip, Some(any));
        let mut ports = self.group(key.clone(), shared.ports.len() + others).ports;
        ports.time_wait += shared.numbers.time_wait;
        ports.bound += shared.numbers.bound;
        Group {
            ports,
            ..Group::counted(key, [sockets; 2])
        }
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
        if let Some(ip) = socket.local.ip {
            let any_ipv4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            let any_ipv4 = (socket.takes_ipv4_too() == Some(true)).then_some(any_ipv4);
            for ip in [Some(ip.to_canonical()), any_ipv4].into_iter().flatten() {
                let used = self.addresses.entry(ip).or_default();
                used.add(port, socket.state);
            }
        }
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
        let at_addresses = self.addresses.iter().map(|(ip, used)| {
            let any = any_address(*ip);
            let shared = self.addresses.get(&any).filter(|_| any != *ip);
            let told = groups.iter().filter(|group| match group.key {
                GroupKey::Route(local, _) => ip.is_unspecified() || local == *ip,
                _ => false,
            });
            let at_all = shared.map(|shared| shared.ports.len().try_into().unwrap_or(u64::MAX));
            let told = told.map(|group| group.ports.taken).chain(at_all).max();
            (used.at(*ip, shared.map(|shared| (any, shared))), told)
        });
        // A twentieth more or less is no other finding.
        let is_other = |(group, told): &(Group, Option<u64>)| {
            told.unwrap_or_default() < group.ports.taken.saturating_sub(group.ports.taken / 20)
        };
        let at_addresses: Vec<_> = at_addresses.filter(is_other).collect();
        groups.extend(at_addresses.into_iter().map(|(group, _)| group));
        groups
    }
}

const fn is_bound(state: State) -> bool {
    matches!(state, State::Bound | State::Listen | State::Unconn)
}
