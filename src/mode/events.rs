//! `-E`: steps through the TCP state machine, as they happen.

mod checked;
mod owners;

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::epoll::{self, EventData, EventFlags};

use super::check::{Outcome, Tally, checked};
use super::signals::{Second, Signals, caught};
use super::{Messages, Stdout, sources};
use crate::enrich::Enricher;
use crate::error::Error;
use crate::exit::Verdict;
use crate::filter::{Decision, Rule};
use crate::model::{
    Event, EventSummary, Network, Row, Socket, Stage, State, StateSet, Table, Warning,
};
use crate::netns::{self, Wanted};
use crate::query::{Input, Watching};
use crate::render::{self, Envelope, EventSink, Grouping, Search};
use crate::source::events::{Destroyed, EventSource, Sampled, Scope, TakesEvents, Traced};
use crate::source::{Namespaces, Recorder};
use crate::track::wait;
use owners::Owners;

/// Shows events until the time is up, enough were shown, or a signal says so.
///
/// # Errors
///
/// When nothing can be watched at all, or the output cannot be written.
pub fn events(
    watching: &Watching,
    envelope: &Envelope,
    out: Box<dyn Write>,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    checked(&watching.query.check, messages, |messages| {
        run(watching, envelope, out, messages)
    })
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
    let (mut source, namespaces) = open(watching)?;
    let sampled = source.sampled();
    let out = if watching.query.check.quiet {
        Box::new(io::sink())
    } else {
        Stdout::of_run(watching.output, out, until)
    };
    let mut watch = Watch::new(watching, envelope, out)?;
    watch.names.enricher.use_namespaces(namespaces);
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
        // Whose the sockets are that are there; of others the source tells.
        watch.names.enricher.look_for_owners();
    }
    // Titles tell that the watch has begun.
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
        // Nobody reads any more, and perhaps there was nothing to write.
        wait(&[], output.as_ref().map(AsFd::as_fd), Some(Instant::now()))?;
        watch.names.enricher.next_batch();
        for gap in source.gaps() {
            watch.note(gap, messages);
        }
        if over.is_some() {
            break;
        }
    }
    watch.finish(source.as_ref(), messages)
}

/// Can be read when a signal has come, or whoever reads the output has left.
fn wake(signals: &Signals, output: Option<&OwnedFd>) -> io::Result<OwnedFd> {
    let wake = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&wake, signals, EventData::new_u64(0), EventFlags::IN)?;
    if let Some(output) = output {
        // A file has no reader: it cannot be added.
        let _ = epoll::add(&wake, output, EventData::new_u64(0), EventFlags::empty());
    }
    Ok(wake)
}

/// Now, if it is time to end.
fn is_over(until: Option<Instant>) -> Option<Instant> {
    let now = Instant::now();
    let is_signalled = caught().is_some();
    (is_signalled || until.is_some_and(|until| until <= now)).then_some(now)
}

/// The best source there is, and the namespaces that it watches.
fn open(watching: &Watching) -> Result<(Box<dyn EventSource>, Namespaces), Error> {
    let (query, watched) = (&watching.query, watching.watched());
    let scope = match &*query.netns {
        [] => Scope::Own,
        wanted if wanted.contains(&Wanted::All) => Scope::All,
        _ => Scope::Known,
    };
    let open = || sources::open(query, &Recorder::default());
    let (source, _) = open()?;
    let mut namespaces = source.namespaces();
    let why = match &query.input {
        Input::Netlink => "--source netlink".to_owned(),
        Input::Procfs(_) => "--source procfs".to_owned(),
        Input::Auto | Input::Files | Input::Bpf | Input::Replay(_) => {
            match Traced::new(&watched, scope, source) {
                Ok(source) => return Ok((Box::new(source), namespaces)),
                Err(error) => error.chain(),
            }
        }
    };
    let destroyed = match query.input {
        Input::Procfs(_) => Destroyed::NotTold,
        _ if scope != Scope::Own => Destroyed::NotTold,
        _ => Destroyed::Told,
    };
    let (source, _) = open()?;
    namespaces = source.namespaces();
    let source = Sampled::new(source, scope, destroyed, watched, why)?;
    Ok((Box::new(source), namespaces))
}

const UNTOLD_TIME_WAIT: &str = "this kernel does not let FIN_WAIT_2 -> TIME_WAIT be recorded of a socket that its program \
                                has closed";

/// Stands before what is missing.
const INCOMPLETE: &str = "incomplete events: ";

struct Watch<'w> {
    watching: &'w Watching,
    rules: Vec<(Table, Rule)>,
    names: Names,
    owners: Option<Owners>,
    search: Search,
    sink: EventSink<'static>,
    summary: EventSummary,
    /// Of which steps the filter holds.
    tally: Tally,
    /// From where to where a step goes that the source does not always tell.
    untold: StateSet,
    /// Why the output cannot be written.
    failure: Option<io::Error>,
}

impl<'w> Watch<'w> {
    fn new(
        watching: &'w Watching,
        envelope: &Envelope,
        out: Box<dyn Write>,
    ) -> Result<Self, Error> {
        let query = &watching.query;
        let layout = watching.layout.clone();
        let tables = query.tables.iter();
        Ok(Self {
            watching,
            rules: tables.map(|table| (*table, query.rule(*table))).collect(),
            names: Names {
                enricher: Enricher::new(query.lookups.clone())?,
                network: netns::here(),
            },
            owners: query.lookups.owners.is_some().then(Owners::default),
            search: Search::new(&query.layout),
            sink: render::event_sink(query.format, watching.grouping, layout, envelope, out),
            summary: EventSummary::default(),
            tally: Tally::default(),
            untold: StateSet::EMPTY,
            failure: None,
        })
    }

