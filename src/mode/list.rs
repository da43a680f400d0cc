//! A listing.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::Messages;
use super::resolve::Resolving;
use super::seen::Seen;
use crate::enrich::Enricher;
use crate::error::Error;
use crate::exit::Verdict;
use crate::filter::{Rule, Stage};
use crate::model::{Origin, Row, Socket, StateSet, Summary, Table};
use crate::query::{Input, Query};
use crate::render::{self, Envelope, Limited, Search, Sink, Sorted};
use crate::source::{
    AutoSource, NetlinkSource, Outcome, ProcfsSource, Recorder, ReplaySource, Source,
};

/// Lists what the query asks for.
///
/// # Errors
///
/// When nothing can be listed at all, or the output cannot be written. Trouble with a part of the
/// list goes to `messages` and into the verdict.
pub fn list(
    query: &Query,
    envelope: &Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let recorder = match &query.record {
        Some(path) => Recorder::create(path)?,
        None => Recorder::default(),
    };
    let (mut source, tables) = open(query, &recorder)?;
    let mut listing = Listing::new(query, envelope, out);
    for table in tables {
        if listing.read(table, source.as_mut(), messages)?.is_break() {
            break;
        }
    }
    let verdict = listing.finish(messages)?;
    recorder.finish()?;
    Ok(verdict)
}

/// The source of a query, and the tables to ask it for.
fn open(query: &Query, recorder: &Recorder) -> Result<(Box<dyn Source>, Vec<Table>), Error> {
    let mut tables = query.tables.clone();
    let source: Box<dyn Source> = match &query.input {
        Input::Auto => {
            let netlink = NetlinkSource::new(recorder.clone());
            let procfs = ProcfsSource::new("/proc", recorder.clone());
            Box::new(AutoSource::new(netlink, procfs))
        }
        Input::Netlink => Box::new(NetlinkSource::new(recorder.clone())),
        Input::Procfs(root) => Box::new(ProcfsSource::open(root, recorder.clone())?),
        Input::Replay(path) => {
            let replay = ReplaySource::open(path)?;
            if !query.named {
                tables = replay.tables().to_vec();
                tables.sort_unstable();
            }
            Box::new(replay)
        }
    };
    Ok((source, tables))
}

/// A listing under way.
struct Listing<'q> {
    query: &'q Query,
    enricher: Enricher,
    search: Search,
    sink: Box<dyn Sink>,
    summary: Summary,
}

impl<'q> Listing<'q> {
    fn new(query: &'q Query, envelope: &Envelope, out: Box<dyn Write>) -> Self {
        let mut sink = render::sink(query.format, query.layout.clone(), envelope, out);
        if query.hosts {
            sink = Box::new(Resolving::new(sink));
        }
        if !query.sort.is_empty() {
            sink = Box::new(Sorted::new(sink, query.sort.clone(), query.limit));
        } else if let Some(limit) = query.limit {
            sink = Box::new(Limited::new(sink, limit));
        }
        Self {
            query,
            enricher: Enricher::new(query.lookups.clone()),
            search: Search::new(&query.layout),
            sink,
            summary: Summary::default(),
        }
    }

    /// Reads one table; `Break` when no further row is wanted.
    fn read(
        &mut self,
        table: Table,
        source: &mut dyn Source,
        messages: &mut Messages<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        let rule = self.query.rule(table);
        let request = self.query.request(&rule);
        if rule.is_never() || request.states == StateSet::EMPTY {
            return Ok(ControlFlow::Continue(()));
        }
        let mut end = Ok(ControlFlow::Continue(()));
        let mut seen = Seen::default();
        let outcome = source.visit(table, &request, &mut |socket| {
            seen.note(socket);
            end = self.show(socket, &rule);
            match end {
                Ok(flow) => flow,
                Err(_) => ControlFlow::Break(()),
            }
        });
        let flow = end.map_err(Error::Output)?;
        match outcome {
            Ok(mut outcome) => {
                let unknown = seen.unknown_to(&rule, outcome.source);
                outcome
                    .gaps
                    .extend(unknown.map(|gap| format!("{table}: {gap}")));
                self.note(table, outcome, messages);
            }
            Err(error) => self.missing(table, error, messages)?,
        }
        Ok(flow)
    }

    /// Shows a socket, if the filter wants it: asked as early as it can tell.
    fn show(&mut self, socket: &Socket, rule: &Rule) -> io::Result<ControlFlow<()>> {
        let skipped = Ok(ControlFlow::Continue(()));
        let mut held = rule.holds(&Row::bare(socket), Stage::Socket, &mut |_| false);
        if held == Some(false) {
            return skipped;
        }
        self.enricher.prepare_names(socket);
        if held.is_none() {
            let row = self.enricher.row(socket);
            held = rule.holds(&row, Stage::Names, &mut |_| false);
        }
        if held == Some(false) {
            return skipped;
        }
        self.enricher.prepare_owners(socket);
        let row = self.enricher.row(socket);
        let shown = self.query.hidden.from(row);
        let search = &mut self.search;
        let mut contains = |text: &str| search.contains(&shown, text);
        if held.is_none() && rule.holds(&row, Stage::Owners, &mut contains) != Some(true) {
            return skipped;
        }
        let flow = self.sink.row(&shown)?;
        self.summary.matched += 1;
        Ok(flow)
    }

    fn note(&mut self, table: Table, outcome: Outcome, messages: &mut Messages<'_>) {
        for warning in outcome.warnings {
            messages.warning(&warning);
            self.summary.warnings.push(warning);
        }
        for gap in outcome.gaps {
            self.gap(gap, messages);
        }
        self.summary.sources.push(Origin {
            table,
            source: outcome.source,
            reason: outcome.reason,
        });
    }

    fn gap(&mut self, text: String, messages: &mut Messages<'_>) {
        messages.error(&format!("incomplete list: {text}"));
        self.summary.complete = false;
        self.summary.warnings.push(text);
    }

    /// A table that cannot be read: the others still can.
    fn missing(
        &mut self,
        table: Table,
        error: Error,
        messages: &mut Messages<'_>,
    ) -> Result<(), Error> {
        if matches!(error, Error::Usage(_)) {
            return Err(error);
        }
        let text = error.chain();
        messages.error(&text);
        self.summary.complete = false;
        self.summary.sources.push(Origin {
            table,
            source: None,
            reason: Some(text.clone()),
        });
        self.summary.warnings.push(text);
        Ok(())
    }

    fn finish(mut self, messages: &mut Messages<'_>) -> Result<Verdict, Error> {
        for warning in self.enricher.warnings() {
            messages.warning(&warning);
            self.summary.warnings.push(warning);
        }
        self.sink.finish(&self.summary).map_err(Error::Output)?;
        Ok(if self.summary.complete {
            Verdict::Done
        } else {
            Verdict::Trouble
        })
    }
}
