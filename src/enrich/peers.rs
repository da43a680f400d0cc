//! Which socket is at the other end.
//!
//! The kernel tells it of unix sockets. The other end of a connection over IP has the same four numbers the other
//! way round; where addresses are translated, the numbers that whoever translates them keeps.

use std::collections::HashMap;

use super::inode_counters::InodeCounters;
use crate::model::{Address, Family, Protocol, Socket, Source, State, Translation};

/// How often connections are read per listing: once, and for those made since.
const MOST_READS: u8 = 3;

/// A connection as one end of it sees it: its own address, and the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Ends {
    protocol: Protocol,
    local: Address,
    peer: Address,
}

impl Ends {
    /// Those of a socket, if it is connected. An IPv4-mapped address is the IPv4 address.
    fn of(socket: &Socket) -> Option<Self> {
        let protocol = socket.protocol;
        let address = |ip: Option<std::net::IpAddr>, port: Option<u32>| {
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

    /// True if it cannot leave its namespace.
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
    /// Inode number of its network namespace; `None` = the own one, unasked.
    pub(super) netns: Option<u32>,
    pub(super) inode: Option<u64>,
    pub(super) uid: Option<u32>,
    /// True if it may have an inode that was not told.
    pub(super) lacks_inode: bool,
}

/// What is at the other end of a socket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OtherEnd {
    /// This socket.
    Socket(End),
    /// Nothing.
    Nothing,
    /// It cannot be told, or it is elsewhere.
    Unknown,
}

/// The connections of all namespaces that are looked at, at one moment: about 150 bytes each.
#[derive(Debug, Default)]
pub struct Connections {
    ends: HashMap<Ends, End>,
    /// Further ones with the same numbers: in other namespaces, on other interfaces.
    twins: HashMap<Ends, Vec<End>>,
    /// As one end sees it, and as the other does, in the namespace that translates.
    translated: HashMap<Ends, Vec<(Option<u32>, Ends)>>,
    counters: InodeCounters,
    /// True if some may be missing, or translated in ways that are not known.
    pub is_partial: bool,
}

impl Connections {
    /// None yet. What is read now is true now, unless it `is_copy` of what no longer changes.
    pub fn new(is_copy: bool) -> Self {
        Self {
            counters: if is_copy {
                InodeCounters::default()
            } else {
                InodeCounters::now()
            },
            ..Self::default()
        }
    }

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
        };
        if let Some(first) = self.ends.insert(ends, end) {
            self.twins.entry(ends).or_default().push(first);
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

    /// What is at the other end of a socket with these ends.
    fn opposite(&self, socket: &Socket, ends: Ends) -> OtherEnd {
        let turned = ends.turned();
        let own = |end: &End| end.netns == socket.netns;
        let mut here = self.at(&turned).filter(own);
        match (here.next(), here.next()) {
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
        // Another one with the same ends may be whose other end that is.
        let has_twin = !is_loopback && self.at(&ends).any(|end| !own(&end));
        match *found {
            [end] if !has_twin => OtherEnd::Socket(end),
            // It would be here.
            [] if ends.is_within()
                && ends.protocol != Protocol::Udp
                && ends.protocol != Protocol::UdpLite
                && !is_translated
                && !self.is_partial =>
            {
                OtherEnd::Nothing
            }
            _ => OtherEnd::Unknown,
        }
    }

    /// Was it made after these were read?
    fn is_older_than(&self, socket: &Socket) -> bool {
        match socket.inode {
            Some(inode) => self.counters.is_older_than(inode),
            None => socket.state != State::TimeWait && !self.knows(socket),
        }
    }

    fn knows(&self, socket: &Socket) -> bool {
        let known = Ends::of(socket).map(|ends| self.at(&ends).next().is_some());
        known.unwrap_or(true)
    }
}

/// Finds the other ends of sockets.
#[derive(Debug, Default)]
pub(super) struct Peers {
    connections: Option<Connections>,
    reads: u8,
}

impl Peers {
    /// True if connections must be read before the other end of this socket can be told.
    pub(super) fn lacks_connections(&self, socket: &Socket) -> bool {
        let is_older = |known: &Connections| known.is_older_than(socket);
        self.reads < MOST_READS
            && Ends::of(socket).is_some()
            && self.connections.as_ref().is_none_or(is_older)
    }

    pub(super) fn take(&mut self, connections: Connections) {
        self.connections = Some(connections);
        self.reads += 1;
    }

    /// What is at the other end.
    pub(super) fn of(&self, socket: &Socket) -> OtherEnd {
        if socket.family == Family::Unix {
            return match socket.peer_inode {
                Some(inode) => OtherEnd::Socket(End {
                    netns: None,
                    inode: Some(inode),
                    uid: None,
                    lacks_inode: false,
                }),
                None if socket.source == Source::Procfs => OtherEnd::Unknown,
                None => OtherEnd::Nothing,
            };
        }
        match (Ends::of(socket), &self.connections) {
            (None, _) => OtherEnd::Nothing,
            (Some(ends), Some(known)) if !known.is_older_than(socket) => {
                known.opposite(socket, ends)
            }
            (Some(_), _) => OtherEnd::Unknown,
        }
    }
}
