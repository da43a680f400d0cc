//! What is kept of a socket between two looks.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU64;

use crate::model::{Socket, State, Table, can_follow};

/// What tells the sockets of a table apart: both ends and the interface of a connection, the end and
/// the cookie of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    local: IpAddr,
    peer: IpAddr,
    /// 0 = none.
    local_port: u16,
    /// 0 = none.
    peer_port: u16,
    /// 0 = none. A listener can be bound to another one later.
    interface: u32,
    /// The cookie of a listener, or its inode where there are no cookies: several may share a port.
    listener: Option<NonZeroU64>,
}

impl Ends {
    /// `None` for what is no IP socket.
    pub(super) fn of(socket: &Socket) -> Option<Self> {
        let port = |port: Option<u32>| u16::try_from(port.unwrap_or_default()).ok();
        let listener = if socket.state == State::Listen {
            socket.cookie.or(socket.inode).and_then(NonZeroU64::new)
        } else {
            None
        };
        let interface = socket.interface.filter(|_| listener.is_none());
        Some(Self {
            local: socket.local.ip?,
            peer: socket.peer.ip.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            local_port: port(socket.local.port)?,
            peer_port: port(socket.peer.port)?,
            interface: interface.unwrap_or_default(),
            listener,
        })
    }
}

/// A socket as it was seen last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    /// Where it stood.
    pub(super) state: State,
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
    inode: Option<NonZeroU64>,
    cookie: Option<NonZeroU64>,
    cgroup_id: Option<NonZeroU64>,
}

/// What a socket has to do with the one that had its ends before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinship {
    /// It is the same.
    Same,
    /// It may be what the kernel put in the place of the same connection, or a later connection.
    Unclear,
    /// It is another: the one before is gone.
    Another,
}

impl Entry {
    /// A socket that a look saw.
    pub(super) fn new(socket: &Socket, connection: u64, seen: u64) -> Self {
        let number = |number: Option<u64>| number.and_then(NonZeroU64::new);
        Self {
            state: socket.state,
            connection,
            seen,
            missed: 0,
            interface: socket.interface.unwrap_or_default(),
            uid: socket.uid,
            mark: socket.mark,
            inode: number(socket.inode),
            cookie: number(socket.cookie),
            cgroup_id: number(socket.cgroup_id),
        }
    }

    /// Is it this very socket, by its cookie?
    pub(super) fn has_cookie_of(&self, socket: &Socket) -> bool {
        self.cookie.map(NonZeroU64::get) == socket.cookie
    }

    /// Compares it with a socket that has its ends in this look.
    ///
    /// Without a cookie a connection that takes the place of another between two looks is taken for it
    /// where its inode and its state allow; not so where a look saw neither.
    ///
    /// The kernel hands the cookie on where one structure takes the place of another, if there is one
    /// at that moment; it may be given one a moment later, by somebody who lists both.
    pub(super) fn kinship(&self, socket: &Socket, look: u64) -> Kinship {
        let differ = |old: Option<NonZeroU64>, new: Option<u64>| {
            old.zip(new).is_some_and(|(old, new)| old.get() != new)
        };
        let stays = self.state == socket.state;
        if differ(self.inode, socket.inode) || !stays && !can_follow(self.state, socket.state) {
            Kinship::Another
        } else if self.cookie.is_none() && self.seen + 1 < look {
            Kinship::Unclear
        } else if !differ(self.cookie, socket.cookie) {
            Kinship::Same
        } else if self.may_become(socket) {
            Kinship::Unclear
        } else {
            Kinship::Another
        }
    }

    /// Does the kernel put such a structure in the place of this one? A request becomes a socket, and
    /// a socket that only waits for its end becomes something smaller.
    fn may_become(&self, socket: &Socket) -> bool {
        let request = self.state == State::SynRcvd && socket.state != State::SynRcvd;
        request || self.state != State::TimeWait && is_remainder(socket)
    }

    /// The socket as it was seen last.
    pub(super) fn socket(&self, table: Table, ends: &Ends) -> Socket {
        let port = |port: u16| Some(u32::from(port)).filter(|port| *port != 0);
        let number = |number: Option<NonZeroU64>| number.map(NonZeroU64::get);
        let mut socket = Socket::new(table.protocol, table.family);
        socket.state = self.state;
        (socket.local.ip, socket.peer.ip) = (Some(ends.local), Some(ends.peer));
        (socket.local.port, socket.peer.port) = (port(ends.local_port), port(ends.peer_port));
        socket.interface = Some(self.interface).filter(|index| *index != 0);
        (socket.uid, socket.mark) = (self.uid, self.mark);
        socket.inode = number(self.inode);
        socket.cookie = number(self.cookie);
        socket.cgroup_id = number(self.cgroup_id);
        socket
    }
}

/// Is it what the kernel keeps of a connection whose socket it gave up: `TIME_WAIT`, or `FIN_WAIT_2`
/// without an inode?
fn is_remainder(socket: &Socket) -> bool {
    match socket.state {
        State::TimeWait => true,
        State::FinWait2 => socket.inode.is_none(),
        _ => false,
    }
}
