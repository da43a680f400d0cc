//! UDP, UDP-Lite, raw and ping sockets.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::net::{Protocol, SendFlags, SocketType, ipproto};

use super::At;
use super::expected::{Expected, local_address};
use super::held::Held;
use super::namespace::Namespace;
use super::tcp::{bind, open};

/// UDP, bound and unconnected.
pub fn udp_bound(ip: IpAddr) -> io::Result<Held> {
    let mut held = Held::new();
    quiet(&mut held, "UDP bound", "udp", udp(ip)?)?;
    Ok(held)
}

/// UDP, connected to a bound one: ESTABLISHED on this end only.
pub fn udp_connected(ip: IpAddr) -> io::Result<Held> {
    let (server, client) = (udp(ip)?, udp(ip)?);
    rustix::net::connect(&client, &local_address(&server)?).at("connect")?;
    let mut held = Held::new();
    let expected = held.keep_inet("UDP connected", "udp", "ESTABLISHED", client)?;
    (expected.recv_queue, expected.send_queue) = (Some(0), Some(0));
    quiet(&mut held, "peer of UDP connected", "udp", server)?;
    Ok(held)
}

/// UDP with one datagram of 5 bytes unread; the queue is counted in kernel memory.
pub fn udp_unread(ip: IpAddr) -> io::Result<Held> {
    let (server, client) = (udp(ip)?, udp(ip)?);
    let to = local_address(&server)?;
    rustix::net::sendto(&client, b"12345", SendFlags::empty(), &to).at("sendto")?;
    let mut held = Held::new();
    held.keep_inet("UDP unread", "udp", "UNCONN", server)?
        .some_unread = true;
    quiet(&mut held, "sender of UDP unread", "udp", client)?;
    Ok(held)
}

/// UDP-Lite, bound; Linux 7 has none any more.
pub fn udplite(ip: IpAddr) -> io::Result<Held> {
    let socket = open(ip, SocketType::DGRAM, Some(ipproto::UDPLITE))?;
    bind(&socket, ip)?;
    let mut held = Held::new();
    quiet(&mut held, "UDP-Lite bound", "udplite", socket)?;
    Ok(held)
}

/// A raw socket for ICMP, bound to `ip`; needs root. Its "port" is the protocol number.
pub fn raw(ip: IpAddr) -> io::Result<Held> {
    let mut held = Held::new();
    let socket = raw_socket(ip)?;
    keep_raw(&mut held, "raw bound", "UNCONN", ip, socket)?;
    Ok(held)
}

/// A raw socket for ICMP, bound and connected to `ip`; needs root.
pub fn raw_connected(ip: IpAddr) -> io::Result<Held> {
    let mut held = Held::new();
    let socket = raw_socket(ip)?;
    let peer = SocketAddr::new(ip, 0);
    rustix::net::connect(&socket, &peer).at("connect")?;
    // `getpeername` calls a socket whose peer has port 0 unconnected.
    keep_raw(&mut held, "raw connected", "ESTABLISHED", ip, socket)?.peer = Some(peer);
    Ok(held)
}

/// A ping socket, bound to `ip`; its "port" is the identifier of its echo requests.
///
/// A fresh namespace is opened for our group first; a shared one must allow it already.
pub fn ping(namespace: &Namespace, ip: IpAddr) -> io::Result<Held> {
    if namespace.is_fresh() {
        // A user namespace has no other groups than its own.
        let own = rustix::process::getegid().as_raw();
        namespace.set_sysctl("ipv4/ping_group_range", &format!("{own} {own}"))?;
    }
    let socket = open(ip, SocketType::DGRAM, Some(icmp(ip)))?;
    bind(&socket, ip)?;
    let mut held = Held::new();
    let what = if ip.is_ipv4() {
        "ping"
    } else {
        "ping over IPv6"
    };
    quiet(&mut held, what, "icmp", socket)?;
    Ok(held)
}

fn udp(ip: IpAddr) -> io::Result<OwnedFd> {
    let socket = open(ip, SocketType::DGRAM, Some(ipproto::UDP))?;
    bind(&socket, ip)?;
    Ok(socket)
}

fn icmp(ip: IpAddr) -> Protocol {
    if ip.is_ipv4() {
        ipproto::ICMP
    } else {
        ipproto::ICMPV6
    }
}

fn raw_socket(ip: IpAddr) -> io::Result<OwnedFd> {
    let socket = open(ip, SocketType::RAW, Some(icmp(ip)))?;
    bind(&socket, ip)?;
    Ok(socket)
}

/// `getsockname` says port 0 for a raw IPv4 socket; every listing shows the protocol.
fn keep_raw<'a>(
    held: &'a mut Held,
    what: &'static str,
    state: &'static str,
    ip: IpAddr,
    socket: OwnedFd,
) -> io::Result<&'a mut Expected> {
    let number = u16::try_from(icmp(ip).as_raw().get()).map_err(io::Error::other)?;
    let expected = held.keep_inet(what, "raw", state, socket)?;
    expected.local = Some(SocketAddr::new(ip, number));
    // What loopback carries arrives here too: the receive queue is anyone's guess.
    expected.send_queue = Some(0);
    Ok(expected)
}

/// Unconnected, with nothing queued.
fn quiet(
    held: &mut Held,
    what: &'static str,
    protocol: &'static str,
    socket: OwnedFd,
) -> io::Result<()> {
    let expected = held.keep_inet(what, protocol, "UNCONN", socket)?;
    (expected.recv_queue, expected.send_queue) = (Some(0), Some(0));
    Ok(())
}
