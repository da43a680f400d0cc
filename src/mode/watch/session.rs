//! The view on a terminal: draws, answers keys, and requests rounds, which another thread reads meanwhile.

mod aside;
mod ending;

use std::collections::VecDeque;
use std::mem;
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::event::{self, Console, Event, EventSender, Events, OpenConsole, Question, Round};
use super::looker::look;
use super::rounds::Pace;
use super::{Purpose, Refilter, Viewing};
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::Messages;
use crate::mode::signals::{Second, Signals, caught};
use crate::mode::tracked::is_same;
use crate::model::{Change, ChangedRow, Summary};
use crate::query::Query;
use crate::render::view::{Asked, Changed, Find, Input, Page, Prompt, StateCount, View};
use crate::render::{Order, SortKey};
use crate::track::wait;
pub use ending::Ending;

/// Shows a query until a key or a signal ends it. Messages are written after the terminal is restored.
pub(super) fn view(
    query: Query,
    every: Duration,
    viewing: Viewing,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let signals = Signals::catch(Second::Asks).map_err(Error::Watch)?;
    let (sender, events) = event::channel().map_err(Error::Watch)?;
    let (asked, questions) = mpsc::channel();
    let answers = sender.clone();
    let mut session = Session::new(&query, every, viewing, asked, sender);
    let looking = move || {
        if let Err(error) = look(query, &questions, &answers) {
            answers.send(Event::Round(Err(error)));
        }
    };
    thread::Builder::new()
        .spawn(looking)
        .map_err(Error::Watch)?;
    let mut end = Ok(ControlFlow::Continue(()));
    while matches!(end, Ok(ControlFlow::Continue(()))) && caught().is_none() {
        end = session.turn(&signals, &events);
    }
    session.console = None;
    while let Some(event) = events.next() {
        if let Event::Message(part) = event {
            session.messages.extend(part);
        }
    }
    messages.pass_on(&session.messages);
    end.map(|_| session.verdict)
}

/// A listing on the screen, with its position and the effect of keys.
struct Session {
    view: View,
    /// The shown part of the last round.
    page: Page,
    refilter: Box<Refilter>,
    limit: Option<usize>,
    /// The query of the list.
    query: Query,
    /// Settings for destroying sockets, if allowed.
    ending: Option<Ending>,
    /// True if the rows are frozen: during a question, or while results are shown.
    is_held: bool,
    /// True if the last round was complete.
    is_whole: bool,
    /// The next questions.
    questions: VecDeque<String>,
    /// The orders that a key cycles through, and the current one.
    orders: Vec<Order>,
    order: usize,
    /// All rows of the last round, in the kernel's order.
    rows: Vec<ChangedRow>,
    /// True if this query has no round yet that the next could be compared with.
    is_first: bool,
    /// The query of the lines shown in place of the list; help has none.
    aside: Option<Arc<Query>>,
    /// The last search text, and the row selected before.
    found: (String, Option<usize>),
    /// Requests a round.
    asked: Sender<(Question, Option<[u16; 2]>)>,
    /// Rounds requested and not finished.
    pending: usize,
    pace: Pace,
    open: OpenConsole,
    sender: EventSender,
    /// Opened when there is something to show; earlier errors are written as usual.
    console: Option<Box<dyn Console>>,
    messages: Vec<u8>,
    verdict: Verdict,
}

impl Session {
    /// A view of a query, whose filter may change. Nothing to show yet.
    fn new(
        query: &Query,
        every: Duration,
        viewing: Viewing,
        asked: Sender<(Question, Option<[u16; 2]>)>,
        sender: EventSender,
    ) -> Self {
        Self {
            view: View::new(query.layout.clone(), viewing.zone),
            page: Page {
                every,
                filter: viewing.filter,
                can_end: viewing.ending.is_some(),
                ..Page::default()
            },
            refilter: viewing.refilter,
            limit: query.limit,
            query: query.clone(),
            ending: viewing.ending,
            is_held: false,
            is_whole: false,
            questions: VecDeque::new(),
            orders: orders(query),
            order: 0,
            rows: Vec::new(),
            is_first: true,
            aside: None,
            found: (String::new(), None),
            asked,
            pending: 0,
            pace: Pace::new(every, Instant::now()),
            open: viewing.open,
            sender,
            console: None,
            messages: Vec::new(),
            verdict: Verdict::Done,
        }
    }

