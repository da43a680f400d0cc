//! Histories of connections, and pairs of them that are two ends of one connection: those with the same
//! addresses and ports in reverse.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;

use crate::model::{
    Ending, Endpoint, Event, OwnedRow, Protocol, Row, Socket, State, StateSet, Syn, Task, Traffic,
};
use crate::text;

use super::super::paint;

/// Marks a time as that of a poll, not of the event.
pub(super) const fn mark(sampled: bool) -> &'static str {
    if sampled { "~" } else { "" }
}

/// The history of an end of a connection, or of a listener, since watching began.
#[derive(Debug)]
pub(in crate::render) struct Life {
    pub(in crate::render) connection: u64,
    /// The number of its last change.
    pub(in crate::render) changed: u64,
    pub(in crate::render) steps: Vec<Step>,
    /// Its traffic. The round-trip time is that before the close, whose ACKs may be delayed.
    pub(in crate::render) traffic: Option<Traffic>,
    /// From its first event to the last, in microseconds; `None` = it began before watching.
    pub(in crate::render) age_us: Option<u64>,
    /// What is known of its socket.
    kept: OwnedRow,
    /// `None` = its port is not known yet.
    ends: Option<Ends>,
    /// The number of the other end, which may be its own.
    other: Option<u64>,
    is_over: bool,
    is_wanted: bool,
}

/// An event without its socket.
#[derive(Debug, Clone, Copy)]
pub(in crate::render) struct Step {
    pub(in crate::render) time: Timestamp,
    pub(in crate::render) old: Option<State>,
    pub(in crate::render) new: State,
    pub(in crate::render) sampled: bool,
    pub(in crate::render) words: Option<&'static str>,
    /// True if the connection ended abnormally.
    pub(in crate::render) is_broken_off: bool,
    pub(in crate::render) task: Option<Task>,
    pub(super) syn: Syn,
    pub(super) ending: Option<Ending>,
}

/// The histories of one connection; at least one end is there.
#[derive(Debug)]
pub(in crate::render) struct Pair {
    /// Client and server, if the roles are known.
    pub(in crate::render) ends: [Option<Life>; 2],
    pub(in crate::render) roles: Roles,
}

/// Which end is the client, and which the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::render) enum Roles {
    Known,
    /// The start was not seen, or both ends connected simultaneously.
    Unknown,
    /// A self-connected socket is both.
    Both,
}

/// The endpoints of a connection, from one side. IPv4-mapped addresses count as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Ends {
    /// The network namespace of loopback addresses; `None` = others, which may lead to another namespace.
    netns: Option<u32>,
    protocol: Protocol,
    local: (IpAddr, u32),
    peer: (IpAddr, u32),
}

impl Ends {
    fn of(socket: &Socket) -> Option<Self> {
        let of = |end: &Endpoint| Some((end.ip?.to_canonical(), end.port?));
        let (local, peer) = (of(&socket.local)?, of(&socket.peer)?);
        let is_inside = local.0.is_loopback() || peer.0.is_loopback();
        Some(Self {
            netns: socket.netns.filter(|_| is_inside),
            protocol: socket.protocol,
            local,
            peer,
        })
    }

    const fn turned(self) -> Self {
        Self {
            local: self.peer,
            peer: self.local,
            ..self
        }
    }
}

/// Connections that may have further events.
#[derive(Debug, Default)]
pub(in crate::render) struct Lives {
    /// In the order of their first events.
    by_number: BTreeMap<u64, Life>,
    /// Ends whose other end was not seen; the latest one in each namespace.
    single: HashMap<Ends, BTreeMap<Option<u32>, u64>>,
    /// Those over since the last call of [`take`](Self::take).
    over: Vec<u64>,
    /// Number of changes so far.
    pub(super) changes: u64,
}

impl Lives {
    /// Adds an event.
    pub(super) fn add(&mut self, event: &Event, row: &Row<'_>, is_wanted: bool) {
        let number = event.connection;
        let life = self.by_number.entry(number);
        let life = life.or_insert_with(|| Life {
            connection: number,
            changed: 0,
            steps: Vec::new(),
            traffic: None,
            age_us: None,
            kept: OwnedRow::keep(row),
            ends: None,
            other: None,
            is_over: false,
            is_wanted: false,
        });
        self.changes += 1;
        life.changed = self.changes;
        life.is_wanted |= is_wanted;
        life.add(event, row);
        if event.socket.state == State::Closed {
            self.end(number);
        }
    }

