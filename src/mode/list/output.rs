//! Destinations of rows.

use std::io::{self, Write};

use crate::mode::host_names::HostNames;
use crate::mode::pending_rows::PendingRows;
use crate::mode::sources::Open;
use crate::mode::tracked::TrackedTable;
use crate::query::{Query, Report};
use crate::render::{self, Arrangement, Envelope, Grouped, NameHosts, RowBuffer, Sink, Summing};

/// The buffer of a query's rows, in front of the format.
pub(in crate::mode) fn buffer<'w>(
    query: &Query,
    envelope: &Envelope,
    out: Box<dyn Write + 'w>,
) -> RowBuffer<'w> {
    let out = unless_quiet(query, out);
    if let Some(groups) = &query.groups {
        let (layout, envelope) = (query.layout.clone(), envelope.clone());
        let grouped = Grouped::new(groups.clone(), query.format, layout, envelope, out);
        return RowBuffer::new(Box::new(grouped), Arrangement::default());
    }
    let writer = render::sink(query.format, query.layout.clone(), envelope, out);
    let arrangement = Arrangement {
        order: query.order.clone(),
        limit: query.limit,
        name_hosts: query.hosts.map(|mapped| -> NameHosts {
            Box::new(move |rows| HostNames::new(mapped).name(rows.iter_mut().collect()))
        }),
    };
    RowBuffer::new(writer, arrangement)
}

/// The output of a query; none with `-q`.
fn unless_quiet<'w>(query: &Query, out: Box<dyn Write + 'w>) -> Box<dyn Write + 'w> {
    if query.check.quiet {
        Box::new(io::sink())
    } else {
        out
    }
}

pub(in crate::mode) enum Output<'l> {
    Rows(Box<RowBuffer<'l>>),
    /// Counted, and searched for findings.
    Counts(Box<Summing<'l>>, Open<'l>),
    /// Only counted for a check.
    Nothing,
    /// Kept by a wait until its check holds.
    Pending(&'l mut PendingRows),
    /// Compared with the round before.
    Tracked(&'l mut TrackedTable),
}

impl<'l> Output<'l> {
    /// The output of a query's report.
    pub(in crate::mode) fn of(
        query: &Query,
        open: Open<'l>,
        envelope: &Envelope,
        out: Box<dyn Write + 'l>,
    ) -> Self {
        match query.report {
            Report::Rows if query.check.wants_answer_alone() => Self::Nothing,
            Report::Rows => Self::Rows(Box::new(buffer(query, envelope, out))),
            Report::Summary { .. } => {
                let summing = Summing::new(
                    query.format,
                    query.layout.clone(),
                    query.limit,
                    envelope.clone(),
                    unless_quiet(query, out),
                );
                Self::Counts(Box::new(summing), open)
            }
        }
    }

    pub(in crate::mode) fn to(sink: Box<dyn Sink + 'l>) -> Self {
        Self::Rows(Box::new(RowBuffer::new(sink, Arrangement::default())))
    }

    /// True if rows can be rolled back, as long as they are few.
    pub(super) fn keeps(&self) -> bool {
        match self {
            Self::Rows(rows) => rows.keeps(),
            Self::Counts(..) | Self::Nothing | Self::Pending(_) | Self::Tracked(_) => true,
        }
    }

    /// Marks the start of rows that may be rolled back.
    pub(super) fn checkpoint(&mut self) {
        match self {
            Self::Rows(rows) => rows.checkpoint(),
            Self::Counts(summing, _) => summing.checkpoint(),
            Self::Pending(pending) => pending.checkpoint(),
            Self::Nothing | Self::Tracked(_) => {}
        }
    }

    /// Drops every row since the last checkpoint; `false` = some may have been written.
    pub(super) fn rollback(&mut self) -> bool {
        match self {
            Self::Rows(rows) => rows.rollback(),
            Self::Counts(summing, _) => summing.rollback(),
            Self::Pending(pending) => pending.rollback(),
            Self::Nothing => true,
            Self::Tracked(tracked) => {
                tracked.restart();
                true
            }
        }
    }

    pub(super) fn sink(&mut self) -> Option<&mut dyn Sink> {
        match self {
            Self::Rows(rows) => Some(rows.as_mut()),
            Self::Counts(summing, _) => Some(summing.as_mut()),
            Self::Pending(pending) => Some(pending.shown()?),
            Self::Nothing | Self::Tracked(_) => None,
        }
    }
}
