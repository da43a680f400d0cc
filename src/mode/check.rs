//! Checks: `--expect`, `--quiet` and their exit status.

mod words;

use super::Messages;
use crate::error::Error;
use crate::exit::Verdict;
use crate::filter::Decision;
use crate::query::{Check, Count, Query};

pub(super) use words::{Counted, sentence};

/// Runs a check. With `-q`, messages are only written if they explain why there is no answer.
pub(super) fn checked(
    check: &Check,
    messages: &mut Messages<'_>,
    run: impl FnOnce(&mut Messages<'_>) -> Result<Verdict, Error>,
) -> Result<Verdict, Error> {
    if !check.quiet {
        return run(messages);
    }
    let mut kept = Vec::new();
    let verdict = run(&mut Messages::new(messages.program, &mut kept))?;
    if verdict == Verdict::Trouble {
        messages.pass_on(&kept);
    }
    Ok(verdict)
}

/// Reports a check that fails, or has no answer.
pub(super) fn tell(outcome: Outcome, sentence: &str, messages: &mut Messages<'_>) {
    match outcome {
        Outcome::Holds => {}
        Outcome::Fails => messages.error(sentence),
        Outcome::Unknown => messages.error(&format!("undecided: {sentence}")),
    }
}

/// Reports the outcome of a query's check, and returns the verdict.
pub(super) fn conclude(
    query: &Query,
    counted: Counted,
    (outcome, tally): (Option<Outcome>, Tally),
    is_trouble: bool,
    messages: &mut Messages<'_>,
) -> Verdict {
    if let (Some(expected), Some(outcome)) = (query.check.expected, outcome) {
        tell(
            outcome,
            &sentence(query, expected, counted, tally),
            messages,
        );
    }
    verdict(outcome, is_trouble)
}

/// The verdict of a check; trouble with the run takes precedence.
pub(super) const fn verdict(outcome: Option<Outcome>, is_trouble: bool) -> Verdict {
    match outcome {
        _ if is_trouble => Verdict::Trouble,
        Some(Outcome::Unknown) => Verdict::Trouble,
        Some(Outcome::Fails) => Verdict::Failed,
        Some(Outcome::Holds) | None => Verdict::Done,
    }
}

/// Numbers of matching sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Sockets that match, as far as known: these are shown.
    pub(super) found: u64,
    pub(super) certain: u64,
    /// Sockets for which it is unknown.
    pub(super) doubtful: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Holds,
    Fails,
    Unknown,
}

impl Tally {
    pub(super) fn add(&mut self, decision: Decision) {
        self.add_many(decision, 1);
    }

    /// Adds `count` sockets with the same decision.
    pub(super) fn add_many(&mut self, decision: Decision, count: u64) {
        self.found += count * u64::from(decision.held() == Some(true));
        self.certain += count * u64::from(decision == Decision::Yes);
        self.doubtful += count * u64::from(matches!(decision, Decision::CannotTell { .. }));
    }

    /// Doubtful and possibly missing sockets are counted both ways.
    pub(super) fn outcome(&self, expected: Count, is_complete: bool) -> Outcome {
        let least = self.certain;
        let most = is_complete.then_some(self.certain + self.doubtful);
        let is_less = most.is_some_and(|most| most < expected.least);
        if is_less || expected.is_exceeded(least) {
            return Outcome::Fails;
        }
        let is_limited = expected.most.is_some();
        let may_exceed = most.map_or(is_limited, |most| expected.is_exceeded(most));
        if least < expected.least || may_exceed {
            return Outcome::Unknown;
        }
        Outcome::Holds
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Tally, verdict};
    use crate::exit::Verdict;
    use crate::filter::Decision;
    use crate::query::Count;

    fn tally(certain: u64, doubtful: u64) -> Tally {
        Tally {
            found: certain,
            certain,
            doubtful,
        }
    }

    fn outcome(text: &str, tally: Tally, is_complete: bool) -> Outcome {
        let expected = Count::parse(text).unwrap_or(Count::SOME);
        tally.outcome(expected, is_complete)
    }

