//! The kernel's notices of destroyed sockets.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::io::Errno;

use crate::model::{Family, Protocol, Socket, State, Table};
use crate::source::channel::{BUFFER_LEN, KernelSocket, Strangers};
use crate::wire::{self, Body, Messages};

/// `SKNLGRP_INET_TCP_DESTROY` (`include/uapi/linux/sock_diag.h`).
const INET_TCP_DESTROY: u32 = 1;
/// `SKNLGRP_INET_UDP_DESTROY`.
const INET_UDP_DESTROY: u32 = 2;
/// `SKNLGRP_INET6_TCP_DESTROY`.
const INET6_TCP_DESTROY: u32 = 3;
/// `SKNLGRP_INET6_UDP_DESTROY`.
const INET6_UDP_DESTROY: u32 = 4;
/// `INET_DIAG_PROTOCOL`, and `IPPROTO_UDP` in it.
const PROTOCOL: u32 = 10;
const UDP: &[u8] = &[17];

/// Buffer size for notices during a round; without privileges the kernel grants less (`net.core.rmem_max`).
const ROOM: i32 = 4 << 20;

/// The kernel's notices since the last call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing.
    Nothing,
    /// Sockets were destroyed.
    Ends,
    /// Sockets were destroyed, and notices of some were lost.
    Overrun,
}

/// A member of the multicast groups.
pub struct Notices {
    socket: KernelSocket,
    strangers: Strangers,
    buffer: Vec<u8>,
    scratch: Socket,
}

/// The multicast group of a table; MPTCP has none.
const fn group(table: Table) -> Option<u32> {
    match (table.protocol, table.family) {
        (Protocol::Tcp, Family::Inet) => Some(INET_TCP_DESTROY),
        (Protocol::Tcp, Family::Inet6) => Some(INET6_TCP_DESTROY),
        (Protocol::Udp, Family::Inet) => Some(INET_UDP_DESTROY),
        (Protocol::Udp, Family::Inet6) => Some(INET6_UDP_DESTROY),
        _ => None,
    }
}

impl Notices {
    /// Joins the groups of the tables.
    ///
    /// # Errors
    ///
    /// When the kernel has no such groups.
    pub fn join(tables: impl Iterator<Item = Table>) -> io::Result<Self> {
        let strangers = Strangers::default();
        let mut kernel = KernelSocket::open(Arc::clone(&strangers))?;
        let socket = &mut kernel.socket;
        // An unbound socket is in no group.
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        // A smaller buffer only overruns earlier.
        let _ = socket.set_rx_buf_sz(ROOM);
        for group in tables.filter_map(group) {
            socket.add_membership(group)?;
        }
        Ok(Self {
            socket: kernel,
            strangers,
            buffer: Vec::with_capacity(BUFFER_LEN),
            scratch: Socket::new(Protocol::Tcp, Family::Inet),
        })
    }

    /// Counts the notices from senders other than the kernel since the last call.
    pub(super) fn strangers(&self) -> Option<u64> {
        Some(self.strangers.swap(0, Ordering::Relaxed)).filter(|count| *count > 0)
    }

    /// Keeps attributes without a field in the model; only they distinguish UDP from TCP.
    #[must_use]
    pub fn keeping_attributes(mut self) -> Self {
        self.scratch = self.scratch.keeping_attributes(true);
        self
    }

    /// Lends every destroyed socket in its last state.
    ///
    /// # Errors
    ///
    /// When no more notices can be received.
    pub fn drain(&mut self, mut take: impl FnMut(&Socket)) -> io::Result<Heard> {
        let mut heard = Heard::Nothing;
        loop {
            match self.socket.receive(&mut self.buffer) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(heard),
                Err(error) if error.raw_os_error() == Some(Errno::NOBUFS.raw_os_error()) => {
                    heard = Heard::Overrun;
                    continue;
                }
                Err(error) => return Err(error),
            }
            if heard == Heard::Nothing {
                heard = Heard::Ends;
            }
            // A malformed message only causes another round.
            for message in Messages::new(&self.buffer).flatten() {
                if let Body::Socket(payload) = message.body
                    && wire::decode(Protocol::Tcp, payload, &mut self.scratch).is_ok()
                {
                    if self.scratch.attribute(PROTOCOL) == Some(UDP) {
                        let _ = wire::decode(Protocol::Udp, payload, &mut self.scratch);
                    }
                    self.scratch.state = State::Closed;
                    take(&self.scratch);
                }
            }
        }
    }
}

impl AsFd for Notices {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.socket.as_fd()
    }
}
