//! The view of `-c` on a terminal: a page of a long list, redrawn in place.
//!
//! It shows escaped text in the columns of `table`. Columns and counts grow but never shrink, so that a page
//! does not move while it is read.
//!
//! No TUI library is used: columns, colors and escapes are those of `table`, and ratatui would only add a
//! layout of boxes and its dependencies.

mod aside;
mod foot;
mod head;
mod line;
mod screen;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{ChangedRow, State};

use super::{Layout, Order, grid, paint};
pub use aside::Aside;
pub use foot::{Asked, Prompt};
use head::Head;
use line::ListColumns;
use screen::Screen;

/// The contents of a page.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is something of its own that a key, or an option, turns on"
)]
pub struct Page {
    /// The start of the last round.
    pub time: Timestamp,
    /// The interval between rounds.
    pub every: Duration,
    /// True if paused until a key is pressed.
    pub is_paused: bool,
    /// The order of the rows; empty = the kernel's.
    pub sort: Order,
    /// True if changed rows come first.
    pub changed_first: bool,
    /// True if only changed rows are shown.
    pub only_changes: bool,
    /// The filter; empty = none.
    pub filter: String,
    /// The number of sockets in each state that occurs.
    pub counts: BTreeMap<State, StateCount>,
    /// Changes since the round before.
    pub changes: Changed,
    /// A warning, if any.
    pub notice: Option<String>,
    /// The rows.
    pub rows: Vec<ChangedRow>,
    /// What is shown in place of the rows.
    pub aside: Option<Aside>,
    /// The painted counts, if sockets are counted and not listed.
    pub counted: Option<String>,
    /// The line being typed, at the bottom.
    pub prompt: Option<Prompt>,
    /// The question at the bottom, answered with `y`.
    pub question: Option<String>,
    /// True if a key destroys sockets.
    pub can_end: bool,
    /// True if keys are available; the bottom shows them.
    pub has_keys: bool,
}

/// The number of sockets in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCount {
    /// In the last round.
    pub now: u64,
    /// In the round before; `None` = no such round.
    pub before: Option<u64>,
}

/// The number of changed sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changed {
    /// New ones.
    pub new: u64,
    /// Those that are gone.
    pub gone: u64,
    /// Those in another state.
    pub changed: u64,
}

/// User input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A character.
    Char(char),
    /// A character with Ctrl.
    Control(char),
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// Mouse wheel up.
    WheelUp,
    /// Mouse wheel down.
    WheelDown,
    /// To the first page, or to the start of the line.
    First,
    /// To the last page, or to the end of the line.
    Last,
    /// Left.
    Left,
    /// Right.
    Right,
    /// Return.
    Enter,
    /// Escape.
    Escape,
    /// Deletes the character before the cursor.
    Backspace,
    /// Deletes the character at the cursor.
    Delete,
    /// The screen was resized, or used by another program.
    Redraw,
}

/// Columns per step sideways.
const SIDEWAYS: usize = 8;

/// Lines per step of the mouse wheel.
const WHEEL: isize = 3;

/// The direction of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Find {
    /// The selected row, or the next.
    Here,
    /// The next row.
    Next,
    /// The row before.
    Previous,
}

/// The visible part of a text.
#[derive(Debug, Clone, Copy, Default)]
struct Window {
    /// The first line.
    first: usize,
    /// The first column.
    left: usize,
}

/// Draws pages.
pub struct View {
    layout: Layout,
    zone: TimeZone,
    head: Head,
    columns: ListColumns,
    screen: Screen,
    list: Window,
    /// The visible part of the lines shown in place of the list; `None` = the list is shown.
    aside: Option<Window>,
    /// The selected row.
    selected: Option<usize>,
    /// The number of visible lines.
    room: usize,
}

impl View {
    /// Shows rows with this layout, except its width, and times in `zone`.
    pub fn new(layout: Layout, zone: TimeZone) -> Self {
        Self {
            head: Head::default(),
            columns: ListColumns::new(&layout),
            layout,
            zone,
            screen: Screen::default(),
            list: Window::default(),
            aside: None,
            selected: None,
            room: 1,
        }
    }

    /// Shows rows with another layout.
    pub fn lay_out(&mut self, layout: Layout) {
        *self = Self::new(layout, self.zone.clone());
    }

