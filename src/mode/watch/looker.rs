//! Reads the sockets of a query in rounds, and tracks their changes.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use jiff::Timestamp;

use super::counting::Counting;
use super::event::{Event, EventSender, Question, Round};
use crate::enrich::Mapped;
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::Messages;
use crate::mode::host_names::HostNames;
use crate::mode::list::{Listing, Output};
use crate::mode::sources::matching;
use crate::mode::sources::{self, Open};
use crate::mode::tracked::TrackedTable;
use crate::model::{Change, ChangedRow, Summary, Table};
use crate::query::{Query, Report};
use crate::reading::Matcher;
use crate::source::{Recorder, Source};

pub(super) struct Looker {
    query: Query,
    source: Box<dyn Source>,
    tables: Vec<(Table, TrackedTable)>,
    matcher: Matcher,
    hosts: HostNames,
}

impl Looker {
    pub(super) fn new(query: Query, open: Open<'_>) -> Result<Self, Error> {
        let (mut source, tables) = open(&query, &Recorder::default())?;
        let matcher = matching(&query, source.as_mut())?;
        Ok(Self {
            matcher,
            hosts: HostNames::new(Mapped::AsIpv4),
            query,
            source,
            tables: tables
                .into_iter()
                .map(|table| (table, TrackedTable::default()))
                .collect(),
        })
    }

    /// Reads one round. Its gaps are in the summary.
    pub(super) fn look(&mut self, messages: &mut Messages<'_>) -> Result<Summary, Error> {
        self.matcher.next_listing();
        let mut listing = Listing::new(&self.query, &mut self.matcher, Output::Nothing);
        let source = self.source.as_mut();
        listing.begin_round(source, messages);
        for (table, tracked) in &mut self.tables {
            tracked.begin();
            listing.track(tracked);
            if read(&mut listing, *table, source, messages)? {
                source.vary_chunk_boundary();
                read(&mut listing, *table, source, messages)?;
            }
        }
        let summary = listing.close(messages);
        if self.query.hosts.is_some() {
            let tracked = self.tables.iter_mut().map(|(_, tracked)| tracked);
            self.hosts
                .name(tracked.flat_map(TrackedTable::rows_mut).collect());
        }
        Ok(summary)
    }

    /// Reads one round with its rows; aside, without those that are gone.
    fn round(&mut self, is_aside: bool, messages: &mut Messages<'_>) -> Result<Round, Error> {
        let (time, begun) = (Timestamp::now(), Instant::now());
        let summary = self.look(messages)?;
        Ok(Round {
            is_aside,
            time,
            begun,
            ended: Instant::now(),
            rows: self.rows(|row| !is_aside || row.change != Change::Gone),
            counts: None,
            verdict: if summary.diagnostics.is_complete() {
                Verdict::Done
            } else {
                Verdict::Trouble
            },
            summary,
        })
    }

    /// The wanted rows of the last round in the kernel's order; those that are gone keep their position.
    pub(super) fn rows(&self, wanted: impl Fn(&ChangedRow) -> bool) -> Vec<ChangedRow> {
        let tracked = self.tables.iter();
        tracked
            .flat_map(|(_, tracked)| tracked.rows(&wanted))
            .collect()
    }
}

/// Reads the sockets of a query, as rows or counts.
enum Looking {
    Rows(Box<Looker>),
    Counts(Box<Counting>),
}

impl Looking {
    fn new(query: Query) -> Result<Self, Error> {
        Ok(match query.report {
            Report::Rows => Self::Rows(Box::new(Looker::new(query, &sources::open)?)),
            Report::Summary { .. } => Self::Counts(Box::new(Counting::new(query)?)),
        })
    }
}

/// Reads a round for each request, sized for the screen. Ends when the view has ended.
pub(super) fn look(
    query: Query,
    questions: &Receiver<(Question, Option<[u16; 2]>)>,
    events: &EventSender,
) -> Result<(), Error> {
    let mut out = events.clone();
    let mut messages = Messages::new("lsock", &mut out);
    messages.repeat();
    let mut looking = Looking::new(query)?;
    let mut aside: Option<(Arc<Query>, Looking)> = None;
    for (question, screen) in questions {
        let is_aside = matches!(question, Question::Aside(_));
        let looking = match question {
            Question::Again => &mut looking,
            Question::Other(query) => {
                looking = Looking::new(*query)?;
                &mut looking
            }
            Question::Aside(query) => match &mut aside {
                Some((of, looking)) if Arc::ptr_eq(of, &query) => looking,
                aside => {
                    let looking = Looking::new(Query::clone(&query))?;
                    &mut aside.insert((query, looking)).1
                }
            },
        };
        let round = match looking {
            Looking::Rows(looker) => looker.round(is_aside, &mut messages)?,
            Looking::Counts(counting) => counting.round(screen, &mut messages)?,
        };
        if !events.send(Event::Round(Ok(round))) {
            break;
        }
    }
    Ok(())
}

/// Reads a table once. True if another read is needed.
fn read(
    listing: &mut Listing<'_>,
    table: Table,
    source: &mut dyn Source,
    messages: &mut Messages<'_>,
) -> Result<bool, Error> {
    let gaps = listing.summary.diagnostics.gaps;
    // A tracked table never has enough.
    let _ = listing.read(table, source, messages)?;
    let is_whole = listing.summary.diagnostics.gaps == gaps;
    let tracked = listing.tracked();
    Ok(tracked.is_some_and(|tracked| tracked.end(is_whole)))
}
