//! A listing, or a summary: the same sockets, counted.

use std::io::{self, Write};
use std::ops::ControlFlow;

use super::Messages;
use super::findings;
use super::resolve::Resolving;
use super::seen::Seen;
use crate::enrich::Enricher;
use crate::error::Error;
use crate::exit::Verdict;
use crate::filter::{Rule, Stage};
use crate::model::{Origin, Row, Socket, StateSet, Summary, Table};
use crate::query::{Input, Query, Report};
use crate::render::{self, Envelope, Limited, Search, Sink, Sorted, Summing};
use crate::source::{
    AutoSource, NetlinkSource, Outcome, ProcfsSource, Recorder, ReplaySource, Source,
};

/// Lists, or counts, what the query asks for.
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

/// An empty list is right then, but hardly what was meant.
const IN_VAIN: &str = "the filter wants nothing that the options list";

/// The sink that shows rows.
fn rows(query: &Query, envelope: &Envelope, out: Box<dyn Write>) -> Box<dyn Sink> {
    let mut sink = render::sink(query.format, query.layout.clone(), envelope, out);
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

/// Where rows go.
enum Output {
    Rows(Box<dyn Sink>),
    Counts(Box<Summing<'static>>),
}

impl Output {
    fn sink(&mut self) -> &mut dyn Sink {
        match self {
            Self::Rows(sink) => sink.as_mut(),
            Self::Counts(summing) => summing.as_mut(),
        }
    }
}

/// A listing under way.
struct Listing<'q> {
    query: &'q Query,
    enricher: Enricher,
    search: Search,
    output: Output,
    summary: Summary,
    /// Some table can have what the filter wants.
    asked: bool,
}

impl<'q> Listing<'q> {
    fn new(query: &'q Query, envelope: &Envelope, out: Box<dyn Write>) -> Self {
        let output = match query.report {
            Report::Rows => Output::Rows(rows(query, envelope, out)),
            Report::Summary { .. } => Output::Counts(Box::new(Summing::new(
                query.format,
                query.layout.clone(),
                query.limit,
                envelope.clone(),
                out,
            ))),
        };
        Self {
            query,
            enricher: Enricher::new(query.lookups.clone()),
            search: Search::new(&query.layout),
            output,
            summary: Summary::default(),
            asked: false,
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
        self.asked = true;
        let mut seen = Seen::new(&rule, &self.query.input);
        let outcome = source.visit(table, &request, &mut |socket: &Socket| {
            end = self.show(socket, &rule, &mut seen);
            match end {
                Ok(flow) => flow,
                Err(_) => ControlFlow::Break(()),
            }
        });
        let flow = end.map_err(Error::Output)?;
        match outcome {
            Ok(mut outcome) => {
                let gap = seen.gap().map(|gap| format!("{table}: {gap}"));
                outcome.gaps.extend(gap);
                self.note(table, outcome, messages);
            }
            Err(error) => self.missing(table, error, messages)?,
        }
        Ok(flow)
    }

    /// Shows a socket, if the filter wants it.
    fn show(
        &mut self,
        socket: &Socket,
        rule: &Rule,
        seen: &mut Seen,
    ) -> io::Result<ControlFlow<()>> {
        if !self.wants(socket, rule, seen) {
            return Ok(ControlFlow::Continue(()));
        }
        let row = self.query.hidden.from(self.enricher.row(socket));
        let flow = self.output.sink().row(&row)?;
        self.summary.matched += 1;
        Ok(flow)
    }

    /// Asks the filter as early as it can tell, and only then for more; a socket that is wanted is
    /// prepared.
    fn wants(&mut self, socket: &Socket, rule: &Rule, seen: &mut Seen) -> bool {
        let bare = Row::bare(socket);
        let untold = seen.untold(socket);
        let mut held = rule.holds(&bare, Stage::Socket, &mut |_| false);
        let certain = untold.is_empty()
            || rule
                .holds_without(untold, &bare, Stage::Socket, &mut |_| false)
                .is_some();
        if held == Some(false) && certain {
            return false;
        }
        self.enricher.prepare_names(socket);
        if held.is_none() {
            let row = self.enricher.row(socket);
            held = rule.holds(&row, Stage::Names, &mut |_| false);
        }
        if held == Some(false) && certain {
            return false;
        }
        self.enricher.prepare_owners(socket);
        let row = self.enricher.row(socket);
        let shown = self.query.hidden.from(row);
        let mut contains = |text: &str| self.search.contains(&shown, text);
        let told = certain
            || rule
                .holds_without(untold, &row, Stage::Owners, &mut contains)
                .is_some();
        let held = held.or_else(|| rule.holds(&row, Stage::Owners, &mut contains));
        if !told {
            seen.note(socket);
        }
        held == Some(true)
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
        let in_vain = (!self.asked).then(|| IN_VAIN.to_owned());
        for warning in self.enricher.warnings().into_iter().chain(in_vain) {
            messages.warning(&warning);
            self.summary.warnings.push(warning);
        }
        let failed = self.find(messages)?;
        let sink = self.output.sink();
        sink.finish(&self.summary).map_err(Error::Output)?;
        Ok(match (self.summary.complete, failed) {
            (false, _) => Verdict::Trouble,
            (true, true) => Verdict::Failed,
            (true, false) => Verdict::Done,
        })
    }

    /// Looks for what is wrong, where sockets are counted; `true` = the run fails for it.
    fn find(&mut self, messages: &mut Messages<'_>) -> Result<bool, Error> {
        let (Output::Counts(summing), Report::Summary { fail_on }) =
            (&mut self.output, self.query.report)
        else {
            return Ok(false);
        };
        let mut gaps = Vec::new();
        let findings = findings::find(self.query, summing.counts(), &mut gaps)?;
        let grave = findings
            .iter()
            .flatten()
            .filter(|finding| Some(finding.severity) >= fail_on);
        let count = if fail_on.is_some() { grave.count() } else { 0 };
        if let Some(findings) = findings {
            summing.tell(findings);
        }
        for gap in gaps {
            self.gap(format!("findings: {gap}"), messages);
        }
        if let (Some(severity), 1..) = (fail_on, count) {
            let findings = if count == 1 { "finding" } else { "findings" };
            messages.error(&format!(
                "{count} {findings} of severity {severity} or graver"
            ));
        }
        Ok(count > 0)
    }
}
