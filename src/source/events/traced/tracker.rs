//! Records to events: which connection, whose, and what look-ups add.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use super::super::Watched;
use super::super::ends::{Ends, Facts};
use super::super::finder::Finder;
use super::super::tracefs::{Context, Record};
use super::Clock;
use super::belonging::{Belonging, Judge};
use super::remains::Remains;
use crate::model::{Event, Family, Socket, State, Table};

/// So many more lives than after the last sweep, and those whose end was not recorded are looked for.
const SWEEP: usize = 1024;

/// Follows sockets through their lives.
#[derive(Debug)]
pub(super) struct Tracker {
    finder: Finder,
    judge: Judge,
    /// By the address of the kernel's structure, which tells sockets apart while they live.
    living: HashMap<u64, u64>,
    lives: HashMap<u64, Life>,
    remains: Remains,
    next: u64,
    /// Lives after the last sweep.
    swept: usize,
}

/// One socket, from its first record to its end.
#[derive(Debug)]
struct Life {
    key: u64,
    ends: Ends,
    whose: Belonging,
    /// What was found of it.
    found: Option<Socket>,
    /// What the kernel left in its place.
    left: Option<Socket>,
    /// The task that opened it, in a system call.
    opener: Option<i32>,
    /// The first task that made a step of it in a system call.
    task: Option<i32>,
    /// The last step recorded.
    last: (State, State),
    /// When, in nanoseconds of the monotonic clock.
    last_ns: u64,
}

/// What happened behind the records at hand.
#[derive(Debug)]
pub(super) struct Since {
    /// The sockets recorded since, and the local end in the next record of each.
    pub(super) moved: HashMap<u64, SocketAddr>,
    /// Records up to this moment may have been lost, in nanoseconds of the monotonic clock.
    pub(super) lost_until_ns: u64,
}

/// The same, read when it is asked for.
struct Behind<'s> {
    since: &'s mut dyn FnMut() -> Since,
    read: Option<Since>,
}

impl Behind<'_> {
    fn get(&mut self) -> &Since {
        self.read.get_or_insert_with(&mut *self.since)
    }
}

impl Tracker {
    /// Knows of no socket but of those that wait for their end.
    pub(super) fn new(watched: &[Watched]) -> Self {
        let mut tracker = Self {
            finder: Finder::new(),
            judge: Judge::new(),
            living: HashMap::new(),
            lives: HashMap::new(),
            remains: Remains::default(),
            next: 0,
            swept: 0,
        };
        for watched in watched {
            for state in [State::TimeWait, State::FinWait2] {
                let (next, remains) = (&mut tracker.next, &mut tracker.remains);
                let narrow = watched.narrow.clone();
                tracker
                    .finder
                    .each(watched.table, state, narrow, &mut |socket| {
                        if socket.inode.is_none() && socket.uid.is_none() {
                            *next += 1;
                            remains.keep(*next, socket, Facts::default());
                        }
                    });
            }
        }
        tracker
    }

    /// When something is to be looked up without a record.
    pub(super) fn due(&self) -> Option<Instant> {
        self.remains.due()
    }

    /// Records were lost: what is known may be out of date.
    pub(super) fn forget(&mut self) {
        self.living.clear();
        self.lives.clear();
        self.swept = 0;
    }

    /// Adds what changed without a record, of what is left of ended connections.
    pub(super) fn finish(&mut self, events: &mut Vec<Event>) {
        self.remains.look_at_all(&mut self.finder, events);
    }

    /// Adds the events of these records, and of what is left of ended connections. `since` tells
    /// what happened behind them.
    pub(super) fn follow(
        &mut self,
        records: &[Record],
        clock: Clock,
        since: &mut dyn FnMut() -> Since,
        events: &mut Vec<Event>,
    ) {
        self.judge.next_batch();
        let steps: Vec<(u64, &Record)> = records.iter().map(|r| (self.live(r), r)).collect();
        let mut touched: Vec<u64> = steps.iter().map(|(life, _)| *life).collect();
        touched.sort_unstable();
        touched.dedup();
        self.look_up(&touched, since);
        for (life, record) in steps {
            self.tell(life, record, clock, events);
        }
        for life in touched {
            self.end(life);
        }
        self.remains.look_up(&mut self.finder, events);
        self.sweep();
    }

