//! Lines for events, or for connections. On a terminal the lines of open connections are redrawn in place,
//! below those that are over.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;

use crate::model::{Event, Row};

use super::super::grid::{self, GAP, Grid};
use super::super::out::Out;
use super::super::{Field, Format, paint};
use super::cells::Cells;
use super::{EventLayout, EventWriter, Grouping, Life, Lives, Step};

/// Width of the longest state.
const STATE: usize = 11;

/// The minimum width of a column, if more than its title.
const fn least(column: Field) -> usize {
    match column {
        Field::Netns => 12,
        Field::Protocol => 5,
        Field::Local | Field::Peer => 21,
        _ => 0,
    }
}

/// Width of the longest text of a step.
const WORDS: usize = 70;

/// Writes events or connections as lines.
pub(in crate::render) struct EventLines<'w> {
    out: Out<'w>,
    cells: Cells,
    grid: Grid,
    /// Number of columns before the step.
    ends: usize,
    /// `None` = open connections are not drawn.
    live: Option<Live>,
}

/// The open connections on a terminal.
#[derive(Debug, Clone, Copy)]
struct Live {
    width: usize,
    /// Maximum number of lines for them.
    most: usize,
    /// Number of lines to redraw.
    drawn: usize,
    /// The number of changes when they were drawn.
    changes: u64,
}

impl<'w> EventLines<'w> {
    /// Lines of `table` or `plain`, with a header; there is room for an IPv4 endpoint.
    pub(in crate::render) fn new(
        format: Format,
        layout: EventLayout,
        grouping: Grouping,
        mut out: Out<'w>,
    ) -> Self {
        let is_drawn = format == Format::Table && grouping == Grouping::Connection;
        let size = layout.width.zip(layout.height).filter(|_| is_drawn);
        let cells = Cells::new(format, layout);
        let time = cells.time(Timestamp::UNIX_EPOCH, true).len();
        let of = |column: &Field| (column.title(), least(*column));
        let [before, behind] = cells.layout.around_step();
        let mut columns = vec![("TIME".to_owned(), time)];
        columns.extend(before.iter().map(of));
        let ends = columns.len();
        let arrow = cells.layout.signs.arrow();
        let steps = (grouping == Grouping::None).then(|| {
            let steps = states("OLD", arrow, "NEW");
            (steps, 2 * (STATE + GAP) + grid::width(arrow))
        });
        let last = if steps.is_some() { "STEP" } else { "STATES" };
        columns.extend(steps);
        columns.extend(behind.iter().map(of));
        columns.push((last.to_owned(), 0));
        let width = |(title, least): &(String, usize)| (grid::width(title).max(*least), false);
        let mut grid = Grid::new(columns.iter().map(width));
        if format == Format::Table {
            grid.fold = cells.layout.width.map(usize::from);
        }
        if cells.layout.header.is_shown() {
            let titles: Vec<_> = columns.iter().map(|(title, _)| title.as_str()).collect();
            let titles = grid.line(&titles);
            paint::header(&mut out.buffer, &titles, cells.layout.color);
        }
        Self {
            out,
            cells,
            grid,
            ends,
            live: size.map(|(width, height)| Live {
                width: width.into(),
                most: usize::from(height).saturating_sub(2).max(1),
                drawn: 0,
                changes: 0,
            }),
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        paint::line(&mut self.out.buffer, line, self.cells.layout.color);
        self.out.row_done().map(|_| ())
    }

    /// Widens columns for an event. Columns after the endpoints only grow while there is room for the text
    /// after them.
    fn widen(&mut self, cells: &[String]) {
        let mut wider = self.grid.clone();
        wider.widen(cells);
        if wider
            .fold
            .is_some_and(|fold| wider.begin(cells.len() - 1) + WORDS > fold)
        {
            self.grid.widen(cells.get(..self.ends).unwrap_or_default());
        } else {
            self.grid = wider;
        }
    }

    fn line(&mut self, of: &Life) -> String {
        let mut cells = self.cells.of(of.steps.first(), &of.row());
        self.grid.widen(&cells);
        cells.extend(of.links(self.cells.layout.signs.arrow()));
        self.grid.line(&cells)
    }

    /// Moves to the first line to redraw, and erases everything from there.
    fn erase(&mut self) {
        if let Some(live) = &mut self.live
            && live.drawn > 0
        {
            let up = format!("\u{1b}[{}A\u{1b}[J", live.drawn);
            self.out.buffer.extend_from_slice(up.as_bytes());
            live.drawn = 0;
        }
    }

    /// Draws the open connections that changed last, in their order, as far as there is room.
    fn draw(&mut self, open: &Lives, live: Live) -> io::Result<()> {
        self.erase();
        let mut latest: Vec<&Life> = open.open().collect();
        latest.sort_unstable_by_key(|life| Reverse(life.changed));
        let mut shown = BTreeMap::new();
        let mut drawn = 0;
        for life in latest.iter().take(live.most) {
            // A line wrapped by the terminal could not be redrawn.
            let lines = self.line(life);
            let lines = lines.lines().map(|line| grid::cut(line, live.width));
            let lines: Vec<String> = lines.take(live.most).collect();
            if drawn + lines.len() > live.most {
                break;
            }
            drawn += lines.len();
            shown.insert(life.connection, lines);
        }
        let more = latest.len() - shown.len();
        for line in shown.into_values().flatten() {
            self.write(&line)?;
        }
        if more > 0 {
            self.write(&grid::cut(&format!("and {more} more open"), live.width))?;
        }
        self.live = Some(Live {
            drawn: drawn + usize::from(more > 0),
            changes: open.changes,
            ..live
        });
        Ok(())
    }
}

impl EventWriter for EventLines<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<()> {
        let step = Step::of(event);
        let mut cells = self.cells.of(Some(&step), row);
        let old = step
            .old
            .map_or_else(|| "?".to_owned(), |old| old.to_string());
        let new = paint::mark_state(&step.new.to_string());
        cells.insert(
            self.ends,
            states(&old, self.cells.layout.signs.arrow(), &new),
        );
        let words = self.cells.text(step.words.unwrap_or("-"));
        cells.push(paint::mark_alarm(words, step.is_broken_off));
        self.widen(&cells);
        let line = self.grid.line(&cells);
        self.write(&line)
    }

    fn life(&mut self, over: &Life) -> io::Result<()> {
        self.erase();
        let line = self.line(over);
        self.write(&line)
    }

    fn shows_open(&self) -> bool {
        self.live.is_some()
    }

    fn flush(&mut self, open: &Lives) -> io::Result<()> {
        if let Some(live) = self.live
            && live.changes != open.changes
        {
            self.draw(open, live)?;
        }
        self.out.finish()
    }
}

/// The states before and after an event.
fn states(old: &str, arrow: &str, new: &str) -> String {
    Grid::new([(STATE, false), (0, false), (STATE, false)]).line(&[old, arrow, new])
}
