//! Decodes replies, and lends their sockets: for a live dump and for a recording.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::Path;

use super::recent::{BoundBefore, Recent};
use super::unix_names::UnixNames;
use super::{Request, Visitor};
use crate::model::{Cause, Family, Protocol, Socket, Source as Kind, Table, Warning};
use crate::procfs;
use crate::wire::{self, WireError};

/// Decodes replies of one table into a scratch socket and lends it.
pub(super) struct ReplyDecoder<'r> {
    protocol: Protocol,
    request: &'r Request,
    names: Option<UnixNames>,
    /// Cookies of the netlink sockets seen: the kernel lists those in a multicast group twice.
    seen: HashSet<u64>,
    recent: Recent,
    bound: BoundBefore,
    scratch: Socket,
    /// Sockets lent so far.
    pub(super) lent: u64,
    /// Replies that could not be read.
    pub(super) malformed: Malformed,
}

/// Replies or lines that could not be read: how many, and what was wrong with the first.
#[derive(Debug, Default)]
pub(super) struct Malformed {
    count: u64,
    first: Option<Cause>,
}

impl Malformed {
    /// Counts one.
    pub(super) fn add(&mut self, why: impl Into<Cause>) {
        self.first.get_or_insert_with(|| why.into());
        self.count += 1;
    }

    /// True if all could be read.
    pub(super) const fn is_none(&self) -> bool {
        self.count == 0
    }

    /// What to say about them.
    pub(super) fn warning(&self, table: Option<Table>, path: Option<&Path>) -> Option<Warning> {
        Some(Warning::BadReplies {
            table,
            path: path.map(Path::to_owned),
            count: self.count,
            first: self.first.clone()?,
        })
    }
}

impl<'r> ReplyDecoder<'r> {
    /// For the replies to `request` about `protocol`; unix peers are named from `names`.
    pub(super) fn new(protocol: Protocol, request: &'r Request, names: Option<UnixNames>) -> Self {
        Self {
            protocol,
            request,
            names,
            seen: HashSet::new(),
            recent: Recent::default(),
            bound: BoundBefore::default(),
            scratch: Socket::new(protocol, Family::Inet),
            lent: 0,
            malformed: Malformed::default(),
        }
    }

    /// The same for the messages of a recording.
    pub(super) fn replaying(mut self) -> Self {
        self.scratch.source = Kind::Replay;
        self
    }

    /// Lends the socket of one reply; a reply that cannot be read is counted.
    pub(super) fn lend(&mut self, payload: &[u8], visitor: &mut dyn Visitor) -> ControlFlow<()> {
        if let Err(error) = wire::decode(self.protocol, payload, &mut self.scratch) {
            self.malformed.add(error);
            return ControlFlow::Continue(());
        }
        if self.is_repeated() {
            return ControlFlow::Continue(());
        }
        self.name_peer();
        self.pass_on(visitor)
    }

    /// Lends the socket of one line of `/proc/net`; a line that cannot be read is counted.
    pub(super) fn lend_line(
        &mut self,
        table: Table,
        line: &[u8],
        visitor: &mut dyn Visitor,
    ) -> ControlFlow<()> {
        if let Err(error) = procfs::decode_line(table, line, &mut self.scratch) {
            self.malformed.add(error);
            return ControlFlow::Continue(());
        }
        self.pass_on(visitor)
    }

    /// Lends a socket that was decoded elsewhere.
    pub(super) fn lend_socket(
        &mut self,
        socket: Socket,
        visitor: &mut dyn Visitor,
    ) -> ControlFlow<()> {
        self.scratch = socket;
        self.pass_on(visitor)
    }

    /// What to say when names of unix peers may be missing.
    pub(super) fn unnamed(&self) -> Option<Warning> {
        let cause = self.names.as_ref()?.failure()?;
        Some(Warning::UnnamedPeers(cause.clone()))
    }

    fn pass_on(&mut self, visitor: &mut dyn Visitor) -> ControlFlow<()> {
        self.request.trim(&mut self.scratch);
        self.lent += 1;
        visitor.take(&self.scratch)
    }

    fn name_peer(&mut self) {
        if let Some(names) = &mut self.names
            && let Some(inode) = self.scratch.peer_inode
            && let Some(name) = names.of(inode)
        {
            self.scratch.peer.set_name(name);
        }
    }

    fn is_repeated(&mut self) -> bool {
        match (self.protocol, self.scratch.cookie) {
            (Protocol::Netlink, Some(cookie)) => !self.seen.insert(cookie),
            _ => self.recent.repeats(&self.scratch) || self.bound.repeats(&self.scratch),
        }
    }

    /// Forgets the replies of a dump that is begun again.
    pub(super) fn restart(&mut self) {
        self.lent = 0;
        self.seen.clear();
        self.recent = Recent::default();
        self.bound = BoundBefore::default();
        self.malformed = Malformed::default();
    }

    /// Counts a message whose frame is broken.
    pub(super) fn broken(&mut self, error: WireError) {
        self.malformed.add(error);
    }
}
