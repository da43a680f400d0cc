//! The value of a field in a row, before formatting or comparison.

use std::net::IpAddr;

use super::Field;
use super::definition::Cost;
use crate::model::{
    Details, Endpoint, Fact, Family, Info, Memory, Peer, Process, ProcessStatus, Protocol, Row,
    Shutdown, Socket, SocketType, Source, State, Timer,
};

/// An end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// This end.
    Local,
    /// The peer.
    Peer,
}

impl Datum<'_> {
    /// The text of a flag.
    pub const fn flag(is_set: bool) -> &'static str {
        if is_set { "true" } else { "false" }
    }
}

impl Side {
    /// The element for this end.
    pub const fn pick<T: Copy>(self, [local, peer]: [T; 2]) -> T {
        match self {
            Self::Local => local,
            Self::Peer => peer,
        }
    }

    /// The column that shows the whole endpoint.
    pub const fn column(self) -> Field {
        self.pick([Field::Local, Field::Peer])
    }

    pub const fn address(self) -> Field {
        self.pick([Field::LocalAddress, Field::PeerAddress])
    }

    pub const fn port(self) -> Field {
        self.pick([Field::LocalPort, Field::PeerPort])
    }

    /// This end of the row's socket.
    pub const fn of<'a>(self, row: &Row<'a>) -> &'a Endpoint {
        self.pick([&row.socket.local, &row.socket.peer])
    }

    /// The service name of its port.
    pub const fn service<'a>(self, row: &Row<'a>) -> Option<&'a str> {
        self.pick([row.local_service, row.peer_service])
    }

    /// The host name of its address.
    pub const fn host<'a>(self, row: &Row<'a>) -> Option<&'a str> {
        self.pick([row.local_host, row.peer_host])
    }
}

impl Field {
    /// The end that it is about.
    pub const fn side(self) -> Side {
        match self {
            Self::PeerAddress | Self::PeerPort => Side::Peer,
            _ => Side::Local,
        }
    }
}

/// A known value.
#[derive(Debug, Clone, Copy)]
pub enum Datum<'a> {
    /// A number.
    Number(u64),
    /// A word of the vocabulary; needs no escaping.
    Word(&'static str),
    /// True or false.
    Flag(bool),
    /// A state.
    State(State),
    /// A 64-bit identifier, written as a string of digits in JSON.
    Id(u64),
    /// The index of an interface without a known name; written as text.
    Index(u32),
    /// An address.
    Ip(IpAddr),
    /// A name from outside: any bytes.
    Name(&'a [u8]),
    /// The name of a unix socket: a path, or NUL and an abstract name.
    Path(&'a [u8]),
    /// Words separated by commas; need no escaping.
    List(&'a [u8]),
    /// A timer.
    Timer(Timer),
    /// Numbers.
    Numbers(&'a [u32]),
    /// Processes; of a part, its value for each process.
    Processes(&'a [Process]),
    /// A kernel structure.
    Info(Info<'a>),
    /// Memory.
    Memory(&'a Memory),
    /// An endpoint in one cell; in text formats only.
    End(Side),
}

fn number<'a>(value: Option<impl Into<u64>>) -> Option<Datum<'a>> {
    value.map(|value| Datum::Number(value.into()))
}

fn word<'a>(word: Option<&'static str>) -> Option<Datum<'a>> {
    word.map(Datum::Word)
}

/// A name; `None` if empty.
fn name(name: Option<&str>) -> Option<Datum<'_>> {
    let name = name.filter(|name| !name.is_empty())?;
    Some(Datum::Name(name.as_bytes()))
}

fn names<'a>(socket: &'a Socket, of: fn(&'a Details) -> &'a Vec<u8>) -> Option<Datum<'a>> {
    let name = of(socket.details.as_ref()?);
    (!name.is_empty()).then_some(Datum::Name(name))
}

fn place<'a>(row: &Row<'a>, fact: Fact) -> Option<Datum<'a>> {
    row.place?.get(fact).map(Datum::Name)
}

/// The addresses of an end; `None` = not reported.
fn list(side: Side, socket: &Socket) -> Option<Datum<'_>> {
    let [local, peer] = &socket.details.as_ref()?.addresses;
    let list = side.pick([local, peer]);
    (!list.is_empty()).then_some(Datum::List(list))
}

fn address<'a>(side: Side, row: &Row<'a>) -> Option<Datum<'a>> {
    let end = side.of(row);
    match end.ip {
        Some(ip) => Some(Datum::Ip(ip)),
        None if end.name.is_empty() => None,
        None if row.socket.family == Family::Unix => Some(Datum::Path(&end.name)),
        None => Some(Datum::Name(&end.name)),
    }
}

