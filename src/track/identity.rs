//! Recognizes a socket from one round to the next.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU64;

use crate::model::{Socket, State, can_follow};

/// The key of an IP socket in a table: both ends and interface of a connection, local end and cookie of a
/// listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// The local address.
    pub local: IpAddr,
    /// The peer's address; all zeros = none.
    pub peer: IpAddr,
    /// 0 = none.
    pub local_port: u16,
    /// 0 = none.
    pub peer_port: u16,
    /// 0 = none. A listener can be bound to another interface later, so it has none here.
    pub interface: u32,
    /// Inode number of its network namespace, if requested; else 0.
    pub netns: u32,
    /// The cookie of a listener, or its inode if there are no cookies: several listeners may share a port.
    pub listener: Option<NonZeroU64>,
}

impl Endpoints {
    /// `None` if it is no IP socket.
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

/// What identifies a socket, in addition to its endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Its state in that round.
    pub state: State,
    /// [`Socket::inode`].
    pub inode: Option<NonZeroU64>,
    /// [`Socket::cookie`].
    pub cookie: Option<NonZeroU64>,
}

/// How a socket relates to an earlier one with the same endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// It is the same.
    Same,
    /// Perhaps the kernel's replacement for the same connection, perhaps a later connection.
    Unclear,
    /// Another socket: the earlier one is gone.
    Other,
}

impl Identity {
    /// The identity of a socket in its current state.
    pub fn of(socket: &Socket) -> Self {
        let number = |number: Option<u64>| number.and_then(NonZeroU64::new);
        Self {
            state: socket.state,
            inode: number(socket.inode),
            cookie: number(socket.cookie),
        }
    }

    /// True if the socket has this cookie.
    pub fn has_cookie_of(&self, socket: &Socket) -> bool {
        self.cookie.map(NonZeroU64::get) == socket.cookie
    }

    /// Compares with a TCP socket that has the same endpoints in a later round.
    ///
    /// Without a cookie, a connection that replaces another between two rounds counts as the same if inode and state
    /// allow it.
    ///
    /// When one kernel structure replaces another, it inherits the cookie, if there is one at that moment. It may get
    /// one a moment later, from a program that lists both.
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

    /// True if the kernel may replace this structure by that socket: a request becomes a socket, and a socket waiting
    /// for its end becomes a smaller structure.
    fn may_become(&self, socket: &Socket) -> bool {
        let request = self.state == State::SynRcvd && socket.state != State::SynRcvd;
        request || self.state != State::TimeWait && is_remainder(socket)
    }
}

/// True if it is what the kernel keeps of a closed socket: `TIME_WAIT`, or `FIN_WAIT_2` without an inode.
fn is_remainder(socket: &Socket) -> bool {
    match socket.state {
        State::TimeWait => true,
        State::FinWait2 => socket.inode.is_none(),
        _ => false,
    }
}
