//! Events as text, JSON and CSV: a line for each event, or for each connection.

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

/// The columns of `json` and `csv` for an event's socket: place, state, identity and owner.
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

/// The traffic of a connection, in the order of every format.
pub(super) fn carried(traffic: Option<Traffic>) -> [(&'static str, Option<u64>); 4] {
    let number = |of: fn(Traffic) -> Option<u64>| traffic.and_then(of);
    [
        ("bytes_sent", number(|of| Some(of.bytes_sent))),
        ("bytes_received", number(|of| Some(of.bytes_received))),
        ("retransmits", number(|of| Some(of.retransmits.into()))),
        ("rtt_us", number(|of| of.rtt_us.map(Into::into))),
    ]
}

/// The time in the old state, and since the first event.
pub(super) const fn spent(spent: Spent) -> [(&'static str, Option<u64>); 2] {
    [
        ("duration_us", spent.in_state_us),
        ("life_us", spent.in_all_us),
    ]
}

/// Writes events in a format.
pub struct EventSink<'w> {
    writer: Box<dyn EventWriter + 'w>,
    grouping: Grouping,
    /// Events of groups not written yet.
    lives: Lives,
    /// Pairs written.
    written: u64,
    /// Maximum number of pairs.
    most: u64,
}

/// Writes events in one format, which only gets what it supports.
pub(super) trait EventWriter {
    fn event(&mut self, _event: &Event, _row: &Row<'_>) -> io::Result<()> {
        Ok(())
    }

    /// Writes a connection that is over.
    fn life(&mut self, _life: &Life) -> io::Result<()> {
        Ok(())
    }

    /// Writes a connection with the events of both ends.
    fn pair(&mut self, _pair: &Pair) -> io::Result<()> {
        Ok(())
    }

    /// True if open connections are already shown; then they are not written again at the end.
    fn shows_open(&self) -> bool {
        false
    }

    /// Flushes the output, because no event is waiting.
    fn flush(&mut self, open: &Lives) -> io::Result<()>;

    fn finish(&mut self, _summary: &EventSummary) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> EventSink<'w> {
    /// Writes grouped events, and at most `most` pairs.
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

    /// Writes an event, with its socket as a row. One that is not wanted is only shown in a pair with one
    /// that is.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
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

    /// Ends a connection of which nothing more is reported, although it is not CLOSED.
    pub fn over(&mut self, connection: u64) {
        self.lives.end(connection);
    }

    /// Flushes the output, because no event is waiting.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.write(false)?;
        self.writer.flush(&self.lives)
    }

    /// Writes all pairs, including open ones, and returns their number; `None` = another grouping.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
    pub fn write_pairs(&mut self) -> io::Result<Option<u64>> {
        self.write(self.grouping == Grouping::Pair)?;
        Ok(self.written_pairs())
    }

    /// Number of pairs written; `None` = another grouping.
    pub fn written_pairs(&self) -> Option<u64> {
        (self.grouping == Grouping::Pair).then_some(self.written)
    }

    /// Writes everything pending at the end of the run.
    ///
    /// # Errors
    ///
    /// If the output cannot be written.
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

/// The writer of events as lines, or of pairs as drawings.
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

/// RFC 3339 in UTC, with microseconds.
pub fn rfc_3339(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// What is on one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// An event.
    None,
    /// `--by connection`: all events of a connection, or of a listener.
    Connection,
    /// `--by pair`: both ends of a connection.
    Pair,
}

/// The layout of events in text formats.
#[derive(Debug, Clone)]
pub struct EventLayout {
    /// Also for CSV.
    pub header: HeaderLine,
    /// In `table`.
    pub color: Color,
    /// In `table`: characters for arrows.
    pub signs: Signs,
    /// Columns of the terminal; `None` = not a terminal.
    pub width: Option<u16>,
    /// Lines of the terminal.
    pub height: Option<u16>,
    /// In `table`: the time zone.
    pub zone: TimeZone,
    /// The columns of the socket. The step replaces its state, or follows all if that is not a column.
    pub columns: Vec<Field>,
    /// Maximum number of pairs.
    pub most_pairs: Option<usize>,
}

impl EventLayout {
    /// The columns before and after the step.
    pub(super) fn around_step(&self) -> [Vec<Field>; 2] {
        let mut columns = self.columns.iter().copied();
        let before = columns
            .by_ref()
            .take_while(|column| *column != Field::State);
        [before.collect(), columns.collect()]
    }
}
