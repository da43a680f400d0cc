//! The table of protocols: what distinguishes each from the others.

use super::Family;
use crate::model::{State, StateSet};

/// Everything that is known of a protocol before one of its sockets is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Definition {
    /// The name in every format and on the command line.
    pub(super) name: &'static str,
    /// The name in a sentence.
    pub(super) title: &'static str,
    /// The code in a recording: a number of 6 bits that never changes, for old recordings hold it.
    pub(super) recording_code: u8,
    /// The families a socket of it can have.
    pub(super) families: &'static [Family],
    /// `sdiag_protocol` of the request that dumps it; `None` = `sock_diag` does not list it.
    pub(super) sock_diag: Option<u16>,
    /// The files that list it; `None` = `/proc/net` does not.
    pub(super) proc_net: Option<ProcNet>,
    /// How the kernel numbers its states.
    pub(super) codes: StateCodes,
    /// The states of those shown as connected or connecting.
    pub(super) connected: StateSet,
    /// The states of those shown as waiting for peers.
    pub(super) listening: StateSet,
    /// What the address of an end is.
    pub(super) address: AddressKind,
    /// What the port of an end is.
    pub(super) port: PortKind,
    /// True if its sockets differ in their type.
    pub(super) has_types: bool,
    /// True if it has the state machine of TCP.
    pub(super) is_tcp_like: bool,
    /// True if it is listed when no protocol is named.
    pub(super) is_default: bool,
}

/// The files of `/proc/net` that list a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcNet {
    /// One for each of its families, in their order, below `/proc`.
    pub files: &'static [&'static str],
    /// What their lines look like.
    pub lines: LineFormat,
}

impl ProcNet {
    const fn new(files: &'static [&'static str], lines: LineFormat) -> Self {
        Self { files, lines }
    }
}

/// What a line of a file of `/proc/net` looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFormat {
    /// `net/tcp`.
    Tcp,
    /// `net/udp`, `net/udplite`, `net/raw` and `net/icmp`.
    Datagram,
    /// `net/unix`.
    Unix,
    /// `net/packet`.
    Packet,
    /// `net/netlink`.
    Netlink,
}

/// How the kernel numbers the states of a protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StateCodes {
    /// [`State::from_tcp`].
    Tcp,
    /// [`State::from_mptcp`].
    Mptcp,
    /// [`State::from_datagram`].
    Datagram,
    /// [`State::from_netlink`].
    Netlink,
}

/// What the address of an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressKind {
    /// An IP address.
    Ip,
    /// The name of a unix socket.
    UnixName,
    /// There is none; the interface takes its place.
    Interface,
    /// The netlink family.
    NetlinkFamily,
}

/// What the port of an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortKind {
    /// There is none.
    None,
    /// A port of TCP: 16 bits.
    Tcp,
    /// A port of UDP: 16 bits.
    Udp,
    /// The IP protocol number; the peer has none.
    IpProtocol,
    /// The identifier of ICMP echo requests.
    EchoId,
    /// The `EtherType` it receives; the peer has none.
    EtherType,
    /// The netlink port id: 32 bits.
    PortId,
}

/// `NDIAG_PROTO_ALL` (`include/uapi/linux/netlink_diag.h`).
const NDIAG_PROTO_ALL: u16 = 0xff;

const IP: &[Family] = &[Family::Inet, Family::Inet6];
const UNCONNECTED: StateSet = StateSet::EMPTY.with(State::Unconn);
const LISTEN: StateSet = StateSet::EMPTY.with(State::Listen);
const CONNECTED: StateSet = StateSet::ALL
    .without(State::Closed)
    .without(State::Bound)
    .without(State::Listen)
    .without(State::Unconn);

pub(super) const TCP: Definition = Definition {
    name: "tcp",
    title: "TCP",
    recording_code: 0,
    families: IP,
    sock_diag: Some(6),
    proc_net: Some(ProcNet::new(&["net/tcp", "net/tcp6"], LineFormat::Tcp)),
    codes: StateCodes::Tcp,
    connected: CONNECTED,
    listening: LISTEN,
    address: AddressKind::Ip,
    port: PortKind::Tcp,
    has_types: false,
    is_tcp_like: true,
    is_default: true,
};

pub(super) const UDP: Definition = Definition {
    name: "udp",
    title: "UDP",
    recording_code: 1,
    sock_diag: Some(17),
    proc_net: Some(ProcNet::new(&["net/udp", "net/udp6"], LineFormat::Datagram)),
    codes: StateCodes::Datagram,
    listening: UNCONNECTED,
    port: PortKind::Udp,
    is_tcp_like: false,
    ..TCP
};

pub(super) const UDPLITE: Definition = Definition {
    name: "udplite",
    title: "UDP-Lite",
    recording_code: 2,
    sock_diag: Some(136),
    proc_net: Some(ProcNet::new(
        &["net/udplite", "net/udplite6"],
        LineFormat::Datagram,
    )),
    ..UDP
};

pub(super) const RAW: Definition = Definition {
    name: "raw",
    title: "raw",
    recording_code: 3,
    sock_diag: Some(255),
    proc_net: Some(ProcNet::new(&["net/raw", "net/raw6"], LineFormat::Datagram)),
    port: PortKind::IpProtocol,
    ..UDP
};

pub(super) const ICMP: Definition = Definition {
    name: "icmp",
    title: "ping",
    recording_code: 4,
    sock_diag: None,
    proc_net: Some(ProcNet::new(
        &["net/icmp", "net/icmp6"],
        LineFormat::Datagram,
    )),
    port: PortKind::EchoId,
    ..UDP
};

/// Its subflows are among TCP.
pub(super) const MPTCP: Definition = Definition {
    name: "mptcp",
    title: "MPTCP",
    recording_code: 5,
    sock_diag: Some(262),
    proc_net: None,
    codes: StateCodes::Mptcp,
    is_default: false,
    ..TCP
};

pub(super) const UNIX: Definition = Definition {
    name: "unix",
    title: "unix",
    recording_code: 6,
    families: &[Family::Unix],
    sock_diag: Some(0),
    proc_net: Some(ProcNet::new(&["net/unix"], LineFormat::Unix)),
    codes: StateCodes::Datagram,
    listening: LISTEN,
    address: AddressKind::UnixName,
    port: PortKind::None,
    has_types: true,
    is_default: false,
    ..UDP
};

/// It knows no connection: its sockets are always shown.
pub(super) const PACKET: Definition = Definition {
    name: "packet",
    title: "packet",
    recording_code: 7,
    families: &[Family::Packet],
    proc_net: Some(ProcNet::new(&["net/packet"], LineFormat::Packet)),
    connected: StateSet::ALL,
    listening: StateSet::ALL,
    address: AddressKind::Interface,
    port: PortKind::EtherType,
    ..UNIX
};

/// Its sockets are always shown, but for connected ones among the listening.
pub(super) const NETLINK: Definition = Definition {
    name: "netlink",
    title: "netlink",
    recording_code: 8,
    families: &[Family::Netlink],
    sock_diag: Some(NDIAG_PROTO_ALL),
    proc_net: Some(ProcNet::new(&["net/netlink"], LineFormat::Netlink)),
    codes: StateCodes::Netlink,
    connected: StateSet::ALL,
    listening: UNCONNECTED,
    address: AddressKind::NetlinkFamily,
    port: PortKind::PortId,
    has_types: false,
    ..UNIX
};
