//! Decodes replies, and lends their sockets: for a live dump and for a recording.

use std::ops::ControlFlow;

use super::malformed::Malformed;
use super::recent::Repeats;
use super::unix_names::UnixNames;
use super::{Request, Visitor};
use crate::model::{Family, Protocol, Socket, Source as Kind, Table, Warning};
use crate::procfs;
use crate::wire::{self, WireError};

/// Decodes replies of one table into a scratch socket and lends it.
pub(super) struct ReplyDecoder<'r> {
    protocol: Protocol,
    request: &'r Request,
    names: Option<UnixNames>,
    repeats: Repeats,
    scratch: Socket,
    /// Sockets lent so far.
    pub(super) lent: u64,
    /// Replies that could not be read.
    pub(super) malformed: Malformed,
}

impl<'r> ReplyDecoder<'r> {
    /// For the replies to `request` about `protocol`; unix peers are named from `names`.
    pub(super) fn new(protocol: Protocol, request: &'r Request, names: Option<UnixNames>) -> Self {
        Self {
            protocol,
            request,
            names,
            repeats: Repeats::default(),
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
            self.malformed.add(0, error);
            return ControlFlow::Continue(());
        }
        if self.repeats.has(&self.scratch) {
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
            self.malformed.add(0, error);
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

    /// Forgets the replies of a dump that is begun again.
    pub(super) fn restart(&mut self) {
        self.lent = 0;
        self.repeats = Repeats::default();
        self.malformed = Malformed::default();
    }

    /// Counts a message whose frame is broken.
    pub(super) fn broken(&mut self, error: WireError) {
        self.malformed.add(0, error);
    }
}
