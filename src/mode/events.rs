//! `-E`: events, TCP state changes as they happen.

mod checked;

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::epoll::{self, EventData, EventFlags};

use super::check::{Outcome, Tally, checked};
use super::signals::{Second, Signals, caught};
use super::{Messages, Replaced, Stdout, sources};
use crate::error::Error;
use crate::exit::Verdict;
use crate::model::{Event, EventSummary, State, StateSet, Warning};
use crate::query::Watching;
use crate::reading::{Steps, open_events};
use crate::render::{self, Envelope, EventSink, Grouping};
use crate::source::Namespaces;
use crate::source::events::{EventSource, TakesEvents};
use crate::track::wait;

/// Shows events until the time is up, enough were shown, or a signal arrives.
///
/// # Errors
///
/// If nothing can be watched, or the output cannot be written.
pub fn events(
    watching: &Watching,
    envelope: &Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let (replaced, out) = Replaced::of(watching.query.output.as_deref(), out)?;
    let verdict = checked(&watching.query.check, messages, |messages| {
        run(watching, envelope, out, messages)
    })?;
    replaced.map_or(Ok(()), Replaced::finish)?;
    Ok(verdict)
}

fn run(
    watching: &Watching,
    envelope: &Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let signals = Signals::catch(Second::Ends).map_err(Error::Watch)?;
    let until = watching
        .duration
        .and_then(|d| Instant::now().checked_add(d));
    let asked = sources::asked(&watching.query);
    let (mut source, namespaces) = open_events(&asked, watching.watched())?;
    let sampled = source.sampled();
    let out = if watching.query.check.quiet {
        Box::new(io::sink())
    } else {
        Stdout::of_run(watching.output, out, until)
    };
    let mut watch = Watch::new(watching, namespaces, envelope, out)?;
    watch.untold = source.untold();
    if let Some(why) = &sampled {
        let text = format!(
            "{why}: falling back to polling (sampled): \
             events are delayed and short-lived sockets are missed"
        );
        watch.note(Warning::note(text), messages);
    }
    if watch.wants_only_time_wait() {
        watch.note(Warning::note(UNTOLD_TIME_WAIT), messages);
    }
    if sampled.is_none() {
        // Processes of existing sockets; the source reports those of new ones.
        watch.steps.enricher().look_for_owners();
    }
    // The header shows that watching has begun.
    watch.end_batch()?;
    let output = watching.output.filter(|_| !watching.query.check.quiet);
    let output = output.and_then(|open| open().ok());
    let wake = wake(&signals, output.as_ref()).map_err(Error::Watch)?;
    let mut flow = watch.is_full();
    while flow.is_continue() {
        let over = is_over(until);
        flow = source.wait(wake.as_fd(), over.or(until), &mut watch)?;
        for connection in source.take_ended() {
            watch.end(connection);
        }
        watch.end_batch()?;
        if flow.is_continue() {
            flow = watch.is_full();
        }
        // Ends if the reader has closed the pipe, even without anything to write.
        wait(&[], output.as_ref().map(AsFd::as_fd), Some(Instant::now()))?;
        watch.steps.enricher().next_batch();
        for gap in source.gaps() {
            watch.note(gap, messages);
        }
        if over.is_some() {
            break;
        }
    }
    watch.finish(source.as_ref(), messages)
}

/// Becomes readable on a signal, or when the reader of the output closes it.
fn wake(signals: &Signals, output: Option<&OwnedFd>) -> io::Result<OwnedFd> {
    let wake = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&wake, signals, EventData::new_u64(0), EventFlags::IN)?;
    if let Some(output) = output {
        // Regular files have no reader and cannot be added.
        let _ = epoll::add(&wake, output, EventData::new_u64(0), EventFlags::empty());
    }
    Ok(wake)
}

/// Returns now if it is time to end.
fn is_over(until: Option<Instant>) -> Option<Instant> {
    let now = Instant::now();
    let is_signalled = caught().is_some();
    (is_signalled || until.is_some_and(|until| until <= now)).then_some(now)
}

const UNTOLD_TIME_WAIT: &str = "this kernel cannot record FIN_WAIT_2 -> TIME_WAIT of sockets that their programs \
                                have closed";

