//! Events as text, JSON and CSV: a line for each step, or for each connection.

mod chain;
mod lines;
mod open;
mod plain;
mod stamp;

use std::io;
use std::ops::ControlFlow;

use jiff::tz::TimeZone;

use crate::model::{Event, EventSummary, Row};

use super::{Color, Field, HeaderLine, Signs};
pub(super) use chain::{Chain, Step};
pub(super) use lines::EventLines;
pub(super) use open::{ChainWriter, Grouped, Open};
pub(super) use plain::{ChainLine, Chains};
pub use stamp::rfc_3339;

/// Where a connection is.
pub(super) const ENDS: [Field; 6] = [
    Field::Protocol,
    Field::Family,
    Field::LocalAddress,
    Field::LocalPort,
    Field::PeerAddress,
    Field::PeerPort,
];

/// Which it is, and whose.
pub(super) const OWNERS: [Field; 2] = [Field::Cookie, Field::Processes];

/// Takes events, one after another.
pub trait EventSink {
    /// One event, with its socket as a row; `Break` when no further one is wanted.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<ControlFlow<()>>;

    /// Nothing more is told of a connection, though it is not CLOSED.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    fn over(&mut self, _connection: u64) -> io::Result<()> {
        Ok(())
    }

    /// Nothing more has happened for now: what is known is shown.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    fn flush(&mut self) -> io::Result<()>;

    /// The end of the watch: everything held back is written.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    fn finish(&mut self, summary: &EventSummary) -> io::Result<()>;
}

/// What makes a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// Every event.
    None,
    /// `--by connection`: all events of a connection, or of a listener.
    Connection,
}

/// How events are shown in text.
#[derive(Debug, Clone)]
pub struct EventLayout {
    /// Of CSV, too.
    pub header: HeaderLine,
    /// In `table`.
    pub color: Color,
    /// In `table`: what arrows are drawn with.
    pub signs: Signs,
    /// Columns of the terminal; `None` = it is none.
    pub width: Option<u16>,
    /// Its lines.
    pub height: Option<u16>,
    /// In `table`: where the time of day is told.
    pub zone: TimeZone,
    /// True if there is a column for processes.
    pub processes: bool,
}
