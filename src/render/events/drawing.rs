//! `--by pair`: sequence diagrams, with the states of client and server in two columns and the segments
//! between them.

use std::io;

use crate::text;

use super::super::grid::{self, Grid};
use super::super::out::Out;
use super::super::{Field, Format, Signs, paint};
use super::cells::{Cells, End};
use super::exchange::{self, Between, Line, Side};
use super::life::mark;
use super::{EventLayout, EventWriter, Lives, Pair, Step};

/// Width of a drawing with its longest text: that of a usual terminal.
const WIDTH: usize = 80;

/// Width of an arrow.
const ARROW: usize = 22;

/// The column of the server's states.
const RIGHT: usize = 44;

/// Widths of states, segments, states, time.
const COLUMNS: [(usize, bool); 4] = [(13, false), (29, false), (11, false), (12, true)];

/// Draws connections.
pub(in crate::render) struct Drawings<'w> {
    out: Out<'w>,
    cells: Cells,
    is_first: bool,
}

impl<'w> Drawings<'w> {
    /// In `table` with the layout's characters and colors, in `plain` with ASCII.
    pub(in crate::render) fn new(format: Format, layout: EventLayout, out: Out<'w>) -> Self {
        Self {
            out,
            cells: Cells::new(format, layout),
            is_first: true,
        }
    }

    fn write(&mut self, line: &str) {
        paint::line(&mut self.out.buffer, line, self.cells.layout.color);
    }

    /// The processes and addresses of both ends, side by side.
    fn write_ends(&mut self, pair: &Pair) {
        let lines = |end: Option<End>, room| {
            end.map_or_else(Vec::new, |end| {
                let paint = if end.is_seen {
                    paint::mark_owner
                } else {
                    str::to_owned
                };
                let mut lines = end_lines(&end.owner, &end.address, room, paint);
                lines.extend(end.others);
                lines
            })
        };
        let [left, right] = self.cells.ends(pair);
        let (left, right) = (lines(left, RIGHT - 1), lines(right, WIDTH - RIGHT));
        for place in 0..left.len().max(right.len()) {
            let [left, right] = [&left, &right].map(|lines| lines.get(place));
            let [left, right] = [left, right].map(|line| line.map_or("", String::as_str));
            let begin = RIGHT.min(WIDTH.saturating_sub(grid::width(right)));
            let fits = grid::width(left) < begin;
            if !fits {
                self.write(left);
            }
            let left = if fits { left } else { "" };
            let columns = [(begin.saturating_sub(grid::GAP), false), (0, false)];
            self.write(&Grid::new(columns).line(&[left, right]));
        }
    }

    fn write_line(&mut self, line: &Line, since: &mut Option<Step>) {
        let time = line.step.map_or_else(String::new, |step| {
            let before = since.replace(step);
            time(&step, before.as_ref())
        });
        let between = match line.between {
            Between::Nothing => String::new(),
            Between::Segment { from, segment, .. } => {
                let arrow = self.arrow(from, '─', segment.name());
                paint::mark_alarm(arrow, segment == exchange::Segment::Rst)
            }
            Between::Open(from) => self.arrow(from, '╌', "can still send"),
            Between::Words(words) => self.cells.text(words),
        };
        let mut grid = Grid::new(COLUMNS);
        grid.recovers = true;
        let [left, right] = line
            .states
            .each_ref()
            .map(|state| state.as_deref().unwrap_or_default());
        self.write(&grid.line(&[left, &between, right, &time]));
    }

    /// An arrow to the other end, with a label.
    fn arrow(&self, from: Side, line: char, words: &str) -> String {
        let [line, left, right] = match (self.cells.layout.signs, line) {
            (Signs::Unicode, line) => [line, '◀', '▶'],
            (Signs::Ascii, '─') => ['-', '<', '>'],
            (Signs::Ascii, _) => ['.', '<', '>'],
        };
        let free = ARROW - 1 - (words.len() + 2).min(ARROW - 1);
        let strokes = |count| String::from(line).repeat(count);
        let [less, more] = [free / 2, free - free / 2].map(strokes);
        match from {
            Side::Left => format!("{less} {words} {more}{right}"),
            Side::Right => format!("{left}{more} {words} {less}"),
        }
    }
}

/// The owner and address of an end, on one line or several.
fn end_lines(owner: &str, address: &str, room: usize, paint: fn(&str) -> String) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in owner.split_inclusive(',') {
        if !line.is_empty() && grid::width(&line) + grid::width(word) > room {
            lines.push(paint(&std::mem::take(&mut line)));
        }
        line.push_str(word);
    }
    let is_short = grid::width(&line) + 1 + grid::width(address) <= room;
    let owner = paint(&line);
    if is_short {
        lines.push(format!("{owner} {address}"));
    } else {
        lines.extend([owner, address.to_owned()]);
    }
    lines
}

/// `+31 us` since the event before; `0 us` for the first.
pub(super) fn time(step: &Step, before: Option<&Step>) -> String {
    let since = before.map_or(0, |before| step.since_us(before));
    let text = text::micros(since);
    let unit = text.find(char::is_alphabetic).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let is_sampled = step.sampled || before.is_some_and(|before| before.sampled);
    let plus = if before.is_some() { "+" } else { "" };
    format!("{}{plus}{number} {unit}", mark(is_sampled))
}

impl EventWriter for Drawings<'_> {
    fn pair(&mut self, pair: &Pair) -> io::Result<()> {
        if !std::mem::replace(&mut self.is_first, false) {
            self.write("");
        }
        let firsts = pair.ends.iter().flatten().filter_map(|end| {
            let step = end.steps.first()?;
            Some((step.time, step.sampled, end))
        });
        if let Some((time, sampled, end)) = firsts.min_by_key(|(time, ..)| *time) {
            let protocol = self.cells.bare(Field::Protocol, &end.row());
            let time = self.cells.time(time, sampled);
            self.write(&format!("{time} {protocol}"));
        }
        self.write_ends(pair);
        let mut since = None;
        for line in exchange::lines(pair) {
            self.write_line(&line, &mut since);
        }
        self.out.row_done().map(|_| ())
    }

    fn flush(&mut self, _: &Lives) -> io::Result<()> {
        self.out.finish()
    }
}
