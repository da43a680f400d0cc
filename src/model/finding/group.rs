//! Groups of sockets that may be one finding, and the processes that hold them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::super::{Endpoint, Fact, Place, Process, ProcessStatus, Row, Socket};
use crate::text::{escape, escape_also, separates_processes, unix_name};

/// Number of processes named in a text.
const NAMED: usize = 3;

/// Who holds a socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A process: pid, name if known, and container or pod.
    Process(u32, Option<String>, Option<String>),
    /// A process that cannot be read, or nobody; with the user id if known.
    Unreadable(Option<u32>),
    /// No process.
    Nobody,
}

impl Holder {
    /// The holders of a row, as looked up.
    pub fn of(row: &Row<'_>) -> Vec<Self> {
        match (row.process_status, row.processes) {
            (Some(status), Some(processes)) if status.is_found() => {
                let named =
                    |p: &Process| Self::process(p.pid, p.name.as_deref(), p.place.as_deref());
                processes.iter().map(named).collect()
            }
            (Some(ProcessStatus::None), _) => vec![Self::Nobody],
            _ => vec![Self::Unreadable(row.socket.uid)],
        }
    }

    /// A process. The name may be any bytes; empty counts as none.
    pub fn process(pid: u32, name: Option<&[u8]>, place: Option<&Place>) -> Self {
        let name = name.filter(|name| !name.is_empty());
        let escaped = |name| escape_also(escape(name), separates_processes).into_owned();
        let within = place.and_then(|place| {
            let facts = [Fact::Container, Fact::Pod].into_iter();
            let known = facts.filter_map(|fact| {
                let name = escaped(place.get(fact)?);
                Some(format!("{} {name}", fact.name()))
            });
            let known: Vec<String> = known.collect();
            (!known.is_empty()).then(|| known.join(" of "))
        });
        Self::Process(pid, name.map(escaped), within)
    }

    pub(super) const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable(_))
    }

    fn filter(&self) -> String {
        match self {
            Self::Process(pid, ..) => format!("pid = {pid}"),
            Self::Unreadable(Some(uid)) => format!("pid = unknown and uid = {uid}"),
            Self::Unreadable(None) => "pid = unknown and uid = unknown".to_owned(),
            Self::Nobody => "process_status = none".to_owned(),
        }
    }

    /// Its name at the start of a sentence.
    fn subject(&self) -> String {
        match self {
            Self::Process(..) => self.to_string(),
            Self::Unreadable(_) => self.to_string().replacen('a', "A", 1),
            Self::Nobody => "No process".to_owned(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(pid, name, within) => {
                match name {
                    Some(name) => write!(f, "{name}[{pid}]")?,
                    None => write!(f, "pid {pid}")?,
                }
                match within {
                    Some(within) => write!(f, " in {within}"),
                    None => Ok(()),
                }
            }
            Self::Unreadable(Some(uid)) => write!(f, "a process of user {uid} that cannot be read"),
            Self::Unreadable(None) => f.write_str("a process that cannot be read"),
            Self::Nobody => f.write_str("no process"),
        }
    }
}

/// A socket that was found, with its holders.
#[derive(Debug, Clone)]
pub struct Found {
    pub socket: Socket,
    /// Its processes, or that there is none.
    pub holders: Vec<Holder>,
}

/// How sockets are grouped. Each group may be a finding of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// All sockets form one group.
    Nothing,
    /// By process.
    Process,
    /// By address and port of the peer.
    Peer,
    /// By local port.
    Port,
    /// By what keeps the kernel from choosing a port: TCP connections by local address and peer's address
    /// and port; unconnected sockets form one group.
    Route,
    /// Each socket is a group.
    Socket,
    /// By the set of processes that hold it.
    Holders,
}

/// What the sockets of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupKey {
    Nothing,
    /// The holder.
    Process(Holder),
    /// The listening port at which they wait for `accept`.
    Unaccepted(u32),
    /// The peer.
    Peer(SocketAddr),
    /// The local port.
    Port(u32),
    /// The local address and the peer.
    Route(IpAddr, SocketAddr),
    /// The local address, or the wildcard address that includes it.
    Address(IpAddr, Option<IpAddr>),
    /// Any IPv4 address, or `::` if it accepts IPv4.
    EveryIpv4,
    /// Any address.
    EveryIp,
    /// Their inodes.
    Sockets(Vec<u64>),
}

