//! Tests that rows rolled back leave nothing behind.

use std::ops::ControlFlow;

use super::{Page, envelope, layout, scene};
use crate::model::{OwnedRow, Protocol, Row, Socket, State};
use crate::render::{Arrangement, Field, Format, Order, RowBuffer, Sink, SortKey, Summing, sink};

/// Listeners at ports from 1, with unordered queues, of two network namespaces in turn.
fn rows(count: u16) -> Vec<OwnedRow> {
    let row = |number: u16| {
        let port = Some(u32::from(number));
        let mut socket: Socket = scene::inet(Protocol::Tcp, ("1.1.1.1", 1), ("1.1.1.1", port));
        socket.state = State::Listen;
        socket.netns = Some(u32::from(number % 2));
        socket.recv_queue = Some(u32::from(number) * 37 % 101);
        OwnedRow::keep(&Row::bare(&socket))
    };
    (1..=count).map(row).collect()
}

/// The highest limit for which rows are kept.
const WINDOW: usize = 1_000;

/// A sink with rollback.
trait Buffer: Sink {
    fn checkpoint(&mut self);
    fn rollback(&mut self) -> bool;
}

impl Buffer for RowBuffer<'_> {
    fn checkpoint(&mut self) {
        self.checkpoint();
    }

    fn rollback(&mut self) -> bool {
        self.rollback()
    }
}

impl Buffer for Summing<'_> {
    fn checkpoint(&mut self) {
        self.checkpoint();
    }

    fn rollback(&mut self) -> bool {
        self.rollback()
    }
}

fn offer(sink: &mut dyn Sink, rows: &[OwnedRow]) {
    for row in rows {
        if sink.row(&row.row()).unwrap() == ControlFlow::Break(()) {
            break;
        }
    }
}

/// The output when `lost` rows between the first and the others are rolled back; `None` = rollback is
/// impossible.
fn rolled_back(make: &dyn Fn(Page) -> Box<dyn Buffer>, lost: usize) -> Option<String> {
    let page = Page::default();
    let mut sink = make(page.clone());
    let rows = rows(40);
    offer(&mut *sink, &rows[..10]);
    sink.checkpoint();
    offer(&mut *sink, &rows[10..10 + lost]);
    if lost > 0 && !sink.rollback() {
        return None;
    }
    offer(&mut *sink, &rows[10..]);
    sink.finish(&scene::summary()).unwrap();
    Some(page.text())
}

fn assert_leaves_nothing(make: &dyn Fn(Page) -> Box<dyn Buffer>) {
    let undisturbed = rolled_back(make, 0);
    assert!(undisturbed.is_some());
    for lost in [1, 5, 29, 30] {
        assert_eq!(rolled_back(make, lost), undisturbed, "{lost}");
    }
}

fn arranged(format: Format, arrangement: Arrangement, page: Page) -> Box<dyn Buffer> {
    let writer = sink(format, layout(format, &[]), &envelope(), Box::new(page));
    Box::new(RowBuffer::new(writer, arrangement))
}

fn of(format: Format, page: Page) -> Box<dyn Buffer> {
    arranged(format, Arrangement::default(), page)
}

fn limited(format: Format, limit: usize, page: Page) -> Box<dyn Buffer> {
    let arrangement = Arrangement {
        limit: Some(limit),
        ..Arrangement::default()
    };
    arranged(format, arrangement, page)
}

fn sorted(limit: Option<usize>) -> impl Fn(Page) -> Box<dyn Buffer> {
    let key = SortKey {
        column: Field::RecvQueue,
        descending: true,
    };
    move |page| {
        let arrangement = Arrangement {
            order: Order::Keys(vec![key]),
            limit,
            name_hosts: None,
        };
        arranged(Format::Json, arrangement, page)
    }
}

#[test]
fn sorted_rows_are_rolled_back() {
    assert_leaves_nothing(&sorted(None));
}

#[test]
fn rows_sorted_and_cut_are_rolled_back() {
    for limit in [1, 3, 8, 25, 39, 40] {
        assert_leaves_nothing(&sorted(Some(limit)));
    }
}

#[test]
fn rows_of_a_table_are_rolled_back_until_its_widths_are_set() {
    assert_leaves_nothing(&|page| of(Format::Table, page));
    let mut table = of(Format::Table, Page::default());
    table.checkpoint();
    offer(&mut *table, &rows(1_001));
    assert!(!table.rollback());
}

#[test]
fn counts_are_rolled_back() {
    assert_leaves_nothing(&|page| {
        let layout = layout(Format::Json, &[]);
        let out = Box::new(page);
        Box::new(Summing::new(Format::Json, layout, None, envelope(), out))
    });
}

#[test]
fn a_limit_counts_the_rows_that_are_left() {
    for limit in [0, 5, 10, 15, 40, 50, WINDOW + 1] {
        assert_leaves_nothing(&|page| limited(Format::Table, limit, page));
    }
}

#[test]
fn few_rows_are_held_whatever_the_format() {
    let limited = |limit| move |page| limited(Format::Json, limit, page);
    assert_leaves_nothing(&limited(20));
    assert_leaves_nothing(&limited(WINDOW));
    assert_eq!(rolled_back(&limited(WINDOW + 1), 1), None);
}

#[test]
fn rows_that_are_written_as_they_come_are_not_rolled_back() {
    for format in [Format::Plain, Format::Json, Format::Ndjson, Format::Csv] {
        assert_eq!(rolled_back(&|page| of(format, page), 1), None, "{format:?}");
    }
}
