//! Tests of text search in rows.

use super::{ALL, Extras, Format, Layout, layout, scene};
use crate::model::{Family, OwnedRow, Protocol, Row, Socket};
use crate::render::{Field, Search};

/// The number of rows in the scene that show the text.
fn count(layout: &Layout, needle: &str) -> usize {
    let mut search = Search::new(layout);
    let rows = scene::rows();
    let shows = |row: &&OwnedRow| search.contains(&row.row(), needle);
    rows.iter().filter(shows).count()
}

fn with_columns(columns: &[Field]) -> Layout {
    Layout {
        columns: columns.to_vec(),
        ..layout(Format::Table, &[])
    }
}

#[test]
fn whatever_the_case() {
    let state = with_columns(&[Field::State]);
    for needle in ["listen", "LISTEN", "Iste"] {
        assert_eq!(count(&state, needle), 1, "{needle}");
    }
    let mut search = Search::new(&with_columns(&[Field::Local]));
    let socket = scene::unix("/run/ÉΣ漢".as_bytes(), b"");
    for needle in ["/RUN/éσ", "éΣ漢", "É"] {
        assert!(search.contains(&Row::bare(&socket), needle), "{needle}");
    }
    assert!(
        !search.contains(&Row::bare(&socket), "e"),
        "no other letter"
    );
}

#[test]
fn only_what_is_shown_is_looked_at() {
    let plain = layout(Format::Plain, &[]);
    let shown = layout(Format::Plain, &[Extras::PROCESSES]);
    assert_eq!((count(&plain, "nginx"), count(&shown, "nginx")), (0, 1));
    assert_eq!(count(&shown, "nginx web"), 0, "its cgroup");
    assert_eq!(count(&layout(Format::Json, &[]), "nginx web"), 1);
}

#[test]
fn no_match_across_cells() {
    let two = with_columns(&[Field::Protocol, Field::State]);
    assert_eq!(count(&two, "tcpLISTEN"), 0);
    assert_eq!(count(&two, "tcp LISTEN"), 0);
    let socket = Socket::new(Protocol::Tcp, Family::Inet);
    let row = Row::bare(&socket);
    let mut search = Search::new(&two);
    assert!(search.contains(&row, "tcp"));
    assert!(!search.contains(&row, "tcpx"), "of the longer cell before");
}

#[test]
fn an_end_is_looked_at_as_a_whole_where_all_of_it_is_shown() {
    let listener = "0.0.0.0:http";
    for shown in [
        &[Field::Local][..],
        &[Field::LocalPort, Field::LocalAddress],
    ] {
        assert_eq!(count(&with_columns(shown), listener), 1, "{shown:?}");
    }
    for column in [Field::LocalPort, Field::LocalAddress, Field::Peer] {
        assert_eq!(count(&with_columns(&[column]), listener), 0, "{column:?}");
    }
    let peer = with_columns(&[Field::PeerPort, Field::PeerAddress]);
    assert_eq!(count(&peer, "203.0.113.255:443"), 1);
    assert_eq!(count(&layout(Format::Csv, &[]), "%eth0:22"), 1);
}

#[test]
fn details_are_looked_at_when_they_are_shown() {
    let plain = layout(Format::Plain, &[]);
    let info = layout(Format::Plain, &[Extras::INFO]);
    let memory = layout(Format::Plain, &[Extras::MEMORY]);
    for (needle, counts) in [
        ("CUBIC", [0, 1, 0]),
        ("rcvbuf:128kib", [0, 0, 1]),
        ("snd_mss:5", [0, 2, 0]),
    ] {
        let found = [&plain, &info, &memory].map(|layout| count(layout, needle));
        assert_eq!(found, counts, "{needle}");
    }
}

#[test]
fn descriptors_are_looked_at_when_they_are_shown() {
    let processes = layout(Format::Table, &[Extras::PROCESSES]);
    let extended = layout(Format::Table, &[Extras::PROCESSES, Extras::EXTENDED]);
    let found = [&processes, &extended].map(|layout| count(layout, "nginx[812]{6,7}"));
    assert_eq!(found, [0, 1]);
}

#[test]
fn names_are_looked_at_as_they_are_written() {
    let all = layout(Format::Table, &ALL);
    assert_eq!(count(&all, "a b\\x0a"), 2, "blanks stay");
    assert_eq!(count(&all, "\n"), 0);
    assert_eq!(count(&all, "@/tmp/.x11-unix"), 1);
}

#[test]
fn every_row_shows_its_protocol_and_the_empty_text() {
    let layout = layout(Format::Table, &ALL);
    assert_eq!(count(&layout, ""), scene::rows().len());
    let mut search = Search::new(&layout);
    for row in scene::rows() {
        assert!(search.contains(&row.row(), row.row().socket.protocol.name()));
    }
}

#[test]
fn json_and_csv_are_looked_at_as_text() {
    for format in [Format::Json, Format::Csv] {
        let layout = layout(format, &[Extras::INFO]);
        assert_eq!(count(&layout, "keepalive(119min,0)"), 1);
        assert_eq!(count(&layout, "snd_mss:5"), 2);
        assert_eq!(count(&layout, "漢字"), 1);
    }
}
