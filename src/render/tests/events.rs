//! Tests of the formats of `-E`.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::golden::compare_text;
use super::json::validator_of;
use super::{Page, envelope, scene};
use crate::model::{
    Diagnostics, Event, EventSummary, OwnedRow, Process, ProcessStatus, Protocol, Row, Socket,
    Spent, State, Syn, Task, Traffic, Warning,
};
use crate::render::{Color, EventLayout, Extras, Format, Grouping, HeaderLine, Signs, event_sink};

use State::{
    CloseWait, Closed, Established, FinWait1, FinWait2, LastAck, Listen, SynRcvd, SynSent, TimeWait,
};

/// An event and the processes of its socket; `None` = not looked up.
pub(super) struct Told {
    pub(super) event: Event,
    pub(super) processes: Option<Vec<Process>>,
}

/// A socket of one connection.
pub(super) struct End {
    pub(super) socket: Socket,
    connection: u64,
    pub(super) processes: Option<Vec<Process>>,
}

impl End {
    pub(super) fn new(connection: u64, local: (&str, u32), peer: (&str, Option<u32>)) -> Self {
        let mut socket = scene::inet(Protocol::Tcp, local, peer);
        socket.cookie = Some(0x1a2b + connection);
        Self {
            socket,
            connection,
            processes: None,
        }
    }

    pub(super) fn held_by(mut self, name: &[u8]) -> Self {
        self.processes = Some(vec![scene::process(812, name, &[6])]);
        self
    }

    /// Another connection with the same ends.
    pub(super) fn again(self, connection: u64) -> Self {
        Self { connection, ..self }
    }

    /// The thread whose system call leads to this state, if the socket has a holder.
    fn task(&self, new: State) -> Option<Task> {
        let is_made = matches!(new, SynSent | Listen | FinWait1 | LastAck);
        let process = self.processes.as_ref()?.first().filter(|_| is_made)?;
        let mut comm = [0; 16];
        for (to, from) in comm.iter_mut().take(15).zip(process.name.iter().flatten()) {
            *to = *from;
        }
        Some(Task {
            pid: process.pid,
            tid: process.pid + 1,
            comm,
        })
    }

    /// Its traffic by then, if its peer has a holder, too.
    fn traffic(&self, at: i64) -> Option<Traffic> {
        let carried = u64::try_from(at).unwrap();
        self.processes.as_ref().filter(|_| self.connection < 3)?;
        Some(Traffic {
            bytes_sent: 10 * carried,
            bytes_received: u64::MAX - carried,
            retransmits: 7,
            rtt_us: u32::try_from(at).ok().filter(|at| *at > 100),
        })
    }

    /// The times spent, if the start is known.
    fn spent(&self, at: i64, new: State) -> Spent {
        let known = u64::try_from(at).ok().filter(|_| self.connection < 3);
        Spent {
            in_state_us: known
                .filter(|_| !matches!(new, SynSent | SynRcvd))
                .map(|at| at / 2),
            in_all_us: known,
        }
    }

    /// An event this many microseconds after the start of the scene.
    pub(super) fn step(&self, at: i64, old: impl Into<Option<State>>, new: State) -> Told {
        let begin: Timestamp = "2026-01-02T03:04:05.123456789Z".parse().unwrap();
        let mut socket = self.socket.clone();
        socket.state = new;
        Told {
            event: Event {
                time: begin + SignedDuration::from_micros(at),
                old_state: old.into(),
                socket,
                sampled: false,
                connection: self.connection,
                syn: Syn::Sent,
                ending: None,
                owner: None,
                task: self.task(new),
                traffic: self.traffic(at),
                spent: self.spent(at, new),
            },
            processes: self.processes.clone(),
        }
    }
}

/// Found by polling, not recorded.
fn sampled(mut told: Told) -> Told {
    told.event.sampled = true;
    told
}

