//! Finds transitions by polling the tables: needs no privileges, and reports only what certainly happened between two
//! rounds.
//!
//! A notice of the kernel about a destroyed socket starts the next round at once. A socket that begins and ends between
//! two rounds is known only from its notice: only its CLOSED is reported.

mod known;
mod notices;
mod pending;
mod table;

use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use jiff::Timestamp;

pub use self::notices::{Heard, Notices};
use self::pending::PendingEvents;
use self::table::{Gap, SampledTable};
use super::{EventSource, EventVisitor, Networks, Scope, Watched};
use crate::error::Error;
use crate::model::{Cause, Protocol, Table, Warning};
use crate::source::Source;
use crate::track::{Pacer, wait};

const OVERRUN: &str = "notifications of closed sockets were lost (ENOBUFS)";

/// Notices during a pause are handled in intervals of this length: waking up for each would cost more than the
/// rounds.
const PIECE: Duration = Duration::from_millis(5);

/// Rounds take less than 5 % of one core. After a change the next is likely to come soon.
const PACER: Pacer = Pacer {
    rest: 20,
    shortest: Duration::from_millis(5),
    longest: Duration::from_millis(100),
};

/// Whether the kernel sends notices of destroyed sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destroyed {
    /// It is asked to, over netlink.
    Told,
    /// It is not: the tables are not those of this network namespace, or netlink is refused.
    NotTold,
}

/// A watch by polling.
pub struct Sampled {
    scope: Scope,
    networks: Networks,
    tables: Vec<SampledTable>,
    notices: Option<Notices>,
    /// True if a notice came since the last round.
    heard: bool,
    /// Notices were lost for lack of room.
    overrun: Gap,
    /// Why there are no notices any more.
    deaf: Option<Warning>,
    /// When the last round ended, and how long it took.
    looked: (Instant, Duration),
    /// The pause after it, unless a notice comes.
    pause: Duration,
    pending: PendingEvents,
    why: String,
    /// Warnings of the source.
    warnings: Vec<Warning>,
}

impl Sampled {
    /// Reads the tables of `source` for the first time. `why` says why the kernel cannot record transitions.
    ///
    /// # Errors
    ///
    /// When no table can be read.
    pub fn new(
        source: Box<dyn Source>,
        scope: Scope,
        destroyed: Destroyed,
        watched: Vec<Watched>,
        why: String,
    ) -> Result<Self, Error> {
        let mut deaf = None;
        let notices = match destroyed {
            Destroyed::NotTold => None,
            Destroyed::Told => Notices::join(watched.iter().map(|watched| watched.table))
                .map_err(|error| deaf = Some(no_notices(error)))
                .ok(),
        };
        let mut sampled = Self {
            scope,
            networks: Networks::new(source),
            tables: watched.into_iter().map(SampledTable::new).collect(),
            notices,
            heard: false,
            overrun: Gap::default(),
            deaf,
            looked: (Instant::now(), Duration::ZERO),
            pause: Duration::ZERO,
            pending: PendingEvents::default(),
            why,
            warnings: Vec::new(),
        };
        sampled.look()?;
        // The second round separates what the first missed from what is new.
        sampled.look()?;
        Ok(sampled)
    }

    /// Reads every table once and queues events. True if it found an event, or something that the next round decides.
    fn look(&mut self) -> Result<bool, Error> {
        self.listen();
        self.heard = false;
        let (begun, before) = (Instant::now(), self.pending.len());
        let (mut found, mut failure) = (None, None);
        for table in &mut self.tables {
            match table.look(
                &mut *self.networks.source,
                &mut self.pending,
                &mut self.warnings,
            ) {
                Ok(one) => found = found.max(Some(one)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let is_changed = match (found, failure) {
            (None, Some(error)) => return Err(error),
            (found, _) => found == Some(true),
        };
        self.pending.stamp(before, Timestamp::now());
        self.looked = (Instant::now(), begun.elapsed());
        self.pause = if is_changed {
            Duration::ZERO
        } else {
            PACER.longer(self.pause)
        };
        Ok(is_changed)
    }

    /// Handles waiting notices.
    fn listen(&mut self) {
        let Some(notices) = &mut self.notices else {
            return;
        };
        let tables = &mut self.tables;
        let heard = notices.drain(|socket| {
            let table = Table {
                protocol: Protocol::Tcp,
                family: socket.family,
            };
            let known = tables.iter_mut().find(|known| known.table == table);
            if let Some(known) = known {
                known.destroyed(socket);
            }
        });
        if let Some(strangers) = notices.strangers() {
            self.overrun.note(Warning::strangers(strangers));
        }
        match heard {
            Ok(heard) => {
                self.heard |= heard != Heard::Nothing;
                if heard == Heard::Overrun {
                    self.overrun.note(Warning::failed(OVERRUN));
                }
            }
            Err(error) => {
                self.deaf = Some(no_notices(error));
                self.notices = None;
            }
        }
    }

    /// Waits for the next round; true if it is time to return.
    fn rest(&mut self, wake: BorrowedFd<'_>, until: Option<Instant>) -> Result<bool, Error> {
        loop {
            let now = Instant::now();
            if until.is_some_and(|until| until <= now) {
                return Ok(true);
            }
            let (ended, cost) = self.looked;
            let wanted = if self.heard {
                Duration::ZERO
            } else {
                self.pause
            };
            let due = ended + PACER.pause(wanted, cost);
            if due <= now {
                return Ok(false);
            }
            let mut end = until.map_or(due, |until| until.min(due));
            let mut readable = vec![wake];
            if self.heard {
                end = end.min(now + PIECE);
            } else {
                readable.extend(self.notices.as_ref().map(AsFd::as_fd));
            }
            if wait(&readable, None, Some(end))? == Some(0) {
                return Ok(true);
            }
            self.listen();
        }
    }
}

impl EventSource for Sampled {
    fn wait(
        &mut self,
        wake: BorrowedFd<'_>,
        until: Option<Instant>,
        visitor: &mut EventVisitor<'_>,
    ) -> Result<ControlFlow<()>, Error> {
        loop {
            let is_over = self.rest(wake, until)?;
            if self.scope != Scope::Own {
                self.networks.look(true, visitor);
            }
            if self.look()? && is_over {
                // A socket missed by one round is gone when the next misses it too.
                self.look()?;
            }
            let is_told = self.pending.len() > 0;
            while let Some(event) = self.pending.pop() {
                if visitor.take(&event).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if is_told || is_over {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    fn lost(&self) -> u64 {
        0
    }

    fn sampled(&self) -> Option<String> {
        let warnings = self.warnings.iter();
        Some(warnings.fold(self.why.clone(), |why, warning| format!("{why}; {warning}")))
    }

    fn gaps(&mut self) -> Vec<Warning> {
        let gaps = self.tables.iter_mut().flat_map(SampledTable::gaps);
        let others = [self.overrun.take(), self.deaf.take()];
        gaps.chain(others.into_iter().flatten()).collect()
    }
}

fn no_notices(error: impl Into<Cause>) -> Warning {
    let cause = error.into();
    Warning::failed(format!("no notifications of closed sockets: {cause}"))
}

#[cfg(test)]
mod tests;
