//! The fields of a socket: one definition each, from which everything else follows.
//!
//! A [`Field`] is a property of a socket: a JSON key, a CSV header, a word of `--columns`, `--sort` and
//! filters. Its [`Definition`] in `table` has its names, the sockets that have it, the sources that report
//! it, and its cost. [`Field::get`] reads it from a row for output; [`Field::value`] also says why it is
//! missing. A new field needs a definition in `table`, a line in `value`, and its description in
//! `schema.json` and the manual.

mod definition;
mod lookup;
mod shape;
mod table;
mod value;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use crate::model::{Memory, Source, Structure, Table, Unit};
pub use definition::{Cost, Definition};
pub use lookup::Unknown;
pub use shape::Shape;
pub use table::Field;
pub use value::{Datum, Side, Value};

/// Cached: every word of a filter is looked up in it.
static COMPARABLE: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let fields = Field::VOCABULARY
        .into_iter()
        .filter(|field| *field != Field::State);
    fields.flat_map(Field::flat).collect()
});

impl Field {
    /// The columns that combine address, interface and port.
    pub const COMBINED: [Self; 2] = [Self::Local, Self::Peer];

    /// Fields computed from two rounds.
    pub const RATES: [Self; 2] = [Self::AckedRate, Self::ReceivedRate];

    /// The parts of a structure, in the order of every format; empty for other fields.
    pub fn parts(self) -> Vec<Self> {
        match self {
            Self::Timer => vec![Self::TimerKind, Self::TimerExpires, Self::TimerRetransmits],
            Self::Processes => vec![
                Self::Pid,
                Self::Process,
                Self::Command,
                Self::ProcessUser,
                Self::Fd,
                Self::Tid,
                Self::ProcessContext,
                Self::SocketContext,
            ],
            Self::PeerProcesses => vec![Self::PeerPid, Self::PeerProcess],
            Self::Memory => {
                let places = 0..Memory::FIELDS.len();
                places.map(Self::MemoryPart).collect()
            }
            other => match other.as_structure() {
                Some(structure) => structure.fields().iter().map(Self::InfoPart).collect(),
                None => Vec::new(),
            },
        }
    }

    /// The kernel structure that it is, if any.
    pub const fn as_structure(self) -> Option<Structure> {
        Some(match self {
            Self::SocketOptions => Structure::SocketOptions,
            Self::CongestionInfo => Structure::CongestionInfo,
            Self::TcpInfo => Structure::TcpInfo,
            Self::MptcpInfo => Structure::MptcpInfo,
            Self::UlpInfo => Structure::UlpInfo,
            Self::SctpInfo => Structure::SctpInfo,
            Self::XdpInfo => Structure::XdpInfo,
            Self::TipcInfo => Structure::TipcInfo,
            Self::SmcInfo => Structure::SmcInfo,
            _ => return None,
        })
    }

    /// The field of a kernel structure.
    pub const fn of_structure(structure: Structure) -> Self {
        match structure {
            Structure::SocketOptions => Self::SocketOptions,
            Structure::CongestionInfo => Self::CongestionInfo,
            Structure::TcpInfo => Self::TcpInfo,
            Structure::MptcpInfo => Self::MptcpInfo,
            Structure::UlpInfo => Self::UlpInfo,
            Structure::SctpInfo => Self::SctpInfo,
            Structure::XdpInfo => Self::XdpInfo,
            Structure::TipcInfo => Self::TipcInfo,
            Structure::SmcInfo => Self::SmcInfo,
        }
    }

    /// Its parts, or itself if it has none.
    pub fn flat(self) -> Vec<Self> {
        match self.parts() {
            parts if parts.is_empty() => vec![self],
            parts => parts,
        }
    }

    /// Every field that filters compare: those with one value, or one for each process.
    pub fn comparable() -> impl Iterator<Item = Self> {
        COMPARABLE.iter().copied()
    }

