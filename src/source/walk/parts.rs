//! How many sockets there are, whether a walk pays off for them, and in how many parts.

use std::fs;

use super::Scope;
use crate::bpf::{Map, MapKind, Numbers};
use crate::error::Error;
use crate::source::Request;

/// From this many TCP sockets on the walk costs less than the dump, including its setup.
const PAYS: u64 = 25_000;
/// More for each step of a filter: the kernel verifies it first.
const PAYS_FOR_STEP: u64 = 400;
/// As [`PAYS`], for several namespaces, times their number.
const PAYS_FOR_ALL: u64 = 50_000;
/// From this many on, checking whether any socket is only bound costs less than listing those over netlink.
pub(super) const PAYS_TO_LOOK: u64 = 75_000;

/// The number of sockets, if it is so large that the walk costs less than this many dumps, each of which walks the
/// sockets of all namespaces.
pub(in crate::source) fn paying(scope: Scope, dumps: usize, request: &Request) -> Option<u64> {
    let least = if dumps == 1 { PAYS } else { PAYS_FOR_ALL };
    let steps = u64::try_from(request.narrow.program.len()).unwrap_or(u64::MAX);
    let least = steps.saturating_mul(PAYS_FOR_STEP).saturating_add(least);
    let dumps = u64::try_from(dumps).unwrap_or(u64::MAX);
    sockets(scope).filter(|count| count.saturating_mul(dumps) >= least)
}

/// The number of parts in which the table is walked, as a power of two: the records of each must fit into 32 KiB.
pub(super) fn shift(scope: Scope) -> u32 {
    let usual = sockets(scope).map_or(1 << 14, |sockets| sockets / 64);
    let parts = usual.clamp(1 << 10, 1 << 16).next_power_of_two();
    parts.ilog2()
}

/// Elements that stand for the parts of the table, or of a half of it. Each has the number of elements before, as a
/// power of two that of all, and that of the half.
pub(super) fn elements(shift: u32, half: Option<u64>) -> Result<Map, Error> {
    let elements = 1_u32 << (shift - u32::from(half.is_some()));
    let half = half.unwrap_or(0);
    let number = (half * u64::from(elements)) | (u64::from(shift) << 32) | (half << 40);
    let elements = usize::try_from(elements).unwrap_or_default();
    let map = Map::new(MapKind::Elements, 8 * elements)?;
    let numbers = Numbers::of(&map)?;
    (0..elements).for_each(|element| numbers.set(element, number));
    Ok(map)
}

/// The number of TCP sockets in `net/sockstat`: of this namespace, or of all, but `TIME_WAIT` only of this one.
pub(super) fn sockets(scope: Scope) -> Option<u64> {
    let names = match scope {
        Scope::Own(_) => ["inuse", "tw"],
        Scope::Table => ["alloc", "tw"],
    };
    let text = fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let number = |name| {
        let mut words = line.split(' ');
        words.find(|word| *word == name)?;
        words.next()?.parse::<u64>().ok()
    };
    names.into_iter().map(number).sum()
}
