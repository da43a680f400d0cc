//! One netlink socket and the datagrams that come from it.

use std::io;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use rustix::net::RecvFlags;

/// The kernel fills at most 32 KiB per `recv`.
const BUFFER_LEN: usize = 32 * 1024;

/// A `sock_diag` socket with its receive buffer.
#[derive(Debug)]
pub(super) struct Channel {
    socket: Socket,
    buffer: Vec<u8>,
}

/// A datagram that did not fit the buffer: some of it is lost.
const TRUNCATED: &str = "a datagram was cut";

impl Channel {
    /// Opens one.
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            socket: Socket::new(NETLINK_SOCK_DIAG)?,
            buffer: Vec::with_capacity(BUFFER_LEN),
        })
    }

    /// Sends a request to the kernel.
    pub(super) fn send(&self, request: &[u8]) -> io::Result<()> {
        loop {
            match self.socket.send(request, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(sent) if sent == request.len() => return Ok(()),
                Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
            }
        }
    }

    /// The next datagram.
    pub(super) fn receive(&mut self) -> io::Result<&[u8]> {
        let flags = i32::try_from(RecvFlags::TRUNC.bits()).unwrap_or_default();
        loop {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, flags) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) if length > self.buffer.len() => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, TRUNCATED));
                }
                Ok(_) => return Ok(&self.buffer),
            }
        }
    }
}
