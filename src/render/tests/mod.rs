//! Tests of every format with one scene of sockets.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test stops at the first surprise"
)]

mod cells;
mod colors;
mod csv;
mod events;
mod failing;
mod golden;
mod json;
mod kept;
mod names;
mod netstat;
mod page;
mod pairs;
mod rounds;
mod scene;
mod search;
mod shared;
mod summary;
mod table;
mod taken;
mod view;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use super::{
    Arrangement, Color, Counted, Envelope, Extras, Format, HeaderLine, Layout, Repetition,
    RowBuffer, Signs, Sink, sink,
};
use crate::model::{OwnedRow, Summary};

/// All options that add columns.
const ALL: [Extras; 7] = [
    Extras::UNIX,
    Extras::PACKET,
    Extras::EXTENDED,
    Extras::TIMERS,
    Extras::INFO,
    Extras::MEMORY,
    Extras::PROCESSES,
];

fn layout(format: Format, extras: &[Extras]) -> Layout {
    let extras: Extras = extras.iter().copied().collect();
    Layout {
        columns: format.columns(extras),
        header: HeaderLine::Shown,
        extras,
        one_line: false,
        color: Color::Never,
        width: None,
        height: None,
        counted: Counted::Whole,
        leaves_out_empty: false,
        signs: Signs::Unicode,
        filter: String::new(),
    }
}

fn envelope() -> Envelope {
    Envelope {
        host: "frodo \"the\" host".to_owned(),
        time: "2026-01-02T03:04:05Z".to_owned(),
        repetition: Repetition::Single,
        stamp: None,
    }
}

/// An output that can be inspected later.
#[derive(Clone, Default)]
struct Page(Rc<RefCell<Vec<u8>>>);

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

impl io::Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn feed(sink: &mut dyn Sink, rows: &[OwnedRow], summary: &Summary) -> io::Result<()> {
    for row in rows {
        if sink.row(&row.row())?.is_break() {
            break;
        }
    }
    sink.finish(summary)
}

fn render(format: Format, layout: Layout, rows: &[OwnedRow]) -> String {
    let page = Page::default();
    let writer = sink(format, layout, &envelope(), Box::new(page.clone()));
    let mut buffer = RowBuffer::new(writer, Arrangement::default());
    feed(&mut buffer, rows, &scene::summary()).unwrap();
    page.text()
}
