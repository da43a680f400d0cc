//! Which socket of one look is which of another.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU64;

use crate::model::{Socket, State, can_follow};

/// What tells the IP sockets of a table apart: both ends and the interface of a connection, the end
/// and the cookie of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// Its own address.
    pub local: IpAddr,
    /// The other one; all zeros = none.
    pub peer: IpAddr,
    /// 0 = none.
    pub local_port: u16,
    /// 0 = none.
    pub peer_port: u16,
    /// 0 = none. A listener can be bound to another one later.
    pub interface: u32,
    /// Inode number of its network namespace, if that was asked for; else 0.
    pub netns: u32,
    /// The cookie of a listener, or its inode where there are no cookies: several may share a port.
    pub listener: Option<NonZeroU64>,
}

impl Endpoints {
    /// `None` for what is no IP socket.
    pub fn of(socket: &Socket) -> Option<Self> {
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
            netns: socket.netns.unwrap_or_default(),
            listener,
        })
    }
}

/// What a socket is known by beside its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Where it stood.
    pub state: State,
    /// [`Socket::inode`].
    pub inode: Option<NonZeroU64>,
    /// [`Socket::cookie`].
    pub cookie: Option<NonZeroU64>,
}

/// What a socket has to do with the one that had its ends before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// It is the same.
    Same,
    /// It may be what the kernel put in the place of the same connection, or a later connection.
    Unclear,
    /// It is another: the one before is gone.
    Other,
}

impl Identity {
    /// That of a socket as it is now.
    pub fn of(socket: &Socket) -> Self {
        let number = |number: Option<u64>| number.and_then(NonZeroU64::new);
        Self {
            state: socket.state,
            inode: number(socket.inode),
            cookie: number(socket.cookie),
        }
    }

    /// Is it this very socket, by its cookie?
    pub fn has_cookie_of(&self, socket: &Socket) -> bool {
        self.cookie.map(NonZeroU64::get) == socket.cookie
    }

    /// Compares it with a TCP socket that has its ends later.
    ///
    /// Without a cookie a connection that takes the place of another between two looks is taken for it
    /// where its inode and its state allow.
    ///
    /// The kernel hands the cookie on where one structure takes the place of another, if there is one
    /// at that moment; it may be given one a moment later, by somebody who lists both.
    pub fn sameness(&self, socket: &Socket) -> Sameness {
        let differ = |old: Option<NonZeroU64>, new: Option<u64>| {
            old.zip(new).is_some_and(|(old, new)| old.get() != new)
        };
        let stays = self.state == socket.state;
        if differ(self.inode, socket.inode) || !stays && !can_follow(self.state, socket.state) {
            Sameness::Other
        } else if !differ(self.cookie, socket.cookie) {
            Sameness::Same
        } else if self.may_become(socket) {
            Sameness::Unclear
        } else {
            Sameness::Other
        }
    }

    /// Does the kernel put such a structure in the place of this one? A request becomes a socket, and
    /// a socket that only waits for its end becomes something smaller.
    fn may_become(&self, socket: &Socket) -> bool {
        let request = self.state == State::SynRcvd && socket.state != State::SynRcvd;
        request || self.state != State::TimeWait && is_remainder(socket)
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
