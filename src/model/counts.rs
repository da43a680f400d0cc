//! Counts of sockets by table and state, and the fullest listeners.

use std::cmp::Ordering;

use super::{OwnedRow, Protocol, Row, Socket, State, StateSet, Table, TimerKind};

/// Numbers of sockets by table and state, with totals for TCP. Memory grows with the number of tables and
/// kept listeners, not of sockets.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Every table that was read.
    pub tables: Vec<StateCounts>,
    /// Sockets in `LISTEN`.
    pub listeners: Listeners,
    /// Milliseconds until the last TCP socket in `TIME_WAIT` ends. `None` = there is none, or not reported.
    pub longest_time_wait_ms: Option<u32>,
    /// Half-closed TCP sockets: [`Socket::is_half_closed`].
    pub half_closed: u64,
    /// Orphaned TCP sockets: [`Socket::is_orphan`].
    pub orphans: u64,
    /// TCP connections that may be stuck: [`Socket::may_be_stuck`].
    pub stuck: u64,
    /// TCP connections of a socket to itself: [`Socket::is_self_connected`].
    pub self_connected: u64,
    /// Bitmaps of the local ports in use: of TCP, of UDP. Empty before the first port.
    ports: [Vec<u64>; 2],
}

/// Words of a bitmap with a bit for each port.
const PORT_WORDS: usize = (1 << 16) / 64;

impl Counts {
    /// Creates empty counts that keep the `listeners` fullest listeners.
    pub fn new(listeners: usize) -> Self {
        let mut counts = Self::default();
        counts.listeners.most = listeners;
        counts
    }

    /// Counts a socket.
    pub fn add(&mut self, row: &Row<'_>) {
        let socket = row.socket;
        if socket.state == State::Listen {
            self.listeners.add(row);
        }
        self.add_port(socket.protocol, socket.local.port);
        if socket.protocol == Protocol::Tcp {
            self.self_connected += u64::from(socket.is_self_connected());
            self.half_closed += u64::from(socket.is_half_closed());
            self.orphans += u64::from(socket.is_orphan());
            self.stuck += u64::from(socket.may_be_stuck());
        }
        self.add_many(socket, 1);
    }

    /// Counts `count` sockets like this one; their ports may differ. None is a listener, half-closed, an
    /// orphan, stuck or connected to itself.
    pub fn add_many(&mut self, like: &Socket, count: u64) {
        match self.tables.last_mut() {
            // Tables are read one after another, so it is nearly always the last one.
            Some(last) if last.table == like.table() => last.add(like.state, count),
            _ => self.of_table(like.table()).add(like.state, count),
        }
        if let (Protocol::Tcp, State::TimeWait, Some(timer)) =
            (like.protocol, like.state, like.timer)
        {
            let rest = (timer.kind == TimerKind::TimeWait).then_some(timer.expires_ms);
            self.longest_time_wait_ms = self.longest_time_wait_ms.max(rest);
        }
    }

    /// Marks the port as in use.
    pub fn add_port(&mut self, protocol: Protocol, port: Option<u32>) {
        let ports = match protocol {
            Protocol::Tcp => self.ports.first_mut(),
            Protocol::Udp => self.ports.last_mut(),
            _ => None,
        };
        if let (Some(words), Some(port)) = (ports, port) {
            if words.is_empty() {
                words.resize(PORT_WORDS, 0);
            }
            let place = usize::try_from(port / 64).ok();
            if let Some(word) = place.and_then(|place| words.get_mut(place)) {
                *word |= 1 << (port % 64);
            }
        }
    }

    /// Adds the counts of another network namespace, except its ports: every namespace has its own.
    pub fn absorb(&mut self, other: &Self) {
        for table in &other.tables {
            let own = self.of_table(table.table);
            own.unlisted = own.unlisted.union(table.unlisted);
            for (state, count) in table.states() {
                own.add(state, count);
            }
        }
        let listeners = &mut self.listeners;
        listeners.count += other.listeners.count;
        listeners.untold += other.listeners.untold;
        listeners
            .fullest
            .extend_from_slice(&other.listeners.fullest);
        self.longest_time_wait_ms = self.longest_time_wait_ms.max(other.longest_time_wait_ms);
        self.half_closed += other.half_closed;
        self.orphans += other.orphans;
        self.stuck += other.stuck;
        self.self_connected += other.self_connected;
    }

