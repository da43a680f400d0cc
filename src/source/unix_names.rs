//! Holds replies about unix sockets to name their peers.
//!
//! The kernel finds a unix socket by its inode by walking over all, so asking for every peer would cost the square of
//! their number. A peer may be listed before or after its socket, so replies are held until all have come. Only
//! younger sockets are requested individually.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::Recorder;
use super::channel::Channel;
use crate::model::{Cause, Family, Protocol, Table};
use crate::wire;

const UNIX: Table = Table::new(Protocol::Unix, Family::Unix);

type ByNumber<T> = HashMap<u32, T, BuildHasherDefault<Spread>>;

/// Replies, and what is named by inode.
#[derive(Debug, Default)]
pub(super) struct UnixNames {
    /// Replies, each after its length.
    replies: Vec<u8>,
    /// Inodes that were listed or requested: 64 bits by the quotient of inode and 64. Most inodes are close together.
    known: ByNumber<u64>,
    /// Positions of replies with a name, by inode.
    named: ByNumber<u32>,
    /// For sockets that are not known; `None` = no further requests.
    pub(super) live: Option<(Channel, Recorder)>,
    /// Why names may be missing, if so.
    pub(super) failure: Option<Cause>,
}

impl UnixNames {
    /// Holds a reply.
    pub(super) fn add(&mut self, reply: &[u8]) {
        if let Some((inode, name)) = wire::unix_name(reply) {
            self.know(inode);
            if let (false, Ok(begin)) = (name.is_empty(), u32::try_from(self.replies.len())) {
                self.named.insert(inode, begin);
            }
        }
        let length = u32::try_from(reply.len()).unwrap_or(u32::MAX);
        self.replies.extend_from_slice(&length.to_ne_bytes());
        self.replies.extend_from_slice(reply);
    }

    fn know(&mut self, inode: u32) {
        *self.known.entry(inode / u64::BITS).or_default() |= 1 << (inode % u64::BITS);
    }

    /// The end of the last reply.
    pub(super) const fn end(&self) -> usize {
        self.replies.len()
    }

    /// The reply at a position, and its end.
    pub(super) fn at(&self, begin: usize) -> Option<(&[u8], usize)> {
        let (length, rest) = self.replies.get(begin..)?.split_first_chunk()?;
        let length = usize::try_from(u32::from_ne_bytes(*length)).ok()?;
        Some((rest.get(..length)?, begin + size_of::<u32>() + length))
    }

    /// Forgets all replies.
    pub(super) fn clear(&mut self) {
        self.replies.clear();
        self.known.clear();
        self.named.clear();
    }

    /// The name of the socket with this inode; `None` if it has none or is gone.
    pub(super) fn of(&mut self, inode: u64) -> Option<&[u8]> {
        let inode = u32::try_from(inode).ok()?;
        let known = self.known.get(&(inode / u64::BITS));
        if known.is_none_or(|known| known >> (inode % u64::BITS) & 1 == 0) {
            self.ask(inode);
        }
        let begin = *self.named.get(&inode)?;
        let (reply, _) = self.at(usize::try_from(begin).ok()?)?;
        Some(wire::unix_name(reply)?.1)
    }

    /// Requests one socket and holds the reply.
    fn ask(&mut self, inode: u32) {
        let Some((mut channel, recorder)) = self.live.take() else {
            return;
        };
        self.know(inode);
        match channel.ask(wire::unix_name_request(inode)) {
            Ok((datagram, answer)) => {
                recorder.keep(UNIX, datagram);
                if let Some(reply) = answer {
                    self.add(reply);
                }
            }
            Err(cause) => {
                self.failure = Some(cause.into());
                return;
            }
        }
        self.live = Some((channel, recorder));
    }
}

/// A hasher for inode numbers, which the kernel counts up: nobody can choose many of them.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
