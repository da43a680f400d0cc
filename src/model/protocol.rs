//! Protocols, address families, tables and socket types, each with its one name.

mod definition;

use std::fmt;

use self::definition::Definition;
use super::{State, StateSet, named};
use crate::text::enumeration;

pub use self::definition::PortKind;

named! {
    /// The protocol of a socket.
    ///
    /// ```
    /// assert_eq!(lsock::Protocol::Tcp.name(), "tcp");
    /// assert!(lsock::Protocol::NAMES.contains(&"mptcp"));
    /// ```
    #[derive(Default)]
    #[non_exhaustive]
    pub enum Protocol {
        /// Transmission Control Protocol, RFC 9293.
        #[default]
        Tcp = "tcp",
        /// User Datagram Protocol.
        Udp = "udp",
        /// UDP-Lite, RFC 3828.
        UdpLite = "udplite",
        /// Raw IP; the port of such a socket is its IP protocol number.
        Raw = "raw",
        /// Ping sockets (`SOCK_DGRAM` with `IPPROTO_ICMP`); the port is the echo identifier.
        Icmp = "icmp",
        /// Multipath TCP, RFC 8684.
        Mptcp = "mptcp",
        /// Stream Control Transmission Protocol, RFC 9260.
        Sctp = "sctp",
        /// Unix domain.
        Unix = "unix",
        /// `AF_PACKET`; the port is the `EtherType` it receives.
        Packet = "packet",
        /// `AF_NETLINK`; the address is the netlink family, the port the port id.
        Netlink = "netlink",
        /// `AF_VSOCK`, between a machine and its guests; the address is the context id (CID).
        Vsock = "vsock",
        /// Transparent Inter-Process Communication; the address is the node, the port the socket's reference.
        Tipc = "tipc",
        /// `AF_XDP`; the port is the queue of its interface.
        Xdp = "xdp",
        /// Shared Memory Communications, RFC 7609, beside the TCP connection that set it up.
        Smc = "smc",
    }
}

