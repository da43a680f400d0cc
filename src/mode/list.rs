//! Listings, and summaries of the same sockets.

mod output;
mod reading;

use std::borrow::Cow;
use std::io::{self, Write};
use std::mem;

pub(super) use output::{Output, buffer};

use super::Messages;
use super::check::{Counted, Outcome, Tally, conclude};
use super::findings::{self, Kept};
use super::no_table::Unlisted;
use super::sources::Open;
use super::tracked::TrackedTable;
use crate::enrich::ScanScope;
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::sources::{matching, telling_owners};
use crate::model::{
    Findings, Limits, OwnedRow, Protocol, Severity, Source as Kind, Summary, Warning,
};
use crate::query::{Count, Query, Report};
use crate::reading::Matcher;
use crate::reading::RecordedNames;
use crate::render::{Envelope, Format};
use crate::source::{Recorder, Source};
use crate::text::counted;

pub(super) fn run(
    query: &Query,
    open: Open<'_>,
    envelope: fn(&Query) -> Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let recorder = match &query.record {
        Some(path) => Recorder::create(path)?,
        None => Recorder::default(),
    };
    let (mut source, tables) = open(query, &recorder)?;
    // Only now the contents of a recording are known.
    let query = match source.namespaces().len() {
        0 | 1 => Cow::Borrowed(query),
        _ => Cow::Owned(query.showing_namespaces()),
    };
    let query = query.as_ref();
    let limits = source.limits();
    let mut matcher = matching(query, source.as_mut())?;
    let output = Output::of(query, open, &envelope(query), out);
    let unlisted = Unlisted::of(query, &mut matcher.enricher);
    let mut listing = Listing::new(query, &mut matcher, output);
    listing.unlisted = unlisted;
    if recorder.is_on() {
        listing.recorded = Some(RecordedNames::new(
            query.input.is_live(),
            query.lookups.interfaces,
            source.namespaces(),
        )?);
    }
    listing.note_search(source.as_mut(), messages);
    listing.read_all(&tables, source.as_mut(), messages)?;
    if let Some(recorded) = listing.recorded.take() {
        recorded.record(&recorder);
    }
    listing.count_in_no_table(limits.as_ref(), messages);
    let verdict = listing.finish(messages)?;
    recorder.finish()?;
    Ok(verdict)
}

/// Precedes what is missing.
pub(super) const INCOMPLETE: &str = "incomplete list: ";
const NOTHING_LISTED: &str = "the filter excludes everything that the options list";

pub(super) struct Listing<'l> {
    query: &'l Query,
    matcher: &'l mut Matcher,
    output: Output<'l>,
    /// Rows shown from the current table.
    shown: u64,
    /// True if no further row is to be shown; they may still be counted.
    is_full: bool,
    pub(super) tally: Tally,
    pub(super) summary: Summary,
    /// True if some table can contain what the filter selects.
    pub(super) asked: bool,
    /// Sockets that processes hold and tables lack, if counted.
    unlisted: Option<Unlisted>,
    /// Sockets for findings.
    kept: Kept,
    /// The names to record, if recording.
    recorded: Option<RecordedNames>,
}

impl<'l> Listing<'l> {
    pub(super) fn new(query: &'l Query, matcher: &'l mut Matcher, output: Output<'l>) -> Self {
        let is_searched = matches!(output, Output::Counts(..)) && query.input.is_live();
        Self {
            query,
            matcher,
            output,
            kept: if is_searched {
                Kept::new()
            } else {
                Kept::default()
            },
            shown: 0,
            is_full: false,
            tally: Tally::default(),
            summary: Summary::default(),
            asked: false,
            unlisted: None,
            recorded: None,
        }
    }

    /// Counts what the named processes hold and no table lists, if the tables were listed completely.
    fn count_in_no_table(&mut self, limits: &dyn Limits, messages: &mut Messages<'_>) {
        let is_whole = self.is_complete() && !self.is_full;
        let Some(unlisted) = self.unlisted.take().filter(|_| is_whole) else {
            return;
        };
        let is_counted = unlisted.is_of_tables;
        let (count, lost) = unlisted.count(&self.summary.sources, limits);
        self.summary.in_no_table = is_counted.then_some(count);
        for warning in lost {
            messages.note(INCOMPLETE, warning, &mut self.summary.diagnostics);
        }
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.summary.diagnostics.is_complete()
    }