    /// The life that a record belongs to; it may begin with it.
    fn live(&mut self, record: &Record) -> u64 {
        let begins = record.old_state == State::Closed
            || (record.old_state, record.new_state) == (State::Listen, State::SynRcvd);
        let ends = ends_of(record);
        let known = self.living.get(&record.socket).copied().filter(|_| !begins);
        let goes_on = |number: &u64| {
            self.lives
                .get(number)
                .is_some_and(|life| life.goes_on(record))
        };
        let number = known.filter(goes_on).unwrap_or_else(|| {
            self.next += 1;
            self.next
        });
        let task = (record.context == Context::Task).then_some(record.pid);
        let life = self.lives.entry(number).or_insert_with(|| Life {
            key: record.socket,
            ends,
            whose: Belonging::Unknown,
            found: None,
            left: None,
            opener: task.filter(|_| record.old_state == State::Closed),
            task,
            last: (record.old_state, record.new_state),
            last_ns: record.time_ns,
        });
        life.last = (record.old_state, record.new_state);
        life.last_ns = record.time_ns;
        if ends.local.port() != 0 {
            life.ends = ends;
        }
        life.task = life.task.or(task);
        if let Some(replaced) = self.living.insert(record.socket, number)
            && replaced != number
        {
            // Its end is in the same batch, or was not recorded.
            self.lives
                .entry(replaced)
                .and_modify(|life| life.last.1 = State::Closed);
        }
        number
    }

    /// Looks for what is not known yet.
    fn look_up(&mut self, lives: &[u64], since: &mut dyn FnMut() -> Since) {
        let mut behind = Behind { since, read: None };
        let mut unknown = Vec::new();
        for number in lives {
            let Some(life) = self.lives.get_mut(number) else {
                continue;
            };
            // Another namespace may have the same addresses and ports, but not the same opener.
            life.judge(life.opener, &self.judge);
            life.look_up(&mut self.finder);
            if life.last.1 == State::SynSent && life.ends.local.port() == 0 {
                life.look_behind(&mut behind, &mut self.finder);
            }
            life.judge(life.task, &self.judge);
            if life.whose == Belonging::Unknown {
                unknown.push(*number);
            }
        }
        if !unknown.is_empty() {
            self.judge_by_other_ends(lives, &mut unknown);
            self.judge_by_absence(unknown, &mut behind);
        }
    }

    /// Both ends of a connection over loopback are in one namespace.
    fn judge_by_other_ends(&mut self, lives: &[u64], unknown: &mut Vec<u64>) {
        let lives = lives.iter().filter_map(|number| self.lives.get(number));
        let known = lives.filter(|life| life.whose != Belonging::Unknown);
        let known: HashMap<_, _> = known.map(|life| (life.ends.path(), life.whose)).collect();
        unknown.retain(|number| {
            let Some(life) = self.lives.get_mut(number) else {
                return false;
            };
            let (local, peer) = life.ends.path();
            let other = known
                .get(&(peer, local))
                .filter(|_| local.ip().is_loopback());
            life.whose = other.copied().unwrap_or(Belonging::Unknown);
            life.whose == Belonging::Unknown
        });
    }

