//! Tests of outputs that cannot be written.

use std::cell::Cell;
use std::io;
use std::rc::Rc;

use super::{Arrangement, RowBuffer, Sink as _, envelope, feed, layout, render, scene};
use crate::model::OwnedRow;
use crate::render::{Extras, Format, sink};

const FORMATS: [Format; 5] = [
    Format::Table,
    Format::Plain,
    Format::Json,
    Format::Ndjson,
    Format::Csv,
];

const EXTRAS: &[Extras] = &[Extras::PROCESSES, Extras::MEMORY];

/// Accepts this many bytes and then fails; counts later attempts.
struct Full {
    room: usize,
    attempts_when_full: Rc<Cell<u32>>,
}

impl io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            self.attempts_when_full
                .set(self.attempts_when_full.get() + 1);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(format: Format, rows: &[OwnedRow], room: usize) -> (io::Result<()>, u32) {
    let attempts_when_full = Rc::new(Cell::new(0));
    let out = Full {
        room,
        attempts_when_full: Rc::clone(&attempts_when_full),
    };
    let layout = layout(format, EXTRAS);
    let writer = sink(format, layout, &envelope(), Box::new(out));
    let mut sink = RowBuffer::new(writer, Arrangement::default());
    let result = feed(&mut sink, rows, &scene::summary());
    if result.is_err() {
        let again = sink.finish(&scene::summary()).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::BrokenPipe);
    }
    drop(sink);
    (result, attempts_when_full.get())
}

#[test]
fn an_output_that_fails_at_any_byte_is_an_error_and_is_left_alone() {
    let mut rows = scene::rows();
    rows.truncate(3);
    for format in FORMATS {
        let whole = render(format, layout(format, EXTRAS), &rows).len();
        for room in 0..whole {
            let (result, attempts) = write(format, &rows, room);
            assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
            assert_eq!(attempts, 1, "{format:?} {room}");
        }
        assert!(write(format, &rows, whole).0.is_ok());
    }
}

#[test]
fn a_failure_in_the_middle_of_a_long_listing_ends_it() {
    let rows: Vec<OwnedRow> = scene::rows().into_iter().cycle().take(5_000).collect();
    for format in FORMATS {
        let (result, attempts) = write(format, &rows, 100_000);
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(attempts, 1, "{format:?}");
    }
}
