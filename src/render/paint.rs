//! Colours. The layout sees marks of no width; they become escape sequences afterwards, or nothing.
//! No text from outside can hold a mark: [`crate::text::escape`] writes these characters as `\xHH`.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use crate::model::State;

/// Begins the first line of a row.
pub(super) const ROW: char = '\u{2066}';
/// Here a cell may be broken over lines.
pub(super) const BREAK: char = '\u{2067}';
/// Begins a state.
const STATE: char = '\u{2068}';
/// Ends it.
const END: char = '\u{2069}';

/// Are there colours?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Not one escape byte.
    Never,
    /// States and the header.
    Always,
}

/// Marks the name of a state.
pub(super) fn mark_state(name: &str) -> String {
    format!("{STATE}{name}{END}")
}

/// Marks where a text of several words may be broken: after a comma, a slash or a blank.
pub(super) fn mark_breaks(text: &str) -> String {
    let mut marked = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        marked.push(c);
        if matches!(c, ',' | '/' | ' ') {
            marked.push(BREAK);
        }
    }
    marked
}

/// Appends a line of the layout without trailing blanks and with colours instead of marks.
pub(super) fn line(out: &mut Vec<u8>, line: &str, color: Color) {
    let mut painted = String::with_capacity(line.len() + 16);
    let mut parts = line.split(STATE);
    plain(&mut painted, parts.next().unwrap_or_default());
    for part in parts {
        let (name, rest) = part.split_once(END).unwrap_or((part, ""));
        state(&mut painted, name, color);
        plain(&mut painted, rest);
    }
    out.extend_from_slice(painted.trim_end_matches(' ').as_bytes());
    out.push(b'\n');
}

/// Appends the header.
pub(super) fn header(out: &mut Vec<u8>, line: &str, color: Color) {
    let style = match color {
        Color::Never => Style::new(),
        Color::Always => Style::new().bold(),
    };
    let line = line.trim_end_matches(' ');
    out.extend_from_slice(format!("{style}{line}{style:#}\n").as_bytes());
}

fn plain(out: &mut String, text: &str) {
    out.extend(text.chars().filter(|c| !matches!(*c, ROW | BREAK | END)));
}

fn state(out: &mut String, name: &str, color: Color) {
    let style = match color {
        Color::Never => Style::new(),
        Color::Always => name.parse().map_or(Style::new(), style_of),
    };
    // Writing to a String cannot fail.
    let _ = write!(out, "{style}{name}{style:#}");
}

/// Open is green and waiting for connections blue; opening is yellow, closing magenta. Red needs a
/// look: the program has not closed its end.
const fn style_of(state: State) -> Style {
    let color = match state {
        State::Established => AnsiColor::Green,
        State::Listen => AnsiColor::Blue,
        State::SynSent | State::SynRcvd => AnsiColor::Yellow,
        State::CloseWait => AnsiColor::Red,
        State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck => AnsiColor::Magenta,
        State::TimeWait => AnsiColor::BrightBlack,
        State::Unknown(_) => return AnsiColor::Red.on_default().bold(),
        State::Closed | State::Bound | State::Unconn => return Style::new(),
    };
    color.on_default()
}
