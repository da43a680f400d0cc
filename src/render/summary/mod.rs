//! `-s`: a sink that counts rows. What it counted is written at the end.

pub(super) mod brief;
pub(super) mod findings;
pub(super) mod since;
pub(super) mod text;

use std::collections::BTreeMap;
use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use crate::model::{Counts, Findings, Network, OwnedRow, Row, Socket, State, Summary, Table};

use super::out::Out;
use super::{Envelope, Format, Layout, Order, Sink};
use since::Round;
pub use since::Since;

/// Listeners shown, unless `--limit` says otherwise.
const LISTENERS: usize = 20;
/// Sockets of each table and state, and of all, in a page likewise: it stays small enough to be sent.
const ROOM: [usize; 2] = [500, 5_000];

/// What there is to write at the end.
pub(super) struct Totals {
    /// Of all namespaces.
    pub(super) counts: Counts,
    /// Of each network namespace, where several were looked at.
    pub(super) parts: Vec<(Arc<[u8]>, Counts)>,
    /// The containers that these are.
    pub(super) containers: BTreeMap<Arc<[u8]>, Arc<[u8]>>,
    /// `None` = nothing was looked for.
    pub(super) findings: Option<Findings>,
    pub(super) format: Format,
    pub(super) layout: Layout,
    pub(super) envelope: Envelope,
    /// In `html`: sockets that are listed.
    pub(super) rows: Vec<OwnedRow>,
    /// In `html`: as many sockets of each table and state are listed at most, and as many of all.
    pub(super) room: [usize; 2],
    /// When counting began.
    pub(super) begun: Instant,
    /// The round before, if there was one.
    before: Option<Round>,
}

impl Totals {
    /// The counts of the round before.
    pub(super) fn before(&self) -> Option<&Counts> {
        self.before.as_ref().map(|round| &round.counts)
    }

    /// The counts of each network namespace, with its name where there are several.
    pub(super) fn each(&self) -> impl Iterator<Item = (Option<&[u8]>, &Counts)> {
        let whole = self.parts.is_empty().then_some((None, &self.counts));
        let parts = self.parts.iter();
        whole
            .into_iter()
            .chain(parts.map(|(netns, counts)| (Some(&**netns), counts)))
    }

    /// What the next round is compared with.
    fn round(&self) -> Round {
        let findings = self.findings.as_ref();
        Round {
            ended: Instant::now(),
            counts: self.counts.clone(),
            counters: findings.map_or_else(Vec::new, |all| all.counters.clone()),
        }
    }

    /// Each number that is not zero, or not known, with its namespace where there are several.
    pub(super) fn records(
        &self,
    ) -> impl Iterator<Item = (Option<&[u8]>, Table, State, Option<u64>)> {
        self.each().flat_map(|(netns, counts)| {
            counts.tables.iter().flat_map(move |counts| {
                let some = counts.states_told();
                some.map(move |(state, count)| (netns, counts.table, state, count))
            })
        })
    }
}

/// Counts rows, and writes the counts at the end, with what was found wrong.
pub struct Summing<'w> {
    /// Of each network namespace, by inode number; without one of the own one.
    counted: BTreeMap<Option<u32>, Counts>,
    /// What was counted at the last checkpoint of the namespace that rows came from since then.
    checkpoint: Option<(Option<u32>, Counts)>,
    /// Listeners that are kept.
    most: usize,
    /// Rows that were kept before the checkpoint.
    settled: usize,
    totals: Totals,
    since: Option<&'w Since>,
    out: Out<'w>,
}

impl<'w> Summing<'w> {
    /// Will write to `out` in a format. In a [`Layout`] it looks at the line of titles, colours, signs
    /// and width; at most `limit` listeners are shown.
    pub fn new(
        format: Format,
        layout: Layout,
        limit: Option<usize>,
        envelope: Envelope,
        out: Box<dyn io::Write + 'w>,
    ) -> Self {
        let most = limit.unwrap_or(LISTENERS);
        Self {
            counted: BTreeMap::new(),
            checkpoint: None,
            most,
            settled: 0,
            totals: Totals {
                counts: Counts::new(most),
                parts: Vec::new(),
                containers: BTreeMap::new(),
                findings: None,
                format,
                layout,
                envelope,
                rows: Vec::new(),
                room: limit.map_or(ROOM, |limit| [limit, usize::MAX]),
                begun: Instant::now(),
                before: None,
            },
            since: None,
            out: Out::new(out),
        }
    }

    /// Compares with the round before, and will be what the next one is compared with.
    pub fn compare(&mut self, since: &'w Since) {
        self.totals.before = since.0.take();
        self.since = Some(since);
    }

