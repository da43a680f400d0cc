//! Tests of the lines of `netstat`.

use super::{Page, feed, scene};
use crate::model::{
    Family, OwnedRow, ProcNetExtras, Process, Protocol, Row, Selection, Socket, SocketType, State,
    Timer, TimerKind,
};
use crate::render::netstat::Netstat;
use crate::render::out::Out;
use crate::render::{Extras, HeaderLine, NetstatLayout, Section};

const PLAIN: NetstatLayout = NetstatLayout {
    selection: Selection::All,
    header: HeaderLine::Hidden,
    sections: &[],
    extras: Extras::NONE,
    names_hosts: false,
    cuts_addresses: true,
    escapes_names: false,
};

fn with(extras: &[Extras]) -> NetstatLayout {
    NetstatLayout {
        extras: extras.iter().copied().collect(),
        ..PLAIN
    }
}

fn bytes(layout: NetstatLayout, rows: &[OwnedRow]) -> Vec<u8> {
    let page = Page::default();
    let mut sink = Netstat::new(layout, Out::new(Box::new(page.clone())));
    feed(&mut sink, rows, &scene::summary()).unwrap();
    page.0.borrow().clone()
}

fn line(layout: NetstatLayout, row: &Row<'_>) -> String {
    String::from_utf8(bytes(layout, &[OwnedRow::keep(row)])).unwrap()
}

fn tcp(local: (&str, u32), peer: (&str, Option<u32>)) -> Socket {
    let mut socket = scene::inet(Protocol::Tcp, local, peer);
    socket.state = State::Established;
    socket
}

#[test]
fn widths_grow_with_numbers_and_not_with_addresses() {
    let mut socket = tcp(("127.0.0.1", 22), ("2001:db8:1:2:3:4:5:6", Some(54_321)));
    (socket.recv_queue, socket.send_queue) = (Some(1_234_567), Some(1));
    socket.family = Family::Inet6;
    let cut = "tcp6  1234567      1 127.0.0.1:22            2001:db8:1:2:3:4::54321 ESTABLISHED\n";
    assert_eq!(line(PLAIN, &Row::bare(&socket)), cut);
    let whole = NetstatLayout {
        cuts_addresses: false,
        ..PLAIN
    };
    let wide =
        "tcp6  1234567      1 127.0.0.1:22            2001:db8:1:2:3:4:5:6:54321 ESTABLISHED\n";
    assert_eq!(line(whole, &Row::bare(&socket)), wide);
}

#[test]
fn names_are_cut_so_that_address_and_port_have_22_bytes() {
    let socket = tcp(("127.0.0.1", 22), ("127.0.0.2", Some(443)));
    let row = Row {
        local_host: Some("host-of-twenty-bytes"),
        local_service: Some("ssh"),
        peer_host: Some("h"),
        peer_service: Some("a-service-that-is-very-long"),
        ..Row::bare(&socket)
    };
    let ends = "host-of-twenty-byte:ssh h:a-service-that-is-    ESTABLISHED\n";
    let shown = line(PLAIN, &row);
    // The port has at most 18 bytes, even if the host needs fewer.
    assert!(shown.ends_with(ends), "{shown}");
}

#[test]
fn states_have_the_names_of_netstat() {
    for (protocol, state, word) in [
        (Protocol::Tcp, State::SynRcvd, "SYN_RECV   "),
        (Protocol::Tcp, State::FinWait1, "FIN_WAIT1  "),
        (Protocol::Tcp, State::FinWait2, "FIN_WAIT2  "),
        (Protocol::Tcp, State::Bound, "CLOSE      "),
        (Protocol::Tcp, State::Unknown(99), "UNKNOWN    "),
        (Protocol::Udp, State::Unconn, "           "),
        (Protocol::Udp, State::Established, "ESTABLISHED"),
        (Protocol::UdpLite, State::SynSent, "UNKNOWN    "),
        (Protocol::Raw, State::Unconn, "7          "),
        (Protocol::Raw, State::Established, "1          "),
    ] {
        let mut socket = scene::inet(protocol, ("0.0.0.0", 7), ("0.0.0.0", None));
        socket.state = state;
        let shown = line(PLAIN, &Row::bare(&socket));
        assert!(
            shown.ends_with(&format!(" {word}\n")),
            "{protocol} {state}: {shown:?}"
        );
    }
}

#[test]
fn what_belongs_to_nobody_is_of_user_0_and_uids_are_signed() {
    let mut socket = tcp(("127.0.0.1", 22), ("127.0.0.2", Some(443)));
    let layout = with(&[Extras::EXTENDED]);
    let shown = line(layout, &Row::bare(&socket));
    assert!(
        shown.ends_with("ESTABLISHED 0          0         \n"),
        "{shown:?}"
    );
    (socket.uid, socket.inode) = (Some(u32::MAX - 1), Some(12_345_678_901));
    let shown = line(layout, &Row::bare(&socket));
    assert!(shown.ends_with(" -2         12345678901\n"), "{shown:?}");
    let row = Row {
        user: Some("www-data"),
        ..Row::bare(&socket)
    };
    assert!(line(layout, &row).ends_with(" www-data   12345678901\n"));
}

