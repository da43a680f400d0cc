//! The vocabulary: every field under its one name, for `--columns`, `--sort`, JSON and CSV.

/// A field of a row, in the order of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// `protocol`
    Protocol,
    /// `family`
    Family,
    /// `type`
    Type,
    /// `state`
    State,
    /// `recv_queue`
    RecvQueue,
    /// `send_queue`
    SendQueue,
    /// `local_address`
    LocalAddress,
    /// `local_port`
    LocalPort,
    /// `peer_address`
    PeerAddress,
    /// `peer_port`
    PeerPort,
    /// `interface`
    Interface,
    /// `uid`
    Uid,
    /// `user`
    User,
    /// `inode`
    Inode,
    /// `cookie`
    Cookie,
    /// `shutdown`
    Shutdown,
    /// `timer`
    Timer,
    /// `mark`
    Mark,
    /// `cgroup`
    Cgroup,
    /// `netns`
    Netns,
    /// `peer_inode`
    PeerInode,
    /// `processes`
    Processes,
    /// `process_status`
    ProcessStatus,
    /// `congestion`
    Congestion,
    /// `tcp_info`
    TcpInfo,
    /// `mptcp_info`
    MptcpInfo,
    /// `memory`
    Memory,
    /// `local`: address, interface and port in one cell.
    Local,
    /// `peer`: likewise.
    Peer,
}

impl Column {
    /// Every field of the vocabulary, in the order of JSON.
    pub const VOCABULARY: [Self; 27] = [
        Self::Protocol,
        Self::Family,
        Self::Type,
        Self::State,
        Self::RecvQueue,
        Self::SendQueue,
        Self::LocalAddress,
        Self::LocalPort,
        Self::PeerAddress,
        Self::PeerPort,
        Self::Interface,
        Self::Uid,
        Self::User,
        Self::Inode,
        Self::Cookie,
        Self::Shutdown,
        Self::Timer,
        Self::Mark,
        Self::Cgroup,
        Self::Netns,
        Self::PeerInode,
        Self::Processes,
        Self::ProcessStatus,
        Self::Congestion,
        Self::TcpInfo,
        Self::MptcpInfo,
        Self::Memory,
    ];

    /// The two that put address, interface and port into one cell.
    pub const COMBINED: [Self; 2] = [Self::Local, Self::Peer];

    /// Its name: JSON key, CSV header, word of `--columns` and `--sort`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Family => "family",
            Self::Type => "type",
            Self::State => "state",
            Self::RecvQueue => "recv_queue",
            Self::SendQueue => "send_queue",
            Self::LocalAddress => "local_address",
            Self::LocalPort => "local_port",
            Self::PeerAddress => "peer_address",
            Self::PeerPort => "peer_port",
            Self::Interface => "interface",
            Self::Uid => "uid",
            Self::User => "user",
            Self::Inode => "inode",
            Self::Cookie => "cookie",
            Self::Shutdown => "shutdown",
            Self::Timer => "timer",
            Self::Mark => "mark",
            Self::Cgroup => "cgroup",
            Self::Netns => "netns",
            Self::PeerInode => "peer_inode",
            Self::Processes => "processes",
            Self::ProcessStatus => "process_status",
            Self::Congestion => "congestion",
            Self::TcpInfo => "tcp_info",
            Self::MptcpInfo => "mptcp_info",
            Self::Memory => "memory",
            Self::Local => "local",
            Self::Peer => "peer",
        }
    }

    /// The column with this name, or with a familiar short one: `proto`, `recv_q`, `send_q`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "proto" => Some(Self::Protocol),
            "recv_q" => Some(Self::RecvQueue),
            "send_q" => Some(Self::SendQueue),
            _ => Self::VOCABULARY
                .into_iter()
                .chain(Self::COMBINED)
                .find(|column| column.name() == name),
        }
    }

    /// Its title in text.
    pub fn title(self) -> String {
        match self {
            Self::Protocol => "PROTO".to_owned(),
            Self::RecvQueue => "RECV_Q".to_owned(),
            Self::SendQueue => "SEND_Q".to_owned(),
            other => other.name().to_ascii_uppercase(),
        }
    }

    /// Can rows be ordered by it? Not by a structure that has no order.
    pub const fn is_sortable(self) -> bool {
        !matches!(self, Self::TcpInfo | Self::MptcpInfo | Self::Memory)
    }

    /// Is it text of any length that may be broken over lines? Never an address or a number.
    pub(super) const fn is_free_text(self) -> bool {
        matches!(
            self,
            Self::Processes | Self::Cgroup | Self::TcpInfo | Self::MptcpInfo | Self::Memory
        )
    }

    /// Do its cells end at the right edge, as numbers do?
    pub(super) const fn is_number(self) -> bool {
        matches!(
            self,
            Self::RecvQueue
                | Self::SendQueue
                | Self::LocalPort
                | Self::PeerPort
                | Self::Uid
                | Self::Inode
                | Self::Mark
                | Self::PeerInode
        )
    }

    /// Is it a port, which may be written as a service?
    pub(super) const fn is_port(self) -> bool {
        matches!(self, Self::LocalPort | Self::PeerPort)
    }

    /// Its width in `plain`, which never depends on what is listed.
    ///
    /// With the columns shown by default an IPv4 listing is 80 wide.
    pub(super) const fn plain_width(self) -> usize {
        match self {
            Self::RecvQueue | Self::SendQueue => 6,
            Self::Protocol | Self::Family => 7,
            Self::Cookie | Self::Shutdown | Self::TcpInfo | Self::Memory => 8,
            Self::Type | Self::Interface => 9,
            Self::LocalPort
            | Self::PeerPort
            | Self::Uid
            | Self::User
            | Self::Inode
            | Self::PeerInode
            | Self::Mark
            | Self::Congestion
            | Self::MptcpInfo => 10,
            Self::State => 11,
            Self::Netns => 12,
            Self::ProcessStatus => 14,
            Self::LocalAddress | Self::PeerAddress => 15,
            Self::Timer => 20,
            Self::Local | Self::Peer | Self::Processes => 24,
            Self::Cgroup => 40,
        }
    }
}
