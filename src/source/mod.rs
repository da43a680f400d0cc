//! Sources of sockets: netlink, `/proc/net`, BPF and recordings.

mod auto;
mod channel;
#[cfg(feature = "bpf")]
mod checks;
mod conntrack;
mod decoder;
#[cfg(feature = "bpf")]
pub mod events;
mod files;
mod kernel;
mod namespaces;
mod netlink;
mod note;
pub mod procfs;
mod recent;
mod record;
mod replay;
mod speaks;
mod unix_names;
#[cfg(feature = "bpf")]
mod walk;

use std::io;
use std::iter;
use std::mem;
use std::ops::ControlFlow;

use rustix::io::Errno;

use crate::error::Error;
use crate::filter::Narrow;
use crate::model::{
    Cause, Limits, Network, Protocol, RecordedName, Socket, Source as Kind, StateSet, Structure,
    Table, Warning,
};

pub use crate::netns::Namespaces;
use crate::procfs::fd::Walk;
use crate::procfs::moment::Moment;
pub use crate::wire::{Detail, Extensions};
pub use auto::AutoSource;
pub use conntrack::translations;
pub use files::FilesSource;
pub use namespaces::{Depth, NamespacesSource, Way};
pub use netlink::NetlinkSource;
pub use procfs::ProcfsSource;
pub use record::Recorder;
pub use replay::ReplaySource;
#[cfg(feature = "bpf")]
pub use walk::{Use, WalkSource};

/// The request of a listing, for every table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The wanted states. A source may report more, never fewer.
    pub states: StateSet,
    /// The wanted optional parts.
    pub extensions: Extensions,
    /// What of a table may be omitted. A source may report more, never less.
    pub narrow: Narrow,
    /// Inode number of the network namespace; `None` = the own one, not requested.
    pub netns: Option<u32>,
}

impl Request {
    /// Everything in these states, without optional parts.
    pub fn plain(states: StateSet) -> Self {
        Self {
            states,
            extensions: Extensions::default(),
            narrow: Narrow::default(),
            netns: None,
        }
    }

    /// The requested states that the table has and that cannot be listed.
    fn unlisted(&self, table: Table, untold: StateSet) -> StateSet {
        let possible = table.protocol.states();
        self.states.intersection(possible).intersection(untold)
    }

    /// Removes optional parts that were not requested.
    fn trim(&self, socket: &mut Socket) {
        if let Some(details) = &mut socket.details {
            if !self.extensions.info && !self.extensions.attributes {
                details.clear_infos();
            }
            if !self.extensions.options {
                details.clear_info(Structure::SocketOptions);
            }
            if !self.extensions.memory {
                details.memory = None;
            }
            if !self.extensions.storage {
                details.bpf_storage.clear();
            }
            if !self.extensions.files {
                details.clear_files();
            }
        }
    }
}

/// Receives the sockets of a table one by one. Implemented by closures, which cannot rewind.
pub trait Visitor {
    /// Takes one socket; `Break` ends the dump.
    fn take(&mut self, socket: &Socket) -> ControlFlow<()>;

    /// Sockets with these inode numbers follow soon: whatever is known of them can be brought into the caches of the
    /// processor together, instead of one by one.
    fn announce(&mut self, inodes: &[u64]) {
        let _ = inodes;
    }

    /// True if sockets that look alike to it need not be lent one by one: it [counts](Self::count) them.
    fn counts(&self) -> bool {
        false
    }

    /// Takes `count` sockets like this one. They use these ports or those of earlier calls.
    fn count(&mut self, like: &Socket, count: u64, ports: &[u16]) {
        let _ = (like, count, ports);
    }

    /// True if it keeps sockets so that it can [rewind](Self::rewind). Then it gets sockets as they come; otherwise a
    /// short table as a whole.
    fn can_rewind(&self) -> bool {
        false
    }

    /// The part is complete; another dump of the same table follows.
    fn next_part(&mut self) {}

    /// Discards every socket of the table or part, which is read again because something was lost. False if some may
    /// have been shown; then the rest of the table is lost.
    fn rewind(&mut self) -> bool {
        false
    }
}

impl<F: FnMut(&Socket) -> ControlFlow<()>> Visitor for F {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        self(socket)
    }
}

/// The result of reading a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The source; `None` = this kernel has no such sockets.
    pub source: Option<Kind>,
    /// Why it is not the first choice.
    pub reason: Option<Cause>,
    /// Warnings about it.
    pub warnings: Vec<Warning>,
    /// States that the source does not list: the number of their sockets is unknown. (For the fields that it does not
    /// report see [`Field::reported_by`](crate::fields::Field::reported_by).)
    pub unlisted: StateSet,
    /// True for a recording that does not say which states it has.
    pub is_scope_unknown: bool,
    /// True for a recording that has only the sockets that its filter accepts.
    pub is_narrowed: bool,
    /// The kernel refused the program that excludes sockets; the list is the same.
    pub refused_program: bool,
    /// The network namespace; `None` = the own one.
    pub netns: Option<Network>,
    /// The results of the same table in other namespaces.
    pub others: Vec<Self>,
}