/// A complete open and close over IPv4, one over IPv6 as its server sees it, a refusal, an abort, and polled
/// events.
fn scene_of_events() -> Vec<Told> {
    let client = End::new(1, ("192.0.2.10", 51_234), ("198.51.100.7", Some(443))).held_by(b"curl");
    let mut calling = End::new(1, ("192.0.2.10", 0), ("198.51.100.7", Some(443)));
    (calling.socket.local.port, calling.socket.cookie) = (None, None);
    let server = End::new(
        2,
        ("2001:db8::1", 8_080),
        ("2001:db8::ffff:2", Some(60_000)),
    )
    .held_by(scene::HOSTILE);
    let refused = End::new(3, ("127.0.0.1", 40_000), ("127.0.0.1", Some(1)));
    let aborted = End::new(
        4,
        ("203.0.113.255", 65_535),
        ("203.0.113.254", Some(65_535)),
    );
    let mut listener = End::new(5, ("0.0.0.0", 80), ("0.0.0.0", None)).held_by(b"nginx");
    listener.socket.protocol = Protocol::Mptcp;
    let looked_at = End::new(6, ("10.0.0.1", 22), ("10.0.0.2", Some(50_000)));
    vec![
        calling.step(0, Closed, SynSent),
        listener.step(10, Closed, Listen),
        server.step(100, Listen, SynRcvd),
        server.step(131, SynRcvd, Established),
        client.step(31_250, SynSent, Established),
        sampled(looked_at.step(40_000, None, Established)),
        refused.step(50_000, Closed, SynSent),
        refused.step(50_012, SynSent, Closed),
        server.step(60_000, Established, CloseWait),
        server.step(60_500, CloseWait, LastAck),
        server.step(61_000, LastAck, Closed),
        aborted.step(70_000, Established, Closed),
        client.step(2_431_250, Established, FinWait1),
        client.step(2_462_000, FinWait1, FinWait2),
        sampled(client.step(2_500_000, FinWait2, TimeWait)),
        sampled(looked_at.step(3_000_000, Established, FinWait1)),
        sampled(looked_at.step(3_000_000, None, Closed)),
        sampled(client.step(62_500_000, TimeWait, Closed)),
        listener.step(200_000_000, Listen, State::Unknown(14)),
    ]
}

pub(super) fn layout() -> EventLayout {
    EventLayout {
        columns: Vec::new(),
        header: HeaderLine::Shown,
        color: Color::Never,
        signs: Signs::Unicode,
        width: None,
        height: None,
        zone: TimeZone::fixed(jiff::tz::offset(2)),
        most_pairs: None,
    }
}

pub(super) fn summary() -> EventSummary {
    EventSummary {
        matched: 19,
        lost: 0,
        sampled: false,
        diagnostics: Diagnostics {
            gaps: 0,
            warnings: vec![Warning::Failed("a \"warning\"".into())],
        },
    }
}

/// The layout with the default columns, if it has none.
pub(super) fn usual(format: Format, mut layout: EventLayout) -> EventLayout {
    if layout.columns.is_empty() {
        layout.columns = format.event_columns(Extras::NONE);
    }
    layout
}

/// The output with a flush after every event.
fn written(format: Format, grouping: Grouping, layout: EventLayout) -> String {
    let layout = usual(format, layout);
    let page = Page::default();
    let out = Box::new(page.clone());
    let mut sink = event_sink(format, grouping, layout, &envelope(), out);
    for told in scene_of_events() {
        let row = Row {
            processes: told.processes.as_deref(),
            process_status: told.processes.as_ref().map(|_| ProcessStatus::Found),
            netns: Some(b"blue"),
            netns_inode: Some(4_026_531_840),
            ..Row::bare(&told.event.socket)
        };
        // As real rows do, it lives only for the call.
        let row = OwnedRow::keep(&row);
        sink.event(&told.event, &row.row(), true).unwrap();
        sink.flush().unwrap();
    }
    sink.finish(&summary()).unwrap();
    page.text()
}

#[test]
fn table() {
    let found = written(Format::Table, Grouping::None, layout());
    compare_text("events.txt", &found);
}

#[test]
fn table_with_processes_in_colour() {
    let layout = EventLayout {
        color: Color::Always,
        columns: Format::Plain.event_columns(Extras::PROCESSES),
        ..layout()
    };
    let found = written(Format::Table, Grouping::None, layout);
    compare_text("events-colour.txt", &found);
}

#[test]
fn steps_are_folded_between_cells_where_the_terminal_is_narrow() {
    let narrow = EventLayout {
        columns: Format::Plain.event_columns(Extras::PROCESSES),
        width: Some(80),
        ..layout()
    };
    let found = written(Format::Table, Grouping::None, narrow);
    compare_text("events-80.txt", &found);
    for line in found.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn table_in_ascii() {
    let layout = EventLayout {
        signs: Signs::Ascii,
        ..layout()
    };
    for grouping in [Grouping::None, Grouping::Connection] {
        let found = written(Format::Table, grouping, layout.clone());
        assert!(found.is_ascii(), "{found}");
    }
}

#[test]
fn plain() {
    let layout = EventLayout {
        columns: Format::Plain.event_columns(Extras::PROCESSES),
        ..layout()
    };
    let found = written(Format::Plain, Grouping::None, layout);
    compare_text("events-plain.txt", &found);
    // Nine words precede the step, whatever the names are.
    for line in found.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        assert!(words.len() >= 9 && words[5] == "->", "{line}");
    }
}