#[test]
fn timers_tell_seconds_retransmits_and_probes() {
    let mut socket = tcp(("127.0.0.1", 22), ("127.0.0.2", Some(443)));
    let layout = with(&[Extras::TIMERS]);
    let shown = |socket: &Socket| line(layout, &Row::bare(socket));
    assert!(shown(&socket).ends_with("ESTABLISHED off (0.00/0/0)\n"));
    for (code, text) in [
        (0, "off (0.00/3/1)"),
        (1, "on (1234.05/3/1)"),
        (2, "keepalive (1234.05/3/1)"),
        (3, "timewait (1234.05/3/1)"),
        (4, "probe (1234.05/3/1)"),
        (5, "unkn-5 (1234.05/3/1)"),
    ] {
        socket.proc_net = Some(ProcNetExtras {
            timer: code,
            ticks: 123_405,
            retransmits: 3,
            probes: 1,
            ..ProcNetExtras::default()
        });
        assert!(shown(&socket).ends_with(&format!(" {text}\n")), "{text}");
    }
    // Over netlink it is in milliseconds, and only one of the two counts.
    socket.proc_net = None;
    for (kind, text) in [
        (TimerKind::Retransmit, "on (0.69/2/0)"),
        (TimerKind::Probe, "probe (0.69/0/2)"),
    ] {
        socket.timer = Some(Timer {
            kind,
            expires_ms: 699,
            retransmits: 2,
        });
        assert!(shown(&socket).ends_with(&format!(" {text}\n")), "{text}");
    }
}

#[test]
fn send_queue_of_a_listener_is_what_the_file_says_and_not_its_limit() {
    let mut socket = tcp(("0.0.0.0", 22), ("0.0.0.0", None));
    (socket.state, socket.send_queue) = (State::Listen, Some(128));
    let listener = |queue| {
        format!(
            "tcp        0 {queue:>6} 0.0.0.0:22              0.0.0.0:*               LISTEN     \n"
        )
    };
    assert_eq!(line(PLAIN, &Row::bare(&socket)), listener(0));
    (socket.send_queue, socket.proc_net) = (
        None,
        Some(ProcNetExtras {
            tx_queue: 70_658,
            ..ProcNetExtras::default()
        }),
    );
    assert_eq!(line(PLAIN, &Row::bare(&socket)), listener(70_658));
}

fn called(command: &[u8], called: usize) -> Process {
    Process {
        command: Some(command.to_vec()),
        called,
        ..scene::process(812, b"comm", &[3])
    }
}

#[test]
fn program_is_the_first_process_as_it_was_called_cut_to_19_bytes() {
    let socket = tcp(("127.0.0.1", 22), ("127.0.0.2", Some(443)));
    let layout = with(&[Extras::PROCESSES]);
    let shown = |first: Process| {
        let processes = [first, scene::process(813, b"second", &[3])];
        let row = Row {
            processes: Some(&processes),
            ..Row::bare(&socket)
        };
        let line = line(layout, &row);
        line.rsplit_once("ESTABLISHED ").unwrap().1.to_owned()
    };
    let long = [b"/", &[b'd'; 600][..], b"/base"].concat();
    for (process, text) in [
        (called(b"/usr/sbin/sshd -D", 14), "812/sshd"),
        (
            called(b"nginx: master process /usr", 26),
            "812/nginx: master p",
        ),
        (called(b"bin/relative arg", 12), "812/bin/relative"),
        (called(b"/opt/with blank/a b c", 19), "812/a b"),
        (called(b"", 0), "812/"),
        // `netstat` stops reading before the last slash.
        (called(&long, long.len()), "812/ddddddddddddddd"),
    ] {
        assert_eq!(shown(process), format!("{text:<20}\n"));
    }
    let nobody = line(layout, &Row::bare(&socket));
    assert!(
        nobody.ends_with("ESTABLISHED -                   \n"),
        "{nobody:?}"
    );
}

fn unix(name: &[u8]) -> Socket {
    let mut socket = scene::unix(name, b"");
    socket.kind = Some(SocketType::Stream);
    socket.state = State::Listen;
    socket.inode = Some(4_711);
    socket.proc_net = Some(ProcNetExtras {
        references: 2,
        ..ProcNetExtras::default()
    });
    socket
}

