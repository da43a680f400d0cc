//! Cells of an event's line.

use jiff::Timestamp;

use crate::model::Row;

use super::super::style::Style;
use super::super::{Color, Field, Format, Signs, paint};
use super::life::mark;
use super::{EventLayout, Pair, Roles, Step, rfc_3339};

/// Fields that the drawing of a pair shows by itself.
const DRAWN: [Field; 6] = [
    Field::Protocol,
    Field::State,
    Field::Local,
    Field::Peer,
    Field::Netns,
    Field::Processes,
];

/// An end of a connection, as text.
pub(super) struct End {
    /// Its processes, or why they are unknown.
    pub(super) owner: String,
    /// Its address, after its namespace if there are several.
    pub(super) address: String,
    /// The other columns with a value: `container: web`.
    pub(super) others: Vec<String>,
    /// True if any of its events was seen.
    pub(super) is_seen: bool,
}

/// Formats the cells of a line.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    is_for_people: bool,
    pub(super) layout: EventLayout,
    style: Style,
}

impl Cells {
    /// Cells of `table`, or of `plain`: ASCII without colors.
    pub(super) fn new(format: Format, layout: EventLayout) -> Self {
        let is_for_people = format == Format::Table;
        let (style, layout) = if is_for_people {
            (Style::TEXT, layout)
        } else {
            let (color, signs) = (Color::Never, Signs::Ascii);
            let layout = EventLayout {
                color,
                signs,
                ..layout
            };
            (Style::WORD, layout)
        };
        Self {
            is_for_people,
            layout,
            style,
        }
    }

    /// A text of the program, in ASCII if the terminal needs it.
    pub(super) fn text(&self, text: &str) -> String {
        if self.is_for_people && self.layout.signs == Signs::Ascii {
            text.replace('·', "*")
        } else {
            text.to_owned()
        }
    }

    /// The time of day for people, the full time for scripts.
    pub(super) fn time(&self, time: Timestamp, sampled: bool) -> String {
        let time = if self.is_for_people {
            let here = time.to_zoned(self.layout.zone.clone());
            here.strftime("%H:%M:%S%.6f").to_string()
        } else {
            rfc_3339(time)
        };
        format!("{}{time}", mark(sampled))
    }

    /// The time, and the columns except the step.
    pub(super) fn of(&self, step: Option<&Step>, row: &Row<'_>) -> Vec<String> {
        let time = step.map_or_else(String::new, |step| self.time(step.time, step.sampled));
        let columns = self.layout.columns.iter();
        let columns = columns.filter(|column| **column != Field::State);
        let cells = columns.map(|column| self.cell(*column, row));
        [time].into_iter().chain(cells).collect()
    }

    fn cell(&self, column: Field, row: &Row<'_>) -> String {
        let text = self.bare(column, row);
        if column == Field::Processes && row.process_status.is_some() {
            return paint::mark_owner(&text);
        }
        text
    }

    /// A cell without marks.
    pub(super) fn bare(&self, column: Field, row: &Row<'_>) -> String {
        if column.is_of_owners() && !column.is_place() && row.process_status.is_none() {
            // The socket was gone before its processes could be found.
            return "?".to_owned();
        }
        self.style.text(column, row)
    }

    /// The processes and addresses of both ends.
    pub(super) fn ends(&self, pair: &Pair) -> [Option<End>; 2] {
        let [left, right] = &pair.ends;
        [(left, right), (right, left)].map(|both| match both {
            (Some(end), _) => Some(self.end(&end.row())),
            (None, Some(other)) => {
                let is_both = pair.roles == Roles::Both;
                Some(End {
                    owner: if is_both { "itself" } else { "not seen" }.to_owned(),
                    address: self.bare(Field::Peer, &other.row()),
                    others: Vec::new(),
                    is_seen: false,
                })
            }
            (None, None) => None,
        })
    }

    fn end(&self, row: &Row<'_>) -> End {
        let [owner, mut address] =
            [Field::Processes, Field::Local].map(|column| self.bare(column, row));
        let columns = &self.layout.columns;
        if columns.contains(&Field::Netns) {
            address = format!("{} {address}", self.bare(Field::Netns, row));
        }
        let is_drawn = |column: &&Field| DRAWN.contains(column) || column.get(row).is_none();
        let others = columns.iter().filter(|column| !is_drawn(column));
        let others =
            others.map(|column| format!("{}: {}", column.label(), self.bare(*column, row)));
        End {
            owner,
            address,
            others: others.collect(),
            is_seen: true,
        }
    }
}
