//! Packet and netlink sockets.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{SockaddrLike, setsockopt};
use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, eth};

use super::At;
use super::expected::{Expected, inode};
use super::held::Held;
use super::option::NetlinkMembership;

/// `ETH_P_ALL` and `ETH_P_ARP` (`include/uapi/linux/if_ether.h`).
const ALL: u16 = 0x0003;
const ARP: u16 = 0x0806;

/// Packet sockets on every interface, raw for every protocol and datagram for ARP; need root.
pub fn packet() -> io::Result<Held> {
    let mut held = Held::new();
    keep_packet(&mut held, "packet raw for all", SocketType::RAW, ALL)?;
    keep_packet(&mut held, "packet datagram for ARP", SocketType::DGRAM, ARP)?;
    Ok(held)
}

/// A packet socket for ARP on `lo` only; needs root.
pub fn packet_on_lo() -> io::Result<Held> {
    let socket = open(AddressFamily::PACKET, SocketType::RAW, Some(eth::ARP))?;
    let interfaces = getifaddrs().at("getifaddrs")?;
    let mut on_lo = interfaces.filter(|interface| interface.interface_name == "lo");
    // A `sockaddr_ll` with the index of `lo` and protocol 0, which leaves the protocol as it is.
    let address = on_lo.find_map(|i| i.address?.as_link_addr().copied());
    let address = address.ok_or_else(|| io::Error::other("lo has no link address"))?;
    nix::sys::socket::bind(socket.as_raw_fd(), &address as &dyn SockaddrLike).at("bind")?;
    let mut held = Held::new();
    let mut expected = of_packet("packet on lo", SocketType::RAW, ARP, &socket)?;
    expected.interface = Some("lo");
    held.keep(socket, expected);
    Ok(held)
}

/// Netlink sockets: in two groups of `NETLINK_ROUTE`, in none, and in the one group of
/// `NETLINK_KOBJECT_UEVENT`.
pub fn netlink() -> io::Result<Held> {
    let mut held = Held::new();
    // No protocol is 0, NETLINK_ROUTE. RTMGRP_LINK and RTMGRP_IPV4_IFADDR: a listing of the kernel names this socket twice.
    keep_netlink(&mut held, "netlink in two groups", None, 0x11)?;
    keep_netlink(&mut held, "netlink in no group", None, 0)?;
    keep_netlink(
        &mut held,
        "netlink uevent",
        Some(netlink::KOBJECT_UEVENT),
        1,
    )?;
    Ok(held)
}

/// A socket that is in a group of `NETLINK_ROUTE` and has no port ID, and its inode number.
pub fn netlink_without_port() -> io::Result<(OwnedFd, u64)> {
    let socket = open(AddressFamily::NETLINK, SocketType::RAW, None)?;
    setsockopt(&socket, NetlinkMembership, &1).at("setsockopt")?;
    let inode = inode(&socket)?;
    Ok((socket, inode))
}

fn open(
    family: AddressFamily,
    kind: SocketType,
    protocol: Option<Protocol>,
) -> io::Result<OwnedFd> {
    rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, protocol).at("socket")
}

fn keep_packet(
    held: &mut Held,
    what: &'static str,
    kind: SocketType,
    ethertype: u16,
) -> io::Result<()> {
    let protocol = if ethertype == ALL { eth::ALL } else { eth::ARP };
    let socket = open(AddressFamily::PACKET, kind, Some(protocol))?;
    let expected = of_packet(what, kind, ethertype, &socket)?;
    held.keep(socket, expected);
    Ok(())
}

fn of_packet(
    what: &'static str,
    kind: SocketType,
    ethertype: u16,
    socket: &OwnedFd,
) -> io::Result<Expected> {
    Ok(Expected {
        kind: Some(if kind == SocketType::RAW {
            "raw"
        } else {
            "dgram"
        }),
        inode: Some(inode(socket)?),
        number: Some(ethertype),
        ..Expected::new(what, "packet", "UNCONN")
    })
}

fn keep_netlink(
    held: &mut Held,
    what: &'static str,
    protocol: Option<Protocol>,
    groups: u32,
) -> io::Result<()> {
    let socket = open(AddressFamily::NETLINK, SocketType::RAW, protocol)?;
    rustix::net::bind(&socket, &SocketAddrNetlink::new(0, groups)).at("bind")?;
    let address = rustix::net::getsockname(socket.as_fd()).at("getsockname")?;
    let address = SocketAddrNetlink::try_from(address).at("getsockname")?;
    let number = protocol.map_or(0, |protocol| protocol.as_raw().get());
    let expected = Expected {
        inode: Some(inode(&socket)?),
        number: Some(u16::try_from(number).map_err(io::Error::other)?),
        port_id: Some(address.pid()),
        ..Expected::new(what, "netlink", "UNCONN")
    };
    held.keep(socket, expected);
    Ok(())
}
