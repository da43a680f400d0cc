//! Lines: one for each event, or one for each connection. On a terminal the line of a connection grows in
//! its place: those that are over move up, those that are open are drawn again below them.

use std::cmp::Reverse;
use std::io;

use jiff::Timestamp;

use crate::model::{Event, EventSummary, Row};

use super::super::grid::{self, Grid};
use super::super::out::Out;
use super::super::{Format, HeaderLine, paint};
use super::cells::Cells;
use super::chain::name;
use super::{Chain, EventLayout, EventWriter, Grouping, OpenChains, Step};

/// Columns of the longest state.
const STATE: usize = 11;

/// Room for less of a chain than this is no room.
const LEAST: usize = 16;

/// Stands for what is left out of a chain.
const MORE: &str = "...";

/// Writes events or connections as lines.
pub(in crate::render) struct EventLines<'w> {
    out: Out<'w>,
    cells: Cells,
    grid: Grid,
    /// `None` = open connections are not drawn.
    live: Option<Live>,
}

/// The connections that are open on a terminal.
#[derive(Debug, Clone, Copy)]
struct Live {
    width: usize,
    /// As many can be drawn.
    most: usize,
    /// Lines that are drawn again.
    drawn: usize,
    /// What the number of changes was then.
    changes: u64,
}

impl<'w> EventLines<'w> {
    /// Those of `table` or `plain`, below their titles: there is room for an IPv4 end.
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
        let mut columns = vec![("TIME", time), ("PROTO", 5), ("LOCAL", 21), ("PEER", 21)];
        let steps = [("OLD", STATE), (cells.arrow(), 0), ("NEW", STATE)];
        let processes = cells.layout.processes.then_some(("PROCESSES", 0));
        match grouping {
            Grouping::None => {
                columns.extend(steps.into_iter().chain(processes));
                columns.push(("STEP", 0));
            }
            Grouping::Connection => {
                columns.extend(processes);
                columns.push(("STATES", 0));
            }
        }
        let width = |(title, least): &(&str, usize)| (grid::width(title).max(*least), false);
        let grid = Grid::new(columns.iter().map(width));
        if cells.layout.header == HeaderLine::Shown {
            let titles: Vec<_> = columns.iter().map(|(title, _)| *title).collect();
            let titles = grid.line(&titles);
            paint::header(&mut out.buffer, &titles, cells.layout.color);
        }
        Self {
            out,
            cells,
            grid,
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

    /// The line of a connection, cut to a width: of its chain the end is what is looked for.
    fn line(&mut self, chain: &Chain, width: Option<usize>) -> String {
        let mut cells = self.cells.of(chain.steps.first(), &chain.row());
        self.grid.widen(&cells);
        let links = chain.links(self.cells.arrow());
        let Some(width) = width else {
            cells.push(links.concat());
            return self.grid.line(&cells);
        };
        let begin = self.grid.begin(cells.len());
        cells.push(tail(&links, width.saturating_sub(begin)));
        grid::cut(&self.grid.line(&cells), width)
    }

    /// Goes to the first line that is drawn again, and away with everything from there.
    fn erase(&mut self) {
        if let Some(live) = &mut self.live
            && live.drawn > 0
        {
            let up = format!("\u{1b}[{}A\u{1b}[J", live.drawn);
            self.out.buffer.extend_from_slice(up.as_bytes());
            live.drawn = 0;
        }
    }

    /// Draws the open connections that changed last, in their order.
    fn draw(&mut self, open: &OpenChains, live: Live) -> io::Result<()> {
        self.erase();
        let mut shown: Vec<&Chain> = open.chains().collect();
        let more = shown.len().saturating_sub(live.most);
        if more > 0 {
            shown.sort_by_key(|chain| Reverse(chain.changed));
            let least = shown.get(live.most - 1).map(|chain| chain.changed);
            shown = open.chains().filter(|c| Some(c.changed) >= least).collect();
        }
        for chain in &shown {
            let fitting = self.line(chain, Some(live.width));
            self.write(&fitting)?;
        }
        if more > 0 {
            self.write(&grid::cut(&format!("and {more} more open"), live.width))?;
        }
        self.live = Some(Live {
            drawn: shown.len() + usize::from(more > 0),
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
        let steps = [
            step.old.map_or_else(|| "?".to_owned(), name),
            self.cells.arrow().to_owned(),
            paint::mark_state(&name(step.new)),
        ];
        cells.splice(4..4, steps);
        cells.push(self.cells.text(step.words.unwrap_or("-")));
        self.grid.widen(&cells);
        let line = self.grid.line(&cells);
        self.write(&line)
    }

    fn chain(&mut self, chain: &Chain) -> io::Result<()> {
        self.erase();
        let line = self.line(chain, None);
        self.write(&line)
    }

    fn flush(&mut self, open: Option<&OpenChains>) -> io::Result<()> {
        if let (Some(live), Some(open)) = (self.live, open)
            && live.changes != open.changes
        {
            self.draw(open, live)?;
        }
        self.out.finish()
    }

    fn finish(&mut self, open: Option<&OpenChains>, _: &EventSummary) -> io::Result<()> {
        if self.live.is_none() {
            self.rest(open)?;
        }
        self.flush(open)
    }
}

/// The last links of a chain for which there is room.
fn tail(links: &[String], room: usize) -> String {
    let whole: usize = links.iter().map(|link| grid::width(link)).sum();
    if whole <= room || room < LEAST {
        return links.concat();
    }
    let mut used = MORE.len();
    let fits = |link: &&String| {
        used += grid::width(link);
        used <= room
    };
    let kept = links.iter().rev().take_while(fits).count();
    let tail = links.get(links.len() - kept..).unwrap_or_default();
    format!("{MORE}{}", tail.concat())
}
