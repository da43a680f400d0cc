//! Ports that the kernel cannot choose: `inet_csk_find_open_port` for `bind`, `__inet_hash_connect` for
//! `connect`, `udp_lib_get_port` for both with UDP.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Group, GroupBy, GroupKey, Limits, Ports, Protocol, Socket, State, any_address};

/// Ports in use, by their use. `bind` cannot choose those of an [address](GroupKey::Address), nor can a
/// `connect` that has to bind first. `connect` cannot choose those of a [route](GroupKey::Route), nor, for
/// any destination, those bound without a connection ([`GroupKey::Nothing`]).
#[derive(Debug, Default)]
pub(super) struct PortUse {
    used: BTreeMap<GroupKey, Used>,
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
    /// Number of ports only in `other`.
    fn beside(&self, other: &Self) -> usize {
        other.ports.difference(&self.ports).count()
    }
}

impl PortUse {
    /// Below `percent` of the ephemeral ports there is no finding.
    pub(super) fn new(protocol: Protocol, percent: u64, limits: &dyn Limits) -> Self {
        let number = |key| limits.number(key).unwrap_or_default();
        // Without timestamps no port is reused: `tcp_twsk_unique`.
        let tw_reuse = match number("ipv4/tcp_timestamps") {
            0 => 0,
            _ => number("ipv4/tcp_tw_reuse"),
        };
        let size = limits.ephemeral().map(|range| range.size());
        Self {
            used: BTreeMap::new(),
            tw_reuse,
            least: size.map_or(u64::MAX, |size| (size * percent).div_ceil(100)),
            is_udp: protocol == Protocol::Udp,
        }
    }

    pub(super) fn add(&mut self, socket: &Socket) {
        let Some(port) = socket.local.port.and_then(|port| u16::try_from(port).ok()) else {
            return;
        };
        let is_over = socket.state == State::TimeWait;
        for key in GroupKey::of(socket, GroupBy::Route) {
            let is_free = is_over && self.uses_again(&key);
            let used = self.used.entry(key).or_default();
            if is_free {
                used.numbers.free += 1;
                continue;
            }
            used.ports.insert(port);
            used.sockets += 1;
            used.numbers.time_wait += u64::from(is_over);
            used.numbers.bound += u64::from(socket.state.is_bound());
        }
    }

    /// True if another connection to the same destination may reuse a port in `TIME_WAIT`.
    fn uses_again(&self, key: &GroupKey) -> bool {
        match (key, self.tw_reuse) {
            (GroupKey::Route(..), 1) => true,
            (GroupKey::Route(own, peer), 2) => own.is_loopback() || peer.ip().is_loopback(),
            _ => false,
        }
    }

    /// Groups with enough ports taken: destinations by those that `connect` cannot choose, then addresses by
    /// those that `bind` cannot choose, unless nearly the same.
    pub(super) fn groups(&self) -> Vec<Group<'static>> {
        let none = Used::default();
        let bound = self.used.get(&GroupKey::Nothing).unwrap_or(&none);
        let mut groups = Vec::new();
        // Wildcard addresses come before single ones.
        for (key, used) in &self.used {
            let mut group = Group::counted(key.clone(), [used.sockets; 2]);
            let (mut ports, mut taken) = (used.numbers, used.ports.len());
            match key {
                GroupKey::Nothing => continue,
                GroupKey::Route(..) if taken < bound.ports.len() => continue,
                GroupKey::Route(..) => taken += used.beside(bound),
                GroupKey::Address(ip, _) => {
                    let any = Some(any_address(*ip)).filter(|any| any != ip);
                    let shared = any.and_then(|any| self.used.get(&GroupKey::Address(any, None)));
                    if let Some(shared) = shared {
                        group.key = GroupKey::Address(*ip, any);
                        group.count += shared.sockets;
                        taken += used.beside(shared);
                        ports.time_wait += shared.numbers.time_wait;
                        ports.bound += shared.numbers.bound;
                    }
                }
                _ => {}
            }
            group.ports = Ports {
                taken: u64::try_from(taken).unwrap_or(u64::MAX),
                is_udp: self.is_udp,
                ..ports
            };
            if self.is_finding(&group, &groups) {
                groups.push(group);
            }
        }
        groups
    }

    /// Up to a twentieth more sockets at the same ports is not another finding.
    fn is_finding(&self, group: &Group<'_>, before: &[Group<'_>]) -> bool {
        let taken = group.ports.taken;
        let mut parts = before
            .iter()
            .filter(|other| is_part(&other.key, &group.key));
        taken >= self.least && parts.all(|part| part.ports.taken < taken - taken / 20)
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
