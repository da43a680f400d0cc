//! Optional parts of a listing, and the columns they add.

use super::Field;

/// A set of options that add columns or lines to a listing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Extras(u16);

impl Extras {
    /// The empty set.
    pub const NONE: Self = Self(0);
    /// Unix sockets are listed.
    pub const UNIX: Self = Self(1);
    /// Packet sockets are listed.
    pub const PACKET: Self = Self(1 << 1);
    /// `-e`: user, inode, half-close, interface, mark, cgroup; descriptors of processes.
    pub const EXTENDED: Self = Self(1 << 2);
    /// `-o`: timers.
    pub const TIMERS: Self = Self(1 << 3);
    /// `-i`: `tcp_info` and other structures.
    pub const INFO: Self = Self(1 << 4);
    /// `-m`: memory.
    pub const MEMORY: Self = Self(1 << 5);
    /// `-p`: processes.
    pub const PROCESSES: Self = Self(1 << 6);

    /// `-N` with more than one namespace.
    pub const NETNS: Self = Self(1 << 7);
    /// `-pp`: processes of the peer.
    pub const PEERS: Self = Self(1 << 8);

    /// SCTP sockets are listed.
    pub const SCTP: Self = Self(1 << 10);

    /// `-T`: threads.
    pub const THREADS: Self = Self(1 << 11);
    /// `-Z`: security contexts.
    pub const CONTEXTS: Self = Self(1 << 12);

    /// `--bpf-storage`: BPF socket storage.
    pub const STORAGE: Self = Self(1 << 13);

    /// `-c` with `-i`: bytes per second.
    pub const RATES: Self = Self(1 << 14);

    /// `-K`: the result of destroying.
    pub const RESULT: Self = Self(1 << 9);

    /// The union of both sets.
    #[must_use]
    pub const fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// This set without the members of another.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// True if the sets have a common member.
    pub const fn has(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Fields that only some machine-readable listings have.
    pub(super) fn beside(self) -> impl Iterator<Item = Field> {
        let result = self.has(Self::RESULT).then_some(Field::Result);
        let rates = self.has(Self::RATES).then_some(Field::RATES);
        result.into_iter().chain(rates.into_iter().flatten())
    }

    /// The columns of `table` and `plain`.
    pub(super) fn columns(self) -> Vec<Field> {
        let unix = self.has(Extras::UNIX);
        let extended = self.has(Extras::EXTENDED);
        let processes = self.has(Extras::PROCESSES);
        let columns = [
            (Field::Result, self.has(Extras::RESULT)),
            (Field::Netns, self.has(Extras::NETNS)),
            (Field::Protocol, true),
            (
                Field::Type,
                unix || self.has(Extras::PACKET.with(Extras::SCTP)),
            ),
            (Field::State, true),
            (Field::RecvQueue, true),
            (Field::SendQueue, true),
            (Field::AckedRate, self.has(Extras::RATES)),
            (Field::ReceivedRate, self.has(Extras::RATES)),
            (Field::Local, true),
            (Field::Peer, true),
            (Field::Inode, unix),
            (Field::PeerInode, unix),
            (Field::User, extended),
            (Field::Inode, extended && !unix),
            (Field::Cookie, extended),
            (Field::Shutdown, extended),
            (Field::Interface, extended),
            (Field::LocalAddresses, extended && self.has(Extras::SCTP)),
            (Field::PeerAddresses, extended && self.has(Extras::SCTP)),
            (Field::Mark, extended),
            (Field::Cgroup, extended),
            (Field::SocketOptions, extended),
            (Field::FileInode, extended && unix),
            (Field::FileDevice, extended && unix),
            (Field::AtPath, extended && unix),
            (Field::PendingPeers, extended && unix),
            (Field::Container, extended && processes),
            (Field::Pod, extended && processes),
            (Field::Unit, extended && processes),
            (Field::Timer, self.has(Extras::TIMERS)),
            (Field::Processes, processes),
            (Field::Tid, self.has(Extras::THREADS)),
            (Field::ProcessContext, self.has(Extras::CONTEXTS)),
            (Field::SocketContext, self.has(Extras::CONTEXTS)),
            (Field::PeerProcesses, self.has(Extras::PEERS)),
        ];
        let shown = columns.into_iter().filter(|(_, is_shown)| *is_shown);
        shown.map(|(column, _)| column).collect()
    }
}

impl FromIterator<Self> for Extras {
    fn from_iter<I: IntoIterator<Item = Self>>(extras: I) -> Self {
        extras.into_iter().fold(Self::NONE, Self::with)
    }
}
