//! Names of the peers of unix sockets.
//!
//! The kernel finds a unix socket by its inode with a walk over all of them, so asking for every peer
//! costs the square of their number. One dump of all names is as good; only a socket younger than
//! that dump is asked for by itself.

use std::ops::ControlFlow;

use super::channel::Channel;
use super::{Recorder, Visitor};
use crate::model::{Cause, Family, Protocol, Socket, Table};
use crate::wire;

const UNIX: Table = Table::new(Protocol::Unix, Family::Unix);

/// Inode to name.
#[derive(Debug)]
pub(super) struct UnixNames {
    /// (inode, begin and length in `bytes`), ascending; length 0 = unnamed.
    index: Vec<(u64, usize, usize)>,
    bytes: Vec<u8>,
    scratch: Socket,
    /// For sockets that are not in the index; `None` = nobody can be asked.
    pub(super) live: Option<(Channel, Recorder)>,
    /// Why names may be missing, if they may.
    pub(super) failure: Option<Cause>,
}

impl UnixNames {
    /// An index to be filled, then [sorted](Self::sort).
    pub(super) fn new() -> Self {
        Self {
            index: Vec::new(),
            bytes: Vec::new(),
            scratch: Socket::new(Protocol::Unix, Family::Unix),
            live: None,
            failure: None,
        }
    }

    /// Adds the socket of one reply.
    pub(super) fn add(&mut self, payload: &[u8]) {
        let entry = self.decode(payload);
        self.index.extend(entry);
    }

    fn decode(&mut self, payload: &[u8]) -> Option<(u64, usize, usize)> {
        wire::decode(Protocol::Unix, payload, &mut self.scratch).ok()?;
        keep(&mut self.bytes, &self.scratch)
    }

    pub(super) fn sort(&mut self) {
        self.index.sort_unstable();
    }

    /// The name of the socket with this inode; `None` = it has none, or it is gone.
    pub(super) fn of(&mut self, inode: u64) -> Option<&[u8]> {
        let at = match self.index.binary_search_by_key(&inode, |entry| entry.0) {
            Ok(at) => at,
            Err(at) => {
                self.ask(inode, at)?;
                at
            }
        };
        let (_, begin, len) = *self.index.get(at)?;
        let name = self.bytes.get(begin..)?.get(..len)?;
        (!name.is_empty()).then_some(name)
    }

    /// Asks the kernel for one socket and enters the answer at its place.
    fn ask(&mut self, inode: u64, at: usize) -> Option<()> {
        let (mut channel, recorder) = self.live.take()?;
        let request = wire::unix_name_request(Some(u32::try_from(inode).ok()?));
        let payload = match channel.ask(request) {
            Ok((datagram, payload)) => {
                recorder.keep(UNIX, datagram);
                payload
            }
            Err(cause) => {
                self.failure = Some(cause.into());
                return None;
            }
        };
        let (_, begin, len) = payload.and_then(|it| self.decode(it)).unwrap_or_default();
        self.index.insert(at, (inode, begin, len));
        self.live = Some((channel, recorder));
        Some(())
    }
}

/// Keeps the name of a socket, and makes its entry of the index.
fn keep(bytes: &mut Vec<u8>, socket: &Socket) -> Option<(u64, usize, usize)> {
    let name = &socket.local.name;
    let entry = (socket.inode?, bytes.len(), name.len());
    bytes.extend_from_slice(name);
    Some(entry)
}

/// Keeps what it takes.
impl Visitor for UnixNames {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        let entry = keep(&mut self.bytes, socket);
        self.index.extend(entry);
        ControlFlow::Continue(())
    }

    fn can_rewind(&self) -> bool {
        true
    }

    fn rewind(&mut self) -> bool {
        self.index.clear();
        self.bytes.clear();
        true
    }
}