    /// The row that is selected.
    pub const fn selected(&self) -> Option<usize> {
        self.selected
    }

    /// The row that keys refer to: the selected one, or else the first visible one.
    pub fn current(&self) -> usize {
        self.selected.unwrap_or(self.list.first)
    }

    /// Selects a row, or none.
    pub const fn select(&mut self, row: Option<usize>) {
        self.selected = row;
    }

    /// Selects a row with this text, in any case; false if there is none.
    pub fn find(&mut self, page: &Page, text: &str, find: Find) -> bool {
        let (count, from, text) = (page.rows.len(), self.current(), text.to_lowercase());
        let mut places = (0..count).map(|step| match find {
            Find::Here => (from + step) % count,
            Find::Next => (from + 1 + step) % count,
            Find::Previous => (from + count - 1 - step) % count,
        });
        let found = places.find(|place| {
            let row = page.rows.get(*place).map(|row| &row.row);
            let cells = row.map(|row| self.columns.cells(&row.row()).join(" "));
            cells.is_some_and(|cells| paint::bare(&cells).to_lowercase().contains(&text))
        });
        self.selected = found.or(self.selected);
        found.is_some()
    }

    /// Handles a key, which may move the visible part of the next page.
    pub fn key(&mut self, input: Input) {
        let page = isize::try_from(self.room).unwrap_or(isize::MAX);
        let is_aside = self.aside.is_some();
        let window = self.aside.as_mut().unwrap_or(&mut self.list);
        let by = match input {
            Input::Up | Input::Char('k') => -1,
            Input::Down | Input::Char('j') => 1,
            Input::PageUp => -page,
            Input::PageDown => page,
            Input::WheelUp => -WHEEL,
            Input::WheelDown => WHEEL,
            Input::First => isize::MIN,
            Input::Last | Input::Char('G') => isize::MAX,
            Input::Left | Input::Char('h') => {
                window.left = window.left.saturating_sub(SIDEWAYS);
                return;
            }
            Input::Right | Input::Char('l') => {
                window.left += SIDEWAYS;
                return;
            }
            // The screen has changed, so the next page is drawn completely.
            Input::Redraw => return self.screen.forget(),
            _ => return,
        };
        let is_line = by.unsigned_abs() == 1;
        if is_aside || !is_line {
            window.first = window.first.saturating_add_signed(by);
        }
        if is_aside {
            return;
        }
        let first = self.list.first;
        let last = first.saturating_add(self.room - 1);
        self.selected = match (self.selected, input) {
            // The first key only selects a row.
            (None, _) => is_line.then_some(first),
            (Some(row), Input::WheelUp | Input::WheelDown) => Some(row.clamp(first, last)),
            (Some(row), _) => Some(row.saturating_add_signed(by)),
        };
    }

    /// The bytes that draw a page on a screen of this width and height.
    pub fn draw(&mut self, page: &Page, [width, height]: [u16; 2]) -> Vec<u8> {
        let (width, height) = (usize::from(width), usize::from(height));
        if self.screen.resize(width, height) {
            // The layout may start anew.
            self.head.lines = 0;
        }
        let (mut foot, cursor) = foot::lines(page, width, height);
        if let Some(notice) = &page.notice
            && foot.len() + 1 < height
        {
            let more = self.layout.signs.more();
            let notice = line::part(&format!("! {notice}"), 0, width, more);
            foot.insert(0, paint::alarm(&notice, self.layout.color));
        }
        let mut lines = self.head.lines(page, &self.zone, &self.layout, width);
        let beside = page.aside.as_ref().map(|aside| aside.lines(page, width));
        let counted = page
            .counted
            .as_deref()
            .map(|text| text.lines().map(str::to_owned).collect());
        let is_titled = beside.is_some() || page.counted.is_none() && self.layout.header.is_shown();
        let titles = usize::from(is_titled);
        // At least one row is visible, at the cost of other parts.
        let most = height.saturating_sub(foot.len() + titles + 1);
        lines.truncate(most);
        self.room = height
            .saturating_sub(lines.len() + titles + foot.len())
            .max(1);
        let shown = if let Some(beside) = beside.or(counted) {
            let count = beside.len().saturating_sub(titles);
            lines.extend(self.text(beside, titles, width));
            (self.aside.unwrap_or_default().first, count, "lines")
        } else {
            self.aside = None;
            self.follow(page.rows.len());
            lines.extend(self.list(page, width));
            (self.list.first, page.rows.len(), "sockets")
        };
        lines.resize_with(height.saturating_sub(foot.len()), String::new);
        // At the right edge of the last line, if there is room.
        if let Some(last) = foot.last_mut() {
            let position = self.position(shown);
            let gap = width.saturating_sub(grid::width(last) + grid::width(&position));
            if gap > 0 {
                last.extend(std::iter::repeat_n(' ', gap));
                last.push_str(&position);
            }
        }
        lines.extend(foot);
        self.screen.show(lines, cursor)
    }