#[test]
fn titles_can_be_left_out() {
    let hidden = EventLayout {
        header: HeaderLine::Hidden,
        ..layout()
    };
    for format in [Format::Table, Format::Plain, Format::Csv] {
        let with = written(format, Grouping::None, layout()).lines().count();
        let without = written(format, Grouping::None, hidden.clone());
        assert_eq!(without.lines().count() + 1, with, "{format:?}");
    }
}

#[test]
fn records() {
    let json = written(Format::Json, Grouping::None, layout());
    compare_text("events.json", &json);
    let ndjson = written(Format::Ndjson, Grouping::None, layout());
    compare_text("events.ndjson", &ndjson);
    compare_text(
        "events.csv",
        &written(Format::Csv, Grouping::None, layout()),
    );
    assert_follows(&json, &ndjson, "event", "events");
}

#[test]
fn connections() {
    let plain = EventLayout {
        columns: Format::Plain.event_columns(Extras::PROCESSES),
        ..layout()
    };
    let found = written(Format::Plain, Grouping::Connection, plain);
    compare_text("connections-plain.txt", &found);
    let table = written(Format::Table, Grouping::Connection, layout());
    compare_text("connections.txt", &table);
    let json = written(Format::Json, Grouping::Connection, layout());
    compare_text("connections.json", &json);
    let ndjson = written(Format::Ndjson, Grouping::Connection, layout());
    compare_text("connections.ndjson", &ndjson);
    assert_follows(&json, &ndjson, "connection", "connections");
}

/// Asserts that the document and the lines follow the schema and are equal.
pub(super) fn assert_follows(document: &str, lines: &str, name: &str, key: &str) {
    let document: Value = serde_json::from_str(document).unwrap();
    let wrong = |of: &str, value: &Value| {
        let validator = validator_of(of);
        let errors = validator.iter_errors(value).map(|error| error.to_string());
        errors.collect::<Vec<String>>()
    };
    assert_eq!(wrong("", &document), Vec::<String>::new());
    let lines = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    for line in &lines {
        assert_eq!(wrong(name, line), Vec::<String>::new(), "{line}");
    }
    assert_eq!(document[key].as_array(), Some(&lines));
    // An invalid document is rejected.
    let mut broken = document.clone();
    broken[key][0]["sampled"] = "yes".into();
    assert_ne!(wrong("", &broken), Vec::<String>::new());
}

/// The final contents of a terminal this many columns wide. Wrapped lines take more lines than the cursor
/// movements count.
fn screen(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split_inclusive('\n') {
        let mut line = line.trim_end_matches('\n');
        while let Some((up, rest)) = line
            .strip_prefix("\u{1b}[")
            .and_then(|r| r.split_once("A\u{1b}[J"))
        {
            let up: usize = up.parse().unwrap();
            assert!(up <= lines.len(), "above the first line");
            for again in lines.split_off(lines.len() - up) {
                assert!(again.chars().count() <= width, "{width}: {again}");
            }
            line = rest;
        }
        lines.push(line.to_owned());
    }
    lines.join("\n") + "\n"
}

#[test]
fn connections_grow_in_their_place() {
    for (file, width, height) in [
        ("connections-live.txt", 200, 24),
        ("connections-live-narrow.txt", 100, 24),
        ("connections-live-low.txt", 200, 4),
    ] {
        let layout = EventLayout {
            width: Some(width),
            height: Some(height),
            ..layout()
        };
        let found = written(Format::Table, Grouping::Connection, layout);
        compare_text(file, &screen(&found, width.into()));
    }
}

#[test]
fn a_terminal_of_any_size_is_not_written_beyond() {
    for width in 1..90 {
        for height in 1..4 {
            let layout = EventLayout {
                width: Some(width),
                height: Some(height),
                header: HeaderLine::Hidden,
                ..layout()
            };
            let found = written(Format::Table, Grouping::Connection, layout);
            screen(&found, width.into());
        }
    }
}

#[test]
fn output_that_fails_is_an_error() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let told = &scene_of_events()[0];
    for format in [
        Format::Table,
        Format::Plain,
        Format::Json,
        Format::Ndjson,
        Format::Csv,
    ] {
        for grouping in [Grouping::None, Grouping::Connection] {
            let mut sink = event_sink(format, grouping, layout(), &envelope(), Box::new(Full));
            sink.event(&told.event, &Row::bare(&told.event.socket), true)
                .unwrap();
            let failed = sink.flush().and_then(|()| sink.finish(&summary()));
            assert!(failed.is_err(), "{format:?} {grouping:?}");
        }
    }
}
