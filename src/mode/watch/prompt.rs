//! A line that is being written: the filter.

use super::event::Input;
use crate::render::view::Scroll;
use crate::text::escape;

/// The line, and where the cursor is.
#[derive(Debug, Default)]
pub(super) struct Prompt {
    text: Vec<char>,
    cursor: usize,
    /// What is wrong with it.
    pub(super) error: Option<String>,
}

/// What a key made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edited {
    /// It is being written.
    Open,
    /// It is to be applied.
    Done,
    /// It is to be forgotten.
    Dropped,
}

impl Prompt {
    /// A line to be changed; the cursor is at its end.
    pub(super) fn new(text: &str) -> Self {
        let text: Vec<char> = text.chars().map(shown).collect();
        Self {
            cursor: text.len(),
            text,
            error: None,
        }
    }

    pub(super) fn text(&self) -> String {
        self.text.iter().collect()
    }

    /// Characters before the cursor.
    pub(super) const fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn key(&mut self, input: Input) -> Edited {
        let end = self.text.len();
        match input {
            Input::Enter => return Edited::Done,
            Input::Escape | Input::Control('c') => return Edited::Dropped,
            Input::Char(c) => {
                self.text.insert(self.cursor, shown(c));
                self.cursor += 1;
            }
            Input::Scroll(Scroll::Left) => self.cursor = self.cursor.saturating_sub(1),
            Input::Scroll(Scroll::Right) => self.cursor = (self.cursor + 1).min(end),
            Input::Scroll(Scroll::First | Scroll::Up) => self.cursor = 0,
            Input::Scroll(Scroll::Last | Scroll::Down) => self.cursor = end,
            Input::Backspace => self.erase_from(self.cursor.saturating_sub(1)),
            Input::Delete if self.cursor < end => _ = self.text.remove(self.cursor),
            Input::Control('u') => self.erase_from(0),
            Input::Control('w') => self.erase_from(self.word()),
            _ => {}
        }
        Edited::Open
    }

    /// Erases what is before the cursor from this place on.
    fn erase_from(&mut self, begin: usize) {
        self.text.drain(begin..self.cursor);
        self.cursor = begin;
    }

    /// Where the word before the cursor begins.
    fn word(&self) -> usize {
        let before = self.text.iter().take(self.cursor).rev();
        let blanks = before.clone().take_while(|c| c.is_whitespace()).count();
        let letters = before.skip(blanks).take_while(|c| !c.is_whitespace());
        self.cursor - blanks - letters.count()
    }
}

/// A character that can be shown as it is, or a sign in its place.
fn shown(c: char) -> char {
    let mut bytes = [0; 4];
    let clean = escape(c.encode_utf8(&mut bytes).as_bytes()).chars().count() == 1;
    if clean || c == '\\' { c } else { '?' }
}

#[cfg(test)]
mod tests {
    use super::{Edited, Prompt};
    use crate::mode::watch::event::Input::{self, Backspace, Char, Control, Delete, Scroll};
    use crate::render::view::Scroll::{First, Last, Left, Right};

    fn edited(text: &str, keys: &[Input]) -> (String, usize) {
        let mut prompt = Prompt::new(text);
        for key in keys {
            assert_eq!(prompt.key(*key), Edited::Open);
        }
        (prompt.text(), prompt.cursor())
    }

    #[test]
    fn characters_come_in_and_go_at_the_cursor() {
        let is = |text: &str, cursor| (text.to_owned(), cursor);
        assert_eq!(edited("", &[Char('a'), Char('b')]), is("ab", 2));
        assert_eq!(edited("ac", &[Scroll(Left), Char('b')]), is("abc", 2));
        assert_eq!(edited("abc", &[Backspace, Backspace]), is("a", 1));
        assert_eq!(edited("abc", &[Scroll(First), Delete]), is("bc", 0));
        assert_eq!(
            edited("a", &[Scroll(First), Backspace, Scroll(Left), Scroll(Left)]),
            is("a", 0)
        );
        assert_eq!(
            edited("a", &[Scroll(Last), Delete, Scroll(Right), Scroll(Right)]),
            is("a", 1)
        );
        assert_eq!(edited("sport = 22 ", &[Control('w')]), is("sport = ", 8));
        assert_eq!(
            edited("sport = 22", &[Scroll(Left), Control('u')]),
            is("2", 0)
        );
        assert_eq!(edited("\u{6f22}b", &[Scroll(Left), Backspace]), is("b", 0));
    }

    #[test]
    fn it_is_applied_or_forgotten() {
        let mut prompt = Prompt::new("a");
        assert_eq!(prompt.key(Input::Enter), Edited::Done);
        assert_eq!(prompt.key(Input::Escape), Edited::Dropped);
        assert_eq!(prompt.key(Control('c')), Edited::Dropped);
    }

    #[test]
    fn what_would_move_the_cursor_by_itself_is_not_shown() {
        assert_eq!(edited("a\u{1b}[2J\u{202e}", &[]).0, "a?[2J?");
        assert_eq!(edited("", &[Char('\u{9b}'), Char('\\')]).0, "?\\");
    }
}
