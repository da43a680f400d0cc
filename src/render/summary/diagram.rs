//! The TCP state machine, drawn after figure 5 of RFC 9293, with the number of sockets in each state.
//!
//! Arrows are labelled event / segment sent. System calls are in lower case, segments in upper case.

use crate::model::{Counts, Protocol, State};

use super::super::weight::{Weight, number};
use super::super::{Layout, Signs};
use super::since::difference;

const WIDTH: u16 = 80;

/// The drawing without numbers.
const DIAGRAM: &str = include_str!("diagram.txt");
/// The placeholder of a number.
const CELL: &str = "#########";
/// The states of the numbers, in the order of the drawing. CLOSED has none: the kernel lists no such socket.
const STATES: [State; 11] = [
    State::Bound,
    State::Listen,
    State::SynSent,
    State::SynRcvd,
    State::Established,
    State::FinWait1,
    State::Closing,
    State::CloseWait,
    State::FinWait2,
    State::TimeWait,
    State::LastAck,
];

/// True if there is TCP and enough room.
pub(super) fn is_possible(counts: &Counts, layout: &Layout) -> bool {
    let has_room = layout.width.is_none_or(|width| width >= WIDTH);
    has_room && counts.of_protocol(Protocol::Tcp).next().is_some()
}

/// Draws it, with the difference from the counts before.
pub(super) fn write(
    out: &mut Vec<u8>,
    (counts, before): (&Counts, Option<&Counts>),
    layout: &Layout,
) {
    let mut drawing = match layout.signs {
        Signs::Unicode => DIAGRAM.to_owned(),
        Signs::Ascii => DIAGRAM.chars().map(ascii).collect(),
    };
    let total = counts.total(Protocol::Tcp);
    for state in STATES {
        let count = counts.told(Protocol::Tcp, state);
        let weight = Weight::of(state, count.unwrap_or_default(), total);
        let style = layout.color.style(weight.style());
        let mut number = number(count);
        let since = before.map(|before| difference((counts, before), Protocol::Tcp, state));
        // Omitted if it does not fit.
        number.extend(since.filter(|since| number.len() + since.len() <= CELL.len()));
        let name = state.name();
        drawing = drawing.replacen(name, &format!("{style}{name}{style:#}"), 1);
        if let Some((before, after)) = drawing.split_once(CELL) {
            let width = if after.starts_with('\n') {
                0
            } else {
                CELL.len()
            };
            drawing = format!("{before}{style}{number:<width$}{style:#}{after}");
        }
    }
    out.extend_from_slice(drawing.as_bytes());
    out.push(b'\n');
}

/// The line or arrow in ASCII.
const fn ascii(sign: char) -> char {
    match sign {
        '─' => '-',
        '│' => '|',
        '┌' | '┐' | '└' | '┘' => '+',
        '▶' => '>',
        '◀' => '<',
        '▼' => 'v',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{CELL, DIAGRAM, STATES, WIDTH, ascii};
    use crate::model::State;

    #[test]
    fn every_state_of_tcp_is_drawn_once() {
        for state in State::NAMED {
            let times = usize::from(state != State::Unconn);
            assert_eq!(DIAGRAM.matches(state.name()).count(), times, "{state}");
        }
        assert_eq!(DIAGRAM.matches(CELL).count(), STATES.len());
    }

    #[test]
    fn every_number_stands_behind_the_name_of_its_state() {
        let named: Vec<_> = DIAGRAM
            .split(CELL)
            .map(|before| before.split_whitespace().next_back())
            .collect();
        let states = STATES.iter().map(|state| Some(state.name()));
        assert!(states.eq(named.into_iter().take(STATES.len())));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for line in DIAGRAM.lines() {
            assert!(line.chars().count() < usize::from(WIDTH), "{line}");
        }
    }

    #[test]
    fn every_sign_has_one_in_ascii() {
        let drawing: String = DIAGRAM.chars().map(ascii).collect();
        assert!(drawing.is_ascii());
        assert_eq!(drawing.chars().count(), DIAGRAM.chars().count());
    }
}
