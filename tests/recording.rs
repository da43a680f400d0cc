//! Recordings made of the messages in `tests/fixtures/wire`: what a kernel said once.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufWriter, Write as _};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use tempfile::NamedTempFile;

/// Bytes of `struct nlmsghdr`.
pub const HEADER: usize = 16;
/// `SOCK_DIAG_BY_FAMILY`, `NLMSG_ERROR`, `NLMSG_DONE`.
pub const SOCKET: u16 = 20;
pub const ERROR: u16 = 2;
pub const DONE: u16 = 3;
/// A note in a recording of ours.
pub const NOTE: u16 = 0x4c54;
/// `NLM_F_MULTI` and `NLM_F_DUMP_INTR`.
pub const MULTI: u16 = 2;
pub const INTERRUPTED: u16 = 0x10;

/// One message, header and padding included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message(pub Vec<u8>);

impl Message {
    /// A message of a dump.
    pub fn new(kind: u16, sequence: u32, payload: &[u8]) -> Self {
        let length = u32::try_from(HEADER + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(MULTI.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        Self(bytes)
    }

    /// The length it states.
    pub fn stated(&self) -> usize {
        u32::from_ne_bytes(self.0[..4].try_into().unwrap()) as usize
    }

    pub fn kind(&self) -> u16 {
        u16::from_ne_bytes(self.0[4..6].try_into().unwrap())
    }

    pub fn flags(&self) -> u16 {
        u16::from_ne_bytes(self.0[6..8].try_into().unwrap())
    }

    pub fn sequence(&self) -> u32 {
        u32::from_ne_bytes(self.0[8..12].try_into().unwrap())
    }

    pub fn payload(&self) -> &[u8] {
        &self.0[HEADER..self.stated()]
    }

    /// The same with other flags.
    pub fn with_flags(&self, flags: u16) -> Self {
        let mut bytes = self.0.clone();
        bytes[6..8].copy_from_slice(&flags.to_ne_bytes());
        Self(bytes)
    }

    /// The same without the attributes of these kinds behind a fixed part of `fixed` bytes.
    pub fn without(&self, fixed: usize, kinds: &[u16]) -> Self {
        let payload = self.payload();
        let mut kept = payload[..fixed].to_vec();
        let mut rest = &payload[fixed..];
        while rest.len() >= 4 {
            let length = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
            let (attribute, behind) = rest.split_at(length.next_multiple_of(4).min(rest.len()));
            if !kinds.contains(&u16::from_ne_bytes([rest[2], rest[3]])) {
                kept.extend(attribute);
            }
            rest = behind;
        }
        Self::new(self.kind(), self.sequence(), &kept)
    }
}

/// The messages of a recording or a datagram.
pub fn messages(mut bytes: &[u8]) -> Vec<Message> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let stated = u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize;
        let (message, rest) = bytes.split_at(stated.next_multiple_of(4).min(bytes.len()));
        found.push(Message(message.to_vec()));
        bytes = rest;
    }
    found
}

/// Where the recorded dumps of each table lie.
pub fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wire")
}

/// The messages of one of them; the last one is the end of the dump.
pub fn fixture(name: &str) -> Vec<Message> {
    messages(&std::fs::read(fixtures().join(name)).unwrap())
}

/// A file with these messages.
pub fn file(messages: &[Message]) -> NamedTempFile {
    let bytes: Vec<u8> = messages.iter().flat_map(|m| m.0.clone()).collect();
    file_of(&bytes)
}

/// A file with these bytes.
pub fn file_of(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

/// A recording of so many TCP connections, all different: one real message again and again, with
/// other addresses, ports, inodes and cookies.
pub fn of_tcp(count: u32) -> NamedTempFile {
    let (connected, end) = connected();
    // What `-i` and `-m` ask for: tcp_info, the name of the algorithm, socket memory.
    repeated(&connected.without(72, &[2, 4, 7]), &end, count)
}

/// The same with `tcp_info` and socket memory.
pub fn of_tcp_with_details(count: u32) -> NamedTempFile {
    let (connected, end) = connected();
    repeated(&connected, &end, count)
}

/// A connection in ESTABLISHED, and the end of its dump.
fn connected() -> (Message, Message) {
    let dump = fixture("tcp4.bin");
    let connected = dump.iter().find(|m| m.payload()[1] == 1).unwrap();
    (connected.clone(), dump.last().unwrap().clone())
}

fn repeated(message: &Message, end: &Message, count: u32) -> NamedTempFile {
    let mut message = message.0.clone();
    written(count, end, |number| {
        // Every number has as many digits as any other, so that all rows are of one length.
        let two_digits = |shift: u32| u8::try_from(100 + number / shift % 100).unwrap();
        let port = u16::try_from(0x8000 | number & 0xfff).unwrap();
        let address = Ipv4Addr::new(10, two_digits(10_000), two_digits(100), two_digits(1));
        let body = &mut message[HEADER..];
        body[4..6].copy_from_slice(&port.to_be_bytes());
        body[6..8].copy_from_slice(&443_u16.to_be_bytes());
        body[8..12].copy_from_slice(&address.octets());
        body[44..48].copy_from_slice(&(0x1000_0000 + number).to_ne_bytes());
        body[68..72].copy_from_slice(&(1_000_000 + number).to_ne_bytes());
        message.clone()
    })
}

/// A file with so many messages and the end of their dump.
fn written(count: u32, end: &Message, mut message: impl FnMut(u32) -> Vec<u8>) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    let mut out = BufWriter::new(file.as_file());
    for number in 0..count {
        out.write_all(&message(number)).unwrap();
    }
    out.write_all(&end.0).unwrap();
    out.flush().unwrap();
    drop(out);
    file
}

/// A line of `/proc/net/tcp`: a connection.
pub fn proc_line(number: u32) -> String {
    format!(
        "{number:4}: {:08X}:{:04X} 0100007F:01BB 01 00000000:00000000 00:00000000 00000000  \
         1000        0 {} 1 0000000000000000 20 4 30 10 -1",
        0x7a7a_0000 | number & 0xffff,
        0x8000 | number & 0xfff,
        1_000_000 + number
    )
}

/// A recording of so many lines of `/proc/net/tcp`.
pub fn of_proc_lines(count: u32) -> NamedTempFile {
    let end = fixture("tcp4.bin").pop().unwrap();
    let line = |number| lsock::wire::proc_line(end.sequence(), proc_line(number).as_bytes());
    written(count, &end, line)
}

/// A recording of so many named unix sockets, each the peer of the next.
pub fn of_unix(count: u32) -> NamedTempFile {
    let dump = fixture("unix.bin");
    let end = dump.last().unwrap();
    written(count, end, |number| {
        let number = number + 1;
        // AF_UNIX, SOCK_STREAM, connected.
        let mut payload = vec![1, 1, 1, 0];
        for word in [number, number, 0] {
            payload.extend(word.to_ne_bytes());
        }
        let name = format!("/run/service/{number:08}.socket\0");
        let peer = number % count + 1;
        for (kind, value) in [(0_u16, name.as_bytes()), (2, &peer.to_ne_bytes())] {
            let length = u16::try_from(value.len() + 4).unwrap();
            payload.extend(length.to_ne_bytes());
            payload.extend(kind.to_ne_bytes());
            payload.extend(value);
            payload.resize(payload.len().next_multiple_of(4), 0);
        }
        Message::new(SOCKET, end.sequence(), &payload).0
    })
}
