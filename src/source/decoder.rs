//! Decodes replies and lines, and lends their sockets: for a live listing and for a recording.

use std::ops::ControlFlow;
use std::path::Path;

use super::channel::Channel;
use super::recent::Repeats;
use super::unix_names::UnixNames;
use super::{Recorder, Request, Visitor};
use crate::error::Malformed;
use crate::model::{Cause, Protocol, Socket, Source as Kind, State, StateSet, Table, Warning};
use crate::{procfs, wire};

/// Decodes what is told of one table into a scratch socket and lends it.
pub(super) struct Decoder<'r> {
    pub(super) request: &'r Request,
    pub(super) visitor: &'r mut dyn Visitor,
    pub(super) table: Table,
    names: Option<UnixNames>,
    repeats: Repeats,
    pub(super) scratch: Socket,
    pub(super) lent: u64,
    /// The kernel did not tell what BPF maps store.
    pub(super) is_storage_refused: bool,
    is_bound_lent: bool,
    /// Replies or lines that are no sockets.
    pub(super) malformed: u64,
    /// The line of the first, 0 if it has none, and what is wrong with it.
    first_malformed: Option<(u64, Cause)>,
}

impl<'r> Decoder<'r> {
    /// For what answers `request` about `table`; unix peers are named from `names`.
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
                netns: request.netns,
                ..Socket::new(table.protocol, table.family)
                    .keeping_attributes(request.extensions.keeps_attributes(table))
            },
            lent: 0,
            is_storage_refused: false,
            is_bound_lent: false,
            malformed: 0,
            first_malformed: None,
        }
    }

    /// Lends the socket of one reply; a reply that cannot be read is counted.
    pub(super) fn lend(&mut self, payload: &[u8]) -> ControlFlow<()> {
        let detail = self.request.extensions.unasked();
        let protocol = self.table.protocol;
        if payload.is_empty() && protocol == Protocol::Tipc {
            // In the place of a socket in a state that was not asked for (`tipc_sk_fill_sock_diag`).
            return ControlFlow::Continue(());
        }
        let decoded = wire::decode_part(protocol, payload, detail, &mut self.scratch);
        self.lend_decoded(decoded)
    }

    fn lend_decoded(&mut self, decoded: Result<(), Malformed>) -> ControlFlow<()> {
        self.scratch.clear_leftovers();
        match decoded {
            Err(error) => self.count(0, error),
            Ok(()) if self.repeats.has(&self.scratch) => {}
            Ok(()) => {
                self.name_peer();
                if self.is_storage_refused {
                    self.scratch.details_mut().is_storage_refused = true;
                }
                return self.lend_scratch();
            }
        }
        ControlFlow::Continue(())
    }

    /// Lends the sockets of a reply, or holds it until all have come, where peers are named from them.
    pub(super) fn take(&mut self, payload: &[u8]) -> ControlFlow<()> {
        match &mut self.names {
            Some(names) => names.add(payload),
            None => return self.lend(payload),
        }
        ControlFlow::Continue(())
    }

    /// Lends the sockets of the replies that are held. Those that are not may be asked for.
    pub(super) fn lend_held(&mut self, live: impl FnOnce() -> Option<(Channel, Recorder)>) {
        let Some(names) = &mut self.names else { return };
        names.live = live();
        let (mut begin, end) = (0, names.end());
        let detail = self.request.extensions.unasked();
        while begin < end
            && let Some((payload, next)) = self.names.as_ref().and_then(|names| names.at(begin))
        {
            let protocol = self.table.protocol;
            let decoded = wire::decode_part(protocol, payload, detail, &mut self.scratch);
            if self.lend_decoded(decoded).is_break() {
                return;
            }
            begin = next;
        }
    }

    /// True if replies are held until all have come.
    pub(super) const fn holds(&self) -> bool {
        self.names.is_some()
    }

    /// True if anything was told.
    pub(super) fn has_any(&self) -> bool {
        let is_held = self.names.as_ref().is_some_and(|names| names.end() > 0);
        self.lent > 0 || self.malformed > 0 || is_held
    }

    /// Decodes one line of `/proc/net`; false for one that cannot be read: it is counted.
    pub(super) fn read_line(&mut self, number: u64, line: Result<&[u8], &str>) -> bool {
        // Whoever plays it: it tells no more than the file did.
        self.scratch.source = Kind::Procfs;
        let decode = |line| procfs::decode_line(self.table, line, &mut self.scratch);
        let decoded = line.map_err(str::to_owned).and_then(decode);
        if !self.request.extensions.proc_net {
            self.scratch.clear_leftovers();
        }
        let is_socket = decoded.is_ok();
        decoded.unwrap_or_else(|error| self.count(number, error));
        is_socket
    }

    pub(super) fn lend_socket(&mut self, socket: Socket) -> ControlFlow<()> {
        self.scratch = socket;
        self.scratch.netns = self.request.netns;
        self.scratch.clear_leftovers();
        self.lend_scratch()
    }

    pub(super) fn lend_scratch(&mut self) -> ControlFlow<()> {
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

    /// Counts a line that is no socket; a reply is in line 0.
    pub(super) fn count(&mut self, line: u64, why: impl Into<Cause>) {
        self.first_malformed
            .get_or_insert_with(|| (line, why.into()));
        self.malformed += 1;
    }

    /// Forgets the replies of a dump that is begun again.
    pub(super) fn restart(&mut self) {
        self.lent = 0;
        self.names.iter_mut().for_each(UnixNames::clear);
        self.repeats = Repeats::default();
        self.malformed = 0;
        self.first_malformed = None;
    }

    /// What of the request a source leaves out that may not list BOUND, if it did not.
    pub(super) fn unlisted(&self) -> StateSet {
        self.request.unlisted(self.table, self.untold())
    }

    /// What a source leaves out that may not list BOUND, if it did not.
    pub(super) const fn untold(&self) -> StateSet {
        if self.is_bound_lent {
            StateSet::EMPTY
        } else {
            StateSet::EMPTY.with(State::Bound)
        }
    }

    /// What to say about lines of a file.
    pub(super) fn bad_lines(&self, path: &Path) -> Option<Warning> {
        let (line, first) = self.first_malformed.clone()?;
        Some(Warning::BadLines {
            path: path.to_owned(),
            line,
            first,
            more: self.malformed - 1,
        })
    }

    /// What to say about the replies of this dump, and about peers without a name.
    pub(super) fn warnings(&self, what: &str) -> impl Iterator<Item = Warning> {
        let unnamed = self.names.as_ref().and_then(|names| names.failure.clone());
        let first = self.first_malformed.clone();
        let malformed = first.map(|(_, first)| {
            let text = match self.malformed {
                1 => format!("{what}: a reply that cannot be read: {first}"),
                count => format!("{what}: {count} replies that cannot be read, the first: {first}"),
            };
            Warning::failed(text).varying(format!("{what}: replies: {first}"))
        });
        let unnamed = unnamed.map(Warning::UnnamedPeers);
        malformed.into_iter().chain(unnamed)
    }
}
