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
    least: u64,
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
    /// Fewer ports than `percent` of all there are to choose from are no finding.
    pub(super) fn new(protocol: Protocol, percent: u64, limits: &dyn Limits) -> Self {
        let number = |key| limits.number(key).unwrap_or_default();
        // Without timestamps none is used again: `tcp_twsk_unique`.
        let tw_reuse = match number("ipv4/tcp_timestamps") {
            0 => 0,
            _ => number("ipv4/tcp_tw_reuse"),
        };
        let size = limits.ephemeral().map(|range| range.size());
        Self {
            tw_reuse,
            least: size.map_or(u64::MAX, |size| (size * percent).div_ceil(100)),
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
    /// where that is not the same; where so many ports are taken.
    pub(super) fn groups(&self) -> Vec<Group<'static>> {
        let mut groups = Vec::new();
        for (key, route) in &self.routes {
            if route.ports.len() >= self.bound.len() {
                let others = self.bound.difference(&route.ports).count();
                self.tell(
                    &mut groups,
                    route.group(key.clone(), route.ports.len() + others),
                );
            }
        }
        // What is at every address comes first.
        for (ip, used) in &self.addresses {
            let any = Some(any_address(*ip)).filter(|any| any != ip);
            let shared = any.and_then(|any| Some((any, self.addresses.get(&any)?)));
            self.tell(&mut groups, used.at(*ip, shared));
        }
        for (key, used) in [GroupKey::EveryIpv4, GroupKey::EveryIp]
            .into_iter()
            .zip(&self.every)
        {
            self.tell(&mut groups, used.group(key, used.ports.len()));
        }
        groups
    }

    /// A twentieth more sockets at the same ports make no other finding.
    fn tell(&self, groups: &mut Vec<Group<'static>>, mut group: Group<'static>) {
        let taken = group.ports.taken;
        let mut others = groups
            .iter()
            .filter(|other| is_part(&other.key, &group.key));
        let is_other = |other: &Group| other.ports.taken < taken - taken / 20;
        if taken >= self.least && others.all(is_other) {
            group.ports.is_udp = self.is_udp;
            groups.push(group);
        }
    }
}

/// True if the second has every port that the first has.
fn is_part(of: &GroupKey, whole: &GroupKey) -> bool {
    let (GroupKey::Route(own, _) | GroupKey::Address(own, _)) = of else {
        return true;
    };
    match whole {
        GroupKey::EveryIp => true,
        GroupKey::EveryIpv4 => own.is_ipv4(),
        GroupKey::Address(ip, any) => {
            [Some(*ip), *any].contains(&Some(*own)) || any_address(*own) == *ip
        }
        _ => false,
    }
}

const ANY_IPV4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn count(ports: usize) -> u64 {
    u64::try_from(ports).unwrap_or(u64::MAX)
}

const fn is_bound(state: State) -> bool {
    matches!(state, State::Bound | State::Listen | State::Unconn)
}
