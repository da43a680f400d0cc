//! The bottom of the screen: keys, or a filter that is being written.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::super::grid;
use super::line;
use super::screen::Cursor;

/// What stands at the bottom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Foot {
    /// Which keys there are.
    #[default]
    Keys,
    /// That there are none.
    NoKeys,
    /// A filter that is being written.
    Prompt {
        /// What was written.
        text: String,
        /// How many characters of it are before the cursor.
        cursor: usize,
        /// What is wrong with it.
        error: Option<String>,
    },
}

const KEYS: &str = "q quit  space pause  s sort  / filter  arrows and pages scroll";
const NO_KEYS: &str = "no keys here: a signal ends it";
/// What a filter is written behind.
const PROMPT: &str = "/";

impl Foot {
    /// Its lines on a screen of so many columns and lines, and where the cursor is.
    pub(super) fn lines(&self, width: usize, height: usize) -> (Vec<String>, Option<Cursor>) {
        let plain = |text: &str| line::part(text, 0, width, '>');
        match self {
            Foot::Keys => (vec![plain(KEYS)], None),
            Foot::NoKeys => (vec![plain(NO_KEYS)], None),
            Foot::Prompt {
                text,
                cursor,
                error,
            } => {
                let told = error.iter().flat_map(|text| text.lines());
                let room = height.saturating_sub(1);
                let mut lines: Vec<String> = told.take(room).map(plain).collect();
                let (text, column) = window(text, *cursor, width.saturating_sub(PROMPT.len()));
                lines.push(format!("{PROMPT}{text}"));
                let place = (PROMPT.len() + column, height.saturating_sub(1));
                (lines, Some(place))
            }
        }
    }
}

/// The part of a text in which the cursor is, so many columns wide, and the column of the cursor.
fn window(text: &str, cursor: usize, width: usize) -> (String, usize) {
    let before: String = text.chars().take(cursor).collect();
    // The cursor takes one column, behind the text.
    let hidden = (before.width() + 1).saturating_sub(width);
    let mut chars = text.chars();
    let mut skipped = 0;
    while skipped < hidden {
        let Some(c) = chars.next() else { break };
        skipped += c.width().unwrap_or_default();
    }
    let shown = grid::cut(chars.as_str(), width);
    (shown, before.width().saturating_sub(skipped))
}