    fn show(&mut self, event: &Event) -> io::Result<ControlFlow<()>> {
        let decision = self.wants(event);
        let is_wanted = decision.held() == Some(true);
        self.tally.add(decision);
        let is_of_pair = self.watching.grouping == Grouping::Pair;
        if is_of_pair && !is_wanted {
            self.prepare(event, Stage::Names);
            self.prepare(event, Stage::Owners);
        }
        if is_wanted || is_of_pair {
            let row = self.names.row(self.owners.as_ref(), event, &event.socket);
            let row = self.watching.query.hidden.from(row);
            self.sink.event(event, &row, is_wanted)?;
            self.summary.matched += u64::from(!is_of_pair);
        }
        if event.socket.state == State::Closed {
            self.forget(event.connection);
            // The filter need not hold for the last step.
            self.sink.over(event.connection);
        }
        Ok(self.is_full())
    }

    /// Nothing more is told of a connection.
    fn end(&mut self, connection: u64) {
        self.forget(connection);
        self.sink.over(connection);
    }

    fn forget(&mut self, connection: u64) {
        if let Some(owners) = &mut self.owners {
            owners.forget(connection);
        }
    }

    /// Does the filter hold for the socket as it was before the step, or as it is now? A socket that
    /// is wanted is prepared.
    fn wants(&mut self, event: &Event) -> Decision {
        let table = event.socket.table();
        let Some(place) = self.rules.iter().position(|(of, _)| *of == table) else {
            return Decision::No;
        };
        let before = event.old_state.map(|state| Socket {
            state,
            ..event.socket.clone()
        });
        let mut decision = Decision::No;
        // Sockets without an inode have an owner, too, where the source tells it.
        let is_told = self.owners.is_some() && event.owner.is_some();
        for stage in [Stage::Socket, Stage::Names, Stage::Owners] {
            self.prepare(event, stage);
            if is_told && stage != Stage::Owners {
                continue;
            }
            let sockets = [Some(&event.socket), before.as_ref()].into_iter().flatten();
            let decisions = sockets.map(|socket| self.decide(place, event, socket, stage));
            decision = decisions.fold(Decision::No, Decision::or);
            if decision.held() == Some(false) {
                break;
            }
        }
        decision
    }

    fn prepare(&mut self, event: &Event, stage: Stage) {
        match stage {
            Stage::Socket => {}
            Stage::Names => self.names.enricher.prepare_names(&event.socket),
            Stage::Owners => {
                if let Some(owners) = &mut self.owners {
                    owners.prepare(event, &mut self.names.enricher);
                }
            }
        }
    }

    fn decide(&mut self, place: usize, event: &Event, socket: &Socket, stage: Stage) -> Decision {
        let row = match stage {
            Stage::Socket => Row::bare(socket),
            Stage::Names => self.names.row(None, event, socket),
            Stage::Owners => self.names.row(self.owners.as_ref(), event, socket),
        };
        let shown = self.watching.query.hidden.from(row);
        let search = &mut self.search;
        let mut contains = |text: &str| search.contains(&shown, text);
        let Some((_, rule)) = self.rules.get(place) else {
            return Decision::No;
        };
        rule.decide(&Row { stage, ..row }, &mut contains)
    }

    /// What was written is to be seen now.
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
            let text = format!("the kernel gave no record of {lost} steps");
            self.note(Warning::failed(text).varying("no record"), messages);
        }
        let answer = self.answer();
        let is_said = self.wants_only_time_wait();
        if answer == Some(Outcome::Unknown) && self.may_miss_time_wait() && !is_said {
            self.note(Warning::note(UNTOLD_TIME_WAIT), messages);
        }
        let is_too_little = messages.note_owners(
            INCOMPLETE,
            self.names.enricher.warnings(),
            self.watching.query.check.strict,
            &mut self.summary.diagnostics,
        );
        self.sink.finish(&self.summary).map_err(Error::Output)?;
        Ok(self.verdict(answer, is_too_little, messages))
    }
}

impl TakesEvents for Watch<'_> {
    fn take(&mut self, event: &Event) -> ControlFlow<()> {
        let mut event = Cow::Borrowed(event);
        let held = self.owners.as_ref().and_then(|owners| owners.inode(&event));
        if event.socket.inode.is_none() && held.is_some() {
            event.to_mut().socket.inode = held;
        }
        if let Some(inode) = event.socket.netns {
            self.names.enricher.meet_namespace(inode);
        }
        match self.show(&event) {
            Ok(flow) => flow,
            Err(error) => {
                self.failure.get_or_insert(error);
                ControlFlow::Break(())
            }
        }
    }

    fn use_namespaces(&mut self, namespaces: Namespaces) {
        self.names.enricher.use_namespaces(namespaces);
    }
}

/// What is looked up for events, but for their processes.
struct Names {
    enricher: Enricher,
    /// The own namespace, which sockets of no other are of.
    network: Option<Network>,
}

impl Names {
    /// The socket with the names that were looked up for an event of it.
    fn row<'s>(&'s self, owners: Option<&'s Owners>, event: &Event, socket: &'s Socket) -> Row<'s> {
        let mut row = self.enricher.row(socket);
        if let (Some(network), None) = (&self.network, socket.netns) {
            row.netns = Some(&network.name);
            row.netns_inode = Some(network.inode);
        }
        owners.map_or(row, |owners| owners.tell(event, row))
    }
}