/// Precedes what is missing.
const INCOMPLETE: &str = "incomplete events: ";

struct Watch<'w> {
    watching: &'w Watching,
    steps: Steps,
    sink: EventSink<'static>,
    summary: EventSummary,
    /// Events for which the filter holds.
    tally: Tally,
    /// The states between which the source may miss changes.
    untold: StateSet,
    /// Why the output cannot be written.
    failure: Option<io::Error>,
}

impl<'w> Watch<'w> {
    fn new(
        watching: &'w Watching,
        namespaces: Namespaces,
        envelope: &Envelope,
        out: Box<dyn Write>,
    ) -> Result<Self, Error> {
        let query = &watching.query;
        let layout = watching.layout.clone();
        let tables = query.tables.iter();
        Ok(Self {
            watching,
            steps: Steps::new(
                tables.map(|table| (*table, query.rule(*table))).collect(),
                query.lookups.clone(),
                sources::search(query),
                query.hidden,
                namespaces,
            )?,
            sink: render::event_sink(query.format, watching.grouping, layout, envelope, out),
            summary: EventSummary::default(),
            tally: Tally::default(),
            untold: StateSet::EMPTY,
            failure: None,
        })
    }

    fn show(&mut self, event: &Event) -> io::Result<ControlFlow<()>> {
        let decision = self.steps.wants(event);
        let is_wanted = decision.held() == Some(true);
        self.tally.add(decision);
        let is_of_pair = self.watching.grouping == Grouping::Pair;
        if is_of_pair && !is_wanted {
            self.steps.prepare_all(event);
        }
        if is_wanted || is_of_pair {
            self.sink.event(event, &self.steps.row(event), is_wanted)?;
            self.summary.matched += u64::from(!is_of_pair);
        }
        self.steps.told(event);
        if event.socket.state == State::Closed {
            // The filter need not hold for the last event.
            self.sink.over(event.connection);
        }
        Ok(self.is_full())
    }

    /// Forgets a connection.
    fn end(&mut self, connection: u64) {
        self.steps.forget(connection);
        self.sink.over(connection);
    }

    /// Flushes the output.
    fn end_batch(&mut self) -> Result<(), Error> {
        if let Some(failure) = self.failure.take() {
            return Err(Error::Output(failure));
        }
        self.sink.flush().map_err(Error::Output)?;
        self.summary.matched = self.sink.written_pairs().unwrap_or(self.summary.matched);
        Ok(())
    }

    fn note(&mut self, warning: Warning, messages: &mut Messages<'_>) {
        messages.note(INCOMPLETE, warning, &mut self.summary.diagnostics);
    }

    fn finish(
        mut self,
        source: &dyn EventSource,
        messages: &mut Messages<'_>,
    ) -> Result<Verdict, Error> {
        self.summary.sampled = source.sampled().is_some();
        self.summary.lost = source.lost();
        let pairs = self.sink.write_pairs().map_err(Error::Output)?;
        self.summary.matched = pairs.unwrap_or(self.summary.matched);
        if self.summary.lost > 0 {
            let lost = self.summary.lost;
            let text = format!("the kernel did not report {lost} state changes");
            self.note(Warning::failed(text).varying("no record"), messages);
        }
        let answer = self.answer();
        let is_said = self.wants_only_time_wait();
        if answer == Some(Outcome::Unknown) && self.may_miss_time_wait() && !is_said {
            self.note(Warning::note(UNTOLD_TIME_WAIT), messages);
        }
        let is_too_little = messages.note_owners(
            INCOMPLETE,
            self.steps.warnings(),
            self.watching.query.check.strict,
            &mut self.summary.diagnostics,
        );
        self.sink.finish(&self.summary).map_err(Error::Output)?;
        Ok(self.verdict(answer, is_too_little, messages))
    }
}

impl TakesEvents for Watch<'_> {
    fn take(&mut self, event: &Event) -> ControlFlow<()> {
        let event = self.steps.meet(event);
        match self.show(&event) {
            Ok(flow) => flow,
            Err(error) => {
                self.failure.get_or_insert(error);
                ControlFlow::Break(())
            }
        }
    }

    fn use_namespaces(&mut self, namespaces: Namespaces) {
        self.steps.enricher().use_namespaces(namespaces);
    }
}
