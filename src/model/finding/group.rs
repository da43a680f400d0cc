//! The sockets of a finding, and who holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use super::super::{Endpoint, ProcessStatus, Protocol, Row, Socket};
use crate::text::escape;

/// So many processes are named in a text.
const NAMED: usize = 3;

/// Who holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// These processes: pid and name.
    By(Vec<(u32, String)>),
    /// Nobody.
    ByNobody,
    /// Somebody, or nobody: it cannot be told.
    Unknown,
}

impl Held {
    /// The processes that were looked up for a row.
    pub fn of(row: &Row<'_>) -> Self {
        match (row.process_status, row.processes) {
            (Some(ProcessStatus::Found), Some(processes)) => {
                let names = processes.iter();
                Self::By(
                    names
                        .map(|p| (p.pid, escape(&p.name).into_owned()))
                        .collect(),
                )
            }
            (Some(ProcessStatus::None), _) => Self::ByNobody,
            _ => Self::Unknown,
        }
    }
}

/// A socket that was found, and who holds it.
#[derive(Debug, Clone)]
pub struct Found {
    /// The socket.
    pub socket: Socket,
    /// Its processes.
    pub held: Held,
}

/// How the sockets of a finding are grouped: each group may be a finding of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// All are one group.
    Nothing,
    /// By process.
    Process,
    /// By the address and port of the peer.
    Peer,
    /// By their own port.
    Port,
    /// By their own address, and address and port of the peer.
    Route,
    /// Each socket is a group.
    Socket,
}

/// What the sockets of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Nothing.
    Nothing,
    /// Who holds them.
    Process(Who),
    /// The other end.
    Peer(SocketAddr),
    /// Their own port.
    Port(u32),
    /// Their own address, and the other end.
    Route(IpAddr, SocketAddr),
    /// The inode of the only one.
    Socket(u64),
}

impl Key {
    /// The key of a socket; `None` = it has none, or its processes decide.
    pub fn of(socket: &Socket, by: GroupBy) -> Option<Self> {
        match by {
            GroupBy::Nothing => Some(Self::Nothing),
            GroupBy::Process => None,
            GroupBy::Peer => end(&socket.peer).map(Self::Peer),
            GroupBy::Port => socket.local.port.map(Self::Port),
            GroupBy::Route => {
                let local = end(&socket.local)?;
                Some(Self::Route(local.ip(), end(&socket.peer)?))
            }
            GroupBy::Socket => socket.inode.map(Self::Socket),
        }
    }

    /// The filter that selects the group.
    pub fn filter(&self) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Process(who) => who.filter(),
            Self::Peer(peer) => format!("dst {peer}"),
            Self::Port(port) => format!("sport = :{port}"),
            Self::Route(local, peer) => format!("src {local} and dst {peer}"),
            Self::Socket(inode) => format!("inode = {inode}"),
        }
    }
}

/// An end as filters and people write it; an unknown one is not. An IPv4-mapped address is one of IPv4,
/// for filters take them for the same.
pub(super) fn end(end: &Endpoint) -> Option<SocketAddr> {
    let port = u16::try_from(end.port?).ok()?;
    Some(SocketAddr::new(end.ip?.to_canonical(), port))
}

/// The sockets that may be one finding.
#[derive(Debug)]
pub struct Group<'f> {
    /// Their protocol.
    pub protocol: Protocol,
    /// What they have in common.
    pub key: Key,
    /// How many were looked at.
    pub all: u64,
    /// How many of these the filter selects.
    pub count: u64,
    /// Those, if they are kept.
    pub sockets: Vec<&'f Found>,
    /// The sockets that tell which processes are concerned, where those of the group do not.
    pub related: Vec<&'f Found>,
}

/// Whose they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// A process.
    Process(u32, String),
    /// Processes that cannot be read, of this user where that is told.
    Unreadable(Option<u32>),
    /// No process.
    Nobody,
}

impl Who {
    /// What a filter says of it.
    fn filter(&self) -> String {
        match self {
            Self::Process(pid, _) => format!("pid = {pid}"),
            Self::Unreadable(Some(uid)) => format!("process_status = unreadable and uid = {uid}"),
            Self::Unreadable(None) => "process_status = unreadable and uid = unknown".to_owned(),
            Self::Nobody => "process_status = none".to_owned(),
        }
    }