#[test]
fn unix_sockets_have_columns_of_their_own() {
    let mut socket = unix(b"\0name\0x");
    let listener = "unix  2      [ ACC ]     STREAM     LISTENING     4711     @name@x\n";
    assert_eq!(line(PLAIN, &Row::bare(&socket)), listener);
    socket.proc_net = None;
    let unknown = "unix  -      [ ACC ]     STREAM     LISTENING     4711     @name@x\n";
    assert_eq!(line(PLAIN, &Row::bare(&socket)), unknown);
    socket.local.name.clear();
    for (state, inode, kind, text) in [
        (
            State::Established,
            Some(7),
            Some(SocketType::Dgram),
            "DGRAM      CONNECTED     7       ",
        ),
        (
            State::Established,
            None,
            None,
            "UNKNOWN    CONNECTING    0       ",
        ),
        (
            State::Unconn,
            Some(7),
            Some(SocketType::Raw),
            "RAW                      7       ",
        ),
        (
            State::Unconn,
            None,
            None,
            "UNKNOWN    DISCONNECTING 0       ",
        ),
        (
            State::Unknown(0),
            None,
            None,
            "UNKNOWN    FREE          0       ",
        ),
        (
            State::Unknown(9),
            None,
            None,
            "UNKNOWN    UNKNOWN       0       ",
        ),
    ] {
        (socket.state, socket.inode, socket.kind) = (state, inode, kind);
        let shown = line(PLAIN, &Row::bare(&socket));
        assert_eq!(shown, format!("unix  -      [ ]         {text} \n"));
    }
}

#[test]
fn unix_name_ends_at_its_first_blank() {
    for (name, shown) in [
        (&b"/run/a b"[..], "/run/a"),
        (b"  /run/a", "/run/a"),
        (b"a\tb", "a"),
        (b"\x0b\x0ca\rb", "a"),
        (b" \n ", ""),
    ] {
        let line = line(PLAIN, &Row::bare(&unix(name)));
        assert_eq!(
            line.rsplit_once("4711     ").unwrap().1,
            format!("{shown}\n")
        );
    }
}

#[test]
fn bytes_are_raw_or_escaped_as_wanted() {
    let socket = unix(b"/run/\x1b[2J\xff");
    let processes = [called(b"\x1b]0;x\x07", 6)];
    let row = OwnedRow::keep(&Row {
        processes: Some(&processes),
        ..Row::bare(&socket)
    });
    let raw = bytes(with(&[Extras::PROCESSES]), std::slice::from_ref(&row));
    assert!(
        raw.ends_with(b" 812/\x1b]0;x\x07           /run/\x1b[2J\xff\n"),
        "{raw:?}"
    );
    let layout = NetstatLayout {
        escapes_names: true,
        ..with(&[Extras::PROCESSES])
    };
    let escaped = String::from_utf8(bytes(layout, &[row])).unwrap();
    assert!(
        escaped.ends_with(" 812/\\x1b]0;x\\x07     /run/\\x1b[2J\\xff\n"),
        "{escaped}"
    );
}

#[test]
fn every_row_of_the_scene_is_one_line_and_clean_on_a_terminal() {
    let layout = NetstatLayout {
        escapes_names: true,
        ..with(&[Extras::EXTENDED, Extras::PROCESSES, Extras::TIMERS])
    };
    let text = String::from_utf8(bytes(layout, &scene::rows())).unwrap();
    assert_eq!(text.lines().count(), scene::rows().len());
    assert!(
        text.chars().all(|c| c == '\n' || !c.is_control()),
        "{text:?}"
    );
}

const BOTH: NetstatLayout = NetstatLayout {
    header: HeaderLine::Shown,
    sections: &[Section::Internet, Section::Unix],
    ..PLAIN
};

fn banners(layout: NetstatLayout, rows: &[OwnedRow]) -> Vec<String> {
    let text = String::from_utf8(bytes(layout, rows)).unwrap();
    let banners = text.lines().filter(|line| line.starts_with("Active"));
    banners.map(str::to_owned).collect()
}

#[test]
fn every_section_has_its_banner_with_rows_or_without() {
    let internet = "Active Internet connections (servers and established)";
    let domain = "Active UNIX domain sockets (servers and established)";
    let tcp = OwnedRow::keep(&Row::bare(&tcp(("127.0.0.1", 1), ("127.0.0.1", Some(2)))));
    let unix = OwnedRow::keep(&Row::bare(&unix(b"x")));
    let rows = [tcp, unix];
    for rows in [&rows[..], &rows[..1], &rows[1..], &[]] {
        assert_eq!(banners(BOTH, rows), [internet, domain]);
    }
    let mixed = [rows[0].clone(), rows[1].clone(), rows[0].clone()];
    assert_eq!(banners(BOTH, &mixed), [internet, domain, internet]);
    let connected = NetstatLayout {
        selection: Selection::Connected,
        sections: &[Section::Unix],
        ..BOTH
    };
    assert_eq!(
        banners(connected, &[]),
        ["Active UNIX domain sockets (w/o servers)"]
    );
    assert!(banners(PLAIN, &rows).is_empty());
}

#[test]
fn titles_name_the_columns_asked_for() {
    let layout = NetstatLayout {
        sections: &[Section::Internet, Section::Unix],
        header: HeaderLine::Shown,
        ..with(&[Extras::EXTENDED, Extras::PROCESSES, Extras::TIMERS])
    };
    let text = String::from_utf8(bytes(layout, &[])).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[1],
        "Proto Recv-Q Send-Q Local Address           Foreign Address         State       \
         User       Inode      PID/Program name     Timer"
    );
    assert_eq!(
        lines[3],
        "Proto RefCnt Flags       Type       State         I-Node   PID/Program name     Path"
    );
}
