//! Cells of the text formats. Never empty: unknown and none are `-`, an unbound port and an unnamed
//! socket `*`, processes that cannot be told `?`. A name that reads like one of these signs has its
//! first byte escaped.

use std::borrow::Cow;

use crate::model::{Process, ProcessStatus, Row, Shutdown, State, Timer};
use crate::text;

use super::detail;
use super::digits;
use super::value::{Datum, Side, path_parts};
use super::{Column, endpoint};

/// What becomes of blanks inside a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blanks {
    /// They stay, but for those at the edge of a name.
    Keep,
    /// They are written `\x20`: a line has as many words as it has cells.
    Escape,
}

/// Are descriptors shown beside the processes?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Descriptors {
    /// `nginx[812]`
    Hidden,
    /// `nginx[812]{3,4}`
    Shown,
}

/// How cells are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) blanks: Blanks,
    pub(super) descriptors: Descriptors,
}

impl Style {
    /// For `local` and `peer` where the format itself marks the ends of a text.
    pub(super) const QUOTED: Self = Self {
        blanks: Blanks::Keep,
        descriptors: Descriptors::Hidden,
    };

    /// Writes one cell.
    pub(super) fn cell(self, out: &mut Vec<u8>, column: Column, row: &Row<'_>) {
        self.known(out, column, column.get(row), row);
    }

    /// Writes the cell of a value that was read.
    pub(super) fn known(
        self,
        out: &mut Vec<u8>,
        column: Column,
        value: Option<Datum<'_>>,
        row: &Row<'_>,
    ) {
        match (column, value) {
            (Column::LocalPort, _) => endpoint::port(self, out, Side::Local, row),
            (Column::PeerPort, _) => endpoint::port(self, out, Side::Peer, row),
            (Column::LocalAddress, None) => endpoint::unnamed(out, Side::Local, row),
            (Column::PeerAddress, None) => endpoint::unnamed(out, Side::Peer, row),
            (Column::User, None) => match row.socket.uid {
                Some(uid) => digits::integer(out, uid.into()),
                None => out.push(b'-'),
            },
            (Column::Processes, None) if row.process_status == Some(ProcessStatus::Unreadable) => {
                out.push(b'?');
            }
            // Scripts read the word of the vocabulary; it has no blanks.
            (Column::Shutdown, Some(Datum::Word(_))) if self.blanks == Blanks::Keep => {
                shutdown(out, row.socket.shutdown);
            }
            (_, Some(value)) => self.value(out, value, row),
            (_, None) => out.push(b'-'),
        }
    }

    fn value(self, out: &mut Vec<u8>, value: Datum<'_>, row: &Row<'_>) {
        match value {
            Datum::Number(number) => digits::integer(out, number),
            Datum::Word(word) => out.extend_from_slice(word.as_bytes()),
            Datum::State(known) => state(out, known),
            Datum::Hex(id) => digits::hex(out, id),
            Datum::Index(index) => digits::integer(out, index.into()),
            Datum::Ip(address) => digits::ip(out, address),
            Datum::Name(name) => self.lone_name(out, name),
            Datum::Path(name) => self.path(out, name),
            Datum::Timer(known) => timer(out, known),
            Datum::Processes(list) => self.processes(out, list),
            Datum::Info(info) => detail::cell(out, self.separator(), |words| words.info(info)),
            Datum::Memory(memory) => {
                detail::cell(out, self.separator(), |words| words.memory(memory));
            }
            Datum::End(side) => endpoint::write(self, out, side, row),
        }
    }

    /// Between the words of a cell that has several.
    const fn separator(self) -> u8 {
        match self.blanks {
            Blanks::Keep => b' ',
            Blanks::Escape => b',',
        }
    }

    /// Writes a name that is a cell of its own.
    pub(super) fn lone_name(self, out: &mut Vec<u8>, name: &[u8]) {
        match name {
            [] => out.push(b'-'),
            [b'-'] => out.extend_from_slice(b"\\x2d"),
            [b'*'] => out.extend_from_slice(b"\\x2a"),
            [b'?'] => out.extend_from_slice(b"\\x3f"),
            name => self.name(out, name, &[]),
        }
    }

    /// Writes the name of a unix socket.
    pub(super) fn path(self, out: &mut Vec<u8>, name: &[u8]) {
        match path_parts(name) {
            ("", path) => self.lone_name(out, path),
            (first, rest) => {
                out.extend_from_slice(first.as_bytes());
                self.name(out, rest, &[]);
            }
        }
    }

    /// Writes a name that is part of a cell in which some characters have a meaning.
    pub(super) fn name(self, out: &mut Vec<u8>, name: &[u8], meaningful: &[char]) {
        let plain = |c: &u8| c.is_ascii_graphic() && *c != b'\\';
        if name
            .iter()
            .all(|c| plain(c) && !meaningful.contains(&char::from(*c)))
        {
            // What nearly every name is: nothing below would change it.
            return out.extend_from_slice(name);
        }
        let clean = text::escape(name);
        let blanks = match self.blanks {
            Blanks::Escape => true,
            Blanks::Keep => {
                clean.starts_with(char::is_whitespace) || clean.ends_with(char::is_whitespace)
            }
        };
        let clean: Cow<'_, str> = text::escape_also(clean, |c| {
            blanks && c.is_whitespace() || meaningful.contains(&c)
        });
        out.extend_from_slice(clean.as_bytes());
    }

    /// `nginx[812],nginx[813]`: no name can make one process look like two.
    fn processes(self, out: &mut Vec<u8>, list: &[Process]) {
        if list.is_empty() {
            out.push(b'-');
        }
        for (index, process) in list.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.name(out, &process.name, &[',', '[', ']', '{', '}']);
            out.push(b'[');
            digits::integer(out, process.pid.into());
            out.push(b']');
            if self.descriptors == Descriptors::Shown {
                out.push(b'{');
                integers(out, &process.fds, b',');
                out.push(b'}');
            }
        }
    }
}

/// Writes numbers one after the other.
pub(super) fn integers(out: &mut Vec<u8>, numbers: &[u32], separator: u8) {
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            out.push(separator);
        }
        digits::integer(out, (*number).into());
    }
}

/// A half-close in words: what this end can still do.
fn shutdown(out: &mut Vec<u8>, shutdown: Option<Shutdown>) {
    let text = match shutdown {
        Some(half @ (Shutdown::Receive | Shutdown::Send)) => half.words(),
        Some(whole @ (Shutdown::None | Shutdown::Both)) => whole.name(),
        None => "-",
    };
    out.extend_from_slice(text.as_bytes());
}

/// `LISTEN`, `UNKNOWN(14)`.
pub(super) fn state(out: &mut Vec<u8>, state: State) {
    out.extend_from_slice(state.name().as_bytes());
    if let State::Unknown(code) = state {
        out.push(b'(');
        digits::integer(out, code.into());
        out.push(b')');
    }
}

/// `keepalive(119min,0)`: which, when it fires, how often it did in vain.
fn timer(out: &mut Vec<u8>, timer: Timer) {
    out.extend_from_slice(timer.kind.name().as_bytes());
    out.push(b'(');
    text::push_millis(out, timer.expires_ms.into());
    out.push(b',');
    digits::integer(out, timer.retransmits.into());
    out.push(b')');
}
