//! A fake source with scripted sockets and failures, and a fake clock.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::Messages;
use super::check::checked;
use super::list::{self, buffer};
use super::netstat;
use super::pending_rows::PendingRows;
use super::signals::Clock;
use super::sources::Opened;
use super::wait::Wait;
use super::watch::{Pace, Rounds};
use crate::error::Error;
use crate::exit::Verdict;
use crate::model::{Cause, Limits, Socket, Source as Kind, StateSet, Table, Warning};
use crate::query::netstat::Netstat;
use crate::query::{Count, Query};
use crate::render::{Envelope, Repetition};
use crate::source::{Outcome, Recorder, Request, Source, Visitor};

/// What happens to a table.
#[derive(Clone)]
enum Event {
    /// It cannot be read.
    Failure(Rc<dyn Fn() -> Error>),
    /// No source has it, for this reason.
    Absence(Cause),
    /// A warning.
    Warning(Warning),
    /// This source lists it, except these states.
    Unlisted(Kind, StateSet),
    /// Data is lost after this many sockets: they are lent again if the visitor can rewind.
    Disturbance(usize),
}

/// What exists at one time.
#[derive(Clone, Default)]
pub(crate) struct Look {
    sockets: Vec<Socket>,
    events: Vec<(Table, Event)>,
    kernel: FakeKernel,
}

/// Texts of files below `/proc`, and data about descriptors.
#[derive(Clone, Default)]
pub(crate) struct FakeKernel {
    pub(crate) files: BTreeMap<String, String>,
    pub(crate) descriptors: BTreeMap<u32, u64>,
    /// The protocol of each socket, by inode.
    pub(crate) protocols: BTreeMap<u64, String>,
    /// The other network namespaces of sockets, by inode.
    pub(crate) elsewhere: BTreeMap<u64, u64>,
}

impl Limits for FakeKernel {
    fn text(&self, file: &str) -> Option<String> {
        self.files.get(file).cloned()
    }

    fn descriptors(&self, pid: u32) -> Option<u64> {
        self.descriptors.get(&pid).copied()
    }

    fn protocol_of(&self, _: u32, _: u32, inode: u64) -> Option<String> {
        self.protocols.get(&inode).cloned()
    }

    fn is_elsewhere(&self, _: u32) -> bool {
        false
    }

    fn listed_elsewhere(&self, inode: u64) -> Option<u64> {
        self.elsewhere.get(&inode).copied()
    }
}

/// A state with these sockets, of any table.
pub(crate) fn look(sockets: impl Into<Vec<Socket>>) -> Look {
    Look {
        sockets: sockets.into(),
        ..Look::default()
    }
}

impl Look {
    pub(crate) fn fails(self, table: Table, error: impl Fn() -> Error + 'static) -> Self {
        self.with(table, Event::Failure(Rc::new(error)))
    }

    pub(crate) fn lacks(self, table: Table, cause: Cause) -> Self {
        self.with(table, Event::Absence(cause))
    }

    pub(crate) fn warns(self, table: Table, warning: Warning) -> Self {
        self.with(table, Event::Warning(warning))
    }

    pub(crate) fn disturbed(self, table: Table, behind: usize) -> Self {
        self.with(table, Event::Disturbance(behind))
    }

    pub(crate) fn of_kernel(mut self, kernel: FakeKernel) -> Self {
        self.kernel = kernel;
        self
    }

    pub(crate) fn unlisted(self, table: Table, source: Kind, states: StateSet) -> Self {
        self.with(table, Event::Unlisted(source, states))
    }

    fn with(mut self, table: Table, event: Event) -> Self {
        self.events.push((table, event));
        self
    }
}

/// Lists one state after the other and repeats the last. A state ends when one of its tables is read again.
#[derive(Clone)]
pub(super) struct FakeSource(Rc<RefCell<Script>>);

struct Script {
    looks: Vec<Look>,
    current: usize,
    asked: Vec<Table>,
    visits: usize,
}

