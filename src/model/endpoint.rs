//! Where the ends of connections are.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::Protocol;

/// An address and a port, or the name of a unix socket.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The IP address; `None` for other families.
    pub ip: Option<IpAddr>,
    /// The name of a unix socket as the kernel holds it (a path, or with a leading NUL an abstract
    /// name), or the netlink family in words. Empty = unnamed or unknown.
    pub name: Vec<u8>,
    /// The port (16 bits); for raw sockets the IP protocol number, for packet sockets the
    /// `EtherType`, for netlink sockets the port id (32 bits). `None` = not bound.
    pub port: Option<u32>,
}

impl Endpoint {
    /// Empties it and keeps the memory of the name.
    pub fn clear(&mut self) {
        self.ip = None;
        self.name.clear();
        self.port = None;
    }

    /// True if it is this address and port.
    pub fn is_at(&self, end: SocketAddr) -> bool {
        self.ip == Some(end.ip()) && self.port == Some(u32::from(end.port()))
    }

    /// Sets the name; no allocation once one as long was seen.
    pub fn set_name(&mut self, name: &[u8]) {
        self.name.clear();
        self.name.extend_from_slice(name);
    }
}

/// An address and a port.
pub type Address = (IpAddr, u16);

/// A connection whose ends see other numbers of each other than they have (`ip_conntrack_tuple`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Translation {
    /// What it speaks.
    pub protocol: Protocol,
    /// From and to, as whoever opened it sees it: its own end, and whom it called.
    pub original: [Address; 2],
    /// Likewise as whoever was called sees it.
    pub reply: [Address; 2],
}

/// A network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// What to call it. Any text.
    pub name: Arc<[u8]>,
    /// Its inode number in nsfs.
    pub inode: u32,
}
