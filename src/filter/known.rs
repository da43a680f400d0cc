//! Which fields the sockets of a table have, and which of them `/proc` tells.

use super::{Field, Side, Test};
use crate::model::{Family, Memory, Protocol, Table};

impl Side {
    /// The field of its port.
    pub(super) const fn port(self) -> Field {
        match self {
            Self::Local => Field::LocalPort,
            Self::Peer => Field::PeerPort,
        }
    }

    /// The field of its address.
    pub(super) const fn address(self) -> Field {
        match self {
            Self::Local => Field::LocalAddress,
            Self::Peer => Field::PeerAddress,
        }
    }
}

impl Test {
    /// The field it looks at, where it is one.
    pub(super) const fn field(&self) -> Option<Field> {
        match self {
            Self::Word { field, .. }
            | Self::Number { field, .. }
            | Self::Text { field, .. }
            | Self::Missing { field, .. } => Some(*field),
            Self::Host { side, .. } | Self::Name { side, .. } => Some(side.address()),
            Self::Port { side, .. } => Some(side.port()),
            Self::Mark { .. } => Some(Field::Mark),
            Self::Interface { .. } => Some(Field::Interface),
            Self::Cgroup { .. } => Some(Field::Cgroup),
            Self::State(_)
            | Self::Autobound { .. }
            | Self::HalfClosed
            | Self::Orphan
            | Self::Shown(_) => None,
        }
    }
}

impl Test {
    /// The field that must be told for it to be answered; of a half-close, where the state does not
    /// tell it. Whether a field has a value is no question to it: one that was not told has none.
    pub(super) const fn told_field(&self, protocol: Protocol) -> Option<Field> {
        match self {
            Self::HalfClosed if !matches!(protocol, Protocol::Tcp | Protocol::Mptcp) => {
                Some(Field::Shutdown)
            }
            Self::Missing { .. } => None,
            other => other.field(),
        }
    }
}

pub(super) const fn is_ip(table: Table) -> bool {
    matches!(table.family, Family::Inet | Family::Inet6)
}

/// Can a socket of this table have this field, whoever tells?
pub(super) fn has(table: Table, field: Field) -> bool {
    use Field as F;
    let protocol = table.protocol;
    let ip = is_ip(table);
    match field {
        F::Type => matches!(protocol, Protocol::Unix | Protocol::Packet),
        F::LocalPort => protocol != Protocol::Unix,
        F::PeerPort => ip || protocol == Protocol::Netlink,
        F::LocalAddress | F::PeerAddress => protocol != Protocol::Packet,
        F::Interface => ip || protocol == Protocol::Packet,
        F::Uid | F::User => protocol != Protocol::Netlink,
        F::Shutdown => ip || protocol == Protocol::Unix,
        F::Timer | F::TimerExpires | F::TimerRetransmits | F::Mark | F::Cgroup => ip,
        F::Congestion => matches!(protocol, Protocol::Tcp | Protocol::Mptcp),
        F::PeerInode => protocol == Protocol::Unix,
        F::TcpInfo(_) => protocol == Protocol::Tcp,
        F::MptcpInfo(_) => protocol == Protocol::Mptcp,
        F::Memory(place) => place < Memory::default().fields().len(),
        F::Protocol
        | F::Family
        | F::RecvQueue
        | F::SendQueue
        | F::Inode
        | F::Cookie
        | F::Netns
        | F::Pid
        | F::Process
        | F::Command
        | F::ProcessUser
        | F::Fd
        | F::ProcessStatus => true,
    }
}

/// Does `/proc` tell this field of the sockets of this table, if they have it? (Only the limit of a
/// listener's queue it does not, where it tells `send_queue` else.)
pub(super) fn is_in_procfs(table: Table, field: Field) -> bool {
    use Field as F;
    let protocol = table.protocol;
    let ip = is_ip(table);
    match field {
        F::Cookie
        | F::Shutdown
        | F::Mark
        | F::Cgroup
        | F::Congestion
        | F::TcpInfo(_)
        | F::MptcpInfo(_)
        | F::PeerInode => false,
        F::RecvQueue | F::Uid | F::User => protocol != Protocol::Unix,
        F::SendQueue => ip || protocol == Protocol::Netlink,
        F::PeerAddress | F::PeerPort => ip,
        F::Interface => protocol == Protocol::Packet,
        // Only what was dropped.
        F::Memory(place) => {
            let dropped = !matches!(
                protocol,
                Protocol::Tcp | Protocol::Unix | Protocol::Packet | Protocol::Mptcp
            );
            dropped && Field::Memory(place).own_name() == "drops"
        }
        _ => true,
    }
}