    /// Notes that a table was read, even if it is empty, and which states its source does not list.
    pub fn note(&mut self, table: Table, unlisted: StateSet) {
        self.of_table(table).unlisted = unlisted;
    }

    fn of_table(&mut self, table: Table) -> &mut StateCounts {
        let known = self.tables.iter().position(|counts| counts.table == table);
        let place = known.unwrap_or(self.tables.len());
        if known.is_none() {
            self.tables.push(StateCounts {
                table,
                unlisted: StateSet::EMPTY,
                counts: State::NAMED.map(|state| (state, 0)).to_vec(),
            });
        }
        #[expect(clippy::indexing_slicing, reason = "it is there, or was just added")]
        &mut self.tables[place]
    }

    /// Number of sockets of a protocol in a state, of all families.
    pub fn of(&self, protocol: Protocol, state: State) -> u64 {
        self.of_protocol(protocol).map(|t| t.of(state)).sum()
    }

    /// Like [`Self::of`]; `None` = not listed.
    pub fn told(&self, protocol: Protocol, state: State) -> Option<u64> {
        self.of_protocol(protocol).map(|t| t.told(state)).sum()
    }

    /// Returns `number` if all of these states of TCP were listed; `None` otherwise, or without TCP.
    fn told_in(&self, states: StateSet, number: u64) -> Option<u64> {
        let mut tables = self.of_protocol(Protocol::Tcp).peekable();
        tables.peek()?;
        let lists = |counts: &StateCounts| counts.unlisted.intersection(states) == StateSet::EMPTY;
        tables.all(lists).then_some(number)
    }

    /// TCP sockets in `TIME_WAIT`; `None` = not listed.
    pub fn time_wait(&self) -> Option<u64> {
        let state = State::TimeWait;
        self.told_in(StateSet::EMPTY.with(state), self.of(Protocol::Tcp, state))
    }

    /// [`Self::half_closed`]; `None` = not listed.
    pub fn half_closed(&self) -> Option<u64> {
        self.told_in(Protocol::Tcp.connected(), self.half_closed)
    }

    /// [`Self::orphans`]; `None` = not listed.
    pub fn orphans(&self) -> Option<u64> {
        self.told_in(StateSet::ORPHANED, self.orphans)
    }

    /// Number of ports from `first` to `last` in use, of TCP or of UDP, whichever is larger.
    pub fn ports_in(&self, first: u16, last: u16) -> u64 {
        let from_first = |word| u64::MAX << if word == first / 64 { first % 64 } else { 0 };
        let to_last = |word| u64::MAX >> if word == last / 64 { 63 - last % 64 } else { 0 };
        let counts = self.ports.iter().map(|words| {
            let ports = (first / 64..=last / 64).filter_map(|word| {
                let ports = words.get(usize::from(word))?;
                Some(u64::from(
                    (ports & from_first(word) & to_last(word)).count_ones(),
                ))
            });
            ports.sum()
        });
        counts.max().unwrap_or_default()
    }

    /// Number of sockets of a protocol.
    pub fn total(&self, protocol: Protocol) -> u64 {
        self.of_protocol(protocol).map(StateCounts::total).sum()
    }

    /// The counts of a protocol, one for each family that was read.
    pub fn of_protocol(&self, protocol: Protocol) -> impl Iterator<Item = &StateCounts> {
        let tables = self.tables.iter();
        tables.filter(move |counts| counts.table.protocol == protocol)
    }
}

/// The sockets of one table by state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateCounts {
    pub table: Table,
    /// States whose sockets were not listed.
    unlisted: StateSet,
    /// Every named state in order, then the unknown ones that were seen.
    counts: Vec<(State, u64)>,
}

impl StateCounts {
    fn add(&mut self, state: State, more: u64) {
        if let Some((_, count)) = self.counts.iter_mut().find(|known| known.0 == state) {
            *count += more;
        } else {
            self.counts.push((state, more));
            self.counts.sort_unstable();
        }
    }

