//! `csv`: RFC 4180 with CR LF. Nested fields are flattened; unknown is empty.
//!
//! `timer` becomes `timer_kind`, `timer_expires_ms`, `timer_retransmits`; `processes` becomes `pids`,
//! `process_names`, `process_commands`, `process_users` and `fds`, with one entry per process. Names are
//! joined with `;` (a `;` inside a name is `\x3b`). Numbers are an array as in JSON, `[812,813]`, with one
//! array per process for descriptors; no program mistakes it for a number, and `[]` means none. Structures
//! like `tcp_info` and `memory` become one column per field, `tcp_info_rtt`.
//!
//! `csv-safe` is for spreadsheets, which take a cell for a formula by its first character, quoted or not.

use std::io;
use std::iter;
use std::ops::ControlFlow;

use crate::fields::Datum;
use crate::model::{Event, Row, Spent, Summary};
use crate::render::events::{EventLayout, EventWriter, Lives, Step, carried, rfc_3339, spent};
use crate::render::out::Out;
use crate::render::style::Style;
use crate::render::summary::Totals;
use crate::render::told::{Literal, Member, Told};
use crate::render::{Envelope, Extras, Field, Format, Layout, Repetition, Sink, cell, digits};
use crate::text::{self, escape};

/// The vocabulary, with only the requested large structures.
pub(super) fn columns(extras: Extras) -> Vec<Field> {
    let is_shown = |column: &Field| match column {
        Field::SocketOptions => extras.has(Extras::EXTENDED),
        Field::Memory => extras.has(Extras::MEMORY),
        structure if structure.as_structure().is_some() => extras.has(Extras::INFO),
        _ => true,
    };
    let fields = Field::VOCABULARY.into_iter().filter(is_shown);
    fields.chain(extras.beside()).collect()
}

/// A record for each table and state that has sockets, or may have some.
pub(super) fn counts(out: &mut Vec<u8>, totals: &Totals) {
    let mut records = Records::new(Out::new(Box::new(out)), totals.format);
    let leading = totals.envelope.leading(false);
    let several = (!totals.parts.is_empty()).then_some("netns");
    let is_first = totals.envelope.repetition != Repetition::Later;
    if is_first && totals.layout.header.is_shown() {
        records.texts(leading.iter().map(|(name, _)| name));
        records.texts(several);
        records.texts(["protocol", "family", "state", "count"]);
        records.close();
    }
    for (netns, table, state, count) in totals.records() {
        records.leading(&leading);
        if let Some(netns) = netns {
            records.text(&escape(netns));
        }
        records.text(table.protocol.name());
        records.text(table.family.name());
        records.text(&state.to_string());
        records.number(count);
        records.close();
    }
    // Writes to memory.
    let _ = records.flush();
}

pub(super) struct CsvRows<'w> {
    records: Records<'w>,
    columns: Told,
    /// The first fields of every record.
    leading: Vec<(&'static str, Option<String>)>,
}

impl<'w> CsvRows<'w> {
    pub(super) fn new(format: Format, layout: &Layout, envelope: &Envelope, out: Out<'w>) -> Self {
        let mut records = Records::new(out, format);
        let leading = envelope.leading(false);
        let is_first = envelope.repetition != Repetition::Later;
        let columns = flat(&layout.columns);
        if is_first && layout.header.is_shown() {
            records.texts(leading.iter().map(|(name, _)| name));
            records.headers(&columns);
            records.close();
        }
        Self {
            records,
            columns: cells(&columns),
            leading,
        }
    }
}

impl Sink for CsvRows<'_> {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.records.leading(&self.leading);
        self.records.columns(&mut self.columns, row);
        self.records.end()
    }

    fn finish(&mut self, _: &Summary) -> io::Result<()> {
        self.records.flush()
    }
}

pub(super) struct CsvEvents<'w> {
    records: Records<'w>,
    /// The fields after the time.
    leading: Vec<(&'static str, Option<String>)>,
    before: Told,
    behind: Told,
}

impl<'w> CsvEvents<'w> {
    pub(super) fn new(
        format: Format,
        layout: &EventLayout,
        envelope: &Envelope,
        out: Out<'w>,
    ) -> Self {
        let leading = envelope.leading(true);
        let mut records = Records::new(out, format);
        let [before, behind] = layout.around_step().map(|columns| flat(&columns));
        if layout.header.is_shown() {
            records.text("time");
            records.texts(leading.iter().map(|(name, _)| name));
            records.headers(&before);
            records.texts(["old_state", "new_state", "step"]);
            records.texts(["task_pid", "task_tid", "task_name"]);
            records.headers(&behind);
            let numbers = carried(None).into_iter().chain(spent(Spent::default()));
            records.texts(numbers.map(|(name, _)| name));
            records.text("sampled");
            records.close();
        }
        Self {
            records,
            leading,
            before: cells(&before),
            behind: cells(&behind),
        }
    }
}

