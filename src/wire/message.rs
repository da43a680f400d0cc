//! Netlink framing (`include/uapi/linux/netlink.h`).

use netlink_packet_core::{NLM_F_DUMP_INTR, NLM_F_MULTIPART, NLMSG_DONE, NLMSG_ERROR, NLMSG_NOOP};
use netlink_packet_sock_diag::SOCK_DIAG_BY_FAMILY;
use zerocopy::byteorder::native_endian::{I32, U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::attribute::split;
use crate::error::Malformed;

/// The older request for TCP, and its replies (`include/uapi/linux/inet_diag.h`).
pub(super) const TCPDIAG_GETSOCK: u16 = 18;
/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW`: a connection, in a dump too.
const IPCTNL_MSG_CT_NEW: u16 = 0x0100;
/// A line of `/proc/net` in a recording: a message type of lsock, above those of `sock_diag`.
const PROC_LINE: u16 = 0x4c53;
/// A note about the recording: another message type of lsock.
const NOTE: u16 = 0x4c54;
/// `NLMSG_ALIGNTO`.
const ALIGN: usize = 4;

#[derive(Debug, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Nlmsghdr {
    len: U32,
    kind: U16,
    flags: U16,
    sequence: U32,
    port: U32,
}

impl Nlmsghdr {
    /// Bytes up to the next message.
    fn padded(&self) -> usize {
        let length = usize::try_from(self.len.get()).unwrap_or(usize::MAX);
        let length = length.max(Message::HEADER_LEN);
        length.checked_next_multiple_of(ALIGN).unwrap_or(length)
    }
}

/// The content of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// A socket: the reply of `SOCK_DIAG_BY_FAMILY`, or of the older `TCPDIAG_GETSOCK`.
    Socket(&'a [u8]),
    /// A tracked connection.
    Connection(&'a [u8]),
    /// A line of `/proc/net` in a recording.
    ProcLine(&'a [u8]),
    /// A note about the recording.
    Note(&'a [u8]),
    /// The end of a dump: 0, or the positive `errno` with which it failed.
    Done(i32),
    /// A refused request: a positive `errno` (0 is an acknowledgement).
    Error(i32),
    /// A message without meaning here.
    Other,
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The number of the request that it answers.
    pub sequence: u32,
    /// True if the table changed during the dump (`NLM_F_DUMP_INTR`): rows may be missing or duplicated.
    pub interrupted: bool,
    /// True if it is part of a dump, not the reply to a lookup.
    pub multi: bool,
    /// True if it answers the older request, whose dump has TCP over both IP versions.
    pub is_of_both: bool,
    /// The content.
    pub body: Body<'a>,
}

/// The messages in a datagram or a recording.
#[derive(Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Iterates over the messages in `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self) -> Result<Message<'a>, Malformed> {
        let bytes = self.rest;
        self.rest = &[];
        let stated = Message::stated_len(bytes)?;
        let whole = bytes
            .get(..stated)
            .ok_or_else(|| wrong_length(stated, bytes))?;
        self.rest = bytes
            .get(stated.next_multiple_of(ALIGN)..)
            .unwrap_or_default();
        Message::read(whole)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        (!self.rest.is_empty()).then(|| self.take())
    }
}

