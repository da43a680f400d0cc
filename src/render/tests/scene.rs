//! A scene with every kind of socket and hostile names.

use std::net::IpAddr;

use crate::model::{
    Cause, Diagnostics, Family, Memory, Origin, OwnedRow, Process, ProcessStatus, Protocol, Row,
    Shutdown, Socket, SocketType, Source, State, StateSet, Structure, Summary, Table, Timer,
    TimerKind, Warning,
};

/// A name that could rewrite the clipboard, or end the line, the cell or the string.
pub(super) const HOSTILE: &[u8] = b"a b\n\x1b]52;c;aGk=\x07\xff\"';,[1]{2}\\";

pub(super) fn inet(protocol: Protocol, local: (&str, u32), peer: (&str, Option<u32>)) -> Socket {
    let ip: IpAddr = local.0.parse().unwrap();
    let family = if ip.is_ipv4() {
        Family::Inet
    } else {
        Family::Inet6
    };
    let mut socket = Socket::new(protocol, family);
    socket.local.ip = Some(ip);
    socket.local.port = Some(local.1);
    socket.peer.ip = Some(peer.0.parse().unwrap());
    socket.peer.port = peer.1;
    socket.recv_queue = Some(0);
    socket.send_queue = Some(0);
    socket
}

pub(super) fn unix(local: &[u8], peer: &[u8]) -> Socket {
    let mut socket = Socket::new(Protocol::Unix, Family::Unix);
    socket.local.set_name(local);
    socket.peer.set_name(peer);
    socket.kind = Some(SocketType::Stream);
    socket.state = State::Established;
    socket.inode = Some(4_711);
    socket
}

pub(super) fn process(pid: u32, name: &[u8], fds: &[u32]) -> Process {
    Process {
        pid,
        name: Some(name.to_vec()),
        command: Some([name, b" --run"].concat()),
        called: name.len(),
        uid: Some(33),
        user: Some("www-data".to_owned()),
        fds: fds.to_vec(),
        ..Process::default()
    }
}

fn listener() -> OwnedRow {
    let mut socket = inet(Protocol::Tcp, ("0.0.0.0", 80), ("0.0.0.0", None));
    socket.state = State::Listen;
    socket.send_queue = Some(511);
    socket.uid = Some(0);
    socket.inode = Some(31_337);
    socket.cookie = Some(0x1a2b);
    socket.shutdown = Some(Shutdown::None);
    let owners = [
        process(812, b"nginx", &[6, 7]),
        process(813, b"nginx", &[6]),
        process(814, HOSTILE, &[]),
    ];
    OwnedRow::keep(&Row {
        user: Some("root"),
        cgroup: Some(b"/system.slice/nginx web.service"),
        processes: Some(&owners),
        process_status: Some(ProcessStatus::Found),
        local_service: Some("http"),
        ..Row::bare(&socket)
    })
}

fn connection() -> OwnedRow {
    let mut socket = inet(
        Protocol::Tcp,
        ("192.168.100.200", 54_321),
        ("203.0.113.255", Some(443)),
    );
    socket.state = State::Established;
    socket.uid = Some(1_000);
    socket.mark = Some(7);
    socket.timer = Some(Timer {
        kind: TimerKind::Keepalive,
        expires_ms: 7_140_000,
        retransmits: 0,
    });
    let details = socket.details_mut();
    details.congestion = b"cubic".to_vec();
    details.set_info(Structure::TcpInfo, &counting(280));
    details.set_info(
        Structure::SocketOptions,
        &[16, 0, 0, 0, 6, 0, 0, 0, 0b0010_1010, 1],
    );
    details.set_part(Structure::CongestionInfo, 40, &9_000_u32.to_ne_bytes());
    (details.ulp, details.md5) = (b"tls".to_vec(), b"192.0.2.0/24,::1/128".to_vec());
    details.set_part(Structure::UlpInfo, 0, &0x304_u64.to_ne_bytes());
    details.set_part(Structure::UlpInfo, 24, &9_u64.to_ne_bytes());
    details.memory = Some(Memory {
        rmem_alloc: Some(0),
        rcvbuf: Some(131_072),
        drops: Some(3),
        ..Memory::default()
    });
    OwnedRow::keep(&Row {
        processes: Some(&[]),
        process_status: Some(ProcessStatus::None),
        ..Row::bare(&socket)
    })
}

/// A connection of an old kernel, whose `tcp_info` ends after `total_retrans`.
fn old_connection() -> OwnedRow {
    let mut socket = inet(
        Protocol::Tcp,
        ("::ffff:10.0.0.1", 22),
        ("::ffff:10.0.0.2", Some(60_000)),
    );
    socket.state = State::CloseWait;
    socket.shutdown = Some(Shutdown::Receive);
    socket
        .details_mut()
        .set_info(Structure::TcpInfo, &counting(104));
    OwnedRow::keep(&Row {
        process_status: Some(ProcessStatus::Unreadable),
        ..Row::bare(&socket)
    })
}

