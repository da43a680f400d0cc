//! Counters of the program for sockets of which only the state matters.

use crate::bpf::{Map, MapKind, Numbers};
use crate::error::Error;
use crate::model::{Family, Protocol, Socket, State, Timer, TimerKind};
use crate::source::Visitor;

use super::record::Ticks;

/// Eight-byte counters: those in `ESTABLISHED` and in `TIME_WAIT`, each for IPv4 and IPv6.
pub(super) const COUNTED: [(State, Family); 4] = [
    (State::Established, Family::Inet),
    (State::Established, Family::Inet6),
    (State::TimeWait, Family::Inet),
    (State::TimeWait, Family::Inet6),
];
/// Offset of the same counters for the current element: the kernel repeats one whose records did not fit.
pub(super) const OF_ELEMENT: i16 = 8 * 4;
/// Offset of the tick at which the last one in `TIME_WAIT` ends.
pub(super) const LAST_END: i16 = 8 * 8;
/// Offset of the current tick.
pub(super) const NOW: i16 = 8 * 9;
/// Offset of a number that is set if a socket of the current element was looked at more closely.
pub(super) const LOOKED: i16 = 8 * 10;
/// Offset of the same number for the element before.
pub(super) const LOOKED_BEFORE: i16 = 8 * 11;
/// Offsets of the addresses of `struct proto` that sockets have been created with.
pub(super) const PROTOCOLS: [i16; 2] = [8 * 12, 8 * 13];
/// Offset of a byte for each port.
pub(super) const PORTS: i16 = 8 * 14;
/// The byte of a port that a counted socket has.
pub(super) const IN_USE: u8 = 1;
/// The byte of a port whose sockets are not counted.
pub(super) const WATCHED: u8 = 2;

const NUMBERS: usize = FIRST_PORT + (1 << 16) / 8;
/// The number with the byte of port 0.
const FIRST_PORT: usize = 14;

/// The counters' memory.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) map: Map,
    numbers: Numbers,
}

impl Counts {
    pub(super) fn new() -> Result<Self, Error> {
        let map = Map::new(MapKind::Value, 8 * NUMBERS)?;
        let numbers = Numbers::of(&map)?;
        Ok(Self { map, numbers })
    }

    /// Resets the counters; sockets with a `watched` port get a record instead.
    pub(super) fn begin(&self, watched: impl Iterator<Item = u16>) {
        for place in 0..NUMBERS {
            self.numbers.set(place, 0);
        }
        for port in watched {
            let (place, byte) = place(port);
            let mut bytes = self.numbers.get(place).to_ne_bytes();
            if let Some(byte) = bytes.get_mut(byte) {
                *byte = WATCHED;
            }
            self.numbers.set(place, u64::from_ne_bytes(bytes));
        }
    }

    /// Passes the counts to the visitor.
    pub(super) fn lend(&self, ticks: Ticks, scratch: &mut Socket, visitor: &mut dyn Visitor) {
        let mut ports: Vec<u16> = (0..=u16::MAX)
            .filter(|port| self.is_in_use(*port))
            .collect();
        let number = |offset: i16| {
            self.numbers
                .get(usize::try_from(offset / 8).unwrap_or(NUMBERS))
        };
        let rest = number(LAST_END).saturating_sub(number(NOW));
        let expires_ms = ticks.millis(i32::try_from(rest).unwrap_or(i32::MAX));
        for (place, (state, family)) in COUNTED.into_iter().enumerate() {
            let count = self.numbers.get(place);
            if count == 0 {
                continue;
            }
            scratch.reset(Protocol::Tcp, family);
            scratch.state = state;
            scratch.timer = (state == State::TimeWait).then_some(Timer {
                kind: TimerKind::TimeWait,
                expires_ms,
                retransmits: 0,
            });
            visitor.count(scratch, count, &ports);
            ports.clear();
        }
    }

    fn is_in_use(&self, port: u16) -> bool {
        let (place, byte) = place(port);
        self.numbers.get(place).to_ne_bytes().get(byte) == Some(&IN_USE)
    }
}

/// The number that holds the byte of a port, and the index of the byte in it.
fn place(port: u16) -> (usize, usize) {
    let byte = usize::from(port);
    (FIRST_PORT + byte / 8, byte % 8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::{IN_USE, NUMBERS, PORTS, place};

    #[test]
    fn ports_stand_behind_the_numbers() {
        assert_eq!(place(0), (usize::try_from(PORTS / 8).unwrap(), 0));
        assert_eq!(place(u16::MAX), (NUMBERS - 1, 7));
        assert_eq!(IN_USE, 1);
    }
}
