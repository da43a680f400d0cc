//! Fixed headers, attributes and the numbers in them.

use netlink_packet_core::NLA_TYPE_MASK;
use zerocopy::byteorder::native_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

use crate::error::Malformed;
use crate::model::{Memory, Socket};

/// Splits a reply into its fixed header and the attributes after it.
pub(super) fn split<'a, H>(
    what: &'static str,
    payload: &'a [u8],
) -> Result<(&'a H, &'a [u8]), Malformed>
where
    H: FromBytes + KnownLayout + Immutable + Unaligned,
{
    H::ref_from_prefix(payload).map_err(|_| {
        let (found, needed) = (payload.len(), size_of::<H>());
        format!("{what} of {found} bytes, {needed} expected")
    })
}

/// `struct nlattr` (`include/uapi/linux/netlink.h`); the length includes these four bytes.
#[derive(FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct AttributeHeader {
    length: U16,
    kind: U16,
}

/// Calls `each` with every attribute: its type without flag bits, and its value.
pub(super) fn walk<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(u16, &'a [u8]),
) -> Result<(), Malformed> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let read = AttributeHeader::ref_from_prefix(rest).ok();
        let header = read.map(|(header, _)| header);
        let length = header.map_or(0, |header| usize::from(header.length.get()));
        let value = rest.get(size_of::<AttributeHeader>()..length);
        let (Some(header), Some(value)) = (header, value) else {
            return Err("malformed attribute".into());
        };
        each(header.kind.get() & NLA_TYPE_MASK, value);
        // `NLA_ALIGN`
        rest = rest.get((length + 3) & !3..).unwrap_or_default();
    }
    Ok(())
}

/// The 32-bit number at the start; `None` if there are fewer bytes.
pub(super) fn u32_at(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_ne_bytes)
}

/// The 64-bit number at the start; `None` if there are fewer bytes.
pub(super) fn u64_at(bytes: &[u8]) -> Option<u64> {
    bytes.first_chunk().copied().map(u64::from_ne_bytes)
}

/// `None` if the number is zero.
pub(super) fn nonzero<N: Default + PartialEq>(number: N) -> Option<N> {
    (number != N::default()).then_some(number)
}

/// Sets the inode and, from the kernel's two words, the cookie; all ones mean none.
pub(super) fn identify(socket: &mut Socket, inode: U32, [low, high]: [U32; 2]) {
    socket.inode = nonzero(inode.get()).map(u64::from);
    let cookie = u64::from(high.get()) << 32 | u64::from(low.get());
    socket.cookie = (cookie != u64::MAX).then_some(cookie);
}

/// `SK_MEMINFO_*` (`include/uapi/linux/sock_diag.h`): nine words; older kernels send fewer.
pub(super) fn memory(bytes: &[u8]) -> Memory {
    let word = |index: usize| bytes.get(index * 4..).and_then(u32_at);
    Memory {
        rmem_alloc: word(0),
        rcvbuf: word(1),
        wmem_alloc: word(2),
        sndbuf: word(3),
        fwd_alloc: word(4),
        wmem_queued: word(5),
        optmem: word(6),
        backlog: word(7),
        drops: word(8),
    }
}

/// Sets the memory of packet and netlink sockets and, from it, their queues.
pub(super) fn queues_and_memory(socket: &mut Socket, value: &[u8]) {
    let memory = memory(value);
    (socket.recv_queue, socket.send_queue) = (memory.rmem_alloc, memory.wmem_alloc);
    socket.details_mut().memory = Some(memory);
}