    /// What is open, has not moved since, and yet is not found, is not here. Where records were lost
    /// it may have moved.
    fn judge_by_absence(&mut self, unknown: Vec<u64>, behind: &mut Behind<'_>) {
        for number in unknown {
            let Some(life) = self.lives.get_mut(&number) else {
                continue;
            };
            if !life.is_open() || life.ends.local.port() == 0 {
                continue;
            }
            let behind = behind.get();
            if behind.moved.contains_key(&life.key) || life.last_ns <= behind.lost_until_ns {
                continue;
            }
            let found = self.finder.find_anywhere(life.ends);
            life.whose = match found {
                Some(_) => Belonging::Ours,
                None => Belonging::Foreign,
            };
            life.found = found;
        }
    }

    /// Tells one step.
    fn tell(&mut self, number: u64, record: &Record, clock: Clock, events: &mut Vec<Event>) {
        let Some(life) = self.lives.get(&number) else {
            return;
        };
        if life.whose == Belonging::Unknown && !self.judge.is_local(life.ends.local.ip())
            || life.whose == Belonging::Foreign
        {
            return;
        }
        let time = clock.time_of(record.time_ns);
        let step = (record.old_state, record.new_state);
        let ends = life.ends;
        let left = life.left.as_ref().filter(|_| step == life.last);
        if let Some(left) = left {
            if left.state != step.0 {
                events.push(life.event(number, (step.0, left.state), time));
            }
            self.remains.keep(number, left, life.facts());
        } else {
            if step.0 == State::Closed || step == (State::Listen, State::SynRcvd) {
                self.remains.replaced(ends, time, events);
            }
            events.push(life.event(number, step, time));
        }
        self.remains.stirred(ends, &mut self.finder, events);
    }

    /// Forgets a life that is over.
    fn end(&mut self, number: u64) {
        let over = self.lives.get(&number).filter(|life| !life.is_open());
        if let Some(key) = over.map(|life| life.key) {
            self.lives.remove(&number);
            if self.living.get(&key) == Some(&number) {
                self.living.remove(&key);
            }
        }
    }

    /// Forgets lives that ended without a record: the kernel's filter left it out, since the port of
    /// the first record was not chosen yet and then was another.
    fn sweep(&mut self) {
        if self.lives.len() < self.swept.saturating_mul(2).saturating_add(SWEEP) {
            return;
        }
        let finder = &mut self.finder;
        self.lives.retain(|_, life| life.is_found(finder));
        let lives = &self.lives;
        self.living.retain(|_, number| lives.contains_key(number));
        self.swept = self.lives.len();
    }
}

impl Life {
    /// Is a record of the same socket in the kernel's memory one of this life? Where records were lost it
    /// may be of another that got the place. The last one of a life has no port any more.
    fn goes_on(&self, record: &Record) -> bool {
        let (known, ends) = (self.ends, ends_of(record));
        if known.local.port() == 0 || ends.local.port() == 0 {
            return self.last.1 == record.old_state;
        }
        let is_listener = record.old_state == State::Listen;
        known.local.port() == ends.local.port()
            && (is_listener || known.peer.port() == ends.peer.port())
    }

    const fn is_open(&self) -> bool {
        !matches!(self.last.1, State::Closed)
    }

    /// By a task that had to do with it, while nothing else is known.
    fn judge(&mut self, task: Option<i32>, judge: &Judge) {
        if let (Belonging::Unknown, Some(task)) = (self.whose, task) {
            self.whose = judge.by_task(task);
        }
    }

    /// Looks for it as it is now, or for what is left of it.
    fn look_up(&mut self, finder: &mut Finder) {
        if self.whose == Belonging::Foreign {
            return;
        }
        let known = self.found.as_ref();
        let complete = known.is_some_and(|socket| socket.inode.is_some());
        let found = match self.last {
            (State::FinWait1 | State::FinWait2 | State::Closing, State::Closed) => {
                self.left = finder.find(self.ends).filter(is_left);
                self.left.is_some().then_some(Belonging::Ours)
            }
            (_, State::Closed) => None,
            _ if complete => None,
            (_, State::Listen) => self.keep(finder.listener(self.ends)),
            (_, State::SynSent) if self.ends.local.port() == 0 => {
                self.keep(only(finder.connecting(self.ends)))
            }
            _ => self.keep(finder.find(self.ends)),
        };
        self.whose = found.unwrap_or(self.whose);
    }

