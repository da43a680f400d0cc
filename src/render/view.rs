//! `-c` on a terminal: a page of a long list, drawn again and again in its place.
//!
//! What is drawn is clean text in the columns of `table`. Columns and counts become wider with what
//! they show and never narrower, so that a page does not move while it is read.

mod foot;
mod head;
mod line;
mod screen;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{Change, ChangedRow, State};

use super::{Layout, SortKey, grid, paint};
pub use foot::Prompt;
use head::Head;
use line::ListColumns;
use screen::Screen;

/// What is told of the rows of a page.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// When the last round began.
    pub time: Timestamp,
    /// How far rounds are apart.
    pub every: Duration,
    /// True if there is no other round until a key says so.
    pub is_paused: bool,
    /// The order of the rows; empty = as the kernel lists them.
    pub sort: Vec<SortKey>,
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
    /// The filter that is being written, at the bottom.
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

/// Draws pages.
pub struct View {
    layout: Layout,
    zone: TimeZone,
    head: Head,
    columns: ListColumns,
    screen: Screen,
    /// The first row that is seen.
    first: usize,
    /// The first column.
    left: usize,
    /// Rows that are seen at once.
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
            first: 0,
            left: 0,
            room: 1,
        }
    }

    /// Shows rows in another layout.
    pub fn lay_out(&mut self, layout: Layout) {
        *self = Self::new(layout, self.zone.clone());
    }

    /// Does what a key asks for: another part is to be seen from the next page on.
    pub fn key(&mut self, input: Input) {
        match input {
            Input::Up | Input::Char('k') => self.first = self.first.saturating_sub(1),
            Input::Down | Input::Char('j') => self.first += 1,
            Input::PageUp => self.first = self.first.saturating_sub(self.room),
            Input::PageDown => self.first += self.room,
            Input::First | Input::Char('g') => self.first = 0,
            Input::Last | Input::Char('G') => self.first = usize::MAX / 2,
            Input::Left | Input::Char('h') => self.left = self.left.saturating_sub(SIDEWAYS),
            Input::Right | Input::Char('l') => self.left += SIDEWAYS,
            // The screen does not show what was drawn last: the next page is drawn whole.
            Input::Redraw => self.screen.forget(),
            _ => {}
        }
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
        let titles = usize::from(self.layout.header.is_shown());
        // At least one row is seen, whatever has to give way.
        let most = height.saturating_sub(foot.len() + titles + 1);
        lines.truncate(most);
        self.room = height.saturating_sub(lines.len() + titles + foot.len());
        self.first = self.first.min(page.rows.len().saturating_sub(self.room));
        lines.extend(self.list(page, width));
        lines.resize_with(height.saturating_sub(foot.len()), String::new);
        // At the right edge of the last line, where there is room for it.
        if let Some(last) = foot.last_mut() {
            let position = self.position(page);
            let gap = width.saturating_sub(grid::width(last) + grid::width(&position));
            if gap > 0 {
                last.extend(std::iter::repeat_n(' ', gap));
                last.push_str(&position);
            }
        }
        lines.extend(foot);
        self.screen.show(lines, cursor)
    }

    fn list(&mut self, page: &Page, width: usize) -> Vec<String> {
        let seen = page.rows.iter().skip(self.first).take(self.room);
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
        self.left = self.left.min(hidden);
        let mut lines = Vec::new();
        if self.layout.header.is_shown() {
            let text = self.part(&self.columns.titles(&grid), Change::None, width);
            lines.push(paint::title(&text, self.layout.color));
        }
        lines.extend(rows.iter().map(|(text, change)| {
            let text = self.part(text, *change, width);
            paint::change(&text, *change, self.layout.color)
        }));
        lines
    }

    /// What is seen of a line, behind the mark of what became of its socket.
    fn part(&self, text: &str, change: Change, width: usize) -> String {
        let more = self.layout.signs.more();
        let seen = line::part(text, self.left, width.saturating_sub(line::MARK), more);
        line::part(&format!("{}{seen}", line::mark(change)), 0, width, more)
    }

    fn position(&self, page: &Page) -> String {
        match page.rows.len() {
            0 => "no sockets".to_owned(),
            count => {
                let last = (self.first + self.room).min(count);
                format!("{}-{last} of {count}", self.first + 1)
            }
        }
    }
}
