//! Requests: `inet_diag_req_v2`, `unix_diag_req`, `packet_diag_req`, `netlink_diag_req`.

use std::net::SocketAddr;

use netlink_packet_core::{DefaultNla, Emitable, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_sock_diag::SOCK_DIAG_BY_FAMILY;
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_packet_sock_diag::unix::{self, ShowFlags, UnixRequest};
use zerocopy::byteorder::native_endian::{U16, U32};
use zerocopy::{Immutable, IntoBytes};

use super::message::{TCPDIAG_GETSOCK, message};
use super::tag;
use crate::model::{Family, Protocol, StateSet, Table};

/// The flags of a request for a whole table.
const DUMP: u16 = NLM_F_REQUEST | NLM_F_DUMP;
/// `INET_DIAG_REQ_BYTECODE`: a program that leaves sockets out.
const INET_DIAG_REQ_BYTECODE: u16 = 1;
/// `INET_DIAG_REQ_PROTOCOL` (Linux 5.9): a protocol that needs more than eight bits.
const INET_DIAG_REQ_PROTOCOL: u16 = 3;
/// `IPPROTO_TCP` (`include/uapi/linux/in.h`).
const IPPROTO_TCP: u8 = 6;
/// `UDIAG_SHOW_UID` (Linux 5.3).
const UDIAG_SHOW_UID: u32 = 0x40;
/// `PACKET_SHOW_INFO | PACKET_SHOW_MEMINFO`: interface, user and queues.
const PACKET_SHOW: u32 = 0x01 | 0x10;
/// `NDIAG_SHOW_MEMINFO`: queues.
const NDIAG_SHOW: u32 = 0x01;

/// What a dump asks for beside the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpParams<'p> {
    /// The states wanted; the kernel may send more.
    pub states: StateSet,
    /// `tcp_info`, `mptcp_info` and the congestion control algorithm.
    pub info: bool,
    /// Socket memory.
    pub memory: bool,
    /// The only port of the socket's own end and of the other one; 0 = any. For TCP, MPTCP, UDP and
    /// UDP-Lite.
    pub ports: [u16; 2],
    /// What else leaves IP sockets out, as `INET_DIAG_REQ_BYTECODE`; empty = nothing.
    pub program: &'p [u8],
}

impl DumpParams<'_> {
    /// Every socket, without the optional parts.
    pub const PLAIN: Self = Self {
        states: StateSet::ALL,
        info: false,
        memory: false,
        ports: [0, 0],
        program: &[],
    };
}

/// The request of a whole table; `None` when `sock_diag` has no such table.
pub fn dump_request(table: Table, params: DumpParams<'_>) -> Option<Vec<u8>> {
    table.protocol.sock_diag()?;
    let body = match table.family {
        Family::Inet | Family::Inet6 => inet_body(table, params),
        Family::Unix => unix_body(params),
        Family::Packet => short_body(table, PACKET_SHOW),
        Family::Netlink => short_body(table, NDIAG_SHOW),
    };
    Some(message(SOCK_DIAG_BY_FAMILY, DUMP, tag(table), &body))
}

/// The request of TCP over both IP versions, in one walk through the kernel's tables: the older
/// request, `struct inet_diag_req`, which knows no family.
pub fn both_request(params: DumpParams<'_>) -> Vec<u8> {
    let table = Table::new(Protocol::Tcp, Family::Inet);
    let request = inet_request(table, params, socket_id(table, params));
    // Family, protocol, extensions and padding; states; the identity of a socket.
    let (states, identity) = request
        .get(4..)
        .and_then(|rest| rest.split_at_checked(4))
        .unwrap_or_default();
    let extensions = request.get(2).copied().unwrap_or_default();
    let mut body = vec![0, 0, 0, extensions];
    body.extend_from_slice(identity);
    body.extend_from_slice(states);
    // `idiag_dbs`: tables to dump, of which there is one.
    body.extend_from_slice(&[0; 4]);
    push_attribute(&mut body, INET_DIAG_REQ_BYTECODE, params.program);
    message(TCPDIAG_GETSOCK, DUMP, tag(table), &body)
}

