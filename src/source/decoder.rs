//! Decodes replies and lines and lends their sockets, for live listings and recordings.

use std::ops::ControlFlow;
use std::path::Path;

use super::channel::Channel;
use super::recent::Repeats;
use super::unix_names::UnixNames;
use super::{Recorder, Request, Visitor};
use crate::error::Malformed;
use crate::model::{Cause, Protocol, Socket, Source as Kind, State, StateSet, Table, Warning};
use crate::{procfs, wire};

/// Decodes the replies about one table into a scratch socket and lends it.
pub(super) struct Decoder<'r> {
    pub(super) request: &'r Request,
    pub(super) visitor: &'r mut dyn Visitor,
    pub(super) table: Table,
    names: Option<UnixNames>,
    repeats: Repeats,
    pub(super) scratch: Socket,
    pub(super) lent: u64,
    /// True if the kernel refused to report BPF storage.
    pub(super) is_storage_refused: bool,
    is_bound_lent: bool,
    /// Malformed replies or lines.
    pub(super) malformed: u64,
    /// The line of the first one, 0 for a reply, and its error.
    first_malformed: Option<(u64, Cause)>,
}

impl<'r> Decoder<'r> {
    /// For the replies to `request` about `table`; names unix peers from `names`.
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

    /// Lends the socket of a reply; a malformed reply is counted.
    pub(super) fn lend(&mut self, payload: &[u8]) -> ControlFlow<()> {
        let detail = self.request.extensions.unasked();
        let protocol = self.table.protocol;
        if payload.is_empty() && protocol == Protocol::Tipc {
            // Stands for a socket in a state that was not requested (`tipc_sk_fill_sock_diag`).
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

    /// Lends the socket of a reply, or holds the reply to name peers once all have come.
    pub(super) fn take(&mut self, payload: &[u8]) -> ControlFlow<()> {
        match &mut self.names {
            Some(names) => names.add(payload),
            None => return self.lend(payload),
        }
        ControlFlow::Continue(())
    }

    /// Lends the sockets of the held replies. Peers not among them may be requested.
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

    /// True if there was any reply or line.
    pub(super) fn has_any(&self) -> bool {
        let is_held = self.names.as_ref().is_some_and(|names| names.end() > 0);
        self.lent > 0 || self.malformed > 0 || is_held
    }

    /// Decodes a line of `/proc/net`; a malformed line is counted and returns false.
    pub(super) fn read_line(&mut self, number: u64, line: Result<&[u8], &str>) -> bool {
        // Also in a recording: it has no more than the file had.
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

    /// Counts a malformed line; replies are line 0.
    pub(super) fn count(&mut self, line: u64, why: impl Into<Cause>) {
        self.first_malformed
            .get_or_insert_with(|| (line, why.into()));
        self.malformed += 1;
    }

    /// Discards the replies of a dump that is repeated.
    pub(super) fn restart(&mut self) {
        self.lent = 0;
        self.names.iter_mut().for_each(UnixNames::clear);
        self.repeats = Repeats::default();
        self.malformed = 0;
        self.first_malformed = None;
    }

    /// The requested states that a source did not list, if it may omit BOUND and did.
    pub(super) fn unlisted(&self) -> StateSet {
        self.request.unlisted(self.table, self.untold())
    }

    /// The states omitted by a source that may omit BOUND, if it did.
    pub(super) const fn untold(&self) -> StateSet {
        if self.is_bound_lent {
            StateSet::EMPTY
        } else {
            StateSet::EMPTY.with(State::Bound)
        }
    }

    /// Warns of malformed lines of a file.
    pub(super) fn bad_lines(&self, path: &Path) -> Option<Warning> {
        let (line, first) = self.first_malformed.clone()?;
        Some(Warning::BadLines {
            path: path.to_owned(),
            line,
            first,
            more: self.malformed - 1,
        })
    }

    /// Warns of malformed replies, and of peers without a name.
    pub(super) fn warnings(&self, what: &str) -> impl Iterator<Item = Warning> {
        let unnamed = self.names.as_ref().and_then(|names| names.failure.clone());
        let first = self.first_malformed.clone();
        let malformed = first.map(|(_, first)| {
            let text = match self.malformed {
                1 => format!("{what}: 1 malformed reply: {first}"),
                count => format!("{what}: {count} malformed replies, the first: {first}"),
            };
            Warning::failed(text).varying(format!("{what}: replies: {first}"))
        });
        let unnamed = unnamed.map(Warning::UnnamedPeers);
        malformed.into_iter().chain(unnamed)
    }
}
