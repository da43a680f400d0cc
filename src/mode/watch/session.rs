//! A view of a listing, and what keys do to it.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::console::Input;
use super::looker::TrackedRow;
use super::prompt::{Edited, Prompt};
use crate::error::Error;
use crate::model::{Change, Row, State, Summary};
use crate::query::Query;
use crate::render::SortKey;
use crate::render::view::{Changed, Foot, Page, Pause, Rows, Scroll, StateCount, View};

/// The query that another filter makes of the command line.
pub struct Refilter(Box<Make>);

type Make = dyn Fn(&str) -> Result<Query, Error>;

impl Refilter {
    /// By this function of a filter.
    pub fn new(make: impl Fn(&str) -> Result<Query, Error> + 'static) -> Self {
        Self(Box::new(make))
    }
}

impl fmt::Debug for Refilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refilter").finish_non_exhaustive()
    }
}

/// What a key asks of who has the terminal.
#[derive(Debug)]
pub(super) enum Asked {
    /// Nothing but to draw.
    Draw,
    /// To look for something else, at once.
    Query(Box<Query>),
    /// To end.
    Quit,
    /// To stop for a while.
    Suspend,
}

/// A view under way.
pub(super) struct Session {
    view: View,
    zone: TimeZone,
    every: Duration,
    refilter: Refilter,
    filter: String,
    limit: Option<u64>,
    /// The orders that a key goes through, and which it is.
    orders: Vec<Vec<SortKey>>,
    order: usize,
    pub(super) pause: Pause,
    prompt: Option<Prompt>,
    time: Timestamp,
    /// Of the last round, in the order of the kernel.
    rows: Vec<TrackedRow>,
    /// Which of them are shown, in their order.
    shown: Vec<usize>,
    /// Every state that was seen, in this round and the one before.
    counts: BTreeMap<State, [u64; 2]>,
    rounds: u64,
    /// The next round is of another query: it has nothing to be compared with.
    is_other: bool,
    changes: Changed,
    notice: Option<String>,
}

impl Session {
    /// Of a query, which a filter may change. Has nothing to show.
    pub(super) fn new(
        query: &Query,
        every: Duration,
        (refilter, filter): (Refilter, String),
        zone: TimeZone,
    ) -> Self {
        Self {
            view: View::new(query.layout.clone(), zone.clone()),
            orders: orders(query),
            order: 0,
            limit: query.limit,
            zone,
            every,
            refilter,
            filter,
            pause: Pause::Off,
            prompt: None,
            time: Timestamp::UNIX_EPOCH,
            rows: Vec::new(),
            shown: Vec::new(),
            counts: BTreeMap::new(),
            rounds: 0,
            is_other: false,
            changes: Changed::default(),
            notice: None,
        }
    }

    /// A round is over: it is to be shown.
    pub(super) fn take(&mut self, time: Timestamp, rows: Vec<TrackedRow>, summary: &Summary) {
        if std::mem::take(&mut self.is_other) {
            self.counts.clear();
            self.rounds = 0;
        }
        self.time = time;
        self.rows = rows;
        self.count();
        self.sort();
        self.notice = notice(summary);
        self.rounds += 1;
    }

    fn count(&mut self) {
        for [now, before] in self.counts.values_mut() {
            *before = std::mem::take(now);
        }
        self.changes = Changed::default();
        for kept in &self.rows {
            match kept.change {
                Change::None | Change::Found => {}
                Change::New => self.changes.new += 1,
                Change::Changed(_) => self.changes.changed += 1,
                Change::Gone => self.changes.gone += 1,
            }
            if kept.change != Change::Gone {
                let state = kept.row.row().socket.state;
                let [now, _] = self.counts.entry(state).or_default();
                *now += 1;
            }
        }
    }

