//! What is shown in the place of the list: keys, groups, or all about a socket.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::fields::Value;
use crate::model::{OwnedRow, Row};
use crate::text::push_wrapped;

use super::super::style::Style;
use super::super::{Field, paint, push_explanation};

const KEYS: &str = include_str!("keys.txt");

/// Where the values stand, behind the names of their fields.
const VALUES: usize = 20;

/// What is said of the other end.
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

/// What is shown in the place of the list.
#[derive(Debug, Clone)]
pub enum Aside {
    /// The keys.
    Keys,
    /// All about a socket.
    Socket {
        /// The socket, as it was seen last.
        row: Arc<OwnedRow>,
        /// True if it is not there any more.
        is_gone: bool,
        /// The socket at its other end, if that is on this machine and in a listed namespace.
        other: Option<Arc<OwnedRow>>,
        /// The fields that are shown.
        columns: Vec<Field>,
    },
    /// Groups of sockets.
    Groups {
        /// What they have in common.
        by: &'static str,
        /// The table of them.
        text: String,
    },
}

impl Aside {
    /// Its lines on a screen of so many columns, the title first.
    pub(super) fn lines(&self, width: usize) -> Vec<String> {
        let text = match self {
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

/// A line for each field that has a value, and one with those that are unknown.
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
                // No part of the structure says anything.
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
