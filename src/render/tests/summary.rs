//! Tests of the formats of `-s`.

mod screen;

use super::golden::compare_text;
use super::{Page, envelope, feed, layout, scene};
use crate::model::{
    FINDINGS, Family, Finding, Findings, Network, Origin, OwnedRow, Protocol, Row, Severity,
    Socket, Source, State, StateSet, Summary, Table, Timer, TimerKind,
};
use crate::render::{Color, Counted, Format, HeaderLine, Layout, Signs, Since, Sink as _, Summing};

const SOURCES: [(Protocol, Family); 6] = [
    (Protocol::Tcp, Family::Inet),
    (Protocol::Tcp, Family::Inet6),
    (Protocol::Udp, Family::Inet),
    (Protocol::Udp, Family::Inet6),
    (Protocol::Raw, Family::Inet),
    (Protocol::Unix, Family::Unix),
];

/// A busy server that does not close its connections.
const TCP: [(State, usize); 12] = [
    (State::Bound, 2),
    (State::Listen, 0),
    (State::SynSent, 1),
    (State::SynRcvd, 12),
    (State::Established, 1_234),
    (State::FinWait1, 0),
    (State::FinWait2, 3),
    (State::CloseWait, 640),
    (State::Closing, 0),
    (State::LastAck, 1),
    (State::TimeWait, 57),
    (State::Unknown(14), 1),
];

fn socket(protocol: Protocol, family: Family, state: State) -> Socket {
    let mut socket = Socket::new(protocol, family);
    socket.state = state;
    socket
}

fn rows() -> Vec<OwnedRow> {
    let mut rows = Vec::new();
    for (state, count) in TCP {
        for number in 0..count {
            let family = [Family::Inet, Family::Inet6][usize::from(number % 5 == 0)];
            let mut socket = socket(Protocol::Tcp, family, state);
            socket.inode = (state != State::LastAck).then_some(1);
            socket.timer = (state == State::TimeWait).then(|| Timer {
                kind: TimerKind::TimeWait,
                expires_ms: u32::try_from(number * 1_000).unwrap(),
                retransmits: 0,
            });
            rows.push(OwnedRow::keep(&Row::bare(&socket)));
        }
    }
    for (address, port, waiting, limit) in [
        ("0.0.0.0", 80, 0, 511),
        ("::", 22, 3, 4_096),
        ("2001:db8::1", 9_000, 129, 128),
        ("127.0.0.1", 5_432, 0, 200),
    ] {
        let mut socket = scene::inet(Protocol::Tcp, (address, port), (address, None));
        socket.state = State::Listen;
        (socket.recv_queue, socket.send_queue) = (Some(waiting), Some(limit));
        rows.push(OwnedRow::keep(&Row::bare(&socket)));
    }
    let mut named = scene::unix(b"/run/a b.sock", b"");
    named.state = State::Listen;
    (named.recv_queue, named.send_queue) = (Some(1), Some(5));
    let udp = socket(Protocol::Udp, Family::Inet, State::Unconn);
    rows.extend([named, udp].map(|socket| OwnedRow::keep(&Row::bare(&socket))));
    rows
}

fn summed(format: Format, layout: Layout, limit: Option<usize>, rows: &[OwnedRow]) -> String {
    let page = Page::default();
    let mut sink = Summing::new(format, layout, limit, envelope(), Box::new(page.clone()));
    sink.tell(found(findings()));
    feed(&mut sink, rows, &summary(rows)).unwrap();
    page.text()
}

/// The summary of a listing with these rows.
fn summary(rows: &[OwnedRow]) -> Summary {
    let origin = |(protocol, family)| Origin {
        table: Table { protocol, family },
        // Like a kernel without raw sockets.
        source: (protocol != Protocol::Raw).then_some(Source::Netlink),
        reason: None,
        is_scope_unknown: false,
        unlisted: StateSet::EMPTY,
        netns: None,
    };
    Summary {
        matched: u64::try_from(rows.len()).unwrap(),
        sources: SOURCES.map(origin).to_vec(),
        ..Summary::default()
    }
}

fn found(found: Vec<Finding>) -> Findings {
    Findings {
        found,
        not_checked: Vec::new(),
        checked: FINDINGS.iter().map(|kind| kind.name).take(17).collect(),
        counters: Vec::new(),
    }
}

