//! The top of the screen: when, how many, and what changed.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::model::State;
use crate::text;

use super::super::{Color, Layout, Signs, SortKey, grid, paint};
use super::{Page, StateCount, line};

/// Blanks between two counts.
const GAP: usize = 2;

/// Draws the top, whose parts keep their places as far as that is possible.
pub(super) struct Head {
    color: Color,
    signs: Signs,
    /// Digits of the longest count so far.
    digits: usize,
    /// Columns of the longest difference so far.
    difference: usize,
    /// Lines of counts so far.
    lines: usize,
}

impl Head {
    pub(super) const fn new(layout: &Layout) -> Self {
        Self {
            color: layout.color,
            signs: layout.signs,
            digits: 1,
            difference: 2,
            lines: 0,
        }
    }

    /// The screen is another one: nothing need stay where it was.
    pub(super) const fn forget_widths(&mut self) {
        self.lines = 0;
    }

    pub(super) fn lines(&mut self, page: &Page, zone: &TimeZone, width: usize) -> Vec<String> {
        let mut lines = vec![self.first(page, zone, width)];
        let counts = self.counts(page, width);
        self.lines = self.lines.max(counts.len());
        let missing = self.lines - counts.len();
        lines.extend(counts);
        lines.extend(std::iter::repeat_n(String::new(), missing));
        if !page.filter.is_empty() {
            let filter = text::escape(page.filter.as_bytes());
            lines.push(self.line(&format!("filter: {filter}"), width, paint::text));
        }
        lines
    }

    fn line(&self, text: &str, width: usize, paint: fn(&str, Color) -> String) -> String {
        paint(&line::part(text, 0, width, self.signs.more()), self.color)
    }

    fn first(&self, page: &Page, zone: &TimeZone, width: usize) -> String {
        let time = page.time.to_zoned(zone.clone());
        let time = time.strftime("%H:%M:%S");
        let every = u64::try_from(page.every.as_micros()).unwrap_or(u64::MAX);
        let every = text::micros(every);
        let sort = sort_text(&page.sort);
        let pause = if page.is_paused { "  PAUSED" } else { "" };
        let line = format!("lsock  {time}  every {every}  sort: {sort}{pause}");
        self.line(&line, width, paint::title)
    }

    /// Counts side by side, each as wide as the longest of its kind was.
    fn counts(&mut self, page: &Page, width: usize) -> Vec<String> {
        let total: u64 = page.counts.values().map(|count| count.now).sum();
        let counts = page.counts.values();
        let digits = counts.map(|count| digits(count.now)).chain([digits(total)]);
        self.digits = digits.max().unwrap_or_default().max(self.digits);
        let differences = page.counts.values().map(|count| difference(count).len());
        self.difference = differences.max().unwrap_or_default().max(self.difference);
        let digits = self.digits;
        let mut cells = vec![format!("{total:digits$} sockets")];
        let changes = page.changes;
        for (sign, count, word) in [
            ('+', changes.new, "new"),
            ('-', changes.gone, "gone"),
            ('~', changes.changed, "changed"),
        ] {
            let number = format!("{sign}{count}");
            cells.push(format!("{number:>width$} {word}", width = digits + 1));
        }
        let counts = page.counts.iter();
        cells.extend(counts.map(|(state, count)| self.state(*state, count)));
        let lines = wrapped(&cells, width);
        let lines = lines.iter();
        lines
            .map(|line| self.line(line, width, paint::text))
            .collect()
    }

    fn state(&self, state: State, count: &StateCount) -> String {
        let mut cell = paint::mark_state(&state.to_string());
        let (digits, width) = (self.digits, self.difference);
        let difference = difference(count);
        // Writing to a String cannot fail.
        let _ = write!(cell, " {:digits$} {difference:width$}", count.now);
        cell
    }
}

fn digits(number: u64) -> usize {
    number.to_string().len()
}

/// `+3`, `-2`, or nothing.
fn difference(count: &StateCount) -> String {
    let before = count.before.unwrap_or(count.now);
    match count.now.cmp(&before) {
        std::cmp::Ordering::Less => format!("-{}", before - count.now),
        std::cmp::Ordering::Equal => String::new(),
        std::cmp::Ordering::Greater => format!("+{}", count.now - before),
    }
}

fn sort_text(sort: &[SortKey]) -> String {
    if sort.is_empty() {
        return "none".to_owned();
    }
    let keys = sort.iter().map(|key| {
        let sign = if key.descending { "-" } else { "" };
        format!("{sign}{}", key.column.label())
    });
    keys.collect::<Vec<_>>().join(",")
}

/// Cells side by side, on as many lines as it takes.
fn wrapped(cells: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for cell in cells {
        let needed = grid::width(cell.trim_end());
        match lines.last_mut() {
            Some(line) if used + GAP + needed <= width => {
                line.extend(std::iter::repeat_n(' ', GAP));
                line.push_str(cell);
                used += GAP + grid::width(cell);
            }
            _ => {
                lines.push(cell.clone());
                used = grid::width(cell);
            }
        }
    }
    lines
}
