//! Requests: `inet_diag_req_v2`, `unix_diag_req`, `packet_diag_req`, `netlink_diag_req` and their like
//! (`include/uapi/linux/*_diag.h`). The sender sets the sequence number.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_sock_diag::constants::{
    IPPROTO_TCP, SOCK_DIAG_BY_FAMILY, UDIAG_SHOW_ICONS, UDIAG_SHOW_MEMINFO, UDIAG_SHOW_NAME,
    UDIAG_SHOW_PEER, UDIAG_SHOW_RQLEN, UDIAG_SHOW_VFS,
};

use super::message::{TCPDIAG_GETSOCK, message};
use crate::model::{Endpoint, Family, Protocol, Socket, StateSet, Table};

/// The flags of a request for a whole table.
const DUMP: u16 = NLM_F_REQUEST | NLM_F_DUMP;
/// `INET_DIAG_REQ_BYTECODE`: a program that excludes sockets.
const INET_DIAG_REQ_BYTECODE: u16 = 1;
/// `INET_DIAG_REQ_SK_BPF_STORAGES` (Linux 5.7): empty, it requests the socket's data in every BPF map.
const INET_DIAG_REQ_SK_BPF_STORAGES: u16 = 2;
/// `INET_DIAG_REQ_PROTOCOL` (Linux 5.9): a protocol number of more than eight bits.
const INET_DIAG_REQ_PROTOCOL: u16 = 3;
/// `1 << (INET_DIAG_INFO - 1)`, likewise `INET_DIAG_VEGASINFO` and `INET_DIAG_CONG`.
const INFO: u8 = 1 << 1 | 1 << 2 | 1 << 3;
/// `1 << (INET_DIAG_TOS - 1) | 1 << (INET_DIAG_TCLASS - 1)`.
const OPTIONS: u8 = 1 << 4 | 1 << 5;
/// `1 << (INET_DIAG_SKMEMINFO - 1)`.
const MEMORY: u8 = 1 << 6;
/// `UDIAG_SHOW_UID` (Linux 5.3).
const UDIAG_SHOW_UID: u32 = 0x40;
const UDIAG_SHOW: u32 = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_RQLEN;
/// The bound file and the connections waiting for `accept`.
const UDIAG_SHOW_FILES: u32 = UDIAG_SHOW_VFS | UDIAG_SHOW_ICONS;
/// `PACKET_SHOW_INFO | PACKET_SHOW_MEMINFO`: interface, user and queues.
const PACKET_SHOW: u32 = 0x01 | 0x10;
/// `PACKET_SHOW_RING_CFG | PACKET_SHOW_FANOUT | PACKET_SHOW_FILTER`.
const PACKET_SHOW_MORE: u32 = 0x04 | 0x08 | 0x20;
/// `NDIAG_SHOW_MEMINFO`: queues.
const NDIAG_SHOW: u32 = 0x01;
const NDIAG_SHOW_GROUPS: u32 = 0x02;
/// `XDP_SHOW_INFO` (`include/uapi/linux/xdp_diag.h`): interface, queue and user.
const XDP_SHOW_INFO: u32 = 0x01;
/// `XDP_SHOW_RING_CFG | XDP_SHOW_UMEM | XDP_SHOW_STATS`.
const XDP_SHOW_MORE: u32 = 0x02 | 0x04 | 0x10;
const XDP_SHOW_MEMINFO: u32 = 0x08;
/// Matches any cookie.
const NO_COOKIE: [u8; 8] = [0xff; 8];
/// `SOCK_DESTROY` (`include/uapi/linux/sock_diag.h`).
const SOCK_DESTROY: u16 = 21;

/// How much of a socket is decoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// State, queues, both ends, interface and network namespace.
    Line,
    /// All that the kernel sends unrequested, except the cookie.
    Usual,
    /// The cookie too.
    #[default]
    All,
}

/// Optional parts of a socket, requested only if needed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Extensions {
    /// `tcp_info`, `mptcp_info`, the congestion control algorithm and the upper layer protocol.
    pub info: bool,
    /// Socket options.
    pub options: bool,
    /// Socket memory and drops.
    pub memory: bool,
    /// Data of TCP and MPTCP sockets in BPF maps: ids and sizes. Needs `CAP_BPF`.
    pub storage: bool,
    /// The files that unix sockets are bound to, and the connections waiting for `accept`.
    pub files: bool,
    /// Attributes without a field in the model: [`Details::attributes`](crate::model::Details::attributes).
    pub attributes: bool,
    /// Names of the peers of unix sockets.
    pub unix_peers: bool,
    /// TCP data that netlink lacks, read from `/proc/net`: [`ProcNetExtras`](crate::model::ProcNetExtras), and the
    /// user of a connection not accepted yet.
    pub proc_net: bool,
    /// SCTP states by which the kernel selects, whose reply is taken unchanged; `None` = all.
    pub sctp: Option<StateSet>,
    /// The protocol was named explicitly: its sockets are reported missing if no kernel module lists them.
    pub is_named: bool,
    /// Which unrequested parts are needed. A source may report more, never less.
    pub detail: Detail,
}

