//! Both ends of a connection on this host: two lives with the same four numbers, the other way round.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use crate::model::{Event, Protocol, Row, Socket, State};

use super::{Chain, Step};

/// What was seen of one connection. At least one of its ends is there.
#[derive(Debug)]
pub(in crate::render) struct Pair {
    /// Client and server, where the roles are known.
    pub(in crate::render) ends: [Option<Chain>; 2],
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

/// One end.
#[derive(Debug)]
struct Life {
    chain: Chain,
    /// `None` = its port is not known yet.
    ends: Option<Ends>,
    /// Its network namespace.
    netns: Option<u32>,
    /// The number of the other end, which may be its own.
    other: Option<u64>,
    is_over: bool,
    is_wanted: bool,
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
        let [local, peer] = [&socket.local, &socket.peer].map(|end| {
            let ip = end.ip?.to_canonical();
            Some((ip, end.port?))
        });
        let (local, peer) = (local?, peer?);
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
pub(super) struct Pairs {
    /// Their ends, by number.
    lives: BTreeMap<u64, Life>,
    /// The ends of these numbers whose other end was not seen; of a namespace the latest one.
    single: HashMap<Ends, BTreeMap<Option<u32>, u64>>,
    /// Ends that are over since the last look.
    over: Vec<u64>,
}

impl Pairs {
    /// Adds a step. Those of listeners are of no connection.
    pub(super) fn add(&mut self, event: &Event, row: &Row<'_>, is_wanted: bool) {
        if matches!(
            (event.old_state, event.socket.state),
            (_, State::Listen) | (Some(State::Listen), State::Closed)
        ) {
            return;
        }
        let number = event.connection;
        let life = self.lives.entry(number).or_insert_with(|| Life {
            chain: Chain::new(number, row),
            ends: None,
            netns: event.socket.netns,
            other: None,
            is_over: false,
            is_wanted: false,
        });
        life.chain.add(event, row);
        life.is_wanted |= is_wanted;
        if life.ends.is_none() {
            life.ends = Ends::of(&event.socket);
            self.join(number);
        }
        if event.socket.state == State::Closed {
            self.end(number);
        }
    }

    /// Nothing more is told of an end.
    pub(super) fn end(&mut self, number: u64) {
        if let Some(life) = self.lives.get_mut(&number) {
            life.is_over = true;
            self.over.push(number);
        }
    }

    /// Looks for the other end of a life whose ends have just become known.
    fn join(&mut self, number: u64) {
        let Some(life) = self.lives.get(&number) else {
            return;
        };
        let Some(ends) = life.ends else { return };
        let turned = ends.turned();
        let other = if turned == ends {
            Some(number)
        } else {
            self.other_end(turned, life)
        };
        let Some(other) = other else {
            let at = self.single.entry(ends).or_default();
            at.insert(life.netns, number);
            return;
        };
        self.forget(turned, other);
        for (of, other) in [(number, other), (other, number)] {
            if let Some(life) = self.lives.get_mut(&of) {
                life.other = Some(other);
            }
        }
    }

    /// The end of these numbers that belongs to a life: in its own namespace, or in the only other one that has
    /// such an end. Of several it cannot be told.
    fn other_end(&self, ends: Ends, life: &Life) -> Option<u64> {
        let can_be = |other: &u64| {
            let other = self.lives.get(other);
            other.is_some_and(|other| can_join(&other.chain, &life.chain))
        };
        let at = self.single.get(&ends)?;
        let here = at.get(&life.netns).copied().filter(can_be);
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
            over.extend(self.lives.keys());
        }
        let pairs = over.into_iter();
        pairs
            .filter_map(|number| self.take_one(number, are_all))
            .collect()
    }

    fn take_one(&mut self, number: u64, is_due: bool) -> Option<Pair> {
        let other = self.lives.get(&number)?.other;
        let is_open = |other| self.lives.get(other).is_some_and(|life| !life.is_over);
        if !is_due && other.as_ref().is_some_and(is_open) {
            return None;
        }
        let life = self.lives.remove(&number)?;
        if let Some(ends) = life.ends {
            self.forget(ends, number);
        }
        let is_both = other == Some(number);
        let other = other.and_then(|other| self.lives.remove(&other));
        let is_wanted = life.is_wanted || other.as_ref().is_some_and(|other| other.is_wanted);
        is_wanted.then(|| Pair::of(life.chain, other.map(|other| other.chain), is_both))
    }
}

impl Pair {
    fn of(one: Chain, other: Option<Chain>, is_both: bool) -> Self {
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
    /// Nobody knows how it began, or it connected and was connected to.
    Unknown,
    /// A listener made it.
    Passive,
}

fn begin(chain: &Chain) -> Begin {
    let Some(first) = chain.steps.first() else {
        return Begin::Unknown;
    };
    let is_at_once = |step: &Step| (step.old, step.new) == (Some(State::SynSent), State::SynRcvd);
    match (first.old, first.new) {
        (_, State::SynSent) if chain.steps.iter().any(is_at_once) => Begin::Unknown,
        (_, State::SynSent) => Begin::Active,
        (Some(State::Listen), _) => Begin::Passive,
        (None, _) => Begin::Unknown,
        _ => Begin::Earlier,
    }
}

/// Can an earlier life be the other end of a later one? The same numbers the other way round need not be:
/// a transparent proxy has both sides of its clients' connections. Who connects begins first.
fn can_join(earlier: &Chain, later: &Chain) -> bool {
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
