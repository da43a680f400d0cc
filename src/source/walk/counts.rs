//! Counters of the program for sockets of which only the state matters.
//!
//! The map has numbers for all, then the block of each namespace; if there are several, in between a byte for each
//! inode number: which block, from 1.

use std::collections::HashSet;

use crate::bpf::{Map, MapKind, Numbers};
use crate::error::Error;
use crate::model::{Family, Protocol, Socket, State, Timer, TimerKind};
use crate::source::Visitor;

use super::record::Ticks;

/// Offset of the current tick.
pub(super) const NOW: i16 = 0;
/// Offset of a number that is set if a socket of the current element was looked at more closely.
pub(super) const LOOKED: i16 = 8;
/// Offset of the same number for the element before.
pub(super) const LOOKED_BEFORE: i16 = 8 * 2;
/// Offsets of the addresses of `struct proto` that sockets were created with.
pub(super) const PROTOCOLS: [i16; 2] = [8 * 3, 8 * 4];
/// Offset of a number that is set if the records of an element did not fit: its sockets are counted again.
pub(super) const OVERFLOWED: i16 = 8 * 5;
/// Offset of the bytes for inode numbers.
pub(super) const INDEX: i16 = 8 * 6;
/// The number of these bytes.
pub(super) const INDEXED: i32 = 1 << 14;

/// Eight-byte counters at the start of a block: those in `ESTABLISHED` and in `TIME_WAIT`, each for IPv4 and IPv6.
const COUNTED: [(State, Family); 4] = [
    (State::Established, Family::Inet),
    (State::Established, Family::Inet6),
    (State::TimeWait, Family::Inet),
    (State::TimeWait, Family::Inet6),
];
/// Offset in a block of the tick at which the last one in `TIME_WAIT` ends.
pub(super) const LAST_END: i16 = 8 * 4;
/// Offset in a block of a byte for each port.
pub(super) const PORTS: i16 = 8 * 5;
/// The byte of a port that a counted socket has.
pub(super) const IN_USE: u8 = 1;
/// The byte of a port whose sockets are not counted.
pub(super) const WATCHED: u8 = 2;
/// Bytes of a block.
pub(super) const BLOCK: i32 = 8 * 5 + (1 << 16);
/// The most blocks: some 4 MiB.
const MOST: usize = 1 << 6;

/// Where the program finds the counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counting {
    pub(super) map: i32,
    /// If there are several namespaces: the lowest inode number, and the number of blocks as a power of two.
    pub(super) several: Option<(u32, i32)>,
}

impl Counting {
    /// Offset of the first block.
    pub(super) fn blocks(self) -> i32 {
        i32::from(INDEX) + self.several.map_or(0, |_| INDEXED)
    }
}

/// The counters' memory.
#[derive(Debug)]
pub(super) struct Counts {
    map: Map,
    numbers: Numbers,
    /// Inode numbers of the namespaces, sorted; empty = only the own one.
    networks: Vec<u32>,
    is_used: bool,
}

impl Counts {
    /// For these namespaces, sorted; none = only for the own one. `None` = too many.
    pub(super) fn new(networks: &[u32]) -> Result<Option<Self>, Error> {
        let several = several(networks);
        let range = networks.last().zip(networks.first());
        let range = range.map_or(0, |(highest, lowest)| highest - lowest);
        if networks.len() > MOST || range >= INDEXED.cast_unsigned() {
            return Ok(None);
        }
        let blocks = several.map_or(1, |(_, bits)| 1 << bits);
        let bytes = Counting { map: 0, several }.blocks() + blocks * BLOCK;
        let map = Map::new(MapKind::Value, usize::try_from(bytes).unwrap_or_default())?;
        Ok(Some(Self {
            numbers: Numbers::of(&map)?,
            map,
            networks: networks.to_vec(),
            is_used: false,
        }))
    }

    pub(super) fn counting(&self) -> Counting {
        Counting {
            map: self.map.descriptor(),
            several: several(&self.networks),
        }
    }

    /// Resets the counters; sockets with a `watched` port get a record instead.
    pub(super) fn begin(&mut self, watched: &HashSet<u16>) {
        if self.is_used {
            self.numbers.reset();
        }
        self.is_used = true;
        let lowest = self.networks.first().copied().unwrap_or_default();
        for (block, network) in (1..).zip(&self.networks) {
            self.set(i32::from(INDEX), network - lowest, block);
        }
        for (start, _) in self.blocks() {
            for port in watched {
                self.set(start + i32::from(PORTS), (*port).into(), WATCHED);
            }
        }
    }

    /// True if sockets of an element were counted repeatedly.
    pub(super) fn is_overflowed(&self) -> bool {
        self.number(OVERFLOWED.into()) != 0
    }

