//! What fields cost.

use super::Field;
use crate::model::{Row, Stage};

/// What has to be looked up, or asked of the kernel, before a field can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    /// The name of a network namespace.
    Netns,
    /// Processes.
    Owners,
    /// Where processes run.
    Containers,
    /// The socket at the other end, and its processes.
    Peers,
}

impl Cost {
    /// When it is paid: how far a row must be looked up.
    pub const fn stage(self) -> Stage {
        match self {
            Self::Free | Self::Info | Self::Memory | Self::File | Self::UnixPeers => Stage::Socket,
            Self::Path | Self::Interface | Self::User | Self::Cgroup | Self::Netns => Stage::Names,
            Self::Owners | Self::Containers | Self::Peers => Stage::Owners,
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
            Self::Cgroup => socket.cgroup_id.is_some(),
            Self::Netns | Self::Containers | Self::Peers => true,
            Self::Owners => socket.may_be_held(),
        };
        has_key && row.stage < self.stage()
    }
}

/// What must be looked up, or asked for, before some fields can be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is needed or not, whatever the others"
)]
pub struct Needs {
    /// True if `tcp_info`, `mptcp_info` or `congestion` is needed.
    pub info: bool,
    /// True if socket memory is needed.
    pub memory: bool,
    /// True if the files of unix sockets, and who waits for them, are needed.
    pub files: bool,
    /// True if it is needed where the paths of unix sockets lead.
    pub paths: bool,
    /// True if the names of the peers of unix sockets are needed.
    pub unix_peers: bool,
    /// True if the names of users are needed.
    pub users: bool,
    /// True if the paths of cgroups are needed.
    pub cgroups: bool,
    /// True if processes are needed.
    pub owners: bool,
    /// True if it is needed where processes run.
    pub containers: bool,
    /// True if it is needed who is at the other end.
    pub peers: bool,
    /// True if the network namespace is needed.
    pub netns: bool,
    /// True if the shown text is needed.
    pub shown: bool,
}

impl Needs {
    /// Adds what a field needs.
    pub fn add(&mut self, field: Field) {
        match field.cost() {
            Cost::Free | Cost::Interface => {}
            Cost::Netns => self.netns = true,
            Cost::Info => self.info = true,
            Cost::Memory => self.memory = true,
            Cost::File => self.files = true,
            Cost::Path => {
                self.files = true;
                self.paths = true;
            }
            Cost::UnixPeers => self.unix_peers = true,
            Cost::User => self.users = true,
            Cost::Cgroup => self.cgroups = true,
            Cost::Containers => {
                // What nobody holds is where it was made.
                self.cgroups = true;
                self.owners = true;
                self.containers = true;
            }
            Cost::Peers => {
                self.owners = true;
                self.peers = true;
                self.containers |= field == Field::PeerContainer;
                self.netns |= field == Field::PeerNetns;
            }
            Cost::Owners => {
                self.owners = true;
                self.users |= field == Field::ProcessUser;
            }
        }
    }

    /// What these fields need.
    pub fn of(fields: impl IntoIterator<Item = Field>) -> Self {
        let mut needs = Self::default();
        fields.into_iter().for_each(|field| needs.add(field));
        needs
    }
}
