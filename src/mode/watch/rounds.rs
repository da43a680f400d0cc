//! Rounds written one after another: whole listings, or changes.

use std::io::Write;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::looker::Looker;
use crate::error::Error;
use crate::exit::Verdict;
use crate::mode::Messages;
use crate::mode::list::{Listing, Output};
use crate::mode::signals::Clock;
use crate::mode::sources::Open;
use crate::mode::sources::matching;
use crate::model::Change;
use crate::query::Query;
use crate::render::{Changes, Envelope, Repetition, SortKey, rfc_3339};
use crate::source::Recorder;

/// When rounds begin, and what ends them.
pub(in crate::mode) struct Rounds<'r> {
    pub(in crate::mode) clock: &'r dyn Clock,
    pub(in crate::mode) pace: Pace,
    /// Standard output, whose reader may close it.
    pub(in crate::mode) output: Option<BorrowedFd<'r>>,
}

impl Rounds<'_> {
    /// Repeats a round until a signal arrives.
    fn run(
        mut self,
        messages: &mut Messages<'_>,
        mut round: impl FnMut(&mut Messages<'_>) -> Result<Verdict, Error>,
    ) -> Result<Verdict, Error> {
        let mut verdict = Verdict::Done;
        while self.clock.sleep(self.pace.due(), self.output)?.is_none() {
            let begun = self.clock.now();
            messages.next_round();
            verdict = verdict.max(round(messages)?);
            self.pace.looked(begun, self.clock.now());
        }
        Ok(verdict)
    }

    /// Lists or counts in every round, independently of the round before.
    pub(in crate::mode) fn listings(
        self,
        query: &Query,
        open: Open<'_>,
        mut envelope: Envelope,
        mut out: Box<dyn Write>,
        messages: &mut Messages<'_>,
    ) -> Result<Verdict, Error> {
        let (mut source, tables) = open(query, &Recorder::default())?;
        let mut matcher = matching(query, source.as_mut())?;
        envelope.repetition = Repetition::First;
        self.run(messages, |messages| {
            matcher.next_listing();
            envelope.time = rfc_3339(Timestamp::now());
            let output = Output::of(query, open, &envelope, Box::new(&mut out));
            let mut listing = Listing::new(query, &mut matcher, output);
            listing.begin_round(source.as_mut(), messages);
            listing.read_all(&tables, source.as_mut(), messages)?;
            let verdict = listing.finish(messages)?;
            envelope.repetition = Repetition::Later;
            Ok(verdict)
        })
    }

    /// Writes every socket in the first round, then changes, and transferring sockets if there are rates.
    /// Sockets that are gone come first, because others may have their ends now.
    pub(in crate::mode) fn changes(
        self,
        query: Query,
        open: Open<'_>,
        envelope: &Envelope,
        out: Box<dyn Write>,
        messages: &mut Messages<'_>,
    ) -> Result<Verdict, Error> {
        let sort = query.order.keys().to_vec();
        let mut writer = Changes::new(&query.layout, envelope, out);
        let mut looker = Looker::new(query, open)?;
        self.run(messages, |messages| {
            let time = Timestamp::now();
            let summary = looker.look(messages)?;
            let gone = looker.rows(|row| row.change == Change::Gone);
            let there = looker.rows(|row| match row.change {
                Change::None => row
                    .row
                    .row()
                    .rates
                    .is_some_and(|rates| rates.acked > 0 || rates.received > 0),
                change => change != Change::Gone,
            });
            for mut rows in [gone, there] {
                rows.sort_by(|a, b| SortKey::compare_all(&sort, &a.row.row(), &b.row.row()));
                for row in rows {
                    let written = writer.change(time, row.change, &row.row.row());
                    written.map_err(Error::Output)?;
                }
            }
            writer.flush().map_err(Error::Output)?;
            Ok(if summary.diagnostics.is_complete() {
                Verdict::Done
            } else {
                Verdict::Trouble
            })
        })
    }
}

/// The interval between rounds; a pause is at least as long as the round before it.
#[derive(Debug)]
pub(in crate::mode) struct Pace {
    every: Duration,
    /// `None` = never.
    due: Option<Instant>,
}

impl Pace {
    /// The first round is due at once.
    pub(in crate::mode) const fn new(every: Duration, now: Instant) -> Self {
        let due = Some(now);
        Self { every, due }
    }

    /// When the next round begins; `None` = never.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(super) fn looked(&mut self, begun: Instant, ended: Instant) {
        let cost = ended.saturating_duration_since(begun);
        let pause = self.every.saturating_sub(cost);
        self.due = ended.checked_add(pause.max(cost));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Pace;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn rounds_begin_in_equal_steps_while_they_are_short() {
        let begun = Instant::now();
        let mut pace = Pace::new(100 * MS, begun);
        pace.looked(begun, begun + 50 * MS);
        assert_eq!(pace.due(), Some(begun + 100 * MS));
    }

    #[test]
    fn a_pause_is_as_long_as_the_round_before_it() {
        let begun = Instant::now();
        let mut pace = Pace::new(100 * MS, begun);
        pace.looked(begun, begun + 300 * MS);
        assert_eq!(pace.due(), Some(begun + 600 * MS));
    }

    #[test]
    fn a_pause_beyond_all_time_never_ends() {
        let begun = Instant::now();
        let mut pace = Pace::new(Duration::MAX, begun);
        pace.looked(begun, begun);
        assert_eq!(pace.due(), None);
    }
}
