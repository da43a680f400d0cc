//! What the cells of an event are written with.

use jiff::Timestamp;

use crate::model::Row;

use super::super::style::Style;
use super::super::{Color, Field, Format, Signs, paint};
use super::life::mark;
use super::{EventLayout, Step, rfc_3339};

/// How the cells of a line are written.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    format: Format,
    pub(super) layout: EventLayout,
    style: Style,
}

impl Cells {
    /// Those of `table` or `plain`.
    pub(super) fn new(format: Format, layout: EventLayout) -> Self {
        let (style, color) = match format {
            Format::Table => (Style::TEXT, layout.color),
            _ => (Style::WORD, Color::Never),
        };
        Self {
            format,
            layout: EventLayout { color, ..layout },
            style,
        }
    }

    /// `->`, or a better one where it is for people and can be drawn.
    pub(super) const fn arrow(&self) -> &'static str {
        if self.has_signs() { "→" } else { "->" }
    }

    /// True if it is for people, and more than ASCII can be drawn.
    pub(super) const fn has_signs(&self) -> bool {
        matches!(
            (self.format, self.layout.signs),
            (Format::Table, Signs::Unicode)
        )
    }

    /// A text of ours, without signs that cannot be drawn.
    pub(super) fn text(&self, text: &str) -> String {
        match (self.format, self.layout.signs) {
            (Format::Table, Signs::Ascii) => text.replace('·', "*"),
            _ => text.to_owned(),
        }
    }

    /// The time of day for people, the whole time for scripts.
    pub(super) fn time(&self, time: Timestamp, sampled: bool) -> String {
        let time = match self.format {
            Format::Table => {
                let here = time.to_zoned(self.layout.zone.clone());
                here.strftime("%H:%M:%S%.6f").to_string()
            }
            _ => rfc_3339(time),
        };
        format!("{}{time}", mark(sampled))
    }

    /// When a step was, namespace where there may be several, protocol, both ends, and the processes where they are shown.
    pub(super) fn of(&self, step: Option<&Step>, row: &Row<'_>) -> Vec<String> {
        let time = step.map_or_else(String::new, |step| self.time(step.time, step.sampled));
        let mut columns: Vec<Field> = Vec::with_capacity(5);
        columns.extend(self.layout.several.then_some(Field::Netns));
        columns.extend([Field::Protocol, Field::Local, Field::Peer]);
        if self.layout.processes {
            columns.push(Field::Processes);
        }
        let cells = columns.into_iter().map(|column| self.cell(column, row));
        [time].into_iter().chain(cells).collect()
    }

    fn cell(&self, column: Field, row: &Row<'_>) -> String {
        let text = self.bare(column, row);
        if column == Field::Processes && row.process_status.is_some() {
            return paint::mark_owner(&text);
        }
        text
    }

    /// A cell without a mark.
    pub(super) fn bare(&self, column: Field, row: &Row<'_>) -> String {
        if column == Field::Processes && row.process_status.is_none() {
            // It was gone before anybody could be asked.
            return "?".to_owned();
        }
        self.style.text(column, row)
    }
}
