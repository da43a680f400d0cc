//! The steps of one connection: a chain of states, with the time between.

use jiff::Timestamp;

use crate::model::{Event, OwnedRow, Row, State, StateSet, Task, Traffic};
use crate::text;

use super::lines::name;
use super::stamp::{Cells, SAMPLED};

/// What happened to a connection since the watch began.
#[derive(Debug, Clone)]
pub(in crate::render) struct Chain {
    /// Its number.
    pub(in crate::render) connection: u64,
    /// Its steps, in their order.
    pub(in crate::render) steps: Vec<Step>,
    /// What it has carried. The round-trip time is that before the close, whose acknowledgements may be
    /// delayed.
    pub(in crate::render) traffic: Option<Traffic>,
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
    pub(in crate::render) task: Option<Task>,
}

impl Chain {
    /// Begins with an event.
    pub(in crate::render) fn new(event: &Event, row: &Row<'_>) -> Self {
        Self {
            connection: event.connection,
            steps: vec![Step::of(event)],
            traffic: event.traffic,
            kept: OwnedRow::keep(row),
        }
    }

    /// Goes on with an event.
    pub(in crate::render) fn add(&mut self, event: &Event, row: &Row<'_>) {
        self.steps.push(Step::of(event));
        let closing = StateSet::ORPHANED.with(State::CloseWait);
        let is_closing = event.old_state.is_some_and(|old| closing.contains(old));
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

    /// Is it at its end?
    pub(in crate::render) fn is_over(&self) -> bool {
        self.steps
            .last()
            .is_some_and(|step| step.new == State::Closed)
    }

    /// When the first step was.
    pub(in crate::render) fn time(&self, cells: &Cells) -> String {
        let first = self.steps.first();
        first.map_or_else(String::new, |step| cells.time(step.time, step.sampled))
    }

    /// `CLOSED`, ` → SYN_SENT`, ` →(31ms) ESTABLISHED`, …: what a line may be broken between.
    pub(in crate::render) fn links(&self, cells: &Cells) -> Vec<String> {
        let arrow = cells.arrow();
        let mut links: Vec<String> = Vec::with_capacity(self.steps.len() + 1);
        let mut before: Option<&Step> = None;
        for step in &self.steps {
            let (old, new) = (
                step.old.map_or_else(|| "?".to_owned(), name),
                name(step.new),
            );
            let since = before.map(|before| since(before, step));
            let link = match (since, before.map(|before| before.new)) {
                (Some(since), Some(state)) if step.old == Some(state) => {
                    format!(" {arrow}({since}) {new}")
                }
                (Some(since), _) if step.old.is_none() => {
                    format!(" {arrow}({since}) ? {arrow} {new}")
                }
                (Some(since), _) => format!(" {arrow}({since}) ? {arrow} {old} {arrow} {new}"),
                (None, _) => {
                    links.push(old);
                    format!(" {arrow} {new}")
                }
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
            task: event.task,
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
    if step.sampled || before.sampled {
        format!("{SAMPLED}{since}")
    } else {
        since
    }
}

/// How much is known of a socket.
fn knows(row: &Row<'_>) -> [bool; 3] {
    [
        row.socket.local.port.is_some(),
        row.process_status.is_some(),
        row.socket.cookie.is_some(),
    ]
}
