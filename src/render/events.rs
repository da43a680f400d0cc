//! Events as text, JSON and CSV: a line for each step, or for each connection.

mod cells;
mod drawing;
mod exchange;
mod ladder;
mod life;
mod lines;

use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{Event, EventSummary, Row, Spent, State, Traffic};

use super::out::Out;
use super::{Color, Field, Format, HeaderLine, Signs};
use drawing::Drawings;
pub(super) use ladder::Ladders;
pub(super) use life::{Life, Lives, Pair, Roles, Step};
use lines::EventLines;

/// What `json` and `csv` tell of the socket of an event: where it is, the step, which it is, and whose.
pub(super) const COLUMNS: [Field; 26] = [
    Field::Protocol,
    Field::Family,
    Field::LocalAddress,
    Field::LocalPort,
    Field::PeerAddress,
    Field::PeerPort,
    Field::Netns,
    Field::NetnsInode,
    Field::State,
    Field::Cookie,
    Field::Processes,
    Field::ProcessStatus,
    Field::Cgroup,
    Field::CgroupId,
    Field::MadeIn,
    Field::Container,
    Field::ContainerId,
    Field::Runtime,
    Field::Image,
    Field::ComposeProject,
    Field::ComposeService,
    Field::Pod,
    Field::PodNamespace,
    Field::PodUid,
    Field::Unit,
    Field::ContainerUnit,
];

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
    grouping: Grouping,
    /// Of groups, what was not written yet.
    lives: Lives,
    /// Pairs that were written.
    written: u64,
    /// As many pairs are written at most.
    most: u64,
}

/// Writes what happened in one format, which gets nothing that it cannot hold.
pub(super) trait EventWriter {
    fn event(&mut self, _event: &Event, _row: &Row<'_>) -> io::Result<()> {
        Ok(())
    }

    /// A connection of which nothing more is told.
    fn life(&mut self, _life: &Life) -> io::Result<()> {
        Ok(())
    }

    /// A connection and what was seen of its ends.
    fn pair(&mut self, _pair: &Pair) -> io::Result<()> {
        Ok(())
    }

    /// True if connections that are open are seen, too: they are not written once more at the end.
    fn shows_open(&self) -> bool {
        false
    }

    /// Nothing more has happened for now: what was written is to be seen.
    fn flush(&mut self, open: &Lives) -> io::Result<()>;

    fn finish(&mut self, _summary: &EventSummary) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> EventSink<'w> {
    /// Writes what this groups them to, and of pairs no more than `most`.
    pub(super) fn new(
        writer: Box<dyn EventWriter + 'w>,
        grouping: Grouping,
        most: Option<usize>,
    ) -> Self {
        Self {
            writer,
            grouping,
            lives: Lives::default(),
            written: 0,
            most: most.map_or(u64::MAX, |most| u64::try_from(most).unwrap_or(u64::MAX)),
        }
    }

    /// One event, with its socket as a row. One that is not wanted is shown as a step of its pair, if that
    /// has one that is.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn event(&mut self, event: &Event, row: &Row<'_>, is_wanted: bool) -> io::Result<()> {
        let of_listener = matches!(
            (event.old_state, event.socket.state),
            (_, State::Listen) | (Some(State::Listen), State::Closed)
        );
        match self.grouping {
            Grouping::Pair if !of_listener => {
                self.lives.add(event, row, is_wanted);
                self.lives.join(event.connection, &event.socket);
            }
            Grouping::Connection if is_wanted => self.lives.add(event, row, true),
            Grouping::None if is_wanted => self.writer.event(event, row)?,
            _ => {}
        }
        Ok(())
    }

    /// Nothing more is told of a connection, though it is not CLOSED.
    pub fn over(&mut self, connection: u64) {
        self.lives.end(connection);
    }

    /// Nothing more has happened for now: what is known is shown.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write(false)?;
        self.writer.flush(&self.lives)
    }

    /// How many pairs were written, those that are not over too; `None` = they are not grouped so.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn write_pairs(&mut self) -> io::Result<Option<u64>> {
        self.write(self.grouping == Grouping::Pair)?;
        Ok(self.written_pairs())
    }

    /// How many pairs were written; `None` = they are not grouped so.
    pub fn written_pairs(&self) -> Option<u64> {
        (self.grouping == Grouping::Pair).then_some(self.written)
    }

    /// The end of the watch: everything held back is written.
    ///
    /// # Errors
    ///
    /// When the output cannot be written.
    pub fn finish(&mut self, summary: &EventSummary) -> io::Result<()> {
        self.write(!self.writer.shows_open())?;
        self.writer.flush(&self.lives)?;
        self.writer.finish(summary)
    }

    /// Writes the groups that are over, or all.
    fn write(&mut self, are_all: bool) -> io::Result<()> {
        for pair in self.lives.take(are_all) {
            if self.grouping == Grouping::Connection {
                let mut ends = pair.ends.iter().flatten();
                ends.try_for_each(|life| self.writer.life(life))?;
            } else if self.written < self.most {
                self.writer.pair(&pair)?;
                self.written += 1;
            }
        }
        Ok(())
    }
}

/// What writes events as lines, or draws pairs.
pub(super) fn text_events<'w>(
    format: Format,
    layout: EventLayout,
    grouping: Grouping,
    out: Out<'w>,
) -> Box<dyn EventWriter + 'w> {
    match grouping {
        Grouping::Pair => Box::new(Drawings::new(format, layout, out)),
        _ => Box::new(EventLines::new(format, layout, grouping, out)),
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
    /// What is told of the socket. At its state the step is told; without it, behind all.
    pub columns: Vec<Field>,
    /// As many pairs are written at most.
    pub most_pairs: Option<usize>,
}

impl EventLayout {
    /// The columns before the step and behind it.
    pub(super) fn around_step(&self) -> [Vec<Field>; 2] {
        let mut columns = self.columns.iter().copied();
        let before = columns
            .by_ref()
            .take_while(|column| *column != Field::State);
        [before.collect(), columns.collect()]
    }
}
