//! Lines shown in place of the list: keys, groups, or the details of a socket.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::fields::Value;
use crate::model::{OwnedRow, Row};
use crate::text::push_wrapped;

use super::super::style::Style;
use super::super::{Field, paint, push_explanation};
use super::Page;

const KEYS: &str = include_str!("keys.txt");
/// The keys for counts.
const COUNT_KEYS: &str = include_str!("count_keys.txt");

/// The column of the values, after the names of fields.
const VALUES: usize = 20;

/// The fields of the other end.
const OTHER: [Field; 8] = [
    Field::State,
    Field::RecvQueue,
    Field::SendQueue,
    Field::Local,
    Field::Peer,
    Field::Shutdown,
    Field::Timer,
    Field::Processes,
];

/// What is shown in place of the list.
#[derive(Debug, Clone)]
pub enum Aside {
    /// The keys.
    Keys,
    /// The details of a socket.
    Socket {
        /// The socket, as it was last seen.
        row: Arc<OwnedRow>,
        /// True if it is gone.
        is_gone: bool,
        /// The socket at its other end, if on this machine and in a listed namespace.
        other: Option<Arc<OwnedRow>>,
        /// The fields to show.
        columns: Vec<Field>,
    },
    /// Groups of sockets.
    Groups {
        /// The grouping field.
        by: &'static str,
        /// The groups as a table.
        text: String,
    },
}

impl Aside {
    /// Its lines for this width, the title first.
    pub(super) fn lines(&self, page: &Page, width: usize) -> Vec<String> {
        let text = match self {
            Self::Keys if page.counted.is_some() => COUNT_KEYS.to_owned(),
            Self::Keys => KEYS.to_owned(),
            Self::Groups { text, .. } => text.clone(),
            Self::Socket {
                row,
                is_gone,
                other,
                columns,
            } => {
                let mut text = title(&row.row(), *is_gone);
                let mut columns = columns.clone();
                if columns.contains(&Field::Processes) {
                    columns.extend([Field::Command, Field::ProcessUser]);
                }
                fields(&mut text, &columns, &row.row(), width);
                if let Some(other) = other {
                    text.push_str("\nThe other end\n");
                    fields(&mut text, &OTHER, &other.row(), width);
                }
                text.push('\n');
                push_explanation(&mut text, row.socket().state, width);
                text
            }
        };
        text.lines().map(str::to_owned).collect()
    }
}

fn title(row: &Row<'_>, is_gone: bool) -> String {
    let cells = [Field::Protocol, Field::State, Field::Local, Field::Peer];
    let cells = cells.map(|field| Style::TEXT.text(field, row));
    let gone = if is_gone { "  (gone)" } else { "" };
    format!("{}{gone}\n", paint::bare(&cells.join(" ")))
}

/// A line for each field with a value, and one with the unknown ones.
fn fields(text: &mut String, columns: &[Field], row: &Row<'_>, width: usize) {
    let style = Style {
        descriptors: true,
        ..Style::TEXT
    };
    let mut line = |name: &str, value: &str| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{name:VALUES$}");
        if name.len() >= VALUES {
            text.push(' ');
        }
        push_wrapped(text, value, VALUES, width.max(2 * VALUES));
        text.push('\n');
    };
    let mut unknown = Vec::new();
    for column in columns {
        match column.value(row) {
            Value::Known(_) => match paint::bare(&style.text(*column, row)) {
                // The structure has nothing to show.
                text if text == "-" && column.as_structure().is_some() => {}
                text => line(&column.label(), &text),
            },
            Value::NotReported => unknown.push(column.label()),
            Value::Absent | Value::Void | Value::NotYet => {}
        }
    }
    if !unknown.is_empty() {
        line("unknown", &unknown.join(", "));
    }
}
