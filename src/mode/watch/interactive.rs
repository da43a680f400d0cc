//! The view on a terminal: draws, answers keys, and asks for rounds when it is time to.

use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::time::Instant;

use super::console::{Console, OpenConsole};
use super::pace::Pace;
use super::session::{Asked, Session};
use super::worker::Worker;
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::signals::Signals;
use crate::render::view::Pause;
use crate::track::wait;

/// A session, who looks for it, and where it is seen.
pub(super) struct Interaction {
    session: Session,
    worker: Worker,
    pace: Pace,
    open: OpenConsole,
    /// Taken when there is something to show: what fails before is said as ever.
    console: Option<Box<dyn Console>>,
    verdict: Verdict,
    /// What is to be said when the terminal is given back.
    told: Vec<u8>,
}

impl Interaction {
    /// Nothing is seen yet.
    pub(super) fn new(session: Session, worker: Worker, pace: Pace, open: OpenConsole) -> Self {
        Self {
            session,
            worker,
            pace,
            open,
            console: None,
            verdict: Verdict::Done,
            told: Vec::new(),
        }
    }

    /// Goes on until a key or a signal ends it, and gives the terminal back. Besides, what is to be
    /// said then.
    pub(super) fn run(mut self, signals: &Signals) -> (Result<Verdict, Error>, Vec<u8>) {
        let mut end = Ok(ControlFlow::Continue(()));
        while matches!(end, Ok(ControlFlow::Continue(()))) && signals.caught().is_none() {
            end = self.turn(signals);
        }
        (end.map(|_| self.verdict), self.told)
    }

    /// Shows what there is, and waits for what happens next. `Break` = a key ends it.
    fn turn(&mut self, signals: &Signals) -> Result<ControlFlow<()>, Error> {
        let is_running = self.session.pause == Pause::Off;
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
        let Some(mut round) = self.worker.round()? else {
            return Ok(());
        };
        if !round.summary.complete {
            self.verdict = Verdict::Trouble;
        }
        self.told.append(&mut round.told);
        self.pace.looked(round.begun, round.ended);
        self.session.take(round.time, round.rows, &round.summary);
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
                Asked::Draw => {}
                Asked::Query(query) => self.worker.ask(Some(query)),
                Asked::Quit => return Ok(ControlFlow::Break(())),
                Asked::Suspend => {
                    console.suspend().map_err(Error::Output)?;
                    self.session.forget_screen();
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
