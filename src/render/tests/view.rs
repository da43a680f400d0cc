//! Tests of the view of `-c`, on an emulated screen.

mod keys;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthChar as _;

use super::golden::compare_text;
use super::scene::{HOSTILE, inet, process, unix};
use super::{layout, scene};
use crate::model::{Change, ChangedRow, OwnedRow, ProcessStatus, Protocol, Row, State};
use crate::render::view::{Aside, Asked, Changed, Find, Input, Page, Prompt, StateCount, View};
use crate::render::{Color, Extras, Field, Format, HeaderLine, Layout, Order, Signs, SortKey};

/// A terminal emulator that only understands what a view writes.
struct Glass {
    width: usize,
    lines: Vec<Vec<char>>,
    at: (usize, usize),
    cursor: Option<(usize, usize)>,
    painted: bool,
    /// Lines written since this was last reset.
    written: Vec<usize>,
}

/// The second half of a wide character.
const WIDE: char = '\0';

impl Glass {
    fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            lines: vec![vec![' '; width]; height],
            at: (0, 0),
            cursor: None,
            painted: false,
            written: Vec::new(),
        }
    }

    fn show(&mut self, frame: &[u8]) {
        let text = std::str::from_utf8(frame).unwrap();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '\u{1b}' {
                self.put(c);
                continue;
            }
            assert_eq!(rest.next(), Some('['));
            let mut parameters = String::new();
            let end = rest.by_ref().find(|c| {
                parameters.push(*c);
                c.is_ascii_alphabetic()
            });
            parameters.pop();
            self.obey(end.unwrap(), &parameters);
        }
    }

    fn obey(&mut self, what: char, parameters: &str) {
        match (what, parameters) {
            ('H', place) => {
                let (line, column) = place.split_once(';').unwrap();
                let number = |text: &str| text.parse::<usize>().unwrap() - 1;
                self.at = (number(line), number(column));
            }
            ('K', "") => {
                let (line, column) = self.at;
                self.lines[line][column..].fill(' ');
            }
            ('J', "2") => self.lines.iter_mut().for_each(|line| line.fill(' ')),
            ('h', "?25") => self.cursor = Some(self.at),
            ('l', "?25") => self.cursor = None,
            ('m', _) => self.painted = true,
            ('h' | 'l', "?2026") => {}
            other => panic!("{other:?}"),
        }
    }

    fn put(&mut self, c: char) {
        assert!(!c.is_control(), "{c:?}");
        let (line, column) = self.at;
        let wide = c.width().unwrap();
        assert!(column + wide <= self.width, "{:?}", self.lines[line]);
        if wide > 0 {
            self.lines[line][column] = c;
        }
        if wide == 2 {
            self.lines[line][column + 1] = WIDE;
        }
        self.at.1 += wide;
        self.written.push(line);
    }

    fn text(&self) -> String {
        let lines = self.lines.iter().map(|line| {
            let line: String = line.iter().filter(|c| **c != WIDE).collect();
            format!("{}\n", line.trim_end())
        });
        lines.collect()
    }

    fn line(&self, number: usize) -> String {
        self.text().lines().nth(number).unwrap().to_owned()
    }
}

fn changed(row: OwnedRow, change: Change) -> ChangedRow {
    let row = Arc::new(row);
    ChangedRow { row, change }
}

/// The whole scene, with some new, gone and changed sockets.
fn list() -> Vec<ChangedRow> {
    let changes = [
        Change::None,
        Change::New,
        Change::Changed(State::SynRcvd),
        Change::Gone,
        Change::Found,
    ];
    let rows = scene::rows().into_iter();
    rows.zip(changes.into_iter().cycle())
        .map(|(row, change)| changed(row, change))
        .collect()
}

/// This many connections.
fn connections(count: u32) -> Vec<ChangedRow> {
    let rows = (1..=count).map(|port| {
        let mut socket = inet(Protocol::Tcp, ("127.0.0.1", port), ("127.0.0.1", Some(80)));
        socket.state = State::Established;
        changed(OwnedRow::keep(&Row::bare(&socket)), Change::None)
    });
    rows.collect()
}

