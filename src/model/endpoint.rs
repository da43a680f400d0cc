//! Endpoints of sockets: addresses, ports, names; address translation; network namespaces.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::Protocol;

/// An address and a port, or the name of a unix socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The IP address; `None` for other families.
    pub ip: Option<IpAddr>,
    /// The name of a unix socket as the kernel holds it: a path, or NUL and an abstract name. Of a netlink
    /// socket, the name of the family. Empty = unnamed or unknown.
    pub name: Vec<u8>,
    /// The port (16 bits). For raw sockets the IP protocol number, for packet sockets the `EtherType`, for
    /// netlink sockets the port id (32 bits). `None` = not bound.
    pub port: Option<u32>,
}

impl Endpoint {
    /// Clears it but keeps the memory of the name.
    pub fn clear(&mut self) {
        self.ip = None;
        self.name.clear();
        self.port = None;
    }

    /// True if it has this address and port.
    pub fn is_at(&self, end: SocketAddr) -> bool {
        self.ip == Some(end.ip()) && self.port == Some(u32::from(end.port()))
    }

    /// Sets the name; allocates only for a longer name than any before.
    pub fn set_name(&mut self, name: &[u8]) {
        self.name.clear();
        self.name.extend_from_slice(name);
    }
}

/// An address and a port.
pub type Address = (IpAddr, u16);

/// A connection whose addresses are translated: NAT (`ip_conntrack_tuple`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Translation {
    /// The protocol.
    pub protocol: Protocol,
    /// Source and destination as the initiator sees them.
    pub original: [Address; 2],
    /// Source and destination as the responder sees them.
    pub reply: [Address; 2],
}

/// A network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name for messages. Any text.
    pub name: Arc<[u8]>,
    /// Its inode number in nsfs.
    pub inode: u32,
}
