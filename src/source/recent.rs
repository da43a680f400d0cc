//! Recognizes sockets that the kernel lists twice because others came during the listing.
//!
//! A dump, and a read of `/proc/net`, continues where its last piece ended: at a position in a bucket of the hash
//! table. A socket inserted before it meanwhile shifts the others by one position, so that the last ones are listed
//! again: of a dump a few, of `/proc/net/tcp`, which is read page by page, some hundreds (seen on Linux 6.18 with
//! connections coming and going).

use std::collections::{HashSet, VecDeque};
use std::net::IpAddr;

use crate::model::{Protocol, Socket, SocketType, State};

/// Sockets of a dump that are remembered: more than join a bucket between two datagrams.
const REMEMBERED: usize = 16;
/// Sockets of a file that are remembered.
const REMEMBERED_OF_FILE: usize = 4_096;

/// Bound sockets that are remembered: more than any program has on the way to connect.
const REMEMBERED_OF_BOUND: usize = 4_096;

/// Identifies a socket: cookie or inode, and both ends. A timewait structure has the cookie of its socket, which may
/// since be bound or connected again, and no inode. The subflows of an MPTCP socket share its inode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Key {
    number: Option<u64>,
    /// An SCTP association has the number of its endpoint, and may have its ends.
    kind: Option<SocketType>,
    local: (Option<IpAddr>, Option<u32>),
    peer: (Option<IpAddr>, Option<u32>),
}

impl Key {
    /// `None` if other sockets may have the same key.
    fn of(socket: &Socket) -> Option<Self> {
        let number = socket.cookie.or(socket.inode);
        let is_known = number.is_some() || socket.peer.port.is_some();
        is_known.then_some(Self {
            number,
            kind: socket.kind,
            local: (socket.local.ip, socket.local.port),
            peer: (socket.peer.ip, socket.peer.port),
        })
    }
}

/// The sockets of a dump that may be listed again.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// Cookies of netlink sockets, because the kernel lists members of multicast groups twice. Cookies of bound TCP
    /// sockets, because the kernel lists those first, and again if they connect meanwhile.
    cookies: HashSet<u64>,
    /// Cookies or inodes of the last ones listed; 0 = none. Comparing so few numbers costs less than hashing one.
    numbers: [u64; REMEMBERED],
    /// Of TCP and SCTP, of which several may have one number.
    keys: [Key; REMEMBERED],
    next: usize,
}

impl Repeats {
    /// True if this socket was listed before. Remembers it.
    pub(super) fn has(&mut self, socket: &Socket) -> bool {
        match (socket.protocol, socket.cookie) {
            (Protocol::Netlink, Some(cookie)) => !self.cookies.insert(cookie),
            (_, Some(cookie)) => self.is_recent(socket) || self.was_bound(cookie, socket.state),
            (_, None) => self.is_recent(socket),
        }
    }

    /// True if it was listed when bound. A timewait structure is not the socket itself.
    fn was_bound(&mut self, cookie: u64, state: State) -> bool {
        match state {
            State::Bound => {
                if self.cookies.len() < REMEMBERED_OF_BOUND {
                    self.cookies.insert(cookie);
                }
                false
            }
            State::TimeWait => false,
            _ => !self.cookies.is_empty() && self.cookies.contains(&cookie),
        }
    }

    /// True if it was among the last. Remembers it, if it has a number.
    fn is_recent(&mut self, socket: &Socket) -> bool {
        let Some(number) = socket.cookie.or(socket.inode) else {
            return false;
        };
        let has_key = socket.protocol.is_tcp_like() || socket.protocol == Protocol::Sctp;
        let key = has_key.then(|| Key::of(socket).unwrap_or_default());
        if self.numbers.contains(&number) && key.is_none_or(|key| self.keys.contains(&key)) {
            return true;
        }
        if let (Some(key), Some(oldest)) = (key, self.keys.get_mut(self.next)) {
            *oldest = key;
        }
        if let Some(oldest) = self.numbers.get_mut(self.next) {
            *oldest = number;
        }
        self.next = (self.next + 1) % REMEMBERED;
        false
    }
}

/// The last sockets listed from a file.
#[derive(Debug)]
pub(super) struct RecentOfFile {
    order: VecDeque<Key>,
    known: HashSet<Key>,
}

impl RecentOfFile {
    /// Allocates once, twice as much as is used, so that the set never grows.
    pub(super) fn new() -> Self {
        Self {
            order: VecDeque::with_capacity(REMEMBERED_OF_FILE + 1),
            known: HashSet::with_capacity(2 * REMEMBERED_OF_FILE),
        }
    }

    /// True if this socket was among the last. Remembers it, if it can be identified.
    pub(super) fn repeats(&mut self, socket: &Socket) -> bool {
        let Some(key) = Key::of(socket) else {
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
    use super::{REMEMBERED, REMEMBERED_OF_BOUND, REMEMBERED_OF_FILE, RecentOfFile, Repeats};
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
        let mut recent = Repeats::default();
        for cookie in [1, 2, 3] {
            assert!(!recent.has(&socket(Some(cookie), Some(9))));
        }
        assert!(recent.has(&socket(Some(2), Some(9))));
        assert!(!recent.has(&socket(None, Some(9))));
        assert!(recent.has(&socket(None, Some(9))));
    }

    fn listed(repeats: &mut Repeats, cookie: Option<u64>, state: State, peer: Option<u32>) -> bool {
        let mut socket = socket(cookie, Some(9));
        (socket.state, socket.peer.port) = (state, peer);
        !repeats.has(&socket)
    }

    #[test]
    fn a_bound_socket_that_connects_is_seen() {
        let mut repeats = Repeats::default();
        let mut listed = |cookie, state| {
            let peer = Some(80).filter(|_| state != State::Bound);
            listed(&mut repeats, cookie, state, peer)
        };
        assert!(listed(Some(1), State::Established));
        assert!(listed(Some(2), State::Bound));
        assert!(listed(None, State::Bound));
        assert!(listed(None, State::SynSent));
        assert!(!listed(Some(2), State::SynSent));
        for cookie in 0..100_000 {
            listed(Some(cookie), State::Bound);
        }
        assert_eq!(repeats.cookies.len(), REMEMBERED_OF_BOUND);
    }

    #[test]
    fn what_is_left_of_connections_is_listed_beside_their_socket() {
        let mut repeats = Repeats::default();
        let mut listed = |state, peer| listed(&mut repeats, Some(1), state, peer);
        assert!(listed(State::Bound, None));
        for port in [80, 81, 82] {
            assert!(listed(State::TimeWait, Some(port)));
            assert!(!listed(State::TimeWait, Some(port)));
        }
        let mut repeats = Repeats::default();
        let mut listed = |state, host| {
            let mut socket = socket(Some(1), None);
            socket.state = state;
            socket.peer.ip = Some(Ipv4Addr::new(10, 0, 0, host).into());
            socket.peer.port = Some(80);
            !repeats.has(&socket)
        };
        assert!(listed(State::TimeWait, 1));
        assert!(listed(State::TimeWait, 2));
        assert!(listed(State::Established, 3));
        assert!(!listed(State::TimeWait, 1));
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
        let mut recent = Repeats::default();
        assert!(!recent.has(&socket(None, None)));
        assert!(!recent.has(&socket(None, None)));
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
        let mut recent = Repeats::default();
        for cookie in 1..=REMEMBERED + 1 {
            assert!(!recent.has(&socket(u64::try_from(cookie).ok(), None)));
        }
        assert!(!recent.has(&socket(Some(1), None)));
    }
}
