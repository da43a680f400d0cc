//! `--by`: one row for each group of sockets, with counts, states and sums.
//!
//! Memory grows with the number of groups, not of sockets. A socket of several processes belongs to the group
//! of each.

mod cells;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;

use super::format::{Objects, Records, key, member, members};
use super::grid::{self, Grid};
use super::out::Out;
use super::{Envelope, Field, Format, Layout, Repetition, Sink, digits};
use crate::fields::Datum;
use crate::model::{Row, State, StateSet, Structure, Summary};
use cells::{Common, common, datum, name, shown, title, value};

/// Grouping fields, and the order of groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Groups {
    /// The fields whose values define groups.
    pub by: Vec<Field>,
    /// Sort keys, true for descending; empty = the largest groups first.
    pub sort: Vec<(GroupKey, bool)>,
    /// The states that the listed sockets can have; each group counts its sockets in each.
    pub states: StateSet,
    /// Maximum number of groups.
    pub limit: Option<usize>,
    /// True if rows have rates.
    pub rates: bool,
}

/// A column of groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKey {
    /// A grouping field, by index.
    Field(usize),
    /// Number of sockets.
    Count,
    /// Number of sockets in a state.
    State(State),
    /// A sum, by its index in [`Groups::measures`].
    Measure(usize),
}

impl Groups {
    /// The sums of each group: bytes in queues of sockets that do not listen, and values of `tcp_info`. Of
    /// the round-trip time it is the maximum.
    pub fn measures(&self) -> Vec<Field> {
        let of_tcp = ["bytes_acked", "bytes_received", "total_retrans", "rtt"];
        let parts = Structure::TcpInfo.fields().iter();
        let parts = parts.filter(|part| of_tcp.contains(&part.name));
        let queues = [Field::RecvQueue, Field::SendQueue].into_iter();
        let rates = Field::RATES.into_iter().filter(|_| self.rates);
        let parts = parts.map(Field::InfoPart).chain(rates);
        let mut measures: Vec<Field> = queues.chain(parts).collect();
        // The only one that is not a sum comes last.
        measures.sort_by_key(|field| field.own_name() == "rtt");
        measures
    }

    /// The fields needed of every row.
    pub fn fields(&self) -> Vec<Field> {
        let measures = self.measures();
        let others = measures
            .into_iter()
            .filter(|field| !self.by.contains(field));
        self.by.iter().copied().chain(others).collect()
    }

    /// The column that a word names.
    pub fn key(&self, word: &str) -> Option<GroupKey> {
        let is_name = |field: &Field| {
            word == field.own_name()
                || word == field.path()
                || field.aliases().any(|alias| alias == word)
        };
        if word == "count" {
            return Some(GroupKey::Count);
        }
        if let Some(place) = self.by.iter().position(is_name) {
            return Some(GroupKey::Field(place));
        }
        if let Some(place) = self.measures().iter().position(is_name) {
            return Some(GroupKey::Measure(place));
        }
        let name = word.to_ascii_uppercase();
        State::all_named()
            .find(|state| state.name() == name)
            .map(GroupKey::State)
    }
}

#[derive(Debug)]
struct Group {
    common: Vec<Common>,
    /// The same as members of an object.
    members: Vec<u8>,
    count: u64,
    states: Vec<(State, u64)>,
    measures: Vec<Option<u64>>,
}

impl Group {
    fn in_state(&self, state: State) -> u64 {
        let known = self.states.iter().find(|(known, _)| *known == state);
        known.map_or(0, |(_, count)| *count)
    }

    fn add(&mut self, row: &Row<'_>, measures: &[Field]) {
        let state = row.socket.state;
        self.count += 1;
        match self.states.iter_mut().find(|(known, _)| *known == state) {
            Some((_, count)) => *count += 1,
            None => self.states.push((state, 1)),
        }
        let is_listener = state == State::Listen;
        for (field, sum) in measures.iter().zip(&mut self.measures) {
            let Some(Datum::Number(value)) = field.get(row) else {
                continue;
            };
            match field {
                Field::RecvQueue | Field::SendQueue if is_listener => {}
                Field::InfoPart(part) if part.name == "rtt" => *sum = (*sum).max(Some(value)),
                _ => *sum = Some(sum.unwrap_or_default().saturating_add(value)),
            }
        }
    }
}

/// Collects rows, and writes their groups at the end.
pub struct Grouped<'w> {
    groups: Groups,
    measures: Vec<Field>,
    format: Format,
    layout: Layout,
    envelope: Envelope,
    found: HashMap<Vec<u8>, Group>,
    out: Option<Out<'w>>,
}

