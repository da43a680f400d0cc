//! `struct inet_diag_msg` and its attributes (`include/uapi/linux/inet_diag.h`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_sock_diag::constants::{
    INET_DIAG_BBRINFO, INET_DIAG_CLASS_ID, INET_DIAG_CONG, INET_DIAG_DCTCPINFO, INET_DIAG_INFO,
    INET_DIAG_LOCALS, INET_DIAG_MARK, INET_DIAG_MD5SIG, INET_DIAG_PEERS, INET_DIAG_SHUTDOWN,
    INET_DIAG_SKMEMINFO, INET_DIAG_SKV6ONLY, INET_DIAG_TCLASS, INET_DIAG_TOS, INET_DIAG_VEGASINFO,
};
use zerocopy::byteorder::{big_endian, native_endian};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::Detail;
use super::attribute::{identify, memory, nonzero, split, u32_at, u64_at, walk};
use super::layers;
use super::sctp;
use crate::error::Malformed;
use crate::model::{
    Endpoint, Family, PortKind, Protocol, Shutdown, Socket, Structure, Timer, TimerKind,
};

/// `INET_DIAG_ULP_INFO` (Linux 5.4).
const INET_DIAG_ULP_INFO: u16 = 19;
/// `INET_DIAG_SK_BPF_STORAGES` (Linux 5.7).
const INET_DIAG_SK_BPF_STORAGES: u16 = 20;
/// `INET_DIAG_SOCKOPT` (Linux 5.10).
const INET_DIAG_SOCKOPT: u16 = 22;
/// `INET_DIAG_CGROUP_ID` (Linux 5.7).
const INET_DIAG_CGROUP_ID: u16 = 21;

#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct InetDiagMsg {
    family: u8,
    state: u8,
    timer: u8,
    retransmits: u8,
    local_port: big_endian::U16,
    peer_port: big_endian::U16,
    local: [u8; 16],
    peer: [u8; 16],
    interface: native_endian::U32,
    cookie: [native_endian::U32; 2],
    expires: native_endian::U32,
    recv_queue: native_endian::U32,
    send_queue: native_endian::U32,
    uid: native_endian::U32,
    inode: native_endian::U32,
}

pub(super) fn decode(payload: &[u8], detail: Detail, socket: &mut Socket) -> Result<(), Malformed> {
    let (header, attributes) = split::<InetDiagMsg>("inet_diag_msg", payload)?;
    let (protocol, family) = (socket.protocol, socket.family);
    socket.state = protocol.state(header.state);
    socket.recv_queue = Some(header.recv_queue.get());
    socket.send_queue = Some(header.send_queue.get());
    set_endpoint(
        &mut socket.local,
        family,
        header.local,
        header.local_port.get(),
    );
    set_endpoint(
        &mut socket.peer,
        family,
        header.peer,
        header.peer_port.get(),
    );
    if protocol.port() == PortKind::IpProtocol {
        // The IP protocol number; 0 (IPPROTO_IP) is one of them.
        socket.local.port = Some(u32::from(header.local_port.get()));
    }
    let (inode, uid) = (header.inode.get(), header.uid.get());
    // TIME_WAIT, requests and orphans have no owner; the kernel reports 0, which is root.
    socket.uid = (inode != 0 || uid != 0).then_some(uid);
    socket.interface = nonzero(header.interface.get());
    identify(socket, header.inode, header.cookie);
    socket.timer = TimerKind::from_code(header.timer).map(|kind| Timer {
        kind,
        expires_ms: header.expires.get(),
        retransmits: header.retransmits,
    });
    // Of a line only `::` of a socket without a peer is about an attribute.
    let is_of_line = family == Family::Inet6 && !socket.is_connection();
    if detail == Detail::Line && !is_of_line && protocol != Protocol::Sctp {
        return Ok(());
    }
    let mut ends = [false; 2];
    let [has_locals, has_peers] = &mut ends;
    walk(attributes, |kind, value| {
        match kind {
            INET_DIAG_LOCALS => *has_locals = true,
            INET_DIAG_PEERS => *has_peers = true,
            _ => {}
        }
        attribute(socket, kind, value);
    })?;
    match protocol {
        Protocol::Sctp => sctp::settle(socket, header.state, ends),
        _ => Ok(()),
    }
}

fn set_endpoint(end: &mut Endpoint, family: Family, bytes: [u8; 16], port: u16) {
    let [a, b, c, d, ..] = bytes;
    end.ip = Some(match family {
        Family::Inet => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => IpAddr::V6(Ipv6Addr::from(bytes)),
    });
    end.port = nonzero(port).map(u32::from);
}

fn attribute(socket: &mut Socket, kind: u16, value: &[u8]) {
    match kind {
        INET_DIAG_INFO => {
            if let Some(structure) = Structure::of(socket.protocol) {
                socket.details_mut().set_info(structure, value);
            }
        }
        INET_DIAG_CONG => layers::set_name(&mut socket.details_mut().congestion, value),
        INET_DIAG_VEGASINFO => {
            let details = socket.details_mut();
            details.set_part(Structure::CongestionInfo, 0, value);
        }
        INET_DIAG_DCTCPINFO => {
            let details = socket.details_mut();
            details.set_part(Structure::CongestionInfo, 16, value);
        }
        INET_DIAG_BBRINFO => layers::bbr(socket.details_mut(), value),
        INET_DIAG_TOS => layers::option(socket.details_mut(), 0, value),
        INET_DIAG_TCLASS => layers::option(socket.details_mut(), 2, value),
        INET_DIAG_CLASS_ID => {
            let details = socket.details_mut();
            details.set_part(Structure::SocketOptions, 4, value);
        }
        // Sent unrequested, after the requested attributes.
        INET_DIAG_SOCKOPT if socket.info(Structure::SocketOptions).is_some() => {
            let details = socket.details_mut();
            details.set_part(Structure::SocketOptions, 8, value);
        }
        INET_DIAG_MD5SIG => layers::md5(socket.details_mut(), value),
        INET_DIAG_ULP_INFO => layers::ulp(socket.details_mut(), value),
        INET_DIAG_SK_BPF_STORAGES => layers::bpf_storage(socket.details_mut(), value),
        INET_DIAG_SKMEMINFO => socket.details_mut().memory = Some(memory(value)),
        INET_DIAG_SHUTDOWN => socket.shutdown = value.first().copied().map(Shutdown::from_bits),
        // Sent unrequested.
        INET_DIAG_SKV6ONLY => socket.v6only = value.first().map(|only| *only != 0),
        INET_DIAG_LOCALS => sctp::addresses(socket, 0, value),
        INET_DIAG_PEERS => sctp::addresses(socket, 1, value),
        INET_DIAG_MARK => socket.mark = u32_at(value),
        INET_DIAG_CGROUP_ID => socket.cgroup_id = u64_at(value).and_then(nonzero),
        other => socket.keep(other.into(), value),
    }
}
