//! Emphasis of the number of sockets in a state.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::model::State;

/// A level of emphasis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// No socket.
    None,
    /// Fewer than a tenth of all sockets.
    Few,
    /// A tenth or more, in a state where connections may stay.
    Many,
    /// A tenth or more, where connections should not linger, or wait for their own program.
    Lingering,
    /// Likewise half or more.
    Stuck,
}

impl Weight {
    /// The level of a count in a state.
    pub(super) const fn of(state: State, count: u64, total: u64) -> Self {
        let passing = !matches!(
            state,
            State::Bound | State::Listen | State::Established | State::TimeWait
        );
        match (count, passing) {
            (0, _) => Self::None,
            _ if count.saturating_mul(10) < total => Self::Few,
            (_, false) => Self::Many,
            _ if count.saturating_mul(2) < total => Self::Lingering,
            _ => Self::Stuck,
        }
    }

    /// Its style on a terminal.
    pub(super) const fn style(self) -> Style {
        match self {
            Self::None => Style::new().dimmed(),
            Self::Few => Style::new(),
            Self::Many => Style::new().bold(),
            Self::Lingering => AnsiColor::Yellow.on_default().bold(),
            Self::Stuck => AnsiColor::Red.on_default().bold(),
        }
    }

    /// Its class in a style sheet.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Few => "few",
            Self::Many => "many",
            Self::Lingering => "lingering",
            Self::Stuck => "stuck",
        }
    }
}

/// `9,999,999`, then millions: `12.3M`; `?` = unknown.
pub(super) fn number(count: Option<u64>) -> String {
    let Some(count) = count else {
        return "?".to_owned();
    };
    // Capacity for any number: the number of allocations does not depend on it.
    let mut text = String::with_capacity(32);
    let (millions, thousands, ones) = (count / 1_000_000, count / 1_000 % 1_000, count % 1_000);
    // Writing to a String cannot fail.
    let _ = match (millions, thousands) {
        (10.., _) => write!(text, "{millions}.{}M", thousands / 100),
        (0, 0) => write!(text, "{ones}"),
        (0, _) => write!(text, "{thousands},{ones:03}"),
        _ => write!(text, "{millions},{thousands:03},{ones:03}"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_fit_their_boxes() {
        for (count, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (45_006, "45,006"),
            (9_999_999, "9,999,999"),
            (10_000_000, "10.0M"),
            (12_345_678, "12.3M"),
            (4_294_967_295, "4294.9M"),
        ] {
            assert_eq!(number(Some(count)), text);
            assert!(text.len() <= "#########".len());
        }
        assert_eq!(number(None), "?");
    }
}