    fn sort(&mut self) {
        let keys = self.orders.get(self.order).map_or(&[][..], Vec::as_slice);
        let row = |index: &usize| self.rows.get(*index).map(|kept| kept.row.row());
        let mut shown: Vec<usize> = (0..self.rows.len()).collect();
        if !keys.is_empty() {
            shown.sort_by(|a, b| match (row(a), row(b)) {
                (Some(a), Some(b)) => SortKey::compare_all(keys, &a, &b),
                _ => Ordering::Equal,
            });
        }
        if let Some(limit) = self.limit {
            shown.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        self.shown = shown;
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, input: Input) -> Asked {
        match (input, &mut self.prompt) {
            (Input::Suspend, _) => return Asked::Suspend,
            (Input::Redraw, _) => self.view.forget_screen(),
            (Input::Resize, _) => {}
            (_, Some(prompt)) => match prompt.key(input) {
                Edited::Open => {}
                Edited::Dropped => self.prompt = None,
                Edited::Done => return self.apply(),
            },
            (Input::Char('q') | Input::Interrupt, None) => return Asked::Quit,
            (Input::Char(' '), None) => {
                self.pause = match self.pause {
                    Pause::Off => Pause::On,
                    Pause::On => Pause::Off,
                };
            }
            (Input::Char('s'), None) => {
                self.order = (self.order + 1) % self.orders.len().max(1);
                self.sort();
            }
            (Input::Char('/'), None) => self.prompt = Some(Prompt::new(&self.filter)),
            (other, None) => {
                if let Some(scroll) = scroll(other) {
                    self.view.scroll(scroll);
                }
            }
        }
        Asked::Draw
    }

    /// Takes the filter that was written; one that is wrong goes on being written.
    fn apply(&mut self) -> Asked {
        let Some(prompt) = &mut self.prompt else {
            return Asked::Draw;
        };
        let filter = prompt.text().trim().to_owned();
        match (self.refilter.0)(&filter) {
            Ok(query) => {
                self.view = View::new(query.layout.clone(), self.zone.clone());
                self.orders = orders(&query);
                self.order = self.order.min(self.orders.len().saturating_sub(1));
                self.filter = filter;
                self.prompt = None;
                self.is_other = true;
                Asked::Query(Box::new(query))
            }
            Err(error) => {
                prompt.error = Some(error.chain());
                Asked::Draw
            }
        }
    }

    /// What makes a screen of this size show it.
    pub(super) fn draw(&mut self, size: [u16; 2], has_keys: bool) -> Vec<u8> {
        let counts: Vec<StateCount> = self
            .counts
            .iter()
            .map(|(state, [now, before])| StateCount {
                state: *state,
                now: *now,
                before: (self.rounds > 1).then_some(*before),
            })
            .collect();
        let written = self.prompt.as_ref().map(Prompt::text);
        let foot = match (&self.prompt, &written) {
            (Some(prompt), Some(text)) => Foot::Prompt {
                text,
                cursor: prompt.cursor(),
                error: prompt.error.as_deref(),
            },
            _ if has_keys => Foot::Keys,
            _ => Foot::NoKeys,
        };
        let page = Page {
            time: self.time,
            every: self.every,
            pause: self.pause,
            sort: self.orders.get(self.order).map_or(&[], Vec::as_slice),
            filter: &self.filter,
            counts: &counts,
            changes: self.changes,
            notice: self.notice.as_deref(),
            rows: &Shown {
                rows: &self.rows,
                shown: &self.shown,
            },
            foot,
        };
        self.view.draw(&page, size)
    }

    /// The screen was used for something else.
    pub(super) fn forget_screen(&mut self) {
        self.view.forget_screen();
    }
}

/// The rows in their order.
struct Shown<'s> {
    rows: &'s [TrackedRow],
    shown: &'s [usize],
}

impl Rows for Shown<'_> {
    fn count(&self) -> usize {
        self.shown.len()
    }

    fn row(&self, index: usize) -> Option<(Row<'_>, Change)> {
        let kept = self.rows.get(*self.shown.get(index)?)?;
        Some((kept.row.row(), kept.change))
    }
}

/// The orders that the rows of a query can have: the one that was asked for, that of the kernel, and by
/// each column, queues from the largest on.
fn orders(query: &Query) -> Vec<Vec<SortKey>> {
    let mut orders = vec![query.sort.clone()];
    let columns = query.layout.columns.iter();
    let by_column = columns
        .filter(|column| column.is_sortable())
        .map(|column| vec![SortKey::usual(*column)]);
    for order in std::iter::once(Vec::new()).chain(by_column) {
        if !orders.contains(&order) {
            orders.push(order);
        }
    }
    orders
}

const fn scroll(input: Input) -> Option<Scroll> {
    Some(match input {
        Input::Up | Input::Char('k') => Scroll::Up,
        Input::Down | Input::Char('j') => Scroll::Down,
        Input::Left | Input::Char('h') => Scroll::Left,
        Input::Right | Input::Char('l') => Scroll::Right,
        Input::PageUp => Scroll::PageUp,
        Input::PageDown => Scroll::PageDown,
        Input::Home | Input::Char('g') => Scroll::First,
        Input::End | Input::Char('G') => Scroll::Last,
        _ => return None,
    })
}

/// What must be known of a round.
fn notice(summary: &Summary) -> Option<String> {
    let first = summary.warnings.first()?;
    let more = match summary.warnings.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let what = if summary.complete { "" } else { "incomplete: " };
    Some(format!("{what}{first}{more}"))
}