/// One finding of each severity; a long name and filter.
fn findings() -> Vec<Finding> {
    let finding = |kind, severity, count, sockets: &str, text: &str| Finding {
        kind,
        severity,
        count,
        sockets: sockets.to_owned(),
        text: text.to_owned(),
        fact: text
            .split_inclusive(". ")
            .next()
            .unwrap()
            .trim_end()
            .to_owned(),
        netns: None,
    };
    vec![
        finding(
            "close_wait",
            Severity::Critical,
            1_640,
            "protocol = tcp and state close-wait and pid = 812",
            "api[812] holds 1640 connections in CLOSE_WAIT: the peers have closed, the program has not. \
             It leaks them: it must close a connection when it reads its end.",
        ),
        finding(
            "syn_sent",
            Severity::Warning,
            1,
            "(process = \"it's \\\\x22b\") and protocol = tcp and state syn-sent and dst [2001:db8::1]:443",
            "[2001:db8::1]:443 does not answer: 1 connection in SYN_SENT (a\\x1b[812]).",
        ),
        finding(
            "wildcard_and_loopback",
            Severity::Info,
            2,
            "inode = 1 or inode = 2",
            "Port 80 is listened on twice.",
        ),
    ]
}

#[test]
fn brief_is_five_lines() {
    let mut layout = layout(Format::Plain, &[]);
    layout.counted = Counted::Brief;
    let text = summed(Format::Plain, layout.clone(), None, &rows());
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    let tcp = "tcp        1955: ESTABLISHED 1234, CLOSE_WAIT 640, TIME_WAIT 57, SYN_RCVD 12, LISTEN 4, FIN_WAIT_2 3, ";
    assert!(lines[0].starts_with(tcp), "{text}");
    assert_eq!(lines[1], "others     udp 1, unix 1");
    assert!(
        lines[2].starts_with("closing    TIME_WAIT 57, the last for 56"),
        "{text}"
    );
    assert_eq!(
        lines[3],
        "listeners  5; fullest queue 129 of 128 at [2001:db8::1]:9000"
    );
    let finding =
        "findings   1 critical, 1 warning, 1 info: api[812] holds 1640 connections in CLOSE_WAIT";
    assert!(lines[4].starts_with(finding), "{text}");
    // No line wraps.
    for width in 0..100 {
        layout.width = Some(width);
        let cut = summed(Format::Table, layout.clone(), None, &rows());
        assert_eq!(cut.lines().count(), 5, "{cut}");
        let widest = cut.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(usize::from(width).max(12)), "{cut}");
    }
    layout.color = Color::Always;
    let painted = summed(Format::Table, layout.clone(), None, &rows());
    assert!(
        painted.contains("\u{1b}[1m\u{1b}[31mfindings\u{1b}[0m"),
        "{painted}"
    );
    let plain = summed(Format::Plain, layout, None, &[]);
    assert!(
        !plain.contains('\u{1b}') && plain.starts_with("tcp        not listed\n"),
        "{plain}"
    );
}

#[test]
fn a_repeated_diagram_has_differences_and_keeps_its_lines() {
    let layout = Layout {
        width: Some(80),
        counted: Counted::Compared,
        ..layout(Format::Table, &[])
    };
    let since = Since::default();
    let round = |rows: &[OwnedRow]| {
        let page = Page::default();
        let out = Box::new(page.clone());
        let mut sink = Summing::new(Format::Table, layout.clone(), None, envelope(), out);
        sink.compare(&since);
        sink.tell(found(Vec::new()));
        feed(&mut sink, rows, &summary(rows)).unwrap();
        page.text()
    };
    let all = rows();
    let (first, less) = (round(&all), round(&all[300..]));
    assert!(
        !first.contains("per second") && !first.contains("changed"),
        "{first}"
    );
    // 3 in BOUND and SYN_SENT, 12 in SYN_RCVD, the rest of 300 in ESTABLISHED.
    assert!(
        less.contains("BOUND 0 -2 ") && less.contains(" SYN_RCVD 0 -12\n"),
        "{less}"
    );
    assert!(less.contains("ESTABLISHED 949 -285  ◀"), "{less}");
    assert!(less.contains("\nper second: nothing\n"), "{less}");
    let widths = |text: &str| {
        let lines = text.lines().take(10);
        let shape = lines.map(|line| line.chars().filter(|c| "┌┐└┘▼▶◀".contains(*c)).count());
        shape.collect::<Vec<_>>()
    };
    assert_eq!(widths(&first), widths(&less));
    let columns = |text: &str, sign| {
        let lines = text.lines().take(10);
        lines
            .map(|line| line.chars().position(|c| c == sign))
            .collect::<Vec<_>>()
    };
    for sign in ['▼', '▶', '┌', '└'] {
        assert_eq!(columns(&first, sign), columns(&less, sign), "{less}");
    }
    let udp = |count: usize| {
        let more = std::iter::repeat_n(&all[all.len() - 1], count);
        all.iter().chain(more).cloned().collect::<Vec<_>>()
    };
    let _ = round(&udp(0));
    assert!(round(&udp(2)).contains("\nchanged: udp UNCONN +2\n"));
}