impl Extensions {
    /// True if attributes without a field in the model are kept for a table.
    pub fn keeps_attributes(self, table: Table) -> bool {
        self.attributes || self.sctp.is_some() && table.protocol == Protocol::Sctp
    }

    /// How much of the unrequested parts is decoded: all of it if more of the kernel's reply was requested.
    pub fn unasked(self) -> Detail {
        let with_rest = Self {
            unix_peers: self.unix_peers,
            sctp: self.sctp,
            is_named: self.is_named,
            detail: self.detail,
            ..Self::default()
        };
        if self == with_rest {
            self.detail
        } else {
            Detail::All
        }
    }
}

/// The parameters of a dump, apart from the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpParams<'p> {
    /// The wanted states; the kernel may send more.
    pub states: StateSet,
    /// The wanted optional parts.
    pub extensions: Extensions,
    /// The local and the peer port; 0 = any. For TCP, MPTCP, UDP and UDP-Lite.
    pub ports: [u16; 2],
    /// The `INET_DIAG_REQ_BYTECODE` that excludes further IP sockets; empty = none.
    pub program: &'p [u8],
}

/// The request for a whole table; `None` if `sock_diag` does not list it.
pub fn dump_request(table: Table, params: DumpParams<'_>) -> Option<Vec<u8>> {
    let number = table.protocol.sock_diag()?;
    let numbers = |numbers: &[u32]| {
        let number = u8::try_from(number).unwrap_or_default();
        body_of_numbers(table.family, number, numbers)
    };
    let asked = |is_wanted, show| if is_wanted { show } else { 0 };
    let more = |show| asked(params.extensions.attributes, show);
    let body = match table.family {
        Family::Inet | Family::Inet6 => inet_body(table, number, params),
        Family::Unix => {
            let memory = asked(params.extensions.memory, UDIAG_SHOW_MEMINFO);
            let files = asked(params.extensions.files, UDIAG_SHOW_FILES);
            let user = asked(params.extensions.detail != Detail::Line, UDIAG_SHOW_UID);
            let show = UDIAG_SHOW | user | memory | files;
            numbers(&[params.states.kernel_mask(), 0, show])
        }
        Family::Packet => numbers(&[0, PACKET_SHOW | more(PACKET_SHOW_MORE)]),
        Family::Netlink => numbers(&[0, NDIAG_SHOW | NDIAG_SHOW_GROUPS]),
        Family::Vsock => numbers(&[params.states.kernel_mask(), 0, 0]),
        // For a socket in an excluded state the kernel sends an empty reply (`tipc_sk_fill_sock_diag`).
        Family::Tipc => numbers(&[StateSet::ALL.kernel_mask()]),
        Family::Xdp => {
            let info = asked(params.extensions.info, XDP_SHOW_MORE) | more(XDP_SHOW_MORE);
            let memory = asked(params.extensions.memory, XDP_SHOW_MEMINFO);
            numbers(&[0, XDP_SHOW_INFO | info | memory])
        }
        // `struct smc_diag_req` has a `struct inet_diag_sockid`, which the kernel ignores.
        Family::Smc => numbers(&[0; 10]),
    };
    Some(message(SOCK_DIAG_BY_FAMILY, DUMP, 0, &body))
}

/// The request for TCP over both IP versions, in one pass over the kernel's tables: the older
/// `struct inet_diag_req`, which has no family.
pub fn both_request(params: DumpParams<'_>) -> Vec<u8> {
    let mut body = [
        // Family, address lengths, extensions.
        &[0, 0, 0, extensions(params)][..],
        &identity(any(params), None, &NO_COOKIE),
        &params.states.kernel_mask().to_ne_bytes(),
        // `idiag_dbs`: tables to dump; there is only one.
        &[0; 4],
    ]
    .concat();
    push_asked(&mut body, params);
    message(TCPDIAG_GETSOCK, DUMP, 0, &body)
}

/// The request for one TCP connection: its local end, its peer and its interface.
///
/// The kernel sends one reply, or `ENOENT`. If there is no such connection, it replies with the listener that would
/// accept it.
pub fn exact_request(
    table: Table,
    params: DumpParams<'_>,
    ends: [SocketAddr; 2],
    interface: Option<u32>,
) -> Vec<u8> {
    let body = inet_request(
        table,
        IPPROTO_TCP,
        params,
        &identity(ends, interface, &NO_COOKIE),
    );
    message(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, &body)
}