impl<'w> Grouped<'w> {
    /// Writes to `out` in a format.
    pub fn new(
        groups: Groups,
        format: Format,
        layout: Layout,
        envelope: Envelope,
        out: Box<dyn io::Write + 'w>,
    ) -> Self {
        Self {
            measures: groups.measures(),
            groups,
            format,
            layout,
            envelope,
            found: HashMap::new(),
            out: Some(Out::new(out)),
        }
    }

    /// The states with a column: those that sockets can have, and others that occur.
    fn states(&self, groups: &[Group]) -> Vec<State> {
        let is_text = self.format.is_text();
        let is_there = |state: State| groups.iter().any(|group| group.in_state(state) > 0);
        let known = State::all_named().filter(|state| self.groups.states.contains(*state));
        let mut states: Vec<State> = known.filter(|state| !is_text || is_there(*state)).collect();
        let seen = groups.iter().flat_map(|group| &group.states);
        let mut others: Vec<State> = seen
            .map(|(state, _)| *state)
            .filter(|state| !states.contains(state))
            .collect();
        others.sort_unstable();
        others.dedup();
        states.extend(others);
        states
    }

    fn compare(&self, a: &Group, b: &Group) -> Ordering {
        let common = |place: usize, descending: bool| {
            let [a, b] = [a, b].map(|group| group.common.get(place));
            let lacks = |of: Option<&Common>| of.is_none_or(|of| !of.is_known);
            let order = match (a, b) {
                (Some(a), Some(b)) => a.number.cmp(&b.number).then_with(|| a.plain.cmp(&b.plain)),
                _ => Ordering::Equal,
            };
            let order = if descending { order.reverse() } else { order };
            lacks(a).cmp(&lacks(b)).then(order)
        };
        let numbers = |a: Option<u64>, b: Option<u64>, descending: bool| {
            let order = a.cmp(&b);
            let order = if descending { order.reverse() } else { order };
            // Unknown values come last.
            a.is_none().cmp(&b.is_none()).then(order)
        };
        let usual = [(GroupKey::Count, true)];
        let keys = if self.groups.sort.is_empty() {
            &usual[..]
        } else {
            &self.groups.sort
        };
        let mut orders = keys.iter().map(|(key, descending)| match *key {
            GroupKey::Field(place) => common(place, *descending),
            GroupKey::Count => numbers(Some(a.count), Some(b.count), *descending),
            GroupKey::State(state) => numbers(
                Some(a.in_state(state)),
                Some(b.in_state(state)),
                *descending,
            ),
            GroupKey::Measure(place) => {
                let [a, b] = [a, b].map(|group| group.measures.get(place).copied().flatten());
                numbers(a, b, *descending)
            }
        });
        let order = orders
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal);
        let places = 0..self.groups.by.len();
        order.then_with(|| {
            places
                .map(|place| common(place, false))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        })
    }

    fn write_text(&self, mut out: Out<'_>, groups: &[Group], states: &[State]) -> io::Result<()> {
        let by = self
            .groups
            .by
            .iter()
            .map(|field| (field.title(), field.is_right()));
        let states_titles = states.iter().map(|state| (state.to_string(), true));
        let measures = self.measures.iter().map(|field| (title(*field), true));
        let titles: Vec<(String, bool)> = by
            .chain([("COUNT".to_owned(), true)])
            .chain(states_titles)
            .chain(measures)
            .collect();
        let mut lines = Vec::new();
        self.envelope.begin_text(&mut out.buffer);
        if self.layout.header.is_shown() {
            lines.push(
                titles
                    .iter()
                    .map(|(title, _)| title.clone())
                    .collect::<Vec<_>>(),
            );
        }
        for group in groups {
            let common = group.common.iter().map(|of| of.shown.clone());
            let counts = states
                .iter()
                .map(|state| group.in_state(*state).to_string());
            let measures = self
                .measures
                .iter()
                .zip(&group.measures)
                .map(|(field, sum)| {
                    let mut text = Vec::new();
                    match sum {
                        Some(sum) if field.has_unit_in_text() => {
                            digits::number(&mut text, *sum, *field, b',');
                        }
                        Some(sum) => digits::integer(&mut text, *sum),
                        None => text.push(b'-'),
                    }
                    String::from_utf8_lossy(&text).into_owned()
                });
            let cells = common
                .chain([group.count.to_string()])
                .chain(counts)
                .chain(measures);
            lines.push(cells.collect());
        }
        let mut rights: Vec<bool> = titles.iter().map(|(_, is_right)| *is_right).collect();
        if self.layout.width.is_some() {
            self.leave_out_empty(&mut lines, &mut rights);
        }
        let widths = rights.iter().enumerate().map(|(place, is_right)| {
            let cells = lines.iter().filter_map(|line| line.get(place));
            (
                cells
                    .map(|text| grid::width(text))
                    .max()
                    .unwrap_or_default(),
                *is_right,
            )
        });
        let mut grid = Grid::new(widths);
        grid.fold = self.layout.width.map(usize::from);
        for line in lines {
            out.buffer
                .extend_from_slice(grid.line(&line).trim_end().as_bytes());
            out.buffer.push(b'\n');
        }
        out.finish()
    }

    /// Drops states that no group has, and sums that are unknown or 0.
    fn leave_out_empty(&self, lines: &mut [Vec<String>], rights: &mut Vec<bool>) {
        let header = usize::from(self.layout.header.is_shown());
        let kept = self.groups.by.len() + 1;
        for place in (kept..rights.len()).rev() {
            let mut cells = lines.iter().skip(header).filter_map(|line| line.get(place));
            if cells.all(|cell| matches!(&**cell, "-" | "0")) {
                rights.remove(place);
                for line in &mut *lines {
                    line.remove(place);
                }
            }
        }
    }

    fn write_csv(&self, out: Out<'_>, groups: &[Group], states: &[State]) -> io::Result<()> {
        let mut records = Records::new(out, self.format);
        let leading = self.envelope.leading(false);
        if self.layout.header.is_shown() && self.envelope.repetition != Repetition::Later {
            records.texts(leading.iter().map(|(name, _)| name));
            records.texts(self.groups.by.iter().map(|field| name(*field)));
            records.text("count");
            records.texts(states.iter().map(ToString::to_string));
            records.texts(self.measures.iter().map(|field| field.own_name()));
            records.close();
        }
        for group in groups {
            records.leading(&leading);
            records.texts(group.common.iter().map(|of| &of.plain));
            records.number(Some(group.count));
            for state in states {
                records.number(Some(group.in_state(*state)));
            }
            for sum in &group.measures {
                records.number(*sum);
            }
            if records.end()?.is_break() {
                break;
            }
        }
        records.flush()
    }

    fn write_object(&self, out: &mut Vec<u8>, group: &Group, states: &[State]) {
        members(out, &group.members);
        member(out, "count", group.count);
        key(out, "states");
        out.push(b'{');
        for state in states {
            member(out, &state.to_string(), group.in_state(*state));
        }
        out.push(b'}');
        for (field, sum) in self.measures.iter().zip(&group.measures) {
            member(out, field.own_name(), *sum);
        }
    }
}

