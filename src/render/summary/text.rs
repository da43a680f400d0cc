//! The counts as aligned text: by protocol and state, then TCP totals, then listeners.

use std::collections::BTreeSet;
use std::io::Write as _;

use crate::model::{Counts, Family, Protocol, State, StateCounts, Summary};
use crate::text;

use super::super::grid::{Grid, width};
use super::super::style::Style;
use super::super::{Color, Counted, Field, HeaderLine, paint};
use super::Totals;
use super::{findings, since};

/// Stands for every namespace, as in `-N all`.
pub(in crate::render) const ALL: &str = "all";

/// Listeners shown on any screen, if nothing else is shortened.
const LEAST: usize = 3;

/// Explains the queues of a listener.
pub(super) const QUEUES: &str = " (RECV_Q of at most SEND_Q wait for accept)";

const LISTENER: [Field; 5] = [
    Field::Netns,
    Field::Protocol,
    Field::RecvQueue,
    Field::SendQueue,
    Field::Local,
];

/// Writes everything, with findings and as many listeners as fit these lines. If TCP `is_drawn`, its states have no
/// lines.
pub(in crate::render) fn write(
    out: &mut Vec<u8>,
    totals: &Totals,
    summary: &Summary,
    color: Color,
    (is_drawn, lines_of_screen): (bool, Option<usize>),
) {
    let counts = &totals.counts;
    if is_drawn {
        push_of_tcp(out, counts);
        since(out, totals, is_drawn);
        found(out, totals, summary, color);
    }
    let mut lines = titles(["NETNS", "PROTO", "STATE", "TOTAL", "INET", "INET6"]);
    let mut add = |netns: &str, counts| {
        for protocol in Protocol::ALL {
            lines.extend(of_protocol(netns, counts, protocol, is_drawn));
        }
    };
    add(ALL, counts);
    for (netns, counts) in &totals.parts {
        add(&text::escape(netns), counts);
    }
    if is_drawn && lines.len() > 1 {
        out.push(b'\n');
    }
    if !is_drawn || lines.len() > 1 {
        align(out, lines, &[3, 4, 5], "", totals);
    }
    if !is_drawn {
        if counts.of_protocol(Protocol::Tcp).next().is_some() {
            out.push(b'\n');
            push_of_tcp(out, counts);
        }
        since(out, totals, is_drawn);
        found(out, totals, summary, color);
    }
    if counts.listeners.count > 0 {
        out.push(b'\n');
        let written = height(out, 0, totals);
        let room = lines_of_screen.map(|lines| lines.saturating_sub(written).max(LEAST + 2));
        let note = if is_drawn { QUEUES } else { "" };
        listeners(out, totals, note, room.unwrap_or(usize::MAX));
    }
}

/// Writes as many listeners as fit these lines, and the number of the others.
pub(super) fn listeners(out: &mut Vec<u8>, totals: &Totals, note: &str, lines_left: usize) {
    let listeners = &totals.counts.listeners;
    let mut lines = titles(["NETNS", "PROTO", "RECV_Q", "SEND_Q", "LISTENER"]);
    let is_all = listeners.left_out() == 0 && listeners.fullest.len() < lines_left;
    // Besides the titles and the last line.
    let most = lines_left.saturating_sub(if is_all { 1 } else { 2 });
    let shown = listeners.fullest.len().min(most);
    if shown == 0 {
        lines.clear();
    }
    lines.extend(listeners.fullest.iter().take(shown).map(|kept| {
        let cells = LISTENER.map(|column| Style::WORD.text(column, &kept.row()));
        cells.to_vec()
    }));
    align(out, lines, &[2, 3], note, totals);
    let cut = u64::try_from(listeners.fullest.len() - shown).unwrap_or_default();
    more(out, listeners.left_out() + cut, shown == 0);
}

pub(super) fn found(out: &mut Vec<u8>, totals: &Totals, summary: &Summary, color: Color) {
    if let Some(findings) = &totals.findings {
        let is_complete = summary.diagnostics.is_complete();
        findings::write(out, findings, totals, color, is_complete);
    }
}

/// Screen lines of a text, from a byte on.
pub(super) fn height(out: &[u8], begin: usize, totals: &Totals) -> usize {
    let text = String::from_utf8_lossy(out.get(begin..).unwrap_or_default());
    let width = totals.layout.width.map_or(usize::MAX, usize::from).max(1);
    let lines = text.lines().map(|line| match totals.layout.counted {
        // It is cut there.
        Counted::Compared => 1,
        _ => paint::width(line).div_ceil(width).max(1),
    });
    lines.sum()
}

fn titles<const N: usize>(titles: [&str; N]) -> Vec<Vec<String>> {
    vec![titles.map(str::to_owned).to_vec()]
}