static COUNTS: LazyLock<BTreeMap<State, StateCount>> = LazyLock::new(|| {
    let counts = [
        (State::Listen, 12, 12),
        (State::Established, 1_234, 1_231),
        (State::TimeWait, 0, 40),
    ];
    let counts = counts.map(|(state, now, before)| {
        let before = Some(before);
        (state, StateCount { now, before })
    });
    counts.into_iter().collect()
});

fn page(rows: &[ChangedRow]) -> Page {
    Page {
        time: Timestamp::from_second(1_767_323_045).unwrap(),
        every: Duration::from_millis(1_500),
        counts: COUNTS.clone(),
        changes: Changed {
            new: 5,
            gone: 42,
            changed: 3,
        },
        rows: rows.to_vec(),
        has_keys: true,
        ..Page::default()
    }
}

/// A filter being typed, with this many characters before the cursor.
fn prompt(text: &str, cursor: usize, error: Option<&str>) -> Prompt {
    let mut prompt = Prompt::new(Asked::Filter, text);
    prompt.error = error.map(str::to_owned);
    for _ in cursor..text.chars().count() {
        prompt.key(Input::Left);
    }
    prompt
}

fn view(layout: Layout) -> View {
    View::new(layout, TimeZone::UTC)
}

fn shown(layout: Layout, page: &Page, width: u16, height: u16) -> Glass {
    let mut glass = Glass::new(width.into(), height.into());
    glass.show(&view(layout).draw(page, [width, height]));
    glass
}

fn table(extras: &[Extras]) -> Layout {
    layout(Format::Table, extras)
}

#[test]
fn a_screen_of_80_columns() {
    let glass = shown(table(&[]), &page(&list()), 80, 24);
    compare_text("view-80.txt", &glass.text());
}

#[test]
fn a_screen_of_160_columns_in_ascii_with_everything() {
    let mut layout = table(&super::ALL);
    layout.signs = Signs::Ascii;
    let list = list();
    let page = Page {
        is_paused: true,
        sort: Order::Keys(vec![SortKey::usual(Field::RecvQueue)]),
        filter: "state established,time-wait and not dst 127/8".to_owned(),
        notice: Some(
            "incomplete: IPv4 TCP sockets: the receive buffer overran (ENOBUFS)".to_owned(),
        ),
        ..page(&list)
    };
    compare_text("view-160-ascii.txt", &shown(layout, &page, 160, 30).text());
}

#[test]
fn colours_and_signs_say_the_same() {
    let mut layout = table(&[]);
    layout.color = Color::Always;
    let list = list();
    let page = page(&list);
    let frame = view(layout.clone()).draw(&page, [80, 24]);
    let frame = String::from_utf8(frame).unwrap();
    compare_text("view-colour.txt", &frame.replace('\u{1b}', "\n\\e"));
    let colourless = shown(table(&[]), &page, 80, 24);
    assert_eq!(shown(layout, &page, 80, 24).text(), colourless.text());
    let signs: String = colourless.lines[4..].iter().map(|line| line[0]).collect();
    assert!(signs.starts_with(" +~- "), "{signs}");
}

#[test]
fn without_colours_no_line_is_painted() {
    assert!(!shown(table(&[]), &page(&list()), 80, 24).painted);
}

#[test]
fn the_state_that_a_socket_left_moves_nothing_but_what_is_next_to_it() {
    let mut list = connections(2);
    list[1].change = Change::Changed(State::SynRcvd);
    let glass = shown(table(&[]), &page(&list), 80, 10);
    let (still, moved) = (glass.line(4), glass.line(5));
    assert!(
        moved.starts_with("~ tcp   SYN_RCVD→ESTABLISHED 0  0 127"),
        "{moved}"
    );
    let peer = |line: &str| line.chars().collect::<String>().rfind("127.0.0.1:80");
    let columns = |line: &str| line[..peer(line).unwrap()].chars().count();
    assert_eq!(columns(&still), columns(&moved), "{still}\n{moved}");
}

