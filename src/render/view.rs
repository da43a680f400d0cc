//! `-c` on a terminal: a page of a long list, drawn again and again in its place.
//!
//! What is drawn is clean text in the columns of `table`. Columns and counts become wider with what
//! they show and never narrower, so that a page does not move while it is read.
//!
//! No TUI library draws it: columns, colours and escapes are those of `table`, and ratatui would add only a
//! layout of boxes and its dependencies to them.

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

/// What is told of the rows of a page.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is something of its own that a key, or an option, turns on"
)]
pub struct Page {
    /// When the last round began.
    pub time: Timestamp,
    /// How far rounds are apart.
    pub every: Duration,
    /// True if there is no other round until a key says so.
    pub is_paused: bool,
    /// The order of the rows; empty = as the kernel lists them.
    pub sort: Order,
    /// True if rows that changed come before the others.
    pub changed_first: bool,
    /// True if the others are left out.
    pub only_changes: bool,
    /// The filter; empty = there is none.
    pub filter: String,
    /// How many sockets there are in each state that was seen.
    pub counts: BTreeMap<State, StateCount>,
    /// What became of sockets since the round before.
    pub changes: Changed,
    /// What must be known besides, if anything.
    pub notice: Option<String>,
    /// The rows.
    pub rows: Vec<ChangedRow>,
    /// What is shown in their place.
    pub aside: Option<Aside>,
    /// The counts, painted, where sockets are counted and not listed.
    pub counted: Option<String>,
    /// The line that is being written, at the bottom.
    pub prompt: Option<Prompt>,
    /// What a person is asked there, to be answered with `y`.
    pub question: Option<String>,
    /// True if one of the keys ends sockets.
    pub can_end: bool,
    /// True if there are keys, which are named there else.
    pub has_keys: bool,
}

/// How many sockets are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateCount {
    /// In the last round.
    pub now: u64,
    /// In the round before; `None` = there was none.
    pub before: Option<u64>,
}

/// How many sockets are not as they were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Changed {
    /// They were not there.
    pub new: u64,
    /// They are not there any more.
    pub gone: u64,
    /// They are in another state.
    pub changed: u64,
}

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A character is typed.
    Char(char),
    /// One is typed with Ctrl.
    Control(char),
    /// To the row above.
    Up,
    /// To the row below.
    Down,
    /// To the page above.
    PageUp,
    /// To the page below.
    PageDown,
    /// The mouse wheel is turned up.
    WheelUp,
    /// It is turned down.
    WheelDown,
    /// To the first page, or to the begin of the line.
    First,
    /// To the last page, or to the end of the line.
    Last,
    /// To the left.
    Left,
    /// To the right.
    Right,
    /// Return.
    Enter,
    /// Escape.
    Escape,
    /// Erases the character before the cursor.
    Backspace,
    /// Erases the one at the cursor.
    Delete,
    /// The screen has another size, or was used for something else.
    Redraw,
}

/// Columns that one step sideways moves.
const SIDEWAYS: usize = 8;

/// Lines that one step of the mouse wheel moves.
const WHEEL: isize = 3;

/// Which row with a text is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Find {
    /// The selected one, or the next.
    Here,
    /// The next one.
    Next,
    /// The one before.
    Previous,
}

/// The part of a text that is seen.
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
    /// The part on the screen of the lines shown instead of the list; `None` = the list is shown.
    aside: Option<Window>,
    /// The row that a key marked.
    selected: Option<usize>,
    /// Lines that are seen at once.
    room: usize,
}

impl View {
    /// Of rows in this layout; its width does not count. The time of day is told in `zone`.
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

    /// Shows rows in another layout.
    pub fn lay_out(&mut self, layout: Layout) {
        *self = Self::new(layout, self.zone.clone());
    }

    /// The row that is selected.
    pub const fn selected(&self) -> Option<usize> {
        self.selected
    }

    /// The row that a key is about: the first one that is seen where none is selected.
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

    /// Does what a key asks for: another part is to be seen from the next page on.
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
            // The screen does not show what was drawn last: the next page is drawn whole.
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
            // The first key marks a row, and does not move yet.
            (None, _) => is_line.then_some(first),
            (Some(row), Input::WheelUp | Input::WheelDown) => Some(row.clamp(first, last)),
            (Some(row), _) => Some(row.saturating_add_signed(by)),
        };
    }

    /// What makes a screen of so many columns and lines show a page.
    pub fn draw(&mut self, page: &Page, [width, height]: [u16; 2]) -> Vec<u8> {
        let (width, height) = (usize::from(width), usize::from(height));
        if self.screen.resize(width, height) {
            // Nothing need stay where it was.
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
        let beside = page.aside.as_ref().map(|aside| aside.lines(width));
        let counted = page
            .counted
            .as_deref()
            .map(|text| text.lines().map(str::to_owned).collect());
        let is_titled =
            page.counted.is_none() && (beside.is_some() || self.layout.header.is_shown());
        let titles = usize::from(is_titled);
        // At least one row is seen, whatever has to give way.
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
        // At the right edge of the last line, where there is room for it.
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

    /// Moves the list, which has so many rows, so that the selected one is seen.
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

    /// What is seen of a line, behind the mark of its row.
    fn part(&self, text: &str, mark: &str, width: usize) -> String {
        let more = self.layout.signs.more();
        let left = self.list.left;
        let seen = line::part(text, left, width.saturating_sub(line::MARK), more);
        line::part(&format!("{mark}{seen}"), 0, width, more)
    }

    /// Which of so many things are seen.
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
