//! What is checked of events: how many there were.

use std::ops::ControlFlow;

use super::Watch;
use crate::exit::Verdict;
use crate::filter::Rule;
use crate::mode::Messages;
use crate::mode::check::{Counted, Outcome, Tally, conclude};
use crate::model::{Protocol, State, StateSet};
use crate::render::Grouping;

impl Watch<'_> {
    /// `Break` = as many events as wanted were shown, or there is an answer and nothing else is asked.
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

    /// Does the check hold, if there is one? Steps between two looks are not seen: then there may be
    /// more.
    pub(super) fn answer(&self) -> Option<Outcome> {
        let expected = self.watching.query.check.expected?;
        // No event tells of BOUND.
        let bound = StateSet::EMPTY.with(State::Bound);
        let is_untold = |rule: &Rule| rule.states().union(bound) == bound;
        let is_whole = self.summary.diagnostics.is_complete()
            && !self.summary.sampled
            && !self.may_miss_time_wait()
            && !self.steps.rules().any(is_untold);
        Some(self.tally().outcome(expected, is_whole))
    }

    /// May the filter hold for a step to `TIME_WAIT` that is not told?
    pub(super) fn may_miss_time_wait(&self) -> bool {
        let mut rules = self.steps.rules();
        rules.any(|rule| may_miss(rule, self.untold))
    }

    /// Does it hold for nothing else than steps to and from `TIME_WAIT`, some of which are not told?
    pub(super) fn wants_only_time_wait(&self) -> bool {
        let time_wait = StateSet::EMPTY.with(State::TimeWait);
        let wanted = self.steps.rules().map(Rule::states);
        let wanted = wanted.fold(StateSet::EMPTY, StateSet::union);
        self.may_miss_time_wait() && wanted == time_wait
    }

    /// What is counted, and how much of it for certain: each doubtful step makes one pair doubtful at the most.
    const fn tally(&self) -> Tally {
        let (found, doubtful) = (self.summary.matched, self.tally.doubtful);
        let guessed = self.tally.found - self.tally.certain;
        Tally {
            found,
            certain: found.saturating_sub(guessed),
            doubtful,
        }
    }

    /// What the run came to; tells why, where a check is the reason.
    pub(super) fn verdict(
        &self,
        answer: Option<Outcome>,
        is_too_little: bool,
        messages: &mut Messages<'_>,
    ) -> Verdict {
        let query = &self.watching.query;
        // Of events that are not shown, the answer counts.
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

/// Does it depend on a step between these states, as the socket was before it or is after it, whether the
/// rule holds for anything? Not where it holds for open connections, too: they have other steps. Only TCP keeps
/// something of a socket that is closed.
fn may_miss(rule: &Rule, untold: StateSet) -> bool {
    let is_tcp = rule.table().protocol == Protocol::Tcp;
    let states = rule.states();
    is_tcp && states.intersection(untold) != StateSet::EMPTY && !states.contains(State::Established)
}

#[cfg(test)]
mod tests;
