//! The top of the screen: time, counts and changes.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use crate::model::State;
use crate::text;

use super::super::{Color, Layout, Order, grid, paint};
use super::{Aside, Page, StateCount, line};

/// Blanks between two counts.
const GAP: usize = 2;

/// Draws the top, whose parts stay in place as far as possible.
#[derive(Default)]
pub(super) struct Head {
    /// Digits of the longest count so far.
    digits: usize,
    /// Width of the longest difference so far.
    difference: usize,
    /// The most lines of counts so far on this screen.
    pub(super) lines: usize,
}

impl Head {
    pub(super) fn lines(
        &mut self,
        page: &Page,
        zone: &TimeZone,
        layout: &Layout,
        width: usize,
    ) -> Vec<String> {
        let line = |text: &str, paint: fn(&str, Color) -> String| {
            let seen = line::part(text, 0, width, layout.signs.more());
            paint(&seen, layout.color)
        };
        let mut lines = vec![line(&first(page, zone), paint::title)];
        if page.aside.is_none() && page.counted.is_none() {
            let counts = wrapped(&self.counts(page), width);
            lines.extend(counts.iter().map(|text| line(text, paint::text)));
            self.lines = self.lines.max(counts.len());
            lines.resize(self.lines + 1, String::new());
        }
        if !page.filter.is_empty() {
            let filter = text::escape(page.filter.as_bytes());
            lines.push(line(&format!("filter: {filter}"), paint::text));
        }
        lines
    }

    /// Counts, aligned to the longest so far.
    fn counts(&mut self, page: &Page) -> Vec<String> {
        let total: u64 = page.counts.values().map(|count| count.now).sum();
        // No count is longer than the total.
        self.digits = total.to_string().len().max(self.digits);
        let differences = page.counts.values().map(|count| difference(count).len());
        self.difference = differences.chain([2, self.difference]).max().unwrap_or(0);
        let digits = self.digits;
        let noun = if total == 1 { "socket " } else { "sockets" };
        let mut cells = vec![format!("{total:digits$} {noun}")];
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
        cells
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

/// Time, interval and order.
fn first(page: &Page, zone: &TimeZone) -> String {
    let time = page.time.to_zoned(zone.clone());
    let time = time.strftime("%H:%M:%S");
    let every = u64::try_from(page.every.as_micros()).unwrap_or(u64::MAX);
    let every = text::micros(every);
    let order = match &page.aside {
        Some(Aside::Groups { by, .. }) => format!("  by: {by}"),
        _ if page.counted.is_some() => String::new(),
        _ => format!("  sort: {}", sort_text(page)),
    };
    let only = if page.only_changes {
        "  only changes"
    } else {
        ""
    };
    let pause = if page.is_paused { "  PAUSED" } else { "" };
    format!("lsock  {time}  every {every}{order}{only}{pause}")
}

/// `+3`, `-2`, or nothing.
fn difference(count: &StateCount) -> String {
    let before = count.before.unwrap_or(count.now);
    match i128::from(count.now) - i128::from(before) {
        0 => String::new(),
        difference => format!("{difference:+}"),
    }
}

fn sort_text(page: &Page) -> String {
    let keys = page.sort.keys().iter().map(|key| {
        let sign = if key.descending { "-" } else { "" };
        format!("{sign}{}", key.column.label())
    });
    let named = [
        page.changed_first.then_some("changed"),
        (page.sort == Order::Usual).then_some("usual"),
    ];
    let named = named.into_iter().flatten().map(str::to_owned);
    let keys: Vec<String> = named.chain(keys).collect();
    if keys.is_empty() {
        "none".to_owned()
    } else {
        keys.join(",")
    }
}

/// Cells side by side, on as many lines as needed.
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