    /// Number of sockets in a state.
    pub fn of(&self, state: State) -> u64 {
        let known = self.counts.iter().find(|known| known.0 == state);
        known.map_or(0, |(_, count)| *count)
    }

    /// Like [`Self::of`]; `None` = not listed.
    pub fn told(&self, state: State) -> Option<u64> {
        (!self.unlisted.contains(state)).then(|| self.of(state))
    }

    /// Every named state, and the unknown ones that were seen, with their numbers.
    pub fn states(&self) -> impl Iterator<Item = (State, u64)> {
        self.counts.iter().copied()
    }

    /// The states that have sockets, or may have some (`None`).
    pub fn states_told(&self) -> impl Iterator<Item = (State, Option<u64>)> {
        let states = self.states();
        let told = states.map(|(state, _)| (state, self.told(state)));
        told.filter(|(_, count)| *count != Some(0))
    }

    /// Number of sockets listed.
    pub fn total(&self) -> u64 {
        self.states().map(|(_, count)| count).sum()
    }

    /// Like [`Self::total`]; `None` = none was listed, and there may be some.
    pub fn total_told(&self) -> Option<u64> {
        let total = self.total();
        (total > 0 || self.unlisted == StateSet::EMPTY).then_some(total)
    }
}

/// Sockets in `LISTEN`. The fullest are kept: those that use the largest share of their queue's limit.
#[derive(Debug, Clone, Default)]
pub struct Listeners {
    /// Number of listeners.
    pub count: u64,
    /// Number of listeners without a reported limit.
    pub untold: u64,
    /// The fullest, by share of the limit in use, then by connections waiting, then in order of arrival.
    /// Before [`Self::settle`] unordered, with some more.
    pub fullest: Vec<OwnedRow>,
    most: usize,
    /// True if `fullest` begins with the `most` fullest so far, in order.
    settled: bool,
}

impl Listeners {
    fn add(&mut self, row: &Row<'_>) {
        self.count += 1;
        let [waiting, limit] = [row.socket.recv_queue, row.socket.send_queue];
        let is_told = waiting == Some(0) || waiting.is_some() && limit.is_some();
        self.untold += u64::from(!is_told);
        let least = self.most.checked_sub(1).filter(|_| self.settled);
        let least = least.and_then(|least| self.fullest.get(least));
        let is_fuller = |kept: &OwnedRow| fullness(kept.row().socket, row.socket).is_lt();
        if self.most > 0 && least.is_none_or(is_fuller) {
            self.fullest.push(OwnedRow::keep(row));
        }
        // Not at each insertion: a large list would be moved every time.
        if self.fullest.len() >= self.most.saturating_mul(2).max(LEAST_KEPT) {
            self.settle();
        }
    }

    /// Sorts the kept listeners and drops all but the fullest.
    pub fn settle(&mut self) {
        let fuller = |a: &OwnedRow, b: &OwnedRow| fullness(b.row().socket, a.row().socket);
        self.fullest.sort_by(fuller);
        self.fullest.truncate(self.most);
        self.settled = true;
    }

    /// Number of listeners not among the fullest.
    pub fn left_out(&self) -> u64 {
        let kept = u64::try_from(self.fullest.len()).unwrap_or(u64::MAX);
        self.count.saturating_sub(kept)
    }
}

/// Listeners kept before the first sort, however few are wanted.
const LEAST_KEPT: usize = 64;

/// Compares how full two queues are. An unreported limit counts as large.
fn fullness(one: &Socket, other: &Socket) -> Ordering {
    let waiting = |socket: &Socket| u64::from(socket.recv_queue.unwrap_or_default());
    let limit = |socket: &Socket| u64::from(socket.send_queue.unwrap_or(u32::MAX).max(1));
    let share = waiting(one) * limit(other);
    share
        .cmp(&(waiting(other) * limit(one)))
        .then_with(|| waiting(one).cmp(&waiting(other)))
}

#[cfg(test)]
mod tests {
    use super::Counts;
    use crate::model::{Family, Protocol, Row, Socket, State, Timer, TimerKind};

    fn socket(state: State) -> Socket {
        let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
        socket.state = state;
        socket
    }