    /// Draws, and waits for the next event. `Break` = a key ends the view.
    fn turn(&mut self, signals: &Signals, events: &Events) -> Result<ControlFlow<()>, Error> {
        let due = self
            .pace
            .due()
            .filter(|_| !self.page.is_paused && !self.is_held);
        if due.is_some_and(|due| due <= Instant::now()) && self.pending == 0 {
            self.ask(self.aside.clone().map_or(Question::Again, Question::Aside));
        }
        if let Some(console) = &mut self.console {
            let frame = self.view.draw(&self.page, console.size());
            console.write(&frame).map_err(Error::Output)?;
        }
        // A running round ends by itself.
        let due = due.filter(|_| self.pending == 0);
        let output = self.console.as_deref().map(Console::output);
        wait(&[events.as_fd(), signals.as_fd()], output, due)?;
        while let Some(event) = events.next() {
            match event {
                Event::Message(part) => self.messages.extend(part),
                Event::Round(round) => self.take(round?)?,
                Event::Input(input) => {
                    if self.key(input).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Requests a round; a running one will be discarded.
    fn ask(&mut self, question: Question) {
        // If nobody receives it, an error is on its way.
        let screen = self.console.as_deref().map(Console::size);
        let beside = [!self.page.filter.is_empty(), self.page.notice.is_some()];
        let beside = 1 + beside.map(u16::from).iter().sum::<u16>();
        let screen = screen.map(|[width, height]| [width, height.saturating_sub(beside)]);
        let _ = self.asked.send((question, screen));
        self.pending += 1;
    }

    /// Shows a finished round, unless another was requested meanwhile.
    fn take(&mut self, round: Round) -> Result<(), Error> {
        self.pending -= 1;
        if self.pending > 0 || self.is_held || round.is_aside != self.aside.is_some() {
            return Ok(());
        }
        self.verdict = self.verdict.max(round.verdict);
        self.pace.looked(round.begun, round.ended);
        self.page.time = round.time;
        self.page.notice = notice(&round.summary);
        if round.is_aside {
            self.take_aside(round.rows);
            return Ok(());
        }
        self.is_whole = round.summary.diagnostics.is_complete();
        self.rows = round.rows;
        self.page.counted = round.counts;
        self.count();
        self.sort();
        if self.console.is_none() {
            let opened = (self.open)(self.sender.clone());
            let (console, has_keys) = opened.map_err(Error::Output)?;
            self.console = Some(console);
            self.page.has_keys = has_keys;
        }
        Ok(())
    }

    fn count(&mut self) {
        let is_first = mem::take(&mut self.is_first);
        let (counts, changes) = (&mut self.page.counts, &mut self.page.changes);
        if is_first {
            counts.clear();
        }
        for count in counts.values_mut() {
            count.before = Some(mem::take(&mut count.now));
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
        let page = &mut self.page;
        let selected = self
            .view
            .selected()
            .and_then(|row| page.rows.get(row).cloned());
        page.sort = self.orders.get(self.order).cloned().unwrap_or_default();
        let is_still = |row: &ChangedRow| matches!(row.change, Change::None | Change::Found);
        let rows = self
            .rows
            .iter()
            .filter(|row| !page.only_changes || !is_still(row));
        page.rows = rows.cloned().collect();
        let is_many = page.rows.len() > Order::MOST && page.sort == Order::Usual;
        let order = if is_many { &Order::Kernel } else { &page.sort };
        page.rows.sort_by(|a, b| {
            let order = order.compare(&a.row.row(), &b.row.row());
            (page.changed_first && is_still(a))
                .cmp(&(page.changed_first && is_still(b)))
                .then(order)
        });
        page.rows.truncate(self.limit.unwrap_or(usize::MAX));
        // The selection follows its socket.
        let is_it = |row: &ChangedRow| {
            selected
                .as_ref()
                .is_some_and(|it| is_same(it.row.socket(), row.row.socket()))
        };
        let place = page.rows.iter().position(is_it);
        self.view.select(place.or(self.view.selected()));
    }

    /// Handles a key. `Break` = it ends the view.
    fn key(&mut self, input: Input) -> ControlFlow<()> {
        match (input, &mut self.page.prompt) {
            (Input::Redraw, _) => self.view.key(input),
            _ if self.page.question.is_some() => self.answer(input),
            (_, Some(prompt)) if prompt.asked == Asked::Text => self.write_text(input),
            (Input::Enter, Some(_)) => self.apply(),
            (Input::Escape | Input::Control('c'), prompt @ Some(_)) => *prompt = None,
            (_, Some(prompt)) => prompt.key(input),
            (Input::Control('c'), None) => return ControlFlow::Break(()),
            (Input::Char(' '), None) => {
                self.page.is_paused = !self.page.is_paused;
                self.is_held = false;
            }
            (_, None) if self.page.counted.is_some() && self.page.aside.is_none() => match input {
                Input::Char('q') => return ControlFlow::Break(()),
                Input::Char('?') => self.show_keys(),
                Input::Char('/') => self.ask_filter(),
                _ => self.view.key(input),
            },
            (Input::Char('?'), None) => self.show_keys(),
            (Input::Char('g'), None) if self.page.counted.is_none() => self.next_groups(),
            (Input::Char('q') | Input::Escape | Input::Enter, None)
                if self.page.aside.is_some() =>
            {
                self.close_aside();
            }
            (_, None) if self.page.aside.is_some() => self.view.key(input),
            (_, None) => return self.list_key(input),
        }
        ControlFlow::Continue(())
    }

    /// Handles a key for the list.
    fn list_key(&mut self, input: Input) -> ControlFlow<()> {
        let page = &mut self.page;
        match input {
            Input::Char('q') => return ControlFlow::Break(()),
            Input::Char('K') if self.ending.is_some() => self.ask_to_end(),
            Input::Enter => self.show_socket(),
            Input::Char('s') => {
                self.order = (self.order + 1) % self.orders.len().max(1);
                self.sort();
            }
            Input::Char('m') => {
                page.changed_first = !page.changed_first;
                self.sort();
            }
            Input::Char('c') => {
                page.only_changes = !page.only_changes;
                self.sort();
            }
            Input::Char('/') => self.ask_filter(),
            Input::Char('f') => {
                page.prompt = Some(Prompt::new(Asked::Text, ""));
                self.found.1 = self.view.selected();
            }
            Input::Char('n') => self.find(Find::Next),
            Input::Char('N') => self.find(Find::Previous),
            _ => self.view.key(input),
        }
        ControlFlow::Continue(())
    }

    fn ask_filter(&mut self) {
        self.page.prompt = Some(Prompt::new(Asked::Filter, &self.page.filter));
    }

    /// Edits the search text, and searches at once.
    fn write_text(&mut self, input: Input) {
        let Some(prompt) = &mut self.page.prompt else {
            return;
        };
        match input {
            Input::Enter => self.page.prompt = None,
            Input::Escape | Input::Control('c') => {
                self.page.prompt = None;
                self.view.select(self.found.1);
            }
            _ => {
                prompt.key(input);
                self.found.0 = prompt.text();
                self.view.select(self.found.1);
                self.find(Find::Here);
            }
        }
    }

    /// Selects a row with the search text.
    fn find(&mut self, find: Find) {
        let text = &self.found.0;
        let is_found = text.is_empty() || self.view.find(&self.page, text, find);
        let missing = (!is_found).then(|| format!("no row with \"{text}\""));
        match &mut self.page.prompt {
            Some(prompt) => prompt.error = missing,
            None => self.page.notice = missing.or(self.page.notice.take()),
        }
    }

    /// Applies the filter that was typed; an invalid one can be edited further.
    fn apply(&mut self) {
        let Some(prompt) = &mut self.page.prompt else {
            return;
        };
        let filter = prompt.text().trim().to_owned();
        match (self.refilter)(&filter, Purpose::List) {
            Ok(query) => {
                self.view.lay_out(query.layout.clone());
                self.orders = orders(&query);
                self.order = self.order.min(self.orders.len().saturating_sub(1));
                self.page.sort = self.orders.get(self.order).cloned().unwrap_or_default();
                self.page.filter = filter;
                self.page.prompt = None;
                (self.is_first, self.is_held) = (true, false);
                self.query = query.clone();
                self.ask(Question::Other(Box::new(query)));
            }
            Err(error) => prompt.error = Some(error.chain()),
        }
    }
}

/// The orders of a query's rows: the requested one, the kernel's, and by each column; queues descending.
fn orders(query: &Query) -> Vec<Order> {
    let mut orders = vec![query.order.clone()];
    let columns = query.layout.columns.iter();
    let by_column = columns
        .filter(|column| column.is_sortable())
        .map(|column| Order::Keys(vec![SortKey::usual(*column)]));
    for order in std::iter::once(Order::Kernel).chain(by_column) {
        if !orders.contains(&order) {
            orders.push(order);
        }
    }
    orders
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
