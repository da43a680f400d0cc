//! What is seen of a listing, and what keys do to it.

use std::ops::ControlFlow;
use std::sync::mpsc::Sender;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::event::{Input, Round};
use super::prompt::{Edited, Prompt};
use super::{Refilter, Viewing};
use crate::model::{Change, ChangedRow, Summary};
use crate::query::Query;
use crate::render::SortKey;
use crate::render::view::{Changed, Foot, Page, Scroll, StateCount, View};

pub(super) struct Session {
    view: View,
    zone: TimeZone,
    refilter: Box<Refilter>,
    /// What is shown of the last round.
    pub(super) page: Page,
    limit: Option<usize>,
    /// The orders that a key goes through, and which it is.
    orders: Vec<Vec<SortKey>>,
    order: usize,
    prompt: Option<Prompt>,
    /// All of the last round, in the order of the kernel.
    rows: Vec<ChangedRow>,
    /// True if there was no round of this query yet, with which the next one could be compared.
    is_first: bool,
    /// Asks for a round, of another query if there is one.
    asked: Sender<Option<Box<Query>>>,
    /// Rounds that were asked for and are not over.
    pub(super) pending: usize,
}

impl Session {
    /// Of a query, which a filter may change. Has nothing to show.
    pub(super) fn new(
        query: &Query,
        every: Duration,
        viewing: Viewing,
        asked: Sender<Option<Box<Query>>>,
    ) -> Self {
        Self {
            view: View::new(query.layout.clone(), viewing.zone.clone()),
            zone: viewing.zone,
            refilter: viewing.refilter,
            page: Page {
                every,
                filter: viewing.filter,
                ..Page::default()
            },
            limit: query.limit,
            orders: orders(query),
            order: 0,
            prompt: None,
            rows: Vec::new(),
            is_first: true,
            asked,
            pending: 0,
        }
    }

    /// Asks for a round, of another query if there is one: what is under way is of no use any more then.
    pub(super) fn ask(&mut self, query: Option<Box<Query>>) {
        // Where nobody hears it, an error is on its way.
        let _ = self.asked.send(query);
        self.pending += 1;
    }

    /// A round is over: it is to be shown.
    pub(super) fn take(&mut self, round: Round) {
        self.page.time = round.time;
        self.rows = round.rows;
        self.page.notice = notice(&round.summary);
        self.count();
        self.sort();
    }

    fn count(&mut self) {
        let is_first = std::mem::take(&mut self.is_first);
        let (counts, changes) = (&mut self.page.counts, &mut self.page.changes);
        if is_first {
            counts.clear();
        }
        for count in counts.values_mut() {
            count.before = Some(std::mem::take(&mut count.now));
        }
        *changes = Changed::default();
        for row in &self.rows {
            match row.change {
                Change::None | Change::Found => {}
                Change::New => changes.new += 1,
                Change::Changed(_) => changes.changed += 1,
                Change::Gone => {
                    changes.gone += 1;
                    continue;
                }
            }
            let new = StateCount {
                now: 0,
                before: (!is_first).then_some(0),
            };
            let state = row.row.row().socket.state;
            counts.entry(state).or_insert(new).now += 1;
        }
    }

    fn sort(&mut self) {
        let (rows, keys) = (&mut self.page.rows, &mut self.page.sort);
        *keys = self.orders.get(self.order).cloned().unwrap_or_default();
        rows.clone_from(&self.rows);
        rows.sort_by(|a, b| SortKey::compare_all(keys, &a.row.row(), &b.row.row()));
        rows.truncate(self.limit.unwrap_or(usize::MAX));
    }

    /// Does what a key asks for. `Break` = it ends the view.
    pub(super) fn key(&mut self, input: Input) -> ControlFlow<()> {
        match (input, &mut self.prompt) {
            (Input::Redraw, _) => self.view.forget_screen(),
            (_, Some(prompt)) => match prompt.key(input) {
                Edited::Open => {}
                Edited::Dropped => self.prompt = None,
                Edited::Done => self.apply(),
            },
            (Input::Char('q') | Input::Control('c'), None) => return ControlFlow::Break(()),
            (Input::Char(' '), None) => self.page.is_paused = !self.page.is_paused,
            (Input::Char('s'), None) => {
                self.order = (self.order + 1) % self.orders.len().max(1);
                self.sort();
            }
            (Input::Char('/'), None) => self.prompt = Some(Prompt::new(&self.page.filter)),
            (Input::Scroll(scroll), None) => self.view.scroll(scroll),
            (Input::Char(letter), None) => {
                if let Some(scroll) = scroll(letter) {
                    self.view.scroll(scroll);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// Takes the filter that was written; one that is wrong goes on being written.
    fn apply(&mut self) {
        let Some(prompt) = &mut self.prompt else {
            return;
        };
        let filter = prompt.text().trim().to_owned();
        match (self.refilter)(&filter) {
            Ok(query) => {
                self.view = View::new(query.layout.clone(), self.zone.clone());
                self.orders = orders(&query);
                self.order = self.order.min(self.orders.len().saturating_sub(1));
                self.page.sort = self.orders.get(self.order).cloned().unwrap_or_default();
                self.page.filter = filter;
                self.prompt = None;
                self.is_first = true;
                self.ask(Some(Box::new(query)));
            }
            Err(error) => prompt.error = Some(error.chain()),
        }
    }

    /// What makes a screen of this size show it.
    pub(super) fn draw(&mut self, size: [u16; 2], has_keys: bool) -> Vec<u8> {
        self.page.foot = match &self.prompt {
            Some(prompt) => Foot::Prompt {
                text: prompt.text(),
                cursor: prompt.cursor(),
                error: prompt.error.clone(),
            },
            None if has_keys => Foot::Keys,
            None => Foot::NoKeys,
        };
        self.view.draw(&self.page, size)
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
