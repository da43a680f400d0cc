//! The table of protocols, with the properties of each.

use super::{Family, Protocol};
use crate::model::{State, StateSet};

/// Defines a column of the table and its accessor for each line.
macro_rules! columns {
    ($($(#[$doc:meta])+ $name:ident: $type:ty,)+) => {
        /// The properties of a protocol.
        pub(super) struct Definition {
            $($(#[$doc])+ $name: $type,)+
        }

        impl Protocol {
            $($(#[$doc])+ pub const fn $name(self) -> $type {
                self.definition().$name
            })+
        }
    };
}

columns! {
    /// Its name in a sentence.
    title: &'static str,
    /// Its code in a recording: 6 bits, never changed, because old recordings contain it.
    recording_code: u8,
    /// The families that its sockets can have.
    families: &'static [Family],
    /// `sdiag_protocol` of the dump request: `IPPROTO_*` (`include/uapi/linux/in.h`) for IP protocols. `None`
    /// = `sock_diag` does not list it.
    sock_diag: Option<u16>,
    /// The kernel module that answers the request.
    diag_module: &'static str,
    /// True if the request would load the protocol's module; it is sent only if that is loaded.
    is_module: bool,
    /// True if `/proc/net` has files for it.
    in_proc_net: bool,
    /// Converts the kernel's state code in netlink replies and `/proc/net`. (`/proc/net/unix` has its own
    /// codes: [`State::from_unix_proc`].)
    state_of: fn(u8) -> State,
    /// The states of connected and connecting sockets.
    connected: StateSet,
    /// The states of sockets that wait for peers.
    listening: StateSet,
    /// What a port means.
    port: PortKind,
    /// True if it has the state machine of TCP.
    is_tcp_like: bool,
    /// True if it is listed when no protocol is named.
    is_default: bool,
}

/// What a port means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PortKind {
    /// There is none.
    None,
    /// A TCP port: 16 bits.
    Tcp,
    /// A UDP port: 16 bits.
    Udp,
    /// An SCTP port: 16 bits.
    Sctp,
    /// The IP protocol number; the peer has none.
    IpProtocol,
    /// The identifier of ICMP echo requests.
    EchoId,
    /// The `EtherType` it receives; the peer has none.
    EtherType,
    /// The netlink port id: 32 bits.
    PortId,
    /// A 32-bit number of the family (vsock, TIPC), or the queue of an interface (XDP).
    Number,
}

/// `NDIAG_PROTO_ALL` (`include/uapi/linux/netlink_diag.h`).
const NDIAG_PROTO_ALL: u16 = 0xff;

const IP: &[Family] = &[Family::Inet, Family::Inet6];
const UNCONNECTED: StateSet = StateSet::EMPTY.with(State::Unconn);
const LISTEN: StateSet = StateSet::EMPTY.with(State::Listen);
const CONNECTED: StateSet = StateSet::OF_TCP
    .without(State::Closed)
    .without(State::Bound)
    .without(State::Listen)
    .without(State::Unconn);

pub(super) const TCP: Definition = Definition {
    title: "TCP",
    recording_code: 0,
    families: IP,
    sock_diag: Some(6),
    diag_module: "tcp_diag",
    is_module: false,
    in_proc_net: true,
    state_of: State::from_tcp,
    connected: CONNECTED,
    listening: LISTEN,
    port: PortKind::Tcp,
    is_tcp_like: true,
    is_default: true,
};

pub(super) const UDP: Definition = Definition {
    title: "UDP",
    recording_code: 1,
    sock_diag: Some(17),
    diag_module: "udp_diag",
    state_of: State::from_datagram,
    listening: UNCONNECTED,
    port: PortKind::Udp,
    is_tcp_like: false,
    ..TCP
};

pub(super) const UDPLITE: Definition = Definition {
    title: "UDP-Lite",
    recording_code: 2,
    sock_diag: Some(136),
    ..UDP
};

pub(super) const RAW: Definition = Definition {
    title: "raw",
    recording_code: 3,
    sock_diag: Some(255),
    diag_module: "raw_diag",
    port: PortKind::IpProtocol,
    ..UDP
};

pub(super) const ICMP: Definition = Definition {
    title: "ping",
    recording_code: 4,
    sock_diag: None,
    port: PortKind::EchoId,
    ..UDP
};

/// Its subflows are listed as TCP.
pub(super) const MPTCP: Definition = Definition {
    title: "MPTCP",
    recording_code: 5,
    sock_diag: Some(262),
    diag_module: "mptcp_diag",
    in_proc_net: false,
    state_of: State::from_mptcp,
    is_default: false,
    ..TCP
};

/// A socket is a row, and so is each of its associations.
pub(super) const SCTP: Definition = Definition {
    title: "SCTP",
    recording_code: 9,
    sock_diag: Some(132),
    diag_module: "sctp_diag",
    is_module: true,
    in_proc_net: false,
    state_of: State::from_datagram,
    connected: StateSet::OTHER.union(CONNECTED),
    port: PortKind::Sctp,
    is_tcp_like: false,
    is_default: false,
    ..TCP
};

pub(super) const UNIX: Definition = Definition {
    title: "unix",
    recording_code: 6,
    families: &[Family::Unix],
    sock_diag: Some(0),
    diag_module: "unix_diag",
    state_of: State::from_datagram,
    listening: LISTEN,
    port: PortKind::None,
    is_default: false,
    ..UDP
};

/// It has no connections, so its sockets are always shown.
pub(super) const PACKET: Definition = Definition {
    title: "packet",
    recording_code: 7,
    families: &[Family::Packet],
    diag_module: "af_packet_diag",
    connected: StateSet::ALL,
    listening: StateSet::ALL,
    port: PortKind::EtherType,
    ..UNIX
};

/// Its sockets are always shown; connected ones not as listening.
pub(super) const NETLINK: Definition = Definition {
    title: "netlink",
    recording_code: 8,
    families: &[Family::Netlink],
    sock_diag: Some(NDIAG_PROTO_ALL),
    diag_module: "netlink_diag",
    state_of: State::from_netlink,
    connected: StateSet::ALL,
    listening: UNCONNECTED,
    port: PortKind::PortId,
    ..UNIX
};

pub(super) const VSOCK: Definition = Definition {
    title: "vsock",
    recording_code: 10,
    families: &[Family::Vsock],
    sock_diag: Some(0),
    diag_module: "vsock_diag",
    port: PortKind::Number,
    ..SCTP
};

pub(super) const TIPC: Definition = Definition {
    title: "TIPC",
    recording_code: 11,
    families: &[Family::Tipc],
    diag_module: "tipc_diag",
    ..VSOCK
};

/// It has no connections, so its sockets are always shown.
pub(super) const XDP: Definition = Definition {
    title: "XDP",
    recording_code: 12,
    families: &[Family::Xdp],
    diag_module: "xsk_diag",
    connected: StateSet::ALL,
    listening: StateSet::ALL,
    ..VSOCK
};

/// Its ports are those of the TCP sockets below it.
pub(super) const SMC: Definition = Definition {
    title: "SMC",
    recording_code: 13,
    families: &[Family::Smc],
    diag_module: "smc_diag",
    state_of: State::from_smc,
    port: PortKind::Tcp,
    ..VSOCK
};