impl FakeSource {
    pub(super) fn new(looks: Vec<Look>) -> Self {
        Self(Rc::new(RefCell::new(Script {
            looks,
            current: 0,
            asked: Vec::new(),
            visits: 0,
        })))
    }

    /// Opens it for the tables of the query. Reopening continues where it was.
    pub(super) fn opening(&self) -> impl Fn(&Query, &Recorder) -> Opened + use<> {
        let source = self.clone();
        move |query, _| Ok((Box::new(source.clone()), query.tables.clone()))
    }

    /// How often a table was read.
    pub(super) fn visits(&self) -> usize {
        self.0.borrow().visits
    }

    fn look_at(&self, table: Table) -> Look {
        let mut script = self.0.borrow_mut();
        if script.asked.contains(&table) {
            script.asked.clear();
            script.current = (script.current + 1).min(script.looks.len() - 1);
        }
        script.asked.push(table);
        script.visits += 1;
        script.looks[script.current].clone()
    }
}

impl Source for FakeSource {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        let look = self.look_at(table);
        let mut outcome = Outcome::complete(Kind::Netlink);
        let mut disturbed = None;
        for (_, event) in look.events.into_iter().filter(|(of, _)| *of == table) {
            match event {
                Event::Failure(error) => return Err(error()),
                Event::Absence(cause) => return Ok(Outcome::absent(cause)),
                Event::Warning(warning) => outcome.warnings.push(warning),
                Event::Unlisted(source, states) => {
                    outcome.source = Some(source);
                    // A recording of another program does not say which states it has.
                    outcome.is_scope_unknown = source == Kind::Replay;
                    outcome.unlisted = states.intersection(request.states);
                }
                Event::Disturbance(behind) => disturbed = Some(behind),
            }
        }
        let own =
            |socket: &&Socket| (socket.protocol, socket.family) == (table.protocol, table.family);
        let sockets: Vec<&Socket> = look.sockets.iter().filter(own).collect();
        if let Some(behind) = disturbed {
            if lend(&sockets[..behind], visitor).is_break() {
                return Ok(outcome);
            }
            if !visitor.rewind() {
                let lost =
                    Warning::failed(format!("{table}: the receive buffer overran (ENOBUFS)"));
                outcome.warnings.push(lost);
                return Ok(outcome);
            }
        }
        let _ = lend(&sockets, visitor);
        Ok(outcome)
    }

    fn limits(&self) -> Box<dyn Limits> {
        let script = self.0.borrow();
        Box::new(script.looks[script.current].kernel.clone())
    }
}

fn lend(sockets: &[&Socket], visitor: &mut dyn Visitor) -> ControlFlow<()> {
    sockets.iter().try_for_each(|socket| visitor.take(socket))
}

fn envelope(_: &Query) -> Envelope {
    Envelope {
        host: "frodo".to_owned(),
        time: "2026-01-02T03:04:05Z".to_owned(),
        repetition: Repetition::Single,
        stamp: None,
    }
}

/// An output that can be inspected later; its reader may have closed it.
#[derive(Clone, Default)]
pub(crate) struct Page {
    pub(crate) text: Rc<RefCell<Vec<u8>>>,
    pub(crate) is_closed: bool,
}

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.text.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) verdict: Result<Verdict, Error>,
    pub(crate) out: String,
    pub(crate) messages: String,
}

impl Run {
    /// The exit status and the messages.
    pub(crate) fn told(&self) -> (u8, &str) {
        (self.verdict.as_ref().unwrap().status(), &self.messages)
    }

    pub(crate) fn status(&self) -> u8 {
        self.told().0
    }

    pub(crate) fn lines(&self) -> usize {
        self.out.lines().count()
    }
}