    /// True if a pending wait has shown rows.
    pub(super) const fn has_shown(&self) -> bool {
        matches!(&self.output, Output::Pending(pending) if pending.is_open())
    }

    /// Searches again for the namespaces of a source.
    pub(super) fn begin_round(&mut self, source: &mut dyn Source, messages: &mut Messages<'_>) {
        source.next_round();
        self.matcher.learn(source);
        self.note_search(source, messages);
    }

    /// Reports namespaces that could not be found.
    pub(super) fn note_search(&mut self, source: &mut dyn Source, messages: &mut Messages<'_>) {
        self.summary.is_unsearched = !source.is_searched();
        for warning in source.take_warnings() {
            let noted = &mut self.summary.diagnostics;
            match warning {
                // Most likely it has sockets.
                Warning::Unreached(_) => messages.note_gap(INCOMPLETE, warning, noted),
                // It may have sockets.
                Warning::NotThere(_) | Warning::Unsearched(_) if self.query.check.is_asked() => {
                    messages.note_gap(INCOMPLETE, warning, noted);
                }
                _ => messages.note(INCOMPLETE, warning, noted),
            }
        }
    }

    /// Sends rows to a tracked table from now on.
    pub(super) fn track(&mut self, tracked: &'l mut TrackedTable) {
        self.output = Output::Tracked(tracked);
    }

    pub(super) fn tracked(&mut self) -> Option<&mut TrackedTable> {
        match &mut self.output {
            Output::Tracked(tracked) => Some(tracked),
            _ => None,
        }
    }

    /// Ends a listing whose rows went elsewhere; returns its summary.
    pub(super) fn close(mut self, messages: &mut Messages<'_>) -> Summary {
        self.warn(messages);
        self.summary.matched = self.tally.found;
        self.summary
    }

    /// True if a table was read from `/proc/net` completely, which netlink would have narrowed.
    pub(super) fn is_from_files(&self) -> bool {
        let mut sources = self.summary.sources.iter();
        sources.any(|origin| {
            origin.source == Some(Kind::Procfs) && origin.table.protocol != Protocol::Icmp
        })
    }

    /// True if the check of this list cannot be answered, however many sockets follow.
    pub(super) fn is_hopeless(&self, expected: Count) -> bool {
        let is_unlimited = expected.most.is_none() && self.is_complete();
        let warnings = &self.summary.diagnostics.warnings;
        let may_come = warnings
            .iter()
            .any(|one| matches!(one, Warning::NotThere(_)));
        !(is_unlimited || may_come || self.summary.is_certain())
    }

    pub(super) fn outcome(&self, expected: Count) -> Outcome {
        self.tally.outcome(expected, self.summary.is_certain())
    }

    /// Reports missing names, and a filter that excludes everything listed. `true` = owners are missing, with
    /// `--strict`.
    pub(super) fn warn(&mut self, messages: &mut Messages<'_>) -> bool {
        let (noted, is_strict) = (&mut self.summary.diagnostics, self.query.check.strict);
        let of_owners = self.matcher.enricher.warnings();
        let is_too_little = messages.note_owners(INCOMPLETE, of_owners, is_strict, noted);
        if self.query.is_ended && self.tally.doubtful > 0 {
            let count = counted(self.tally.doubtful, "socket");
            let text = format!("cannot decide whether the filter matches {count}");
            messages.note_gap(INCOMPLETE, Warning::failed(text), noted);
        }
        let is_of_ss = matches!(self.query.format, Format::Ss(_));
        if !self.asked && !is_of_ss {
            // The list is empty, but hardly intended.
            messages.note(INCOMPLETE, Warning::note(NOTHING_LISTED), noted);
        }
        is_too_little
    }

    /// Writes pending output, and returns the verdict.
    pub(super) fn finish(self, messages: &mut Messages<'_>) -> Result<Verdict, Error> {
        self.end(messages).map(|(verdict, _)| verdict)
    }