/// `?` = unknown.
pub(super) fn number(count: Option<u64>) -> String {
    count.map_or_else(|| "?".to_owned(), |count| count.to_string())
}

/// A line for all states of a protocol, and one for each state that has sockets.
pub(in crate::render) fn of_protocol(
    netns: &str,
    counts: &Counts,
    protocol: Protocol,
    is_drawn: bool,
) -> Vec<Vec<String>> {
    let tables: Vec<&StateCounts> = counts.of_protocol(protocol).collect();
    if tables.is_empty() {
        return Vec::new();
    }
    // A table that was not read has no number, which differs from 0.
    let line = |word: String, count: &dyn Fn(&StateCounts) -> Option<u64>| {
        let family = |family: Family| {
            let table = tables.iter().find(|counts| counts.table.family == family);
            table.map_or_else(|| "-".to_owned(), |table| number(count(table)))
        };
        let total = tables.iter().map(|table| count(table)).sum();
        vec![
            netns.to_owned(),
            protocol.name().to_owned(),
            word,
            number(total),
            family(Family::Inet),
            family(Family::Inet6),
        ]
    };
    if is_drawn && tables.iter().all(|table| table.total_told() == Some(0)) {
        return Vec::new();
    }
    let mut lines = vec![line("all".to_owned(), &|table| table.total_told())];
    let states: BTreeSet<State> = tables
        .iter()
        .flat_map(|table| table.states_told())
        .map(|(state, _)| state)
        .filter(|state| {
            !is_drawn || protocol != Protocol::Tcp || matches!(state, State::Unknown(_))
        })
        .collect();
    for state in states {
        lines.push(line(state.to_string(), &|table| table.told(state)));
    }
    lines
}

/// `TIME_WAIT 3, the last for 57.2s; half-closed 5; orphans 1`
pub(in crate::render) fn of_tcp(counts: &Counts) -> String {
    let rest = counts
        .longest_time_wait_ms
        .map(|rest| text::millis(rest.into()));
    let rest = rest.map_or_else(String::new, |rest| format!(", the last for {rest}"));
    let numbers = [counts.time_wait(), counts.half_closed(), counts.orphans()];
    let [waiting, half_closed, orphans] = numbers.map(number);
    format!("TIME_WAIT {waiting}{rest}; half-closed {half_closed}; orphans {orphans}")
}

/// The changes since the round before, if any. The diagram shows those of TCP.
pub(super) fn since(out: &mut Vec<u8>, totals: &Totals, is_drawn: bool) {
    let Some(before) = &totals.before else { return };
    let width = totals.layout.width.map_or(usize::MAX, usize::from);
    let is_told = |protocol| !is_drawn || protocol != Protocol::Tcp;
    if let Some(changes) = since::changes(&totals.counts, &before.counts, is_told) {
        since::push(out, "changed", &changes, width);
    }
    if totals.findings.is_some() {
        let rates = since::rates(&totals.round(), before);
        since::push(
            out,
            "per second",
            rates.as_deref().unwrap_or("nothing"),
            width,
        );
    }
}

pub(super) fn push_of_tcp(out: &mut Vec<u8>, counts: &Counts) {
    // Writing to a Vec cannot fail.
    let _ = writeln!(out, "{}", of_tcp(counts));
}

/// The number of listeners not shown.
fn more(out: &mut Vec<u8>, count: u64, none_shown: bool) {
    let _ = match (count, none_shown) {
        (0, _) => Ok(()),
        (_, true) => writeln!(out, "{}", text::counted(count, "listener")),
        (_, false) => writeln!(out, "and {count} more"),
    };
}

/// Writes aligned lines below their titles, with numbers to the right. With a single namespace its column is
/// omitted. A note follows the titles if there is room.
fn align(
    out: &mut Vec<u8>,
    mut lines: Vec<Vec<String>>,
    numbers: &[usize],
    note: &str,
    totals: &Totals,
) {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let hidden = usize::from(totals.parts.is_empty());
    let mut grid = Grid::new((hidden..columns).map(|column| (0, numbers.contains(&column))));
    for line in &mut lines {
        line.drain(..hidden);
        grid.widen(line);
    }
    let is_hidden = totals.layout.header == HeaderLine::Hidden;
    for (place, line) in lines.iter().enumerate().skip(usize::from(is_hidden)) {
        let line = grid.line(line);
        out.extend_from_slice(line.as_bytes());
        let most = totals.layout.width.map_or(usize::MAX, usize::from);
        if place == 0 && width(&line) + width(note) <= most {
            out.extend_from_slice(note.as_bytes());
        }
        out.push(b'\n');
    }
}
