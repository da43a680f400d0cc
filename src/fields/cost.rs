//! What fields cost.

use crate::model::{Row, Stage};

/// What has to be looked up, or asked of the kernel, before a field can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Nothing: it comes with the socket.
    Free,
    /// The extension `tcp_info` or `mptcp_info`, and the congestion control algorithm.
    Info,
    /// The extension for socket memory.
    Memory,
    /// The extension for the files of unix sockets, and who waits for them.
    File,
    /// Where the path of a unix socket leads.
    Path,
    /// The names of the peers of unix sockets.
    UnixPeers,
    /// The name of an interface.
    Interface,
    /// The name of a user.
    User,
    /// The path of a cgroup.
    Cgroup,
    /// What a cgroup is.
    Maker,
    /// The name of a network namespace.
    Netns,
    /// Processes.
    Owners,
    /// Where processes run.
    Containers,
    /// The socket at the other end, and its processes.
    Peers,
    /// All that is shown, as text.
    Shown,
}

impl Cost {
    /// When it is paid: how far a row must be looked up.
    pub const fn stage(self) -> Stage {
        match self {
            Self::Free | Self::Info | Self::Memory | Self::File | Self::UnixPeers => Stage::Socket,
            Self::Path
            | Self::Interface
            | Self::User
            | Self::Cgroup
            | Self::Maker
            | Self::Netns => Stage::Names,
            Self::Owners | Self::Containers | Self::Peers | Self::Shown => Stage::Owners,
        }
    }

    /// True if a row was not looked up far enough, and its socket has what a look-up starts from.
    pub(super) fn is_pending(self, row: &Row<'_>) -> bool {
        let socket = row.socket;
        let has_key = match self {
            Self::Free | Self::Info | Self::Memory | Self::File | Self::UnixPeers => return false,
            // Who holds it may see another file there.
            Self::Path if row.at_path.is_none() => {
                return socket.file().is_some() && row.stage < Stage::Owners;
            }
            Self::Path => false,
            Self::Interface => socket.interface.is_some(),
            Self::User => socket.uid.is_some(),
            Self::Cgroup | Self::Maker => socket.cgroup_id.is_some(),
            Self::Netns | Self::Containers | Self::Peers | Self::Shown => true,
            Self::Owners => socket.may_be_held(),
        };
        has_key && row.stage < self.stage()
    }
}
