//! Rows: sockets with looked-up names, and their changes between rounds.

use std::sync::Arc;

use super::{Peer, Place, Process, ProcessStatus, Socket, State};

/// How much of a row was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Only the socket.
    Socket,
    /// Also the names of interface, user, cgroup and network namespace.
    Names,
    /// Everything.
    Owners,
}

/// Defines the borrowed and the owned row. Both copy the members `copied`; those `lent` are borrowed by one and
/// owned by the other.
macro_rules! row {
    (
        copied { $($(#[$about:meta])+ $copied:ident: $value:ty,)+ }
        lent { $($(#[$meaning:meta])+ $lent:ident: $name:ty,)+ }
    ) => {
        /// A row of a listing, valid until the next one. Names are raw and must be escaped on output.
        #[derive(Debug, Clone, Copy)]
        pub struct Row<'a> {
            /// The socket.
            pub socket: &'a Socket,
            /// How much was looked up.
            pub stage: Stage,
            /// True if a process that was not found may hold it.
            pub is_owner_in_doubt: bool,
            $($(#[$about])+ pub $copied: Option<$value>,)+
            $($(#[$meaning])+ pub $lent: Option<&'a $name>,)+
        }

        impl<'a> Row<'a> {
            /// A row without names.
            pub const fn bare(socket: &'a Socket) -> Self {
                Self {
                    socket,
                    stage: Stage::Socket,
                    is_owner_in_doubt: false,
                    $($copied: None,)+
                    $($lent: None,)+
                }
            }
        }

        /// A row that is kept: for sorting, or until host names are known.
        #[derive(Debug, Clone)]
        pub struct OwnedRow {
            socket: Socket,
            is_owner_in_doubt: bool,
            $($copied: Option<$value>,)+
            $($lent: Option<Box<$name>>,)+
        }

        impl OwnedRow {
            /// Copies a row.
            pub fn keep(row: &Row<'_>) -> Self {
                Self {
                    socket: row.socket.clone(),
                    is_owner_in_doubt: row.is_owner_in_doubt,
                    $($copied: row.$copied,)+
                    $($lent: row.$lent.map(Into::into),)+
                }
            }

            /// Borrows it as a row.
            pub fn row(&self) -> Row<'_> {
                Row {
                    socket: &self.socket,
                    stage: Stage::Owners,
                    is_owner_in_doubt: self.is_owner_in_doubt,
                    $($copied: self.$copied,)+
                    $($lent: self.$lent.as_deref(),)+
                }
            }
        }
    };
}

row! {
    copied {
        /// Inode of its network namespace; set for events.
        netns_inode: u32,
        /// True if the path of a unix socket leads to it; `None` = not looked up, or unknown.
        at_path: bool,
        /// Result of the search for processes; `None` = not looked up.
        process_status: ProcessStatus,
    }
    lent {
        /// Name of its interface.
        interface: str,
        /// Name of its user; `None` = not looked up or not found; empty = has none.
        user: str,
        /// Path of its cgroup below the cgroup2 mount, or `gone`; `None` = not looked up, or unknown.
        cgroup: [u8],
        /// The container, pod or unit of that cgroup, or its path; `None` as above.
        made_in: [u8],
        /// Its network namespace; `None` = that of `lsock`.
        netns: [u8],
        /// Its holders, by pid; `None` = not looked up, or unknown.
        processes: [Process],
        /// Where the holders run. Without a known holder, where the socket was made, or else where other
        /// processes of its namespace run; `None` = not looked up, or unknown.
        place: Place,
        /// The processes at the other end; `None` = not looked up.
        peer: Peer,
        /// The TCP subflows of an MPTCP connection; `None` = not looked up, or none.
        subflows: [Socket],
        /// Rates since the round before; `None` = it was not there.
        rates: Rates,
        /// The result of destroying it; `None` = not tried.
        result: str,
        /// Service name of the local port.
        local_service: str,
        /// Service name of the peer's port.
        peer_service: str,
        /// Host name of the local address.
        local_host: str,
        /// Host name of the peer's address.
        peer_host: str,
    }
}

impl OwnedRow {
    /// Sets the result of destroying it.
    pub fn set_result(&mut self, result: Box<str>) {
        self.result = Some(result);
    }

    /// The socket.
    pub const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Sets the host names of the local address and the peer's.
    pub fn name_hosts(&mut self, names: [Option<Box<str>>; 2]) {
        [self.local_host, self.peer_host] = names;
    }
}

/// Bytes that a connection transfers per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Acknowledged by the peer.
    pub acked: u64,
    /// Received.
    pub received: u64,
}

impl From<&Rates> for Box<Rates> {
    fn from(rates: &Rates) -> Self {
        Self::new(*rates)
    }
}

impl From<&Place> for Box<Place> {
    fn from(place: &Place) -> Self {
        Self::new(place.clone())
    }
}

impl From<&Peer> for Box<Peer> {
    fn from(peer: &Peer) -> Self {
        Self::new(peer.clone())
    }
}

/// How a socket differs from the round before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Unchanged.
    None,
    /// Listed in the first round; unknown since when.
    Found,
    /// New in this round.
    New,
    /// It was in this state; if in the same one, its ends differ.
    Changed(State),
    /// No longer listed: closed, or no longer selected.
    Gone,
}

impl Change {
    /// Its word in formats that have one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Found => None,
            Self::New => Some("new"),
            Self::Changed(_) => Some("changed"),
            Self::Gone => Some("gone"),
        }
    }

    /// The state before, if it changed.
    pub const fn old_state(self) -> Option<State> {
        match self {
            Self::Changed(old) => Some(old),
            Self::None | Self::Found | Self::New | Self::Gone => None,
        }
    }
}

/// A row of a round, with its change since the round before.
#[derive(Debug, Clone)]
pub struct ChangedRow {
    /// The socket as it is, or as it was last seen.
    pub row: Arc<OwnedRow>,
    /// The change.
    pub change: Change,
}
