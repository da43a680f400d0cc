//! Tests of single cells and lines.

use super::{ALL, layout, render, scene};
use crate::model::{
    Family, Memory, OwnedRow, Process, ProcessStatus, Protocol, Row, Socket, State, Structure,
};
use crate::render::{Extras, Field, Format, HeaderLine};
use crate::text;

fn cell(column: Field, row: &Row<'_>) -> String {
    let mut layout = layout(Format::Plain, &[]);
    layout.columns = vec![column];
    layout.header = HeaderLine::Hidden;
    let line = render(Format::Plain, layout, &[OwnedRow::keep(row)]);
    line.trim().to_owned()
}

#[test]
fn every_plain_line_has_the_same_number_of_words() {
    for extras in [&ALL[..4], &[], &[Extras::PROCESSES]] {
        let mut layout = layout(Format::Plain, extras);
        let text = render(Format::Plain, layout.clone(), &scene::rows());
        for line in text.lines() {
            assert_eq!(
                line.split_whitespace().count(),
                layout.columns.len(),
                "{line}"
            );
            assert_eq!(line, line.trim_end());
        }
        layout.columns = Field::VOCABULARY
            .into_iter()
            .chain(Field::COMBINED)
            .collect();
        let columns = layout.columns.len();
        for line in render(Format::Plain, layout, &scene::rows()).lines() {
            assert_eq!(line.split_whitespace().count(), columns, "{line}");
        }
    }
}

#[test]
fn plain_columns_do_not_move() {
    let small = scene::inet(Protocol::Tcp, ("1.1.1.1", 1), ("1.1.1.1", Some(1)));
    let mut large = scene::inet(
        Protocol::UdpLite,
        ("255.255.255.255", 65_535),
        ("255.255.255.255", Some(65_535)),
    );
    large.state = State::FinWait1;
    large.recv_queue = Some(999_999);
    large.send_queue = Some(999_999);
    let rows = [&small, &large].map(|socket| OwnedRow::keep(&Row::bare(socket)));
    for extras in [&[][..], &[Extras::PROCESSES, Extras::TIMERS]] {
        for rows in [&rows[..], &rows[..1], &rows[1..]] {
            let text = render(Format::Plain, layout(Format::Plain, extras), rows);
            for line in text.lines().skip(1) {
                let address = if line.starts_with("tcp") {
                    "1.1.1.1:"
                } else {
                    "255.255.255.255:"
                };
                let peer = line.match_indices(address).nth(1).map(|(place, _)| place);
                let state = line.find("UNCONN").or(line.find("FIN_WAIT_1"));
                assert_eq!(
                    (state, line.find(address), peer),
                    (Some(8), Some(34), Some(59))
                );
            }
        }
    }
}

#[test]
fn an_ipv4_listing_fits_80_columns() {
    let mut socket = scene::inet(
        Protocol::UdpLite,
        ("255.255.255.255", 65_535),
        ("255.255.255.255", Some(65_535)),
    );
    socket.state = State::Established;
    let row = [OwnedRow::keep(&Row::bare(&socket))];
    let text = render(Format::Plain, layout(Format::Plain, &[]), &row);
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
}

#[test]
fn text_formats_have_no_control_characters() {
    for format in [Format::Plain, Format::Table, Format::Csv, Format::Json] {
        let text = render(format, layout(format, &ALL), &scene::rows());
        let clean = |c: char| !c.is_control() || matches!(c, '\n' | '\r');
        assert!(text.chars().all(clean), "{format:?}");
    }
}

#[test]
fn endpoints_are_written_as_people_know_them() {
    let mut socket = scene::inet(Protocol::Tcp, ("fe80::1", 22), ("ff02::1", Some(5)));
    socket.interface = Some(7);
    let row = Row::bare(&socket);
    assert_eq!(cell(Field::Local, &row), "[fe80::1]%7:22");
    assert_eq!(cell(Field::Peer, &row), "[ff02::1]%7:5");
    assert_eq!(cell(Field::LocalAddress, &row), "fe80::1");
    socket.peer.ip = Some([192, 0, 2, 1].into());
    let named = Row {
        interface: Some("eth0"),
        peer_host: Some("www.example.org"),
        peer_service: Some("https"),
        ..Row::bare(&socket)
    };
    assert_eq!(cell(Field::Local, &named), "[fe80::1]%eth0:22");
    assert_eq!(cell(Field::Peer, &named), "www.example.org:https");
}