/// Runs a function with an output and messages.
fn running(
    query: &Query,
    page: &Page,
    run: impl FnOnce(Box<dyn io::Write>, &mut Messages<'_>) -> Result<Verdict, Error>,
) -> Run {
    let mut said = Vec::new();
    let mut messages = Messages::new("lsock", &mut said);
    let verdict = checked(&query.check, &mut messages, |messages| {
        run(Box::new(page.clone()), messages)
    });
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Run {
        verdict,
        out: text(&page.text.borrow()),
        messages: text(&said),
    }
}

/// Opens a source with these states.
fn opening(looks: &[Look]) -> impl Fn(&Query, &Recorder) -> Opened {
    FakeSource::new(looks.to_vec()).opening()
}

/// Time that only passes during sleeps.
pub(crate) struct FakeClock {
    now: Cell<Instant>,
    /// Number of sleeps.
    pub(crate) sleeps: Cell<usize>,
    /// A signal that arrives in the sleep of this number.
    signal: Option<(usize, u8)>,
}

impl FakeClock {
    pub(crate) fn new(signal: Option<(usize, u8)>) -> Self {
        Self {
            now: Cell::new(Instant::now()),
            sleeps: Cell::new(0),
            signal,
        }
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Instant {
        self.now.get()
    }

    fn sleep(
        &self,
        until: Option<Instant>,
        _: Option<BorrowedFd<'_>>,
    ) -> Result<Option<u8>, Error> {
        self.sleeps.set(self.sleeps.get() + 1);
        self.now.set(self.now.get().max(until.unwrap()));
        let signal = self.signal.filter(|(sleep, _)| *sleep == self.sleeps.get());
        Ok(signal.map(|(_, signal)| signal))
    }
}

/// Lists one state.
pub(crate) fn list_once(page: &Page, query: &Query, look: Look) -> Run {
    list_over(page, query, &[look])
}

/// Lists the first state; later walks see the following ones.
pub(crate) fn list_over(page: &Page, query: &Query, looks: &[Look]) -> Run {
    running(query, page, |out, messages| {
        list::run(query, &opening(looks), envelope, out, messages)
    })
}

/// Lists as `netstat` does.
pub(crate) fn netstat_once(netstat: &Netstat, look: Look) -> Run {
    running(&netstat.query, &Page::default(), |out, messages| {
        netstat::run(
            netstat,
            &opening(&[look]),
            &envelope(&Query::default()),
            out,
            messages,
        )
    })
}

/// Lists in a later round.
pub(crate) fn list_again(
    query: &Query,
    look: Look,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    messages.next_round();
    let out = Box::new(Page::default());
    list::run(query, &opening(&[look]), envelope, out, messages)
}

/// Messages over several rounds.
pub(crate) fn repeating(said: &mut Vec<u8>) -> Messages<'_> {
    let mut messages = Messages::new("lsock", said);
    messages.repeat();
    messages
}

/// Waits by this clock, over these states, with the last one repeated. Returns the time it took.
pub(crate) fn wait_by(clock: &FakeClock, query: &Query, looks: &[Look]) -> (Run, Duration) {
    let page = Page::default();
    let time = query.check.wait.unwrap();
    let begun = clock.now();
    let run = running(query, &page, |out, messages| {
        let mut wait = Wait::new(query, time, &opening(looks), begun)?;
        let expected = query.check.expected.unwrap_or(Count::SOME);
        let shown = query.clone();
        let opening = move || buffer(&shown, &envelope(&shown), out);
        let mut pending = PendingRows::new(expected, Box::new(opening));
        wait.run(clock, &mut pending, messages)
    });
    (run, clock.now() - begun)
}

/// Watches these states, with the last one repeated, until the clock delivers a signal.
pub(crate) fn watch_by(clock: &FakeClock, query: &Query, looks: &[Look]) -> Run {
    running(query, &Page::default(), |out, messages| {
        messages.repeat();
        let rounds = Rounds {
            pace: Pace::new(Duration::from_secs(1), clock.now()),
            clock,
            output: None,
        };
        rounds.changes(
            query.clone(),
            &opening(looks),
            &envelope(query),
            out,
            messages,
        )
    })
}