fn drawn(signs: Signs, color: Color) -> String {
    let layout = Layout {
        color,
        signs,
        width: Some(80),
        ..layout(Format::Table, &[])
    };
    summed(Format::Table, layout, None, &rows())
}

#[test]
fn diagram() {
    compare_text("summary.txt", &drawn(Signs::Unicode, Color::Never));
}

#[test]
fn diagram_in_ascii() {
    let text = drawn(Signs::Ascii, Color::Never);
    assert!(text.is_ascii());
    compare_text("summary-ascii.txt", &text);
}

#[test]
fn diagram_in_colour() {
    compare_text("summary-colour.txt", &drawn(Signs::Unicode, Color::Always));
    let ascii = drawn(Signs::Ascii, Color::Always);
    compare_text("summary-ascii-colour.txt", &ascii);
}

#[test]
fn drawing() {
    let text = summed(Format::Svg, layout(Format::Svg, &[]), None, &rows());
    compare_text("summary.svg", &text);
    // Tables that were not read are not zero.
    let page = Page::default();
    let (layout, out) = (layout(Format::Svg, &[]), Box::new(page.clone()));
    let mut sink = Summing::new(Format::Svg, layout, None, envelope(), out);
    sink.finish(&Summary::default()).unwrap();
    assert!(page.text().contains("LISTEN ?") && !page.text().contains(">0<"));
}

