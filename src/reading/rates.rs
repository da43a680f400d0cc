//! Rates of connections: bytes per second between two rounds.

use std::collections::HashMap;
use std::mem;
use std::time::Instant;

use crate::model::{Rates, Socket, Structure};

/// The time, with the bytes acknowledged and received until then.
type Read = (Instant, [u64; 2]);

/// Bytes transferred by connections in the last two rounds, by cookie.
#[derive(Debug, Default)]
pub struct Transfers {
    before: HashMap<u64, Read>,
    now: HashMap<u64, Read>,
    /// The rates of the last socket.
    last: Option<Rates>,
}

impl Transfers {
    pub(super) fn next_listing(&mut self) {
        self.before = mem::take(&mut self.now);
    }

    pub(super) fn read(&mut self, socket: &Socket) {
        self.last = self.since_before(socket);
    }

    /// `None` = the last socket was not in the round before.
    pub(super) const fn rates(&self) -> Option<&Rates> {
        self.last.as_ref()
    }

    fn since_before(&mut self, socket: &Socket) -> Option<Rates> {
        let info = socket.info(Structure::of(socket.protocol)?)?;
        let bytes = [info.value("bytes_acked")?, info.value("bytes_received")?];
        let (cookie, now) = (socket.cookie?, Instant::now());
        self.now.insert(cookie, (now, bytes));
        let (then, before) = self.before.get(&cookie)?;
        per_second(*before, bytes, (now - *then).as_micros())
    }
}

fn per_second(before: [u64; 2], now: [u64; 2], micros: u128) -> Option<Rates> {
    let rate = |before: u64, now: u64| {
        let bytes = u128::from(now.checked_sub(before)?) * 1_000_000;
        u64::try_from(bytes.checked_div(micros)?).ok()
    };
    let ([acked, received], [acked_now, received_now]) = (before, now);
    Some(Rates {
        acked: rate(acked, acked_now)?,
        received: rate(received, received_now)?,
    })
}

#[cfg(test)]
mod tests {
    use super::per_second;

    #[test]
    fn a_rate_is_a_difference_in_a_second() {
        let second = 1_000_000;
        for (before, now, micros, expected) in [
            ([0, 7], [1_000, 7], second, Some([1_000, 0])),
            ([5, 5], [1_005, 2_005], second / 4, Some([4_000, 8_000])),
            ([0, 0], [1, u64::MAX], second, Some([1, u64::MAX])),
            ([0, 0], [u64::MAX, 0], 1, None),
            ([2, 2], [1, 3], second, None),
            ([0, 0], [1, 1], 0, None),
        ] {
            let rates = per_second(before, now, micros);
            let rates = rates.map(|rates| [rates.acked, rates.received]);
            assert_eq!(rates, expected, "{before:?} {now:?}");
        }
    }
}