    /// Passes the counts to the visitor.
    pub(super) fn lend(&self, ticks: Ticks, scratch: &mut Socket, visitor: &mut dyn Visitor) {
        let mut ports = Vec::new();
        for (start, network) in self.blocks() {
            let number = |offset: i16| self.number(start + i32::from(offset));
            let rest = number(LAST_END).saturating_sub(self.number(NOW.into()));
            let expires_ms = ticks.millis(i32::try_from(rest).unwrap_or(i32::MAX));
            let counts = (0..).step_by(8).map(number);
            let counts: Vec<_> = COUNTED.into_iter().zip(counts).collect();
            let mut counts = counts.iter().filter(|(_, count)| *count != 0).peekable();
            ports.clear();
            if counts.peek().is_some() {
                ports.extend(self.ports(start + i32::from(PORTS)));
            }
            for ((state, family), count) in counts {
                scratch.reset(Protocol::Tcp, *family);
                scratch.state = *state;
                scratch.netns = network.or(scratch.netns);
                scratch.timer = (*state == State::TimeWait).then_some(Timer {
                    kind: TimerKind::TimeWait,
                    expires_ms,
                    retransmits: 0,
                });
                visitor.count(scratch, *count, &ports);
                ports.clear();
            }
        }
    }

    /// The ports in use, whose bytes start at this offset.
    fn ports(&self, start: i32) -> impl Iterator<Item = u16> {
        let words = (0..=u16::MAX).step_by(8);
        let words = words.map(move |port| (port, self.number(start + i32::from(port))));
        words
            .filter(|(_, word)| *word != 0)
            .flat_map(|(port, word)| {
                let bytes = (port..=u16::MAX).zip(word.to_ne_bytes());
                bytes.filter_map(|(port, byte)| (byte == IN_USE).then_some(port))
            })
    }

    /// Offset of each block, and the namespace if there are several.
    fn blocks(&self) -> impl Iterator<Item = (i32, Option<u32>)> {
        let starts = (self.counting().blocks()..).step_by(usize::try_from(BLOCK).unwrap_or(1));
        let own = self.networks.is_empty().then_some(None);
        let networks = self.networks.iter().copied().map(Some);
        starts.zip(own.into_iter().chain(networks))
    }

    fn number(&self, offset: i32) -> u64 {
        self.numbers
            .get(usize::try_from(offset / 8).unwrap_or(usize::MAX))
    }

    /// Sets the byte with this index among those that start at an offset.
    fn set(&self, start: i32, index: u32, to: u8) {
        let [word, byte] =
            [index / 8, index % 8].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let word = usize::try_from(start / 8)
            .unwrap_or(usize::MAX)
            .saturating_add(word);
        let mut bytes = self.numbers.get(word).to_ne_bytes();
        if let Some(byte) = bytes.get_mut(byte) {
            *byte = to;
        }
        self.numbers.set(word, u64::from_ne_bytes(bytes));
    }
}

/// The lowest inode number, and enough blocks as a power of two, at least two.
fn several(networks: &[u32]) -> Option<(u32, i32)> {
    let lowest = networks.first()?;
    let blocks = networks.len().max(2).next_power_of_two();
    Some((*lowest, blocks.ilog2().cast_signed()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::{BLOCK, Counts, IN_USE, INDEXED, MOST, PORTS};
    use crate::model::{Family, Protocol, Socket};
    use crate::skip::skip;
    use crate::source::Visitor;
    use crate::source::walk::record::Ticks;
    use std::collections::HashSet;
    use std::ops::ControlFlow;

    /// The counts that came.
    #[derive(Default)]
    struct Taken(Vec<(Option<u32>, u64, Vec<u16>)>);

    impl Visitor for Taken {
        fn take(&mut self, _: &Socket) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }

        fn count(&mut self, like: &Socket, count: u64, ports: &[u16]) {
            self.0.push((like.netns, count, ports.to_vec()));
        }
    }

    #[test]
    fn each_namespace_has_its_counters_and_ports() {
        for networks in [&[][..], &[7, 9, 10]] {
            let mut counts = match Counts::new(networks) {
                Ok(counts) => counts.unwrap(),
                Err(error) => return skip(error.chain()),
            };
            for _ in 0..2 {
                counts.begin(&HashSet::from([80]));
                let blocks: Vec<_> = counts.blocks().collect();
                for (count, (start, _)) in (1..).zip(&blocks) {
                    counts
                        .numbers
                        .set(usize::try_from(start / 8).unwrap(), count);
                    let ports = start + i32::from(PORTS);
                    counts.set(ports, 81, IN_USE);
                    counts.set(ports, 65_535, IN_USE);
                }
                let mut taken = Taken::default();
                let mut scratch = Socket::new(Protocol::Tcp, Family::Inet);
                counts.lend(Ticks::of_kernel(), &mut scratch, &mut taken);
                let ports = vec![81, 65_535];
                let expected = (1..)
                    .zip(&blocks)
                    .map(|(count, (_, network))| (*network, count, ports.clone()));
                assert_eq!(taken.0, expected.collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn too_many_namespaces_have_none() {
        let many: Vec<u32> = (0..=64).collect();
        assert_eq!(many.len(), MOST + 1);
        for networks in [&many[..], &[0, INDEXED.cast_unsigned()]] {
            assert!(Counts::new(networks).unwrap().is_none());
        }
        assert_eq!(BLOCK % 8, 0);
    }
}
