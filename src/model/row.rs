//! A socket with the names that were looked up for it, and what became of it since the round before.

use std::sync::Arc;

use super::{Peer, Place, Process, ProcessStatus, Socket, State};

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

/// Makes a row, and one that is kept, of each thing that was looked up for a socket: what is `copied`, and
/// what is `lent` to the one and owned by the other.
macro_rules! row {
    (
        copied { $($(#[$about:meta])+ $copied:ident: $value:ty,)+ }
        lent { $($(#[$meaning:meta])+ $lent:ident: $name:ty,)+ }
    ) => {
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
            $($(#[$about])+ pub $copied: Option<$value>,)+
            $($(#[$meaning])+ pub $lent: Option<&'a $name>,)+
        }

        impl<'a> Row<'a> {
            /// A row without any names.
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

        /// A row that was kept: for a sort, or until host names are known.
        #[derive(Debug, Clone)]
        pub struct OwnedRow {
            socket: Socket,
            is_owner_in_doubt: bool,
            $($copied: Option<$value>,)+
            $($lent: Option<Box<$name>>,)+
        }

        impl OwnedRow {
            /// Keeps a row.
            pub fn keep(row: &Row<'_>) -> Self {
                Self {
                    socket: row.socket.clone(),
                    is_owner_in_doubt: row.is_owner_in_doubt,
                    $($copied: row.$copied,)+
                    $($lent: row.$lent.map(Into::into),)+
                }
            }

            /// Lends it again.
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
        /// The inode of its network namespace; told of events.
        netns_inode: u32,
        /// True if the path of a unix socket leads to it; `None` = not looked up, or it cannot be told.
        at_path: bool,
        /// What the search for processes came to; `None` = not looked up.
        process_status: ProcessStatus,
    }
    lent {
        /// The name of its interface.
        interface: str,
        /// The name of its user; `None` = not looked up, or not found; empty = known to have none.
        user: str,
        /// The path of its cgroup below the cgroup2 mount, or `gone`; `None` = not looked up, or it cannot be told.
        cgroup: [u8],
        /// The container, the pod or the unit that this cgroup is, else what it is itself; `None` likewise.
        made_in: [u8],
        /// Its network namespace; `None` = the one `lsock` runs in.
        netns: [u8],
        /// Who holds it, by pid; `None` = not looked up, or it cannot be told.
        processes: [Process],
        /// Where they run; where nobody is known to hold the socket, where it was made, else who else is there;
        /// `None` = not looked up, or it cannot be told.
        place: Place,
        /// Who is at the other end; `None` = not looked up.
        peer: Peer,
        /// The TCP connections that an MPTCP connection uses; `None` = not looked up, or there are none.
        subflows: [Socket],
        /// Since the listing before; `None` = that did not have it.
        rates: Rates,
        /// What came of ending it; `None` = nobody tried.
        result: str,
        /// The service at its own port.
        local_service: str,
        /// The service at the peer's port.
        peer_service: str,
        /// The host name of its own address.
        local_host: str,
        /// The host name of the peer's address.
        peer_host: str,
    }
}

impl OwnedRow {
    /// Takes what came of ending it.
    pub fn set_result(&mut self, result: Box<str>) {
        self.result = Some(result);
    }

    /// The socket.
    pub const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Takes the host names of its own address and of the peer's.
    pub fn name_hosts(&mut self, names: [Option<Box<str>>; 2]) {
        [self.local_host, self.peer_host] = names;
    }
}

/// Bytes that a connection transfers in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rates {
    /// Those that the peer acknowledges.
    pub acked: u64,
    /// Those that are received.
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

/// What is to be said of a socket, compared with the round before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: it is where it was.
    None,
    /// It is listed for the first time, and nobody knows since when it is there: in the first round.
    Found,
    /// It was not there.
    New,
    /// It was in this state; or in the same one, and has other ends now.
    Changed(State),
    /// It is not listed any more: closed, or no longer what is asked for.
    Gone,
}

impl Change {
    /// The word for it in every format that has one.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::None | Self::Found => None,
            Self::New => Some("new"),
            Self::Changed(_) => Some("changed"),
            Self::Gone => Some("gone"),
        }
    }

    /// The state it left, where it did.
    pub const fn old_state(self) -> Option<State> {
        match self {
            Self::Changed(old) => Some(old),
            Self::None | Self::Found | Self::New | Self::Gone => None,
        }
    }
}

/// A row of a round, and what became of its socket since the round before.
#[derive(Debug, Clone)]
pub struct ChangedRow {
    /// The socket as it is now, or was last.
    pub row: Arc<OwnedRow>,
    /// What became of it.
    pub change: Change,
}
