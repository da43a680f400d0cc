//! Protocols, address families and socket types, under their one name each.

use std::fmt;

/// What a socket speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Transmission Control Protocol, RFC 9293.
    Tcp,
    /// User Datagram Protocol.
    Udp,
    /// UDP-Lite, RFC 3828.
    UdpLite,
    /// Raw IP; the port of such a socket is its IP protocol number.
    Raw,
    /// Ping sockets (`SOCK_DGRAM` with `IPPROTO_ICMP`); the port is the echo identifier.
    Icmp,
    /// Multipath TCP, RFC 8684.
    Mptcp,
    /// Unix domain.
    Unix,
    /// `AF_PACKET`; the port is the `EtherType` it receives.
    Packet,
    /// `AF_NETLINK`; the address is the netlink family, the port the port id.
    Netlink,
}

impl Protocol {
    /// Every protocol, in the order they are listed.
    pub const ALL: [Self; 9] = [
        Self::Tcp,
        Self::Udp,
        Self::UdpLite,
        Self::Raw,
        Self::Icmp,
        Self::Mptcp,
        Self::Unix,
        Self::Packet,
        Self::Netlink,
    ];

    /// The name in every format and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::UdpLite => "udplite",
            Self::Raw => "raw",
            Self::Icmp => "icmp",
            Self::Mptcp => "mptcp",
            Self::Unix => "unix",
            Self::Packet => "packet",
            Self::Netlink => "netlink",
        }
    }

    /// The name in a sentence.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::UdpLite => "UDP-Lite",
            Self::Raw => "raw",
            Self::Icmp => "ping",
            Self::Mptcp => "MPTCP",
            Self::Unix => "unix",
            Self::Packet => "packet",
            Self::Netlink => "netlink",
        }
    }

    /// The code of the protocol in a recording: a number of 6 bits that never changes, for old
    /// recordings hold it.
    pub const fn recording_code(self) -> u8 {
        match self {
            Self::Tcp => 0,
            Self::Udp => 1,
            Self::UdpLite => 2,
            Self::Raw => 3,
            Self::Icmp => 4,
            Self::Mptcp => 5,
            Self::Unix => 6,
            Self::Packet => 7,
            Self::Netlink => 8,
        }
    }

    /// Its tables, one for each family.
    pub fn tables(self) -> impl Iterator<Item = Table> {
        let families = self.families().iter();
        families.map(move |family| Table {
            protocol: self,
            family: *family,
        })
    }

    /// The families a socket of this protocol can have.
    pub const fn families(self) -> &'static [Family] {
        match self {
            Self::Unix => &[Family::Unix],
            Self::Packet => &[Family::Packet],
            Self::Netlink => &[Family::Netlink],
            _ => &[Family::Inet, Family::Inet6],
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The address family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6, IPv4-mapped addresses included.
    Inet6,
    /// Unix domain.
    Unix,
    /// Packet.
    Packet,
    /// Netlink.
    Netlink,
}

impl Family {
    /// The name in every format and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Inet6 => "inet6",
            Self::Unix => "unix",
            Self::Packet => "packet",
            Self::Netlink => "netlink",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One table of the kernel: a listing asks for it as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table {
    /// What its sockets speak.
    pub protocol: Protocol,
    /// Their address family.
    pub family: Family,
}

impl Table {
    /// Every table, in the order they are listed.
    pub fn all() -> impl Iterator<Item = Self> {
        Protocol::ALL.into_iter().flat_map(Protocol::tables)
    }

    /// The code of the table in a recording: that of the protocol, and a bit for IPv6.
    pub fn recording_code(self) -> u8 {
        let version = if self.family == Family::Inet6 {
            0x40
        } else {
            0
        };
        version | self.protocol.recording_code()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = match self.family {
            Family::Inet => "IPv4 ",
            Family::Inet6 => "IPv6 ",
            Family::Unix | Family::Packet | Family::Netlink => "",
        };
        write!(f, "{version}{} sockets", self.protocol.title())
    }
}

/// The type given to `socket(2)`, known for unix and packet sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketType {
    /// `SOCK_STREAM`.
    Stream,
    /// `SOCK_DGRAM`.
    Dgram,
    /// `SOCK_RAW`.
    Raw,
    /// `SOCK_SEQPACKET`.
    Seqpacket,
}

impl SocketType {
    /// From `SOCK_*` (`include/linux/net.h`), in netlink replies and in `/proc/net`.
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            1 => Some(Self::Stream),
            2 => Some(Self::Dgram),
            3 => Some(Self::Raw),
            5 => Some(Self::Seqpacket),
            _ => None,
        }
    }

    /// The name in every format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Dgram => "dgram",
            Self::Raw => "raw",
            Self::Seqpacket => "seqpacket",
        }
    }
}