    fn listener(waiting: u32, limit: Option<u32>) -> Socket {
        let mut socket = socket(State::Listen);
        socket.recv_queue = Some(waiting);
        socket.send_queue = limit;
        socket
    }

    fn counted(most: usize, sockets: &[Socket]) -> Counts {
        let mut counts = Counts::new(most);
        for socket in sockets {
            counts.add(&Row::bare(socket));
        }
        counts.listeners.settle();
        counts
    }

    #[test]
    fn every_state_has_a_place_of_its_own() {
        let states = State::NAMED.into_iter().chain([14, 15].map(State::Unknown));
        for state in states {
            let counts = counted(0, &[socket(state), socket(state)]);
            assert_eq!(counts.of(Protocol::Tcp, state), 2, "{state}");
            assert_eq!(counts.total(Protocol::Tcp), 2, "{state}");
        }
    }

    #[test]
    fn ports_are_counted_once_from_the_first_to_the_last() {
        let at = |port| {
            let mut socket = socket(State::Established);
            socket.local.port = Some(port);
            socket
        };
        let counts = counted(0, &[0, 63, 64, 64, 127, 128, 65_535, 65_536].map(at));
        for (first, last, expected) in [
            (0, 65_535, 6),
            (0, 0, 1),
            (1, 62, 0),
            (63, 64, 2),
            (64, 127, 2),
            (65, 126, 0),
            (65_535, 65_535, 1),
        ] {
            assert_eq!(counts.ports_in(first, last), expected, "{first} {last}");
        }
        assert_eq!(counted(0, &[]).ports_in(0, 65_535), 0);
    }

    #[test]
    fn only_the_fullest_listeners_are_kept_in_order() {
        let sockets = [(0, 5), (5, 10), (50, 4096), (10, 20), (6, 5)];
        let sockets = sockets.map(|(waiting, limit)| listener(waiting, Some(limit)));
        let counts = counted(3, &sockets);
        let kept = counts.listeners.fullest.iter();
        let kept: Vec<_> = kept.map(|kept| kept.row().socket.recv_queue).collect();
        assert_eq!(kept, [Some(6), Some(10), Some(5)]);
        assert_eq!(
            (counts.listeners.count, counts.listeners.left_out()),
            (5, 2)
        );
    }

    #[test]
    fn listeners_without_a_limit_are_ordered_by_what_waits() {
        let counts = counted(2, &[1, 3, 2].map(|waiting| listener(waiting, None)));
        let kept = counts.listeners.fullest.iter();
        let kept: Vec<_> = kept.map(|kept| kept.row().socket.recv_queue).collect();
        assert_eq!(kept, [Some(3), Some(2)]);
    }

    #[test]
    fn of_many_listeners_the_fullest_are_kept_whatever_their_order() {
        for order in [1, 999] {
            let sockets = (0..1_000).map(|number| listener(number * order % 1_000, Some(2_000)));
            for most in [1, 20, 900] {
                let counts = counted(most, &sockets.clone().collect::<Vec<_>>());
                let kept = counts.listeners.fullest.iter();
                let kept: Vec<_> = kept
                    .filter_map(|kept| kept.row().socket.recv_queue)
                    .collect();
                let expected: Vec<u32> = (0..1_000).rev().take(most).collect();
                assert_eq!(kept, expected, "{order} {most}");
            }
        }
    }

    #[test]
    fn none_kept_are_counted_all_the_same() {
        let counts = counted(0, &[listener(1, Some(1))]);
        assert_eq!(
            (counts.listeners.count, counts.listeners.left_out()),
            (1, 1)
        );
    }

    #[test]
    fn longest_rest_of_time_wait_is_the_largest() {
        let rests = [20_000, 59_000, 3_000].map(|expires_ms| {
            let mut socket = socket(State::TimeWait);
            socket.timer = Some(Timer {
                kind: TimerKind::TimeWait,
                expires_ms,
                retransmits: 0,
            });
            socket
        });
        let counts = counted(0, &rests);
        assert_eq!(counts.of(Protocol::Tcp, State::TimeWait), 3);
        assert_eq!(counts.longest_time_wait_ms, Some(59_000));
    }
}
