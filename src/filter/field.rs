//! The fields of a socket under the names of the vocabulary.

use crate::model::{InfoField, MPTCP_INFO, Memory, TCP_INFO, Unit};

/// A field that a test can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `protocol`
    Protocol,
    /// `family`
    Family,
    /// `type`
    Type,
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
    /// `timer`: its kind
    Timer,
    /// `timer.expires_ms`
    TimerExpires,
    /// `timer.retransmits`
    TimerRetransmits,
    /// `mark`
    Mark,
    /// `cgroup`
    Cgroup,
    /// `netns`
    Netns,
    /// `peer_inode`
    PeerInode,
    /// `pid`
    Pid,
    /// `process`: its name
    Process,
    /// `command`
    Command,
    /// `process_user`
    ProcessUser,
    /// `fd`
    Fd,
    /// `process_status`
    ProcessStatus,
    /// `congestion`
    Congestion,
    /// `tcp_info.…`
    TcpInfo(&'static InfoField),
    /// `mptcp_info.…`
    MptcpInfo(&'static InfoField),
    /// `memory.…`: the place in [`Memory::fields`]
    Memory(usize),
}

impl Field {
    /// Every field but those within kernel structures, in the order of the vocabulary.
    pub const PLAIN: [Self; 29] = [
        Self::Protocol,
        Self::Family,
        Self::Type,
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
        Self::TimerExpires,
        Self::TimerRetransmits,
        Self::Mark,
        Self::Cgroup,
        Self::Netns,
        Self::PeerInode,
        Self::Pid,
        Self::Process,
        Self::Command,
        Self::ProcessUser,
        Self::Fd,
        Self::ProcessStatus,
        Self::Congestion,
    ];

    /// Those about the processes that hold a socket.
    pub const OWNERS: [Self; 6] = [
        Self::Pid,
        Self::Process,
        Self::Command,
        Self::ProcessUser,
        Self::Fd,
        Self::ProcessStatus,
    ];

    /// Every field there is.
    pub fn every() -> impl Iterator<Item = Self> {
        let memory = 0..Memory::default().fields().len();
        Self::PLAIN
            .into_iter()
            .chain(TCP_INFO.iter().map(Self::TcpInfo))
            .chain(MPTCP_INFO.iter().map(Self::MptcpInfo))
            .chain(memory.map(Self::Memory))
    }

    /// The structure it is a part of, with a dot: `tcp_info.`; empty for most.
    pub const fn structure(self) -> &'static str {
        match self {
            Self::TimerExpires | Self::TimerRetransmits => "timer.",
            Self::TcpInfo(_) => "tcp_info.",
            Self::MptcpInfo(_) => "mptcp_info.",
            Self::Memory(_) => "memory.",
            _ => "",
        }
    }

    /// Is it a field of its own, and no part of a structure?
    pub(super) const fn is_whole(self) -> bool {
        self.structure().is_empty()
    }

    /// Its name within its structure.
    pub fn own_name(self) -> &'static str {
        match self {
            Self::Protocol => "protocol",
            Self::Family => "family",
            Self::Type => "type",
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
            Self::TimerExpires => "expires_ms",
            Self::TimerRetransmits => "retransmits",
            Self::Mark => "mark",
            Self::Cgroup => "cgroup",
            Self::Netns => "netns",
            Self::PeerInode => "peer_inode",
            Self::Pid => "pid",
            Self::Process => "process",
            Self::Command => "command",
            Self::ProcessUser => "process_user",
            Self::Fd => "fd",
            Self::ProcessStatus => "process_status",
            Self::Congestion => "congestion",
            Self::TcpInfo(field) | Self::MptcpInfo(field) => field.name,
            Self::Memory(place) => Memory::default()
                .fields()
                .get(place)
                .map_or("", |(name, _)| *name),
        }
    }

    /// Its full name.
    pub fn name(self) -> String {
        format!("{}{}", self.structure(), self.own_name())
    }

    /// The words such a field can hold, where they are few.
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Self::Protocol => &[
                "tcp", "udp", "udplite", "raw", "icmp", "mptcp", "unix", "packet", "netlink",
            ],
            Self::Family => &["inet", "inet6", "unix", "packet", "netlink"],
            Self::Type => &["stream", "dgram", "raw", "seqpacket"],
            Self::Shutdown => &["none", "receive", "send", "both"],
            Self::Timer => &["retransmit", "keepalive", "time_wait", "probe"],
            Self::ProcessStatus => &["found", "none", "unreadable"],
            _ => &[],
        }
    }

    /// What its number counts; `None` for a field that holds no number.
    pub const fn unit(self) -> Option<Unit> {
        match self {
            Self::RecvQueue | Self::SendQueue => Some(Unit::Bytes),
            Self::TimerExpires => Some(Unit::Millis),
            Self::Memory(place) => Some(if place == MEMORY_DROPS {
                Unit::Count
            } else {
                Unit::Bytes
            }),
            Self::TcpInfo(field) | Self::MptcpInfo(field) => Some(field.unit),
            Self::Uid
            | Self::Inode
            | Self::Cookie
            | Self::TimerRetransmits
            | Self::Mark
            | Self::PeerInode
            | Self::Pid
            | Self::Fd => Some(Unit::Count),
            _ => None,
        }
    }
}

/// The place of `drops`, the only one that counts no bytes, in [`Memory::fields`].
const MEMORY_DROPS: usize = 8;
