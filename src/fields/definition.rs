//! What is said of a field, and what it costs.

use crate::model::{Row, Stage, Table, Unit};

/// Everything that is said of one field.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name, within its structure if it is a part of one.
    pub(super) name: &'static str,
    /// Its key within its structure, where that is not its name.
    pub(super) key: Option<&'static str>,
    /// The familiar short name.
    pub(super) short: Option<&'static str>,
    pub(super) aliases: &'static [&'static str],
    /// Its header in CSV, where that is not its full name.
    pub(super) csv: Option<&'static str>,
    /// Its width in `plain`, which never depends on what is listed. With the columns shown by default
    /// an IPv4 listing is 80 wide.
    pub(super) width: usize,
    /// True if its cells end at the right edge, as numbers do.
    pub(super) is_right: bool,
    /// The words it can hold, where they are few.
    pub(super) words: &'static [&'static str],
    pub(super) unit: Option<Unit>,
    pub(super) cost: Cost,
    /// True for the tables whose sockets can have it.
    pub(super) applies: fn(Table) -> bool,
    /// True if a socket of which it is reported may have none. Where any other is missing, nobody told it.
    pub is_optional: bool,
    /// True for the tables of which netlink reports it.
    pub(super) in_netlink: fn(Table) -> bool,
    /// True for the tables of which `/proc/net` reports it.
    pub(super) in_procfs: fn(Table) -> bool,
}

impl Definition {
    /// A field of every socket, which every source reports, for nothing.
    pub(super) const fn new(name: &'static str, width: usize) -> Self {
        Self {
            name,
            key: None,
            short: None,
            aliases: &[],
            csv: None,
            width,
            is_right: false,
            words: &[],
            unit: None,
            cost: Cost::Free,
            applies: |_| true,
            is_optional: false,
            in_netlink: |_| true,
            in_procfs: |_| true,
        }
    }

    /// A count, or a number that names something.
    pub(super) const fn number(name: &'static str, width: usize) -> Self {
        Self {
            unit: Some(Unit::Count),
            ..Self::right(name, width)
        }
    }

    pub(super) const fn right(name: &'static str, width: usize) -> Self {
        Self {
            is_right: true,
            ..Self::new(name, width)
        }
    }

    pub(super) const fn word(
        name: &'static str,
        width: usize,
        words: &'static [&'static str],
    ) -> Self {
        Self {
            words,
            ..Self::new(name, width)
        }
    }

    /// A structure of the kernel, or a name beside one.
    pub(super) const fn info(name: &'static str, width: usize, applies: fn(Table) -> bool) -> Self {
        Self {
            applies,
            in_procfs: |_| false,
            cost: Cost::Info,
            ..Self::new(name, width)
        }
    }

    /// What is known of where processes run.
    pub(super) const fn place(name: &'static str, width: usize) -> Self {
        Self {
            cost: Cost::Containers,
            is_optional: true,
            ..Self::new(name, width)
        }
    }
}

/// What has to be looked up, or asked of the kernel, before a field can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Nothing: it comes with the socket.
    Free,
    /// The extension `tcp_info` or `mptcp_info`, the congestion control algorithm and the upper layer protocol.
    Info,
    /// The extensions for options of the socket.
    Options,
    /// The extension for socket memory.
    Memory,
    /// The extension for what BPF maps store.
    Storage,
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
    /// Which threads have a descriptor.
    Threads,
    /// Security contexts.
    Contexts,
    /// Where processes run.
    Containers,
    /// The socket at the other end, and its processes.
    Peers,
    /// The listing before this one.
    Rates,
    /// All that is shown, as text.
    Shown,
}

impl Cost {
    /// When it is paid: how far a row must be looked up.
    pub const fn stage(self) -> Stage {
        match self {
            Self::Free
            | Self::Info
            | Self::Options
            | Self::Memory
            | Self::Storage
            | Self::File
            | Self::UnixPeers => Stage::Socket,
            Self::Path
            | Self::Interface
            | Self::User
            | Self::Cgroup
            | Self::Maker
            | Self::Netns
            | Self::Rates => Stage::Names,
            Self::Owners
            | Self::Threads
            | Self::Contexts
            | Self::Containers
            | Self::Peers
            | Self::Shown => Stage::Owners,
        }
    }

    /// True if a row was not looked up far enough, and its socket has what a look-up starts from.
    pub(super) fn is_pending(self, row: &Row<'_>) -> bool {
        let socket = row.socket;
        let has_key = match self {
            Self::Free
            | Self::Info
            | Self::Options
            | Self::Memory
            | Self::Storage
            | Self::File
            | Self::UnixPeers
            | Self::Rates => return false,
            // Who holds it may see another file there.
            Self::Path if row.at_path.is_none() => {
                return socket.file().is_some() && row.stage < Stage::Owners;
            }
            Self::Path => false,
            Self::Interface => socket.interface.is_some(),
            Self::User => socket.uid.is_some(),
            Self::Cgroup | Self::Maker => socket.cgroup_id.is_some(),
            Self::Netns | Self::Containers | Self::Peers | Self::Shown => true,
            Self::Owners | Self::Threads | Self::Contexts => socket.may_be_held(),
        };
        has_key && row.stage < self.stage()
    }
}
