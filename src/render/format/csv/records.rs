//! Records, field by field.

use std::io;
use std::ops::ControlFlow;

use csv::{ByteRecord, Terminator, Writer, WriterBuilder};

use crate::model::{InfoField, MPTCP_INFO, Memory, Process, Row, State, TCP_INFO, Timer};
use crate::render::cell::{self, Style};
use crate::render::out::Out;
use crate::render::value::{Value, path_parts};
use crate::render::{Column, digits};
use crate::text;

/// Bytes the writer collects before it writes.
const BUFFER: usize = 64 * 1024;

/// What `timer` becomes.
const TIMER: [&str; 3] = ["timer_kind", "timer_expires_ms", "timer_retransmits"];

/// What `processes` becomes.
const PROCESSES: [(&str, List); 5] = [
    ("pids", List::Pids),
    ("process_names", List::Names),
    ("process_commands", List::Commands),
    ("process_users", List::Users),
    ("fds", List::Fds),
];

/// A property of processes that makes a column.
#[derive(Debug, Clone, Copy)]
enum List {
    Pids,
    Names,
    Commands,
    Users,
    Fds,
}

/// Writes records, field by field.
pub(in crate::render) struct Records<'w> {
    writer: Writer<Out<'w>>,
    fields: Fields,
}

impl<'w> Records<'w> {
    pub(in crate::render) fn new(out: Out<'w>) -> Self {
        let writer = WriterBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(Terminator::CRLF)
            .buffer_capacity(BUFFER)
            .from_writer(out);
        Self {
            writer,
            fields: Fields::default(),
        }
    }

    /// The names of all that these columns become.
    pub(in crate::render) fn names(columns: &[Column]) -> impl Iterator<Item = String> {
        columns.iter().flat_map(|column| headers(*column))
    }

    /// Writes the first record.
    pub(in crate::render) fn header(&mut self, names: &[String]) {
        // It fits into the buffer: nothing is written yet that could fail.
        let _ = self.writer.write_record(names);
    }

    /// Adds all that these columns become.
    pub(in crate::render) fn columns(&mut self, columns: &[Column], row: &Row<'_>) {
        for column in columns {
            self.fields.value(*column, row);
        }
    }

    /// Adds a field of clean text.
    pub(in crate::render) fn text(&mut self, text: &str) {
        self.fields
            .put(|out| out.extend_from_slice(text.as_bytes()));
    }

    /// Adds a state; empty where it is not known.
    pub(in crate::render) fn state(&mut self, known: Option<State>) {
        self.fields.put(|out| {
            if let Some(known) = known {
                cell::state(out, known);
            }
        });
    }

    /// The record is complete.
    pub(in crate::render) fn end(&mut self) -> io::Result<ControlFlow<()>> {
        let written = self.writer.write_byte_record(&self.fields.record);
        self.fields.record.clear();
        written.map_err(io_error)?;
        Ok(ControlFlow::Continue(()))
    }

    pub(in crate::render) fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The fields of one record, in memory that is used again and again.
#[derive(Default)]
struct Fields {
    record: ByteRecord,
    /// The field that is being made.
    field: Vec<u8>,
}

impl Fields {
    /// Adds a field.
    fn put(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.field.clear();
        write(&mut self.field);
        self.record.push_field(&self.field);
    }

    /// Adds all that a column becomes.
    fn value(&mut self, column: Column, row: &Row<'_>) {
        match Value::of(column, row) {
            Value::Absent => {
                for _ in 0..headers_count(column) {
                    self.record.push_field(b"");
                }
            }
            Value::Timer(timer) => self.timer(timer),
            Value::Processes(processes) => self.processes(processes),
            Value::Info(info) => info.values().for_each(|(_, value)| self.number(value)),
            Value::Memory(memory) => {
                for (_, value) in memory.fields() {
                    self.number(value.map(u64::from));
                }
            }
            single => self.put(|out| field(out, &single, row)),
        }
    }

    fn number(&mut self, value: Option<u64>) {
        self.put(|out| {
            if let Some(value) = value {
                digits::integer(out, value);
            }
        });
    }

    fn timer(&mut self, timer: Timer) {
        self.put(|out| out.extend_from_slice(timer.kind.name().as_bytes()));
        self.number(Some(timer.expires_ms.into()));
        self.number(Some(timer.retransmits.into()));
    }

    fn processes(&mut self, processes: &[Process]) {
        for (_, list) in PROCESSES {
            self.put(|out| {
                for (index, process) in processes.iter().enumerate() {
                    if index > 0 {
                        out.push(b';');
                    }
                    entry(out, list, process);
                }
            });
        }
    }
}

/// The headers a column becomes.
fn headers(column: Column) -> Vec<String> {
    let of = |fields: &[InfoField]| -> Vec<String> {
        let prefix = column.name();
        fields
            .iter()
            .map(|field| format!("{prefix}_{}", field.name))
            .collect()
    };
    match column {
        Column::Timer => TIMER.map(str::to_owned).to_vec(),
        Column::Processes => PROCESSES.map(|(name, _)| name.to_owned()).to_vec(),
        Column::TcpInfo => of(TCP_INFO),
        Column::MptcpInfo => of(MPTCP_INFO),
        Column::Memory => Memory::default()
            .fields()
            .map(|(name, _)| format!("memory_{name}"))
            .to_vec(),
        single => vec![single.name().to_owned()],
    }
}

/// How many they are.
const fn headers_count(column: Column) -> usize {
    match column {
        Column::Timer => TIMER.len(),
        Column::Processes => PROCESSES.len(),
        Column::TcpInfo => TCP_INFO.len(),
        Column::MptcpInfo => MPTCP_INFO.len(),
        Column::Memory => 9,
        _ => 1,
    }
}

fn field(out: &mut Vec<u8>, value: &Value<'_>, row: &Row<'_>) {
    match *value {
        Value::Number(number) => digits::integer(out, number),
        Value::Word(word) => out.extend_from_slice(word.as_bytes()),
        Value::State(state) => cell::state(out, state),
        Value::Hex(id) => digits::hex(out, id),
        Value::Index(index) => digits::integer(out, index.into()),
        Value::Ip(address) => digits::ip(out, address),
        Value::Name(name) => out.extend_from_slice(text::escape(name).as_bytes()),
        Value::Path(name) => {
            let (first, rest) = path_parts(name);
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(text::escape(rest).as_bytes());
        }
        Value::End(side) => {
            Style::QUOTED.cell(out, side.column(), row);
            if *out == b"-" {
                out.clear();
            }
        }
        Value::Absent
        | Value::Timer(_)
        | Value::Processes(_)
        | Value::Info(_)
        | Value::Memory(_) => {}
    }
}

/// What one process adds to a list.
fn entry(out: &mut Vec<u8>, list: List, process: &Process) {
    let name = match list {
        List::Pids => return digits::integer(out, process.pid.into()),
        List::Fds => return cell::integers(out, &process.fds, b','),
        List::Names => &*process.name,
        List::Commands => &*process.command,
        List::Users => process.user.as_deref().unwrap_or_default().as_bytes(),
    };
    let name = text::escape_also(text::escape(name), |c| c == ';');
    out.extend_from_slice(name.as_bytes());
}

/// The input or output error inside, with its kind.
fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("csv: {other:?}")),
    }
}
