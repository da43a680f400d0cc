//! A socket with the names that were looked up for it.

use super::{Peer, Place, Process, ProcessStatus, Socket};

/// How far a row was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The socket alone.
    Socket,
    /// The names of interface, user, cgroup and network namespace too.
    Names,
    /// Everything.
    Owners,
}

/// A row of a listing, borrowed: valid until the next one. Names are as they were found: whoever
/// writes them escapes them.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The socket.
    pub socket: &'a Socket,
    /// How far it was looked up.
    pub stage: Stage,
    /// True if a process that was not found may hold it.
    pub is_owner_in_doubt: bool,
    /// The name of its interface.
    pub interface: Option<&'a str>,
    /// The name of its user; `None` = not looked up, or not found; empty = known to have none.
    pub user: Option<&'a str>,
    /// The path of its cgroup below the cgroup2 mount, or `gone`; `None` = not looked up, or it cannot be told.
    pub cgroup: Option<&'a [u8]>,
    /// The container, the pod or the unit that this cgroup is, else what it is itself; `None` likewise.
    pub made_in: Option<&'a [u8]>,
    /// Its network namespace; `None` = the one `lsock` runs in.
    pub netns: Option<&'a str>,
    /// The inode of that; told of events.
    pub netns_inode: Option<u32>,
    /// True if the path of a unix socket leads to it; `None` = not looked up, or it cannot be told.
    pub at_path: Option<bool>,
    /// Who holds it, by pid; `None` = not looked up, or it cannot be told.
    pub processes: Option<&'a [Process]>,
    /// What the search came to; `None` = not looked up.
    pub process_status: Option<ProcessStatus>,
    /// Where they run; where nobody is known to hold the socket, where it was made, else who else is there;
    /// `None` = not looked up, or it cannot be told.
    pub place: Option<&'a Place>,
    /// Who is at the other end; `None` = not looked up.
    pub peer: Option<&'a Peer>,
    /// The service at its own port.
    pub local_service: Option<&'a str>,
    /// The service at the peer's port.
    pub peer_service: Option<&'a str>,
    /// The host name of its own address.
    pub local_host: Option<&'a str>,
    /// The host name of the peer's address.
    pub peer_host: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// A row without any names.
    pub const fn bare(socket: &'a Socket) -> Self {
        Self {
            socket,
            stage: Stage::Socket,
            is_owner_in_doubt: false,
            interface: None,
            user: None,
            cgroup: None,
            made_in: None,
            netns: None,
            netns_inode: None,
            at_path: None,
            processes: None,
            process_status: None,
            place: None,
            peer: None,
            local_service: None,
            peer_service: None,
            local_host: None,
            peer_host: None,
        }
    }
}

/// A row that was kept: for a sort, or until host names are known.
#[derive(Debug, Clone)]
pub struct OwnedRow {
    socket: Socket,
    is_owner_in_doubt: bool,
    interface: Option<Box<str>>,
    user: Option<Box<str>>,
    cgroup: Option<Box<[u8]>>,
    made_in: Option<Box<[u8]>>,
    netns: Option<Box<str>>,
    netns_inode: Option<u32>,
    at_path: Option<bool>,
    processes: Option<Box<[Process]>>,
    process_status: Option<ProcessStatus>,
    place: Option<Box<Place>>,
    peer: Option<Box<Peer>>,
    local_service: Option<Box<str>>,
    peer_service: Option<Box<str>>,
    /// Set when host names are known.
    pub local_host: Option<Box<str>>,
    /// Set when host names are known.
    pub peer_host: Option<Box<str>>,
}

impl OwnedRow {
    /// Keeps a row.
    pub fn keep(row: &Row<'_>) -> Self {
        Self {
            socket: row.socket.clone(),
            is_owner_in_doubt: row.is_owner_in_doubt,
            interface: row.interface.map(Into::into),
            user: row.user.map(Into::into),
            cgroup: row.cgroup.map(Into::into),
            made_in: row.made_in.map(Into::into),
            netns: row.netns.map(Into::into),
            netns_inode: row.netns_inode,
            at_path: row.at_path,
            processes: row.processes.map(Into::into),
            process_status: row.process_status,
            place: row.place.map(|place| Box::new(place.clone())),
            peer: row.peer.map(|peer| Box::new(peer.clone())),
            local_service: row.local_service.map(Into::into),
            peer_service: row.peer_service.map(Into::into),
            local_host: row.local_host.map(Into::into),
            peer_host: row.peer_host.map(Into::into),
        }
    }

    /// Lends it again.
    pub fn row(&self) -> Row<'_> {
        Row {
            socket: &self.socket,
            stage: Stage::Owners,
            is_owner_in_doubt: self.is_owner_in_doubt,
            interface: self.interface.as_deref(),
            user: self.user.as_deref(),
            cgroup: self.cgroup.as_deref(),
            made_in: self.made_in.as_deref(),
            netns: self.netns.as_deref(),
            netns_inode: self.netns_inode,
            at_path: self.at_path,
            processes: self.processes.as_deref(),
            process_status: self.process_status,
            place: self.place.as_deref(),
            peer: self.peer.as_deref(),
            local_service: self.local_service.as_deref(),
            peer_service: self.peer_service.as_deref(),
            local_host: self.local_host.as_deref(),
            peer_host: self.peer_host.as_deref(),
        }
    }
}
