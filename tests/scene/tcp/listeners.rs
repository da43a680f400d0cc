//! Listeners: full queues, both families at once, many owners, many on one port.

use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;
use rustix::net::sockopt;

use super::{BACKLOG, accept, connect, listener, listener_with, socket};
use crate::scene::At;
use crate::scene::expected::{Expected, local_address};
use crate::scene::held::Held;
use crate::scene::holder;
use crate::scene::namespace::Namespace;
use crate::support::close;

/// A listener whose accept queue is full: `backlog` + 1 connections wait in it.
pub fn full_queue(ip: IpAddr, backlog: u8) -> io::Result<Held> {
    let listener = listener(ip, backlog.into())?;
    let to = local_address(&listener)?;
    let mut held = Held::new();
    for _ in 0..=backlog {
        let client = connect(&listener)?;
        let from = local_address(&client)?;
        held.keep_tcp("waits in the full queue", "ESTABLISHED", client)?;
        let mut expected = Expected::without_owner("not accepted", "ESTABLISHED", to, from);
        expected.what = "queued in the full queue";
        held.know(expected);
    }
    held.keep_listener("full accept queue", listener, backlog.into())?
        .recv_queue = Some(u64::from(backlog) + 1);
    held.settled()
}

/// An IPv4 connection to a `[::]` listener: its server end is an IPv6 socket with mapped
/// addresses.
pub fn mapped() -> io::Result<Held> {
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let listener = listener_with(any, BACKLOG, |socket| {
        sockopt::set_ipv6_v6only(socket, false).at("IPV6_V6ONLY")
    })?;
    let client = socket(IpAddr::V4(Ipv4Addr::LOCALHOST))?;
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, local_address(&listener)?.port()));
    rustix::net::connect(&client, &to).at("connect")?;
    let server = accept(&listener)?;
    let mut held = Held::new();
    held.keep_tcp("mapped server", "ESTABLISHED", server)?;
    held.keep_tcp("IPv4 client of the mapped server", "ESTABLISHED", client)?;
    held.keep_listener("dual-stack listener", listener, BACKLOG)?;
    held.settled()
}

/// A `[::]` listener for IPv6 only.
pub fn v6only() -> io::Result<Held> {
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let listener = listener_with(any, BACKLOG, |socket| {
        sockopt::set_ipv6_v6only(socket, true).at("IPV6_V6ONLY")
    })?;
    let mut held = Held::new();
    held.keep_listener("IPv6-only listener", listener, BACKLOG)?;
    held.settled()
}

/// A listener held by this process and by two children, one of them with three descriptors.
pub fn shared(ip: IpAddr) -> io::Result<Held> {
    let listener = listener(ip, BACKLOG)?;
    let (one, owner_one) = holder::owner(&listener, &[])?;
    let (two, owner_two) = holder::owner(&listener, &[5, 9])?;
    let mut held = Held::new();
    let expected = held.keep_listener("listener of three processes", listener, BACKLOG)?;
    expected.owners.extend([owner_one, owner_two]);
    held.keep_holder(one);
    held.keep_holder(two);
    held.settled()
}

/// A listener held only by a child, this process having closed its descriptor.
pub fn handed_over(ip: IpAddr) -> io::Result<Held> {
    let listener = listener(ip, BACKLOG)?;
    let (child, owner) = holder::owner(&listener, &[])?;
    let mut kept = Held::new();
    kept.keep_listener("listener of a child", listener, BACKLOG)?;
    let mut held = Held::new();
    held.know(Expected {
        owners: vec![owner],
        ..kept.the("listener of a child").clone()
    });
    held.keep_holder(child);
    close(kept);
    held.settled()
}

/// Two listeners on one address and port.
pub fn reuse_port(ip: IpAddr) -> io::Result<Held> {
    let one = listener_with(ip, BACKLOG, |socket| {
        sockopt::set_socket_reuseport(socket, true).at("SO_REUSEPORT")
    })?;
    let two = socket(ip)?;
    sockopt::set_socket_reuseport(&two, true).at("SO_REUSEPORT")?;
    rustix::net::bind(&two, &local_address(&one)?).at("bind")?;
    rustix::net::listen(&two, BACKLOG).at("listen")?;
    let mut held = Held::new();
    held.keep_listener("first listener on the port", one, BACKLOG)?;
    held.keep_listener("second listener on the port", two, BACKLOG)?;
    held.settled()
}

/// A listener bound to the interface `lo` (`SO_BINDTODEVICE`).
pub fn on_interface(ip: IpAddr) -> io::Result<Held> {
    let listener = listener_with(ip, BACKLOG, |socket| {
        setsockopt(&socket, BindToDevice, &OsString::from("lo")).at("SO_BINDTODEVICE")
    })?;
    let mut held = Held::new();
    held.keep_listener("listener on lo", listener, BACKLOG)?
        .interface = Some("lo");
    held.settled()
}

/// A listener on the link-local address of a veth; that binds it to the interface.
pub fn on_link_local(namespace: &Namespace) -> io::Result<Held> {
    namespace.add_veth("scene0")?;
    let address = namespace.add_link_local("scene0")?;
    let listener = socket(IpAddr::V6(*address.ip()))?;
    rustix::net::bind(&listener, &address).at("bind")?;
    rustix::net::listen(&listener, BACKLOG).at("listen")?;
    let mut held = Held::new();
    held.keep_listener("link-local listener", listener, BACKLOG)?
        .interface = Some("scene0");
    held.settled()
}
