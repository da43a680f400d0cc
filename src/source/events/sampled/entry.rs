//! What is kept of a socket between two looks.

use std::num::NonZeroU64;

use crate::model::{Ends, Identity, Kinship, Socket, Table};

/// A socket as it was seen last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Where it stood, and what it is known by.
    pub(super) identity: Identity,
    /// The number of its connection.
    pub(super) connection: u64,
    /// The number of the look that saw it.
    pub(super) seen: u64,
    /// How many complete looks missed it since.
    pub(super) missed: u64,
    /// 0 = none.
    interface: u32,
    uid: Option<u32>,
    mark: Option<u32>,
    cgroup_id: Option<NonZeroU64>,
}

impl Entry {
    /// A socket that a look saw.
    pub(super) fn new(socket: &Socket, connection: u64, seen: u64) -> Self {
        Self {
            identity: Identity::of(socket),
            connection,
            seen,
            missed: 0,
            interface: socket.interface.unwrap_or_default(),
            uid: socket.uid,
            mark: socket.mark,
            cgroup_id: socket.cgroup_id.and_then(NonZeroU64::new),
        }
    }

    /// Compares it with a socket that has its ends in this look. Without a cookie nothing is certain
    /// where a look between saw neither.
    pub(super) fn kinship(&self, socket: &Socket, look: u64) -> Kinship {
        match self.identity.kinship(socket) {
            Kinship::Same if self.identity.cookie.is_none() && self.seen + 1 < look => {
                Kinship::Unclear
            }
            kinship => kinship,
        }
    }

    /// The socket as it was seen last.
    pub(super) fn socket(&self, table: Table, ends: &Ends) -> Socket {
        let port = |port: u16| Some(u32::from(port)).filter(|port| *port != 0);
        let number = |number: Option<NonZeroU64>| number.map(NonZeroU64::get);
        let mut socket = Socket::new(table.protocol, table.family);
        socket.state = self.identity.state;
        (socket.local.ip, socket.peer.ip) = (Some(ends.local), Some(ends.peer));
        (socket.local.port, socket.peer.port) = (port(ends.local_port), port(ends.peer_port));
        socket.interface = Some(self.interface).filter(|index| *index != 0);
        (socket.uid, socket.mark) = (self.uid, self.mark);
        socket.inode = number(self.identity.inode);
        socket.cookie = number(self.identity.cookie);
        socket.cgroup_id = number(self.cgroup_id);
        socket
    }
}
