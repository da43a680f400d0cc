//! The view on a terminal: draws, answers keys, and asks for rounds when it is time to. These run on a thread
//! of their own: keys are answered meanwhile.

use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Viewing;
use super::event::{self, Console, Event, EventSender, Events, OpenConsole, Round};
use super::looker::Looker;
use super::rounds::Pace;
use super::session::Session;
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::signals::{Second, Signals, caught};
use crate::mode::{Messages, sources};
use crate::query::Query;
use crate::track::wait;

/// Shows a query until a key or a signal ends it. Messages are written when the terminal is given back.
pub(super) fn view(
    query: Query,
    every: Duration,
    viewing: Viewing,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let signals = Signals::catch(Second::Asks).map_err(Error::Watch)?;
    let (sender, events) = event::channel().map_err(Error::Watch)?;
    let (asked, questions) = mpsc::channel();
    let open = viewing.open;
    let (session, answers) = (Session::new(&query, every, viewing, asked), sender.clone());
    let looking = move || {
        if let Err(error) = look(query, &questions, &answers) {
            answers.send(Event::Round(Err(error)));
        }
    };
    let mut interaction = Interaction {
        pace: Pace::new(every, Instant::now()),
        open,
        console: None,
        verdict: Verdict::Done,
        messages: Vec::new(),
        session,
        sender,
    };
    thread::Builder::new()
        .spawn(looking)
        .map_err(Error::Watch)?;
    let mut end = Ok(ControlFlow::Continue(()));
    while matches!(end, Ok(ControlFlow::Continue(()))) && caught().is_none() {
        end = interaction.turn(&signals, &events);
    }
    interaction.console = None;
    while let Some(event) = events.next() {
        if let Event::Message(part) = event {
            interaction.messages.extend(part);
        }
    }
    messages.pass_on(&interaction.messages);
    end.map(|_| interaction.verdict)
}

/// A session, who looks for it, and where it is seen.
struct Interaction {
    session: Session,
    sender: EventSender,
    pace: Pace,
    open: OpenConsole,
    /// Taken when there is something to show: what fails before is said as ever.
    console: Option<Box<dyn Console>>,
    messages: Vec<u8>,
    verdict: Verdict,
}

impl Interaction {
    /// Shows what there is, and waits for what happens next. `Break` = a key ends it.
    fn turn(&mut self, signals: &Signals, events: &Events) -> Result<ControlFlow<()>, Error> {
        let due = self.pace.due().filter(|_| !self.session.page.is_paused);
        if due.is_some_and(|due| due <= Instant::now()) && self.session.pending == 0 {
            self.session.ask(None);
        }
        if let Some(console) = &mut self.console {
            let frame = self.session.draw(console.size(), console.has_keys());
            console.write(&frame).map_err(Error::Output)?;
        }
        // A round that is under way ends by itself.
        let due = due.filter(|_| self.session.pending == 0);
        let output = self.console.as_deref().map(Console::output);
        wait(&[events.as_fd(), signals.as_fd()], output, due)?;
        while let Some(event) = events.next() {
            match event {
                Event::Message(part) => self.messages.extend(part),
                Event::Round(round) => self.take(round?)?,
                Event::Input(input) => {
                    if self.session.key(input).is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A round is over: it is shown, unless another one was asked for meanwhile.
    fn take(&mut self, round: Round) -> Result<(), Error> {
        self.session.pending -= 1;
        if self.session.pending > 0 {
            return Ok(());
        }
        if !round.summary.diagnostics.is_complete() {
            self.verdict = Verdict::Trouble;
        }
        self.pace.looked(round.begun, round.ended);
        self.session.take(round);
        if self.console.is_none() {
            let console = (self.open)(self.sender.clone());
            self.console = Some(console.map_err(Error::Output)?);
        }
        Ok(())
    }
}

/// Looks as often as it is asked to; every question is one for a round, and may change the query.
/// Ends when nobody listens any more.
fn look(
    query: Query,
    questions: &Receiver<Option<Box<Query>>>,
    events: &EventSender,
) -> Result<(), Error> {
    let mut out = events.clone();
    let mut messages = Messages::new("lsock", &mut out);
    messages.repeat();
    let mut looker = Looker::new(query, &sources::open)?;
    for query in questions {
        if let Some(query) = query {
            looker = Looker::new(*query, &sources::open)?;
        }
        let (time, begun) = (Timestamp::now(), Instant::now());
        let summary = looker.look(&mut messages)?;
        let round = Round {
            time,
            begun,
            ended: Instant::now(),
            rows: looker.rows(|_| true),
            summary,
        };
        if !events.send(Event::Round(Ok(round))) {
            break;
        }
    }
    Ok(())
}