/// What is known of a field in a row.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// Its value.
    Known(Datum<'a>),
    /// Known to be absent.
    Absent,
    /// A number without meaning: no limit, not measured yet, or left from an earlier connection. No
    /// comparison matches it.
    Void,
    /// Unknown: this source does not report it, or the socket's holders are unknown.
    NotReported,
    /// Not looked up yet.
    NotYet,
}

impl Value<'_> {
    const fn lacking(is_told: bool) -> Self {
        if is_told {
            Self::Absent
        } else {
            Self::NotReported
        }
    }
}

/// The value of `process_status` if processes were not searched for. It explains an empty list of processes,
/// also in formats without null.
pub(super) const NOT_SEARCHED: &str = "not_searched";

/// True if the holders are unknown, and may run elsewhere.
fn is_guessed(row: &Row<'_>) -> bool {
    row.process_status.is_none_or(ProcessStatus::is_unknown)
}

/// True if the place of the holders is known, or that there is none.
fn is_place_told(field: Field, row: &Row<'_>) -> bool {
    // The place it was made in may be known. Other processes in its namespace say nothing about units.
    let is_unit = matches!(field, Field::Unit | Field::ContainerUnit);
    let is_by_namespace = row.process_status == Some(ProcessStatus::None) && row.made_in.is_none();
    let is_told = row.place.is_some() && !row.is_owner_in_doubt && !is_guessed(row);
    is_told && !(is_unit && is_by_namespace)
}

