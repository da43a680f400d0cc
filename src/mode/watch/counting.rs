//! Repeated counts of a query's sockets, for a view.

use std::time::Instant;

use jiff::Timestamp;

use super::event::Round;
use crate::error::Error;
use crate::filter::Expr;
use crate::mode::Messages;
use crate::mode::list::{Listing, Output};
use crate::mode::sources::{self, matching};
use crate::model::Table;
use crate::query::Query;
use crate::reading::Matcher;
use crate::render::{Counted, Envelope, Since};
use crate::source::{Recorder, Source};

pub(super) struct Counting {
    query: Query,
    source: Box<dyn Source>,
    tables: Vec<Table>,
    matcher: Matcher,
    since: Since,
}

impl Counting {
    pub(super) fn new(mut query: Query) -> Result<Self, Error> {
        let layout = &mut query.layout;
        if layout.counted == Counted::Whole {
            layout.counted = Counted::Compared;
        }
        // The lines above the counts, until the size of the screen is known.
        let beside = 1 + u16::from(query.filter != Expr::ALWAYS);
        layout.height = layout.height.map(|height| height.saturating_sub(beside));
        let (mut source, tables) = sources::open(&query, &Recorder::default())?;
        Ok(Self {
            matcher: matching(&query, source.as_mut())?,
            query,
            source,
            tables,
            since: Since::default(),
        })
    }

    /// Reads one round, for this many columns and lines.
    pub(super) fn round(
        &mut self,
        screen: Option<[u16; 2]>,
        messages: &mut Messages<'_>,
    ) -> Result<Round, Error> {
        let (time, begun) = (Timestamp::now(), Instant::now());
        let layout = &mut self.query.layout;
        if let Some([width, height]) = screen {
            layout.width = Some(width);
            layout.height = layout.height.and(Some(height));
        }
        self.matcher.enricher.next_listing();
        let mut counts = Vec::new();
        let mut output = Output::of(
            &self.query,
            &sources::open,
            &Envelope::default(),
            Box::new(&mut counts),
        );
        if let Output::Counts(summing, _) = &mut output {
            summing.compare(&self.since);
        }
        let source = self.source.as_mut();
        let mut listing = Listing::new(&self.query, &mut self.matcher, output);
        listing.begin_round(source, messages);
        listing.read_all(&self.tables, source, messages)?;
        let (verdict, summary) = listing.end(messages)?;
        Ok(Round {
            is_aside: false,
            time,
            begun,
            ended: Instant::now(),
            rows: Vec::new(),
            counts: Some(String::from_utf8_lossy(&counts).into_owned()),
            verdict,
            summary,
        })
    }
}
