//! Tests that rows are written the same, whatever rows came before.

use super::{layout, render, scene};
use crate::model::{OwnedRow, Protocol, Row, Shutdown, Socket, State};
use crate::render::{Format, HeaderLine, Layout};

/// Rows that differ in one value each, of those that rows have in common with others.
fn rows() -> Vec<OwnedRow> {
    let socket = scene::inet(Protocol::Tcp, ("1.1.1.1", 1), ("1.1.1.1", Some(1)));
    let settings: [fn(&mut Socket); 9] = [
        |_| (),
        |socket| socket.state = State::TimeWait,
        |socket| socket.recv_queue = None,
        |socket| socket.send_queue = Some(u32::MAX),
        |socket| socket.uid = Some(33),
        |socket| socket.mark = Some(0),
        |socket| socket.shutdown = Some(Shutdown::Send),
        |socket| socket.cgroup_id = Some(7),
        |socket| socket.local.port = Some(2),
    ];
    let changed = settings.map(|set| {
        let mut socket = socket.clone();
        set(&mut socket);
        socket
    });
    let bare = changed.iter().map(Row::bare);
    let in_cgroups = [&b"/a"[..], b"=\"b\",\n"].map(|path| Row {
        cgroup: Some(path),
        ..Row::bare(&socket)
    });
    bare.chain(in_cgroups)
        .map(|row| OwnedRow::keep(&row))
        .collect()
}

#[test]
fn values_that_rows_share_are_those_of_the_row() {
    // Enough for the values of each row to be known.
    const ROUNDS: usize = 300;
    let different = rows();
    let all: Vec<OwnedRow> = different
        .iter()
        .cycle()
        .take(ROUNDS * different.len())
        .cloned()
        .collect();
    for format in [Format::Ndjson, Format::Csv, Format::CsvSafe] {
        let layout = Layout {
            header: HeaderLine::Hidden,
            ..layout(format, &[])
        };
        let alone = different
            .iter()
            .map(|row| render(format, layout.clone(), std::slice::from_ref(row)));
        let alone: Vec<String> = alone.collect();
        let mut distinct = alone.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), different.len(), "{format:?}");
        let written = render(format, layout, &all);
        assert!(written == alone.concat().repeat(ROUNDS), "{format:?}");
    }
}