    /// All is counted. Gives the counts of each namespace, with its name where there are several.
    pub fn settle(&mut self, summary: &Summary) -> Vec<(Option<Arc<[u8]>>, &Counts)> {
        // As they were looked at, also where nothing was found.
        let mut networks: Vec<Option<&Network>> = Vec::new();
        for origin in &summary.sources {
            let network = origin.netns.as_ref();
            if !networks.contains(&network) {
                networks.push(network);
            }
        }
        let mut counted = mem::take(&mut self.counted);
        let mut parts: Vec<(Arc<[u8]>, Counts)> = Vec::new();
        for network in networks {
            let counts = counted.remove(&network.map(|network| network.inode));
            let mut counts = counts.unwrap_or_else(|| Counts::new(self.most));
            let sources = summary.sources.iter();
            // A table without sockets was read all the same; one that could not be read was not.
            for origin in sources.filter(|origin| origin.source.is_some()) {
                if origin.netns.as_ref() == network {
                    counts.note(origin.table, origin.unlisted);
                }
            }
            let name = network.map_or_else(Arc::default, |network| Arc::clone(&network.name));
            parts.push((name, counts));
        }
        let others = counted.into_values();
        parts.extend(others.map(|counts| (Arc::default(), counts)));
        let totals = &mut self.totals;
        if let [(_, only)] = &mut parts[..] {
            mem::swap(&mut totals.counts, only);
            parts.clear();
        }
        for (_, counts) in &parts {
            totals.counts.absorb(counts);
        }
        totals.parts = parts;
        let parts = totals.parts.iter_mut().map(|(_, counts)| counts);
        for counts in parts.chain([&mut totals.counts]) {
            counts.listeners.settle();
            counts.tables.sort_by_key(|counts| counts.table);
        }
        let parts = totals.parts.iter();
        match totals.parts[..] {
            [] => vec![(None, &totals.counts)],
            _ => parts
                .map(|(netns, counts)| (Some(Arc::clone(netns)), counts))
                .collect(),
        }
    }

    /// Looks up who holds the listeners that are kept.
    pub fn name_holders(&mut self, mut row_of: impl FnMut(&Socket) -> OwnedRow) {
        for listener in &mut self.totals.counts.listeners.fullest {
            *listener = row_of(listener.socket());
        }
    }

    /// Looks up which container each network namespace is, where there are several.
    pub fn name_containers(&mut self, mut of: impl FnMut(&[u8]) -> Option<Arc<[u8]>>) {
        let netns = self.totals.parts.iter().map(|(netns, _)| netns);
        let found = netns.filter_map(|netns| Some((Arc::clone(netns), of(netns)?)));
        self.totals.containers = found.collect();
    }

    /// What was found; without this, nothing was looked for.
    pub fn tell(&mut self, findings: Findings) {
        self.totals.findings = Some(findings);
    }

    /// Counts so many more like this one, [as the counts do](Counts::add_many), and their ports.
    pub fn add_many(&mut self, like: &Socket, count: u64, ports: &[u16]) {
        let counts = self.of(like.netns);
        counts.add_many(like, count);
        for port in ports {
            counts.add_port(like.protocol, Some((*port).into()));
        }
    }

    fn of(&mut self, netns: Option<u32>) -> &mut Counts {
        let counts = self.counted.entry(netns);
        let counts = counts.or_insert_with(|| Counts::new(self.most));
        if self.checkpoint.is_none() {
            self.checkpoint = Some((netns, counts.clone()));
        }
        counts
    }

    /// True if sockets are listed beside their counts.
    pub fn lists(&self) -> bool {
        self.totals.format == Format::Html
    }

    /// True if this one will be listed.
    pub fn has_room(&self, socket: &Socket) -> bool {
        let counts = self.counted.get(&socket.netns);
        let table = counts.and_then(|counts| {
            let mut tables = counts.tables.iter();
            tables.find(|counts| counts.table == socket.table())
        });
        let alike = table.map_or(0, |table| table.of(socket.state));
        let [of_each, of_all] = self.totals.room;
        let is_one_of_few = usize::try_from(alike).is_ok_and(|alike| alike < of_each);
        self.lists() && is_one_of_few && self.totals.rows.len() < of_all
    }

    /// Begins rows that may have to be rolled back: all of one namespace.
    pub fn checkpoint(&mut self) {
        self.checkpoint = None;
        self.settled = self.totals.rows.len();
    }

    /// Drops every row since the last checkpoint, which can always be done.
    pub fn rollback(&mut self) -> bool {
        if let Some((netns, before)) = self.checkpoint.take() {
            self.counted.insert(netns, before);
        }
        self.totals.rows.truncate(self.settled);
        true
    }
}

impl Sink for Summing<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        if self.has_room(row.socket) {
            self.totals.rows.push(OwnedRow::keep(row));
        }
        self.of(row.socket.netns).add(row);
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        if !self.counted.is_empty() {
            self.settle(summary);
        }
        let totals = &mut self.totals;
        let order = |a: &OwnedRow, b: &OwnedRow| Order::Usual.compare(&a.row(), &b.row());
        totals.rows.sort_by(order);
        if let Some(since) = self.since {
            since.0.replace(Some(totals.round()));
        }
        totals
            .format
            .write_counts(&mut self.out.buffer, totals, summary);
        self.out.finish()
    }
}
