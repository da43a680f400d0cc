//! `struct netlink_diag_msg` and its attributes (`include/uapi/linux/netlink_diag.h`).

use zerocopy::byteorder::native_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::attribute::{identify, queues_and_memory, split, walk};
use crate::error::Malformed;
use crate::model::{Socket, State, netlink_family_name};

const NETLINK_DIAG_MEMINFO: u16 = 0;
const NETLINK_DIAG_GROUPS: u16 = 1;
/// The key of `ndiag_dst_group`, a field of the header: above the types of attributes.
const PEER_GROUP: u32 = 0x100;

#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct NetlinkDiagMsg {
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

pub(super) fn decode(payload: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
    let (header, attributes) = split::<NetlinkDiagMsg>("netlink_diag_msg", payload)?;
    socket.state = socket.protocol.state(header.state);
    let name = netlink_family_name(u32::from(header.protocol));
    socket.local.set_name(name.as_bytes());
    socket.local.port = Some(header.port.get());
    if socket.state == State::Established {
        socket.peer.set_name(name.as_bytes());
        socket.peer.port = Some(header.peer_port.get());
    }
    identify(socket, header.inode, header.cookie);
    if socket.state == State::Established {
        let group = header.peer_group.get().to_ne_bytes();
        socket.keep(PEER_GROUP, &group);
    }
    // A program's socket without a port ID is only listed because it is in a group.
    socket.is_kernel = header.port.get() == 0;
    walk(attributes, |kind, value| match kind {
        NETLINK_DIAG_MEMINFO => queues_and_memory(socket, value),
        other => {
            socket.is_kernel &= other != NETLINK_DIAG_GROUPS || value.iter().all(|byte| *byte == 0);
            socket.keep(other.into(), value);
        }
    })
}