impl<'a> Message<'a> {
    /// The reply, if the message holds a socket.
    pub const fn socket(&self) -> Option<&'a [u8]> {
        match self.body {
            Body::Socket(payload) => Some(payload),
            _ => None,
        }
    }

    /// Bytes of a message header.
    pub const HEADER_LEN: usize = size_of::<Nlmsghdr>();

    /// The length in the header at the start of `bytes`, header included.
    ///
    /// # Errors
    ///
    /// When `bytes` are shorter than a header, or the length is.
    pub fn stated_len(bytes: &[u8]) -> Result<usize, Malformed> {
        let (header, _) = split::<Nlmsghdr>("netlink header", bytes)?;
        let stated = usize::try_from(header.len.get()).unwrap_or(usize::MAX);
        if stated < Message::HEADER_LEN {
            return Err(wrong_length(stated, bytes));
        }
        Ok(stated)
    }

    /// True if `bytes` begin with a header written in the other byte order.
    pub fn is_turned(bytes: &[u8]) -> bool {
        let kinds = [
            SOCK_DIAG_BY_FAMILY,
            TCPDIAG_GETSOCK,
            NLMSG_DONE,
            PROC_LINE,
            NOTE,
        ];
        split::<Nlmsghdr>("netlink header", bytes)
            .is_ok_and(|(header, _)| kinds.contains(&header.kind.get().swap_bytes()))
    }

    /// Reads a message that fills `whole`.
    fn read(whole: &'a [u8]) -> Result<Self, Malformed> {
        let (header, payload) = split::<Nlmsghdr>("netlink header", whole)?;
        let flags = header.flags.get();
        let body = match header.kind.get() {
            SOCK_DIAG_BY_FAMILY | TCPDIAG_GETSOCK => Body::Socket(payload),
            IPCTNL_MSG_CT_NEW => Body::Connection(payload),
            PROC_LINE => Body::ProcLine(payload),
            NOTE => Body::Note(payload),
            NLMSG_DONE => Body::Done(errno(payload).unwrap_or(0)),
            NLMSG_ERROR => Body::Error(errno(payload)?),
            _ => Body::Other,
        };
        Ok(Self {
            sequence: header.sequence.get(),
            interrupted: flags & NLM_F_DUMP_INTR != 0 && header.kind.get() != NLMSG_NOOP,
            multi: flags & NLM_F_MULTIPART != 0,
            is_of_both: header.kind.get() == TCPDIAG_GETSOCK,
            body,
        })
    }
}

fn wrong_length(stated: usize, bytes: &[u8]) -> Malformed {
    format!("message of {stated} bytes, {} present", bytes.len())
}

/// True if a datagram ends a dump, successfully or not. Reads headers only.
pub fn ends_dump(datagram: &[u8]) -> bool {
    let mut rest = datagram;
    while let Ok((header, _)) = Nlmsghdr::ref_from_prefix(rest) {
        if matches!(header.kind.get(), NLMSG_DONE | NLMSG_ERROR) {
            return true;
        }
        rest = rest.get(header.padded()..).unwrap_or_default();
    }
    false
}

/// Sets the sequence number of every message of a datagram.
pub fn set_sequence(mut datagram: &mut [u8], sequence: u32) {
    while let Ok((header, _)) = Nlmsghdr::mut_from_prefix(datagram) {
        header.sequence = U32::new(sequence);
        let next = header.padded();
        datagram = datagram.get_mut(next..).unwrap_or_default();
    }
}

/// True if a datagram reports that its table changed during the dump.
pub fn is_interrupted(datagram: &[u8]) -> bool {
    Messages::new(datagram).any(|message| message.is_ok_and(|message| message.interrupted))
}

/// The `errno` at the start of DONE and ERROR, which is negative on the wire.
fn errno(payload: &[u8]) -> Result<i32, Malformed> {
    let (code, _) = split::<I32>("netlink error", payload)?;
    Ok(code.get().saturating_neg())
}

/// A line of `/proc/net` as a message of a recording.
pub fn proc_line(sequence: u32, line: &[u8]) -> Vec<u8> {
    message(PROC_LINE, NLM_F_MULTIPART, sequence, line)
}

/// A note about the recording, as a message.
pub fn note(sequence: u32, text: &[u8]) -> Vec<u8> {
    message(NOTE, 0, sequence, text)
}

/// The end of a dump, as a message.
pub fn done(sequence: u32) -> Vec<u8> {
    message(NLMSG_DONE, NLM_F_MULTIPART, sequence, &0_i32.to_ne_bytes())
}

pub(super) fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let header = Nlmsghdr {
        len: U32::new(u32::try_from(Message::HEADER_LEN + payload.len()).unwrap_or(u32::MAX)),
        kind: U16::new(kind),
        flags: U16::new(flags),
        sequence: U32::new(sequence),
        port: U32::new(0),
    };
    let mut bytes = Vec::with_capacity(Message::HEADER_LEN + payload.len() + ALIGN);
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(payload);
    bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
    bytes
}
