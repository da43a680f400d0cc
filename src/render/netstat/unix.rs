//! Unix sockets.

use super::{NetstatLayout, PROGRAM_TITLE, Title, padded, program};
use crate::model::{Row, Socket, SocketType, State};
use crate::render::digits;

pub(super) const TITLES: [Title; 3] = [
    (
        "Proto RefCnt Flags       Type       State         I-Node  ",
        None,
    ),
    PROGRAM_TITLE,
    (" Path", None),
];

pub(super) fn row(out: &mut Vec<u8>, layout: &NetstatLayout, row: &Row<'_>) {
    let socket = row.socket;
    out.extend_from_slice(b"unix  ");
    padded(out, 6, |out| match socket.proc_net {
        Some(listed) => digits::integer(out, listed.references.into()),
        None => out.push(b'-'),
    });
    out.push(b' ');
    let flags = if socket.state == State::Listen {
        "[ ACC ]"
    } else {
        "[ ]"
    };
    for (word, width) in [(flags, 12), (kind(socket), 11), (state(socket), 14)] {
        padded(out, width, |out| out.extend_from_slice(word.as_bytes()));
    }
    padded(out, 8, |out| {
        digits::integer(out, socket.inode.unwrap_or_default());
    });
    program(out, layout, row);
    out.push(b' ');
    let name = &socket.local.name;
    layout.name(out, name.len(), |out| path(out, name));
    out.push(b'\n');
}

const fn kind(socket: &Socket) -> &'static str {
    match socket.kind {
        Some(SocketType::Stream) => "STREAM",
        Some(SocketType::Dgram) => "DGRAM",
        Some(SocketType::Raw) => "RAW",
        Some(SocketType::Seqpacket) => "SEQPACKET",
        Some(SocketType::Rdm) => "RDM",
        Some(SocketType::Endpoint | SocketType::Association) | None => "UNKNOWN",
    }
}

/// In `/proc/net/unix` a socket without a holder is connecting or disconnecting.
const fn state(socket: &Socket) -> &'static str {
    match (socket.state, socket.inode) {
        (State::Listen, _) => "LISTENING",
        (State::Established, Some(_)) => "CONNECTED",
        (State::Established, None) => "CONNECTING",
        (State::Unconn, None) => "DISCONNECTING",
        (State::Unconn, Some(_)) => "",
        (State::Unknown(0), _) => "FREE",
        _ => "UNKNOWN",
    }
}

/// The name up to its first blank, with each NUL as `@`.
fn path(out: &mut Vec<u8>, name: &[u8]) {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let mut words = name.split(is_blank).filter(|word| !word.is_empty());
    let word = words.next().unwrap_or_default().iter();
    out.extend(word.map(|byte| if *byte == 0 { b'@' } else { *byte }));
}