impl Field {
    /// Its value in a row, for output; `None` = nothing to write, for whatever reason.
    #[expect(
        clippy::inline_always,
        reason = "else a call for each value of each row"
    )]
    #[inline(always)]
    pub fn get<'a>(self, row: &Row<'a>) -> Option<Datum<'a>> {
        let socket = row.socket;
        match self {
            Self::Protocol => Some(Datum::Word(socket.protocol.name())),
            Self::Family => Some(Datum::Word(socket.family.name())),
            Self::Type => word(socket.kind.map(SocketType::name)),
            Self::State => Some(Datum::State(socket.state)),
            Self::RecvQueue => number(socket.recv_queue),
            Self::SendQueue => number(socket.send_queue),
            Self::LocalAddress => address(Side::Local, row),
            Self::LocalPort => number(socket.local.port),
            Self::PeerAddress => address(Side::Peer, row),
            Self::PeerPort => number(socket.peer.port),
            Self::LocalAddresses => list(Side::Local, socket),
            Self::PeerAddresses => list(Side::Peer, socket),
            Self::Interface => name(row.interface).or(socket.interface.map(Datum::Index)),
            Self::Uid => number(socket.uid),
            Self::User => name(row.user),
            Self::Inode => number(socket.inode),
            Self::Cookie => socket.cookie.map(Datum::Id),
            Self::Shutdown => word(socket.shutdown.map(Shutdown::name)),
            Self::V6Only => socket.v6only.map(Datum::Flag),
            Self::Timer => socket.timer.map(Datum::Timer),
            Self::TimerKind => word(socket.timer.map(|timer| timer.kind.name())),
            Self::TimerExpires => number(socket.timer.map(|timer| timer.expires_ms)),
            Self::TimerRetransmits => number(socket.timer.map(|timer| timer.retransmits)),
            Self::Mark => number(socket.mark),
            Self::Cgroup => row.cgroup.map(Datum::Name),
            Self::CgroupId => number(socket.cgroup_id),
            Self::MadeIn => row.made_in.map(Datum::Name),
            Self::Netns => row.netns.map(Datum::Name),
            Self::NetnsInode => number(row.netns_inode),
            Self::PeerInode => number(socket.peer_inode),
            Self::FileInode => number(socket.file().map(|file| file.inode)),
            Self::FileDevice => {
                let details = socket.details.as_ref().filter(|has| has.file.is_some())?;
                Some(Datum::Name(&details.file_device))
            }
            Self::AtPath => row.at_path.map(Datum::Flag),
            Self::PendingPeers => {
                let pending = socket.details.as_ref()?.pending_peers.as_ref()?;
                Some(Datum::Numbers(pending))
            }
            Self::Processes
            | Self::Pid
            | Self::Process
            | Self::Command
            | Self::ProcessUser
            | Self::Fd
            | Self::Tid
            | Self::ProcessContext
            | Self::SocketContext => row.processes.map(Datum::Processes),
            Self::ProcessStatus => {
                let status = row.process_status.map(ProcessStatus::name);
                Some(Datum::Word(status.unwrap_or(NOT_SEARCHED)))
            }
            Self::Container => place(row, Fact::Container),
            Self::ContainerId => place(row, Fact::ContainerId),
            Self::Runtime => place(row, Fact::Runtime),
            Self::Image => place(row, Fact::Image),
            Self::ComposeProject => place(row, Fact::ComposeProject),
            Self::ComposeService => place(row, Fact::ComposeService),
            Self::Pod => place(row, Fact::Pod),
            Self::PodNamespace => place(row, Fact::PodNamespace),
            Self::PodUid => place(row, Fact::PodUid),
            Self::Unit => place(row, Fact::Unit),
            Self::ContainerUnit => place(row, Fact::ContainerUnit),
            Self::PeerProcesses | Self::PeerPid | Self::PeerProcess => {
                let peer = row.peer.filter(|peer| !peer.is_unknown())?;
                Some(Datum::Processes(&peer.processes))
            }
            Self::PeerNetns => row.peer?.netns.as_deref().map(Datum::Name),
            Self::PeerContainer => {
                let place = row.peer?.place.as_deref()?;
                place.get(Fact::Container).map(Datum::Name)
            }
            Self::Congestion => socket.congestion().map(Datum::Name),
            Self::Ulp => names(socket, |details| &details.ulp),
            Self::Md5 => names(socket, |details| &details.md5),
            Self::BpfStorage => names(socket, |details| &details.bpf_storage),
            Self::InfoPart(part) => number(socket.info(part.structure)?.get(part)),
            Self::SocketOptions
            | Self::CongestionInfo
            | Self::TcpInfo
            | Self::MptcpInfo
            | Self::UlpInfo
            | Self::SctpInfo
            | Self::XdpInfo
            | Self::TipcInfo
            | Self::SmcInfo => socket.info(self.as_structure()?).map(Datum::Info),
            Self::Memory => socket.memory().map(Datum::Memory),
            Self::MemoryPart(place) => {
                let (_, _, value) = Memory::FIELDS.get(place)?;
                number(value(socket.memory()?))
            }
            Self::Result => row.result.map(|text| Datum::Name(text.as_bytes())),
            Self::AckedRate => number(row.rates.map(|rates| rates.acked)),
            Self::ReceivedRate => number(row.rates.map(|rates| rates.received)),
            Self::Local => Some(Datum::End(Side::Local)),
            Self::Peer => Some(Datum::End(Side::Peer)),
        }
    }

    /// Its text for a process: a name, a command line, a user name.
    pub fn text_of(self, process: &Process) -> Option<&[u8]> {
        match self.of_this_end() {
            Self::Process => process.name.as_deref(),
            Self::Command => process.command.as_deref(),
            Self::ProcessUser => process.user.as_deref().map(str::as_bytes),
            Self::ProcessContext => process.context.as_deref(),
            Self::SocketContext => process.socket_context.as_deref(),
            _ => None,
        }
    }

    /// Its value for a process.
    pub fn of_process(self, process: &Process) -> Option<Datum<'_>> {
        match self.of_this_end() {
            Self::Pid => Some(Datum::Number(process.pid.into())),
            Self::Fd => Some(Datum::Numbers(&process.fds)),
            Self::Tid => (!process.tids.is_empty()).then_some(Datum::Numbers(&process.tids)),
            text => text.text_of(process).map(Datum::Name),
        }
    }

    /// Its value in a row, or why there is none.
    pub fn value<'a>(self, row: &Row<'a>) -> Value<'a> {
        if self.cost().is_pending(row) {
            return Value::NotYet;
        }
        match self.get(row) {
            Some(Datum::Processes([])) if self.cost() == Cost::Peers => Value::Absent,
            // The place it was made in is written, although its holders are unknown.
            Some(_) if self.cost() == Cost::Containers && is_guessed(row) => Value::NotReported,
            Some(Datum::Word(NOT_SEARCHED)) | None => self.missing(row),
            Some(datum) => Value::Known(datum),
        }
    }

    /// Why it has no value.
    fn missing<'a>(self, row: &Row<'a>) -> Value<'a> {
        let (socket, table) = (row.socket, row.socket.table());
        if self.cost() == Cost::Peers {
            return self.missing_of_peer(row);
        }
        if self.cost() == Cost::Containers {
            return Value::lacking(is_place_told(self, row));
        }
        if !self.applies_to(table) || self.is_never_reported(row) {
            return Value::Absent;
        }
        if self.is_void(socket) {
            return Value::Void;
        }
        let is_told = match self {
            Self::InfoPart(part) if !self.definition().is_optional => {
                return match socket.info(part.structure) {
                    Some(info) if info.lacks(part) => Value::Absent,
                    Some(info) if info.was_sent(part) => Value::Void,
                    _ => Value::NotReported,
                };
            }
            _ if self.is_of_owners() => !row.is_owner_in_doubt && row.process_status.is_some(),
            // A socket that no descriptor can refer to has no owner.
            Self::Uid | Self::User if !socket.may_be_held() => true,
            // An empty name means that the user has none.
            Self::User if row.user.is_some() => true,
            _ => {
                self.reported_by(socket.source, table)
                    && !self.is_backlog(row)
                    && self.may_be_absent(row)
            }
        };
        Value::lacking(is_told)
    }

    /// Why a field of the other end has no value.
    fn missing_of_peer<'a>(self, row: &Row<'a>) -> Value<'a> {
        let is_nobody = |peer: &&Peer| peer.status == Some(ProcessStatus::None);
        let is_told = match row.peer {
            _ if !self.applies_to(row.socket.table()) => true,
            Some(peer) if self == Self::PeerContainer => {
                is_nobody(&peer) || peer.place.is_some() && !peer.is_in_doubt
            }
            peer => peer.as_ref().is_some_and(is_nobody),
        };
        Value::lacking(is_told)
    }

    /// The result of the search for the processes that it is about; `None` = not looked up.
    pub fn process_status(self, row: &Row<'_>) -> Option<ProcessStatus> {
        match row.peer {
            _ if self.cost() != Cost::Peers => row.process_status,
            _ if !self.applies_to(row.socket.table()) => None,
            Some(peer) => peer.status.or(Some(ProcessStatus::Unreadable)),
            None => None,
        }
    }

    /// True if a process that was not found may be among those that it is about.
    pub fn is_in_doubt(self, row: &Row<'_>) -> bool {
        match row.peer {
            _ if self.cost() != Cost::Peers => row.is_owner_in_doubt,
            _ if self == Self::PeerNetns => false,
            peer => peer.is_some_and(|peer| peer.is_in_doubt),
        }
    }

    /// True if the kernel's value is left from an earlier connection: BOUND has no queues, and nothing was
    /// sent before the first SYN.
    fn is_void(self, socket: &Socket) -> bool {
        let is_queue = matches!(self, Self::RecvQueue | Self::SendQueue);
        match socket.state {
            State::Bound => is_queue,
            State::Closed => is_queue && socket.protocol.is_tcp_like(),
            State::SynSent => self == Self::SendQueue,
            _ => false,
        }
    }

    /// True if the socket may lack it, although it is reported for others.
    fn may_be_absent(self, row: &Row<'_>) -> bool {
        let socket = row.socket;
        match self {
            Self::Inode => !socket.lacks_inode(),
            // The IP version may not be reported.
            Self::LocalAddress | Self::PeerAddress if socket.protocol == Protocol::Smc => {
                self.side().of(row).port.is_none()
            }
            Self::FileInode | Self::FileDevice | Self::AtPath => !socket.has_path(),
            Self::PendingPeers => socket.state != State::Listen,
            Self::User => socket.uid.is_some(),
            // The kernel reports the mark to those who may know it.
            Self::Md5 => socket.mark.is_some(),
            Self::BpfStorage => {
                let details = socket.details.as_ref();
                details.is_none_or(|details| !details.is_storage_refused)
            }
            // It may be that of its subflows.
            Self::Congestion => socket.protocol == Protocol::Mptcp,
            other => other.definition().is_optional,
        }
    }

    /// True if it is the limit of a listener's queue and the source is `/proc/net`.
    fn is_backlog(self, row: &Row<'_>) -> bool {
        self == Self::SendQueue
            && row.socket.source == Source::Procfs
            && row.socket.protocol == Protocol::Tcp
            && row.socket.state == State::Listen
    }

    /// True if no source reports it for such a socket.
    ///
    /// Before and after a full socket exists, the kernel keeps less of a connection (`inet_request_sock`,
    /// `inet_timewait_sock`, the latter also in `FIN_WAIT_2`). Without a possible descriptor there are no
    /// holders to report.
    fn is_never_reported(self, row: &Row<'_>) -> bool {
        let socket = row.socket;
        if self.is_of_owners() {
            return !socket.may_be_held();
        }
        match socket.state {
            // The kernel reports it to those who may know it.
            _ if self == Self::Mark => false,
            State::Listen | State::Bound | State::Unconn if self == Self::V6Only => false,
            _ if self == Self::V6Only => true,
            State::TimeWait | State::SynRcvd => !self.is_kept(),
            // For BOUND it reports nothing specific to the protocol.
            State::Bound => self.cost() == Cost::Info,
            // In `/proc/net` a full socket without holders looks the same.
            State::FinWait2 if socket.inode.is_none() => {
                socket.source != Source::Procfs && !self.is_kept()
            }
            _ => false,
        }
    }
}
