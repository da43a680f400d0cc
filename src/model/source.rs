//! Where rows come from.

/// Where rows came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Source {
    /// `sock_diag` netlink.
    #[default]
    Netlink,
    /// The files of `/proc/net`.
    Procfs,
    /// A recording.
    Replay,
}

impl Source {
    /// The name in every format.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Netlink => "netlink",
            Self::Procfs => "procfs",
            Self::Replay => "replay",
        }
    }
}
