//! A line for each connection that grows in its place on a terminal: those that are over move up, those
//! that are open are drawn again below them.

use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;

use crate::model::{Event, EventSummary, Row};

use crate::render::events::{Chain, ChainLine, EventLayout, EventSink, Open};
use crate::render::out::Out;
use crate::render::{Color, Format, grid, paint};

/// Room for less of a chain than this is no room.
const LEAST: usize = 16;

/// Stands for what is left out of a chain.
const MORE: &str = "...";

pub(super) struct Live<'w> {
    out: Out<'w>,
    line: ChainLine,
    color: Color,
    width: usize,
    /// Open connections that can be drawn.
    most: usize,
    open: Open,
    /// When each was last changed, in events.
    changed: HashMap<u64, u64>,
    events: u64,
    /// What is drawn is not what is known.
    is_stale: bool,
    over: Vec<Chain>,
    /// Lines that are drawn again.
    drawn: usize,
}

impl<'w> Live<'w> {
    /// For a terminal of so many columns and lines.
    pub(super) fn new(layout: EventLayout, [width, height]: [u16; 2], mut out: Out<'w>) -> Self {
        let color = layout.color;
        Self {
            line: ChainLine::new(Format::Table, layout, &mut out, color),
            out,
            color,
            width: usize::from(width),
            most: usize::from(height).saturating_sub(2).max(1),
            open: Open::default(),
            changed: HashMap::new(),
            events: 0,
            is_stale: false,
            over: Vec::new(),
            drawn: 0,
        }
    }

    fn draw(&mut self) {
        if self.drawn > 0 {
            // To the first of them, and away with everything from there.
            let up = format!("\u{1b}[{}A\u{1b}[J", self.drawn);
            self.out.buffer.extend_from_slice(up.as_bytes());
        }
        for chain in std::mem::take(&mut self.over) {
            let line = self.line.whole(&chain);
            paint::line(&mut self.out.buffer, &line, self.color);
        }
        let shown = self.shown();
        let count = shown.len();
        for number in shown {
            if let Some(chain) = self.open.get(number) {
                let line = fitting(&mut self.line, chain, self.width);
                paint::line(&mut self.out.buffer, &line, self.color);
            }
        }
        let more = self.open.count() - count;
        self.drawn = count + usize::from(more > 0);
        if more > 0 {
            let line = grid::cut(&format!("and {more} more open"), self.width);
            paint::line(&mut self.out.buffer, &line, self.color);
        }
    }

    /// The numbers of the connections to draw: those that changed last, in their order.
    fn shown(&self) -> Vec<u64> {
        let mut numbers: Vec<u64> = self.open.chains().map(|chain| chain.connection).collect();
        if numbers.len() > self.most {
            numbers.sort_by_key(|number| std::cmp::Reverse(self.changed.get(number).copied()));
            numbers.truncate(self.most);
            numbers.sort_unstable();
        }
        numbers
    }
}

impl EventSink for Live<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.events += 1;
        self.is_stale = true;
        match self.open.add(event, row) {
            Some(over) => {
                self.changed.remove(&over.connection);
                self.over.push(over);
            }
            None => _ = self.changed.insert(event.connection, self.events),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn over(&mut self, connection: u64) -> io::Result<()> {
        let over = self.open.take(connection);
        self.is_stale |= over.is_some();
        self.changed.remove(&connection);
        self.over.extend(over);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.is_stale {
            self.is_stale = false;
            self.draw();
        }
        self.out.finish()
    }

    fn finish(&mut self, _: &EventSummary) -> io::Result<()> {
        self.flush()
    }
}

/// The line of a connection, cut to the width: of its chain the end is what is looked for.
fn fitting(line: &mut ChainLine, chain: &Chain, width: usize) -> String {
    let tail = |links: Vec<String>, begin: usize| {
        let room = width.saturating_sub(begin);
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
    };
    grid::cut(&line.of(chain, tail), width)
}
