//! Records, field by field.

use std::io;
use std::ops::ControlFlow;

use csv::{ByteRecord, Terminator, Writer, WriterBuilder};

use crate::model::{Process, Row, State};
use crate::render::cell::{self, Style};
use crate::render::out::Out;
use crate::render::value::{Datum, path_parts};
use crate::render::{Column, digits};
use crate::text;

/// Bytes the writer collects before it writes.
const BUFFER: usize = 64 * 1024;

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

    /// The headers of columns that are no structures.
    pub(in crate::render) fn names(columns: &[Column]) -> impl Iterator<Item = String> {
        columns.iter().map(|column| column.csv_header())
    }

    /// Writes the first record.
    pub(in crate::render) fn header(&mut self, names: &[String]) {
        // It fits into the buffer: nothing is written yet that could fail.
        let _ = self.writer.write_record(names);
    }

    /// Adds the values of columns that are no structures.
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

    /// Adds the value of a column that is no structure.
    fn value(&mut self, column: Column, row: &Row<'_>) {
        self.put(|out| {
            if let Some(value) = column.get(row) {
                field(out, column, value, row);
            }
        });
    }
}

/// The columns that these become: those of structures one for each part.
pub(super) fn flat(columns: &[Column]) -> Vec<Column> {
    let flat = columns.iter().flat_map(|column| match column.parts() {
        parts if parts.is_empty() => vec![*column],
        parts => parts,
    });
    flat.collect()
}

fn field(out: &mut Vec<u8>, column: Column, value: Datum<'_>, row: &Row<'_>) {
    match value {
        Datum::Number(number) => digits::integer(out, number),
        Datum::Word(word) => out.extend_from_slice(word.as_bytes()),
        Datum::State(state) => cell::state(out, state),
        Datum::Hex(id) => digits::hex(out, id),
        Datum::Index(index) => digits::integer(out, index.into()),
        Datum::Ip(address) => digits::ip(out, address),
        Datum::Name(name) => out.extend_from_slice(text::escape(name).as_bytes()),
        Datum::Path(name) => {
            let (first, rest) = path_parts(name);
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(text::escape(rest).as_bytes());
        }
        Datum::End(side) => {
            Style::QUOTED.cell(out, side.column(), row);
            if *out == b"-" {
                out.clear();
            }
        }
        Datum::Processes(processes) => {
            for (index, process) in processes.iter().enumerate() {
                if index > 0 {
                    out.push(b';');
                }
                entry(out, column, process);
            }
        }
        // Structures have a column for each part.
        Datum::Timer(_) | Datum::Info(_) | Datum::Memory(_) => {}
    }
}

/// What one process adds to a list.
fn entry(out: &mut Vec<u8>, part: Column, process: &Process) {
    let name = match part {
        Column::Pid => return digits::integer(out, process.pid.into()),
        Column::Fd => return cell::integers(out, &process.fds, b','),
        Column::Process => &*process.name,
        Column::Command => &*process.command,
        _ => process.user.as_deref().unwrap_or_default().as_bytes(),
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
