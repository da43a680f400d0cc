//! Which ports the kernel cannot choose: `inet_csk_find_open_port` for `bind`, `__inet_hash_connect` for
//! `connect`, `udp_lib_get_port` for both of UDP.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use crate::model::{Group, GroupBy, GroupKey, Limits, Ports, Protocol, Socket, State, any_address};

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
    /// Of any socket that takes IPv4, and of any at all: what has no address of its own, and takes IPv4 or
    /// both, has none of these.
    every: [Used; 2],
    tw_reuse: u64,
    is_udp: bool,
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
        group.ports.taken = count(taken);
        group
    }

    /// What is taken at an address, with what is at every address.
    fn at(&self, ip: IpAddr, shared: Option<(IpAddr, &Self)>) -> Group<'static> {
        let key = GroupKey::Address(ip, shared.map(|(any, _)| any));
        let mut group = self.group(key, self.ports.len());
        if let Some((_, shared)) = shared {
            group.count += shared.sockets;
            group.ports.taken += count(shared.ports.difference(&self.ports).count());
            group.ports.time_wait += shared.numbers.time_wait;
            group.ports.bound += shared.numbers.bound;
        }
        group
    }
}

impl PortUse {
    pub(super) fn new(protocol: Protocol, limits: &dyn Limits) -> Self {
        let number = |key| limits.number(key).unwrap_or_default();
        // Without timestamps none is used again: `tcp_twsk_unique`.
        let tw_reuse = match number("ipv4/tcp_timestamps") {
            0 => 0,
            _ => number("ipv4/tcp_tw_reuse"),
        };
        Self {
            tw_reuse,
            is_udp: protocol == Protocol::Udp,
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, socket: &Socket) {
        let Some(port) = socket.local.port.and_then(|port| u16::try_from(port).ok()) else {
            return;
        };
        if let Some(ip) = socket.local.ip {
            let any_ipv4 = (socket.takes_ipv4_too() == Some(true)).then_some(ANY_IPV4);
            let own = ip.to_canonical();
            for ip in [Some(own), any_ipv4].into_iter().flatten() {
                let used = self.addresses.entry(ip).or_default();
                used.add(port, socket.state);
            }
            let [ipv4, every] = &mut self.every;
            every.add(port, socket.state);
            if own.is_ipv4() || any_ipv4.is_some() {
                ipv4.add(port, socket.state);
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
        let mut groups = Groups::default();
        for (key, route) in &self.routes {
            if let (GroupKey::Route(ip, _), true) = (key, route.ports.len() >= self.bound.len()) {
                let others = self.bound.difference(&route.ports).count();
                groups.add(*ip, route.group(key.clone(), route.ports.len() + others));
            }
        }
        // What is at every address comes first.
        for (ip, used) in &self.addresses {
            let any = any_address(*ip);
            let shared = self.addresses.get(&any).filter(|_| any != *ip);
            let at_all = shared.map_or(0, |shared| shared.ports.len());
            let group = used.at(*ip, shared.map(|shared| (any, shared)));
            groups.add_other(*ip, groups.told(*ip).max(count(at_all)), group);
        }
        let [ipv4, every] = &self.every;
        let group = ipv4.group(GroupKey::EveryIpv4, ipv4.ports.len());
        groups.add_other(ANY_IPV4, groups.told(ANY_IPV4), group);
        let group = every.group(GroupKey::EveryIp, every.ports.len());
        let most = groups.told.values().max().copied();
        groups.add_other(ANY_IPV4, most.unwrap_or_default(), group);
        for group in &mut groups.groups {
            group.ports.is_udp = self.is_udp;
        }
        groups.groups
    }
}

const ANY_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

#[derive(Default)]
struct Groups {
    groups: Vec<Group<'static>>,
    /// The most ports that are told to be taken at an address, or at any of its IP version.
    told: BTreeMap<IpAddr, u64>,
}

impl Groups {
    fn told(&self, ip: IpAddr) -> u64 {
        self.told.get(&ip).copied().unwrap_or_default()
    }

    fn add(&mut self, ip: IpAddr, group: Group<'static>) {
        for ip in [ip, any_address(ip)] {
            let most = self.told.entry(ip).or_default();
            *most = group.ports.taken.max(*most);
        }
        self.groups.push(group);
    }

    /// A twentieth more or less than what is told is no other finding.
    fn add_other(&mut self, ip: IpAddr, told: u64, group: Group<'static>) {
        let taken = group.ports.taken;
        if told < taken.saturating_sub(taken / 20) {
            self.add(ip, group);
        }
    }
}

fn count(ports: usize) -> u64 {
    u64::try_from(ports).unwrap_or(u64::MAX)
}

const fn is_bound(state: State) -> bool {
    matches!(state, State::Bound | State::Listen | State::Unconn)
}