#[test]
fn an_end_of_which_nothing_is_known_is_a_dash() {
    let socket = Socket::new(Protocol::Tcp, Family::Inet);
    assert_eq!(cell(Field::Local, &Row::bare(&socket)), "-");
    let packet = Socket::new(Protocol::Packet, Family::Packet);
    assert_eq!(cell(Field::Local, &Row::bare(&packet)), "*:*");
    assert_eq!(cell(Field::Peer, &Row::bare(&packet)), "-");
    let netlink = Socket::new(Protocol::Netlink, Family::Netlink);
    assert_eq!(cell(Field::Local, &Row::bare(&netlink)), "-");
}

#[test]
fn a_name_that_reads_like_a_sign_is_escaped() {
    for (name, expected) in [("-", "\\x2d"), ("*", "\\x2a"), ("?", "\\x3f")] {
        let socket = scene::unix(name.as_bytes(), b"");
        let row = Row {
            user: Some(name),
            cgroup: Some(name.as_bytes()),
            ..Row::bare(&socket)
        };
        for column in [
            Field::Local,
            Field::LocalAddress,
            Field::User,
            Field::Cgroup,
        ] {
            assert_eq!(cell(column, &row), expected);
        }
        assert_eq!(cell(Field::Peer, &row), "*");
    }
}

#[test]
fn a_path_that_begins_with_at_is_not_taken_for_an_abstract_name() {
    let (path, abstract_name) = (scene::unix(b"@a", b""), scene::unix(b"\0a", b""));
    assert_eq!(cell(Field::Local, &Row::bare(&path)), "\\x40a");
    assert_eq!(cell(Field::Local, &Row::bare(&abstract_name)), "@a");
}

#[test]
fn one_process_cannot_look_like_two() {
    let socket = Socket::new(Protocol::Tcp, Family::Inet);
    let owners = [Process {
        fds: vec![3, 4],
        ..scene::process(7, b"a[1],b", &[])
    }];
    let row = Row {
        processes: Some(&owners),
        ..Row::bare(&socket)
    };
    let cell = cell(Field::Processes, &row);
    assert_eq!(cell, "a\\x5b1\\x5d\\x2cb[7]");
    assert_eq!(text::unescape(&cell), b"a[1],b[7]");
}

#[test]
fn unknown_none_and_unasked_processes_differ_from_each_other_where_they_can() {
    let socket = Socket::new(Protocol::Tcp, Family::Inet);
    let row = |processes, process_status| Row {
        process_status,
        processes,
        ..Row::bare(&socket)
    };
    let unreadable = row(None, Some(ProcessStatus::Unreadable));
    assert_eq!(cell(Field::Processes, &unreadable), "?");
    let unseen = row(None, Some(ProcessStatus::Unseen));
    assert_eq!(cell(Field::Processes, &unseen), "?");
    assert_eq!(cell(Field::Pid, &unseen), "?");
    let none = row(Some(&[]), Some(ProcessStatus::None));
    assert_eq!(cell(Field::Processes, &none), "-");
    assert_eq!(cell(Field::Processes, &row(None, None)), "-");
}

#[test]
fn processes_that_are_not_all_known_are_marked() {
    let socket = Socket::new(Protocol::Tcp, Family::Inet);
    let unnamed = Process {
        name: None,
        ..scene::process(8, b"", &[])
    };
    let owners = [
        scene::process(7, b"a", &[3, 4]),
        unnamed,
        scene::process(9, b"?", &[5]),
    ];
    let row = Row {
        processes: Some(&owners),
        process_status: Some(ProcessStatus::Partial),
        ..Row::bare(&socket)
    };
    for (column, text) in [
        (Field::Processes, "a[7],?[8],\\x3f[9],?"),
        (Field::Pid, "7,8,9,?"),
        (Field::Process, "a,?,\\x3f,?"),
        (Field::Fd, "3,4;-;5;?"),
    ] {
        assert_eq!(cell(column, &row), text, "{column:?}");
    }
}

