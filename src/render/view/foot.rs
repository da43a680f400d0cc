//! The bottom of the screen: keys, or a line being typed.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::super::grid;
use super::screen::Cursor;
use super::{Aside, Input, Page, line};
use crate::text::escape;

const KEYS: &str = "q quit  ? help  space pause  s sort  / filter  Enter details";
const ENDING_KEYS: &str = "q quit  ? help  space pause  s sort  / filter  K end  Enter details";
const COUNTS_KEYS: &str = "q quit  ? help  space pause  / filter  arrows scroll";
const GROUPS_KEYS: &str = "q back  ? help  space pause  g next group";
const ASIDE_KEYS: &str = "q back  space pause  arrows and pages scroll";
const NO_KEYS: &str = "keys cannot be read; a signal ends the view";

/// Its lines for this width and height, and the position of the cursor.
pub(super) fn lines(page: &Page, width: usize, height: usize) -> (Vec<String>, Option<Cursor>) {
    let plain = |text: &str| line::part(text, 0, width, '>');
    if let Some(question) = &page.question {
        let text = plain(&format!("{question} [y/N] "));
        let column = (grid::width(&text) + 1).min(width.saturating_sub(1));
        return (vec![text], Some((column, height.saturating_sub(1))));
    }
    let Some(prompt) = &page.prompt else {
        let keys = match &page.aside {
            _ if !page.has_keys => NO_KEYS,
            Some(Aside::Groups { .. }) => GROUPS_KEYS,
            Some(_) => ASIDE_KEYS,
            None if page.counted.is_some() => COUNTS_KEYS,
            None if page.can_end => ENDING_KEYS,
            None => KEYS,
        };
        return (vec![plain(keys)], None);
    };
    let error = prompt.error.iter().flat_map(|text| text.lines());
    let room = height.saturating_sub(1);
    let mut lines: Vec<String> = error.take(room).map(plain).collect();
    let lead = grid::cut(prompt.asked.lead(), width);
    let (text, column) = window(
        &prompt.text(),
        prompt.cursor,
        width.saturating_sub(lead.len()),
    );
    lines.push(format!("{lead}{text}"));
    (lines, Some((lead.len() + column, room)))
}

/// The part of a text around the cursor, of this width, and the column of the cursor.
fn window(text: &str, cursor: usize, width: usize) -> (String, usize) {
    let before: String = text.chars().take(cursor).collect();
    // The cursor takes one column after the text.
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

/// What the user is typing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Asked {
    /// A filter.
    #[default]
    Filter,
    /// A text to search for in rows.
    Text,
}

impl Asked {
    /// The prompt before it.
    const fn lead(self) -> &'static str {
        match self {
            Self::Filter => "/",
            Self::Text => "find: ",
        }
    }
}

/// A line being typed, and the position of the cursor.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    /// What is being typed.
    pub asked: Asked,
    text: Vec<char>,
    /// Characters before the cursor.
    cursor: usize,
    /// What is wrong with it.
    pub error: Option<String>,
}

impl Prompt {
    /// A line to edit; the cursor is at its end.
    pub fn new(asked: Asked, text: &str) -> Self {
        let text: Vec<char> = text.chars().map(shown).collect();
        Self {
            asked,
            cursor: text.len(),
            text,
            error: None,
        }
    }

    /// The typed text.
    pub fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// Handles a key.
    pub fn key(&mut self, input: Input) {
        let end = self.text.len();
        match input {
            Input::Char(c) => {
                self.text.insert(self.cursor, shown(c));
                self.cursor += 1;
            }
            Input::Left => self.cursor = self.cursor.saturating_sub(1),
            Input::Right => self.cursor = (self.cursor + 1).min(end),
            Input::First | Input::Up => self.cursor = 0,
            Input::Last | Input::Down => self.cursor = end,
            Input::Backspace => self.erase_from(self.cursor.saturating_sub(1)),
            Input::Delete if self.cursor < end => _ = self.text.remove(self.cursor),
            Input::Control('u') => self.erase_from(0),
            Input::Control('w') => self.erase_from(self.word()),
            _ => {}
        }
    }

    /// Deletes the text from this position to the cursor.
    fn erase_from(&mut self, begin: usize) {
        self.text.drain(begin..self.cursor);
        self.cursor = begin;
    }

    /// The start of the word before the cursor.
    fn word(&self) -> usize {
        let before = self.text.iter().take(self.cursor).rev();
        let blanks = before.clone().take_while(|c| c.is_whitespace()).count();
        let letters = before.skip(blanks).take_while(|c| !c.is_whitespace());
        self.cursor - blanks - letters.count()
    }
}

/// A printable character, or a replacement.
fn shown(c: char) -> char {
    let mut bytes = [0; 4];
    let clean = escape(c.encode_utf8(&mut bytes).as_bytes()).chars().count() == 1;
    if clean || c == '\\' { c } else { '?' }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Prompt};
    use crate::render::view::Input::{
        self, Backspace, Char, Control, Delete, First, Last, Left, Right,
    };

    fn edited(text: &str, keys: &[Input]) -> (String, usize) {
        let mut prompt = Prompt::new(Asked::Filter, text);
        for key in keys {
            prompt.key(*key);
        }
        (prompt.text(), prompt.cursor)
    }

    #[test]
    fn characters_come_in_and_go_at_the_cursor() {
        let is = |text: &str, cursor| (text.to_owned(), cursor);
        assert_eq!(edited("", &[Char('a'), Char('b')]), is("ab", 2));
        assert_eq!(edited("ac", &[Left, Char('b')]), is("abc", 2));
        assert_eq!(edited("abc", &[Backspace, Backspace]), is("a", 1));
        assert_eq!(edited("abc", &[First, Delete]), is("bc", 0));
        assert_eq!(edited("a", &[First, Backspace, Left, Left]), is("a", 0));
        assert_eq!(edited("a", &[Last, Delete, Right, Right]), is("a", 1));
        assert_eq!(edited("sport = 22 ", &[Control('w')]), is("sport = ", 8));
        assert_eq!(edited("sport = 22", &[Left, Control('u')]), is("2", 0));
        assert_eq!(edited("\u{6f22}b", &[Left, Backspace]), is("b", 0));
    }

    #[test]
    fn what_would_move_the_cursor_by_itself_is_not_shown() {
        assert_eq!(edited("a\u{1b}[2J\u{202e}", &[]).0, "a?[2J?");
        assert_eq!(edited("", &[Char('\u{9b}'), Char('\\')]).0, "?\\");
    }
}