impl GroupKey {
    /// The keys of a socket. With routes: everything that its port is taken for. Empty if its processes
    /// decide.
    pub fn of(socket: &Socket, by: GroupBy) -> Vec<Self> {
        let key = match by {
            GroupBy::Nothing => Some(Self::Nothing),
            GroupBy::Process | GroupBy::Holders => None,
            GroupBy::Peer => end(&socket.peer).map(Self::Peer),
            GroupBy::Port => socket.local.port.map(Self::Port),
            GroupBy::Socket => socket.inode.map(|inode| Self::Sockets(vec![inode])),
            GroupBy::Route => return Self::of_port(socket),
        };
        key.into_iter().collect()
    }

    fn of_port(socket: &Socket) -> Vec<Self> {
        let mut keys = Vec::new();
        match (end(&socket.local), end(&socket.peer)) {
            (Some(local), Some(peer)) if socket.is_connection() => {
                keys.push(Self::Route(local.ip(), peer));
            }
            _ if socket.state.is_bound() => keys.push(Self::Nothing),
            _ => {}
        }
        if let Some(ip) = socket.local.ip.map(|ip| ip.to_canonical()) {
            let takes_ipv4_too = socket.takes_ipv4_too() == Some(true);
            keys.extend([Self::Address(ip, None), Self::EveryIp]);
            if takes_ipv4_too {
                keys.push(Self::Address(Ipv4Addr::UNSPECIFIED.into(), None));
            }
            if takes_ipv4_too || ip.is_ipv4() {
                keys.push(Self::EveryIpv4);
            }
        }
        keys
    }

    /// The keys of related sockets, which show the processes concerned; empty = the group's own sockets do.
    pub fn related(&self) -> Vec<Self> {
        match self {
            Self::Process(_) => Vec::new(),
            Self::Unaccepted(port) => vec![Self::Port(*port)],
            Self::Address(ip, any) => {
                let places = [Some(*ip), *any].into_iter().flatten();
                places.map(|ip| Self::Address(ip, None)).collect()
            }
            other => vec![other.clone()],
        }
    }

    /// The filter that selects the group.
    pub fn filter(&self) -> String {
        match self {
            Self::Nothing | Self::EveryIp => String::new(),
            Self::Process(holder) => holder.filter(),
            Self::Unaccepted(port) => format!("process_status = none and sport = :{port}"),
            Self::Peer(peer) => format!("dst {peer}"),
            Self::Port(port) => format!("sport = :{port}"),
            Self::Route(local, peer) => format!("src {local} and dst {peer}"),
            Self::Address(ip, None) => format!("src {ip}"),
            Self::Address(ip, Some(any)) => format!("(src {ip} or src {any})"),
            Self::EveryIpv4 => "src 0.0.0.0/0".to_owned(),
            Self::Sockets(inodes) => match inodes.as_slice() {
                [] => "inode = unknown".to_owned(),
                [one] => format!("inode = {one}"),
                more => {
                    let each = more.iter().map(|inode| format!("inode = {inode}"));
                    format!("({})", each.collect::<Vec<_>>().join(" or "))
                }
            },
        }
    }
}

/// The endpoint as an address; `None` if unknown. An IPv4-mapped address becomes IPv4, as in filters.
pub(super) fn end(end: &Endpoint) -> Option<SocketAddr> {
    let port = u16::try_from(end.port?).ok()?;
    Some(SocketAddr::new(end.ip?.to_canonical(), port))
}

/// The wildcard address of the same IP version.
pub const fn any_address(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// The address and port of a socket, or its name.
fn place(found: &Found) -> String {
    let local = &found.socket.local;
    match end(local) {
        Some(end) if found.socket.takes_ipv4_too() == Some(true) => format!("*:{}", end.port()),
        Some(end) => end.to_string(),
        None => unix_name(&local.name),
    }
}

/// The first places of these sockets: `0.0.0.0:80, [::1]:81`
pub(super) fn places_of(found: &[&Found]) -> String {
    let places: BTreeSet<String> = found.iter().map(|found| place(found)).collect();
    let places: Vec<String> = places.into_iter().take(NAMED).collect();
    places.join(", ")
}

/// Sockets that may be one finding.
#[derive(Debug)]
pub struct Group<'f> {
    /// What they have in common.
    pub key: GroupKey,
    /// Number of sockets examined.
    pub all: u64,
    /// Number of those that the filter selects.
    pub count: u64,
    /// The selected sockets, if kept.
    pub sockets: Vec<&'f Found>,
    /// Related sockets, which show the processes concerned if the group's own do not.
    pub related: Vec<&'f Found>,
    /// The ports in use, for findings about ports.
    pub ports: Ports,
}