#[test]
fn a_user_without_a_name_is_a_number() {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    assert_eq!(cell(Field::User, &Row::bare(&socket)), "-");
    socket.uid = Some(0);
    assert_eq!(cell(Field::User, &Row::bare(&socket)), "0");
}

#[test]
fn details_leave_out_zeros_and_limits_that_are_none() {
    let mut bytes = [0; 232];
    bytes[0] = 1;
    bytes[68..72].copy_from_slice(&31_250_u32.to_ne_bytes());
    bytes[76..80].copy_from_slice(&0x7fff_ffff_u32.to_ne_bytes());
    bytes[112..120].copy_from_slice(&u64::MAX.to_ne_bytes());
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    socket.details_mut().set_info(Structure::TcpInfo, &bytes);
    socket.details_mut().congestion = b"cubic".to_vec();
    let mut layout = layout(Format::Plain, &[Extras::INFO]);
    layout.header = HeaderLine::Hidden;
    let rows = [OwnedRow::keep(&Row::bare(&socket))];
    let below = render(Format::Plain, layout.clone(), &rows);
    assert_eq!(
        below.lines().nth(1),
        Some("        congestion:cubic rtt:31.25ms")
    );
    layout.one_line = true;
    let beside = render(Format::Plain, layout, &rows);
    assert!(
        beside.ends_with(" - congestion:cubic rtt:31.25ms\n"),
        "{beside}"
    );
    assert_eq!(beside.lines().count(), 1);
    assert_eq!(cell(Field::TcpInfo, &rows[0].row()), "rtt:31.25ms");
}

#[test]
fn details_leave_out_what_a_column_shows() {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    let mut bytes = [0; 232];
    (bytes[8], bytes[68]) = (7, 5);
    socket.details_mut().set_info(Structure::TcpInfo, &bytes);
    socket.details_mut().congestion = b"cubic".to_vec();
    socket.details_mut().memory = Some(Memory {
        rcvbuf: Some(1_024),
        drops: Some(3),
        ..Memory::default()
    });
    let rows = [OwnedRow::keep(&Row::bare(&socket))];
    for (columns, shown, below) in [
        (
            "state",
            "",
            "congestion:cubic rto:7us rtt:5us rcvbuf:1KiB drops:3",
        ),
        (
            "tcp_info",
            "rto:7us,rtt:5us",
            "congestion:cubic rcvbuf:1KiB drops:3",
        ),
        (
            "memory",
            "rcvbuf:1KiB,drops:3",
            "congestion:cubic rto:7us rtt:5us",
        ),
        ("congestion,memory", "cubic", "rto:7us rtt:5us"),
        ("rtt,drops", "5us", "congestion:cubic rto:7us rcvbuf:1KiB"),
        ("tcp_info,memory,congestion", "cubic", ""),
    ] {
        let mut layout = layout(Format::Plain, &[Extras::INFO, Extras::MEMORY]);
        layout.header = HeaderLine::Hidden;
        let columns = columns
            .split(',')
            .map(|name| Field::column(name, &[]).unwrap());
        layout.columns = columns.collect();
        for format in [Format::Plain, Format::Table] {
            let text = render(format, layout.clone(), &rows);
            let (first, rest) = text.split_once('\n').unwrap();
            let first = first
                .replace("rcvbuf:1KiB drops", "rcvbuf:1KiB,drops")
                .replace("us rtt", "us,rtt");
            assert!(first.contains(shown), "{first}");
            assert_eq!(rest.trim(), below, "{format:?}: {first}");
        }
    }
}

