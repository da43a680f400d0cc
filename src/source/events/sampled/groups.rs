//! The kernel's notices of sockets that are gone, for whoever listens.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use netlink_sys::Socket as Netlink;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use rustix::io::Errno;
use rustix::net::RecvFlags;

use crate::model::{Family, Protocol, Socket};
use crate::wire::{self, Body, Messages};

/// `SKNLGRP_INET_TCP_DESTROY` and `SKNLGRP_INET6_TCP_DESTROY` of `include/uapi/linux/sock_diag.h`.
const GROUPS: [u32; 2] = [1, 3];

/// Room for many notices, so that few overruns happen while the tables are read.
const ROOM: usize = 4 << 20;

/// More than one datagram holds.
const DATAGRAM: usize = 16 << 10;

/// A socket that hears the notices.
pub(super) struct Groups {
    netlink: Netlink,
    buffer: Vec<u8>,
}

impl Groups {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// When the kernel has no such groups.
    pub(super) fn join() -> io::Result<Self> {
        let mut netlink = Netlink::new(NETLINK_SOCK_DIAG)?;
        netlink.bind_auto()?;
        // Without the right to more, less has to do.
        let _ = netlink.set_rx_buf_sz(ROOM);
        for group in GROUPS {
            netlink.add_membership(group)?;
        }
        Ok(Self {
            netlink,
            buffer: vec![0; DATAGRAM],
        })
    }

    /// Readable when there is a notice.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.netlink.as_fd()
    }

    /// Lends every socket that was told of.
    ///
    /// # Errors
    ///
    /// When some were not told.
    pub(super) fn hear(&mut self, take: &mut dyn FnMut(&Socket)) -> io::Result<()> {
        let mut whole = Ok(());
        loop {
            let flags = RecvFlags::DONTWAIT;
            let length = match rustix::net::recv(&self.netlink, &mut self.buffer[..], flags) {
                Ok((_, length)) => length,
                Err(Errno::AGAIN) => return whole,
                Err(Errno::INTR) => continue,
                Err(Errno::NOBUFS) => {
                    whole = Err(Errno::NOBUFS.into());
                    continue;
                }
                Err(cause) => return Err(cause.into()),
            };
            let datagram = self.buffer.get(..length).unwrap_or_default();
            for message in Messages::new(datagram).flatten() {
                if let Body::Socket(payload) = message.body {
                    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
                    if wire::decode(Protocol::Tcp, payload, &mut socket).is_ok() {
                        take(&socket);
                    }
                }
            }
        }
    }
}
