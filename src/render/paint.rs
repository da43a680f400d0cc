//! Colors. The layout uses zero-width marks, which become escape sequences afterwards, or nothing. Text from
//! outside cannot contain a mark: [`crate::text::escape`] writes these characters as `\xHH`.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};

use super::grid;
use crate::model::{Change, OtherState, State};

/// Starts the first line of a row.
pub(super) const ROW: char = '\u{2066}';
/// A cell may be wrapped here.
pub(super) const BREAK: char = '\u{2067}';
/// Starts a state, or the kind given by the next mark.
const MARK: char = '\u{2068}';
/// The processes of a socket.
const OWNER: char = '\u{202a}';
/// A warning.
const ALARM: char = '\u{202b}';
/// Ends the marked text.
const END: char = '\u{2069}';

/// The style of a warning.
const LOUD: Style = AnsiColor::Red.on_default().bold();

/// The use of colors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Color {
    /// No escape sequences.
    #[default]
    Never,
    /// Colors for states and the header.
    Always,
}

impl Color {
    pub(super) const fn style(self, style: Style) -> Style {
        match self {
            Self::Never => Style::new(),
            Self::Always => style,
        }
    }
}

pub(super) fn mark_state(name: &str) -> String {
    format!("{MARK}{name}{END}")
}

pub(super) fn mark_owner(text: &str) -> String {
    format!("{MARK}{OWNER}{text}{END}")
}

/// Marks a text as a warning, if it `is_alarm`.
pub(super) fn mark_alarm(text: String, is_alarm: bool) -> String {
    if is_alarm {
        format!("{MARK}{ALARM}{text}{END}")
    } else {
        text
    }
}

/// Marks where a text may be wrapped: after commas, slashes and blanks.
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

/// Appends a line of the layout with colors for marks, without trailing blanks.
pub(super) fn line(out: &mut Vec<u8>, line: &str, color: Color) {
    let painted = text(line, color);
    out.extend_from_slice(painted.trim_end_matches(' ').as_bytes());
    out.push(b'\n');
}

/// Replaces the marks of a text by colors.
pub(super) fn text(line: &str, color: Color) -> String {
    let mut painted = String::with_capacity(line.len() + 16);
    let mut parts = line.split(MARK);
    plain(&mut painted, parts.next().unwrap_or_default());
    for part in parts {
        let (marked, rest) = part.split_once(END).unwrap_or((part, ""));
        let (style, name) = match (marked.strip_prefix(OWNER), marked.strip_prefix(ALARM)) {
            (Some(owner), _) => (AnsiColor::Cyan.on_default(), owner),
            (_, Some(alarm)) => (LOUD, alarm),
            _ => (
                State::from_name(marked).map_or(Style::new(), style_of),
                marked,
            ),
        };
        let style = color.style(style);
        // Writing to a String cannot fail.
        let _ = write!(painted, "{style}{name}{style:#}");
        plain(&mut painted, rest);
    }
    painted
}

pub(super) fn header(out: &mut Vec<u8>, line: &str, color: Color) {
    let title = title(line.trim_end_matches(' '), color);
    out.extend_from_slice(title.as_bytes());
    out.push(b'\n');
}

pub(super) fn title(text: &str, color: Color) -> String {
    whole(text, Style::new().bold(), color)
}

pub(super) fn alarm(text: &str, color: Color) -> String {
    whole(text, LOUD, color)
}

/// The width of a painted text.
pub(super) fn width(painted: &str) -> usize {
    let mut parts = painted.split('\u{1b}');
    let first = parts.next().unwrap_or_default();
    let rest = parts.map(|part| part.split_once('m').map_or("", |(_, text)| text));
    std::iter::once(first).chain(rest).map(grid::width).sum()
}

/// The text of a row in the color of its change; of an unchanged row, with the colors of its parts.
pub(super) fn change(line: &str, change: Change, color: Color) -> String {
    let style = match change {
        Change::None | Change::Found => return text(line, color),
        Change::New => AnsiColor::Green.on_default().bold(),
        Change::Changed(_) => AnsiColor::Yellow.on_default().bold(),
        Change::Gone => AnsiColor::Red.on_default(),
    };
    whole(line, style, color)
}

/// The text of the selected row.
pub(super) fn selected(text: &str, color: Color) -> String {
    whole(text, Style::new().invert(), color)
}

/// A text in one style, without those of its parts.
fn whole(text: &str, style: Style, color: Color) -> String {
    let style = color.style(style);
    format!("{style}{}{style:#}", bare(text))
}

/// A text without marks.
pub(super) fn bare(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    plain(&mut bare, text);
    bare
}

fn plain(out: &mut String, text: &str) {
    out.extend(
        text.chars()
            .filter(|c| !matches!(*c, ROW | BREAK | MARK | END)),
    );
}

/// Green is open, blue is listening, yellow is opening, magenta is closing. Red needs attention: the program
/// has not closed its end.
const fn style_of(state: State) -> Style {
    let color = match state {
        State::Established => AnsiColor::Green,
        State::Listen => AnsiColor::Blue,
        State::SynSent
        | State::SynRcvd
        | State::Other(OtherState::CookieWait | OtherState::CookieEchoed) => AnsiColor::Yellow,
        State::CloseWait => AnsiColor::Red,
        State::FinWait1 | State::FinWait2 | State::Closing | State::LastAck | State::Other(_) => {
            AnsiColor::Magenta
        }
        State::TimeWait => AnsiColor::BrightBlack,
        State::Unknown(_) => return AnsiColor::Red.on_default().bold(),
        State::Closed | State::Bound | State::Unconn => return Style::new(),
    };
    color.on_default()
}
