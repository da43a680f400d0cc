//! Errors in a filter, with their position.

use std::fmt;

use super::Expr;
use crate::text::{escape, width};

pub(super) type Compared = Result<Expr, Refusal>;

/// Why a word is not the required value; the caller knows its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// This was expected instead.
    Expected(String),
    /// It has the right form, but is wrong for this reason.
    Because(String),
}

pub(super) fn expected<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Expected(what.into()))
}

/// A filter that cannot be parsed. Displayed as the reason, the text, and a caret below the word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    /// What was expected, and what was found.
    pub reason: String,
    /// The text, escaped, or the part around the error.
    excerpt: String,
    /// Columns of the excerpt before the error.
    column: usize,
}

/// Characters of the text shown, and how many of them before the error.
const SHOWN: usize = 76;
const BEFORE: usize = 48;
const CUT: &str = "...";

impl FilterError {
    /// An error in the word at this byte of the text.
    pub(super) fn new(text: &str, at: usize, reason: String) -> Self {
        let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
        let nearest = before.char_indices().rev().take(BEFORE);
        let before_start = nearest.last().map_or(0, |(place, _)| place);
        let before_shown = before.get(before_start..).unwrap_or_default();
        let shown = before_shown.chars().count();
        let after_end = after
            .char_indices()
            .nth(SHOWN - shown)
            .map_or(after.len(), |(place, _)| place);
        let mut excerpt = String::new();
        if before_start > 0 {
            excerpt.push_str(CUT);
        }
        excerpt.push_str(&clean(before_shown));
        let column = width(&excerpt);
        excerpt.push_str(&clean(after.get(..after_end).unwrap_or_default()));
        if after_end < after.len() {
            excerpt.push_str(CUT);
        }
        Self {
            reason,
            excerpt,
            column,
        }
    }
}

/// Escapes a text, but keeps the backslashes as typed.
fn clean(text: &str) -> String {
    let pieces: Vec<_> = text
        .split('\\')
        .map(|part| escape(part.as_bytes()))
        .collect();
    pieces.join("\\")
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            reason, excerpt, ..
        } = self;
        let column = self.column;
        write!(f, "{reason}\n  {excerpt}\n  {:column$}^", "")
    }
}

impl std::error::Error for FilterError {}

#[cfg(test)]
mod tests {
    use super::FilterError;

    fn shown(text: &str, at: usize) -> String {
        FilterError::new(text, at, "no".to_owned()).to_string()
    }

    #[test]
    fn a_caret_stands_below_the_word() {
        assert_eq!(shown("sport >= )", 9), "no\n  sport >= )\n           ^");
        assert_eq!(shown("a", 1), "no\n  a\n   ^");
    }

    #[test]
    #[cfg_attr(
        not(feature = "cli"),
        ignore = "the program alone knows wide characters"
    )]
    fn wide_characters_are_two_columns() {
        assert_eq!(shown("\u{6f22} x", 4), "no\n  \u{6f22} x\n     ^");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(
            shown("\u{1b}[2J\\ x", 6),
            "no\n  \\x1b[2J\\ x\n           ^"
        );
    }

    #[test]
    fn a_long_text_is_cut_around_the_place() {
        let text = format!("{}X{}", "a".repeat(100), "b".repeat(100));
        let expected = format!(
            "no\n  ...{}X{}...\n  {}^",
            "a".repeat(48),
            "b".repeat(27),
            " ".repeat(51)
        );
        assert_eq!(shown(&text, 100), expected);
    }
}