/// Ports that the kernel cannot choose as ephemeral.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// Number of them.
    pub taken: u64,
    /// Sockets of the group in `TIME_WAIT`.
    pub time_wait: u64,
    /// Sockets of the group that are bound but not connected.
    pub bound: u64,
    /// Other sockets in `TIME_WAIT`, whose ports can be chosen again.
    pub free: u64,
    /// True if they are UDP ports.
    pub is_udp: bool,
}

impl Group<'_> {
    /// Creates a group with these numbers of examined and selected sockets, and keeps none.
    pub fn counted(key: GroupKey, [all, count]: [u64; 2]) -> Self {
        Self {
            key,
            all,
            count,
            sockets: Vec::new(),
            related: Vec::new(),
            ports: Ports::default(),
        }
    }

    /// True if the holders are processes that cannot be read, of any number.
    pub const fn is_of_unreadable(&self) -> bool {
        matches!(&self.key, GroupKey::Process(holder) if holder.is_unreadable())
    }

    /// The subject of a sentence about the group.
    pub(super) fn who(&self) -> String {
        match &self.key {
            GroupKey::Nothing | GroupKey::Sockets(_) => String::new(),
            GroupKey::Process(holder) => holder.subject(),
            GroupKey::Peer(peer) => peer.to_string(),
            GroupKey::Port(port) | GroupKey::Unaccepted(port) => port.to_string(),
            GroupKey::Route(local, peer) => format!("{local} to {peer}"),
            GroupKey::Address(ip, _) => format!("at {ip}"),
            GroupKey::EveryIpv4 => "over all IPv4 addresses together".to_owned(),
            GroupKey::EveryIp => "over all addresses of both IP versions together".to_owned(),
        }
    }

    pub(super) fn sum(&self, of: impl Fn(&Socket) -> u64) -> u64 {
        self.sockets.iter().map(|found| of(&found.socket)).sum()
    }
}

/// Groups sockets by process, largest group first. Processes that share sockets are one group. Sockets
/// waiting for `accept` are grouped by port.
pub fn by_process(found: &[Found]) -> Vec<(GroupKey, Vec<&Found>)> {
    let mut by_holder: BTreeMap<(&Holder, Option<u32>), Vec<usize>> = BTreeMap::new();
    for (index, found) in found.iter().enumerate() {
        for holder in &found.holders {
            let waits = *holder == Holder::Nobody && found.socket.protocol.is_tcp_like();
            let port = found.socket.local.port.filter(|_| waits);
            by_holder.entry((holder, port)).or_default().push(index);
        }
    }
    let mut by_holder: Vec<(_, Vec<usize>)> = by_holder.into_iter().collect();
    by_holder.sort_by_key(|(_, indices)| Reverse(indices.len()));
    let mut told = BTreeSet::new();
    by_holder.retain(|(_, indices)| {
        let before = told.len();
        told.extend(indices.iter().copied());
        told.len() > before
    });
    let groups = by_holder.into_iter().map(|((holder, port), indices)| {
        let sockets = indices.iter().filter_map(|index| found.get(*index));
        let of_holder = || GroupKey::Process(holder.clone());
        let key = port.map_or_else(of_holder, GroupKey::Unaccepted);
        (key, sockets.collect())
    });
    groups.collect()
}

/// Groups sockets by the set of processes that hold them.
pub fn by_holders(found: &[Found]) -> Vec<(GroupKey, Vec<&Found>)> {
    let mut by_holders: BTreeMap<&[Holder], Vec<&Found>> = BTreeMap::new();
    for found in found {
        by_holders.entry(&found.holders).or_default().push(found);
    }
    let groups = by_holders.into_values().map(|sockets| {
        let inodes = sockets.iter().filter_map(|found| found.socket.inode);
        (GroupKey::Sockets(inodes.collect()), sockets)
    });
    groups.collect()
}

