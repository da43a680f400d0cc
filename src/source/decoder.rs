//! Decodes replies, and lends their sockets: for a live dump and for a recording.

use std::ops::ControlFlow;
use std::path::Path;

use super::malformed::Malformed;
use super::recent::Repeats;
use super::unix_names::UnixNames;
use super::{Request, Visitor};
use crate::model::{Socket, Source as Kind, State, StateSet, Table, Warning};
use crate::procfs;
use crate::wire;

/// Decodes replies of one table into a scratch socket and lends it.
pub(super) struct ReplyDecoder<'r> {
    pub(super) request: &'r Request,
    pub(super) visitor: &'r mut dyn Visitor,
    table: Table,
    names: Option<UnixNames>,
    repeats: Repeats,
    scratch: Socket,
    /// Sockets lent so far.
    pub(super) lent: u64,
    is_bound_lent: bool,
    /// Replies that could not be read.
    pub(super) malformed: Malformed,
}

impl<'r> ReplyDecoder<'r> {
    /// For the replies to `request` about `table`; unix peers are named from `names`.
    pub(super) fn new(
        source: Kind,
        table: Table,
        request: &'r Request,
        visitor: &'r mut dyn Visitor,
        names: Option<UnixNames>,
    ) -> Self {
        Self {
            request,
            visitor,
            table,
            names,
            repeats: Repeats::default(),
            scratch: Socket {
                source,
                ..Socket::new(table.protocol, table.family)
            },
            lent: 0,
            is_bound_lent: false,
            malformed: Malformed::default(),
        }
    }

    /// Lends the socket of one reply; a reply that cannot be read is counted.
    pub(super) fn lend(&mut self, payload: &[u8]) -> ControlFlow<()> {
        match wire::decode(self.table.protocol, payload, &mut self.scratch) {
            Err(error) => self.malformed.add(0, error),
            Ok(()) if self.repeats.has(&self.scratch) => {}
            Ok(()) => {
                self.name_peer();
                return self.pass_on();
            }
        }
        ControlFlow::Continue(())
    }

    /// Lends the socket of one line of `/proc/net`; a line that cannot be read is counted.
    pub(super) fn lend_line(&mut self, line: &[u8]) -> ControlFlow<()> {
        if let Err(error) = procfs::decode_line(self.table, line, &mut self.scratch) {
            self.malformed.add(0, error);
            return ControlFlow::Continue(());
        }
        self.pass_on()
    }

    /// Lends a socket that was decoded elsewhere.
    pub(super) fn lend_socket(&mut self, socket: Socket) -> ControlFlow<()> {
        self.scratch = socket;
        self.pass_on()
    }

    fn pass_on(&mut self) -> ControlFlow<()> {
        self.request.trim(&mut self.scratch);
        self.lent += 1;
        self.is_bound_lent |= self.scratch.state == State::Bound;
        self.visitor.take(&self.scratch)
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

    /// What of the request a source leaves out that may not list BOUND, if it did not.
    pub(super) fn unlisted(&self) -> StateSet {
        if self.is_bound_lent {
            StateSet::EMPTY
        } else {
            self.request.bound_of(self.table)
        }
    }

    /// What could not be read, or not be named.
    pub(super) fn warnings(
        &self,
        table: Option<Table>,
        path: Option<&Path>,
    ) -> impl Iterator<Item = Warning> {
        let unnamed = self.names.as_ref().and_then(|names| names.failure.clone());
        let malformed = self.malformed.replies(table, path).into_iter();
        malformed.chain(unnamed.map(Warning::UnnamedPeers))
    }
}
