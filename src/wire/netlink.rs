//! `struct netlink_diag_msg` and its attributes (`include/uapi/linux/netlink_diag.h`).

use zerocopy::byteorder::native_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::attribute::{cookie, memory, split, walk};
use super::{WireError, address_family};
use crate::model::{Family, Protocol, Socket, State, netlink_family_name};

const NETLINK_DIAG_MEMINFO: u16 = 0;

/// `struct netlink_diag_msg`.
#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Header {
    family: u8,
    kind: u8,
    protocol: u8,
    state: u8,
    port: U32,
    peer_port: U32,
    peer_group: U32,
    inode: U32,
    cookie: [U32; 2],
}

/// Reads a reply to a dump of netlink sockets.
pub(super) fn decode(payload: &[u8], socket: &mut Socket) -> Result<(), WireError> {
    let (header, attributes) = split::<Header>("netlink_diag_msg", payload)?;
    if header.family != address_family(Family::Netlink) {
        return Err(WireError::Family(header.family));
    }
    socket.reset(Protocol::Netlink, Family::Netlink);
    socket.state = State::from_netlink(header.state);
    let name = netlink_family_name(u32::from(header.protocol));
    socket.local.set_name(name.as_bytes());
    socket.local.port = Some(header.port.get());
    if socket.state == State::Established {
        socket.peer.set_name(name.as_bytes());
        socket.peer.port = Some(header.peer_port.get());
    }
    socket.inode = Some(u64::from(header.inode.get())).filter(|inode| *inode != 0);
    let [low, high] = header.cookie;
    socket.cookie = cookie(low.get(), high.get());
    walk(attributes, |kind, value| {
        if kind == NETLINK_DIAG_MEMINFO {
            let memory = memory(value);
            socket.recv_queue = memory.rmem_alloc;
            socket.send_queue = memory.wmem_alloc;
            socket.details_mut().memory = Some(memory);
        }
    })
}
