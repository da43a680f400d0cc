//! The condition on the matching sockets that decides whether a run succeeds.

use std::time::Duration;

/// A condition and how it is checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Check {
    /// How many must match; `None` = any number.
    pub expected: Option<Count>,
    /// `-q`: print only what explains an exit status of 2.
    pub quiet: bool,
    /// `--strict`: the whole list must be complete, shown or not, including owners.
    pub strict: bool,
    /// `--wait`: retry until the check holds, for at most this long; zero = check once.
    pub wait: Option<Duration>,
}

impl Check {
    /// True if only the exit status matters, and gaps do not.
    pub const fn wants_answer_alone(&self) -> bool {
        self.quiet && !self.strict
    }

    /// True if the run checks anything.
    pub const fn is_asked(&self) -> bool {
        self.expected.is_some() || self.quiet || self.wait.is_some()
    }

    /// The number that must match, if only the exit status matters: reading can stop once the answer is known.
    pub fn only(&self) -> Option<Count> {
        self.expected.filter(|_| self.wants_answer_alone())
    }
}

/// A range of numbers of matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The minimum.
    pub least: u64,
    /// The maximum; `None` = no limit.
    pub most: Option<u64>,
}

impl Count {
    /// At least one.
    pub const SOME: Self = Self {
        least: 1,
        most: None,
    };

    /// Parses `3`, `1..`, `..5` or `2..4`; `None` if malformed or empty.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((least, most)) = text.split_once("..") else {
            let only = number(text)?;
            return Some(Self {
                least: only,
                most: Some(only),
            });
        };
        let count = match (least, most) {
            ("", "") => return None,
            (least, "") => Self {
                least: number(least)?,
                most: None,
            },
            ("", most) => Self {
                least: 0,
                most: Some(number(most)?),
            },
            (least, most) => Self {
                least: number(least)?,
                most: Some(number(most)?),
            },
        };
        count
            .most
            .is_none_or(|most| count.least <= most)
            .then_some(count)
    }

    /// True if `found` matches satisfy the condition.
    pub fn holds(self, found: u64) -> bool {
        self.least <= found && !self.is_exceeded(found)
    }

    /// True if `found` matches are too many.
    pub fn is_exceeded(self, found: u64) -> bool {
        self.most.is_some_and(|most| most < found)
    }

    /// True if the answer is known once `found` match, however many more there are.
    pub fn is_settled(self, found: u64) -> bool {
        match self.most {
            Some(_) => self.is_exceeded(found),
            None => self.least <= found,
        }
    }
}

/// Parses digits only.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::Count;

    const fn count(least: u64, most: Option<u64>) -> Count {
        Count { least, most }
    }

    #[test]
    fn counts_have_an_end_or_two() {
        for (text, expected) in [
            ("3", count(3, Some(3))),
            ("0", count(0, Some(0))),
            ("1..", count(1, None)),
            ("0..", count(0, None)),
            ("..5", count(0, Some(5))),
            ("..0", count(0, Some(0))),
            ("2..4", count(2, Some(4))),
            ("2..2", count(2, Some(2))),
            ("007", count(7, Some(7))),
            (
                "18446744073709551615..",
                count(18_446_744_073_709_551_615, None),
            ),
        ] {
            assert_eq!(Count::parse(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_count_is_refused() {
        for text in [
            "",
            "..",
            "...",
            "1...",
            "4..2",
            "-1",
            "-1..",
            "..-1",
            "+1",
            "1.5",
            "1,2",
            "1-2",
            "x",
            "0x10",
            " 1",
            "1 ",
            "1 ..",
            "1..x",
            "1..2..3",
            "..=3",
            "1_000",
            "\u{0661}",
            "18446744073709551616",
            "1..18446744073709551616",
        ] {
            assert_eq!(Count::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_count_holds_from_the_least_to_the_most() {
        let holds = |text: &str, found| Count::parse(text).is_some_and(|count| count.holds(found));
        for (text, some, others) in [
            ("2..4", &[2, 3, 4][..], &[0, 1, 5][..]),
            ("0", &[0], &[1, 2]),
            ("..1", &[0, 1], &[2]),
            ("2..", &[2, 3, u64::MAX], &[0, 1]),
        ] {
            assert!(some.iter().all(|found| holds(text, *found)), "{text}");
            assert!(!others.iter().any(|found| holds(text, *found)), "{text}");
        }
    }

    #[test]
    fn answer_is_settled_when_no_further_socket_can_change_it() {
        let settled =
            |text: &str, found| Count::parse(text).is_some_and(|count| count.is_settled(found));
        assert!(settled("1..", 1) && !settled("1..", 0));
        assert!(settled("0", 1) && !settled("0", 0));
        assert!(settled("2..4", 5) && !settled("2..4", 3));
        assert!(settled("0..", 0));
    }
}
