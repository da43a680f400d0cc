//! The floor: the cost of the kernel alone. Receives a dump and discards it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::Ipv4Addr;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
use netlink_packet_sock_diag::{AF_INET, AF_INET6, IPPROTO_TCP, SockDiagMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};
use nix::libc::MSG_TRUNC;

use crate::failed;

/// The hidden argument that selects this role.
pub(crate) const ROLE: &str = "--floor";
/// The maximum length of a datagram in a kernel dump.
const BUFFER_LENGTH: usize = 32 * 1024;
/// Every state with a full socket (`net/tcp_states.h`), as `ss` requests.
const EVERY_STATE: u32 = 0xfff;
/// `TCPF_BOUND_INACTIVE`: bound, neither connected nor listening; Linux 6.8.
const BOUND_INACTIVE: u32 = 1 << 13;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// The local port of the question `port`, in the middle of the ephemeral ports.
const PORT: u16 = 45_000;
/// The local address of the question `host`, where a holder listens.
const HOST: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 3);
/// `INET_DIAG_REQ_BYTECODE`.
const BYTECODE: u16 = 1;

/// A request to the kernel.
struct Question {
    states: u32,
    extensions: ExtensionFlags,
    /// The local port in the request.
    port: u16,
    /// The local address, tested by a program.
    host: Option<Ipv4Addr>,
}

impl Question {
    fn parse(word: &str) -> Option<Self> {
        let states = |states| Self {
            states,
            extensions: ExtensionFlags::empty(),
            port: 0,
            host: None,
        };
        Some(match word {
            "all" => states(EVERY_STATE),
            "bound" => states(EVERY_STATE | BOUND_INACTIVE),
            "listen" => states(StateFlags::LISTEN.bits()),
            "info" => Self {
                extensions: ExtensionFlags::INFO,
                ..states(EVERY_STATE)
            },
            "port" => Self {
                port: PORT,
                ..states(EVERY_STATE)
            },
            "host" => Self {
                host: Some(HOST),
                ..states(EVERY_STATE)
            },
            _ => return None,
        })
    }

    fn message(&self, family: u8) -> Vec<u8> {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        header.sequence_number = u32::from(family);
        let mut socket_id = if family == AF_INET {
            SocketId::new_v4()
        } else {
            SocketId::new_v6()
        };
        socket_id.source_port = self.port;
        let request = SockDiagMessage::InetRequest(InetRequest {
            family,
            protocol: IPPROTO_TCP,
            extensions: self.extensions.clone(),
            states: StateFlags::from_bits_retain(self.states),
            socket_id,
        });
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        if let Some(host) = self.host {
            bytes.extend(program(host));
            let length = u32::try_from(bytes.len()).unwrap_or_default();
            bytes.splice(..4, length.to_ne_bytes());
        }
        bytes
    }
}

/// The attribute with a program that accepts one local address: `INET_DIAG_BC_S_COND`
/// (`include/uapi/linux/inet_diag.h`).
fn program(host: Ipv4Addr) -> Vec<u8> {
    const S_COND: u8 = 7;
    const LENGTH: u8 = 4 + 8 + 4;
    let mut bytes = Vec::new();
    bytes.extend((u16::from(LENGTH) + 4).to_ne_bytes());
    bytes.extend(BYTECODE.to_ne_bytes());
    // Accept: jump to the end. Reject: four bytes beyond it.
    bytes.extend([S_COND, LENGTH]);
    bytes.extend((u16::from(LENGTH) + 4).to_ne_bytes());
    bytes.extend([AF_INET, 32, 0, 0]);
    bytes.extend((-1_i32).to_ne_bytes());
    bytes.extend(host.octets());
    bytes
}

/// Dumps TCP over IPv4 and IPv6 and prints the number of sockets.
pub(crate) fn main(words: &[OsString]) -> io::Result<()> {
    let question = words
        .first()
        .and_then(|word| Question::parse(word.to_str()?))
        .ok_or_else(|| {
            io::Error::other("the floor knows all, bound, listen, info, port and host")
        })?;
    let socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut buffer = Vec::with_capacity(BUFFER_LENGTH);
    let mut count = 0;
    for family in [AF_INET, AF_INET6] {
        socket.send(&question.message(family), 0)?;
        count += receive(&socket, &mut buffer).map_err(failed("sock_diag"))?;
    }
    writeln!(io::stdout(), "{count}")
}

/// Receives one dump to its end, reading only message headers.
fn receive(socket: &Socket, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut count = 0;
    loop {
        buffer.clear();
        if socket.recv(buffer, MSG_TRUNC)? > buffer.len() {
            return Err(io::Error::other("a datagram was longer than the buffer"));
        }
        let mut rest = buffer.as_slice();
        while let Ok(message) = NetlinkBuffer::new_checked(rest) {
            match message.message_type() {
                NLMSG_DONE | NLMSG_ERROR => return end(message.payload()).map(|()| count),
                _ => count += 1,
            }
            let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// Checks the code at the end of a dump: 0 means complete.
fn end(payload: &[u8]) -> io::Result<()> {
    let code = payload.first_chunk().copied().map_or(0, i32::from_ne_bytes);
    match code {
        0.. => Ok(()),
        _ => Err(io::Error::from_raw_os_error(code.saturating_neg())),
    }
}
