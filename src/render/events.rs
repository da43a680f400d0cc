//! Events as text, JSON and CSV: a line for each step, or for each connection.

mod cells;
mod chain;
mod drawing;
mod exchange;
mod lines;
mod pairs;

use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{Event, EventSummary, Row, Spent, Traffic};

use super::{Color, Field, HeaderLine, Signs};
pub(super) use chain::{Chain, OpenChains, Step};
pub(super) use drawing::Drawings;
pub(super) use lines::EventLines;
use pairs::Pairs;
pub(super) use pairs::{Pair, Roles};

/// Where a connection is.
pub(super) const ENDS: [Field; 8] = [
    Field::Protocol,
    Field::Family,
    Field::LocalAddress,
    Field::LocalPort,
    Field::PeerAddress,
    Field::PeerPort,
    Field::Netns,
    Field::NetnsInode,
];

/// Which it is, and whose.
pub(super) const OWNERS: [Field; 2] = [Field::Cookie, Field::Processes];

/// What a connection has carried, in the order of every format.
pub(super) fn carried(traffic: Option<Traffic>) -> [(&'static str, Option<u64>); 4] {
    let number = |of: fn(Traffic) -> Option<u64>| traffic.and_then(of);
    [
        ("bytes_sent", number(|of| Some(of.bytes_sent))),
        ("bytes_received", number(|of| Some(of.bytes_received))),
        ("retransmits", number(|of| Some(of.retransmits.into()))),
        ("rtt_us", number(|of| of.rtt_us.map(Into::into))),
    ]
}

/// How long the step took, and the life until then.
pub(super) const fn spent(spent: Spent) -> [(&'static str, Option<u64>); 2] {
    [
        ("duration_us", spent.in_state_us),
        ("life_us", spent.in_all_us),
    ]
}

/// Writes events, one after another, in a format.
pub struct EventSink<'w> {
    writer: Box<dyn EventWriter + 'w>,
    grouped: Grouped,
}

/// What was not written yet.
enum Grouped {
    Nothing,
    Chains(OpenChains),
    Pairs {
        pairs: Pairs,
        written: usize,
        most: usize,
    },
}

/// Writes what happened in one format.
pub(super) trait EventWriter {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<()>;

    /// A connection of which nothing more is told. A format that cannot hold its steps gets none.
    fn chain(&mut self, _chain: &Chain) -> io::Result<()> {
        Ok(())
    }

    /// A connection and what was seen of its ends.
    fn pair(&mut self, _pair: &Pair) -> io::Result<()> {
        Ok(())
    }

    /// Nothing more has happened for now: what was written is to be seen.
    fn flush(&mut self, open: Option<&OpenChains>) -> io::Result<()>;

    fn finish(&mut self, open: Option<&OpenChains>, summary: &EventSummary) -> io::Result<()>;

    /// The connections that are open at the end of the watch.
    fn rest(&mut self, open: Option<&OpenChains>) -> io::Result<()> {
        let mut chains = open.into_iter().flat_map(OpenChains::chains);
        chains.try_for_each(|chain| self.chain(chain))
    }
}

impl<'w> EventSink<'w> {
    /// Writes what this groups them to, and of pairs no more than `most`.
    pub(super) fn new(
        writer: Box<dyn EventWriter + 'w>,
        grouping: Grouping,
        most: Option<usize>,
    ) -> Self {
        let grouped = match grouping {
            Grouping::None => Grouped::Nothing,
            Grouping::Connection => Grouped::Chains(OpenChains::default()),
            Grouping::Pair => Grouped::Pairs {
                pairs: Pairs::default(),
                written: 0,
                most: most.unwrap_or(usize::MAX),
            },
        };
        Self { writer, grouped }
    }

    /// One event, with its socket as a row. One that is not wanted is shown as a step of its pair, if that
    /// has one that is.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn event(&mut self, event: &Event, row: &Row<'_>, is_wanted: bool) -> io::Result<()> {
        match &mut self.grouped {
            Grouped::Pairs { pairs, .. } => pairs.add(event, row, is_wanted),
            _ if !is_wanted => {}
            Grouped::Nothing => self.writer.event(event, row)?,
            Grouped::Chains(open) => {
                let over = open.add(event, row);
                over.map_or(Ok(()), |over| self.writer.chain(&over))?;
            }
        }
        Ok(())
    }

    /// Nothing more is told of a connection, though it is not CLOSED.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn over(&mut self, connection: u64) -> io::Result<()> {
        match &mut self.grouped {
            Grouped::Nothing => Ok(()),
            Grouped::Chains(open) => {
                let over = open.take(connection);
                over.map_or(Ok(()), |over| self.writer.chain(&over))
            }
            Grouped::Pairs { pairs, .. } => {
                pairs.end(connection);
                Ok(())
            }
        }
    }

    /// Nothing more has happened for now: what is known is shown.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.pairs(false)?;
        self.writer.flush(self.grouped.chains())
    }

    /// How many pairs were written, those that are not over too; `None` = they are not grouped so.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn write_pairs(&mut self) -> io::Result<Option<u64>> {
        self.pairs(true)?;
        Ok(self.written_pairs())
    }

    /// How many pairs were written; `None` = they are not grouped so.
    pub fn written_pairs(&self) -> Option<u64> {
        match &self.grouped {
            Grouped::Pairs { written, .. } => u64::try_from(*written).ok(),
            _ => None,
        }
    }

    /// The end of the watch: everything held back is written.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn finish(&mut self, summary: &EventSummary) -> io::Result<()> {
        self.pairs(true)?;
        self.writer.finish(self.grouped.chains(), summary)
    }

    /// Writes the pairs that are over, or all.
    fn pairs(&mut self, are_all: bool) -> io::Result<()> {
        let Grouped::Pairs {
            pairs,
            written,
            most,
        } = &mut self.grouped
        else {
            return Ok(());
        };
        for pair in pairs.take(are_all) {
            if *written < *most {
                self.writer.pair(&pair)?;
                *written += 1;
            }
        }
        Ok(())
    }
}

impl Grouped {
    const fn chains(&self) -> Option<&OpenChains> {
        match self {
            Self::Chains(open) => Some(open),
            _ => None,
        }
    }
}

/// RFC 3339 in UTC, to the microsecond.
pub fn rfc_3339(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// What makes a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// Every event.
    None,
    /// `--by connection`: all events of a connection, or of a listener.
    Connection,
    /// `--by pair`: both ends of a connection.
    Pair,
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
    /// True if events may be of several network namespaces, for which there is a column then.
    pub several: bool,
    /// As many pairs are written at most.
    pub most_pairs: Option<usize>,
}
