//! Listeners that do not accept, and those that share a port by accident.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Counts, Finding, Kind, Protocol, Socket, State, StateSet};
use crate::text::escape;

use super::finding;
use super::limits::sysctl;
use super::look::{Found, Look, Looker, Owners, end};
use super::who::names;

const LISTEN: StateSet = StateSet::EMPTY.with(State::Listen);

pub(super) fn find(looker: &mut Looker<'_>, counts: &Counts, out: &mut Vec<Finding>) {
    let fullest = counts.listeners.fullest.first();
    if fullest.is_none_or(|fullest| is_full(fullest.row().socket)) && counts.listeners.count > 0 {
        full(looker, Protocol::Tcp, out);
        full(looker, Protocol::Unix, out);
    }
    if counts.of(Protocol::Tcp, State::Listen) > 1 {
        wildcard_and_loopback(looker, out);
    }
}

/// How much of its accept queue is in use, in percent; `None` = not told. The queue takes one
/// connection more than the backlog: `sk_acceptq_is_full`, `unix_recvq_full` in the kernel.
fn share(socket: &Socket) -> Option<u64> {
    let (waiting, backlog) = (socket.recv_queue?, socket.send_queue?);
    let room = u64::from(backlog) + 1;
    (socket.state == State::Listen).then(|| u64::from(waiting) * 100 / room)
}

fn is_full(socket: &Socket) -> bool {
    share(socket).is_some_and(|share| Kind::AcceptQueue.severity(share).is_some())
}

fn full(looker: &mut Looker<'_>, protocol: Protocol, out: &mut Vec<Finding>) {
    let look = Look {
        protocol,
        ..Look::tcp(LISTEN)
    };
    for found in looker.look(look, &is_full) {
        let socket = &found.socket;
        let (Some(share), Some(inode)) = (share(socket), socket.inode) else {
            continue;
        };
        let local = match end(&socket.local) {
            Some(end) => end.to_string(),
            None => escape(&socket.local.name).into_owned(),
        };
        let sockets = looker.filter(protocol, &format!("inode = {inode}"));
        out.extend(finding(Kind::AcceptQueue, share, (1, sockets), || {
            let most = sysctl("core/somaxconn");
            let most = most.map_or_else(String::new, |most| format!(" (somaxconn is {most})"));
            let (waiting, backlog) = (socket.recv_queue, socket.send_queue);
            let (waiting, backlog) = (waiting.unwrap_or_default(), backlog.unwrap_or_default());
            let state = if share >= 100 { "full" } else { "nearly full" };
            format!(
                "The accept queue of {local} ({}) is {state}: {waiting} waiting, the backlog is \
                 {backlog}{most}. The program must accept faster; a larger backlog helps with bursts \
                 only.",
                names([&found]),
            )
        }));
    }
}

fn wildcard_and_loopback(looker: &mut Looker<'_>, out: &mut Vec<Finding>) {
    let look = Look {
        owners: Owners::NotAsked,
        ..Look::tcp(LISTEN)
    };
    let mut kinds: BTreeMap<u32, BTreeSet<Place>> = BTreeMap::new();
    looker.each(look, &|_| true, &mut |socket, _| {
        if let (Some(port), Some(place)) = (socket.local.port, Place::of(socket)) {
            kinds.entry(port).or_default().insert(place);
        }
    });
    kinds.retain(|_, places| places.len() > 1);
    if kinds.is_empty() {
        return;
    }
    let found = looker.look(Look::tcp(LISTEN), &|socket| {
        let port = socket.local.port.unwrap_or_default();
        kinds.contains_key(&port) && Place::of(socket).is_some()
    });
    for port in kinds.keys() {
        let of_port = found
            .iter()
            .filter(|found| found.socket.local.port == Some(*port));
        let (loopback, wildcard): (Vec<&Found>, Vec<&Found>) =
            of_port.partition(|found| Place::of(&found.socket) == Some(Place::Loopback));
        if loopback.is_empty() || wildcard.is_empty() {
            continue;
        }
        let both = loopback.iter().chain(&wildcard);
        let inodes = both.filter_map(|found| found.socket.inode);
        let inodes: Vec<String> = inodes.map(|inode| format!("inode = {inode}")).collect();
        let sockets = looker.filter(Protocol::Tcp, &format!("({})", inodes.join(" or ")));
        let kind = Kind::WildcardAndLoopback;
        out.extend(finding(kind, 1, (inodes.len(), sockets), || {
            format!(
                "Port {port} is listened on at every address by {} and at loopback by {}: over \
                 loopback the latter answers, from elsewhere the former. Close one if that is not meant.",
                names(wildcard),
                names(loopback),
            )
        }));
    }
}

/// Where a listener can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Everywhere,
    Loopback,
}

impl Place {
    fn of(socket: &Socket) -> Option<Self> {
        let ip = socket.local.ip?.to_canonical();
        match (ip.is_unspecified(), ip.is_loopback()) {
            (true, _) => Some(Self::Everywhere),
            (_, true) => Some(Self::Loopback),
            _ => None,
        }
    }
}
