//! The steps of one connection: a chain of states, with the time between.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{Ending, Event, OwnedRow, Row, State, StateSet, Syn, Task, Traffic};
use crate::text;

use super::super::paint;

/// Stands before a time that is that of a look, not of the step.
pub(super) const fn mark(sampled: bool) -> &'static str {
    if sampled { "~" } else { "" }
}

/// What happened to a connection since the watch began.
#[derive(Debug, Clone)]
pub(in crate::render) struct Chain {
    pub(in crate::render) connection: u64,
    /// Which of the changes was its last.
    pub(in crate::render) changed: u64,
    pub(in crate::render) steps: Vec<Step>,
    /// What it has carried. The round-trip time is that before the close, whose acknowledgements may be
    /// delayed.
    pub(in crate::render) traffic: Option<Traffic>,
    /// From its first step to the last, in microseconds; `None` = it began before.
    pub(in crate::render) life_us: Option<u64>,
    /// What is known of its socket.
    kept: OwnedRow,
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

/// The connections that are open, in the order in which they were first seen.
#[derive(Debug, Default)]
pub(in crate::render) struct OpenChains {
    /// By number.
    chains: BTreeMap<u64, Chain>,
    /// How often one of them was changed.
    pub(in crate::render) changes: u64,
}

impl OpenChains {
    /// Adds an event; gives the connection if that was its end.
    pub(in crate::render) fn add(&mut self, event: &Event, row: &Row<'_>) -> Option<Chain> {
        let chain = self.chains.entry(event.connection);
        let chain = chain.or_insert_with(|| Chain::new(event.connection, row));
        self.changes += 1;
        chain.changed = self.changes;
        chain.add(event, row);
        if event.socket.state != State::Closed {
            return None;
        }
        self.chains.remove(&event.connection)
    }

    /// Gives a connection that is over.
    pub(in crate::render) fn take(&mut self, number: u64) -> Option<Chain> {
        let taken = self.chains.remove(&number)?;
        self.changes += 1;
        Some(taken)
    }

    pub(in crate::render) fn chains(&self) -> impl ExactSizeIterator<Item = &Chain> {
        self.chains.values()
    }
}

impl Chain {
    /// Nothing has happened to it yet.
    pub(super) fn new(connection: u64, row: &Row<'_>) -> Self {
        Self {
            connection,
            changed: 0,
            steps: Vec::new(),
            traffic: None,
            life_us: None,
            kept: OwnedRow::keep(row),
        }
    }

    /// Goes on with an event.
    pub(super) fn add(&mut self, event: &Event, row: &Row<'_>) {
        self.steps.push(Step::of(event));
        let closing = StateSet::ORPHANED.with(State::CloseWait);
        let is_closing = event.old_state.is_some_and(|old| closing.contains(old));
        self.life_us = event.spent.in_all_us;
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
