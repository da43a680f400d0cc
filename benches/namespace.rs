//! A new network namespace with loopback up, isolated from other sockets.

use std::{fs, io};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid};

use crate::failed;

/// Settings of the network namespace for many connections.
const SETTINGS: [(&str, &str); 3] = [
    ("ipv4/ip_local_port_range", "1024 65535"),
    ("ipv4/tcp_max_tw_buckets", "262144"),
    ("core/somaxconn", "65535"),
];

/// Moves this process, while it has a single thread, into its own namespace.
///
/// Children inherit it; it ends with the last of them.
pub(crate) fn enter() -> io::Result<()> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Err(Errno::EPERM) => enter_as_user()?,
        other => other
            .map_err(io::Error::from)
            .map_err(failed("cannot make a network namespace"))?,
    }
    loopback_up().map_err(failed("cannot bring loopback up"))?;
    for (name, value) in SETTINGS {
        if let Err(error) = fs::write(format!("/proc/sys/net/{name}"), value) {
            eprintln!("compare: warning: {name} stays as it is: {error}");
        }
    }
    Ok(())
}

/// Likewise without privileges: in a user namespace as root, like `unshare -Urn`.
fn enter_as_user() -> io::Result<()> {
    let (uid, gid) = (Uid::effective(), Gid::effective());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)
        .map_err(io::Error::from)
        .map_err(failed(
            "cannot make a user namespace (run as root, or allow unprivileged user namespaces)",
        ))?;
    fs::write("/proc/self/setgroups", "deny").map_err(failed("setgroups"))?;
    fs::write("/proc/self/uid_map", format!("0 {uid} 1")).map_err(failed("uid_map"))?;
    fs::write("/proc/self/gid_map", format!("0 {gid} 1")).map_err(failed("gid_map"))
}

/// `ip link set lo up`: one `RTM_NEWLINK` request (`linux/rtnetlink.h`), acknowledged.
fn loopback_up() -> io::Result<()> {
    const RTM_NEWLINK: u16 = 16;
    const REQUEST_AND_ACK: u16 = 1 | 4;
    const IFF_UP: u32 = 1;
    const LOOPBACK_INDEX: u32 = 1;
    let mut request = Vec::with_capacity(32);
    request.extend(32_u32.to_ne_bytes());
    request.extend(RTM_NEWLINK.to_ne_bytes());
    request.extend(REQUEST_AND_ACK.to_ne_bytes());
    // Sequence number and port id of the message, then family and type of the interface: 0.
    request.extend([0; 12]);
    for word in [LOOPBACK_INDEX, IFF_UP, IFF_UP] {
        request.extend(word.to_ne_bytes());
    }
    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&request, 0)?;
    let mut reply = Vec::with_capacity(4096);
    socket.recv(&mut reply, 0)?;
    // The acknowledgement is an NLMSG_ERROR whose code, after the header, is 0.
    let code = reply.get(16..20).and_then(|code| code.try_into().ok());
    match code.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(-code)),
        None => Err(io::Error::other("reply too short")),
    }
}