impl Sink for Grouped<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        let is_of_processes = |field: &Field| {
            field.structure() == Some(Field::Processes) || *field == Field::Processes
        };
        let each = self.groups.by.iter().any(is_of_processes);
        let processes = row.processes.filter(|_| each).unwrap_or_default();
        let processes = processes
            .iter()
            .map(Some)
            .chain(processes.is_empty().then_some(None));
        let mut of_row: Vec<Vec<u8>> = Vec::new();
        for process in processes {
            let mut key = b"{".to_vec();
            for field in &self.groups.by {
                let datum = datum(*field, row, process);
                member(&mut key, &name(*field), value(*field, datum, row));
            }
            let members = key.split_off(1);
            key.clone_from(&members);
            if self.format.is_text() {
                // Text distinguishes unknown from none.
                for field in &self.groups.by {
                    key.extend(shown(*field, row, process).bytes());
                }
            }
            if of_row.contains(&key) {
                continue;
            }
            let measures = &self.measures;
            let by = &self.groups.by;
            let group = self.found.entry(key.clone()).or_insert_with(|| Group {
                common: by
                    .iter()
                    .map(|field| common(*field, row, process))
                    .collect(),
                members,
                count: 0,
                states: Vec::new(),
                measures: vec![None; measures.len()],
            });
            group.add(row, measures);
            of_row.push(key);
        }
        Ok(ControlFlow::Continue(()))
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let mut groups: Vec<Group> = std::mem::take(&mut self.found).into_values().collect();
        groups.sort_by(|a, b| self.compare(a, b));
        let states = self.states(&groups);
        let most = self.groups.limit.unwrap_or(usize::MAX);
        let limited = groups.len() > most;
        groups.truncate(most);
        let Some(out) = self.out.take() else {
            return Ok(());
        };
        match self.format {
            Format::Csv | Format::CsvSafe => self.write_csv(out, &groups, &states),
            Format::Json | Format::Ndjson => {
                let (objects, leading) = if self.format == Format::Json {
                    (Objects::document("groups", &self.envelope, out), Vec::new())
                } else {
                    (Objects::lines(out), self.envelope.leading_members(false))
                };
                let summary = Summary {
                    limited,
                    ..summary.clone()
                };
                objects.all(&groups, &summary, |out, group| {
                    members(out, &leading);
                    self.write_object(out, group, &states);
                })
            }
            _ => self.write_text(out, &groups, &states),
        }
    }
}
