//! What the program counts instead of writing records: sockets about which there is nothing to tell but their
//! state.

use crate::bpf::{Map, MapKind, Numbers};
use crate::error::Error;
use crate::model::{Family, Protocol, Socket, State, Timer, TimerKind};
use crate::source::Visitor;

use super::record::Ticks;

/// Counters of eight bytes: those in `ESTABLISHED`, those in `TIME_WAIT`; each of IPv4 and of IPv6.
pub(super) const COUNTED: [(State, Family); 4] = [
    (State::Established, Family::Inet),
    (State::Established, Family::Inet6),
    (State::TimeWait, Family::Inet),
    (State::TimeWait, Family::Inet6),
];
/// Where the tick stands at which the last one in `TIME_WAIT` ends,
pub(super) const LAST_END: i16 = 8 * 4;
/// the tick of now,
pub(super) const NOW: i16 = 8 * 5;
/// and a byte for each port.
pub(super) const PORTS: i16 = 8 * 6;
/// In the place of a port: a counted socket has it.
pub(super) const IN_USE: u8 = 1;
/// In the place of a port: who has it is not to be counted.
pub(super) const WATCHED: u8 = 2;

const NUMBERS: usize = 6 + (1 << 16) / 8;

/// The memory for them.
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

    /// Begins again; whoever has one of these ports gets a record.
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

    /// Has the visitor count what was counted.
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

/// The number that has the byte of a port, and which of its bytes that is.
fn place(port: u16) -> (usize, usize) {
    let byte = usize::from(port);
    (6 + byte / 8, byte % 8)
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