/// The request to close a socket (`SOCK_DESTROY`), which the kernel acknowledges or refuses with an `errno`.
///
/// `None` if the protocol has no such request, or the socket has no cookie: without one the request might match the
/// listener of its port.
pub fn destroy_request(socket: &Socket) -> Option<Vec<u8>> {
    let table = socket.table();
    let number = table
        .protocol
        .sock_diag()
        .filter(|_| table.protocol.is_ip())?;
    let end = |end: &Endpoint| {
        let port = u16::try_from(end.port.unwrap_or_default()).ok()?;
        Some(SocketAddr::new(end.ip?, port))
    };
    let ends @ [local, _] = [end(&socket.local)?, end(&socket.peer)?];
    let cookie = socket.cookie?;
    let cookie = [cookie, cookie >> 32].map(|half| u32::try_from(half & 0xffff_ffff));
    let cookie: Vec<u8> = cookie
        .into_iter()
        .flatten()
        .flat_map(u32::to_ne_bytes)
        .collect();
    let protocol = u8::try_from(number).unwrap_or(IPPROTO_TCP);
    // `sdiag_raw_protocol`: the port of a raw socket is its protocol number.
    let is_raw = table.protocol == Protocol::Raw;
    let of_raw = u8::try_from(local.port()).ok().filter(|_| is_raw);
    let mut body = vec![table.family.code(), protocol, 0, of_raw.unwrap_or_default()];
    body.extend(StateSet::ALL.kernel_mask().to_ne_bytes());
    body.extend(identity(ends, socket.interface, &cookie));
    if number > u16::from(u8::MAX) {
        push_attribute(
            &mut body,
            INET_DIAG_REQ_PROTOCOL,
            &u32::from(number).to_ne_bytes(),
        );
    }
    Some(message(SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, 0, &body))
}

/// The request for the name of the unix socket with this inode: one reply, or `ENOENT`.
pub fn unix_name_request(inode: u32) -> Vec<u8> {
    let numbers = [StateSet::ALL.kernel_mask(), inode, UDIAG_SHOW_NAME];
    let body = body_of_numbers(Family::Unix, 0, &numbers);
    message(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, &body)
}

/// The body of a request that holds only numbers: states, inode and show flags in `unix_diag_req`, inode and show
/// flags in `packet_diag_req` and `netlink_diag_req`.
fn body_of_numbers(family: Family, protocol: u8, numbers: &[u32]) -> Vec<u8> {
    let mut body = vec![family.code(), protocol, 0, 0];
    body.extend(numbers.iter().flat_map(|number| number.to_ne_bytes()));
    body.extend(NO_COOKIE);
    body
}

/// `struct inet_diag_req_v2` for a whole table, with its attributes.
fn inet_body(table: Table, number: u16, params: DumpParams<'_>) -> Vec<u8> {
    let short = u8::try_from(number).ok();
    // The kernel prefers the attribute, if there is one.
    let protocol = short.unwrap_or(IPPROTO_TCP);
    let mut body = inet_request(
        table,
        protocol,
        params,
        &identity(any(params), None, &NO_COOKIE),
    );
    if short.is_none() {
        let number = u32::from(number).to_ne_bytes();
        push_attribute(&mut body, INET_DIAG_REQ_PROTOCOL, &number);
    }
    push_asked(&mut body, params);
    body
}

fn inet_request(table: Table, protocol: u8, params: DumpParams<'_>, identity: &[u8]) -> Vec<u8> {
    // For SCTP the states select tables, which sockets in one state may share; `sctp_info` tells what a row is.
    let (states, info) = match table.protocol {
        Protocol::Sctp => (params.extensions.sctp.unwrap_or(StateSet::ALL), 1 << 1),
        _ => (params.states, 0),
    };
    let states = states.kernel_mask().to_ne_bytes();
    let begin = [table.family.code(), protocol, extensions(params) | info, 0];
    [&begin[..], &states, identity].concat()
}

/// `struct inet_diag_sockid`.
fn identity(ends: [SocketAddr; 2], interface: Option<u32>, cookie: &[u8]) -> Vec<u8> {
    let ports = ends.map(|end| end.port().to_be_bytes());
    let addresses = ends.map(|end| match end.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(ip) => ip.octets(),
    });
    let interface = interface.unwrap_or(0).to_ne_bytes();
    [&ports.concat()[..], &addresses.concat(), &interface, cookie].concat()
}

/// Any addresses with these ports: zeros, for either IP version.
fn any(params: DumpParams<'_>) -> [SocketAddr; 2] {
    let any = Ipv4Addr::UNSPECIFIED;
    params.ports.map(|port| SocketAddr::new(any.into(), port))
}

const fn extensions(params: DumpParams<'_>) -> u8 {
    let info = if params.extensions.info { INFO } else { 0 };
    let memory = if params.extensions.memory { MEMORY } else { 0 };
    let options = if params.extensions.options {
        OPTIONS
    } else {
        0
    };
    info | memory | options
}

/// Appends the program that excludes sockets, and the request for BPF storage.
fn push_asked(body: &mut Vec<u8>, params: DumpParams<'_>) {
    push_attribute(body, INET_DIAG_REQ_BYTECODE, params.program);
    if params.extensions.storage {
        let header = [4, INET_DIAG_REQ_SK_BPF_STORAGES];
        body.extend(header.map(u16::to_ne_bytes).concat());
    }
}

/// Appends a `struct nlattr`, unless the value is empty.
fn push_attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    if !value.is_empty() {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        body.extend([length, kind].map(u16::to_ne_bytes).concat());
        body.extend(value);
        body.resize(body.len().next_multiple_of(4), 0);
    }
}
