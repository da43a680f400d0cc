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

/// Room for notices that come while a look takes its time; the kernel gives less to those without
/// privilege (`net.core.rmem_max`).
const ROOM: i32 = 4 << 20;

/// What the kernel said since it was asked last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing.
    Nothing,
    /// Sockets were destroyed.
    Ends,
    /// Sockets were destroyed, of some it could not tell.
    Overrun,
}

/// A socket in the multicast groups.
pub struct Notices {
    socket: KernelSocket,
    strangers: Strangers,
    buffer: Vec<u8>,
    scratch: Socket,
}

/// The group that tells of a table; MPTCP has none.
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
        // A socket without an address is in no group.
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        // With less room it only overruns earlier.
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

    /// How many notices came from others than the kernel, since this was asked last.
    pub(super) fn strangers(&self) -> Option<u64> {
        Some(self.strangers.swap(0, Ordering::Relaxed)).filter(|count| *count > 0)
    }

    /// The same, whose sockets keep the attributes that the model has no field for. Only those tell UDP from TCP.
    #[must_use]
    pub fn keeping_attributes(mut self) -> Self {
        self.scratch = self.scratch.keeping_attributes(true);
        self
    }

    /// Lends every socket that was destroyed, as its end left it.
    ///
    /// # Errors
    ///
    /// When nothing more can be heard.
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
            // A message that cannot be read is no more than a reason to look again.
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