    #[test]
    fn whole_list_holds_or_fails() {
        for (text, found, expected) in [
            ("1..", 1, Outcome::Holds),
            ("1..", 0, Outcome::Fails),
            ("0", 0, Outcome::Holds),
            ("0", 1, Outcome::Fails),
            ("2..4", 1, Outcome::Fails),
            ("2..4", 3, Outcome::Holds),
            ("2..4", 5, Outcome::Fails),
        ] {
            assert_eq!(outcome(text, tally(found, 0), true), expected, "{text}");
        }
    }

    #[test]
    fn incomplete_list_tells_what_further_sockets_cannot_change() {
        for (text, found, expected) in [
            ("1..", 1, Outcome::Holds),
            ("1..", 0, Outcome::Unknown),
            ("0", 0, Outcome::Unknown),
            ("0", 1, Outcome::Fails),
            ("2..4", 3, Outcome::Unknown),
            ("2..4", 5, Outcome::Fails),
            ("0..", 0, Outcome::Holds),
        ] {
            assert_eq!(outcome(text, tally(found, 0), false), expected, "{text}");
        }
    }

    #[test]
    fn doubtful_sockets_count_both_ways() {
        for (text, certain, doubtful, expected) in [
            ("1..", 0, 1, Outcome::Unknown),
            ("1..", 1, 1, Outcome::Holds),
            ("0", 0, 1, Outcome::Unknown),
            ("0", 1, 1, Outcome::Fails),
            ("3..", 1, 1, Outcome::Fails),
            ("..3", 1, 2, Outcome::Holds),
            ("..3", 1, 3, Outcome::Unknown),
        ] {
            let tally = tally(certain, doubtful);
            assert_eq!(outcome(text, tally, true), expected, "{text}");
        }
    }

    #[test]
    fn a_doubtful_match_is_shown_and_is_no_certain_one() {
        let mut tally = Tally::default();
        let doubtful = [true, false].map(|held| Decision::CannotTell {
            held,
            by_source: true,
        });
        for decision in [Decision::Yes, Decision::No].into_iter().chain(doubtful) {
            tally.add(decision);
        }
        assert_eq!((tally.found, tally.certain, tally.doubtful), (2, 1, 2));
    }

    /// The outcome if the true number may be any of these.
    fn true_outcome(count: &str, mut numbers: impl Iterator<Item = u64> + Clone) -> Outcome {
        let expected = Count::parse(count).unwrap_or(Count::SOME);
        match (
            numbers.clone().all(|number| expected.holds(number)),
            numbers.any(|number| expected.holds(number)),
        ) {
            (true, _) => Outcome::Holds,
            (false, true) => Outcome::Unknown,
            (false, false) => Outcome::Fails,
        }
    }

    #[test]
    fn check_holds_or_fails_whatever_is_doubtful_or_missing() {
        for count in ["0", "1", "3", "0..", "1..", "3..", "..0", "..2", "1..2"] {
            for certain in 0..5 {
                for doubtful in 0..5 {
                    for is_complete in [true, false] {
                        let tally = Tally {
                            found: certain,
                            certain,
                            doubtful,
                        };
                        let most = if is_complete { certain + doubtful } else { 9 };
                        assert_eq!(
                            tally.outcome(Count::parse(count).unwrap_or(Count::SOME), is_complete),
                            true_outcome(count, certain..=most),
                            "{count}: {tally:?}, complete: {is_complete}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn trouble_goes_before_every_outcome() {
        for (outcome, whole) in [
            (None, Verdict::Done),
            (Some(Outcome::Holds), Verdict::Done),
            (Some(Outcome::Fails), Verdict::Failed),
            (Some(Outcome::Unknown), Verdict::Trouble),
        ] {
            assert_eq!(verdict(outcome, false), whole, "{outcome:?}");
            assert_eq!(verdict(outcome, true), Verdict::Trouble, "{outcome:?}");
        }
    }
}
