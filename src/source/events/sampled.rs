//! Steps found by looking at the tables again and again: for everybody, without any right.

mod groups;
mod seen;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::{EventSource, EventVisitor, Watched};
use crate::error::Error;
use crate::model::{Event, State, StateSet};
use crate::source::{Request, Source, Wanted};
use groups::Groups;
use seen::Seen;

/// Until the next look, when something has changed
const SHORTEST: Duration = Duration::from_millis(5);
/// and when for long nothing did.
const LONGEST: Duration = Duration::from_millis(100);
/// A look takes no larger share of the time than one in so many.
const SHARE: u32 = 20;

/// States that are looked for: `BOUND` is none of the machine's, and costs a walk of its own.
const STATES: StateSet = StateSet::ALL.without(State::Bound);

/// Does the kernel tell when a TCP socket is gone?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destroyed {
    /// Over netlink, in the groups `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY`.
    Told,
    /// It is not to be asked.
    NotTold,
}

/// Steps of TCP and MPTCP sockets that are certain from what was seen of them.
///
/// The kernel keeps the cookie of a connection when it puts a smaller socket in its place, so that what
/// has another cookie is another connection.
pub struct Sampled {
    source: Box<dyn Source>,
    watched: Vec<Watched>,
    why: String,
    groups: Option<Groups>,
    seen: Seen,
    events: Vec<Event>,
    /// Each is told once.
    gaps: HashSet<String>,
    new_gaps: Vec<String>,
    pause: Duration,
    /// The earliest moment of the next look, for what it costs.
    earliest: Instant,
    next: Instant,
}

impl Sampled {
    /// Looks for the first time. `why` = why the kernel's own records cannot be had.
    ///
    /// # Errors
    ///
    /// When the tables cannot be read.
    pub fn new(
        source: Box<dyn Source>,
        destroyed: Destroyed,
        watched: Vec<Watched>,
        why: String,
    ) -> Result<Self, Error> {
        let groups = match destroyed {
            // Without them ends are seen at the next look.
            Destroyed::Told => Groups::join().ok(),
            Destroyed::NotTold => None,
        };
        let now = Instant::now();
        let mut sampled = Self {
            source,
            watched,
            why,
            groups,
            seen: Seen::default(),
            events: Vec::new(),
            gaps: HashSet::new(),
            new_gaps: Vec::new(),
            pause: SHORTEST,
            earliest: now,
            next: now,
        };
        sampled.look()?;
        // What was there before is no event.
        sampled.events.clear();
        Ok(sampled)
    }

    /// Looks at every table once.
    fn look(&mut self) -> Result<(), Error> {
        let begun = Instant::now();
        self.hear();
        self.seen.begin(Timestamp::now());
        let mut complete = Vec::with_capacity(self.watched.len());
        let mut gaps = Vec::new();
        for watched in &self.watched {
            let request = Request {
                states: STATES,
                wanted: Wanted::default(),
                narrow: watched.narrow.clone(),
            };
            let (seen, events) = (&mut self.seen, &mut self.events);
            let outcome = self.source.visit(watched.table, &request, &mut |socket| {
                seen.see(socket, events);
                ControlFlow::Continue(())
            })?;
            if outcome.gaps.is_empty() {
                complete.push(watched.table);
            }
            gaps.extend(outcome.gaps);
        }
        for gap in gaps {
            self.tell_gap(gap);
        }
        self.seen.end(&complete, &mut self.events);
        self.pause = if !self.events.is_empty() || self.seen.is_unsure() {
            SHORTEST
        } else {
            (self.pause * 2).min(LONGEST)
        };
        let now = Instant::now();
        self.earliest = now + (now.saturating_duration_since(begun) * SHARE).max(SHORTEST);
        self.next = self.earliest.max(now + self.pause);
        Ok(())
    }

    /// Takes the kernel's notices; `true` = there were some.
    fn hear(&mut self) -> bool {
        let Some(groups) = &mut self.groups else {
            return false;
        };
        let (mut heard, seen) = (false, &mut self.seen);
        let whole = groups.hear(&mut |socket| {
            heard = true;
            seen.destroyed(socket);
        });
        if let Err(cause) = whole {
            // What was lost may be anything.
            heard = true;
            self.tell_gap(format!("the kernel's notices of closed sockets: {cause}"));
        }
        heard
    }

    fn tell_gap(&mut self, gap: String) {
        if self.gaps.insert(gap.clone()) {
            self.new_gaps.push(gap);
        }
    }

    /// Waits until it is time to look; `true` = `wake` can be read.
    fn pause(&self, wake: BorrowedFd<'_>, until: Option<Instant>) -> Result<bool, Error> {
        let due = until.map_or(self.next, |until| until.min(self.next));
        let rest = due.saturating_duration_since(Instant::now());
        let rest = Timespec::try_from(rest).ok();
        let mut descriptors = vec![PollFd::from_borrowed_fd(wake, PollFlags::IN)];
        let groups = self.groups.as_ref().map(Groups::descriptor);
        let groups = groups.map(|groups| PollFd::from_borrowed_fd(groups, PollFlags::IN));
        descriptors.extend(groups);
        match poll(&mut descriptors, rest.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(cause) => return Err(Error::Watch(cause.into())),
        }
        Ok(descriptors
            .first()
            .is_some_and(|wake| !wake.revents().is_empty()))
    }

    /// Lends what was found.
    fn tell(&mut self, visitor: &mut EventVisitor<'_>) -> ControlFlow<()> {
        self.events.drain(..).try_for_each(|event| visitor(&event))
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
            let woken = self.pause(wake, until)?;
            let now = Instant::now();
            if woken || until.is_some_and(|until| until <= now) {
                self.look()?;
                // What was not there is looked for once more.
                if self.seen.is_unsure() {
                    self.look()?;
                }
                return Ok(self.tell(visitor));
            }
            if self.hear() {
                self.next = self.earliest.min(self.next);
            }
            if self.next <= now {
                self.look()?;
                return Ok(self.tell(visitor));
            }
        }
    }

    fn lost(&self) -> u64 {
        0
    }

    fn sampled(&self) -> Option<String> {
        Some(self.why.clone())
    }

    fn gaps(&mut self) -> Vec<String> {
        std::mem::take(&mut self.new_gaps)
    }
}