    /// Scrolls the list of `count` rows so that the selected one is visible.
    fn follow(&mut self, count: usize) {
        let first = &mut self.list.first;
        *first = (*first).min(count.saturating_sub(self.room));
        self.selected = self.selected.map(|row| row.min(count.saturating_sub(1)));
        if let Some(row) = self.selected {
            *first = (*first).clamp((row + 1).saturating_sub(self.room), row);
        }
    }

    /// The visible part of a text; its titles stay in place. A text without titles is already painted.
    fn text(&mut self, mut lines: Vec<String>, titles: usize, width: usize) -> Vec<String> {
        let window = self.aside.get_or_insert_default();
        let (more, color) = (self.layout.signs.more(), self.layout.color);
        window.first = window
            .first
            .min((lines.len() - titles.min(lines.len())).saturating_sub(self.room));
        let rest = lines.split_off(titles.min(lines.len()));
        let rest = rest.into_iter().skip(window.first).take(self.room);
        if titles == 0 {
            return rest
                .map(|line| line::painted_part(&line, width, more))
                .collect();
        }
        let rest: Vec<String> = rest.collect();
        let widest = lines
            .iter()
            .chain(&rest)
            .map(|line| grid::width(line))
            .max();
        window.left = window
            .left
            .min(widest.unwrap_or_default().saturating_sub(width));
        let left = window.left;
        let part = |line: &String| line::part(line, left, width, more);
        let title = lines.iter().map(|line| paint::title(&part(line), color));
        title
            .chain(rest.iter().map(|line| paint::text(&part(line), color)))
            .collect()
    }

    fn list(&mut self, page: &Page, width: usize) -> Vec<String> {
        let first = self.list.first;
        let seen = page.rows.iter().skip(first).take(self.room);
        let cells: Vec<_> = seen
            .clone()
            .map(|row| self.columns.cells(&row.row.row()))
            .collect();
        self.columns.widen(&cells);
        let grid = self.columns.on(width);
        let rows: Vec<_> = seen
            .zip(cells)
            .map(|(row, cells)| (self.columns.line(&grid, row, cells), row.change))
            .collect();
        let widest = rows.iter().map(|(text, _)| grid::width(text)).max();
        let hidden = (line::MARK + widest.unwrap_or_default()).saturating_sub(width);
        self.list.left = self.list.left.min(hidden);
        let mut lines = Vec::new();
        if self.layout.header.is_shown() {
            let text = self.part(&self.columns.titles(&grid), "  ", width);
            lines.push(paint::title(&text, self.layout.color));
        }
        let color = self.layout.color;
        lines.extend(rows.iter().enumerate().map(|(place, (text, change))| {
            let is_selected = self.selected == Some(first + place);
            let text = self.part(text, &line::mark(*change, is_selected), width);
            if is_selected {
                paint::selected(&text, color)
            } else {
                paint::change(&text, *change, color)
            }
        }));
        lines
    }

    /// The visible part of a line, after the mark of its row.
    fn part(&self, text: &str, mark: &str, width: usize) -> String {
        let more = self.layout.signs.more();
        let left = self.list.left;
        let seen = line::part(text, left, width.saturating_sub(line::MARK), more);
        line::part(&format!("{mark}{seen}"), 0, width, more)
    }

    /// Says which of the things are visible.
    fn position(&self, (first, count, what): (usize, usize, &str)) -> String {
        match count {
            0 => format!("no {what}"),
            count => {
                let last = (first + self.room).min(count);
                format!("{}-{last} of {count}", first + 1)
            }
        }
    }
}
