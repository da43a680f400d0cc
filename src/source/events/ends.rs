//! The ends of a connection, by which it is looked up.

use std::net::{IpAddr, SocketAddr};

use crate::model::{Endpoint, Socket, State, Table};

/// Where a connection is, or a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Ends {
    /// The table it is in.
    pub(super) table: Table,
    /// Its own end; port 0 = not known.
    pub(super) local: SocketAddr,
    /// The other end; no address and port 0 for a listener.
    pub(super) peer: SocketAddr,
}

impl Ends {
    /// Those of a socket; `None` where it has none of IP.
    pub(super) fn of(socket: &Socket) -> Option<Self> {
        let end = |end: &Endpoint| {
            let port = u16::try_from(end.port.unwrap_or_default()).ok()?;
            Some(SocketAddr::new(end.ip?, port))
        };
        Some(Self {
            table: socket.table(),
            local: end(&socket.local)?,
            peer: end(&socket.peer)?,
        })
    }

    /// As the other end sees it.
    pub(super) const fn reversed(self) -> Self {
        Self {
            table: self.table,
            local: self.peer,
            peer: self.local,
        }
    }

    /// Where its segments go from and to, in whatever table the ends are: an IPv6 socket may talk to
    /// one of IPv4.
    pub(super) fn path(self) -> (SocketAddr, SocketAddr) {
        let canonical = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
        (canonical(self.local), canonical(self.peer))
    }
}

/// What is known of a socket, beside where it is and its state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) cookie: Option<u64>,
    pub(super) interface: Option<u32>,
    pub(super) inode: Option<u64>,
    uid: Option<u32>,
    mark: Option<u32>,
    cgroup_id: Option<u64>,
}

impl Facts {
    /// Those of a socket.
    pub(super) const fn of(socket: &Socket) -> Self {
        Self {
            cookie: socket.cookie,
            interface: socket.interface,
            inode: socket.inode,
            uid: socket.uid,
            mark: socket.mark,
            cgroup_id: socket.cgroup_id,
        }
    }

    /// These, and what else was known before.
    pub(super) fn or(self, before: Self) -> Self {
        Self {
            cookie: self.cookie.or(before.cookie),
            interface: self.interface.or(before.interface),
            inode: self.inode.or(before.inode),
            uid: self.uid.or(before.uid),
            mark: self.mark.or(before.mark),
            cgroup_id: self.cgroup_id.or(before.cgroup_id),
        }
    }

    /// The socket in a state, as an event shows it.
    pub(super) fn socket(self, ends: Ends, state: State) -> Socket {
        let mut socket = Socket::new(ends.table.protocol, ends.table.family);
        set(&mut socket.local, ends.local);
        set(&mut socket.peer, ends.peer);
        socket.state = state;
        (socket.cookie, socket.interface) = (self.cookie, self.interface);
        (socket.inode, socket.uid) = (self.inode, self.uid);
        (socket.mark, socket.cgroup_id) = (self.mark, self.cgroup_id);
        socket
    }
}

fn set(end: &mut Endpoint, address: SocketAddr) {
    let ip: IpAddr = address.ip();
    end.ip = Some(ip);
    end.port = Some(u32::from(address.port())).filter(|port| *port != 0);
}
