//! `-s --brief`: the counts and the most severe finding in five lines.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::io::Write as _;

use anstyle::Style;

use crate::model::{Counts, Findings, Protocol, Severity, State, StateCounts};
use crate::text::{counted, escape};

use super::super::style;
use super::super::{Color, Field, grid, paint};
use super::text::{number, of_tcp};
use super::{Totals, findings};

/// The column of the text.
const INDENT: usize = 11;

const BOLD: Style = Style::new().bold();

const NOT_LISTED: &str = "not listed";

/// Writes five lines, cut at the edge of the terminal.
pub(in crate::render) fn write(out: &mut Vec<u8>, totals: &Totals, color: Color) {
    counts(out, totals, color);
    listeners(out, totals, color);
    let most_severe = totals.findings.as_ref().and_then(|all| all.found.first());
    let severe = most_severe.map_or(BOLD, |found| findings::style_of(found.severity));
    let text = of_findings(totals.findings.as_ref());
    line(out, totals, color, ("findings", text, severe));
}

/// The states of TCP, other protocols, and connections that close: a line each.
pub(super) fn counts(out: &mut Vec<u8>, totals: &Totals, color: Color) {
    let counts = &totals.counts;
    line(out, totals, color, ("tcp", of_states(counts), BOLD));
    others(out, totals, color);
    line(out, totals, color, ("closing", of_tcp(counts), BOLD));
}

/// A line of the other protocols.
pub(super) fn others(out: &mut Vec<u8>, totals: &Totals, color: Color) {
    let text = of_others(&totals.counts);
    line(out, totals, color, ("others", text, BOLD));
}

/// A line with the number of listeners and the fullest queue.
pub(super) fn listeners(out: &mut Vec<u8>, totals: &Totals, color: Color) {
    let text = of_listeners(&totals.counts);
    line(out, totals, color, ("listeners", text, BOLD));
}

fn line(
    out: &mut Vec<u8>,
    totals: &Totals,
    color: Color,
    (title, mut text, style): (&str, String, Style),
) {
    let width = totals.layout.width.map_or(usize::MAX, usize::from);
    let width = width.saturating_sub(INDENT);
    if grid::width(&text) > width {
        text = grid::cut(&text, width.saturating_sub(1));
        text.push(totals.layout.signs.more());
    }
    let (style, text) = (color.style(style), paint::text(&text, color));
    // Writing to a Vec cannot fail.
    let _ = writeln!(
        out,
        "{style}{title}{style:#}{:1$}{text}",
        "",
        INDENT - title.len()
    );
}

/// Number of sockets of a protocol; `None` = not read.
fn total(counts: &Counts, protocol: Protocol) -> Option<String> {
    let mut tables = counts.of_protocol(protocol).peekable();
    tables.peek()?;
    Some(number(tables.map(StateCounts::total_told).sum()))
}

/// `312: ESTABLISHED 250, TIME_WAIT 40`, the most frequent state first.
fn of_states(counts: &Counts) -> String {
    let Some(total) = total(counts, Protocol::Tcp) else {
        return NOT_LISTED.to_owned();
    };
    let tables = counts.of_protocol(Protocol::Tcp);
    let states: BTreeSet<State> = tables
        .flat_map(StateCounts::states_told)
        .map(|(state, _)| state)
        .collect();
    let states = states.into_iter();
    let mut states: Vec<_> = states
        .map(|state| (counts.told(Protocol::Tcp, state), state))
        .collect();
    // Unknown numbers may be the largest.
    states.sort_by_key(|(count, _)| (count.is_some(), Reverse(*count)));
    let states = states.into_iter().map(|(count, state)| {
        let state = paint::mark_state(&state.to_string());
        format!("{state} {}", number(count))
    });
    let states: Vec<String> = states.collect();
    let colon = if states.is_empty() { "" } else { ": " };
    format!("{total}{colon}{}", states.join(", "))
}

/// `udp 45, raw 2`, without protocols that have none.
fn of_others(counts: &Counts) -> String {
    let others = Protocol::ALL.into_iter();
    let others = others.filter(|protocol| *protocol != Protocol::Tcp);
    let others: Vec<String> = others
        .filter_map(|protocol| Some(format!("{protocol} {}", total(counts, protocol)?)))
        .collect();
    if others.is_empty() {
        return NOT_LISTED.to_owned();
    }
    let some: Vec<String> = others
        .into_iter()
        .filter(|other| !other.ends_with(" 0"))
        .collect();
    if some.is_empty() {
        "none".to_owned()
    } else {
        some.join(", ")
    }
}

/// `12; fullest queue 129 of 128 at [2001:db8::1]:9000`
fn of_listeners(counts: &Counts) -> String {
    let listeners = &counts.listeners;
    let fullest = listeners.fullest.first().map(|listener| {
        let fields = [Field::RecvQueue, Field::SendQueue, Field::Local];
        let [queue, limit, local] =
            fields.map(|field| style::Style::WORD.text(field, &listener.row()));
        format!("; fullest queue {queue} of {limit} at {local}")
    });
    format!("{}{}", listeners.count, fullest.unwrap_or_default())
}

/// `1 critical, 2 warning: api[812] holds …`
fn of_findings(all: Option<&Findings>) -> String {
    let Some(all) = all else {
        return "not checked".to_owned();
    };
    let Some(first) = all.found.first() else {
        let none = format!("none in {}", counted(all.checked.len(), "check"));
        return all.not_checked().unwrap_or(none);
    };
    let levels = [Severity::Critical, Severity::Warning, Severity::Info];
    let levels = levels.map(|level| {
        let count = all
            .found
            .iter()
            .filter(|found| found.severity == level)
            .count();
        (count, level.name())
    });
    let levels = levels.iter().filter(|(count, _)| *count > 0);
    let unchecked = all.not_checked().map(|_| "some not checked".to_owned());
    let levels = levels.map(|(count, name)| format!("{count} {name}"));
    let levels: Vec<String> = levels.chain(unchecked).collect();
    let netns = first
        .netns
        .as_ref()
        .map(|netns| format!("{}: ", escape(netns)));
    format!(
        "{}: {}{}",
        levels.join(", "),
        netns.unwrap_or_default(),
        first.text
    )
}