#[doc(hidden)]
impl Protocol {
    const fn definition(self) -> &'static Definition {
        match self {
            Self::Tcp => &definition::TCP,
            Self::Udp => &definition::UDP,
            Self::UdpLite => &definition::UDPLITE,
            Self::Raw => &definition::RAW,
            Self::Icmp => &definition::ICMP,
            Self::Mptcp => &definition::MPTCP,
            Self::Sctp => &definition::SCTP,
            Self::Unix => &definition::UNIX,
            Self::Packet => &definition::PACKET,
            Self::Netlink => &definition::NETLINK,
            Self::Vsock => &definition::VSOCK,
            Self::Tipc => &definition::TIPC,
            Self::Xdp => &definition::XDP,
            Self::Smc => &definition::SMC,
        }
    }

    /// Its tables, one for each family.
    pub fn tables(self) -> impl Iterator<Item = Table> {
        let families = self.families().iter();
        families.map(move |family| Table::new(self, *family))
    }

    /// The state with this kernel code.
    pub fn state(self, code: u8) -> State {
        self.state_of()(code)
    }

    /// The states that its sockets can have.
    pub const fn states(self) -> StateSet {
        match self {
            Self::Tcp => StateSet::OF_TCP
                .without(State::Closed)
                .without(State::Unconn),
            Self::Mptcp => StateSet::OF_TCP
                .without(State::Bound)
                .without(State::Unconn),
            Self::Sctp | Self::Smc => StateSet::ALL.without(State::Bound),
            Self::Vsock | Self::Tipc => StateSet::OF_TCP.without(State::Bound),
            _ => StateSet::EMPTY
                .with(State::Established)
                .with(State::Listen)
                .with(State::Unconn),
        }
    }

    /// `TCP sockets in BOUND`, `TCP sockets in LISTEN, SYN_SENT and 7 more states`, `MPTCP sockets`
    pub fn sockets_in(self, states: StateSet) -> String {
        let title = self.title();
        let states = states.intersection(self.states());
        if states == self.states() {
            return format!("{title} sockets");
        }
        let known = State::all_named();
        let names: Vec<&str> = known
            .filter(|state| states.contains(*state))
            .map(State::name)
            .collect();
        match names.as_slice() {
            [first, second, others @ ..] if others.len() > 1 => {
                format!(
                    "{title} sockets in {first}, {second} and {} more states",
                    others.len()
                )
            }
            names => format!("{title} sockets in {}", enumeration(names, "and")),
        }
    }

    /// True if it runs over IPv4 and IPv6.
    pub const fn is_ip(self) -> bool {
        matches!(self.families(), [Family::Inet, ..])
    }

    /// True if both ends have 16-bit ports, which services use.
    pub const fn has_service_ports(self) -> bool {
        self.is_ip() && matches!(self.port(), PortKind::Tcp | PortKind::Udp | PortKind::Sctp)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

named! {
    /// The address family of a socket.
    ///
    /// ```
    /// assert_eq!(lsock::Family::Inet6.to_string(), "inet6");
    /// ```
    #[derive(Default)]
    #[non_exhaustive]
    pub enum Family {
        /// IPv4.
        #[default]
        Inet = "inet",
        /// IPv6, IPv4-mapped addresses included.
        Inet6 = "inet6",
        /// Unix domain.
        Unix = "unix",
        /// Packet.
        Packet = "packet",
        /// Netlink.
        Netlink = "netlink",
        /// Between a machine and its guests.
        Vsock = "vsock",
        /// TIPC.
        Tipc = "tipc",
        /// XDP.
        Xdp = "xdp",
        /// SMC.
        Smc = "smc",
    }
}

#[doc(hidden)]
impl Family {
    /// `AF_*` (`include/linux/socket.h`).
    pub const fn code(self) -> u8 {
        match self {
            Self::Unix => 1,
            Self::Inet => 2,
            Self::Inet6 => 10,
            Self::Netlink => 16,
            Self::Packet => 17,
            Self::Tipc => 30,
            Self::Vsock => 40,
            Self::Smc => 43,
            Self::Xdp => 44,
        }
    }

    /// True if its sockets have IP addresses.
    pub const fn has_ip(self) -> bool {
        matches!(self, Self::Inet | Self::Inet6 | Self::Smc)
    }

    /// The family with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.code() == code)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A table of the kernel, which is listed as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table {
    /// The protocol.
    pub protocol: Protocol,
    /// The address family.
    pub family: Family,
}

impl Table {
    /// The table of a protocol and a family.
    pub const fn new(protocol: Protocol, family: Family) -> Self {
        Self { protocol, family }
    }

    /// Every table, in listing order.
    pub fn all() -> impl Iterator<Item = Self> {
        Protocol::ALL.into_iter().flat_map(Protocol::tables)
    }

    /// Its code in a recording: that of the protocol, and a bit for IPv6.
    pub const fn recording_code(self) -> u8 {
        let version = match self.family {
            Family::Inet6 => 0x40,
            _ => 0,
        };
        version | self.protocol.recording_code()
    }

    /// Its file below `/proc`, for example `net/tcp6`; `None` = not in `/proc/net`.
    pub fn proc_file(self) -> Option<String> {
        let version = if self.family == Family::Inet6 {
            "6"
        } else {
            ""
        };
        let name = self.protocol.name();
        let is_there = self.protocol.in_proc_net();
        is_there.then(|| format!("net/{name}{version}"))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.family {
            Family::Inet => "IPv4 ",
            Family::Inet6 => "IPv6 ",
            _ => "",
        };
        write!(f, "{version}{} sockets", self.protocol.title())
    }
}

named! {
    /// The type given to `socket(2)`, if the protocol does not determine it; for SCTP the kind of row.
    pub enum SocketType {
        /// `SOCK_STREAM`.
        Stream = "stream",
        /// `SOCK_DGRAM`.
        Dgram = "dgram",
        /// `SOCK_RAW`.
        Raw = "raw",
        /// `SOCK_RDM`.
        Rdm = "rdm",
        /// `SOCK_SEQPACKET`.
        Seqpacket = "seqpacket",
        /// The socket itself (SCTP).
        Endpoint = "endpoint",
        /// One of its connections (SCTP).
        Association = "association",
    }
}

impl SocketType {
    /// From `SOCK_*` (`include/linux/net.h`), in netlink replies and in `/proc/net`.
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Stream),
            2 => Some(Self::Dgram),
            3 => Some(Self::Raw),
            4 => Some(Self::Rdm),
            5 => Some(Self::Seqpacket),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
