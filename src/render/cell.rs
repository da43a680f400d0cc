//! Cells of the text formats. They are never empty: `-` is unknown or none, `*` an unbound port or an unnamed
//! socket, `?` unknown processes and cgroups, also after known processes. A name that looks like one of these
//! gets its first byte escaped.

use crate::fields::{Datum, Side, Value};
use crate::model::{Process, ProcessStatus, Row, Shutdown, State, Timer};
use crate::text;

use super::detail;
use super::digits;
use super::style::Style;
use super::{Field, endpoint};

impl Style {
    pub(super) fn cell(self, out: &mut Vec<u8>, column: Field, row: &Row<'_>) {
        self.known(out, column, column.get(row), row);
    }

    pub(super) fn text(self, column: Field, row: &Row<'_>) -> String {
        let mut out = Vec::new();
        self.cell(&mut out, column, row);
        String::from_utf8_lossy(&out).into_owned()
    }

    pub(super) fn known(
        self,
        out: &mut Vec<u8>,
        column: Field,
        value: Option<Datum<'_>>,
        row: &Row<'_>,
    ) {
        match (column, value) {
            (Field::LocalPort, _) => endpoint::port(self, out, Side::Local, row),
            (Field::PeerPort, _) => endpoint::port(self, out, Side::Peer, row),
            (Field::LocalAddress, None) => endpoint::unnamed(out, Side::Local, row),
            (Field::PeerAddress, None) => endpoint::unnamed(out, Side::Peer, row),
            (Field::User, None) => match row.socket.uid {
                Some(uid) => digits::integer(out, uid.into()),
                None => out.push(b'-'),
            },
            (unknown, None) if is_unknown(unknown, row) => out.push(b'?'),
            (place, Some(value)) if place.is_place() => {
                self.value(out, value, row);
                match place.process_status(row) {
                    Some(ProcessStatus::Partial) => out.extend_from_slice(b",?"),
                    Some(status) if status.is_unknown() => out.push(b'?'),
                    _ => {}
                }
            }
            (part, Some(Datum::Number(number))) if part.has_unit_in_text() => {
                digits::number(out, number, part, self.separator());
            }
            (structure, Some(Datum::Info(_) | Datum::Memory(_))) => {
                detail::cell(out, self.separator(), structure, row);
            }
            (part, Some(Datum::Processes(list))) => {
                match part.of_this_end() {
                    Field::Processes => self.processes(out, list),
                    _ => self.of_processes(out, part, list, row),
                }
                if part.process_status(row) == Some(ProcessStatus::Partial) {
                    out.extend_from_slice(&[separator(part), b'?']);
                }
            }
            // Scripts get the word of the vocabulary, which has no blanks.
            (Field::Shutdown, Some(Datum::Word(_))) if !self.escapes_blanks => {
                shutdown(out, row.socket.shutdown);
            }
            (_, Some(value)) => self.value(out, value, row),
            (_, None) => out.push(b'-'),
        }
    }

    fn value(self, out: &mut Vec<u8>, value: Datum<'_>, row: &Row<'_>) {
        match value {
            Datum::Name(name) => self.lone_name(out, name),
            Datum::Path(name) => self.path(out, name),
            Datum::Timer(known) => timer(out, known),
            Datum::Numbers([]) => out.push(b'-'),
            Datum::Numbers(list) => integers(out, list, b','),
            Datum::Processes(list) => self.processes(out, list),
            Datum::End(side) => endpoint::write(self, out, side, row),
            other => literal(out, &other),
        }
    }

    /// `812,813`: the value of each process; of descriptors `3,4;3`.
    fn of_processes(self, out: &mut Vec<u8>, part: Field, list: &[Process], row: &Row<'_>) {
        if list.is_empty() {
            out.push(b'-');
        }
        for (index, process) in list.iter().enumerate() {
            if index > 0 {
                out.push(separator(part));
            }
            match part.of_process(process) {
                None => out.push(b'?'),
                Some(Datum::Name(name)) if !matches!(name, [] | [b'-' | b'*' | b'?']) => {
                    self.name(out, name, |c| c == ',');
                }
                Some(value) => self.value(out, value, row),
            }
        }
    }

    /// `nginx[812],nginx[813]`: escaped so that a name cannot look like two processes.
    fn processes(self, out: &mut Vec<u8>, list: &[Process]) {
        if list.is_empty() {
            out.push(b'-');
        }
        for (index, process) in list.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            match process.name.as_deref() {
                None => out.push(b'?'),
                Some(b"?") => self.lone_name(out, b"?"),
                Some(name) => self.name(out, name, text::separates_processes),
            }
            out.push(b'[');
            digits::integer(out, process.pid.into());
            out.push(b']');
            if self.descriptors {
                out.push(b'{');
                integers(out, &process.fds, b',');
                out.push(b'}');
            }
        }
    }
}

/// True if the value is unknown, or partly unknown.
fn is_unknown(column: Field, row: &Row<'_>) -> bool {
    let is_elsewhere = column.is_place() || column == Field::PeerNetns;
    match column.process_status(row) {
        _ if matches!(column, Field::Cgroup | Field::MadeIn) => row.socket.cgroup_id.is_some(),
        Some(status) if column.is_of_owners() => {
            let is_told = !matches!(column.value(row), Value::NotReported);
            status.is_unknown() || is_elsewhere && !is_told
        }
        _ => false,
    }
}

/// Writes a value that is the same in every format; ignores others.
#[expect(
    clippy::inline_always,
    reason = "else a call for each value of each row"
)]
#[inline(always)]
pub(super) fn literal(out: &mut Vec<u8>, value: &Datum<'_>) {
    match *value {
        Datum::Number(number) | Datum::Id(number) => digits::integer(out, number),
        Datum::Word(word) => out.extend_from_slice(word.as_bytes()),
        Datum::State(known) => state(out, known),
        Datum::Flag(is_set) => out.extend_from_slice(Datum::flag(is_set).as_bytes()),
        Datum::List(list) => out.extend_from_slice(list),
        Datum::Index(index) => digits::integer(out, index.into()),
        Datum::Ip(address) => digits::ip(out, address),
        _ => {}
    }
}

/// The separator between the values of processes.
fn separator(part: Field) -> u8 {
    if matches!(part, Field::Fd | Field::Tid) {
        b';'
    } else {
        b','
    }
}

pub(super) fn integers(out: &mut Vec<u8>, numbers: &[u32], separator: u8) {
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            out.push(separator);
        }
        digits::integer(out, (*number).into());
    }
}

/// A half-close as text: what this end can still do.
fn shutdown(out: &mut Vec<u8>, shutdown: Option<Shutdown>) {
    let text = match shutdown {
        Some(half @ (Shutdown::Receive | Shutdown::Send)) => half.words(),
        Some(whole @ (Shutdown::None | Shutdown::Both)) => whole.name(),
        None => "-",
    };
    out.extend_from_slice(text.as_bytes());
}

/// `LISTEN`, `UNKNOWN(14)`.
fn state(out: &mut Vec<u8>, state: State) {
    out.extend_from_slice(state.name().as_bytes());
    if let State::Unknown(code) = state {
        out.push(b'(');
        digits::integer(out, code.into());
        out.push(b')');
    }
}

/// `keepalive(7159.984s,0)`: kind, time to expiry, retries.
fn timer(out: &mut Vec<u8>, timer: Timer) {
    out.extend_from_slice(timer.kind.name().as_bytes());
    out.push(b'(');
    text::push_exact(out, timer.expires_ms.into(), text::MILLIS);
    out.push(b',');
    digits::integer(out, timer.retransmits.into());
    out.push(b')');
}