impl EventWriter for CsvEvents<'_> {
    fn event(&mut self, event: &Event, row: &Row<'_>) -> io::Result<()> {
        let records = &mut self.records;
        let step = Step::of(event);
        records.text(&rfc_3339(step.time));
        records.leading(&self.leading);
        records.columns(&mut self.before, row);
        records.text(&step.old.map(|old| old.to_string()).unwrap_or_default());
        records.text(&step.new.to_string());
        records.text(step.words.unwrap_or_default());
        let task = step.task.as_ref();
        records.number(task.map(|task| task.pid.into()));
        records.number(task.map(|task| task.tid.into()));
        records.text(&task.map(|task| escape(task.name())).unwrap_or_default());
        records.columns(&mut self.behind, row);
        for (_, number) in carried(event.traffic).into_iter().chain(spent(event.spent)) {
            records.number(number);
        }
        records.text(if step.sampled { "true" } else { "false" });
        records.end().map(|_| ())
    }

    fn flush(&mut self, _: &Lives) -> io::Result<()> {
        self.records.flush()
    }
}

/// Writes records field by field: RFC 4180.
pub(in crate::render) struct Records<'w> {
    out: Out<'w>,
    fields: usize,
    quoting: Quoting,
}

/// Quotes fields.
struct Quoting {
    /// True if an apostrophe precedes cells that a spreadsheet would take for a formula, and those that begin
    /// with an apostrophe.
    is_safe: bool,
    /// A field being quoted.
    scratch: Vec<u8>,
}

impl<'w> Records<'w> {
    pub(in crate::render) fn new(out: Out<'w>, format: Format) -> Self {
        Self {
            out,
            fields: 0,
            quoting: Quoting {
                is_safe: format == Format::CsvSafe,
                scratch: Vec::new(),
            },
        }
    }

    /// Adds the headers of columns that are not structures.
    pub(in crate::render) fn headers(&mut self, columns: &[Field]) {
        self.texts(columns.iter().map(|column| column.csv_header()));
    }

    /// Adds fields that need no escaping.
    pub(in crate::render) fn texts(&mut self, texts: impl IntoIterator<Item = impl AsRef<str>>) {
        for text in texts {
            self.text(text.as_ref());
        }
    }

    /// Adds the values of columns that are not structures.
    pub(in crate::render) fn columns(&mut self, columns: &mut Told, row: &Row<'_>) {
        if columns.len() == 0 {
            return;
        }
        self.begin();
        self.fields += columns.len() - 1;
        let quoting = &mut self.quoting;
        columns.write(&mut self.out.buffer, row, |out, member| {
            match &member.column.get(row) {
                None => {}
                Some(Datum::Number(number)) => digits::integer(out, *number),
                Some(Datum::Name(name)) if !quoting.is_safe && text::is_plain(name) => {
                    out.extend_from_slice(name);
                }
                Some(value) => {
                    let start = out.len();
                    if field(out, member.column, value, row) {
                        quoting.quote(out, start);
                    }
                }
            }
        });
    }

    /// Adds the first fields of records.
    pub(in crate::render) fn leading(&mut self, leading: &[(&str, Option<String>)]) {
        self.texts(
            leading
                .iter()
                .map(|(_, value)| value.as_deref().unwrap_or_default()),
        );
    }

    /// Adds a number; empty if there is none.
    pub(in crate::render) fn number(&mut self, number: Option<u64>) {
        self.begin();
        if let Some(number) = number {
            digits::integer(&mut self.out.buffer, number);
        }
    }

    /// Adds a field that needs no escaping.
    pub(in crate::render) fn text(&mut self, text: &str) {
        self.begin();
        let start = self.out.buffer.len();
        self.out.buffer.extend_from_slice(text.as_bytes());
        self.quoting.quote(&mut self.out.buffer, start);
    }

    pub(in crate::render) fn end(&mut self) -> io::Result<ControlFlow<()>> {
        self.close();
        self.out.row_done()
    }

    pub(in crate::render) fn flush(&mut self) -> io::Result<()> {
        self.out.finish()
    }

    pub(in crate::render) fn begin(&mut self) {
        if self.fields > 0 {
            self.out.buffer.push(b',');
        }
        self.fields += 1;
    }

    /// Ends the line. A record with one empty field is quoted: an empty line is no record.
    pub(in crate::render) fn close(&mut self) {
        let buffer = &mut self.out.buffer;
        if self.fields == 1 && matches!(buffer.last(), None | Some(b'\n')) {
            buffer.extend_from_slice(b"\"\"");
        }
        buffer.extend_from_slice(b"\r\n");
        self.fields = 0;
    }
}