/// The request of one TCP connection: its own end, the other end, and the interface it is bound to.
///
/// One reply, or `ENOENT`. Where there is no such connection, the reply is the listener that would
/// take it.
pub fn exact_request(
    table: Table,
    params: DumpParams<'_>,
    [local, peer]: [SocketAddr; 2],
    interface: Option<u32>,
) -> Vec<u8> {
    let socket_id = SocketId {
        source_port: local.port(),
        destination_port: peer.port(),
        source_address: local.ip(),
        destination_address: peer.ip(),
        interface_id: interface.unwrap_or(0),
        cookie: [0xff; 8],
    };
    let body = inet_request(table, params, socket_id);
    message(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, tag(table), &body)
}

/// The request of nothing but the names of all unix sockets, or of that with this inode: one reply,
/// or `ENOENT`.
pub fn unix_name_request(inode: Option<u32>) -> Vec<u8> {
    let table = Table::new(Protocol::Unix, Family::Unix);
    let flags = if inode.is_some() { NLM_F_REQUEST } else { DUMP };
    let body = unix_request(StateSet::ALL, inode.unwrap_or(0), ShowFlags::NAME);
    message(SOCK_DIAG_BY_FAMILY, flags, tag(table), &body)
}

fn unix_body(params: DumpParams<'_>) -> Vec<u8> {
    let mut shown = ShowFlags::NAME | ShowFlags::PEER | ShowFlags::RQLEN;
    shown |= ShowFlags::from_bits_retain(UDIAG_SHOW_UID);
    if params.memory {
        shown |= ShowFlags::MEMINFO;
    }
    unix_request(params.states, 0, shown)
}

fn unix_request(states: StateSet, inode: u32, show_flags: ShowFlags) -> Vec<u8> {
    bytes_of(&UnixRequest {
        state_flags: unix::StateFlags::from_bits_retain(states.kernel_mask()),
        inode,
        show_flags,
        cookie: [0xff; 8],
    })
}

/// The 20 bytes that `packet_diag_req` and `netlink_diag_req` share.
#[derive(Debug, IntoBytes, Immutable)]
#[repr(C)]
struct ShortRequest {
    family: u8,
    protocol: u8,
    pad: U16,
    inode: U32,
    show: U32,
    cookie: [u8; 8],
}

fn short_body(table: Table, show: u32) -> Vec<u8> {
    let request = ShortRequest {
        family: table.family.code(),
        protocol: short_number(table).unwrap_or_default(),
        pad: U16::ZERO,
        inode: U32::ZERO,
        show: U32::new(show),
        cookie: [0xff; 8],
    };
    request.as_bytes().to_vec()
}

/// `sdiag_protocol`, if its field has room for it.
fn short_number(table: Table) -> Option<u8> {
    table.protocol.sock_diag()?.try_into().ok()
}

fn socket_id(table: Table, params: DumpParams<'_>) -> SocketId {
    let any = if table.family == Family::Inet6 {
        SocketId::new_v6()
    } else {
        SocketId::new_v4()
    };
    let [source_port, destination_port] = params.ports;
    SocketId {
        source_port,
        destination_port,
        ..any
    }
}

fn push_attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    if !value.is_empty() {
        body.extend(bytes_of(&DefaultNla::new(kind, value.to_vec())));
    }
}

fn inet_body(table: Table, params: DumpParams<'_>) -> Vec<u8> {
    let mut body = inet_request(table, params, socket_id(table, params));
    if let (None, Some(number)) = (short_number(table), table.protocol.sock_diag()) {
        let number = u32::from(number).to_ne_bytes();
        push_attribute(&mut body, INET_DIAG_REQ_PROTOCOL, &number);
    }
    push_attribute(&mut body, INET_DIAG_REQ_BYTECODE, params.program);
    body
}

fn inet_request(table: Table, params: DumpParams<'_>, socket_id: SocketId) -> Vec<u8> {
    let mut extensions = ExtensionFlags::empty();
    if params.info {
        extensions |= ExtensionFlags::INFO | ExtensionFlags::CONG;
    }
    if params.memory {
        extensions |= ExtensionFlags::SKMEMINFO;
    }
    bytes_of(&InetRequest {
        family: table.family.code(),
        // The kernel looks at the attribute where there is one.
        protocol: short_number(table).unwrap_or(IPPROTO_TCP),
        extensions,
        states: StateFlags::from_bits_retain(params.states.kernel_mask()),
        socket_id,
    })
}

fn bytes_of(part: &impl Emitable) -> Vec<u8> {
    let mut bytes = vec![0; part.buffer_len()];
    part.emit(&mut bytes);
    bytes
}
