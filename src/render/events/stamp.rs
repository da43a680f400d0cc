//! When, and what the cells of an event are written with.

use jiff::Timestamp;

use crate::model::Row;

use super::super::grid::{self, Grid};
use super::super::out::Out;
use super::super::style::Style;
use super::super::{Color, Field, Format, HeaderLine, Signs, paint};
use super::EventLayout;

/// Before a time that is that of a look, not of the step.
pub(in crate::render) const SAMPLED: char = '~';

/// RFC 3339 in UTC, to the microsecond.
pub fn rfc_3339(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// How the cells of a line are written.
#[derive(Debug, Clone)]
pub(in crate::render) struct Cells {
    format: Format,
    layout: EventLayout,
    style: Style,
}

impl Cells {
    /// Those of `table` or `plain`.
    pub(in crate::render) const fn new(format: Format, layout: EventLayout) -> Self {
        let style = match format {
            Format::Table => Style::TEXT,
            _ => Style::WORD,
        };
        Self {
            format,
            layout,
            style,
        }
    }

    /// Time, protocol and both ends: their titles, and room for an IPv4 end.
    pub(in crate::render) fn columns(&self) -> Vec<(&'static str, usize)> {
        let time = self.time(Timestamp::UNIX_EPOCH, true).len();
        vec![("TIME", time), ("PROTO", 5), ("LOCAL", 21), ("PEER", 21)]
    }

    /// Begins lines of columns with these titles and least widths.
    pub(in crate::render) fn begin(
        &self,
        columns: &[(&str, usize)],
        out: &mut Out<'_>,
        color: Color,
    ) -> Grid {
        let width = |(title, least): &(&str, usize)| (grid::width(title).max(*least), false);
        let grid = Grid::new(columns.iter().map(width));
        if self.layout.header == HeaderLine::Shown {
            let titles: Vec<_> = columns.iter().map(|(title, _)| *title).collect();
            paint::header(&mut out.buffer, &grid.line(&titles), color);
        }
        grid
    }

    /// `->`, or a better one where it is for people and can be drawn.
    pub(in crate::render) const fn arrow(&self) -> &'static str {
        match (self.format, self.layout.signs) {
            (Format::Table, Signs::Unicode) => "→",
            _ => "->",
        }
    }

    /// A text of ours, without signs that cannot be drawn.
    pub(in crate::render) fn text(&self, text: &str) -> String {
        match (self.format, self.layout.signs) {
            (Format::Table, Signs::Ascii) => text.replace('·', "*"),
            _ => text.to_owned(),
        }
    }

    /// The time of day for people, the whole time for scripts.
    pub(in crate::render) fn time(&self, time: Timestamp, sampled: bool) -> String {
        let mark = if sampled {
            SAMPLED.to_string()
        } else {
            String::new()
        };
        let time = match self.format {
            Format::Table => {
                let here = time.to_zoned(self.layout.zone.clone());
                here.strftime("%H:%M:%S%.6f").to_string()
            }
            _ => rfc_3339(time),
        };
        format!("{mark}{time}")
    }

    /// Protocol, both ends, and the processes where they are shown.
    pub(in crate::render) fn socket(&self, row: &Row<'_>) -> Vec<String> {
        let mut columns = vec![Field::Protocol, Field::Local, Field::Peer];
        if self.layout.processes {
            columns.push(Field::Processes);
        }
        columns
            .into_iter()
            .map(|column| self.cell(column, row))
            .collect()
    }

    fn cell(&self, column: Field, row: &Row<'_>) -> String {
        if column == Field::Processes && row.process_status.is_none() {
            // It was gone before anybody could be asked.
            return "?".to_owned();
        }
        let mut out = Vec::new();
        self.style.cell(&mut out, column, row);
        String::from_utf8_lossy(&out).into_owned()
    }
}
