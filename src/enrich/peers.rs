//! Finds the socket at the other end of a connection.
//!
//! The kernel reports it for unix sockets. The other end of an IP connection has the same addresses and ports
//! swapped; under NAT, those that the translating namespace tracks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use crate::model::{Address, Family, Protocol, Socket, SocketType, Source, State, Translation};

/// Reads of all connections per listing: one, and two for those made since.
const MOST_READS: u8 = 3;

/// A connection as seen from one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Ends {
    protocol: Protocol,
    local: Address,
    peer: Address,
}

impl Ends {
    /// The ends of a connected socket. An IPv4-mapped address is taken as IPv4.
    fn of(socket: &Socket) -> Option<Self> {
        let protocol = socket.protocol;
        let address = |ip: Option<IpAddr>, port: Option<u32>| {
            let port = port.filter(|port| *port != 0)?;
            Some((ip?.to_canonical(), u16::try_from(port).ok()?))
        };
        protocol.has_service_ports().then_some(())?;
        Some(Self {
            protocol,
            local: address(socket.local.ip, socket.local.port)?,
            peer: address(socket.peer.ip, socket.peer.port)?,
        })
    }

    /// As the other end sees it.
    const fn turned(self) -> Self {
        Self {
            local: self.peer,
            peer: self.local,
            ..self
        }
    }

    /// True if the connection cannot leave its namespace.
    fn is_loopback(&self) -> bool {
        self.local.0.is_loopback() || self.peer.0.is_loopback()
    }

    /// True if the other end can only be in the same namespace.
    fn is_within(&self) -> bool {
        self.local.0 == self.peer.0 || self.local.0.is_loopback() && self.peer.0.is_loopback()
    }
}

/// A socket at one end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Inode number of its network namespace; `None` = the own one, not requested.
    pub(super) netns: Option<u32>,
    pub(super) inode: Option<u64>,
    pub(super) uid: Option<u32>,
    /// True if it may have an inode that was not reported.
    pub(super) lacks_inode: bool,
    /// True in `TIME_WAIT`.
    is_over: bool,
}

impl End {
    /// True if both may be one socket: it has no inode before `accept` and after closing.
    fn may_be(&self, other: &Self) -> bool {
        let inodes = self.inode.zip(other.inode);
        self.netns == other.netns && inodes.is_none_or(|(one, other)| one == other)
    }
}

/// The other end of a socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OtherEnd {
    /// This socket.
    Socket(End),
    /// Nothing.
    Nothing,
    /// Unknown, or on another machine.
    Unknown,
}

/// The connections of all namespaces listed, at one moment: about 150 bytes each.
#[derive(Debug, Default)]
pub struct Connections {
    ends: HashMap<Ends, End>,
    /// Further connections with the same ends: in other namespaces, on other interfaces.
    twins: HashMap<Ends, Vec<End>>,
    /// Translated connections: by one end, the translating namespace and the other end.
    translated: HashMap<Ends, Vec<(Option<u32>, Ends)>>,
    /// How often connections were read.
    reads: u8,
    /// True if some connections or translations may be missing.
    pub is_partial: bool,
}

impl Connections {
    /// Adds a socket, if it is connected.
    pub fn add(&mut self, socket: &Socket) {
        let Some(ends) = Ends::of(socket) else {
            return;
        };
        let end = End {
            netns: socket.netns,
            inode: socket.inode,
            uid: socket.uid,
            lacks_inode: socket.lacks_inode(),
            is_over: socket.state == State::TimeWait,
        };
        match self.ends.entry(ends) {
            Entry::Vacant(free) => _ = free.insert(end),
            // The same connection, changed during the read.
            Entry::Occupied(mut first) if first.get().may_be(&end) => {
                if end.inode.is_some() {
                    first.insert(end);
                }
            }
            Entry::Occupied(_) => self.twins.entry(ends).or_default().push(end),
        }
    }

    /// Adds a connection whose addresses a namespace translates.
    pub fn translate(&mut self, netns: Option<u32>, translation: &Translation) {
        let Translation {
            protocol,
            original,
            reply,
        } = *translation;
        let ends = |[local, peer]: [Address; 2]| Ends {
            protocol,
            local,
            peer,
        };
        let opener = ends(original);
        let called = ends(reply).turned();
        for (own, other) in [(opener, called), (called, opener)] {
            self.translated.entry(own).or_default().push((netns, other));
        }
    }

    fn at(&self, ends: &Ends) -> impl Iterator<Item = End> {
        let twins = self.twins.get(ends).into_iter().flatten();
        self.ends.get(ends).into_iter().chain(twins).copied()
    }

