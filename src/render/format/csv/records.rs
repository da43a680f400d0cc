//! Records, field by field: RFC 4180.

use std::io;
use std::ops::ControlFlow;

use crate::fields::Datum;
use crate::model::Row;
use crate::render::cell;
use crate::render::out::Out;
use crate::render::style::Style;
use crate::render::{Field, Format, digits};
use crate::text;

pub(super) struct Records<'w> {
    out: Out<'w>,
    /// True if an apostrophe stands before a cell that a spreadsheet would take for a formula, and before one
    /// that begins with an apostrophe.
    is_safe: bool,
    fields: usize,
    /// A field that is quoted.
    scratch: Vec<u8>,
}

impl<'w> Records<'w> {
    pub(super) fn new(out: Out<'w>, format: Format) -> Self {
        Self {
            out,
            is_safe: format == Format::CsvSafe,
            fields: 0,
            scratch: Vec::new(),
        }
    }

    /// Adds the headers of columns that are no structures.
    pub(super) fn headers(&mut self, columns: &[Field]) {
        self.texts(columns.iter().map(|column| column.csv_header()));
    }

    /// Adds fields of clean text.
    pub(super) fn texts(&mut self, texts: impl IntoIterator<Item = impl AsRef<str>>) {
        for text in texts {
            self.text(text.as_ref());
        }
    }

    /// Adds the values of columns that are no structures.
    pub(super) fn columns(&mut self, columns: &[Field], row: &Row<'_>) {
        for column in columns {
            self.begin();
            if let Some(value) = column.get(row) {
                let start = self.out.buffer.len();
                field(&mut self.out.buffer, *column, value, row);
                // What may hold any character.
                if let Datum::Name(_) | Datum::Path(_) | Datum::Processes(_) | Datum::End(_) = value
                {
                    self.quote(start);
                }
            }
        }
    }

    /// Adds a number; an empty field where there is none.
    pub(super) fn number(&mut self, number: Option<u64>) {
        self.begin();
        if let Some(number) = number {
            digits::integer(&mut self.out.buffer, number);
        }
    }

    /// Adds a field of clean text.
    pub(super) fn text(&mut self, text: &str) {
        self.begin();
        let start = self.out.buffer.len();
        self.out.buffer.extend_from_slice(text.as_bytes());
        self.quote(start);
    }

    pub(super) fn end(&mut self) -> io::Result<ControlFlow<()>> {
        self.close();
        self.out.row_done()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.finish()
    }

    fn begin(&mut self) {
        if self.fields > 0 {
            self.out.buffer.push(b',');
        }
        self.fields += 1;
    }

    /// Ends the line. A record of one empty field is quoted: an empty line is none.
    pub(super) fn close(&mut self) {
        let buffer = &mut self.out.buffer;
        if self.fields == 1 && matches!(buffer.last(), None | Some(b'\n')) {
            buffer.extend_from_slice(b"\"\"");
        }
        buffer.extend_from_slice(b"\r\n");
        self.fields = 0;
    }

    /// Quotes the field that begins here, where a character in it has a meaning.
    fn quote(&mut self, start: usize) {
        let buffer = &mut self.out.buffer;
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

/// The columns that these become: those of structures one for each part, each once.
pub(super) fn flat(columns: &[Field]) -> Vec<Field> {
    let mut flat = Vec::new();
    for column in columns.iter().copied().flat_map(Field::flat) {
        if !flat.contains(&column) {
            flat.push(column);
        }
    }
    flat
}

fn field(out: &mut Vec<u8>, column: Field, value: Datum<'_>, row: &Row<'_>) {
    match value {
        Datum::Name(name) => out.extend_from_slice(text::escape(name).as_bytes()),
        Datum::Path(name) => {
            let (first, rest) = text::unix_name_parts(name);
            out.extend_from_slice(first.as_bytes());
            out.extend_from_slice(text::escape(rest).as_bytes());
        }
        Datum::End(side) => {
            let start = out.len();
            Style::TEXT.cell(out, side.column(), row);
            if out.get(start..) == Some(b"-") {
                out.truncate(start);
            }
        }
        Datum::Numbers(numbers) => cell::integers(out, numbers, b';'),
        Datum::Processes(processes) => {
            for (index, process) in processes.iter().enumerate() {
                if index > 0 {
                    out.push(b';');
                }
                match column.of_process(process) {
                    Some(Datum::Name(name)) => {
                        let name = text::escape_also(text::escape(name), |c| c == ';');
                        out.extend_from_slice(name.as_bytes());
                    }
                    Some(Datum::Numbers(fds)) => cell::integers(out, fds, b','),
                    Some(value) => cell::literal(out, &value),
                    None => {}
                }
            }
        }
        // Structures have a column for each part.
        _ => cell::literal(out, &value),
    }
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
        /// The reference is the crate `csv`.
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
