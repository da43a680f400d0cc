//! Multipath TCP.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::net::{SocketFlags, SocketType, ipproto};

use super::At;
use super::expected::{local_address, unspecified};
use super::held::Held;
use super::tcp::{bind, open};

/// An MPTCP listener and a connection.
///
/// The kernel lists each of the three a second time as `tcp`, with the same inode and the same
/// addresses: that row is the TCP connection (subflow) that carries it.
pub fn connection(ip: IpAddr) -> io::Result<Held> {
    let listener = open(ip, SocketType::STREAM, Some(ipproto::MPTCP))?;
    bind(&listener, ip)?;
    rustix::net::listen(&listener, 4).at("listen")?;
    let to: SocketAddr = local_address(&listener)?;
    let client = open(ip, SocketType::STREAM, Some(ipproto::MPTCP))?;
    rustix::net::connect(&client, &to).at("connect")?;
    let server = rustix::net::accept_with(&listener, SocketFlags::CLOEXEC).at("accept")?;
    let mut held = Held::new();
    held.keep_inet("MPTCP client", "mptcp", "ESTABLISHED", client)?;
    held.keep_inet("MPTCP server", "mptcp", "ESTABLISHED", server)?;
    let expected = held.keep_inet("MPTCP listener", "mptcp", "LISTEN", listener)?;
    expected.peer = expected.local.map(unspecified);
    (expected.recv_queue, expected.send_queue) = (Some(0), Some(4));
    Ok(held)
}
