//! What is known of a socket because we opened it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::socket::{SockaddrStorage, getpeername, getsockname};
use rustix::fs::fstat;

use super::At;

/// One socket that is open, in the words of `lsock`. `None` = the scene does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// What makes this socket worth having; together with `family` it names one socket of a
    /// [`Held`](super::Held), but for the clients that wait in the full queue.
    pub what: &'static str,
    /// `tcp`, `udp`, `udplite`, `raw`, `icmp`, `mptcp`, `unix`, `packet`, `netlink`.
    pub protocol: &'static str,
    /// `inet`, `inet6`, `unix`, `packet`, `netlink`; `inet6` for a mapped IPv4 connection.
    pub family: &'static str,
    /// `stream`, `dgram`, `seqpacket`, `raw`: of unix and packet sockets only.
    pub kind: Option<&'static str>,
    /// `LISTEN`, `SYN_RCVD`, `BOUND`, `UNCONN`…
    pub state: &'static str,
    /// Own address. The port of a raw socket is its IP protocol, of a ping socket its identifier.
    pub local: Option<SocketAddr>,
    /// Address of the other end; the unspecified one with port 0 when there is none.
    pub peer: Option<SocketAddr>,
    /// Unix name as the kernel holds it, without the final NUL of a path; a leading NUL makes
    /// it abstract, empty means unnamed.
    pub name: Option<Vec<u8>>,
    /// Unix name of the other end, written like `name`.
    pub peer_name: Option<Vec<u8>>,
    /// Inode of the other end of a unix connection; 0 when that end is not accepted yet.
    pub peer_inode: Option<u64>,
    /// Bytes not read yet; for a listener the connections that wait for `accept`.
    pub recv_queue: Option<u64>,
    /// Bytes not acknowledged yet; for a TCP or unix listener the limit of its backlog, which
    /// only netlink tells (`/proc/net/tcp` has 0 there).
    pub send_queue: Option<u64>,
    /// There is something unread, but how much is counted in kernel memory, not in bytes.
    pub some_unread: bool,
    /// There is something unsent, but how much is up to the kernel.
    pub some_unsent: bool,
    /// `none`, `receive`, `send`, `both`.
    pub shutdown: Option<&'static str>,
    /// `fstat` of the descriptor; 0 when no descriptor was ever made or the last one is closed.
    pub inode: Option<u64>,
    /// Every process that holds the socket, with all its descriptors in rising order. Empty =
    /// nobody. While another test starts a command, the child holds copies for a moment, so a
    /// test asks for these owners and tolerates more.
    pub owners: Vec<(u32, Vec<i32>)>,
    /// Interface it is bound to.
    pub interface: Option<&'static str>,
    /// Firewall mark (seen by root only).
    pub mark: Option<u32>,
    /// `retransmit`, `keepalive`, `time_wait`, `probe`.
    pub timer: Option<&'static str>,
    /// Packet: the ethertype in host byte order (3 = all). Netlink: `NETLINK_ROUTE` (0)…
    pub number: Option<u16>,
    /// Netlink: the port id the kernel gave.
    pub port_id: Option<u32>,
}

impl Expected {
    /// A socket that is not of the internet families.
    pub fn new(what: &'static str, family: &'static str, state: &'static str) -> Expected {
        Expected {
            what,
            protocol: family,
            family,
            state,
            ..Expected::default()
        }
    }

    /// A socket of the internet families, its addresses and inode asked of the descriptor.
    pub fn inet(
        what: &'static str,
        protocol: &'static str,
        state: &'static str,
        socket: BorrowedFd<'_>,
    ) -> io::Result<Expected> {
        let local = local_address(socket)?;
        Ok(Expected {
            what,
            protocol,
            family: family_of(local),
            state,
            local: Some(local),
            peer: Some(peer_address(socket).unwrap_or_else(|| unspecified(local))),
            inode: Some(inode(socket)?),
            ..Expected::default()
        })
    }

    /// The socket at the other end of `client`, of which nobody holds a descriptor.
    pub fn without_owner(
        what: &'static str,
        state: &'static str,
        local: SocketAddr,
        peer: SocketAddr,
    ) -> Expected {
        Expected {
            what,
            protocol: "tcp",
            family: family_of(local),
            state,
            local: Some(local),
            peer: Some(peer),
            inode: Some(0),
            ..Expected::default()
        }
    }

    /// Own address, of a socket that has one.
    pub fn local(&self) -> SocketAddr {
        self.local.expect("an internet socket")
    }

    /// Address of the other end, of a socket that has one.
    pub fn peer(&self) -> SocketAddr {
        self.peer.expect("an internet socket")
    }
}

/// The number `/proc/PID/fd` and every listing shows for this socket.
pub fn inode(socket: impl AsFd) -> io::Result<u64> {
    Ok(fstat(socket).at("fstat")?.st_ino)
}

/// The address the kernel holds for this end.
pub fn local_address(socket: impl AsFd) -> io::Result<SocketAddr> {
    let address = getsockname::<SockaddrStorage>(socket.as_fd().as_raw_fd()).at("getsockname")?;
    to_std(&address).ok_or_else(|| io::Error::other("getsockname: not an internet address"))
}

/// The address of the other end, if there is one.
pub fn peer_address(socket: impl AsFd) -> Option<SocketAddr> {
    let address = getpeername::<SockaddrStorage>(socket.as_fd().as_raw_fd()).ok()?;
    to_std(&address)
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address
        .as_sockaddr_in()
        .map(|a| SocketAddr::V4((*a).into()));
    v4.or_else(|| {
        address
            .as_sockaddr_in6()
            .map(|a| SocketAddr::V6((*a).into()))
    })
}

/// `inet` or `inet6`.
pub fn family_of(address: SocketAddr) -> &'static str {
    if address.is_ipv4() { "inet" } else { "inet6" }
}

/// "No address, no port" in the family of `like`.
pub fn unspecified(like: SocketAddr) -> SocketAddr {
    let ip = match like.ip() {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(ip, 0)
}
