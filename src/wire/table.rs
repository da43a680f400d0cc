//! Replies of vsock, TIPC, XDP and SMC: tables of offsets, attributes and the fields that they fill.

use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::path::DecInt;

use super::attribute::{memory, nonzero, u32_at, u64_at, walk};
use crate::error::Malformed;
use crate::model::{Endpoint, Family, Shutdown, Socket, SocketType, Structure};

/// `VMADDR_CID_ANY` and `VMADDR_PORT_ANY` (`include/uapi/linux/vm_sockets.h`).
const ANY: u32 = u32::MAX;

/// The layout of a family's reply.
pub(super) struct Reply {
    /// Name and length of the structure at the start.
    header: (&'static str, usize),
    /// The values that its first byte can have; none if it does not begin with a family.
    families: &'static [u8],
    /// Leading bytes of the protocol's structure that default to 0.
    zeros: usize,
    /// The fields of the structure.
    parts: &'static [Part],
    /// The attributes after it.
    attributes: &'static [(u16, To)],
    /// Adjusts fields that depend on each other.
    settle: fn(&mut Socket),
}

/// Offset, size in bytes, and target.
type Part = (usize, usize, To);

/// An end of a socket.
type End = fn(&mut Socket) -> &mut Endpoint;

const LOCAL: End = |socket| &mut socket.local;
const PEER: End = |socket| &mut socket.peer;

/// The target of a value.
enum To {
    State,
    Type,
    Shutdown,
    Inode,
    Uid,
    /// Two 32-bit numbers, the lower first.
    Cookie,
    /// A 64-bit number.
    LongCookie,
    Interface,
    RecvQueue,
    SendQueue,
    /// A number that serves as an address.
    Address(End),
    /// An IP address of 16 bytes; IPv4 uses the first four.
    Ip(End),
    /// A port; if of 16 bits, in network order.
    Port(End),
    /// `SK_MEMINFO_*`.
    Memory,
    /// An offset in the kernel's structure of the protocol.
    Info(usize),
    /// An offset that is set to 1 if the attribute is present.
    Flag(usize),
    Parts(&'static [Part]),
    Attributes(&'static [(u16, To)]),
}

/// The layout of a family's reply, if it is in a table here.
pub(super) const fn reply_of(family: Family) -> Option<&'static Reply> {
    match family {
        Family::Vsock => Some(&VSOCK),
        Family::Tipc => Some(&TIPC),
        Family::Xdp => Some(&XDP),
        Family::Smc => Some(&SMC),
        _ => None,
    }
}

/// `struct vsock_diag_msg` (`include/uapi/linux/vm_sockets_diag.h`).
const VSOCK: Reply = Reply {
    header: ("vsock_diag_msg", 32),
    families: &[Family::Vsock.code()],
    zeros: 0,
    parts: &[
        (1, 1, To::Type),
        (2, 1, To::State),
        (3, 1, To::Shutdown),
        (4, 4, To::Address(LOCAL)),
        (8, 4, To::Port(LOCAL)),
        (12, 4, To::Address(PEER)),
        (16, 4, To::Port(PEER)),
        (20, 4, To::Inode),
        (24, 8, To::Cookie),
    ],
    attributes: &[],
    settle: |socket| {
        if socket.peer.port.is_none() {
            socket.peer.clear();
        }
    },
};

/// Only attributes: `TIPC_NLA_SOCK`, and within it `TIPC_NLA_SOCK_*` (`include/uapi/linux/tipc_netlink.h`).
const TIPC: Reply = Reply {
    header: ("tipc_sock", 0),
    families: &[],
    zeros: 15,
    parts: &[],
    attributes: &[(
        2,
        To::Attributes(&[
            (1, To::Address(LOCAL)),
            (2, To::Port(LOCAL)),
            // TIPC_NLA_SOCK_CON
            (
                3,
                To::Attributes(&[
                    (2, To::Address(PEER)),
                    (3, To::Port(PEER)),
                    (4, To::Info(0)),
                    (5, To::Info(4)),
                ]),
            ),
            (4, To::Flag(14)),
            // TIPC_NLA_SOCK_STAT
            (
                5,
                To::Attributes(&[
                    (0, To::RecvQueue),
                    (1, To::SendQueue),
                    (2, To::Flag(12)),
                    (3, To::Flag(13)),
                    (4, To::Info(8)),
                ]),
            ),
            (6, To::Type),
            (7, To::Inode),
            (8, To::Uid),
            (9, To::State),
            (10, To::LongCookie),
        ]),
    )],
    settle: |_| {},
};

/// `struct xdp_diag_msg` and its attributes (`include/uapi/linux/xdp_diag.h`).
const XDP: Reply = Reply {
    header: ("xdp_diag_msg", 16),
    families: &[Family::Xdp.code()],
    zeros: 56,
    parts: &[(1, 1, To::Type), (4, 4, To::Inode), (8, 8, To::Cookie)],
    attributes: &[
        (
            1,
            To::Parts(&[(0, 4, To::Interface), (4, 4, To::Port(LOCAL))]),
        ),
        (2, To::Uid),
        // XDP_DIAG_RX_RING, TX_RING, UMEM, UMEM_FILL_RING, UMEM_COMPLETION_RING
        (3, To::Info(0)),
        (4, To::Info(4)),
        (5, To::Info(16)),
        (6, To::Info(8)),
        (7, To::Info(12)),
        (8, To::Memory),
        // XDP_DIAG_STATS
        (9, To::Info(56)),
    ],
    settle: |socket| socket.local.port = socket.local.port.filter(|_| socket.interface.is_some()),
};

/// `struct smc_diag_msg` and its attributes (`include/uapi/linux/smc_diag.h`).
const SMC: Reply = Reply {
    header: ("smc_diag_msg", 64),
    // IP sockets can use SMC, too (IPPROTO_SMC).
    families: &[
        Family::Smc.code(),
        Family::Inet.code(),
        Family::Inet6.code(),
    ],
    zeros: 12,
    parts: &[
        (1, 1, To::State),
        (2, 1, To::Info(0)),
        (3, 1, To::Shutdown),
        (4, 2, To::Port(LOCAL)),
        (6, 2, To::Port(PEER)),
        (8, 16, To::Ip(LOCAL)),
        (24, 16, To::Ip(PEER)),
        (40, 4, To::Interface),
        (44, 8, To::Cookie),
        (52, 4, To::Uid),
        (56, 8, To::Inode),
    ],
    // SMC_DIAG_SHUTDOWN, SMC_DIAG_FALLBACK
    attributes: &[(3, To::Shutdown), (5, To::Info(4))],
    settle: |socket| {
        // The reply has no IP version. Only IPv6 has bytes after the fourth.
        let mapped = [socket.local.ip, socket.peer.ip].map(|ip| match ip {
            Some(IpAddr::V6(ip)) => ip.segments(),
            _ => [0; 8],
        });
        let is_v6 = mapped.iter().any(|[_, _, rest @ ..]| *rest != [0; 6]);
        for end in [LOCAL, PEER] {
            let end = end(socket);
            end.ip = end.ip.filter(|ip| !ip.is_unspecified()).map(|ip| match ip {
                IpAddr::V6(ip) if !is_v6 => {
                    let [a, b, c, d, ..] = ip.octets();
                    Ipv4Addr::new(a, b, c, d).into()
                }
                ip => ip,
            });
        }
        // For an accepted socket the kernel reports neither user nor inode.
        socket.uid = socket.uid.filter(|uid| *uid != 0 || socket.inode.is_some());
    },
};

impl Reply {
    /// Reads a reply into the scratch socket, which is empty.
    pub(super) fn decode(&self, payload: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
        let (name, length) = self.header;
        let Some((header, attributes)) = payload.split_at_checked(length) else {
            return Err(format!(
                "{name} of {} bytes, {length} expected",
                payload.len()
            ));
        };
        if let Some(code) = header.first().filter(|code| !self.families.contains(code)) {
            return Err(super::other_family(*code));
        }
        if let Some(zeros) = [0; 64].get(..self.zeros).filter(|zeros| !zeros.is_empty()) {
            put(socket, 0, zeros);
        }
        take_parts(self.parts, header, socket);
        take_attributes(self.attributes, attributes, socket)?;
        // Every reply of these families has this attribute.
        let is_told = matches!(socket.family, Family::Tipc | Family::Xdp);
        if is_told && socket.local.port.is_none() {
            return Err(format!("{name} without a port or queue"));
        }
        (self.settle)(socket);
        Ok(())
    }
}

fn take_parts(parts: &[Part], bytes: &[u8], socket: &mut Socket) {
    for (offset, size, to) in parts {
        if let Some(value) = bytes.get(*offset..*offset + *size) {
            // Only attributes can be malformed.
            let _ = take(to, value, socket);
        }
    }
}

fn take_attributes(
    known: &[(u16, To)],
    bytes: &[u8],
    socket: &mut Socket,
) -> Result<(), Malformed> {
    let mut inner: Result<(), Malformed> = Ok(());
    walk(bytes, |kind, value| {
        if let Some((_, to)) = known.iter().find(|(known, _)| *known == kind) {
            let taken = take(to, value, socket);
            inner = mem::replace(&mut inner, Ok(())).and(taken);
        }
    })?;
    inner
}

/// Stores a value; one that is too short is ignored.
fn take(to: &To, value: &[u8], socket: &mut Socket) -> Result<(), Malformed> {
    let word = u32_at(value);
    let byte = value.first().copied();
    match to {
        To::State => socket.state = socket.protocol.state(byte.unwrap_or_default()),
        To::Type => socket.kind = SocketType::from_code(byte.unwrap_or_default().into()),
        To::Shutdown => socket.shutdown = byte.map(Shutdown::from_bits),
        To::Inode => {
            socket.inode = u64_at(value).or(word.map(u64::from)).and_then(nonzero);
        }
        To::Uid => socket.uid = word,
        To::Cookie => socket.cookie = cookie(word, value.get(4..).and_then(u32_at)),
        To::LongCookie => socket.cookie = u64_at(value),
        To::Interface => socket.interface = word.and_then(nonzero),
        To::RecvQueue => socket.recv_queue = word,
        To::SendQueue => socket.send_queue = word,
        To::Address(end) => match word {
            Some(ANY) => end(socket).set_name(b"any"),
            Some(number) => end(socket).set_name(DecInt::new(number).as_bytes()),
            None => {}
        },
        To::Ip(end) => {
            let bytes = value.first_chunk::<16>();
            end(socket).ip = bytes.map(|bytes| Ipv6Addr::from(*bytes).into());
        }
        To::Port(end) => {
            end(socket).port = match value {
                [high, low] => nonzero(u16::from_be_bytes([*high, *low])).map(u32::from),
                _ => word.filter(|port| *port != ANY),
            }
        }
        To::Memory => socket.details_mut().memory = Some(memory(value)),
        To::Info(offset) => put(socket, *offset, value),
        To::Flag(offset) => put(socket, *offset, &[1]),
        To::Parts(parts) => take_parts(parts, value, socket),
        To::Attributes(known) => return take_attributes(known, value, socket),
    }
    Ok(())
}

/// All ones mean none.
fn cookie(low: Option<u32>, high: Option<u32>) -> Option<u64> {
    let cookie = u64::from(high?) << 32 | u64::from(low?);
    (cookie != u64::MAX).then_some(cookie)
}

/// Stores bytes in the kernel's structure of the protocol.
fn put(socket: &mut Socket, offset: usize, bytes: &[u8]) {
    if let Some(structure) = Structure::of(socket.protocol) {
        socket.details_mut().set_part(structure, offset, bytes);
    }
}