#[test]
fn diagram_fits_80_columns() {
    let text = drawn(Signs::Unicode, Color::Never);
    // A command is in one piece, for copying.
    let lines = text.lines().filter(|line| !line.contains(" lsock -ap "));
    for line in lines {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn titles_of_listeners_fit_beside_the_names_of_namespaces() {
    let titles = |name: &str| {
        let network = |inode| Network {
            name: name.as_bytes().into(),
            inode,
        };
        let sources = [1, 2].map(|inode| Origin {
            table: Table {
                protocol: Protocol::Tcp,
                family: Family::Inet,
            },
            source: Some(Source::Netlink),
            reason: None,
            is_scope_unknown: false,
            unlisted: StateSet::EMPTY,
            netns: Some(network(inode)),
        });
        let summary = Summary {
            sources: sources.to_vec(),
            ..Summary::default()
        };
        let mut socket = scene::inet(Protocol::Tcp, ("10.0.0.1", 80), ("0.0.0.0", None));
        (socket.state, socket.netns) = (State::Listen, Some(1));
        let layout = Layout {
            width: Some(80),
            ..layout(Format::Table, &[])
        };
        let page = Page::default();
        let out = Box::new(page.clone());
        let mut sink = Summing::new(Format::Table, layout, None, envelope(), out);
        let mut row = Row::bare(&socket);
        row.netns = Some(name.as_bytes());
        feed(&mut sink, &[OwnedRow::keep(&row)], &summary).unwrap();
        let text = page.text();
        let mut titles = text.lines().filter(|line| line.contains(" LISTENER"));
        titles.next().unwrap().to_owned()
    };
    let short = titles("12345678");
    assert!(short.ends_with(" (RECV_Q of at most SEND_Q wait for accept)"));
    assert_eq!(short.len(), 80);
    assert_eq!(
        titles("123456789"),
        "NETNS     PROTO RECV_Q SEND_Q LISTENER"
    );
}

#[test]
fn text() {
    let found = summed(Format::Plain, layout(Format::Plain, &[]), None, &rows());
    compare_text("summary-plain.txt", &found);
}

#[test]
fn narrow_terminal_shows_text() {
    for (width, is_text) in [(79, true), (80, false)] {
        let layout = Layout {
            width: Some(width),
            ..layout(Format::Table, &[])
        };
        let plain = summed(Format::Plain, layout.clone(), None, &rows());
        let table = summed(Format::Table, layout, None, &rows());
        assert_eq!(plain == table, is_text, "{width}");
    }
}

#[test]
fn json() {
    let found = summed(Format::Json, layout(Format::Json, &[]), None, &rows());
    compare_text("summary.json", &found);
}

#[test]
fn many_findings_alike_are_told_as_one() {
    let (page, layout) = (Page::default(), layout(Format::Plain, &[]));
    let out = Box::new(page.clone());
    let mut sink = Summing::new(Format::Plain, layout, None, envelope(), out);
    let alike = findings().into_iter().cycle().skip(1).step_by(3).take(7);
    sink.tell(found(alike.collect()));
    feed(&mut sink, &[], &Summary::default()).unwrap();
    let text = page.text();
    assert_eq!(text.matches("does not answer").count(), 5, "{text}");
    assert!(
        text.ends_with("\n\n         and 2 more of syn_sent, of 2 sockets: see -j\n"),
        "{text}"
    );
}

#[test]
fn nothing_wrong_is_said_of_what_was_looked_at() {
    let told = |is_complete: bool, findings: Option<Findings>, rows: &[OwnedRow]| {
        let page = Page::default();
        let layout = layout(Format::Plain, &[]);
        let out = Box::new(page.clone());
        let mut sink = Summing::new(Format::Plain, layout, None, envelope(), out);
        if let Some(findings) = findings {
            sink.tell(findings);
        }
        let mut summary = Summary::default();
        summary.diagnostics.gaps = usize::from(!is_complete);
        feed(&mut sink, rows, &summary).unwrap();
        let text = page.text();
        let line = text.lines().find(|line| line.starts_with("ok "));
        line.map(str::to_owned)
    };
    let rows = rows();
    let line = told(true, Some(found(Vec::new())), &rows).unwrap();
    let count = |protocol| {
        rows.iter()
            .filter(|r| r.row().socket.protocol == protocol)
            .count()
    };
    let (tcp, udp, unix) = (
        count(Protocol::Tcp),
        count(Protocol::Udp),
        count(Protocol::Unix),
    );
    let expected = format!(
        "ok       17 checks of {tcp} tcp, {udp} udp and {unix} unix sockets found nothing wrong"
    );
    assert_eq!(line, expected);
    assert_eq!(told(true, Some(found(findings())), &rows), None);
    assert_eq!(told(true, None, &rows), None, "nothing was looked for");
    let not_checked = crate::model::NotChecked {
        kind: "accept_queue",
        severity: Severity::Critical,
        sockets: 2,
    };
    let unsure = Findings {
        not_checked: vec![not_checked],
        ..found(Vec::new())
    };
    assert_eq!(
        told(true, Some(unsure), &rows),
        None,
        "something may be wrong"
    );
    assert_eq!(
        told(false, Some(Findings::default()), &rows),
        None,
        "something is missing"
    );
}

#[test]
fn records() {
    let csv = summed(Format::Csv, layout(Format::Csv, &[]), None, &rows());
    compare_text("summary.csv", &csv);
    let ndjson = summed(Format::Ndjson, layout(Format::Ndjson, &[]), None, &rows());
    compare_text("summary.ndjson", &ndjson);
}

#[test]
fn listeners_that_are_left_out_are_counted() {
    let layout = Layout {
        header: HeaderLine::Hidden,
        ..layout(Format::Plain, &[])
    };
    let end = |limit| {
        let text = summed(Format::Plain, layout.clone(), Some(limit), &rows());
        text.lines().last().unwrap().to_owned()
    };
    assert_eq!(end(0), "5 listeners");
    assert_eq!(end(2), "and 3 more");
    assert_eq!(end(5), "tcp        0    200 127.0.0.1:5432");
}
