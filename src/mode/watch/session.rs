//! A view of a listing, and what keys do to it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::event::{Input, Round};
use super::prompt::{Edited, Prompt};
use super::{Refilter, Viewing};
use crate::model::{Change, ChangedRow, State, Summary};
use crate::query::Query;
use crate::render::SortKey;
use crate::render::view::{Changed, Foot, Page, Scroll, StateCount, View};

/// What a key asks of who has the terminal.
#[derive(Debug)]
pub(super) enum Action {
    /// Nothing but to draw.
    Draw,
    /// To look for something else, at once.
    Query(Box<Query>),
    /// To end.
    Quit,
}

/// A view under way.
pub(super) struct Session {
    view: View,
    zone: TimeZone,
    every: Duration,
    refilter: Box<Refilter>,
    filter: String,
    limit: Option<usize>,
    /// The orders that a key goes through, and which it is.
    orders: Vec<Vec<SortKey>>,
    order: usize,
    pub(super) is_paused: bool,
    prompt: Option<Prompt>,
    time: Timestamp,
    /// Of the last round, in the order of the kernel.
    rows: Vec<ChangedRow>,
    /// Those that are shown, in their order.
    shown: Vec<ChangedRow>,
    /// Every state that was seen.
    counts: BTreeMap<State, StateCount>,
    /// True if there was no round of this query yet, with which the next one could be compared.
    is_first: bool,
    changes: Changed,
    notice: Option<String>,
}

impl Session {
    /// Of a query, which a filter may change. Has nothing to show.
    pub(super) fn new(query: &Query, every: Duration, viewing: Viewing) -> Self {
        Self {
            view: View::new(query.layout.clone(), viewing.zone.clone()),
            zone: viewing.zone,
            every,
            refilter: viewing.refilter,
            filter: viewing.filter,
            limit: query.limit,
            orders: orders(query),
            order: 0,
            is_paused: false,
            prompt: None,
            time: Timestamp::UNIX_EPOCH,
            rows: Vec::new(),
            shown: Vec::new(),
            counts: BTreeMap::new(),
            is_first: true,
            changes: Changed::default(),
            notice: None,
        }
    }

    /// A round is over: it is to be shown.
    pub(super) fn take(&mut self, round: Round) {
        self.time = round.time;
        self.rows = round.rows;
        self.notice = notice(&round.summary);
        self.count();
        self.sort();
    }

    fn count(&mut self) {
        let is_first = std::mem::take(&mut self.is_first);
        if is_first {
            self.counts.clear();
        }
        for count in self.counts.values_mut() {
            count.before = Some(std::mem::take(&mut count.now));
        }
        self.changes = Changed::default();
        for row in &self.rows {
            match row.change {
                Change::None | Change::Found => {}
                Change::New => self.changes.new += 1,
                Change::Changed(_) => self.changes.changed += 1,
                Change::Gone => {
                    self.changes.gone += 1;
                    continue;
                }
            }
            let new = StateCount {
                now: 0,
                before: (!is_first).then_some(0),
            };
            let state = row.row.row().socket.state;
            self.counts.entry(state).or_insert(new).now += 1;
        }
    }

    fn sort(&mut self) {
        self.shown.clone_from(&self.rows);
        let keys = self.orders.get(self.order).map_or(&[][..], Vec::as_slice);
        self.shown
            .sort_by(|a, b| SortKey::compare_all(keys, &a.row.row(), &b.row.row()));
        if let Some(limit) = self.limit {
            self.shown.truncate(limit);
        }
    }

    /// A key was pressed.
    pub(super) fn key(&mut self, input: Input) -> Action {
        match (input, &mut self.prompt) {
            (Input::Redraw, _) => self.view.forget_screen(),
            (_, Some(prompt)) => match prompt.key(input) {
                Edited::Open => {}
                Edited::Dropped => self.prompt = None,
                Edited::Done => return self.apply(),
            },
            (Input::Char('q') | Input::Control('c'), None) => return Action::Quit,
            (Input::Char(' '), None) => self.is_paused = !self.is_paused,
            (Input::Char('s'), None) => {
                self.order = (self.order + 1) % self.orders.len().max(1);
                self.sort();
            }
            (Input::Char('/'), None) => self.prompt = Some(Prompt::new(&self.filter)),
            (Input::Scroll(scroll), None) => self.view.scroll(scroll),
            (Input::Char(letter), None) => {
                if let Some(scroll) = scroll(letter) {
                    self.view.scroll(scroll);
                }
            }
            _ => {}
        }
        Action::Draw
    }

    /// Takes the filter that was written; one that is wrong goes on being written.
    fn apply(&mut self) -> Action {
        let Some(prompt) = &mut self.prompt else {
            return Action::Draw;
        };
        let filter = prompt.text().trim().to_owned();
        match (self.refilter)(&filter) {
            Ok(query) => {
                self.view = View::new(query.layout.clone(), self.zone.clone());
                self.orders = orders(&query);
                self.order = self.order.min(self.orders.len().saturating_sub(1));
                self.filter = filter;
                self.prompt = None;
                self.is_first = true;
                Action::Query(Box::new(query))
            }
            Err(error) => {
                prompt.error = Some(error.chain());
                Action::Draw
            }
        }
    }

    /// What makes a screen of this size show it.
    pub(super) fn draw(&mut self, size: [u16; 2], has_keys: bool) -> Vec<u8> {
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
            is_paused: self.is_paused,
            sort: self.orders.get(self.order).map_or(&[], Vec::as_slice),
            filter: &self.filter,
            counts: &self.counts,
            changes: self.changes,
            notice: self.notice.as_deref(),
            rows: &self.shown,
            foot,
        };
        self.view.draw(&page, size)
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

const fn scroll(letter: char) -> Option<Scroll> {
    Some(match letter {
        'k' => Scroll::Up,
        'j' => Scroll::Down,
        'h' => Scroll::Left,
        'l' => Scroll::Right,
        'g' => Scroll::First,
        'G' => Scroll::Last,
        _ => return None,
    })
}

/// What must be known of a round.
fn notice(summary: &Summary) -> Option<String> {
    let noted = &summary.diagnostics;
    let first = noted.warnings.first()?;
    let more = match noted.warnings.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let what = if noted.is_complete() {
        ""
    } else {
        "incomplete: "
    };
    Some(format!("{what}{first}{more}"))
}