/// Small numbers separated by zeros.
fn counting(len: usize) -> Vec<u8> {
    (0..len).map(|place| u8::from(place % 8 == 0) * 5).collect()
}

fn link_local() -> OwnedRow {
    let mut socket = inet(Protocol::Tcp, ("fe80::1", 22), ("fe80::2", Some(50_000)));
    socket.state = State::TimeWait;
    socket.interface = Some(2);
    socket.timer = Some(Timer {
        kind: TimerKind::TimeWait,
        expires_ms: 59_900,
        retransmits: 0,
    });
    OwnedRow::keep(&Row {
        interface: Some("eth0"),
        ..Row::bare(&socket)
    })
}

fn datagrams() -> Vec<OwnedRow> {
    let mut dns = inet(Protocol::Udp, ("0.0.0.0", 53), ("0.0.0.0", None));
    dns.interface = Some(1);
    let longest = "1234:5678:9abc:def0:1234:5678:9abc:def0";
    let mut lite = inet(
        Protocol::UdpLite,
        (longest, 65_535),
        (longest, Some(65_535)),
    );
    lite.interface = Some(9);
    let raw = inet(Protocol::Raw, ("::", 58), ("::", None));
    let ping = inet(Protocol::Icmp, ("127.0.0.1", 77), ("0.0.0.0", None));
    let mut mptcp = inet(Protocol::Mptcp, ("10.0.0.1", 80), ("10.9.8.7", Some(4_000)));
    mptcp.state = State::Unknown(14);
    mptcp
        .details_mut()
        .set_info(Structure::MptcpInfo, &counting(96));
    vec![
        OwnedRow::keep(&Row {
            interface: Some("lo"),
            local_service: Some("domain"),
            local_host: Some("any:host%x"),
            ..Row::bare(&dns)
        }),
        OwnedRow::keep(&Row::bare(&lite)),
        OwnedRow::keep(&Row {
            netns: Some(b"blue"),
            ..Row::bare(&raw)
        }),
        OwnedRow::keep(&Row::bare(&ping)),
        OwnedRow::keep(&Row::bare(&mptcp)),
    ]
}

fn others() -> Vec<OwnedRow> {
    let mut packet = Socket::new(Protocol::Packet, Family::Packet);
    packet.kind = Some(SocketType::Raw);
    packet.local.port = Some(2_054);
    let mut all = Socket::new(Protocol::Packet, Family::Packet);
    all.kind = Some(SocketType::Dgram);
    let mut route = Socket::new(Protocol::Netlink, Family::Netlink);
    route.local.set_name(b"route");
    route.local.port = Some(u32::MAX);
    vec![
        OwnedRow::keep(&Row {
            interface: Some("eth0"),
            local_service: Some("arp"),
            ..Row::bare(&packet)
        }),
        OwnedRow::keep(&Row::bare(&all)),
        OwnedRow::keep(&Row::bare(&route)),
        OwnedRow::keep(&Row::bare(&Socket::new(Protocol::Tcp, Family::Inet))),
    ]
}

fn unix_rows() -> Vec<OwnedRow> {
    let names: [(&[u8], &[u8]); 6] = [
        (b"/run/dbus/system_bus_socket", b""),
        (b"\0/tmp/.X11-unix/X0", b"@not abstract"),
        (HOSTILE, b"-"),
        (b"*", b"?"),
        (b" /tmp/blank at both ends ", "/tmp/é漢字".as_bytes()),
        (b"\0\0\xfe", b"\0"),
    ];
    let row = |(local, peer)| {
        let mut socket = unix(local, peer);
        socket.peer_inode = Some(4_712);
        OwnedRow::keep(&Row::bare(&socket))
    };
    names.into_iter().map(row).collect()
}

/// The whole scene.
pub(super) fn rows() -> Vec<OwnedRow> {
    let mut rows = vec![listener(), connection(), old_connection(), link_local()];
    rows.extend(datagrams());
    rows.extend(others());
    rows.extend(unix_rows());
    rows
}

pub(super) fn summary() -> Summary {
    let origin = |protocol, family, source, reason: Option<&str>| Origin {
        table: Table { protocol, family },
        source,
        reason: reason.map(Cause::from),
        is_scope_unknown: false,
        unlisted: StateSet::EMPTY,
        netns: None,
    };
    Summary {
        is_unsearched: false,
        matched: 19,
        limited: false,
        sources: vec![
            origin(Protocol::Tcp, Family::Inet, Some(Source::Netlink), None),
            origin(
                Protocol::Raw,
                Family::Inet6,
                Some(Source::Procfs),
                Some("no \"raw_diag\"\n"),
            ),
            origin(Protocol::UdpLite, Family::Inet, None, None),
        ],
        in_no_table: None,
        diagnostics: Diagnostics {
            gaps: 1,
            warnings: vec![
                Warning::Failed("212 processes not readable".into()),
                Warning::Failed("\u{1b}[31m".into()),
            ],
        },
    }
}
