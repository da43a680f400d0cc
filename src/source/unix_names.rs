//! Names of the peers of unix sockets.
//!
//! The kernel finds a unix socket by its inode with a walk over all of them, so asking for every peer
//! costs the square of their number. One dump of all names is as good; only a socket younger than
//! that dump is asked for by itself.

use std::io;

use super::Recorder;
use super::channel::{Channel, REPEATS};
use crate::model::{Cause, Disturbance, Family, Protocol, Socket};
use crate::wire::{self, Body, Messages};

/// Inode to name.
#[derive(Debug)]
pub(super) struct UnixNames {
    /// (inode, begin and length in `bytes`), ascending; length 0 = unnamed.
    index: Vec<(u64, usize, usize)>,
    bytes: Vec<u8>,
    scratch: Socket,
    /// For sockets that are not in the index; `None` = nobody can be asked.
    live: Option<(Channel, Recorder)>,
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

    /// The names of the machine's sockets. Where they cannot be had, peers stay unnamed and
    /// [`failure`](Self::failure) says why.
    pub(super) fn live(recorder: Recorder) -> Self {
        let mut names = Self::new();
        let mut dump = names.dump();
        for _ in 0..REPEATS {
            dump = dump.or_else(|_| names.dump());
        }
        match dump {
            Ok(channel) => names.live = Some((channel, recorder)),
            Err(cause) => names.failure = Some(cause.into()),
        }
        names.sort();
        names
    }

    /// Adds every socket. Where the dump is disturbed, what was added stays.
    fn dump(&mut self) -> io::Result<Channel> {
        self.index.clear();
        self.bytes.clear();
        let mut channel = Channel::open()?;
        channel.send(&wire::unix_name_request(None))?;
        loop {
            let datagram = channel.receive()?;
            if wire::is_interrupted(datagram) {
                return Err(io::Error::other(Disturbance::Changed));
            }
            for message in Messages::new(datagram).flatten() {
                match message.body {
                    Body::Socket(payload) => self.add(payload),
                    Body::Done(code) | Body::Error(code) if code > 0 => {
                        return Err(io::Error::from_raw_os_error(code));
                    }
                    Body::Done(_) | Body::Error(_) => return Ok(channel),
                    _ => {}
                }
            }
        }
    }

    /// Adds the socket of one reply.
    pub(super) fn add(&mut self, payload: &[u8]) {
        let entry = self.keep(payload);
        self.index.extend(entry);
    }

    /// Keeps the name of the socket of one reply, and makes its entry of the index.
    fn keep(&mut self, payload: &[u8]) -> Option<(u64, usize, usize)> {
        wire::decode(Protocol::Unix, payload, &mut self.scratch).ok()?;
        let name = &self.scratch.local.name;
        let entry = (self.scratch.inode?, self.bytes.len(), name.len());
        self.bytes.extend_from_slice(name);
        Some(entry)
    }

    /// Makes the index fit for use.
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
        let datagram = match channel.ask(&request) {
            Ok(datagram) => datagram,
            Err(cause) => {
                self.failure = Some(cause.into());
                return None;
            }
        };
        recorder.keep(datagram);
        let first = Messages::new(datagram).next();
        let payload = first.and_then(|message| message.ok()?.socket());
        let (_, begin, len) = payload.and_then(|it| self.keep(it)).unwrap_or_default();
        self.index.insert(at, (inode, begin, len));
        self.live = Some((channel, recorder));
        Some(())
    }
}
