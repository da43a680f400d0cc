//! `--by pair --format html`: a page with sequence diagrams of connections.

use std::fmt::Write as _;
use std::io;

use crate::model::EventSummary;

use super::super::out::Out;
use super::super::page::{begin, complete, end, markup};
use super::super::{Color, Envelope, Format, paint};
use super::cells::Cells;
use super::drawing::time;
use super::exchange::{self, Between, Line, Segment, Side};
use super::{EventLayout, EventWriter, Lives, Pair, Step, rfc_3339};

/// Horizontal positions of both ends.
const LEFT: usize = 200;
const RIGHT: usize = 560;
const STEP: usize = 34;
/// The center between them, and the right edge.
const MIDDLE: usize = 380;
const WIDTH: usize = 860;
/// The number of connections in a page, without `--limit`.
const MOST: usize = 500;

/// Writes a page of connections.
pub(in crate::render) struct Ladders<'w> {
    out: Out<'w>,
    cells: Cells,
    /// The number of connections that may still be drawn.
    room: usize,
    left_out: usize,
}

impl<'w> Ladders<'w> {
    /// In the colors of the reader, whatever the layout says.
    pub(in crate::render) fn new(
        layout: EventLayout,
        envelope: &Envelope,
        mut out: Out<'w>,
    ) -> Self {
        let about = format!("{} · lsock {}", envelope.time, env!("CARGO_PKG_VERSION"));
        let page = begin("Connections of", &envelope.host, &about);
        out.buffer.extend_from_slice(page.as_bytes());
        let layout = EventLayout {
            color: Color::Never,
            ..layout
        };
        Self {
            out,
            room: layout.most_pairs.unwrap_or(MOST),
            left_out: 0,
            cells: Cells::new(Format::Table, layout),
        }
    }
}

impl EventWriter for Ladders<'_> {
    fn pair(&mut self, pair: &Pair) -> io::Result<()> {
        let Some(room) = self.room.checked_sub(1) else {
            self.left_out += 1;
            return Ok(());
        };
        self.room = room;
        let steps = pair.ends.iter().flatten().flat_map(|end| &end.steps);
        let first = steps.map(|step| step.time).min().map(rfc_3339);
        let mut page = format!(
            "<h2>{}</h2>\n<figure>\n<div class=\"ends\">",
            first.unwrap_or_default()
        );
        for end in self.cells.ends(pair) {
            page.push_str("<p>");
            if let Some(end) = end {
                // Writing to a String cannot fail.
                let _ = write!(page, "<b>{}</b>", markup(&end.owner));
                for line in std::iter::once(&end.address).chain(&end.others) {
                    let _ = write!(page, "<br>{}", markup(line));
                }
            }
            page.push_str("</p>");
        }
        let lines = exchange::lines(pair);
        let height = (lines.len() + 1) * STEP;
        let _ = write!(
            page,
            "</div>\n<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"segments and states\">\n\
             <rect class=\"back\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
             <path class=\"life\" d=\"M{LEFT},12V{end}M{RIGHT},12V{end}\"/>\n",
            end = height - 12
        );
        let mut since = None;
        for (place, line) in lines.iter().enumerate() {
            write_line(&mut page, line, (place + 1) * STEP, &mut since);
        }
        page.push_str("</svg>\n</figure>\n");
        self.out.buffer.extend_from_slice(page.as_bytes());
        self.out.row_done().map(|_| ())
    }

    fn flush(&mut self, _: &Lives) -> io::Result<()> {
        self.out.finish()
    }

    fn finish(&mut self, summary: &EventSummary) -> io::Result<()> {
        let warnings = summary.diagnostics.warnings.iter();
        let missing = warnings.map(ToString::to_string).collect();
        let mut page = String::new();
        if self.left_out > 0 {
            let all = MOST.saturating_add(self.left_out);
            let _ = writeln!(
                page,
                "<p class=\"limit\">The first {MOST} of {all} connections are drawn, unless --limit says otherwise.</p>"
            );
        }
        page.push_str("<h2>Completeness</h2>\n");
        let is_complete = summary.diagnostics.is_complete() && !summary.sampled;
        complete(&mut page, "steps", is_complete, missing);
        page.push_str(&end());
        self.out.buffer.extend_from_slice(page.as_bytes());
        self.out.finish()
    }
}

/// Draws the new states, what is between them, and the time.
fn write_line(page: &mut String, line: &Line, y: usize, since: &mut Option<Step>) {
    let at = |page: &mut String, x: usize, y: usize, class: &str, text: &str| {
        let text = markup(&paint::text(text, Color::Never));
        let _ = writeln!(
            page,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>"
        );
    };
    let sides = [
        (LEFT, LEFT - 14, "state left"),
        (RIGHT, RIGHT + 14, "state"),
    ];
    for ((life, x, class), state) in sides.into_iter().zip(&line.states) {
        if let Some(state) = state {
            let _ = write!(page, "<circle cx=\"{life}\" cy=\"{y}\" r=\"4\"/>");
            at(page, x, y + 4, class, state);
        }
    }
    let mut arrow = |from: Side, class: &str, text: &str| {
        // Arrows slope down: time passes.
        let (begin, end) = match from {
            Side::Left => (LEFT + 6, RIGHT - 12),
            Side::Right => (RIGHT - 6, LEFT + 12),
        };
        let _ = write!(
            page,
            "<g class=\"{class}\"><path d=\"M{begin},{}L{end},{}\"/>\
             <path class=\"tip\" d=\"M{end},{}l{tip},-5v10z\"/></g>",
            y - 3,
            y + 2,
            y + 2,
            tip = if begin < end { "-8" } else { "8" },
        );
        at(page, MIDDLE, y - 7, class, text);
    };
    match line.between {
        Between::Nothing => {}
        Between::Segment { from, segment, .. } => {
            let class = if segment == Segment::Rst {
                "arrow rst"
            } else {
                "arrow"
            };
            arrow(from, class, segment.name());
        }
        Between::Open(from) => arrow(from, "arrow open", "can still send"),
        Between::Words(words) => at(page, MIDDLE, y + 4, "words", words),
    }
    if let Some(step) = line.step {
        let before = since.replace(step);
        at(
            page,
            WIDTH - 16,
            y + 4,
            "when",
            &time(&step, before.as_ref()),
        );
    }
}
