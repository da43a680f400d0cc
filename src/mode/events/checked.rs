//! Checks of events: how many matched.

use std::ops::ControlFlow;

use super::Watch;
use crate::exit::Verdict;
use crate::filter::Rule;
use crate::mode::Messages;
use crate::mode::check::{Counted, Outcome, Tally, conclude};
use crate::model::{Protocol, State, StateSet};
use crate::render::Grouping;

impl Watch<'_> {
    /// `Break` = enough events were shown, or the check is decided and nothing is shown.
    pub(super) fn is_full(&self) -> ControlFlow<()> {
        let query = &self.watching.query;
        let shown = self.summary.matched;
        let certain = self.tally().certain;
        let is_settled = query
            .check
            .only()
            .is_some_and(|expected| expected.is_settled(certain));
        let limit = query.limit.and_then(|limit| u64::try_from(limit).ok());
        if is_settled || limit.is_some_and(|limit| shown >= limit) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// The outcome of the check, if there is one. Polling misses changes between two polls, so there may be
    /// more.
    pub(super) fn answer(&self) -> Option<Outcome> {
        let expected = self.watching.query.check.expected?;
        // No event reports BOUND.
        let bound = StateSet::EMPTY.with(State::Bound);
        let is_untold = |rule: &Rule| rule.states().union(bound) == bound;
        let is_whole = self.summary.diagnostics.is_complete()
            && !self.summary.sampled
            && !self.may_miss_time_wait()
            && !self.steps.rules().any(is_untold);
        Some(self.tally().outcome(expected, is_whole))
    }

    /// True if the filter may hold for an unreported change to `TIME_WAIT`.
    pub(super) fn may_miss_time_wait(&self) -> bool {
        let mut rules = self.steps.rules();
        rules.any(|rule| may_miss(rule, self.untold))
    }

    /// True if the filter holds only for changes to and from `TIME_WAIT`, some of which are not reported.
    pub(super) fn wants_only_time_wait(&self) -> bool {
        let time_wait = StateSet::EMPTY.with(State::TimeWait);
        let wanted = self.steps.rules().map(Rule::states);
        let wanted = wanted.fold(StateSet::EMPTY, StateSet::union);
        self.may_miss_time_wait() && wanted == time_wait
    }

    /// The numbers found; each doubtful event makes at most one pair doubtful.
    const fn tally(&self) -> Tally {
        let (found, doubtful) = (self.summary.matched, self.tally.doubtful);
        let guessed = self.tally.found - self.tally.certain;
        Tally {
            found,
            certain: found.saturating_sub(guessed),
            doubtful,
        }
    }

    /// The verdict of the run; reports the check if that decides it.
    pub(super) fn verdict(
        &self,
        answer: Option<Outcome>,
        is_too_little: bool,
        messages: &mut Messages<'_>,
    ) -> Verdict {
        let query = &self.watching.query;
        // If events are not shown, the check decides.
        let is_incomplete =
            !query.check.wants_answer_alone() && !self.summary.diagnostics.is_complete();
        let came_to = (answer, self.tally());
        let is_trouble = is_too_little || is_incomplete;
        let counted = match self.watching.grouping {
            Grouping::Pair => Counted::Pairs,
            _ => Counted::Steps,
        };
        conclude(query, counted, came_to, is_trouble, messages)
    }
}

/// True if the rule depends on a change between these states to hold at all. Not if it also holds for open
/// connections, which have other events. Only TCP keeps anything of a closed socket.
fn may_miss(rule: &Rule, untold: StateSet) -> bool {
    let is_tcp = rule.table().protocol == Protocol::Tcp;
    let states = rule.states();
    is_tcp && states.intersection(untold) != StateSet::EMPTY && !states.contains(State::Established)
}

#[cfg(test)]
mod tests;
