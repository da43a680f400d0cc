//! Sockets that the kernel lists twice because others came while it listed them.
//!
//! A dump, and a read of `/proc/net`, goes on where the last piece ended: at a bucket of the hash
//! table and a place in it. A socket that is put in front of the others meanwhile moves them all by
//! one place, and those listed last are listed again: of a dump the last few, of
//! `/proc/net/tcp`, which is read page by page, some hundreds (seen on Linux 6.18 with connections
//! coming and going).

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;

use crate::model::{Protocol, Socket, State};

/// How many sockets of a dump are remembered: more than come to one bucket between two datagrams.
const REMEMBERED: usize = 16;
/// How many sockets of a file are remembered.
const REMEMBERED_OF_FILE: usize = 4_096;

/// How many sockets that are only bound are remembered: more than any program has on the way to connect.
const REMEMBERED_OF_BOUND: usize = 4_096;

/// What tells a socket from others: cookie or inode, or of a connection without either (`TIME_WAIT`
/// in `/proc/net/tcp`) both addresses; and its ports.
type Key = (Identity, Option<u32>, Option<u32>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Identity {
    Number(u64),
    Addresses(IpAddr, IpAddr),
}

fn key(socket: &Socket) -> Option<Key> {
    let identity = if let Some(number) = socket.cookie.or(socket.inode) {
        Identity::Number(number)
    } else {
        socket.peer.port?;
        Identity::Addresses(socket.local.ip?, socket.peer.ip?)
    };
    Some((identity, socket.local.port, socket.peer.port))
}

/// The sockets of a dump that may be listed again.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// Cookies of netlink sockets: the kernel lists those in a multicast group twice.
    netlink: HashSet<u64>,
    recent: Recent,
    bound: BoundBefore,
}

impl Repeats {
    /// True if this socket was listed before. It is remembered.
    pub(super) fn has(&mut self, socket: &Socket) -> bool {
        match (socket.protocol, socket.cookie) {
            (Protocol::Netlink, Some(cookie)) => !self.netlink.insert(cookie),
            _ => self.recent.repeats(socket) || self.bound.repeats(socket),
        }
    }
}

/// The sockets of a dump listed last. Looking through so few numbers costs less than hashing one.
#[derive(Debug, Default)]
struct Recent {
    /// Cookies; 0 is none.
    numbers: [u64; REMEMBERED],
    ports: [(Option<u32>, Option<u32>); REMEMBERED],
    next: usize,
}

impl Recent {
    /// Was this socket among the last? It is remembered, if it has a number.
    fn repeats(&mut self, socket: &Socket) -> bool {
        let Some(number) = socket.cookie.or(socket.inode) else {
            return false;
        };
        let ports = (socket.local.port, socket.peer.port);
        let mut known = self.numbers.iter().zip(&self.ports);
        if self.numbers.contains(&number) && known.any(|old| old == (&number, &ports)) {
            return true;
        }
        let oldest = self.numbers.iter_mut().zip(&mut self.ports).nth(self.next);
        if let Some((old_number, old_ports)) = oldest {
            (*old_number, *old_ports) = (number, ports);
        }
        self.next = (self.next + 1) % REMEMBERED;
        false
    }
}

/// The bound sockets of a dump. The kernel goes through them first: one that connects meanwhile is met
/// again among the connections.
#[derive(Debug, Default)]
struct BoundBefore {
    cookies: HashSet<u64>,
}

impl BoundBefore {
    /// Was this socket met when it was bound? One that is bound is remembered.
    fn repeats(&mut self, socket: &Socket) -> bool {
        match socket.cookie {
            Some(cookie) if socket.state == State::Bound => {
                if self.cookies.len() < REMEMBERED_OF_BOUND {
                    self.cookies.insert(cookie);
                }
                false
            }
            Some(cookie) => !self.cookies.is_empty() && self.cookies.contains(&cookie),
            None => false,
        }
    }
}

/// The sockets of a file listed last.
#[derive(Debug)]
pub(super) struct RecentOfFile {
    order: VecDeque<Key>,
    known: HashSet<Key>,
}