    /// Ends a history.
    pub(super) fn end(&mut self, number: u64) {
        if let Some(life) = self.by_number.get_mut(&number) {
            life.is_over = true;
            self.over.push(number);
        }
    }

    /// Those that may have further events.
    pub(super) fn open(&self) -> impl ExactSizeIterator<Item = &Life> {
        self.by_number.values()
    }

    /// Searches for the other end as soon as the endpoints are known.
    pub(super) fn join(&mut self, number: u64, socket: &Socket) {
        let Some(life) = self.by_number.get_mut(&number) else {
            return;
        };
        if life.ends.is_some() {
            return;
        }
        life.ends = Ends::of(socket);
        let Some(ends) = life.ends else { return };
        let turned = ends.turned();
        let other = if turned == ends {
            Some(number)
        } else {
            self.other_end(turned, number)
        };
        let Some(other) = other else {
            let at = self.single.entry(ends).or_default();
            at.insert(socket.netns, number);
            return;
        };
        self.forget(turned, other);
        for (of, other) in [(number, other), (other, number)] {
            if let Some(life) = self.by_number.get_mut(&of) {
                life.other = Some(other);
            }
        }
    }

    /// The other end of a connection: in the same namespace, or in the only other one that has it. With
    /// several it is unknown.
    fn other_end(&self, ends: Ends, of: u64) -> Option<u64> {
        let life = self.by_number.get(&of)?;
        let can_be = |other: &u64| {
            let other = self.by_number.get(other);
            other.is_some_and(|other| {
                let ends = [other, life].map(|end| (end.steps.first().map(|step| step.time), end));
                let is_in_order = ends[0].0 <= ends[1].0;
                let [(_, one), (_, other)] = ends;
                if is_in_order {
                    can_join(one, other)
                } else {
                    can_join(other, one)
                }
            })
        };
        let at = self.single.get(&ends)?;
        let here = at.get(&life.row().socket.netns).copied().filter(can_be);
        let mut others = at.values().copied().filter(can_be);
        here.or_else(|| others.next().filter(|_| others.next().is_none()))
    }

    /// Forgets an end that is over, or whose other end was found.
    fn forget(&mut self, ends: Ends, number: u64) {
        if let Entry::Occupied(mut at) = self.single.entry(ends) {
            at.get_mut().retain(|_, single| *single != number);
            if at.get().is_empty() {
                at.remove();
            }
        }
    }

    /// Takes those that are wanted and over, as far as known; or all.
    pub(super) fn take(&mut self, are_all: bool) -> Vec<Pair> {
        let mut over = std::mem::take(&mut self.over);
        if are_all {
            over.extend(self.by_number.keys());
        }
        let pairs = over.into_iter();
        pairs
            .filter_map(|number| self.take_one(number, are_all))
            .collect()
    }

    fn take_one(&mut self, number: u64, is_due: bool) -> Option<Pair> {
        let other = self.by_number.get(&number)?.other;
        let is_open = |other| self.by_number.get(other).is_some_and(|life| !life.is_over);
        if !is_due && other.as_ref().is_some_and(is_open) {
            return None;
        }
        self.changes += 1;
        let life = self.by_number.remove(&number)?;
        if let Some(ends) = life.ends {
            self.forget(ends, number);
        }
        let is_both = other == Some(number);
        let other = other.and_then(|other| self.by_number.remove(&other));
        let is_wanted = life.is_wanted || other.as_ref().is_some_and(|other| other.is_wanted);
        is_wanted.then(|| Pair::of(life, other, is_both))
    }
}

impl Life {
    fn add(&mut self, event: &Event, row: &Row<'_>) {
        self.steps.push(Step::of(event));
        let closing = StateSet::ORPHANED.with(State::CloseWait);
        let is_closing = event.old_state.is_some_and(|old| closing.contains(old));
        self.age_us = event.spent.in_all_us;
        let before = self.traffic.filter(|_| is_closing);
        self.traffic = event.traffic.map(|traffic| Traffic {
            rtt_us: before.map_or(traffic.rtt_us, |before| before.rtt_us),
            ..traffic
        });
        // The first event may lack the port, and the last the socket.
        if knows(row) >= knows(&self.kept.row()) {
            self.kept = OwnedRow::keep(row);
        }
    }

