//! Tests of widths, wrapping and colors of `table`.

use super::{ALL, Page, RowBuffer, envelope, feed, layout, render, scene};
use crate::model::{OwnedRow, Process, Protocol, Row, Summary};
use crate::render::{Arrangement, Color, Extras, Field, Format, HeaderLine, sink};

#[test]
fn no_address_is_ever_split() {
    let cells: Vec<String> = scene::rows()
        .iter()
        .flat_map(|row| {
            let mut layout = layout(Format::Table, &[]);
            layout.columns = vec![Field::Local];
            layout.width = Some(200);
            let text = render(Format::Table, layout, std::slice::from_ref(row));
            text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(cells.len(), scene::rows().len());
    for width in [1, 60, 80, 200] {
        let mut layout = layout(Format::Table, &ALL);
        layout.width = Some(width);
        let text = render(Format::Table, layout, &scene::rows());
        for cell in &cells {
            assert!(
                text.lines().any(|line| line.contains(&**cell)),
                "{width}: {cell}"
            );
        }
    }
}

#[test]
fn only_free_text_wraps_and_nothing_of_it_is_lost() {
    let mut layout = layout(Format::Table, &[Extras::PROCESSES]);
    layout.columns = vec![Field::Protocol, Field::Local, Field::Processes];
    let socket = scene::inet(Protocol::Tcp, ("1.2.3.4", 5), ("1.2.3.4", None));
    let owners: Vec<Process> = (100..140)
        .map(|n| scene::process(n, b"a worker", &[]))
        .collect();
    let row = [OwnedRow::keep(&Row {
        processes: Some(&owners),
        ..Row::bare(&socket)
    })];
    layout.width = Some(60);
    let text = render(Format::Table, layout.clone(), &row);
    assert!(text.lines().all(|line| line.len() <= 60), "{text}");
    assert!(text.lines().count() > 10);
    let wrapped: String = text
        .lines()
        .skip(1)
        .map(|line| line[16..].trim_end())
        .collect();
    let whole: Vec<String> = (100..140).map(|n| format!("a worker[{n}]")).collect();
    let squeeze = |text: &str| text.replace(' ', "");
    assert_eq!(squeeze(&wrapped), squeeze(&whole.join(",")));
    // -O asks for one line per socket.
    layout.one_line = true;
    assert_eq!(render(Format::Table, layout, &row).lines().count(), 2);
}

#[test]
fn what_fits_is_not_wrapped() {
    let mut layout = layout(Format::Table, &[]);
    layout.width = Some(200);
    let narrow = render(Format::Table, layout.clone(), &scene::rows());
    layout.width = Some(u16::MAX);
    assert_eq!(narrow, render(Format::Table, layout, &scene::rows()));
    assert_eq!(narrow.lines().count(), 1 + scene::rows().len());
}

#[test]
fn mapped_addresses_are_short_on_a_terminal_alone() {
    let mut layout = layout(Format::Table, &[]);
    layout.columns = vec![Field::Local, Field::Peer];
    let socket = scene::inet(
        Protocol::Tcp,
        ("::ffff:10.0.0.1", 22),
        ("::ffff:10.0.0.2", Some(5)),
    );
    let rows = [OwnedRow::keep(&Row::bare(&socket))];
    let line = |layout| {
        render(Format::Table, layout, &rows)
            .lines()
            .last()
            .map(str::to_owned)
    };
    let whole = "[::ffff:10.0.0.1]:22 [::ffff:10.0.0.2]:5";
    assert_eq!(line(layout.clone()).as_deref(), Some(whole));
    layout.width = Some(80);
    assert_eq!(line(layout).as_deref(), Some("^10.0.0.1:22 ^10.0.0.2:5"));
}

/// A few long endpoints do not fold other rows.
#[test]
fn only_rows_that_do_not_fit_are_folded_where_most_do() {
    let mut layout = layout(Format::Table, &[Extras::PROCESSES]);
    layout.width = Some(80);
    let owner = [scene::process(812, b"worker", &[])];
    let row = |peer: &str| {
        let socket = scene::inet(Protocol::Tcp, ("192.0.2.100", 54321), (peer, Some(443)));
        OwnedRow::keep(&Row {
            processes: Some(&owner),
            ..Row::bare(&socket)
        })
    };
    let long = "2001:db8:1234:5678:9abc:def0:1234:5678";
    let mut rows = vec![row("203.0.113.100"); 3];
    rows.insert(1, row(long));
    let text = render(Format::Table, layout.clone(), &rows);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + 3 + 2, "{text}");
    assert!(lines.iter().all(|line| line.len() <= 80), "{text}");
    for line in [0, 1, 4, 5] {
        let at = |title: &str| lines[0].find(title).unwrap();
        let words = ["STATE", "LOCAL", "PEER", "PROCESSES"];
        let begins = |title: &str| !lines[line][at(title)..].starts_with(' ');
        assert!(words.into_iter().all(begins), "{text}");
    }
    assert_eq!(lines[2].split(' ').next_back(), Some("192.0.2.100:54321"));
    assert_eq!(lines[3], format!("    [{long}]:443 worker[812]"));
    // If most are long, all are folded at one column.
    let rows = vec![row(long); 3];
    let text = render(Format::Table, layout, &rows);
    assert_eq!(text.lines().count(), 2 * (1 + 3), "{text}");
}

#[test]
fn no_line_ends_in_a_blank() {
    for width in [Some(60), Some(200), None] {
        let mut layout = layout(Format::Table, &ALL);
        layout.width = width;
        let text = render(Format::Table, layout, &scene::rows());
        assert!(text.lines().all(|line| line == line.trim_end()), "{text}");
    }
}

#[test]
fn an_empty_table_is_its_header() {
    let text = render(Format::Table, layout(Format::Table, &[]), &[]);
    assert_eq!(text, "PROTO STATE RECV_Q SEND_Q LOCAL PEER\n");
}

#[test]
fn columns_that_no_row_fills_are_left_out_where_all_rows_are_known() {
    let mut layout = layout(Format::Table, &[Extras::EXTENDED, Extras::TIMERS]);
    layout.leaves_out_empty = true;
    let mut socket = scene::inet(Protocol::Tcp, ("10.0.0.1", 1), ("10.0.0.2", Some(22)));
    socket.inode = Some(7);
    let mut rows = vec![OwnedRow::keep(&Row::bare(&socket)); 2];
    let titles = |rows: &[OwnedRow]| {
        let text = render(Format::Table, layout.clone(), rows);
        text.lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let usual = "PROTO STATE RECV_Q SEND_Q LOCAL PEER";
    // The timer is empty too, but was requested explicitly.
    assert_eq!(titles(&rows), format!("{usual} INODE TIMER"));
    socket.mark = Some(5);
    rows.push(OwnedRow::keep(&Row::bare(&socket)));
    assert_eq!(titles(&rows), format!("{usual} INODE MARK TIMER"));
    let many = vec![rows[0].clone(); RowBuffer::WINDOW + 1];
    assert!(titles(&many).contains("COOKIE"));
}

#[test]
fn a_header_that_waits_for_rows_comes_with_them_alone() {
    for format in [Format::Table, Format::Plain] {
        let mut layout = layout(format, &[]);
        layout.header = HeaderLine::WithRows;
        let text = |rows: &[OwnedRow]| {
            let page = Page::default();
            let writer = sink(format, layout.clone(), &envelope(), Box::new(page.clone()));
            let mut buffer = RowBuffer::new(writer, Arrangement::default());
            let matched = u64::try_from(rows.len()).unwrap();
            let summary = Summary {
                matched,
                ..Summary::default()
            };
            feed(&mut buffer, rows, &summary).unwrap();
            page.text()
        };
        assert_eq!(text(&[]), "");
        assert_eq!(text(&scene::rows()[..1]).lines().count(), 2, "{format:?}");
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let mut layout = layout(Format::Table, &ALL);
    layout.width = Some(120);
    let black = render(Format::Table, layout.clone(), &scene::rows());
    layout.color = Color::Always;
    let coloured = render(Format::Table, layout, &scene::rows());
    assert!(!black.contains('\x1b') && coloured.contains("\x1b[34mLISTEN\x1b[0m"));
    let mut stripped = String::new();
    for (index, part) in coloured.split('\x1b').enumerate() {
        let rest = part.split_once('m').map_or(part, |(_, rest)| rest);
        stripped.push_str(if index == 0 { part } else { rest });
    }
    assert_eq!(stripped, black);
}

#[test]
fn rows_past_the_window_keep_its_widths() {
    let short = scene::inet(Protocol::Tcp, ("10.0.0.1", 1), ("10.0.0.2", Some(22)));
    let long = scene::inet(Protocol::Tcp, ("1:2:3:4:5:6:7:8", 1), ("::1", Some(2)));
    let mut rows = vec![OwnedRow::keep(&Row::bare(&short)); RowBuffer::WINDOW];
    rows.push(OwnedRow::keep(&Row::bare(&long)));
    rows.push(OwnedRow::keep(&Row::bare(&short)));
    let text = render(Format::Table, layout(Format::Table, &[]), &rows);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 1 + RowBuffer::WINDOW + 2);
    assert_eq!(lines[RowBuffer::WINDOW + 2], lines[1]);
    assert_eq!(
        lines[RowBuffer::WINDOW + 1],
        "tcp   UNCONN      0      0 [1:2:3:4:5:6:7:8]:1 [::1]:2"
    );
}

#[test]
fn details_follow_their_row() {
    let text = render(
        Format::Table,
        layout(Format::Table, &[Extras::MEMORY]),
        &scene::rows(),
    );
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[2].contains("192.168.100.200:54321"));
    assert_eq!(lines[3], "        rmem_alloc:0B rcvbuf:128KiB drops:3");
    assert_eq!(lines.len(), 2 + scene::rows().len());
}

#[test]
fn lines_too_long_are_folded_between_cells() {
    for width in [40, 60, 80] {
        let mut layout = layout(Format::Table, &[]);
        layout.width = Some(width);
        layout.columns = vec![Field::Protocol, Field::State, Field::Local, Field::Peer];
        let text = render(Format::Table, layout, &scene::rows());
        assert!(text.lines().any(|line| line.starts_with("    ")));
        let long = |line: &&str| line.chars().count() > usize::from(width);
        for line in text.lines().filter(long) {
            // Only a cell that is too long by itself exceeds the edge.
            assert!(line.starts_with("    "), "{width}: {line}");
            assert!(!line.trim().contains("  "), "{width}: {line}");
        }
    }
}
