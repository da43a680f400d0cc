//! Sockets that the kernel lists twice because others came while it listed them.
//!
//! A dump, and a read of `/proc/net`, goes on where the last piece ended: at a bucket of the hash
//! table and a place in it. A socket that is put in front of the others meanwhile moves them all by
//! one place, and those listed last are listed again.

use crate::model::Socket;

/// How many sockets are remembered: more than come to one bucket between two pieces.
const REMEMBERED: usize = 16;

/// What tells a socket from others: cookie or inode, and its ports.
type Key = (u64, Option<u32>, Option<u32>);

/// The sockets listed last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    keys: [Option<Key>; REMEMBERED],
    next: usize,
}

impl Recent {
    /// Was this socket among the last? It is remembered, if it can be told from others.
    pub(super) fn repeats(&mut self, socket: &Socket) -> bool {
        let Some(identity) = socket.cookie.or(socket.inode) else {
            return false;
        };
        let key = Some((identity, socket.local.port, socket.peer.port));
        if self.keys.contains(&key) {
            return true;
        }
        if let Some(oldest) = self.keys.get_mut(self.next) {
            *oldest = key;
        }
        self.next = (self.next + 1) % REMEMBERED;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED, Recent};
    use crate::model::{Family, Protocol, Socket};

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
    fn sockets_that_cannot_be_told_apart_are_all_listed() {
        let mut recent = Recent::default();
        assert!(!recent.repeats(&socket(None, None)));
        assert!(!recent.repeats(&socket(None, None)));
    }

    #[test]
    fn old_ones_are_forgotten() {
        let mut recent = Recent::default();
        for cookie in 0..=REMEMBERED {
            assert!(!recent.repeats(&socket(u64::try_from(cookie).ok(), None)));
        }
        assert!(!recent.repeats(&socket(Some(0), None)));
    }
}