/// `nginx[812], nginx[813], api[900] and 2 more`
pub(super) fn names(found: &[&Found]) -> String {
    let holders = found.iter().flat_map(|found| &found.holders);
    names_of(&holders.collect::<Vec<_>>())
}

/// The names of these holders, as in [`names`].
pub(super) fn names_of(holders: &[&Holder]) -> String {
    let name = |holder: &&Holder| match holder {
        Holder::Unreadable(_) => "processes that cannot be read".to_owned(),
        known => known.to_string(),
    };
    let names: BTreeSet<String> = holders.iter().map(name).collect();
    let more = names.len().saturating_sub(NAMED);
    let shown: Vec<String> = names.into_iter().take(NAMED).collect();
    match more {
        0 => shown.join(", "),
        _ => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Fact, Found, GroupKey, Holder, Place, by_process, names};
    use crate::model::{Family, Process, ProcessStatus, Protocol, Row, Socket};

    fn found(holders: &[Holder]) -> Found {
        let socket = Socket::new(Protocol::Tcp, Family::Inet);
        let holders = holders.to_vec();
        Found { socket, holders }
    }

    fn by(pids: &[u32]) -> Found {
        let holder = |pid: &u32| Holder::process(*pid, Some(b"api"), None);
        found(&pids.iter().map(holder).collect::<Vec<_>>())
    }

    #[test]
    fn processes_that_share_sockets_are_told_once() {
        let all = [
            by(&[1, 2]),
            by(&[1, 2]),
            by(&[3]),
            found(&[Holder::Nobody]),
            found(&[Holder::Unreadable(Some(7))]),
            found(&[Holder::Unreadable(None)]),
        ];
        let groups = by_process(&all).into_iter();
        let told = groups.filter_map(|(key, sockets)| match key {
            GroupKey::Process(holder) => Some((holder.subject(), sockets.len())),
            _ => None,
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("api[1]".to_owned(), 2),
                ("api[3]".to_owned(), 1),
                ("A process that cannot be read".to_owned(), 1),
                ("A process of user 7 that cannot be read".to_owned(), 1),
                ("No process".to_owned(), 1),
            ]
        );
        let filter = Holder::Unreadable(Some(7)).filter();
        assert_eq!(filter, "pid = unknown and uid = 7");
    }

    #[test]
    fn a_process_is_told_with_its_container_and_its_pod() {
        let mut place = Place::default();
        place.add(Fact::Unit, Some("docker.service"));
        let told = |place: &Place| Holder::process(7, Some(b"api"), Some(place)).to_string();
        assert_eq!(told(&place), "api[7]");
        place.add(Fact::Container, Some("w]\x1b,"));
        assert_eq!(told(&place), r"api[7] in container w\x5d\x1b\\x2c");
        place.add(Fact::Pod, Some("api-7"));
        assert_eq!(
            told(&place),
            r"api[7] in container w\x5d\x1b\\x2c of pod api-7"
        );
    }

    #[test]
    fn name_of_a_process_is_not_taken_for_two_and_without_one_it_has_its_number() {
        let socket = Socket::new(Protocol::Unix, Family::Unix);
        let named = |pid, name: Option<&[u8]>| Process {
            pid,
            name: name.map(<[u8]>::to_vec),
            ..Process::default()
        };
        let processes = [
            named(7, Some(b"a],b[1")),
            named(8, None),
            named(9, Some(b"")),
        ];
        let holders = Holder::of(&Row {
            processes: Some(&processes),
            process_status: Some(ProcessStatus::Found),
            ..Row::bare(&socket)
        });
        let told: Vec<String> = holders.iter().map(Holder::to_string).collect();
        assert_eq!(told, ["a\\x5d\\x2cb\\x5b1[7]", "pid 8", "pid 9"]);
    }

    #[test]
    fn three_processes_are_named_and_the_others_counted() {
        let all = [by(&[1, 2, 3]), by(&[4, 5])];
        assert_eq!(
            names(&all.iter().collect::<Vec<_>>()),
            "api[1], api[2], api[3] and 2 more"
        );
    }
}
