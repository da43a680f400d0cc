//! Steps found by looking at the tables again and again: no privilege is needed, and nothing is told
//! but what certainly happened between two looks.
//!
//! Of a close, the kernel's notice of the destroyed socket is the reason to look again at once. What
//! begins and ends between two looks is told only as far as that notice goes: that it was CLOSED.

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

const OVERRUN: &str = "the kernel's notices of closed sockets overran (ENOBUFS)";

/// Notices that come while a pause must last are taken in such pieces: each wake-up for itself would
/// cost more than the looks.
const PIECE: Duration = Duration::from_millis(5);

/// Looks take less than 5 % of one core. After a change another one is likely to come soon.
const PACER: Pacer = Pacer {
    rest: 20,
    shortest: Duration::from_millis(5),
    longest: Duration::from_millis(100),
};

/// Does the kernel tell of destroyed sockets?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destroyed {
    /// It is asked to, over netlink.
    Told,
    /// It is not asked: the tables are not those of this network namespace, or netlink is refused.
    NotTold,
}

/// A watch by polling.
pub struct Sampled {
    scope: Scope,
    networks: Networks,
    tables: Vec<SampledTable>,
    notices: Option<Notices>,
    /// True if a notice came that no look has followed yet.
    heard: bool,
    /// There was no room for notices.
    overrun: Gap,
    /// There are no notices any more.
    deaf: Option<Warning>,
    /// When the last look ended, and how long it took.
    looked: (Instant, Duration),
    /// The pause after it, if nothing is heard.
    pause: Duration,
    pending: PendingEvents,
    why: String,
    /// What the source warned of.
    warnings: Vec<Warning>,
}

impl Sampled {
    /// Looks at the tables of `source` for the first time. `why` says why the kernel's own records
    /// cannot be had.
    ///
    /// # Errors
    ///
    /// When not one of the tables can be read.
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
        // The second look tells what the first one missed from what is new.
        sampled.look()?;
        Ok(sampled)
    }

    /// Looks at every table once; what it finds is ready to be lent. True if it found anything that is to
    /// be told, or that the next look decides.
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

    /// Takes the notices that wait.
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

    /// Waits until it is time to look; true if it is time to return.
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
                // What one look misses is gone when the next one misses it too.
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
