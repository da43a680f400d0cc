//! `struct unix_diag_msg` and its attributes (`include/uapi/linux/unix_diag.h`).

use std::io::Write as _;

use netlink_packet_sock_diag::constants::{
    UNIX_DIAG_ICONS, UNIX_DIAG_MEMINFO, UNIX_DIAG_NAME, UNIX_DIAG_PEER, UNIX_DIAG_RQLEN,
    UNIX_DIAG_SHUTDOWN, UNIX_DIAG_VFS,
};
use zerocopy::byteorder::native_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use super::attribute::{identify, memory, nonzero, split, u32_at, walk};
use crate::error::Malformed;
use crate::model::{BoundFile, Shutdown, Socket, SocketType};

/// Linux 5.3.
const UNIX_DIAG_UID: u16 = 7;

#[derive(Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct UnixDiagMsg {
    family: u8,
    kind: u8,
    state: u8,
    pad: u8,
    inode: U32,
    cookie: [U32; 2],
}

pub(super) fn decode(payload: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
    let (header, attributes) = split::<UnixDiagMsg>("unix_diag_msg", payload)?;
    socket.kind = SocketType::from_code(u32::from(header.kind));
    socket.state = socket.protocol.state(header.state);
    identify(socket, header.inode, header.cookie);
    walk(attributes, |kind, value| attribute(socket, kind, value))
}

fn attribute(socket: &mut Socket, kind: u16, value: &[u8]) {
    match kind {
        UNIX_DIAG_NAME => socket.local.set_name(name(value)),
        UNIX_DIAG_PEER => {
            socket.peer_inode = u32_at(value).and_then(nonzero).map(u64::from);
        }
        UNIX_DIAG_VFS => file(socket, value),
        UNIX_DIAG_ICONS => {
            // 0 = the waiting connection has gone.
            let inodes = value.as_chunks().0.iter().copied().map(u32::from_ne_bytes);
            let known = inodes.filter(|inode| *inode != 0);
            let pending = &mut socket.details_mut().pending_peers;
            pending.get_or_insert_default().extend(known);
        }
        UNIX_DIAG_RQLEN => {
            socket.recv_queue = u32_at(value);
            socket.send_queue = value.get(4..).and_then(u32_at);
        }
        UNIX_DIAG_MEMINFO => socket.details_mut().memory = Some(memory(value)),
        UNIX_DIAG_SHUTDOWN => socket.shutdown = value.first().copied().map(Shutdown::from_bits),
        UNIX_DIAG_UID => socket.uid = u32_at(value),
        _ => {}
    }
}

/// `struct unix_diag_vfs`: inode, and device in the kernel's encoding (`MINORBITS`, 20).
fn file(socket: &mut Socket, value: &[u8]) {
    let device = value.get(4..).and_then(u32_at);
    if let (Some(inode), Some(device)) = (u32_at(value), device) {
        let (major, minor) = (device >> 20, device & 0xf_ffff);
        let details = socket.details_mut();
        let device = (major, minor);
        details.file = Some(BoundFile { device, inode });
        details.file_device.clear();
        // Writing to a vector cannot fail.
        let _ = write!(details.file_device, "{major}:{minor}");
    }
}

/// Inode and name in a reply; empty = unnamed, `None` = no inode, or malformed.
pub fn unix_name(reply: &[u8]) -> Option<(u32, &[u8])> {
    let (header, attributes) = UnixDiagMsg::ref_from_prefix(reply).ok()?;
    let mut found = &[][..];
    let walked = walk(attributes, |kind, value| {
        if kind == UNIX_DIAG_NAME {
            found = name(value);
        }
    });
    walked.ok()?;
    Some((nonzero(header.inode.get())?, found))
}

/// A path without its final NUL; an abstract name (it begins with NUL) unchanged.
fn name(value: &[u8]) -> &[u8] {
    match value {
        [first, path @ .., 0] if *first != 0 => value.get(..=path.len()).unwrap_or(value),
        whole => whole,
    }
}
