//! `-s`: a sink that counts rows, and writes the counts at the end.

pub(super) mod brief;
mod diagram;
pub(super) mod findings;
pub(super) mod screen;
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

/// Listeners shown by default.
const LISTENERS: usize = 20;
/// Sockets in a page by default, of each table and state and in total, to keep the page small.
const ROOM: [usize; 2] = [500, 5_000];

/// What is written at the end.
pub(super) struct Totals {
    /// The counts of all namespaces.
    pub(super) counts: Counts,
    /// The counts of each network namespace, if there are several.
    pub(super) parts: Vec<(Arc<[u8]>, Counts)>,
    /// The containers of the namespaces.
    pub(super) containers: BTreeMap<Arc<[u8]>, Arc<[u8]>>,
    /// `None` = not searched.
    pub(super) findings: Option<Findings>,
    pub(super) format: Format,
    pub(super) layout: Layout,
    pub(super) envelope: Envelope,
    /// In `html`: the listed sockets.
    pub(super) rows: Vec<OwnedRow>,
    /// In `html`: the most sockets listed of each table and state, and in total.
    pub(super) room: [usize; 2],
    /// When counting began.
    pub(super) begun: Instant,
    /// The round before, if any.
    before: Option<Round>,
}

impl Totals {
    /// The counts of the round before.
    pub(super) fn before(&self) -> Option<&Counts> {
        self.before.as_ref().map(|round| &round.counts)
    }

    /// The counts of each network namespace, with its name if there are several.
    pub(super) fn each(&self) -> impl Iterator<Item = (Option<&[u8]>, &Counts)> {
        let whole = self.parts.is_empty().then_some((None, &self.counts));
        let parts = self.parts.iter();
        whole
            .into_iter()
            .chain(parts.map(|(netns, counts)| (Some(&**netns), counts)))
    }

    /// The round for comparison with the next.
    fn round(&self) -> Round {
        let findings = self.findings.as_ref();
        Round {
            ended: Instant::now(),
            counts: self.counts.clone(),
            counters: findings.map_or_else(Vec::new, |all| all.counters.clone()),
        }
    }

    /// Every number that is unknown or not zero, with its namespace if there are several.
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

/// Counts rows, and writes the counts and findings at the end.
pub struct Summing<'w> {
    /// By inode number of the network namespace; `None` = the own one.
    counted: BTreeMap<Option<u32>, Counts>,
    /// The counts at the last checkpoint, of the namespaces of the rows since then.
    checkpoint: BTreeMap<Option<u32>, Counts>,
    /// The namespace of the last row since then.
    latest: Option<u32>,
    /// The most listeners kept.
    most: usize,
    /// Rows kept before the checkpoint.
    settled: usize,
    totals: Totals,
    since: Option<&'w Since>,
    out: Out<'w>,
}

impl<'w> Summing<'w> {
    /// Writes to `out` in a format, with the header, colors, characters and width of a [`Layout`]; shows at
    /// most `limit` listeners.
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
            checkpoint: BTreeMap::new(),
            latest: None,
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

    /// Compares with the round before, and becomes the one for the next.
    pub fn compare(&mut self, since: &'w Since) {
        self.totals.before = since.0.take();
        self.since = Some(since);
    }

    /// Ends counting. Returns the counts of each namespace, with its name if there are several.
    pub fn settle(&mut self, summary: &Summary) -> Vec<(Option<Arc<[u8]>>, &Counts)> {
        // In the order they were read, including empty ones.
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
            // Tables without sockets were read, too; tables that could not be read were not.
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

    /// Looks up the holders of the kept listeners.
    pub fn name_holders(&mut self, mut row_of: impl FnMut(&Socket) -> OwnedRow) {
        for listener in &mut self.totals.counts.listeners.fullest {
            *listener = row_of(listener.socket());
        }
    }

    /// Looks up the container of each network namespace, if there are several.
    pub fn name_containers(&mut self, mut of: impl FnMut(&[u8]) -> Option<Arc<[u8]>>) {
        let netns = self.totals.parts.iter().map(|(netns, _)| netns);
        let found = netns.filter_map(|netns| Some((Arc::clone(netns), of(netns)?)));
        self.totals.containers = found.collect();
    }

    /// Sets the findings; without this they were not searched.
    pub fn tell(&mut self, findings: Findings) {
        self.totals.findings = Some(findings);
    }

    /// Counts `count` sockets like this one, as [`Counts::add_many`] does, with their ports.
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
        if self.latest != netns || self.checkpoint.is_empty() {
            self.latest = netns;
            let before = self.checkpoint.entry(netns);
            before.or_insert_with(|| counts.clone());
        }
        counts
    }

    /// True if sockets are listed beside the counts.
    pub fn lists(&self) -> bool {
        self.totals.format == Format::Html
    }

    /// True if this socket will be listed.
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

    /// Marks the start of rows that may be rolled back.
    pub fn checkpoint(&mut self) {
        self.checkpoint.clear();
        self.settled = self.totals.rows.len();
    }

    /// Drops every row since the last checkpoint, which is always possible.
    pub fn rollback(&mut self) -> bool {
        self.counted.append(&mut self.checkpoint);
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
