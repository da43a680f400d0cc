//! `--wait`: polls until the check holds, then shows the matches.

mod closest;
mod pace;
mod port_usage;

pub(super) use port_usage::{end, holder};

use std::time::{Duration, Instant};

use super::Messages;
use super::check::{Counted, Outcome, Tally, sentence, tell};
use super::list::{Listing, Output};
use super::pending_rows::PendingRows;
use super::signals::{Clock, Second, Signals, release};
use super::sources::{Open, open};
use crate::error::Error;
use crate::exit::Verdict;
use crate::fields::Cost;
use crate::mode::sources::matching;
use crate::model::{Selection, Table};
use crate::query::{Count, Query};
use crate::reading::Matcher;
use crate::render::RowBuffer;
use crate::source::{Recorder, Source};
use crate::text;
use closest::{closest, taken};
use pace::{Target, pause, processor_time};

/// A source that fails for this long will not recover.
const PATIENCE: Duration = Duration::from_secs(1);

/// Waits until the check of a query holds, or the time is up. The matches then go to `rows`.
pub(super) fn wait(
    query: &Query,
    time: Duration,
    rows: impl FnOnce() -> RowBuffer<'static> + 'static,
    messages: &mut Messages<'_>,
) -> Result<Verdict, Error> {
    let signals = Signals::catch(Second::Asks).map_err(Error::Watch)?;
    let mut wait = Wait::new(query, time, &open, signals.now())?;
    let opening = move || {
        // From here on it is a normal listing.
        release();
        rows()
    };
    let mut pending = PendingRows::new(wait.expected, Box::new(opening));
    wait.run(&signals, &mut pending, messages)
}

pub(super) struct Wait<'q> {
    query: &'q Query,
    expected: Count,
    source: Box<dyn Source>,
    tables: Vec<Table>,
    matcher: Matcher,
    target: Target,
    time: Duration,
    begun: Instant,
    /// The time of the next poll, at most the end of the wait.
    due: Instant,
    /// The first of the incomplete polls in a row.
    failing_since: Option<Instant>,
}

impl<'q> Wait<'q> {
    pub(super) fn new(
        query: &'q Query,
        time: Duration,
        open: Open<'_>,
        begun: Instant,
    ) -> Result<Self, Error> {
        let (mut source, tables) = open(query, &Recorder::default())?;
        let matcher = matching(query, source.as_mut())?;
        Ok(Self {
            query,
            expected: query.check.expected.unwrap_or(Count::SOME),
            target: target(query, &tables),
            source,
            tables,
            matcher,
            time,
            begun,
            due: begun,
            failing_since: None,
        })
    }

    /// Polls until there is an answer, or a signal arrives.
    pub(super) fn run(
        &mut self,
        clock: &dyn Clock,
        pending: &mut PendingRows,
        messages: &mut Messages<'_>,
    ) -> Result<Verdict, Error> {
        loop {
            if let Some(verdict) = self.look(clock, pending, messages)? {
                return Ok(verdict);
            }
            if let Some(signal) = clock.sleep(Some(self.due), None)? {
                return Ok(Verdict::Interrupted(signal));
            }
        }
    }

    /// Checks once; `None` = the check does not hold, and there is time to retry.
    fn look(
        &mut self,
        clock: &dyn Clock,
        pending: &mut PendingRows,
        messages: &mut Messages<'_>,
    ) -> Result<Option<Verdict>, Error> {
        let before = processor_time();
        let is_last = clock.now().saturating_duration_since(self.begun) >= self.time;
        // Errors of a poll that is repeated are not reported.
        let mut kept = Vec::new();
        let mut of_look = Messages::new(messages.program, &mut kept);
        self.matcher.enricher.next_listing();
        pending.restart(!is_last);
        let output = if self.query.check.wants_answer_alone() {
            Output::Nothing
        } else {
            Output::Pending(pending)
        };
        let mut listing = Listing::new(self.query, &mut self.matcher, output);
        listing.begin_round(self.source.as_mut(), &mut of_look);
        listing.read_all(&self.tables, self.source.as_mut(), &mut of_look)?;
        let now = clock.now();
        self.failing_since = match self.failing_since {
            _ if !listing.is_hopeless(self.expected) => None,
            since => since.or(Some(now)),
        };
        let is_hopeless = |since| now.saturating_duration_since(since) >= PATIENCE;
        let is_over = is_last || !listing.asked || self.failing_since.is_some_and(is_hopeless);
        let outcome = listing.outcome(self.expected);
        let is_quiet = self.query.check.wants_answer_alone();
        let is_shown = is_quiet || listing.is_complete() || listing.has_shown();
        let verdict = if outcome == Outcome::Holds && (is_shown || is_over) {
            listing.finish(&mut of_look)?
        } else if is_over {
            let (tally, is_too_little) = (listing.tally, listing.warn(&mut of_look));
            drop(listing);
            self.tell(outcome, tally, &mut of_look);
            if is_too_little || outcome == Outcome::Unknown {
                Verdict::Trouble
            } else {
                Verdict::Failed
            }
        } else {
            let cost = processor_time().saturating_sub(before);
            let target = if listing.is_from_files() {
                Target::Sockets
            } else {
                self.target
            };
            let now = clock.now();
            let waited = now.saturating_duration_since(self.begun);
            let rest = self.time.saturating_sub(waited);
            self.due = now + pause(target, cost, waited, rest).min(rest);
            return Ok(None);
        };
        messages.pass_on(&kept);
        Ok(Some(verdict))
    }

    /// Reports a timeout and the nearest match.
    fn tell(&mut self, outcome: Outcome, tally: Tally, messages: &mut Messages<'_>) {
        if self.query.check.quiet {
            return;
        }
        let sentence = sentence(self.query, self.expected, Counted::Sockets, tally);
        let (query, source) = (self.query, self.source.as_mut());
        let closest = if self.expected.is_exceeded(tally.found) {
            taken(query, source)
        } else {
            let is_none = outcome == Outcome::Fails && tally.found == 0;
            closest(query, source, is_none)
        };
        let closest = closest.map(|text| format!("; {text}")).unwrap_or_default();
        let waited = match u64::try_from(self.time.as_millis()) {
            Ok(millis @ 1..) if outcome == Outcome::Fails => {
                format!("timed out after {}: ", text::millis(millis))
            }
            _ => String::new(),
        };
        tell(outcome, &format!("{waited}{sentence}{closest}"), messages);
    }
}

/// Reading listeners is cheap, unless processes are needed.
fn target(query: &Query, tables: &[Table]) -> Target {
    let is_of_listeners = |table: &Table| {
        let asked = query.rule(*table).states();
        let listening = Selection::Listening.states(table.protocol);
        asked.intersection(listening) == asked
    };
    if tables.iter().all(is_of_listeners) && !query.filter.needs().contains(&Cost::Owners) {
        Target::Listeners
    } else {
        Target::Sockets
    }
}
