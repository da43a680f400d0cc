//! Where rows go.

use std::io::{self, Write};

use crate::mode::held::Held;
use crate::mode::resolve::Resolving;
use crate::query::{Query, Report};
use crate::render::{self, Envelope, Format, Limited, Sink, Sorted, Summing};

/// The sink that shows the rows of a query: the one that writes, with what goes before it.
pub(in crate::mode) fn rows(query: &Query, mut sink: Box<dyn Sink>) -> Box<dyn Sink> {
    if query.hosts {
        sink = Box::new(Resolving::new(sink));
    }
    if !query.sort.is_empty() {
        sink = Box::new(Sorted::new(sink, query.sort.clone(), query.limit));
    } else if let Some(limit) = query.limit {
        sink = Box::new(Limited::new(sink, limit));
    }
    sink
}

/// Does that sink hold rows, the first ones at least, so that they can be taken back?
const fn holds(query: &Query) -> bool {
    let is_cut = match query.limit {
        Some(limit) => limit <= Limited::HELD,
        None => false,
    };
    !query.sort.is_empty() || query.hosts || is_cut || matches!(query.format, Format::Table)
}

/// Where rows go.
pub(in crate::mode) enum Output<'l> {
    Rows {
        sink: Box<dyn Sink>,
        /// The sink holds them, the first ones at least.
        is_held: bool,
    },
    Counts(Box<Summing<'static>>),
    /// Nothing of them is wanted but how many there are.
    Nothing,
    /// A wait, which shows them when its check holds.
    Held(&'l mut Held),
}

impl Output<'_> {
    pub(super) fn of(query: &Query, envelope: &Envelope, out: Box<dyn Write>) -> Self {
        match (query.report, query.check.quiet) {
            (Report::Rows, true) => Self::Nothing,
            (Report::Rows, false) => {
                let sink = render::sink(query.format, query.layout.clone(), envelope, out);
                Self::of_rows(query, sink)
            }
            (Report::Summary { .. }, quiet) => Self::Counts(Box::new(Summing::new(
                query.format,
                query.layout.clone(),
                query.limit,
                envelope.clone(),
                if quiet { Box::new(io::sink()) } else { out },
            ))),
        }
    }

    /// Rows that this sink writes.
    pub(in crate::mode) fn of_rows(query: &Query, sink: Box<dyn Sink>) -> Self {
        Self::Rows {
            sink: rows(query, sink),
            is_held: holds(query),
        }
    }

    /// Can what it gets be taken back, as long as that is not much?
    pub(super) const fn holds(&self) -> bool {
        match self {
            Self::Rows { is_held, .. } => *is_held,
            Self::Counts(_) | Self::Nothing | Self::Held(_) => true,
        }
    }

    /// What follows may have to be taken back.
    pub(super) fn mark(&mut self) {
        match self {
            Self::Held(held) => held.mark(),
            output => {
                if let Some(sink) = output.sink() {
                    sink.mark();
                }
            }
        }
    }

    /// Takes back what came since the last mark.
    pub(super) fn take_back(&mut self) -> bool {
        match self {
            Self::Rows { sink, .. } => sink.take_back(),
            Self::Counts(summing) => summing.take_back(),
            Self::Held(held) => held.take_back(),
            Self::Nothing => true,
        }
    }

    pub(super) fn sink(&mut self) -> Option<&mut dyn Sink> {
        match self {
            Self::Rows { sink, .. } => Some(sink.as_mut()),
            Self::Counts(summing) => Some(summing.as_mut()),
            Self::Held(held) => held.opened(),
            Self::Nothing => None,
        }
    }
}
