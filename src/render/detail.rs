//! `tcp_info`, `mptcp_info` and memory as words for people: `cubic rtt:31.2ms rcvbuf:128KiB`.

use crate::model::{Info, InfoField, Memory, Row, State};

use super::measure;
use super::style::Style;
use super::{Extras, Field};

/// What begins a line of details.
pub(super) const INDENT: &[u8] = b"        ";

/// Writes the words of `-i` and `-m` that the row has; nothing where it has none.
pub(super) fn words(out: &mut Vec<u8>, row: &Row<'_>, extras: Extras) {
    let mut words = Words::new(out, b' ');
    if extras.has(Extras::INFO) {
        if let Some(name) = row.socket.congestion() {
            words.congestion(name);
        }
        let infos = [row.socket.tcp_info(), row.socket.mptcp_info()];
        for info in infos.into_iter().flatten() {
            words.info_of(info, row.socket.state);
        }
    }
    if extras.has(Extras::MEMORY)
        && let Some(memory) = row.socket.memory()
    {
        words.memory(memory);
    }
}

/// Writes words as one cell; `-` when there are none.
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

    fn congestion(&mut self, name: &[u8]) {
        self.key("congestion");
        Style::WORD.name(self.out, name, |c| matches!(c, ':' | ','));
    }

    /// Every field that was sent, is not zero and says something.
    pub(super) fn info(&mut self, info: &Info) {
        self.info_of(info, State::Established);
    }

    /// The same; of a listener not the fields that hold its queue and the limit of that, which the
    /// row shows already.
    fn info_of(&mut self, info: &Info, state: State) {
        for (field, value) in info.values() {
            if state == State::Listen && matches!(field.name, "unacked" | "sacked") {
                continue;
            }
            if let Some(value) = value.filter(|value| is_telling(field, *value)) {
                if field.name == "options" {
                    // Words that say what they are, as `ss` writes them.
                    self.begin();
                    measure::number(self.out, value, field, self.separator);
                } else {
                    self.key(field.name);
                    measure::number(self.out, value, field, b',');
                }
            }
        }
    }

    /// Every field that was sent, zeros too: a limit of 0 is news.
    pub(super) fn memory(&mut self, memory: &Memory) {
        for (place, (name, value)) in memory.fields().into_iter().enumerate() {
            if let Some(value) = value {
                self.key(name);
                measure::write(self.out, value.into(), Field::MemoryPart(place).unit());
            }
        }
    }

    fn key(&mut self, name: &str) {
        self.begin();
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b':');
    }
}

/// Not zero, and not said in the row already.
fn is_telling(field: &InfoField, value: u64) -> bool {
    field.name != "state" && value != 0
}