impl RecentOfFile {
    /// None yet. The room is made at once, twice as much as is used: then sets never grow.
    pub(super) fn new() -> Self {
        Self {
            order: VecDeque::with_capacity(REMEMBERED_OF_FILE + 1),
            known: HashSet::with_capacity(2 * REMEMBERED_OF_FILE),
        }
    }

    /// Was this socket among the last? It is remembered, if it can be told from others.
    pub(super) fn repeats(&mut self, socket: &Socket) -> bool {
        let Some(key) = key(socket) else {
            return false;
        };
        if !self.known.insert(key) {
            return true;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED_OF_FILE
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{
        BoundBefore, REMEMBERED, REMEMBERED_OF_BOUND, REMEMBERED_OF_FILE, Recent, RecentOfFile,
    };
    use crate::model::{Family, Protocol, Socket, State};
    use std::net::Ipv4Addr;

    fn socket(cookie: Option<u64>, inode: Option<u64>) -> Socket {
        let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
        socket.cookie = cookie;
        socket.inode = inode;
        socket
    }

    #[test]
    fn a_socket_listed_again_is_seen() {
        let mut recent = Recent::default();
        for cookie in [1, 2, 3] {
            assert!(!recent.repeats(&socket(Some(cookie), Some(9))));
        }
        assert!(recent.repeats(&socket(Some(2), Some(9))));
        assert!(!recent.repeats(&socket(None, Some(9))));
        assert!(recent.repeats(&socket(None, Some(9))));
    }

    #[test]
    fn a_bound_socket_that_connects_is_seen() {
        let met = |before: &mut BoundBefore, cookie, state| {
            let mut socket = socket(cookie, Some(9));
            socket.state = state;
            before.repeats(&socket)
        };
        let mut before = BoundBefore::default();
        assert!(!met(&mut before, Some(1), State::Established));
        assert!(!met(&mut before, Some(2), State::Bound));
        assert!(!met(&mut before, None, State::Bound));
        assert!(!met(&mut before, Some(1), State::Established));
        assert!(!met(&mut before, None, State::SynSent));
        assert!(met(&mut before, Some(2), State::SynSent));
        for cookie in 0..100_000 {
            met(&mut before, Some(cookie), State::Bound);
        }
        assert_eq!(before.cookies.len(), REMEMBERED_OF_BOUND);
    }

    #[test]
    fn a_connection_without_a_number_is_known_by_its_addresses() {
        let time_wait = |port| {
            let mut socket = socket(None, None);
            socket.local.ip = Some(Ipv4Addr::LOCALHOST.into());
            socket.peer.ip = Some(Ipv4Addr::LOCALHOST.into());
            socket.peer.port = Some(port);
            socket
        };
        let mut recent = RecentOfFile::new();
        assert!(!recent.repeats(&time_wait(1)));
        assert!(!recent.repeats(&time_wait(2)));
        assert!(recent.repeats(&time_wait(1)));
    }

    #[test]
    fn sockets_that_cannot_be_told_apart_are_all_listed() {
        let mut recent = Recent::default();
        assert!(!recent.repeats(&socket(None, None)));
        assert!(!recent.repeats(&socket(None, None)));
    }

    #[test]
    fn of_a_file_more_are_remembered_and_the_oldest_forgotten() {
        let mut recent = RecentOfFile::new();
        for inode in 1..=REMEMBERED_OF_FILE {
            assert!(!recent.repeats(&socket(None, u64::try_from(inode).ok())));
        }
        assert!(recent.repeats(&socket(None, Some(1))));
        assert!(!recent.repeats(&socket(None, Some(u64::MAX))));
        assert!(!recent.repeats(&socket(None, Some(1))));
        assert_eq!(recent.known.len(), REMEMBERED_OF_FILE);
    }

    #[test]
    fn old_ones_are_forgotten() {
        let mut recent = Recent::default();
        for cookie in 1..=REMEMBERED + 1 {
            assert!(!recent.repeats(&socket(u64::try_from(cookie).ok(), None)));
        }
        assert!(!recent.repeats(&socket(Some(1), None)));
    }
}
