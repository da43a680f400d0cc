//! `struct packet_diag_msg` and its attributes (`include/uapi/linux/packet_diag.h`).

use zerocopy::byteorder::native_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::attribute::{identify, nonzero, queues_and_memory, split, u32_at, walk};
use crate::error::Malformed;
use crate::model::{Socket, SocketType};

const PACKET_DIAG_INFO: u16 = 0;
const PACKET_DIAG_UID: u16 = 5;
const PACKET_DIAG_MEMINFO: u16 = 6;

#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct PacketDiagMsg {
    family: u8,
    kind: u8,
    ether_type: U16,
    inode: U32,
    cookie: [U32; 2],
}

pub(super) fn decode(payload: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
    let (header, attributes) = split::<PacketDiagMsg>("packet_diag_msg", payload)?;
    socket.kind = SocketType::from_code(u32::from(header.kind));
    // `pdiag_num` is in host order; with 0 the socket receives nothing.
    socket.local.port = nonzero(header.ether_type.get()).map(u32::from);
    identify(socket, header.inode, header.cookie);
    walk(attributes, |kind, value| attribute(socket, kind, value))
}

fn attribute(socket: &mut Socket, kind: u16, value: &[u8]) {
    match kind {
        PACKET_DIAG_INFO => {
            socket.interface = u32_at(value).and_then(nonzero);
            socket.keep(kind.into(), value);
        }
        PACKET_DIAG_UID => socket.uid = u32_at(value),
        PACKET_DIAG_MEMINFO => queues_and_memory(socket, value),
        other => socket.keep(other.into(), value),
    }
}