    /// The socket, as far as known.
    pub(in crate::render) fn row(&self) -> Row<'_> {
        self.kept.row()
    }

    /// `CLOSED → SYN_SENT`, `→(31ms) ESTABLISHED`, …: pieces between which a line may be folded.
    pub(in crate::render) fn links(&self, arrow: &str) -> Vec<String> {
        let mut links: Vec<String> = Vec::with_capacity(self.steps.len());
        let mut before: Option<&Step> = None;
        for step in &self.steps {
            let old = step
                .old
                .map_or_else(|| "?".to_owned(), |old| old.to_string());
            let new = paint::mark_alarm(step.new.to_string(), step.is_broken_off);
            let since = before.map(|before| since(before, step));
            let link = match (since, before.map(|before| before.new)) {
                (Some(since), Some(state)) if step.old == Some(state) => {
                    format!("{arrow}({since}) {new}")
                }
                (Some(since), _) if step.old.is_none() => {
                    format!("{arrow}({since}) ? {arrow} {new}")
                }
                (Some(since), _) => format!("{arrow}({since}) ? {arrow} {old} {arrow} {new}"),
                (None, _) => format!("{old} {arrow} {new}"),
            };
            links.push(link);
            before = Some(step);
        }
        links
    }
}

impl Step {
    pub(in crate::render) fn of(event: &Event) -> Self {
        Self {
            time: event.time,
            old: event.old_state,
            new: event.socket.state,
            sampled: event.sampled,
            words: event.step(),
            is_broken_off: event.is_broken_off(),
            task: event.task,
            syn: event.syn,
            ending: event.ending,
        }
    }

    /// The time since the event before, in microseconds.
    pub(in crate::render) fn since_us(&self, before: &Self) -> u64 {
        let since = self.time.duration_since(before.time).as_micros();
        u64::try_from(since).unwrap_or_default()
    }
}

/// `31ms`, or `~2.4s` if one of the two times is that of a poll.
fn since(before: &Step, step: &Step) -> String {
    let since = text::micros(step.since_us(before));
    format!("{}{since}", mark(step.sampled || before.sampled))
}

/// Measures how much is known of a socket.
fn knows(row: &Row<'_>) -> [bool; 3] {
    [
        row.socket.local.port.is_some(),
        row.process_status.is_some(),
        row.socket.cookie.is_some(),
    ]
}

impl Pair {
    fn of(one: Life, other: Option<Life>, is_both: bool) -> Self {
        let mut ends = [Some(one), other];
        // An end without its other end comes last.
        ends.sort_by_key(|end| end.as_ref().map(|end| (begin(end), end.connection)));
        let begins: Vec<Begin> = ends.iter().flatten().map(begin).collect();
        if let [only] = *begins
            && only != Begin::Passive
        {
            ends.reverse();
        }
        let clients = begins.iter().filter(|begin| **begin == Begin::Active);
        let roles = if is_both {
            Roles::Both
        } else if clients.count() == 1 || begins.contains(&Begin::Passive) {
            Roles::Known
        } else {
            Roles::Unknown
        };
        Self { ends, roles }
    }
}

/// How a history begins, in the order from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Begin {
    /// It connects.
    Active,
    /// Earlier events were not recorded: it existed before watching began.
    Earlier,
    /// Unknown, because it was restored, or both ends connected simultaneously.
    Unknown,
    /// A listener created it.
    Passive,
}

fn begin(life: &Life) -> Begin {
    let Some(first) = life.steps.first() else {
        return Begin::Unknown;
    };
    let is_at_once = |step: &Step| (step.old, step.new) == (Some(State::SynSent), State::SynRcvd);
    match (first.old, first.new) {
        (_, State::SynSent) if first.syn == Syn::Restored => Begin::Unknown,
        (_, State::SynSent) if life.steps.iter().any(is_at_once) => Begin::Unknown,
        (_, State::SynSent) => Begin::Active,
        (Some(State::Listen), _) => Begin::Passive,
        (None, _) => Begin::Unknown,
        _ => Begin::Earlier,
    }
}

/// True if an earlier history can be the other end of a later one. Reversed addresses are not enough: a
/// transparent proxy has both sides of its clients' connections. The connecting end begins first.
fn can_join(earlier: &Life, later: &Life) -> bool {
    match (begin(earlier), begin(later)) {
        (Begin::Unknown, _)
        | (_, Begin::Unknown)
        | (Begin::Active, Begin::Passive)
        | (Begin::Earlier, Begin::Earlier) => true,
        (Begin::Active, Begin::Active) => {
            let last = earlier.steps.last();
            last.is_some_and(|step| step.new == State::SynSent)
        }
        _ => false,
    }
}
