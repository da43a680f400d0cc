//! The view on a terminal: draws, answers keys, and asks for rounds when it is time to.

use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use super::Viewing;
use super::console::{Console, OpenConsole};
use super::event::{self, Event, EventSender, Events, Round};
use super::pace::Pace;
use super::session::{Action, Session};
use super::worker::Worker;
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::Messages;
use crate::mode::signals::{Second, Signals};
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
    let mut interaction = Interaction {
        pace: Pace::new(every, Instant::now()),
        open: viewing.open,
        console: None,
        verdict: Verdict::Done,
        messages: Vec::new(),
        session: Session::new(&query, every, viewing),
        worker: Worker::start(query, sender.clone()).map_err(Error::Watch)?,
        sender,
    };
    let mut end = Ok(ControlFlow::Continue(()));
    while matches!(end, Ok(ControlFlow::Continue(()))) && signals.caught().is_none() {
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
    worker: Worker,
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
        if due.is_some_and(|due| due <= Instant::now()) && !self.worker.is_busy() {
            self.worker.ask(None);
        }
        if let Some(console) = &mut self.console {
            let frame = self.session.draw(console.size(), console.has_keys());
            console.write(&frame).map_err(Error::Output)?;
        }
        // A round that is under way ends by itself.
        let due = due.filter(|_| !self.worker.is_busy());
        let output = self.console.as_deref().map(Console::output);
        wait(&[events.as_fd(), signals.as_fd()], output, due)?;
        while let Some(event) = events.next() {
            match event {
                Event::Message(part) => self.messages.extend(part),
                Event::Round(round) => self.take(round?)?,
                Event::Input(input) => match self.session.key(input) {
                    Action::Draw => {}
                    Action::Query(query) => self.worker.ask(Some(query)),
                    Action::Quit => return Ok(ControlFlow::Break(())),
                },
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A round is over: it is shown, unless another one was asked for meanwhile.
    fn take(&mut self, round: Round) -> Result<(), Error> {
        if !self.worker.is_answered() {
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