    /// Likewise, with the summary.
    pub(super) fn end(mut self, messages: &mut Messages<'_>) -> Result<(Verdict, Summary), Error> {
        // Determined before missing owners count: they do not affect this check.
        let expected = self.query.check.expected;
        let outcome = expected.map(|expected| self.outcome(expected));
        let shown = self.show_pending();
        self.written(shown)?;
        let is_too_little = self.warn(messages);
        self.summary.matched = self.tally.found;
        let found = self.find(messages)?;
        let ended = match self.output.sink() {
            Some(sink) => sink.finish(&self.summary),
            None => Ok(()),
        };
        self.written(ended)?;
        // A list must be complete; if it is not shown, the check decides.
        let is_shown = !matches!(self.output, Output::Nothing);
        let is_trouble = is_too_little || (is_shown && !self.is_complete());
        let came_to = (outcome, self.tally);
        let counted = Counted::Sockets;
        let verdict = conclude(self.query, counted, came_to, is_trouble, messages);
        Ok((verdict.max(found), self.summary))
    }

    /// Pending rows are looked up only when shown.
    fn show_pending(&mut self) -> io::Result<()> {
        match &mut self.output {
            Output::Pending(pending) => pending.show(self.matcher).map(|_| ()),
            _ => Ok(()),
        }
    }

    fn written(&self, result: io::Result<()>) -> Result<(), Error> {
        match result {
            Err(cause) if !self.may_ignore(&cause) => Err(Error::Output(cause)),
            _ => Ok(()),
        }
    }

    /// True if the reader has closed the pipe, but the exit status is still needed.
    fn may_ignore(&self, cause: &io::Error) -> bool {
        cause.kind() == io::ErrorKind::BrokenPipe && self.query.check.expected.is_some()
    }

    /// Searches for findings, if sockets are counted. Returns the resulting verdict.
    fn find(&mut self, messages: &mut Messages<'_>) -> Result<Verdict, Error> {
        let (Output::Counts(summing, open), Report::Summary { fail_on }) =
            (&mut self.output, self.query.report)
        else {
            return Ok(Verdict::Done);
        };
        let mut all = mem::take(&mut self.kept);
        if !self.summary.diagnostics.is_complete() {
            // Nothing may be missing.
            all = Kept::default();
        }
        let mut findings = None;
        for (netns, counts) in summing.settle(&self.summary) {
            let mut gaps = Vec::new();
            let known = netns.as_ref();
            let namespace = known.and_then(|name| self.matcher.enricher.namespace(name));
            let kept = all.take(namespace.as_ref().map(|namespace| namespace.inode));
            let query = self.query.within(namespace);
            let found = findings::find(&query, *open, (counts, kept), &mut gaps)?;
            for gap in gaps {
                let gap = Warning::Within("findings".into(), Box::new(gap)).within(known);
                messages.note(INCOMPLETE, gap, &mut self.summary.diagnostics);
            }
            match (found, netns) {
                (Some(found), Some(netns)) => {
                    findings
                        .get_or_insert_with(Findings::default)
                        .absorb(&netns, found);
                }
                (Some(found), None) => findings = Some(found),
                (None, _) => {}
            }
        }
        let Some(mut findings) = findings else {
            return Ok(Verdict::Done);
        };
        findings.sort();
        if let Format::Metrics(_) = self.query.format {
            let mut source = open(self.query, &Recorder::default())?.0;
            let mut matcher = telling_owners(self.query, ScanScope::All, source.as_mut())?;
            summing.name_holders(|socket| OwnedRow::keep(&matcher.row_of(socket)));
            summing.name_containers(|netns| matcher.enricher.container_of(netns));
        }
        let is_grave = |severity: Severity| fail_on.is_some_and(|least| severity >= least);
        let grave = findings.found.iter().map(|finding| finding.severity);
        let count = grave.filter(|severity| is_grave(*severity)).count();
        let mut possible = findings.not_checked.iter();
        let may_be_grave = possible.any(|finding| is_grave(finding.severity));
        let not_checked = findings.not_checked();
        summing.tell(findings);
        Ok(match (fail_on, not_checked) {
            (Some(severity), _) if count > 0 => {
                let (grave, severity) = (counted(count, "finding"), severity.name());
                let text = format!("{grave} of severity {severity} or higher");
                messages.trouble("", &Warning::failed(text).varying(severity));
                Verdict::Failed
            }
            (Some(_), Some(text)) if may_be_grave => {
                messages.error(&format!("undecided: {text}"));
                Verdict::Trouble
            }
            _ => Verdict::Done,
        })
    }
}
