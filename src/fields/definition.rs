//! Definitions of fields: names, widths, sources and costs.

use crate::model::{Row, Stage, Table, Unit};

/// The definition of a field.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Its name, without the structure it belongs to.
    pub(super) name: &'static str,
    /// Its key within its structure, if other than its name.
    pub(super) key: Option<&'static str>,
    /// The common short name.
    pub(super) short: Option<&'static str>,
    pub(super) aliases: &'static [&'static str],
    /// Its header in CSV, if other than its full name.
    pub(super) csv: Option<&'static str>,
    /// Its width in `plain`, whatever is listed. With the default columns an IPv4 listing is 80 wide.
    pub(super) width: usize,
    /// True if its cells are right-aligned, like numbers.
    pub(super) is_right: bool,
    /// The words it can hold, if they are few.
    pub(super) words: &'static [&'static str],
    pub(super) unit: Option<Unit>,
    pub(super) cost: Cost,
    /// True for tables whose sockets can have it.
    pub(super) applies: fn(Table) -> bool,
    /// True if it may be absent where it is reported. If any other field is missing, nobody reported it.
    pub is_optional: bool,
    /// True for tables for which netlink reports it.
    pub(super) in_netlink: fn(Table) -> bool,
    /// True for tables for which `/proc/net` reports it.
    pub(super) in_procfs: fn(Table) -> bool,
}

impl Definition {
    /// A field that every socket has and every source reports, at no cost.
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

    /// A count, or a number that identifies something.
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

    /// A kernel structure, or a name that comes with one.
    pub(super) const fn info(name: &'static str, width: usize, applies: fn(Table) -> bool) -> Self {
        Self {
            applies,
            in_procfs: |_| false,
            cost: Cost::Info,
            ..Self::new(name, width)
        }
    }

    /// A fact about where processes run.
    pub(super) const fn place(name: &'static str, width: usize) -> Self {
        Self {
            cost: Cost::Containers,
            is_optional: true,
            ..Self::new(name, width)
        }
    }
}

/// What must be looked up, or requested from the kernel, to read a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cost {
    /// Nothing: it comes with the socket.
    Free,
    /// The extension `tcp_info` or `mptcp_info`, the congestion control algorithm and the ULP.
    Info,
    /// The extensions for socket options.
    Options,
    /// The extension for socket memory.
    Memory,
    /// The extension for BPF socket storage.
    Storage,
    /// The extension for the files and pending peers of unix sockets.
    File,
    /// The file at the path of a unix socket.
    Path,
    /// Names of the peers of unix sockets.
    UnixPeers,
    /// Names of interfaces.
    Interface,
    /// Names of users.
    User,
    /// Paths of cgroups.
    Cgroup,
    /// The container, pod or unit of a cgroup.
    Maker,
    /// Names of network namespaces.
    Netns,
    /// Processes.
    Owners,
    /// The threads that have a descriptor.
    Threads,
    /// Security contexts.
    Contexts,
    /// Where processes run.
    Containers,
    /// The socket at the other end, and its processes.
    Peers,
    /// The previous round.
    Rates,
    /// Everything shown, as text.
    Shown,
}

impl Cost {
    /// How far a row must be looked up for it.
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

    /// True if the row was not looked up far enough, and its socket has the key for a lookup.
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
            // A holder may see another file there.
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