#[test]
fn numbers_of_which_each_counts_have_no_unit_and_flags_have_names() {
    let info = |options: u8, mss: u32| {
        let mut bytes = [0; 232];
        bytes[5] = options;
        bytes[16..20].copy_from_slice(&mss.to_ne_bytes());
        bytes[60..64].copy_from_slice(&65_536_u32.to_ne_bytes());
        let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
        socket.details_mut().set_info(Structure::TcpInfo, &bytes);
        let mut layout = layout(Format::Plain, &[Extras::INFO]);
        (layout.header, layout.one_line) = (HeaderLine::Hidden, true);
        let text = render(
            Format::Plain,
            layout,
            &[OwnedRow::keep(&Row::bare(&socket))],
        );
        let part = |name| Field::column(name, &[]).unwrap();
        let cells = ["options", "snd_mss"].map(|name| cell(part(name), &Row::bare(&socket)));
        let (_, details) = text.trim_end().rsplit_once(" - ").unwrap();
        (details.to_owned(), cells)
    };
    let (text, cells) = info(7, 1_398);
    assert_eq!(text, "ts sack wscale snd_mss:1398 pmtu:65536");
    assert_eq!(cells, ["ts,sack,wscale", "1398"]);
    let (text, cells) = info(0xd0, 1_400);
    assert_eq!(text, "ecn_seen usec_ts tfo_child snd_mss:1400 pmtu:65536");
    assert_eq!(cells[0], "ecn_seen,usec_ts,tfo_child");
    assert_eq!(
        info(0, 0),
        ("pmtu:65536".to_owned(), ["0".into(), "0".into()])
    );
    let mut mptcp = Socket::new(Protocol::Mptcp, Family::Inet);
    let bytes: Vec<u8> = [vec![0; 8], 11_u32.to_ne_bytes().to_vec()].concat();
    mptcp.details_mut().set_info(Structure::MptcpInfo, &bytes);
    assert_eq!(
        cell(Field::MptcpInfo, &Row::bare(&mptcp)),
        "flags:fallback,remote_key_received,0x8"
    );
}

#[test]
fn default_columns_have_no_duplicates_and_put_processes_last() {
    let all: Extras = ALL.into_iter().collect();
    for format in [Format::Table, Format::Plain, Format::Json, Format::Csv] {
        let columns = format.columns(all);
        for column in &columns {
            let same = columns.iter().filter(|other| *other == column);
            assert_eq!(same.count(), 1, "{format:?}: {column:?}");
        }
    }
    assert_eq!(Format::Plain.columns(all).last(), Some(&Field::Processes));
    let plain = Format::Plain.columns(Extras::NONE);
    let names: Vec<_> = plain.iter().map(|column| column.own_name()).collect();
    assert_eq!(
        names.join(" "),
        "protocol state recv_queue send_queue local peer"
    );
}

#[test]
fn a_column_is_found_by_its_name_and_by_its_title() {
    for column in Field::VOCABULARY.into_iter().chain(Field::COMBINED) {
        let found = |name: &str| Field::column(name, &[]);
        assert_eq!(found(column.own_name()), Ok(column));
        for part in column.parts().into_iter().chain([column]) {
            assert_eq!(found(&part.label()), Ok(part));
            assert_eq!(found(&part.title().to_ascii_lowercase()), Ok(part));
            assert_eq!(found(&part.path()), Ok(part));
            let title = part.title();
            assert!(title.len() <= part.width(), "{title}");
        }
    }
}

#[test]
fn a_backslash_in_a_cgroup_is_doubled_once() {
    let socket = scene::inet(Protocol::Tcp, ("1.2.3.4", 5), ("1.2.3.4", None));
    let row = [OwnedRow::keep(&Row {
        cgroup: Some(b"/dev-disk-by\\x2duuid"),
        user: Some("a\\b"),
        ..Row::bare(&socket)
    })];
    for format in [Format::Plain, Format::Table, Format::Csv] {
        let mut layout = layout(format, &[]);
        layout.columns = vec![Field::User, Field::Cgroup];
        let text = render(format, layout, &row);
        assert!(text.contains(r"/dev-disk-by\\x2duuid"), "{text}");
        assert!(text.contains(r"a\\b"), "{text}");
    }
}
