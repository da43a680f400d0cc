//! Membership in lists of ports and of prefixes.

use std::net::IpAddr;

use crate::filter::{Op, PortItem, Prefix};

/// Tests a port against ascending, disjoint ranges.
pub(super) fn port_holds(port: u32, op: Op, items: &[PortItem]) -> bool {
    let range = |item: &PortItem| {
        let (first, last) = item.range();
        u32::from(first)..=u32::from(last)
    };
    let place = items.partition_point(|item| *range(item).start() <= port);
    let before = place.checked_sub(1).and_then(|place| items.get(place));
    let among = || before.is_some_and(|item| range(item).contains(&port));
    match op {
        Op::Equal => among(),
        Op::Unequal => !among(),
        _ => items
            .first()
            .is_some_and(|item| op.holds(&port, range(item).start())),
    }
}

/// True if one of the prefixes, ascending and disjoint, contains the address. IPv4 prefixes also contain
/// IPv4-mapped addresses.
pub(super) fn any_contains(prefixes: &[Prefix], ip: IpAddr) -> bool {
    let mapped = match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => ip.to_ipv4_mapped(),
    };
    let among = |ip: IpAddr| {
        let place = prefixes.partition_point(|prefix| prefix.address <= ip);
        let before = place.checked_sub(1).and_then(|place| prefixes.get(place));
        before.is_some_and(|prefix| prefix.contains(ip))
    };
    among(ip) || mapped.is_some_and(|ip| among(ip.into()))
}

impl Prefix {
    /// True if it contains only one address.
    pub(in crate::filter) const fn is_single(&self) -> bool {
        self.length == self.bits()
    }

    /// True if its length is valid.
    pub(in crate::filter) const fn is_possible(&self) -> bool {
        self.length <= self.bits()
    }

    const fn bits(&self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// True if the address has this prefix; false for the other family.
    pub(in crate::filter) fn contains(&self, ip: IpAddr) -> bool {
        let length = u32::from(self.length);
        match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                let differing = own.to_bits() ^ ip.to_bits();
                differing.leading_zeros() >= length.min(u32::BITS)
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                let differing = own.to_bits() ^ ip.to_bits();
                differing.leading_zeros() >= length.min(u128::BITS)
            }
            _ => false,
        }
    }
}