    /// The other end of a socket with these ends.
    fn opposite(&self, socket: &Socket, ends: Ends) -> OtherEnd {
        let turned = ends.turned();
        let own = |end: &End| end.netns == socket.netns;
        let mut here = self.at(&turned).filter(own);
        match (here.next(), here.next()) {
            // A remainder of an earlier connection with the same ports.
            (Some(end), None) if end.is_over && socket.state == State::Established => {
                return OtherEnd::Unknown;
            }
            (Some(end), None) => return OtherEnd::Socket(end),
            (Some(_), Some(_)) => return OtherEnd::Unknown,
            (None, _) => {}
        }
        let is_loopback = ends.is_loopback();
        let elsewhere = self.at(&turned).filter(|_| !is_loopback);
        let known = self.translated.get(&ends).into_iter().flatten();
        let known = known.filter(|(netns, _)| !is_loopback || *netns == socket.netns);
        let mut is_translated = false;
        let translated = known.flat_map(|(netns, other)| {
            is_translated = true;
            let is_near = |end: &End| !other.is_loopback() || end.netns == *netns;
            self.at(other).filter(is_near)
        });
        let mut found: Vec<End> = Vec::new();
        for end in elsewhere.chain(translated) {
            if !found.contains(&end) {
                found.push(end);
            }
        }
        // The found end may belong to another socket with the same ends.
        let has_twin = !is_loopback && self.at(&ends).any(|end| !own(&end));
        match *found {
            [end] if !has_twin => OtherEnd::Socket(end),
            // The other end would be here, unless it is closed or not yet open.
            [] if ends.is_within() && is_alone(socket) && !is_translated && !self.is_partial => {
                OtherEnd::Nothing
            }
            _ => OtherEnd::Unknown,
        }
    }

    /// True if connections must be read, or read again, to find the other end of this socket.
    pub(super) fn lack(&self, socket: &Socket) -> bool {
        let is_new = |ends: Ends| !self.knows(socket, &ends);
        self.reads < MOST_READS && Ends::of(socket).is_some_and(is_new)
    }

    /// Replaces those read before.
    pub(super) fn after(self, before: &Self) -> Self {
        Self {
            reads: before.reads + 1,
            ..self
        }
    }

    /// The other end of a socket.
    pub(super) fn of(&self, socket: &Socket) -> OtherEnd {
        if socket.family == Family::Unix {
            return match socket.peer_inode {
                Some(inode) => OtherEnd::Socket(End {
                    // Both ends of a connection are in the client's namespace; datagrams may go elsewhere.
                    netns: socket
                        .netns
                        .filter(|_| socket.kind != Some(SocketType::Dgram)),
                    inode: Some(inode),
                    uid: None,
                    lacks_inode: false,
                    is_over: false,
                }),
                None if socket.source == Source::Procfs => OtherEnd::Unknown,
                None => OtherEnd::Nothing,
            };
        }
        match Ends::of(socket) {
            None => OtherEnd::Nothing,
            Some(ends) if self.knows(socket, &ends) => self.opposite(socket, ends),
            Some(_) => OtherEnd::Unknown,
        }
    }

    /// True if these ends were already this socket's at the last read.
    fn knows(&self, socket: &Socket, ends: &Ends) -> bool {
        let is_it = |end: End| {
            end.netns == socket.netns && socket.inode.is_none_or(|inode| end.inode == Some(inode))
        };
        self.at(ends).any(is_it)
    }
}

