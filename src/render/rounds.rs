//! Listings that follow each other in one output, each with its time.
//!
//! In text a line with the time comes first; a JSON document, which has its time, is one line; CSV is
//! one table, whose first column is the time.

use std::io::{self, Write};

use super::format::csv::Csv;
use super::out::Out;
use super::{Envelope, Format, Header, Layout, Sink, sink};

/// Is there another round before this one?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// No.
    First,
    /// Yes.
    Later,
}

/// The sink of one round, to `out`, whose time is that of the envelope.
///
/// # Errors
///
/// When the output cannot be written.
pub fn round_sink<'w>(
    format: Format,
    mut layout: Layout,
    (envelope, round): (&Envelope, Round),
    out: Box<dyn Write + 'w>,
) -> io::Result<Box<dyn Sink + 'w>> {
    if format == Format::Csv {
        if round == Round::Later {
            layout.header = Header::Hidden;
        }
        let csv = Csv::timed(&layout, envelope.time.clone(), Out::new(out));
        return Ok(Box::new(csv));
    }
    let out = round_out(format, envelope, out)?;
    Ok(sink(format, layout, envelope, out))
}

/// Where a round of text or JSON is written, which begins here.
///
/// # Errors
///
/// When the output cannot be written.
pub fn round_out<'w>(
    format: Format,
    envelope: &Envelope,
    mut out: Box<dyn Write + 'w>,
) -> io::Result<Box<dyn Write + 'w>> {
    match format {
        Format::Table | Format::Plain => {
            out.write_all(format!("{}\n", envelope.time).as_bytes())?;
            Ok(out)
        }
        Format::Json => Ok(Box::new(OneLine(out))),
        Format::Ndjson | Format::Csv | Format::Netstat(_) => Ok(out),
    }
}

/// A document without its line feeds, which stand between its values only; the one at its end is
/// written when it is flushed.
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for part in bytes.split(|byte| *byte == b'\n') {
            self.0.write_all(part)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.write_all(b"\n")?;
        self.0.flush()
    }
}
