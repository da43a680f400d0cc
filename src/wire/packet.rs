//! `struct packet_diag_msg` and its attributes (`include/uapi/linux/packet_diag.h`).

use zerocopy::byteorder::native_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::attribute::{cookie, memory, split, u32_at, walk};
use super::{WireError, address_family};
use crate::model::{Family, Protocol, Socket, SocketType, State};

const PACKET_DIAG_INFO: u16 = 0;
const PACKET_DIAG_UID: u16 = 5;
const PACKET_DIAG_MEMINFO: u16 = 6;

/// `struct packet_diag_msg`.
#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub(super) struct Header {
    family: u8,
    kind: u8,
    ether_type: U16,
    inode: U32,
    cookie: [U32; 2],
}

/// Reads a reply to a dump of packet sockets.
pub(super) fn decode(payload: &[u8], socket: &mut Socket) -> Result<(), WireError> {
    let (header, attributes) = split::<Header>("packet_diag_msg", payload)?;
    if header.family != address_family(Family::Packet) {
        return Err(WireError::Family(header.family));
    }
    socket.reset(Protocol::Packet, Family::Packet);
    socket.kind = SocketType::from_code(u32::from(header.kind));
    socket.state = State::Unconn;
    // `pdiag_num` is in host order; 0 receives nothing.
    socket.local.port = Some(u32::from(header.ether_type.get())).filter(|number| *number != 0);
    socket.inode = Some(u64::from(header.inode.get())).filter(|inode| *inode != 0);
    let [low, high] = header.cookie;
    socket.cookie = cookie(low.get(), high.get());
    walk(attributes, |kind, value| attribute(socket, kind, value))
}

fn attribute(socket: &mut Socket, kind: u16, value: &[u8]) {
    match kind {
        PACKET_DIAG_INFO => socket.interface = u32_at(value).filter(|index| *index != 0),
        PACKET_DIAG_UID => socket.uid = u32_at(value),
        PACKET_DIAG_MEMINFO => {
            let memory = memory(value);
            socket.recv_queue = memory.rmem_alloc;
            socket.send_queue = memory.wmem_alloc;
            socket.details_mut().memory = Some(memory);
        }
        _ => {}
    }
}
