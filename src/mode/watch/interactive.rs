//! The view on a terminal: draws, answers keys, and asks for rounds when it is time to.

use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use super::Viewing;
use super::console::{Console, OpenConsole};
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
    let mut interaction = Interaction {
        pace: Pace::new(every, Instant::now()),
        open: viewing.open,
        console: None,
        verdict: Verdict::Done,
        session: Session::new(&query, every, viewing),
        worker: Worker::start(query).map_err(Error::Watch)?,
    };
    let mut end = Ok(ControlFlow::Continue(()));
    while matches!(end, Ok(ControlFlow::Continue(()))) && signals.caught().is_none() {
        end = interaction.turn(&signals);
    }
    interaction.console = None;
    messages.pass_on(&interaction.worker.messages());
    end.map(|_| interaction.verdict)
}

/// A session, who looks for it, and where it is seen.
struct Interaction {
    session: Session,
    worker: Worker,
    pace: Pace,
    open: OpenConsole,
    /// Taken when there is something to show: what fails before is said as ever.
    console: Option<Box<dyn Console>>,
    verdict: Verdict,
}

impl Interaction {
    /// Shows what there is, and waits for what happens next. `Break` = a key ends it.
    fn turn(&mut self, signals: &Signals) -> Result<ControlFlow<()>, Error> {
        let is_running = !self.session.is_paused;
        let is_due = self.pace.due().is_some_and(|due| due <= Instant::now());
        if is_running && is_due && !self.worker.is_busy() {
            self.worker.ask(None);
        }
        if let Some(console) = &mut self.console {
            let frame = self.session.draw(console.size(), console.input().is_some());
            console.write(&frame).map_err(Error::Output)?;
        }
        // A round that is under way ends by itself.
        let is_waiting = is_running && !self.worker.is_busy();
        self.rest(signals, self.pace.due().filter(|_| is_waiting))?;
        self.receive()?;
        self.answer()
    }

    /// Waits for a round, a key, a signal, or until then.
    fn rest(&self, signals: &Signals, until: Option<Instant>) -> Result<(), Error> {
        let console = self.console.as_deref();
        let keys = console.and_then(Console::input);
        let others = [self.worker.as_fd(), signals.as_fd()];
        let readable: Vec<_> = keys.into_iter().chain(others).collect();
        wait(&readable, console.map(Console::output), until)?;
        Ok(())
    }

    /// Takes the round that is over, if one is.
    fn receive(&mut self) -> Result<(), Error> {
        let Some(round) = self.worker.round()? else {
            return Ok(());
        };
        if !round.summary.diagnostics.is_complete() {
            self.verdict = Verdict::Trouble;
        }
        self.pace.looked(round.begun, round.ended);
        self.session.take(round);
        if self.console.is_none() {
            self.console = Some((self.open)().map_err(Error::Output)?);
        }
        Ok(())
    }

    /// Does what keys ask for.
    fn answer(&mut self) -> Result<ControlFlow<()>, Error> {
        let Some(console) = &mut self.console else {
            return Ok(ControlFlow::Continue(()));
        };
        while let Some(input) = console.next() {
            match self.session.key(input) {
                Action::Draw => {}
                Action::Query(query) => self.worker.ask(Some(query)),
                Action::Quit => return Ok(ControlFlow::Break(())),
                Action::Suspend => {
                    console.suspend().map_err(Error::Output)?;
                    self.session.forget_screen();
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
