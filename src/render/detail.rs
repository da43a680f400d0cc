//! `tcp_info`, `mptcp_info` and memory as words for people: `congestion:cubic rtt:31.25ms rcvbuf:128KiB`.

use crate::model::{Info, InfoField, Memory, Row, State};

use super::measure;
use super::style::Style;
use super::{Extras, Field, Layout};

/// What begins a line of details.
pub(super) const INDENT: &[u8] = b"        ";

/// What `-i` and `-m` add to a row: what no column shows already.
#[derive(Debug, Default)]
pub(super) struct Details {
    congestion: bool,
    tcp_info: Vec<&'static InfoField>,
    mptcp_info: Vec<&'static InfoField>,
    /// Places in [`Memory::fields`].
    memory: Vec<usize>,
}

impl Details {
    pub(super) fn of(layout: &Layout) -> Self {
        let shown: Vec<Field> = layout.columns.iter().flat_map(|c| c.flat()).collect();
        let structures = [
            (Field::Congestion, Extras::INFO),
            (Field::TcpInfo, Extras::INFO),
            (Field::MptcpInfo, Extras::INFO),
            (Field::Memory, Extras::MEMORY),
        ];
        let wanted = structures.into_iter();
        let wanted = wanted.filter(|(_, extra)| layout.extras.has(*extra));
        let fields = wanted.flat_map(|(structure, _)| structure.flat());
        let mut details = Self::default();
        for field in fields.filter(|field| !shown.contains(field)) {
            match field {
                Field::TcpPart(part) => details.tcp_info.push(part),
                Field::MptcpPart(part) => details.mptcp_info.push(part),
                Field::MemoryPart(place) => details.memory.push(place),
                _ => details.congestion = true,
            }
        }
        details
    }

    pub(super) const fn is_empty(&self) -> bool {
        let has_infos = !self.tcp_info.is_empty() || !self.mptcp_info.is_empty();
        !self.congestion && !has_infos && self.memory.is_empty()
    }

    /// Writes the words that the row has; nothing where it has none.
    pub(super) fn write(&self, out: &mut Vec<u8>, row: &Row<'_>) {
        let socket = row.socket;
        let mut words = Words::new(out, b' ');
        if let Some(name) = socket.congestion().filter(|_| self.congestion) {
            words.key("congestion");
            Style::WORD.name(words.out, name, |c| matches!(c, ':' | ','));
        }
        // Of a listener the row shows its queue and the limit of that.
        let is_listener = socket.state == State::Listen;
        let is_shown = |name| is_listener && matches!(name, "unacked" | "sacked");
        if let Some(info) = socket.tcp_info() {
            let fields = self.tcp_info.iter().copied();
            words.info(info, fields.filter(|field| !is_shown(field.name)));
        }
        if let Some(info) = socket.mptcp_info() {
            words.info(info, self.mptcp_info.iter().copied());
        }
        if let Some(memory) = socket.memory() {
            words.memory(memory, self.memory.iter().copied());
        }
    }
}

/// Writes a structure as one cell; `-` when no part says anything.
pub(super) fn cell(out: &mut Vec<u8>, separator: u8, write: impl FnOnce(&mut Words<'_>)) {
    let start = out.len();
    write(&mut Words::new(out, separator));
    if out.len() == start {
        out.push(b'-');
    }
}

/// Words one after the other.
pub(super) struct Words<'o> {
    out: &'o mut Vec<u8>,
    separator: u8,
    start: usize,
}

impl<'o> Words<'o> {
    fn new(out: &'o mut Vec<u8>, separator: u8) -> Self {
        let start = out.len();
        Self {
            out,
            separator,
            start,
        }
    }

    fn begin(&mut self) {
        if self.out.len() > self.start {
            self.out.push(self.separator);
        }
    }

    /// Every field that was sent, is not zero and says something; not the state, which is in the row.
    pub(super) fn info(&mut self, info: &Info, fields: impl Iterator<Item = &'static InfoField>) {
        for field in fields {
            let Some(value) = info.get(field).filter(|value| *value != 0) else {
                continue;
            };
            match field.name {
                "state" => {}
                // Words that say what they are, as `ss` writes them.
                "options" => {
                    self.begin();
                    measure::number(self.out, value, field, self.separator);
                }
                name => {
                    self.key(name);
                    measure::number(self.out, value, field, b',');
                }
            }
        }
    }

    /// Every field that was sent, zeros too: a limit of 0 is news.
    pub(super) fn memory(&mut self, memory: &Memory, places: impl Iterator<Item = usize>) {
        let fields = memory.fields();
        for place in places {
            if let Some((name, Some(value))) = fields.get(place) {
                self.key(name);
                let unit = Field::MemoryPart(place).unit();
                measure::write(self.out, (*value).into(), unit);
            }
        }
    }

    fn key(&mut self, name: &str) {
        self.begin();
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b':');
    }
}