    /// It connected so quickly that it was not found connecting: its next record tells the port.
    fn look_behind(&mut self, behind: &mut Behind<'_>, finder: &mut Finder) {
        if let Some(local) = behind.get().moved.get(&self.key) {
            self.ends.local = *local;
            self.look_up(finder);
        }
    }

    fn keep(&mut self, found: Option<Socket>) -> Option<Belonging> {
        let found = found?;
        if let Some(ends) = Ends::of(&found) {
            self.ends = ends;
        }
        self.found = Some(found);
        Some(Belonging::Ours)
    }

    fn is_found(&self, finder: &mut Finder) -> bool {
        if self.last.1 == State::Listen {
            return finder.listener(self.ends).is_some();
        }
        self.ends.local.port() != 0 && finder.find(self.ends).is_some()
    }

    fn facts(&self) -> Facts {
        self.found.as_ref().map(Facts::of).unwrap_or_default()
    }

    fn event(&self, connection: u64, step: (State, State), time: jiff::Timestamp) -> Event {
        Event {
            time,
            old_state: Some(step.0),
            socket: self.facts().socket(self.ends, step.1),
            sampled: false,
            connection,
        }
    }
}

/// Is it what the kernel leaves of a connection?
fn is_left(found: &Socket) -> bool {
    matches!(found.state, State::TimeWait | State::FinWait2) && found.inode.is_none()
}

/// The only one of them.
fn only(mut found: Vec<Socket>) -> Option<Socket> {
    let one = found.pop();
    one.filter(|_| found.is_empty())
}

pub(super) fn ends_of(record: &Record) -> Ends {
    let table = Table {
        protocol: record.protocol,
        family: record.family,
    };
    // A listener keeps the addresses of a peer it had before.
    let peer = match (record.new_state, record.family) {
        (State::Listen, Family::Inet6) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        (State::Listen, _) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        _ => end(record.peer),
    };
    Ends {
        table,
        local: end(record.local),
        peer,
    }
}

const fn end((ip, port): (IpAddr, u16)) -> SocketAddr {
    SocketAddr::new(ip, port)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Protocol;
    use crate::source::events::tracefs::Context;
    use std::net::Ipv4Addr;

    /// A step of what is at place 7 of the kernel's memory, by its own port and the peer's.
    fn record(step: (State, State), local: u16, peer: u16) -> Record {
        let ip = Ipv4Addr::LOCALHOST.into();
        Record {
            time_ns: 1,
            socket: 7,
            pid: 1,
            context: Context::Interrupt,
            old_state: step.0,
            new_state: step.1,
            protocol: Protocol::Tcp,
            family: Family::Inet,
            local: (ip, local),
            peer: (ip, peer),
        }
    }

    #[test]
    fn what_got_the_place_of_another_is_not_the_other() {
        let mut tracker = Tracker::new(&[]);
        let mut live = |step, local, peer| tracker.live(&record(step, local, peer));
        let first = live((State::Closed, State::SynSent), 0, 80);
        assert_eq!(live((State::SynSent, State::Established), 5_000, 80), first);
        assert_eq!(
            live((State::Established, State::CloseWait), 5_000, 80),
            first
        );
        // One or two records were lost.
        assert_eq!(live((State::LastAck, State::Closed), 5_000, 80), first);
        let second = live((State::SynSent, State::Established), 6_000, 80);
        assert_ne!(second, first);
        // The last one has no port any more.
        assert_eq!(live((State::Established, State::Closed), 0, 80), second);
        let third = live((State::LastAck, State::Closed), 0, 80);
        assert_ne!(third, second);
        let listener = live((State::Closed, State::Listen), 80, 9);
        assert_eq!(live((State::Listen, State::Closed), 80, 7), listener);
    }
}
