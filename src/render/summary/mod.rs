//! `-s`: a sink that counts rows. What it counted is written at the end.

mod findings;
pub(super) mod text;

use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::model::{Counts, Findings, Network, Row, State, Summary, Table};

use super::out::Out;
use super::{Envelope, Format, Layout, Sink};

/// Listeners shown, unless `--limit` says otherwise.
const LISTENERS: usize = 20;

/// What there is to write at the end.
pub(super) struct Totals {
    /// Of all namespaces.
    pub(super) counts: Counts,
    /// Of each network namespace, where several were looked at.
    pub(super) parts: Vec<(Arc<str>, Counts)>,
    /// `None` = nothing was looked for.
    pub(super) findings: Option<Findings>,
    pub(super) format: Format,
    pub(super) layout: Layout,
    pub(super) envelope: Envelope,
}

impl Totals {
    /// Each number that is not zero, or not known, with its namespace where there are several.
    pub(super) fn records(
        &self,
    ) -> impl Iterator<Item = (Option<&str>, Table, State, Option<u64>)> {
        let whole = self.parts.is_empty().then_some((None, &self.counts));
        let parts = self.parts.iter();
        let parts = parts.map(|(netns, counts)| (Some(&**netns), counts));
        whole.into_iter().chain(parts).flat_map(|(netns, counts)| {
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
    counted: Vec<(Option<u32>, Counts)>,
    /// What was counted at the last checkpoint of the namespace that rows came from since then.
    checkpoint: Option<(usize, Counts)>,
    /// Listeners that are kept.
    most: usize,
    totals: Totals,
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
            counted: Vec::new(),
            checkpoint: None,
            most,
            totals: Totals {
                counts: Counts::new(most),
                parts: Vec::new(),
                findings: None,
                format,
                layout,
                envelope,
            },
            out: Out::new(out),
        }
    }

    /// The place of what is counted in a namespace.
    fn place(&mut self, netns: Option<u32>) -> usize {
        let mut counted = self.counted.iter();
        let known = counted.rposition(|(known, _)| *known == netns);
        known.unwrap_or_else(|| {
            let counts = Counts::new(self.most);
            self.counted.push((netns, counts));
            self.counted.len() - 1
        })
    }

    fn counts_at(&mut self, place: usize) -> Option<&mut Counts> {
        self.counted.get_mut(place).map(|(_, counts)| counts)
    }

    /// All is counted. Gives the counts of each namespace, with its name where there are several.
    pub fn settle(&mut self, summary: &Summary) -> Vec<(Option<Arc<str>>, &Counts)> {
        let mut networks: Vec<Option<&Network>> = Vec::new();
        for origin in &summary.sources {
            let network = origin.netns.as_ref();
            let place = self.place(network.map(|network| network.inode));
            // A table without sockets was read all the same; one that could not be read was not.
            if let Some(counts) = self.counts_at(place)
                && origin.source.is_some()
            {
                counts.note(origin.table, origin.unlisted);
            }
            if !networks.contains(&network) {
                networks.push(network);
            }
        }
        let mut parts = mem::take(&mut self.counted);
        for (_, counts) in &mut parts {
            counts.listeners.settle();
            counts.tables.sort_by_key(|counts| counts.table);
        }
        let named = |netns: Option<u32>| {
            let mut networks = networks.iter().flatten();
            networks.find(|network| Some(network.inode) == netns)
        };
        let place = |netns: Option<u32>| {
            let mut inodes = networks.iter().map(|network| network.map(|one| one.inode));
            inodes.position(|inode| inode == netns)
        };
        // As they were looked at, also where nothing was found.
        parts.sort_by_key(|(netns, _)| place(*netns));
        let totals = &mut self.totals;
        if parts.len() > 1 {
            let name = |netns| named(netns).map_or_else(Arc::default, |one| Arc::clone(&one.name));
            let parts = parts.into_iter();
            totals.parts = parts.map(|(netns, counts)| (name(netns), counts)).collect();
            for (_, counts) in &totals.parts {
                totals.counts.absorb(counts);
            }
            totals.counts.listeners.settle();
            totals.counts.tables.sort_by_key(|counts| counts.table);
        } else if let Some((_, counts)) = parts.pop() {
            totals.counts = counts;
        }
        let parts = totals.parts.iter();
        match totals.parts[..] {
            [] => vec![(None, &totals.counts)],
            _ => parts
                .map(|(netns, counts)| (Some(Arc::clone(netns)), counts))
                .collect(),
        }
    }

    /// What was found; without this, nothing was looked for.
    pub fn tell(&mut self, findings: Findings) {
        self.totals.findings = Some(findings);
    }

    /// Begins rows that may have to be rolled back: all of one namespace.
    pub fn checkpoint(&mut self) {
        self.checkpoint = None;
    }

    /// Drops every row since the last checkpoint, which can always be done.
    pub fn rollback(&mut self) -> bool {
        if let Some((place, before)) = self.checkpoint.take()
            && let Some(counts) = self.counts_at(place)
        {
            *counts = before;
        }
        true
    }
}

impl Sink for Summing<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let place = self.place(row.socket.netns);
        let is_first = self.checkpoint.is_none();
        if let Some((_, counts)) = self.counted.get_mut(place) {
            if is_first {
                self.checkpoint = Some((place, counts.clone()));
            }
            counts.add(row);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        if !self.counted.is_empty() {
            self.settle(summary);
        }
        let counts = self.totals.format.definition().counts;
        counts(&mut self.out.buffer, &self.totals, summary);
        self.out.finish()
    }
}