impl Outcome {
    /// All rows came from this source.
    pub fn complete(source: Kind) -> Self {
        Self {
            source: Some(source),
            ..Self::default()
        }
    }

    /// There are no such sockets, or they cannot be listed.
    pub fn absent(reason: Cause) -> Self {
        Self {
            reason: Some(reason),
            ..Self::default()
        }
    }

    /// The table could not be read.
    pub fn failed(cause: Cause) -> Self {
        Self {
            warnings: vec![Warning::Failed(cause.clone())],
            ..Self::absent(cause)
        }
    }

    /// Adds the result of another part of the table.
    pub(crate) fn add(&mut self, part: Self) {
        self.unlisted = self.unlisted.union(part.unlisted);
        self.warnings.extend(part.warnings);
        self.refused_program |= part.refused_program;
        self.source = self.source.or(part.source);
        self.reason = self.reason.take().or(part.reason);
    }

    /// This result, and those of other namespaces.
    pub fn each(mut self) -> impl Iterator<Item = Self> {
        let others = mem::take(&mut self.others);
        iter::once(self).chain(others)
    }

    /// True if it lists sockets in every state, also bound ones.
    pub fn lists_every_state(&self) -> bool {
        self.source.is_some_and(Kind::tells_all)
            && self.unlisted == StateSet::EMPTY
            && !self.warnings.iter().any(Warning::is_gap)
    }

    /// The warnings about missing rows.
    pub fn into_gaps(self) -> impl Iterator<Item = Warning> {
        let warnings = self.each().flat_map(|one| one.warnings);
        warnings.filter(Warning::is_gap)
    }
}

/// The directory of this machine's data.
const PROC: &str = "/proc";

/// Reads tables.
pub trait Source {
    /// Lends every socket of a table to the visitor, always in the same scratch value.
    ///
    /// # Errors
    ///
    /// When the table cannot be read at all; then no socket was lent. Later errors are in the [`Outcome`].
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error>;

    /// Lends the sockets of TCP over both IP versions in one walk, as they come; `None` = this source cannot, or it
    /// does not pay off, and nothing was lent.
    fn visit_both(&mut self, request: &Request, visitor: &mut dyn Visitor) -> Option<Outcome> {
        let _ = (request, visitor);
        None
    }

    /// Lends the sockets of several tables; those of TCP over both IP versions in one walk, if possible and if their
    /// requests are equal.
    fn visit_all(
        &mut self,
        requests: &[(Table, Request)],
        visitor: &mut dyn Visitor,
    ) -> Vec<Result<Outcome, Error>> {
        if let [(first, request), (second, other)] = requests
            && [first, second].map(|table| table.protocol) == [Protocol::Tcp; 2]
            && request == other
            && let Some(outcome) = self.visit_both(request, visitor)
        {
            return vec![Ok(outcome)];
        }
        let requests = requests.iter();
        let outcomes = requests.map(|(table, request)| {
            visitor.next_part();
            self.visit(*table, request, visitor)
        });
        outcomes.collect()
    }

    /// The recorded names of numbers.
    fn names(&mut self) -> Vec<RecordedName> {
        Vec::new()
    }

    /// The network namespaces that it reads, by inode number, each with the thread in it, if any. Empty = none
    /// requested.
    fn namespaces(&self) -> Namespaces {
        Namespaces::new()
    }

    /// Takes the descriptors of processes that were all read to find namespaces, and the moment when that began.
    fn take_walk(&mut self) -> Option<(Moment, Walk)> {
        None
    }

    /// Searches again for the namespaces, before each round but the first.
    fn next_round(&mut self) {}

    /// Takes warnings about namespaces that were not found.
    fn take_warnings(&mut self) -> Vec<Warning> {
        Vec::new()
    }

    /// True if the search for namespaces omitted nothing.
    fn is_searched(&self) -> bool {
        true
    }

    /// Moves the chunk boundaries of the next table. The kernel skips sockets after a chunk if earlier ones disappear
    /// meanwhile; sockets skipped twice are gone.
    fn vary_chunk_boundary(&mut self) {}

    /// Has the kernel close a socket that this source has listed (`SOCK_DESTROY`).
    ///
    /// # Errors
    ///
    /// Why it failed; `EOPNOTSUPP` if it cannot close such sockets, `ENOENT` if there is none with these ends and this
    /// cookie.
    fn destroy(&mut self, socket: &Socket) -> io::Result<()> {
        let _ = socket;
        Err(Errno::OPNOTSUPP.into())
    }

    /// Limits and counters of the sockets' kernel.
    fn limits(&self) -> Box<dyn Limits> {
        Box::new(kernel::Kernel::default())
    }
}