impl Quoting {
    /// Quotes the field that begins here, if it contains special characters.
    fn quote(&mut self, buffer: &mut Vec<u8>, start: usize) {
        if self.is_safe
            && let Some(b'=' | b'+' | b'-' | b'@' | b'\'' | b'\t' | b'\r') = buffer.get(start)
        {
            buffer.insert(start, b'\'');
        }
        let has_meaning = |byte: &u8| matches!(byte, b',' | b'"' | b'\r' | b'\n');
        let field = buffer.get(start..).unwrap_or_default();
        if !field.iter().any(has_meaning) {
            return;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(field);
        buffer.truncate(start);
        buffer.push(b'"');
        for byte in &self.scratch {
            if *byte == b'"' {
                buffer.push(b'"');
            }
            buffer.push(*byte);
        }
        buffer.push(b'"');
    }
}

/// The members of a record for columns that are not structures.
fn cells(columns: &[Field]) -> Told {
    let commas = iter::once("").chain(iter::repeat(","));
    let cells = columns.iter().zip(commas).map(|(column, comma)| Member {
        column: *column,
        key: Literal::new(comma.to_owned()),
        parts: Vec::new(),
    });
    Told::new(cells.collect(), "")
}

/// The columns without structures: each of their parts once.
pub(in crate::render) fn flat(columns: &[Field]) -> Vec<Field> {
    let mut flat = Vec::new();
    for column in columns.iter().copied().flat_map(Field::flat) {
        if !flat.contains(&column) {
            flat.push(column);
        }
    }
    flat
}

/// `[6,7]`
fn numbers(out: &mut Vec<u8>, list: &[u32]) {
    out.push(b'[');
    cell::integers(out, list, b',');
    out.push(b']');
}

/// Writes a value; true if it may contain any character.
fn field(out: &mut Vec<u8>, column: Field, value: &Datum<'_>, row: &Row<'_>) -> bool {
    match *value {
        Datum::Name(name) => out.extend_from_slice(escape(name).as_bytes()),
        Datum::Path(name) => {
            let (first, rest) = text::unix_name_parts(name);
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(escape(rest).as_bytes());
        }
        Datum::End(side) => {
            let start = out.len();
            Style::TEXT.cell(out, side.column(), row);
            if out.get(start..) == Some(b"-") {
                out.truncate(start);
            }
        }
        Datum::Numbers(list) => numbers(out, list),
        Datum::Processes(processes) if column.unit().is_some() => {
            out.push(b'[');
            for (index, process) in processes.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                match column.of_process(process) {
                    Some(Datum::Numbers(list)) => numbers(out, list),
                    Some(value) => cell::literal(out, &value),
                    None => out.extend_from_slice(b"null"),
                }
            }
            out.push(b']');
        }
        Datum::Processes(processes) => {
            for (index, process) in processes.iter().enumerate() {
                if index > 0 {
                    out.push(b';');
                }
                if let Some(Datum::Name(name)) = column.of_process(process) {
                    let name = text::escape_also(escape(name), |c| c == ';');
                    out.extend_from_slice(name.as_bytes());
                }
            }
        }
        // Structures have a column for each part.
        _ => {
            cell::literal(out, value);
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io;
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::{Format, Records};
    use crate::render::out::Out;

    #[derive(Clone, Default)]
    struct Written(Rc<RefCell<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn no_cell_is_a_formula_where_that_is_wanted() {
        let written = Written::default();
        let out = Out::new(Box::new(written.clone()));
        let mut records = Records::new(out, Format::CsvSafe);
        for cell in ["=1,2", "+1", "-1", "@agent", "'a", "a=", ""] {
            records.text(cell);
        }
        records.close();
        assert!(records.flush().is_ok());
        assert_eq!(
            String::from_utf8_lossy(&written.0.borrow()),
            "\"'=1,2\",'+1,'-1,'@agent,''a,a=,\r\n"
        );
    }

    proptest! {
        /// The crate `csv` is the reference.
        #[test]
        fn fields_are_quoted_where_they_must_be(
            records in prop::collection::vec(prop::collection::vec("[\"',;a \r\n\\\\é]{0,4}", 1..4), 0..4)
        ) {
            let written = Written::default();
            let mut ours = Records::new(Out::new(Box::new(written.clone())), Format::Csv);
            let mut reference = csv::WriterBuilder::new()
                .flexible(true)
                .terminator(csv::Terminator::CRLF)
                .from_writer(Vec::new());
            for record in &records {
                for field in record {
                    ours.text(field);
                }
                ours.close();
                prop_assert!(reference.write_record(record).is_ok());
            }
            prop_assert!(ours.flush().is_ok());
            prop_assert_eq!(&*written.0.borrow(), &reference.into_inner().unwrap_or_default());
        }
    }
}