#[test]
fn what_goes_on_beyond_the_screen_is_marked_and_can_be_moved_into_it() {
    let list = connections(1);
    let page = page(&list);
    let mut view = view(table(&[]));
    let mut glass = Glass::new(50, 9);
    glass.show(&view.draw(&page, [50, 9]));
    let line = "  tcp   ESTABLISHED      0      0 127.0.0.1:1 127…";
    assert_eq!(glass.line(5), line);
    for _ in 0..3 {
        view.key(Input::Right);
    }
    glass.show(&view.draw(&page, [50, 9]));
    // Only to the end of the line.
    assert_eq!(
        glass.line(5),
        "  TABLISHED      0      0 127.0.0.1:1 127.0.0.1:80"
    );
    for _ in 0..3 {
        view.key(Input::Left);
    }
    glass.show(&view.draw(&page, [50, 9]));
    assert_eq!(glass.line(5), line);
}

#[test]
fn rows_are_scrolled_and_no_further_than_there_are_any() {
    let list = connections(100);
    let page = page(&list);
    let mut view = view(table(&[]));
    let mut glass = Glass::new(80, 15);
    let mut see = |view: &mut View, scrolls: &[Input]| {
        for scroll in scrolls {
            view.key(*scroll);
        }
        glass.show(&view.draw(&page, [80, 15]));
        glass.line(14).rsplit("  ").next().unwrap().to_owned()
    };
    assert_eq!(see(&mut view, &[]), "1-10 of 100");
    assert_eq!(see(&mut view, &[Input::WheelDown]), "4-13 of 100");
    assert_eq!(see(&mut view, &[Input::PageDown]), "14-23 of 100");
    assert_eq!(see(&mut view, &[Input::Last]), "91-100 of 100");
    assert_eq!(see(&mut view, &[Input::PageDown]), "91-100 of 100");
    assert_eq!(see(&mut view, &[Input::WheelUp]), "88-97 of 100");
    assert_eq!(see(&mut view, &[Input::PageUp]), "78-87 of 100");
    assert_eq!(
        see(&mut view, &[Input::First, Input::WheelUp]),
        "1-10 of 100"
    );
}

#[test]
fn columns_do_not_become_narrower_again() {
    let mut wide = connections(1);
    let mut socket = inet(
        Protocol::Tcp,
        ("2001:db8:1111:2222:3333:4444:5555:6666", 65_535),
        ("2001:db8::1", Some(443)),
    );
    socket.state = State::Established;
    let row = OwnedRow::keep(&Row::bare(&socket));
    wide.push(changed(row, Change::New));
    let narrow = connections(1);
    let mut view = view(table(&[]));
    let mut glass = Glass::new(120, 10);
    glass.show(&view.draw(&page(&wide), [120, 10]));
    let before = glass.line(3);
    glass.show(&view.draw(&page(&narrow), [120, 10]));
    assert_eq!(glass.line(3), before);
}

#[test]
fn only_lines_that_changed_are_written() {
    let mut list = connections(50);
    let mut view = view(table(&[]));
    let mut glass = Glass::new(80, 20);
    glass.show(&view.draw(&page(&list), [80, 20]));
    glass.written.clear();
    glass.show(&view.draw(&page(&list), [80, 20]));
    assert_eq!(glass.written, Vec::<usize>::new());
    list[2].change = Change::New;
    glass.show(&view.draw(&page(&list), [80, 20]));
    glass.written.dedup();
    assert_eq!(glass.written, [6]);
    view.key(Input::Redraw);
    glass.written.clear();
    glass.show(&view.draw(&page(&list), [80, 20]));
    glass.written.dedup();
    assert_eq!(glass.written.len(), 20);
}

#[test]
fn of_a_long_filter_the_part_with_the_cursor_is_seen() {
    let list = connections(3);
    let text = "sport = 1 or sport = 2 or dst 漢字";
    for (cursor, line, column) in [
        (0, "/sport = 1 or sport", 1),
        (19, "/port = 1 or sport =", 19),
        (32, "/rt = 2 or dst 漢字", 19),
    ] {
        let page = Page {
            prompt: Some(prompt(text, cursor, None)),
            ..page(&list)
        };
        let glass = shown(table(&[]), &page, 20, 8);
        assert_eq!(
            (glass.line(7), glass.cursor),
            (line.trim_end().to_owned(), Some((7, column)))
        );
    }
}

