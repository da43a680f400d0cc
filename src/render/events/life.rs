//! What happened to connections, and which two of them are ends of one: lives with the same four numbers, the
//! other way round.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use jiff::Timestamp;

use crate::model::{
    Ending, Endpoint, Event, OwnedRow, Protocol, Row, Socket, State, StateSet, Syn, Task, Traffic,
};
use crate::text;

use super::super::paint;

/// Stands before a time that is that of a look, not of the step.
pub(super) const fn mark(sampled: bool) -> &'static str {
    if sampled { "~" } else { "" }
}

/// What happened to an end of a connection, or to a listener, since the watch began.
#[derive(Debug)]
pub(in crate::render) struct Life {
    pub(in crate::render) connection: u64,
    /// Which of the changes was its last.
    pub(in crate::render) changed: u64,
    pub(in crate::render) steps: Vec<Step>,
    /// What it has carried. The round-trip time is that before the close, whose acknowledgements may be
    /// delayed.
    pub(in crate::render) traffic: Option<Traffic>,
    /// From its first step to the last, in microseconds; `None` = it began before.
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

/// A step, without its socket.
#[derive(Debug, Clone, Copy)]
pub(in crate::render) struct Step {
    pub(in crate::render) time: Timestamp,
    pub(in crate::render) old: Option<State>,
    pub(in crate::render) new: State,
    pub(in crate::render) sampled: bool,
    pub(in crate::render) words: Option<&'static str>,
    /// True if it must not be overlooked.
    pub(in crate::render) is_broken_off: bool,
    pub(in crate::render) task: Option<Task>,
    pub(super) syn: Syn,
    pub(super) ending: Option<Ending>,
}

/// What was seen of one connection. At least one of its ends is there.
#[derive(Debug)]
pub(in crate::render) struct Pair {
    /// Client and server, where the roles are known.
    pub(in crate::render) ends: [Option<Life>; 2],
    pub(in crate::render) roles: Roles,
}

/// Who is client, and who is server?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::render) enum Roles {
    Known,
    /// The begin was not seen, or both ends opened at once.
    Unknown,
    /// A socket that is connected to itself is both.
    Both,
}

/// Where a connection is, from one side. An IPv4-mapped address is that of IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Ends {
    /// The network namespace that loopback addresses are of; `None` = others may lead to another one.
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

/// The connections of which more may be seen.
#[derive(Debug, Default)]
pub(in crate::render) struct Lives {
    /// In the order in which they were first seen.
    by_number: BTreeMap<u64, Life>,
    /// The ends of these numbers whose other end was not seen; of a namespace the latest one.
    single: HashMap<Ends, BTreeMap<Option<u32>, u64>>,
    /// Those that are over since the last look.
    over: Vec<u64>,
    /// How often one of them was changed.
    pub(super) changes: u64,
}

impl Lives {
    /// Adds a step.
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

    /// Nothing more is told of one.
    pub(super) fn end(&mut self, number: u64) {
        if let Some(life) = self.by_number.get_mut(&number) {
            life.is_over = true;
            self.over.push(number);
        }
    }

    /// Those of which more may be seen.
    pub(super) fn open(&self) -> impl ExactSizeIterator<Item = &Life> {
        self.by_number.values()
    }

    /// Looks for the other end of a life as soon as its ends are known.
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

    /// The end of these numbers that belongs to a life: in its own namespace, or in the only other one that has
    /// such an end. Of several it cannot be told.
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

    /// An end is over, or its other end was found.
    fn forget(&mut self, ends: Ends, number: u64) {
        if let Entry::Occupied(mut at) = self.single.entry(ends) {
            at.get_mut().retain(|_, single| *single != number);
            if at.get().is_empty() {
                at.remove();
            }
        }
    }

    /// Those that are wanted and over, as far as was seen; or all.
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
        // The first step of a connection may not know its port yet, and the last not its socket.
        if knows(row) >= knows(&self.kept.row()) {
            self.kept = OwnedRow::keep(row);
        }
    }

    /// The socket, as far as it is known.
    pub(in crate::render) fn row(&self) -> Row<'_> {
        self.kept.row()
    }

    /// `CLOSED → SYN_SENT`, `→(31ms) ESTABLISHED`, …: what a line may be folded between.
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

    /// The time since the step before, in microseconds.
    pub(in crate::render) fn since_us(&self, before: &Self) -> u64 {
        let since = self.time.duration_since(before.time).as_micros();
        u64::try_from(since).unwrap_or_default()
    }
}

/// `31ms`, `~2.4s` where one of the two was only noticed.
fn since(before: &Step, step: &Step) -> String {
    let since = text::micros(step.since_us(before));
    format!("{}{since}", mark(step.sampled || before.sampled))
}

/// How much is known of a socket.
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
        // Without the other end, the one that is there comes last.
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

/// What is known of the first steps of a life, in the order from left to right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Begin {
    /// It connects.
    Active,
    /// The steps before were not recorded: it was there before the watch.
    Earlier,
    /// Nobody knows how it began, for a program restored it, or it connected and was connected to.
    Unknown,
    /// A listener made it.
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

/// Can an earlier life be the other end of a later one? The same numbers the other way round need not be:
/// a transparent proxy has both sides of its clients' connections. Who connects begins first.
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