/// True in a state without another end, or whose other end has closed.
fn is_alone(socket: &Socket) -> bool {
    let state = socket.state;
    let has_closed = matches!(state, State::TimeWait | State::CloseWait | State::LastAck);
    state == State::SynSent || has_closed
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{Connections, End, OtherEnd};
    use crate::model::{Family, Protocol, Socket, State, Translation};

    const SERVER: ([u8; 4], u16) = ([10, 0, 0, 2], 80);
    const CLIENT: ([u8; 4], u16) = ([10, 0, 0, 1], 5_000);

    fn socket(netns: u32, inode: u64, local: ([u8; 4], u16), peer: ([u8; 4], u16)) -> Socket {
        let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
        socket.state = State::Established;
        (socket.netns, socket.inode) = (Some(netns), Some(inode));
        for (end, (ip, port)) in [(&mut socket.local, local), (&mut socket.peer, peer)] {
            (end.ip, end.port) = (Some(ip.into()), Some(port.into()));
        }
        socket
    }

    fn known(sockets: &[&Socket]) -> Connections {
        let mut known = Connections::default();
        for socket in sockets {
            known.add(socket);
        }
        known
    }

    /// The inode at the other end; 0 = nothing, `None` = unknown.
    fn other_end(of: &Socket, known: Connections) -> Option<u64> {
        let unread = Connections::default();
        assert!(unread.lack(of));
        match known.after(&unread).of(of) {
            OtherEnd::Socket(End { inode, .. }) => inode,
            OtherEnd::Nothing => Some(0),
            OtherEnd::Unknown => None,
        }
    }

    #[test]
    fn other_end_is_here_before_it_is_elsewhere_and_nobody_guesses_between_two() {
        let own = socket(1, 11, CLIENT, SERVER);
        let [here, there, further] =
            [(1, 12), (2, 22), (3, 32)].map(|(netns, inode)| socket(netns, inode, SERVER, CLIENT));
        let again = socket(1, 13, SERVER, CLIENT);
        let mut waiting = here.clone();
        waiting.inode = None;
        let mut over = waiting.clone();
        over.state = State::TimeWait;
        let younger = socket(1, 14, CLIENT, SERVER);
        for (others, expected) in [
            (&[&own, &here][..], Some(12)),
            (&[&own, &here, &there], Some(12)),
            // Accepted during the read.
            (&[&own, &waiting, &here], Some(12)),
            (&[&own, &here, &waiting], Some(12)),
            // Of an earlier connection.
            (&[&own, &over], None),
            (&[&younger, &here], None),
            (&[&own, &there], Some(22)),
            (&[&own, &there, &further], None),
            // Two here, bound to two interfaces.
            (&[&own, &here, &again], None),
            // A later socket with the same ends.
            (&[&own, &there, &socket(3, 31, CLIENT, SERVER)], None),
            (&[&own], None),
        ] {
            assert_eq!(other_end(&own, known(others)), expected, "{others:?}");
        }
    }

    #[test]
    fn nothing_is_at_the_other_end_only_where_it_would_be_seen() {
        let loopback = |port| ([127, 0, 0, 1], port);
        let mut own = socket(1, 11, loopback(5_000), loopback(80));
        for (state, expected) in [
            (State::CloseWait, Some(0)),
            (State::SynSent, Some(0)),
            // May have been made during the read.
            (State::Established, None),
            (State::TimeWait, Some(0)),
        ] {
            own.state = state;
            assert_eq!(other_end(&own, known(&[&own])), expected, "{state:?}");
        }
        // The other end in another namespace is not this one's.
        let elsewhere = socket(2, 22, loopback(80), loopback(5_000));
        assert_eq!(other_end(&own, known(&[&own, &elsewhere])), Some(0));
        let partial = Connections {
            is_partial: true,
            ..known(&[&own])
        };
        assert_eq!(other_end(&own, partial), None);
        // Datagrams may go to an unconnected socket.
        let mut datagram = own.clone();
        (datagram.protocol, datagram.state) = (Protocol::Udp, State::Established);
        assert_eq!(other_end(&datagram, known(&[&datagram])), None);
        let mut listener = Socket::new(Protocol::Tcp, Family::Inet);
        listener.local = own.local.clone();
        assert_eq!(Connections::default().of(&listener), OtherEnd::Nothing);
    }

    #[test]
    fn translated_connection_is_joined_in_the_namespace_that_translates() {
        let at = |(ip, port): ([u8; 4], u16)| (IpAddr::from(Ipv4Addr::from(ip)), port);
        let loopback = |port| ([127, 0, 0, 1], port);
        let gateway = ([10, 0, 0, 254], 5_000);
        // A port of the host published on loopback.
        let mut own = socket(1, 11, loopback(5_000), loopback(8_080));
        own.state = State::CloseWait;
        let served = socket(2, 22, SERVER, gateway);
        let translation = Translation {
            protocol: Protocol::Tcp,
            original: [at(loopback(5_000)), at(loopback(8_080))],
            reply: [at(gateway), at(SERVER)],
        };
        let translated = |netns, sockets: &[&Socket]| {
            let mut known = known(sockets);
            known.translate(Some(netns), &translation);
            known
        };
        let both = [&own, &served];
        assert_eq!(other_end(&own, translated(1, &both)), Some(22));
        assert_eq!(other_end(&served, translated(1, &both)), Some(11));
        // A loopback address counts in its own namespace only; an end translated elsewhere may still exist.
        assert_eq!(other_end(&own, translated(2, &both)), Some(0));
        assert_eq!(other_end(&served, translated(2, &both)), None);
        assert_eq!(other_end(&own, translated(1, &[&own])), None);
    }
}