    /// What to call it at the begin of a sentence.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Process(pid, name) => format!("{name}[{pid}]"),
            Self::Unreadable(Some(uid)) => format!("A process of user {uid} that cannot be read"),
            Self::Unreadable(None) => "A process that cannot be read".to_owned(),
            Self::Nobody => "No process".to_owned(),
        }
    }
}

impl Group<'_> {
    /// `1 connection`, `2 connections`
    pub(super) fn number(&self, one: &str) -> String {
        match self.count {
            1 => format!("1 {one}"),
            count => format!("{count} {one}s"),
        }
    }

    /// What to call the group in a sentence.
    pub(super) fn who(&self) -> String {
        match &self.key {
            Key::Nothing | Key::Socket(_) => String::new(),
            Key::Process(who) => who.words(),
            Key::Peer(peer) => peer.to_string(),
            Key::Port(port) => port.to_string(),
            Key::Route(local, peer) => format!("{local} to {peer}"),
        }
    }

    /// Of all its sockets.
    pub(super) fn sum(&self, of: impl Fn(&Socket) -> u64) -> u64 {
        self.sockets.iter().map(|found| of(&found.socket)).sum()
    }
}

/// The sockets by who holds them, the most first. Processes that hold the same sockets, or some of
/// those of another, are one.
pub fn by_process(found: &[Found]) -> Vec<(Who, Vec<&Found>)> {
    let mut by_who: BTreeMap<Who, Vec<usize>> = BTreeMap::new();
    for (index, found) in found.iter().enumerate() {
        match &found.held {
            Held::By(processes) => {
                for (pid, name) in processes {
                    let who = Who::Process(*pid, name.clone());
                    by_who.entry(who).or_default().push(index);
                }
            }
            Held::ByNobody => by_who.entry(Who::Nobody).or_default().push(index),
            Held::Unknown => {
                let who = Who::Unreadable(found.socket.uid);
                by_who.entry(who).or_default().push(index);
            }
        }
    }
    let mut by_who: Vec<(Who, Vec<usize>)> = by_who.into_iter().collect();
    by_who.sort_by_key(|(_, indices)| std::cmp::Reverse(indices.len()));
    let mut told = BTreeSet::new();
    let mut groups = Vec::new();
    for (who, indices) in by_who {
        let before = told.len();
        told.extend(indices.iter().copied());
        if told.len() > before {
            let sockets = indices.iter().filter_map(|index| found.get(*index));
            groups.push((who, sockets.collect()));
        }
    }
    groups
}

/// `nginx[812], nginx[813], api[900] and 2 more`
pub(super) fn names<'f>(found: impl IntoIterator<Item = &'f Found>) -> String {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for found in found {
        match &found.held {
            Held::By(processes) => {
                names.extend(processes.iter().map(|(pid, name)| format!("{name}[{pid}]")));
            }
            Held::ByNobody => _ = names.insert("no process".to_owned()),
            Held::Unknown => _ = names.insert("processes that cannot be read".to_owned()),
        }
    }
    let more = names.len().saturating_sub(NAMED);
    let shown: Vec<String> = names.into_iter().take(NAMED).collect();
    if more > 0 {
        return format!("{} and {more} more", shown.join(", "));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Found, Held, Who, by_process, names};
    use crate::model::{Family, Protocol, Socket};

    fn found(held: Held, uid: Option<u32>) -> Found {
        let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
        socket.uid = uid;
        Found { socket, held }
    }

    fn by(pids: &[u32]) -> Held {
        Held::By(pids.iter().map(|pid| (*pid, "api".to_owned())).collect())
    }

    #[test]
    fn processes_that_share_sockets_are_told_once() {
        let all = [
            found(by(&[1, 2]), None),
            found(by(&[1, 2]), None),
            found(by(&[3]), None),
            found(Held::ByNobody, None),
            found(Held::Unknown, Some(7)),
            found(Held::Unknown, None),
        ];
        let groups = by_process(&all);
        let told = groups
            .iter()
            .map(|(who, sockets)| (who.words(), sockets.len()));
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
        let filter = Who::Unreadable(Some(7)).filter();
        assert_eq!(filter, "process_status = unreadable and uid = 7");
    }

    #[test]
    fn three_processes_are_named_and_the_others_counted() {
        let all = [found(by(&[1, 2, 3]), None), found(by(&[4, 5]), None)];
        assert_eq!(names(&all), "api[1], api[2], api[3] and 2 more");
    }
}