    /// The prefix of its full name, with a dot: `tcp_info.`; empty for most fields.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::TimerExpires | Self::TimerRetransmits => "timer.",
            Self::InfoPart(part) => match part.structure {
                Structure::TcpInfo => "tcp_info.",
                Structure::MptcpInfo => "mptcp_info.",
                Structure::SocketOptions => "socket_options.",
                Structure::CongestionInfo => "congestion_info.",
                Structure::UlpInfo => "ulp_info.",
                Structure::SctpInfo => "sctp_info.",
                Structure::XdpInfo => "xdp_info.",
                Structure::TipcInfo => "tipc_info.",
                Structure::SmcInfo => "smc_info.",
            },
            Self::MemoryPart(_) => "memory.",
            _ => "",
        }
    }

    /// Its name without the structure.
    pub fn own_name(self) -> &'static str {
        match self {
            Self::InfoPart(part) => part.name,
            Self::MemoryPart(place) => memory_part(place).0,
            other => other.definition().name,
        }
    }

    pub fn name(self) -> String {
        format!("{}{}", self.prefix(), self.own_name())
    }

    /// The structure that it is part of.
    pub const fn structure(self) -> Option<Self> {
        Some(match self {
            Self::TimerKind | Self::TimerExpires | Self::TimerRetransmits => Self::Timer,
            Self::Pid
            | Self::Process
            | Self::Command
            | Self::ProcessUser
            | Self::Fd
            | Self::Tid
            | Self::ProcessContext
            | Self::SocketContext => Self::Processes,
            Self::PeerPid | Self::PeerProcess => Self::PeerProcesses,
            Self::InfoPart(part) => Self::of_structure(part.structure),
            Self::MemoryPart(_) => Self::Memory,
            _ => return None,
        })
    }

    /// Its key in JSON; for a part, within its structure.
    pub fn key(self) -> &'static str {
        self.definition().key.unwrap_or(self.own_name())
    }

    /// Its path in JSON: `tcp_info.rtt`, `processes.name`.
    pub fn path(self) -> String {
        match self.structure() {
            Some(structure) => format!("{}.{}", structure.key(), self.key()),
            None => self.key().to_owned(),
        }
    }

    /// Its other names: short names, and CSV headers.
    pub fn aliases(self) -> impl Iterator<Item = &'static str> {
        let definition = self.definition();
        let others = definition.short.into_iter().chain(definition.csv);
        others.chain(definition.aliases.iter().copied())
    }

    /// The header of its CSV column; structures have a column for each part.
    pub fn csv_header(self) -> String {
        match self.definition().csv {
            Some(header) => header.to_owned(),
            None => self.path().replace('.', "_"),
        }
    }

    /// The shortest unique name of its column: `rtt`, `timer.retransmits`.
    pub fn label(self) -> String {
        match Self::column(self.own_name(), &[]) {
            Ok(field) if field == self => self.own_name().to_owned(),
            _ => self.path(),
        }
    }

    /// The title of its column in text formats.
    pub fn title(self) -> String {
        let short = self.definition().short.map(str::to_owned);
        short.unwrap_or_else(|| self.label()).to_ascii_uppercase()
    }

    /// The width of its column in `plain`, whatever is listed.
    pub fn width(self) -> usize {
        let width = match self.unit() {
            _ if !self.has_unit_in_text() => self.definition().width,
            Some(Unit::Rate) => 18,
            _ => 10,
        };
        width.max(self.title().len())
    }

    /// True if its cells are right-aligned, like numbers.
    pub const fn is_right(self) -> bool {
        self.definition().is_right || self.has_unit_in_text()
    }

    /// True if text formats write it with a unit: parts of kernel structures, and rates.
    pub const fn has_unit_in_text(self) -> bool {
        matches!(
            self,
            Self::InfoPart(_) | Self::MemoryPart(_) | Self::AckedRate | Self::ReceivedRate
        )
    }

    /// True if rows can be sorted by it: structures have no order.
    pub fn is_sortable(self) -> bool {
        let is_list = matches!(self, Self::Memory | Self::PendingPeers);
        !is_list && self.as_structure().is_none()
    }

    /// True if it is a port, which may be shown as a service.
    pub const fn is_port(self) -> bool {
        matches!(self, Self::LocalPort | Self::PeerPort)
    }

    /// The unit of its number; `None` = not a number.
    pub fn unit(self) -> Option<Unit> {
        match self {
            Self::InfoPart(part) => Some(part.unit),
            Self::MemoryPart(place) => Some(memory_part(place).1),
            other => other.definition().unit,
        }
    }

    /// The words that it can hold, if they are few.
    pub fn words(self) -> &'static [&'static str] {
        self.definition().words
    }

    /// What must be looked up or requested to read it.
    pub const fn cost(self) -> Cost {
        self.definition().cost
    }

    /// Everything that must be looked up or requested to read it.
    pub fn needs(self) -> Vec<Cost> {
        match self.cost() {
            Cost::Free => Vec::new(),
            Cost::Path => vec![Cost::File, Cost::Path],
            Cost::Peers if self == Self::PeerContainer => {
                vec![Cost::Owners, Cost::Peers, Cost::Containers]
            }
            Cost::Peers if self == Self::PeerNetns => vec![Cost::Owners, Cost::Peers, Cost::Netns],
            Cost::Peers => vec![Cost::Owners, Cost::Peers],
            Cost::Maker => vec![Cost::Cgroup, Cost::Maker],
            // For a socket without holders, the cgroup it was made in is used.
            Cost::Containers => vec![Cost::Cgroup, Cost::Owners, Cost::Containers],
            Cost::Owners if self == Self::ProcessUser => vec![Cost::Owners, Cost::User],
            Cost::Owners if self == Self::Tid => vec![Cost::Owners, Cost::Threads],
            Cost::Owners if matches!(self, Self::ProcessContext | Self::SocketContext) => {
                vec![Cost::Owners, Cost::Contexts]
            }
            cost => vec![cost],
        }
    }

    /// True if it is about the holders of the socket, or about its other end.
    pub fn is_of_owners(self) -> bool {
        matches!(self.cost(), Cost::Owners | Cost::Containers | Cost::Peers)
    }

    /// True if it says where processes run.
    pub const fn is_place(self) -> bool {
        matches!(self.cost(), Cost::Containers) || matches!(self, Self::PeerContainer)
    }

    /// The corresponding field of this end, if it is one of the other end.
    #[must_use]
    pub const fn of_this_end(self) -> Self {
        match self {
            Self::PeerProcesses => Self::Processes,
            Self::PeerPid => Self::Pid,
            Self::PeerProcess => Self::Process,
            Self::PeerContainer => Self::Container,
            Self::PeerNetns => Self::Netns,
            own => own,
        }
    }

    /// True if sockets of this table can have it, from whatever source.
    pub fn applies_to(self, table: Table) -> bool {
        (self.definition().applies)(table)
    }

    /// True if it is about the timer.
    pub const fn is_of_timer(self) -> bool {
        matches!(
            self,
            Self::Timer | Self::TimerKind | Self::TimerExpires | Self::TimerRetransmits
        )
    }

    /// True if it is an extension of the kernel's answer, which must be requested.
    pub const fn is_extension(self) -> bool {
        matches!(
            self.cost(),
            Cost::Info | Cost::Options | Cost::Memory | Cost::Storage | Cost::File | Cost::Path
        )
    }

    /// True if this source always reports it for those sockets of a table that have it. (`/proc/net` reports
    /// `send_queue`, but not the limit of a listener's queue.)
    pub fn reported_by(self, source: Source, table: Table) -> bool {
        match source {
            // `SO_MARK` needs `CAP_NET_ADMIN`.
            Source::Netlink => (self.definition().in_netlink)(table),
            // The BPF iterator reads what netlink reports, except extensions that the kernel must compute.
            Source::Bpf => {
                let is_told = (self.definition().in_netlink)(table) && self != Self::Cookie;
                self == Self::Mark || is_told && !self.is_extension()
            }
            Source::Procfs => {
                let is_drops =
                    matches!(self, Self::MemoryPart(place) if memory_part(place).0 == "drops");
                (self.cost() != Cost::Memory || is_drops) && (self.definition().in_procfs)(table)
            }
            // In a recording only if the recorder requested it, or could look it up.
            Source::Replay => {
                !self.is_extension()
                    && !matches!(
                        self,
                        Self::User | Self::Mark | Self::Cgroup | Self::MadeIn | Self::V6Only
                    )
            }
        }
    }

    /// The capability without which the kernel does not report it.
    pub const fn capability(self) -> Option<&'static str> {
        match self {
            Self::Mark | Self::Md5 => Some("CAP_NET_ADMIN"),
            Self::BpfStorage => Some("CAP_BPF"),
            _ => None,
        }
    }

    /// True if events have it: it does not change within a state, and need not be requested.
    pub const fn is_in_events(self) -> bool {
        let changes = matches!(
            self,
            Self::RecvQueue | Self::SendQueue | Self::Shutdown | Self::V6Only
        ) || self.is_of_timer();
        !changes && !matches!(self.cost(), Cost::Peers) && !self.is_extension()
    }

    /// True if the kernel keeps it in `TIME_WAIT` and `SYN_RCVD`, which have no full socket.
    const fn is_kept(self) -> bool {
        matches!(
            self,
            Self::LocalAddress | Self::PeerAddress | Self::Interface | Self::Cookie
        )
    }

    /// True if it is text of any length that may be wrapped; never an address or a number.
    pub const fn is_free_text(self) -> bool {
        matches!(
            self,
            Self::Cgroup
                | Self::MadeIn
                | Self::ContainerId
                | Self::Unit
                | Self::ContainerUnit
                | Self::Image
                | Self::Processes
                | Self::PeerProcesses
                | Self::Command
                | Self::ProcessContext
                | Self::SocketContext
                | Self::Md5
                | Self::BpfStorage
                | Self::Memory
        ) || self.as_structure().is_some()
    }
}

/// Name and unit of a part of `memory`.
fn memory_part(place: usize) -> (&'static str, Unit) {
    let field = Memory::FIELDS.get(place);
    field.map_or(("", Unit::Bytes), |(name, unit, _)| (*name, *unit))
}
