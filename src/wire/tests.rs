#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod fixtures;
mod frames;
mod layers;
mod lengths;
mod random;
mod requests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;
use crate::model::{Memory, Shutdown, SocketType, State, Structure, Timer, TimerKind};

fn scratch() -> Socket {
    Socket::new(Protocol::Tcp, Family::Inet)
}

/// An `inet_diag_msg` of TCP 127.0.0.1:8080 to 127.0.0.1:40000 in `state`.
fn inet(state: u8) -> Vec<u8> {
    let mut bytes = vec![2, state, 0, 0];
    bytes.extend(8080_u16.to_be_bytes());
    bytes.extend(40_000_u16.to_be_bytes());
    for _ in 0..2 {
        bytes.extend([127, 0, 0, 1]);
        bytes.extend([0; 12]);
    }
    for word in [0_u32, 0x11, 0x22, 0, 3, 4, 1000, 77] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = (u16::try_from(value.len()).unwrap() + 4)
        .to_ne_bytes()
        .to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn decoded(protocol: Protocol, payload: &[u8]) -> Socket {
    let mut socket = scratch();
    decode(protocol, payload, &mut socket).unwrap();
    socket
}

#[test]
fn header_has_the_size_of_inet_diag_msg() {
    assert_eq!(inet(1).len(), 72);
    let mut socket = scratch();
    let short = decode(Protocol::Tcp, &inet(1)[..71], &mut socket);
    let expected = "inet_diag_msg of 71 bytes, 72 expected";
    assert_eq!(short, Err(expected.to_owned()));
}

#[test]
fn inet_reply_gives_both_ends_and_what_the_kernel_counts() {
    let socket = decoded(Protocol::Tcp, &inet(1));
    assert_eq!(socket.state, State::Established);
    assert_eq!(socket.local.ip, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    assert_eq!(
        (socket.local.port, socket.peer.port),
        (Some(8080), Some(40_000))
    );
    assert_eq!((socket.recv_queue, socket.send_queue), (Some(3), Some(4)));
    assert_eq!((socket.uid, socket.inode), (Some(1000), Some(77)));
    assert_eq!(socket.cookie, Some(0x22_0000_0011));
    assert_eq!(
        (socket.shutdown, socket.timer, socket.mark),
        (None, None, None)
    );
}

#[test]
fn ipv6_addresses_keep_their_mapped_form() {
    let mut bytes = inet(1);
    bytes[0] = 10;
    let mapped = Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped();
    bytes[8..24].copy_from_slice(&mapped.octets());
    bytes[24..40].copy_from_slice(&Ipv6Addr::LOCALHOST.octets());
    let socket = decoded(Protocol::Tcp, &bytes);
    assert_eq!(socket.family, Family::Inet6);
    assert_eq!(socket.local.ip, Some(IpAddr::V6(mapped)));
    assert_eq!(socket.peer.ip, Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
}

#[test]
fn time_wait_keeps_the_rest_of_2msl_and_belongs_to_nobody() {
    let mut bytes = inet(6);
    bytes[2] = 3;
    bytes[52..56].copy_from_slice(&41_234_u32.to_ne_bytes());
    bytes[64..72].copy_from_slice(&[0; 8]);
    let socket = decoded(Protocol::Tcp, &bytes);
    let expected = Timer {
        kind: TimerKind::TimeWait,
        expires_ms: 41_234,
        retransmits: 0,
    };
    assert_eq!(socket.timer, Some(expected));
    assert_eq!((socket.uid, socket.inode), (None, None));
}

/// Associations and sockets share the state codes 1, 2 and 7.
#[test]
fn row_of_sctp_is_what_its_state_or_its_tag_says() {
    let row = |code, tag: Option<u32>, has_peers: bool| {
        let mut bytes = inet(code);
        let mut attribute = |kind: u16, value: &[u8]| {
            let length = u16::try_from(4 + value.len()).unwrap();
            bytes.extend([length, kind].map(u16::to_ne_bytes).concat());
            bytes.extend(value);
        };
        if let Some(tag) = tag {
            attribute(2, &tag.to_ne_bytes());
        }
        let address = [&[2, 0, 0, 0, 127, 0, 0, 1][..], &[0; 120]].concat();
        attribute(12, &address);
        if has_peers {
            attribute(13, &address);
        }
        let mut socket = Socket::default();
        decode(Protocol::Sctp, &bytes, &mut socket).map(|()| socket.kind)
    };
    let (endpoint, association) = (SocketType::Endpoint, SocketType::Association);
    for code in [1, 2, 7] {
        assert_eq!(row(code, Some(0), false), Ok(Some(endpoint)), "{code}");
        assert_eq!(row(code, Some(9), true), Ok(Some(association)), "{code}");
        assert!(row(code, Some(9), false).is_err(), "{code}: without peers");
        assert!(row(code, None, false).is_err(), "{code}: without both");
    }
    for code in [8, 10] {
        assert_eq!(row(code, None, false), Ok(Some(endpoint)), "{code}");
    }
    for code in [0, 3, 4, 5, 6] {
        assert_eq!(row(code, None, true), Ok(Some(association)), "{code}");
        assert!(row(code, None, false).is_err(), "{code}");
    }
}

#[test]
fn retransmits_and_kind_of_the_timer_are_kept() {
    let mut bytes = inet(4);
    bytes[2..4].copy_from_slice(&[4, 9]);
    bytes[52..56].copy_from_slice(&250_u32.to_ne_bytes());
    let expected = Timer {
        kind: TimerKind::Probe,
        expires_ms: 250,
        retransmits: 9,
    };
    assert_eq!(decoded(Protocol::Tcp, &bytes).timer, Some(expected));
}

#[test]
fn half_close_mark_and_cgroup_come_from_attributes() {
    let mut bytes = inet(5);
    bytes.extend(attribute(8, &[2]));
    bytes.extend(attribute(15, &7_u32.to_ne_bytes()));
    bytes.extend(attribute(21, &99_u64.to_ne_bytes()));
    let socket = decoded(Protocol::Tcp, &bytes);
    assert_eq!(socket.shutdown, Some(Shutdown::Send));
    assert_eq!((socket.mark, socket.cgroup_id), (Some(7), Some(99)));
}

#[test]
fn info_means_tcp_info_for_tcp_and_mptcp_info_for_mptcp() {
    let mut bytes = inet(1);
    bytes.extend(attribute(2, &[5; 104]));
    bytes.extend(attribute(4, b"cubic\0"));
    let tcp = decoded(Protocol::Tcp, &bytes);
    assert_eq!(tcp.congestion(), Some(b"cubic".as_slice()));
    assert_eq!(
        tcp.info(Structure::TcpInfo).unwrap().value("retransmits"),
        Some(5)
    );
    assert_eq!(
        tcp.info(Structure::TcpInfo).unwrap().value("pacing_rate"),
        None
    );
    let mptcp = decoded(Protocol::Mptcp, &bytes);
    assert_eq!(mptcp.info(Structure::TcpInfo), None);
    assert_eq!(
        mptcp.info(Structure::MptcpInfo).unwrap().value("subflows"),
        Some(5)
    );
}

#[test]
fn short_meminfo_leaves_the_rest_unknown() {
    for len in 0..=40 {
        let mut bytes = inet(1);
        bytes.extend(attribute(7, &vec![1; len]));
        let socket = decoded(Protocol::Tcp, &bytes);
        let memory = socket.memory().unwrap();
        let fields = Memory::FIELDS.iter();
        let known = fields.filter(|(.., value)| value(memory).is_some()).count();
        assert_eq!(known, (len / 4).min(9), "{len} bytes");
    }
}

#[test]
fn port_of_a_raw_socket_is_its_ip_protocol() {
    let mut bytes = inet(7);
    bytes[4..6].copy_from_slice(&0_u16.to_be_bytes());
    let socket = decoded(Protocol::Raw, &bytes);
    assert_eq!((socket.state, socket.local.port), (State::Unconn, Some(0)));
}

#[test]
fn unknown_state_survives() {
    assert_eq!(decoded(Protocol::Tcp, &inet(14)).state, State::Unknown(14));
}

#[test]
fn a_reply_of_another_family_is_no_row() {
    let mut bytes = inet(1);
    bytes[0] = 1;
    assert_eq!(
        decode(Protocol::Tcp, &bytes, &mut scratch()),
        Err("reply of address family 1".to_owned())
    );
}

#[test]
fn unix_reply_gives_name_peer_queues_and_user() {
    let mut bytes = vec![1, 1, 10, 0];
    for word in [55_u32, 1, 0] {
        bytes.extend(word.to_ne_bytes());
    }
    bytes.extend(attribute(0, b"/run/x\0"));
    bytes.extend(attribute(2, &66_u32.to_ne_bytes()));
    bytes.extend(attribute(4, &[1, 0, 0, 0, 128, 0, 0, 0]));
    bytes.extend(attribute(6, &[0]));
    bytes.extend(attribute(7, &0_u32.to_ne_bytes()));
    let socket = decoded(Protocol::Unix, &bytes);
    assert_eq!(
        (socket.kind, socket.state),
        (Some(SocketType::Stream), State::Listen)
    );
    assert_eq!(socket.local.name, b"/run/x");
    assert_eq!((socket.inode, socket.peer_inode), (Some(55), Some(66)));
    assert_eq!((socket.recv_queue, socket.send_queue), (Some(1), Some(128)));
    assert_eq!(
        (socket.uid, socket.shutdown),
        (Some(0), Some(Shutdown::None))
    );
}

#[test]
fn abstract_name_keeps_every_byte() {
    let mut bytes = vec![1, 2, 7, 0];
    bytes.extend([1; 12]);
    bytes.extend(attribute(0, b"\0a\0\xff\0"));
    assert_eq!(decoded(Protocol::Unix, &bytes).local.name, b"\0a\0\xff\0");
}

#[test]
fn a_broken_attribute_is_an_error() {
    let mut bytes = inet(1);
    bytes.extend([200, 0, 8, 0]);
    assert_eq!(
        decode(Protocol::Tcp, &bytes, &mut scratch()),
        Err("malformed attribute".to_owned())
    );
}

#[test]
fn no_prefix_of_a_reply_panics_or_makes_a_row_of_less_than_the_header() {
    let mut bytes = inet(1);
    bytes.extend(attribute(2, &[5; 280]));
    bytes.extend(attribute(8, &[2]));
    for len in 0..bytes.len() {
        let row = decode(Protocol::Tcp, &bytes[..len], &mut scratch());
        assert!(row.is_err() || len >= 72, "{len} bytes");
    }
}
