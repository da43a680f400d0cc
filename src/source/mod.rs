//! Where sockets come from.

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

/// What a listing asks of every table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The states wanted. A source may show more, never fewer.
    pub states: StateSet,
    /// The optional parts wanted.
    pub extensions: Extensions,
    /// What of a table may be left out. A source may show more, never less.
    pub narrow: Narrow,
    /// Inode number of the network namespace that is asked; `None` = the own one, unasked.
    pub netns: Option<u32>,
}

impl Request {
    /// Everything in these states, without the optional parts.
    pub fn plain(states: StateSet) -> Self {
        Self {
            states,
            extensions: Extensions::default(),
            narrow: Narrow::default(),
            netns: None,
        }
    }

    /// The states that are asked for, that sockets of the table can be in, and that nobody can tell of.
    fn unlisted(&self, table: Table, untold: StateSet) -> StateSet {
        let possible = table.protocol.states();
        self.states.intersection(possible).intersection(untold)
    }

    /// Drops the optional parts that came without being wanted.
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

/// What takes the sockets of a table, one after another. A closure does, and keeps what it took.
pub trait Visitor {
    /// One socket; `Break` ends the dump.
    fn take(&mut self, socket: &Socket) -> ControlFlow<()>;

    /// True if sockets that differ in nothing it looks at need not be lent one by one: it
    /// [counts](Self::count) them.
    fn counts(&self) -> bool {
        false
    }

    /// So many sockets like this one. They have these ports, or others that it was given before do.
    fn count(&mut self, like: &Socket, count: u64, ports: &[u16]) {
        let _ = (like, count, ports);
    }

    /// True if it keeps what it takes, so that it can [rewind](Self::rewind). Then it is given sockets
    /// as they come; otherwise a short table as a whole.
    fn can_rewind(&self) -> bool {
        false
    }

    /// What it was given is whole; a dump of the same table from elsewhere follows.
    fn next_part(&mut self) {}

    /// Drops every socket of the table, or of this part of it, which is read again from its start because something was lost.
    /// False if some may have been shown; then the rest of the table is lost.
    fn rewind(&mut self) -> bool {
        false
    }
}

impl<F: FnMut(&Socket) -> ControlFlow<()>> Visitor for F {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        self(socket)
    }
}

/// How a table was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Who answered; `None` = this kernel has no such sockets.
    pub source: Option<Kind>,
    /// Why not the first choice.
    pub reason: Option<Cause>,
    /// What must be known of it.
    pub warnings: Vec<Warning>,
    /// States whose sockets the source does not list: how many there are is unknown. (What fields it
    /// does not report, [`Field::reported_by`](crate::fields::Field::reported_by) tells.)
    pub unlisted: StateSet,
    /// True of a recording that does not say which states it has: it is all there is to list.
    pub is_scope_unknown: bool,
    /// True of a recording that has only what its filter wants.
    pub is_narrowed: bool,
    /// The kernel refused to leave out what the request allows it to: the list is the same.
    pub refused_program: bool,
    /// The network namespace that it is of; `None` = the own one.
    pub netns: Option<Network>,
    /// How the same table was read in other namespaces.
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

    /// Nobody can tell of these sockets.
    pub fn absent(reason: Cause) -> Self {
        Self {
            reason: Some(reason),
            ..Self::default()
        }
    }

    /// It could not be read.
    pub fn failed(cause: Cause) -> Self {
        Self {
            warnings: vec![Warning::Failed(cause.clone())],
            ..Self::absent(cause)
        }
    }

    /// Adds how another part of the table was read.
    pub(crate) fn add(&mut self, part: Self) {
        self.unlisted = self.unlisted.union(part.unlisted);
        self.warnings.extend(part.warnings);
        self.refused_program |= part.refused_program;
        self.source = self.source.or(part.source);
        self.reason = self.reason.take().or(part.reason);
    }

    /// This one, and those of other namespaces.
    pub fn each(mut self) -> impl Iterator<Item = Self> {
        let others = mem::take(&mut self.others);
        iter::once(self).chain(others)
    }

    /// True if it told of every socket that is bound, in whatever state.
    pub fn lists_every_state(&self) -> bool {
        self.source.is_some_and(Kind::tells_all)
            && self.unlisted == StateSet::EMPTY
            && !self.warnings.iter().any(Warning::is_gap)
    }

    /// Why rows may be missing.
    pub fn into_gaps(self) -> impl Iterator<Item = Warning> {
        let warnings = self.each().flat_map(|one| one.warnings);
        warnings.filter(Warning::is_gap)
    }
}

/// Where this machine tells what it has.
const PROC: &str = "/proc";

/// A reader of tables.
pub trait Source {
    /// Lends every socket of a table to the visitor: the same scratch value again and again.
    ///
    /// # Errors
    ///
    /// When the table cannot be read at all; no socket was lent then. Later trouble is told in the
    /// [`Outcome`].
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error>;

    /// Lends the sockets of TCP over both IP versions in one walk, as they come; `None` = this source
    /// cannot, or it does not pay, and nothing was lent.
    fn visit_both(&mut self, request: &Request, visitor: &mut dyn Visitor) -> Option<Outcome> {
        let _ = (request, visitor);
        None
    }

    /// Lends the sockets of tables, one after another; those of TCP over both IP versions in one walk where it
    /// can, and the same is asked of both.
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

    /// The names that numbers had where it was recorded.
    fn names(&mut self) -> Vec<RecordedName> {
        Vec::new()
    }

    /// The network namespaces whose sockets it lends, by inode number, each with the thread that is there if
    /// there is one. Empty = nobody asked.
    fn namespaces(&self) -> Namespaces {
        Namespaces::new()
    }

    /// Takes what it found at processes when it looked for namespaces, if it read every descriptor, and the moment
    /// when it began to.
    fn take_walk(&mut self) -> Option<(Moment, Walk)> {
        None
    }

    /// Looks again for the namespaces that it reads, before each round but the first.
    fn next_round(&mut self) {}

    /// Takes what must be known of namespaces that it did not find.
    fn take_warnings(&mut self) -> Vec<Warning> {
        Vec::new()
    }

    /// True if nothing was left out where it looked for namespaces.
    fn is_searched(&self) -> bool {
        true
    }

    /// Makes the chunks of the next table end elsewhere. The kernel leaves out sockets behind the end of
    /// a chunk when others before them go away meanwhile: those that are left out twice are gone.
    fn vary_chunk_boundary(&mut self) {}

    /// Has the kernel end a socket that this source has listed (`SOCK_DESTROY`).
    ///
    /// # Errors
    ///
    /// Why it did not; `EOPNOTSUPP` where it cannot end such a socket at all, `ENOENT` where it finds none with these
    /// ends and this cookie.
    fn destroy(&mut self, socket: &Socket) -> io::Result<()> {
        let _ = socket;
        Err(Errno::OPNOTSUPP.into())
    }

    /// The limits and counters of the kernel whose sockets these are.
    fn limits(&self) -> Box<dyn Limits> {
        Box::new(kernel::Kernel::default())
    }
}
