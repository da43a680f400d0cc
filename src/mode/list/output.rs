//! Where rows go.

use std::io::{self, Write};

use crate::mode::host_names::HostNames;
use crate::mode::pending_rows::PendingRows;
use crate::mode::sources::Open;
use crate::mode::tracked::TrackedTable;
use crate::query::{Query, Report};
use crate::render::{self, Arrangement, Envelope, Grouped, NameHosts, RowBuffer, Sink, Summing};

/// The rows of a query, before what writes them.
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

/// Where the output of a query goes: with `-q`, nowhere.
fn unless_quiet<'w>(query: &Query, out: Box<dyn Write + 'w>) -> Box<dyn Write + 'w> {
    if query.check.quiet {
        Box::new(io::sink())
    } else {
        out
    }
}

pub(in crate::mode) enum Output<'l> {
    Rows(Box<RowBuffer<'l>>),
    /// They are counted, and looked through for what is wrong in a second walk.
    Counts(Box<Summing<'l>>, Open<'l>),
    /// Nothing of them is wanted but how many there are.
    Nothing,
    /// A wait, which shows them once its check holds.
    Pending(&'l mut PendingRows),
    /// They are compared with those of the round before.
    Tracked(&'l mut TrackedTable),
}

impl<'l> Output<'l> {
    /// What a query reports.
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

    /// True if what it gets can be rolled back, as long as that is not much.
    pub(super) fn keeps(&self) -> bool {
        match self {
            Self::Rows(rows) => rows.keeps(),
            Self::Counts(..) | Self::Nothing | Self::Pending(_) | Self::Tracked(_) => true,
        }
    }

    /// Begins rows that may have to be rolled back.
    pub(super) fn checkpoint(&mut self) {
        match self {
            Self::Rows(rows) => rows.checkpoint(),
            Self::Counts(summing, _) => summing.checkpoint(),
            Self::Pending(pending) => pending.checkpoint(),
            Self::Nothing | Self::Tracked(_) => {}
        }
    }

    /// Drops every row since the last checkpoint; `false` = some may be written.
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