#[test]
fn hostile_names_stay_in_their_line() {
    let mut list = Vec::new();
    for name in [HOSTILE, "\u{202e}\u{6f22}\u{200b}e\u{301}".as_bytes()] {
        let socket = unix(name, name);
        let owners = [process(7, name, &[3])];
        let row = Row {
            processes: Some(&owners),
            process_status: Some(ProcessStatus::Found),
            ..Row::bare(&socket)
        };
        list.push(changed(OwnedRow::keep(&row), Change::New));
    }
    let mut color = table(&[Extras::UNIX, Extras::PROCESSES]);
    color.color = Color::Always;
    for width in 1..200 {
        // The emulator rejects control characters, and anything beyond its edge.
        shown(color.clone(), &page(&list), width, 12);
    }
    let text = shown(color, &page(&list), 200, 12).text();
    assert!(text.contains("\\x1b]52;c;aGk=\\x07"), "{text}");
}

#[test]
fn counts_stand_in_the_place_of_the_list_and_keep_their_colours() {
    let lines: Vec<String> = (0..50)
        .map(|line| format!("\u{1b}[1mline {line}\u{1b}[0m {}漢", "x".repeat(40)))
        .collect();
    let page = Page {
        counted: Some(lines.join("\n")),
        filter: "sport = 22".to_owned(),
        ..page(&[])
    };
    let mut view = view(table(&[]));
    let mut glass = Glass::new(80, 15);
    glass.show(&view.draw(&page, [80, 15]));
    assert_eq!(glass.line(0), "lsock  03:04:05  every 1.5s");
    assert_eq!(glass.line(1), "filter: sport = 22");
    assert!(
        glass.painted && glass.line(2).starts_with("line 0 xxx"),
        "{}",
        glass.text()
    );
    assert!(glass.line(14).ends_with("1-12 of 50"), "{}", glass.text());
    view.key(Input::Last);
    glass.show(&view.draw(&page, [80, 15]));
    assert!(
        glass.line(13).starts_with("line 49 xxx"),
        "{}",
        glass.text()
    );
    for width in 1..60 {
        // The emulator rejects anything beyond its edge; the end of a color comes after it.
        let frame = view.draw(&page, [width, 15]);
        Glass::new(width.into(), 15).show(&frame);
        let frame = String::from_utf8(frame).unwrap();
        assert_eq!(
            frame.matches("\u{1b}[1m").count(),
            frame.matches("\u{1b}[0m").count()
        );
        assert_eq!(frame.contains('…'), width < 50, "{width}");
    }
}

#[test]
fn every_size_of_a_screen_can_be_drawn() {
    let list = list();
    let written = prompt("sport = 22", 5, Some("one\ntwo\nthree"));
    let aside = Some(Aside::Keys);
    for (has_keys, prompt, aside) in [
        (true, None, None),
        (false, None, aside.clone()),
        (true, Some(written), None),
        (true, Some(Prompt::new(Asked::Text, "sport")), aside),
    ] {
        let page = Page {
            has_keys,
            prompt,
            aside,
            notice: Some("incomplete".to_owned()),
            filter: "sport = 22".to_owned(),
            ..page(&list)
        };
        let mut view = view(table(&super::ALL));
        for width in 0..30 {
            for height in 0..12 {
                let mut glass = Glass::new(width.into(), height.into());
                let frame = view.draw(&page, [width, height]);
                if width > 0 && height > 0 {
                    glass.show(&frame);
                }
            }
        }
    }
}

#[test]
fn without_titles_there_is_a_row_more() {
    let mut layout = table(&[]);
    let list = connections(30);
    let with = shown(layout.clone(), &page(&list), 80, 13);
    layout.header = HeaderLine::Hidden;
    let without = shown(layout, &page(&list), 80, 13);
    assert!(with.text().contains("PROTO") && !without.text().contains("PROTO"));
    assert!(with.text().contains("1-8 of 30") && without.text().contains("1-9 of 30"));
}

#[test]
fn notice_stands_at_the_bottom_and_moves_no_row() {
    let list = connections(30);
    let page = page(&list);
    let layout = table(&[]);
    let without = shown(layout.clone(), &page, 80, 13);
    let notice = Some("incomplete: something is missing".to_owned());
    let with = shown(layout, &Page { notice, ..page }, 80, 13);
    for line in 0..11 {
        assert_eq!(with.line(line), without.line(line));
    }
    assert_eq!(with.line(11), "! incomplete: something is missing");
    assert!(with.line(12).starts_with("q quit"));
}
