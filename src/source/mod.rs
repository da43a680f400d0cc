//! Where sockets come from.

mod auto;
mod channel;
pub mod events;
mod exact;
mod files;
mod lender;
mod netlink;
pub mod procfs;
mod recent;
mod record;
mod replay;
mod unix_names;

use std::ops::ControlFlow;

use crate::error::Error;
use crate::filter::Narrow;
use crate::model::{Socket, Source as Kind, StateSet, Table};

pub use auto::AutoSource;
pub use files::FilesSource;
pub use netlink::NetlinkSource;
pub use procfs::ProcfsSource;
pub use record::Recorder;
pub use replay::ReplaySource;

/// Which optional parts of a socket a listing shows: the kernel is asked for nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is wanted by itself")]
pub struct Wanted {
    /// `tcp_info`, `mptcp_info` and the congestion control algorithm.
    pub info: bool,
    /// Socket memory and drops.
    pub memory: bool,
    /// Names of the peers of unix sockets.
    pub unix_peers: bool,
    /// What netlink does not tell of TCP connections: [`crate::model::Listed`], and the user of one that
    /// is not accepted yet. [`FilesSource`] looks into the file for it.
    pub listed: bool,
}

/// What a listing asks of every table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The states wanted. A source may show more, never fewer.
    pub states: StateSet,
    /// The optional parts wanted.
    pub wanted: Wanted,
    /// What of a table may be left out. A source may show more, never less.
    pub narrow: Narrow,
}

impl Request {
    /// Drops the optional parts that came without being wanted.
    fn trim(&self, socket: &mut Socket) {
        if let Some(details) = &mut socket.details {
            if !self.wanted.info {
                details.congestion.clear();
                details.tcp_info = None;
                details.mptcp_info = None;
            }
            if !self.wanted.memory {
                details.memory = None;
            }
        }
    }
}

/// What takes the sockets of a table, one after another. A closure does, and keeps what it took.
pub trait Visitor {
    /// One socket; `Break` ends the dump.
    fn take(&mut self, socket: &Socket) -> ControlFlow<()>;

    /// Does it hold what it takes, so that it can [forget](Self::forget) it? Then it is given sockets as
    /// they come; otherwise a short table as a whole.
    fn holds(&self) -> bool {
        false
    }

    /// The table is to be read again from its begin, for something was lost: forgets every socket of
    /// it. `false` = it cannot, for some may have been shown; then the rest of the table is lost.
    fn forget(&mut self) -> bool {
        false
    }
}

impl<F: FnMut(&Socket) -> ControlFlow<()>> Visitor for F {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        self(socket)
    }
}

/// How a table was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Who answered; `None` = this kernel has no such sockets.
    pub source: Option<Kind>,
    /// Why not the first choice.
    pub reason: Option<String>,
    /// Why rows may be missing; empty = none is known to be.
    pub gaps: Vec<String>,
    /// Lines of a file that are no sockets; the first gap tells of them.
    pub bad_lines: u64,
    /// What else must be said.
    pub warnings: Vec<String>,
    /// Why names of unix peers are missing, if they were wanted and are.
    pub unnamed: Option<String>,
    /// The kernel refused to leave out what the request allows it to: the list is the same.
    pub refused_program: bool,
}

impl Outcome {
    /// All rows came from this source.
    pub const fn complete(source: Kind) -> Self {
        Self {
            source: Some(source),
            reason: None,
            gaps: Vec::new(),
            bad_lines: 0,
            warnings: Vec::new(),
            unnamed: None,
            refused_program: false,
        }
    }

    /// The gaps but for that of bad lines.
    pub fn other_gaps(&self) -> &[String] {
        let told = usize::from(self.bad_lines > 0);
        self.gaps.get(told..).unwrap_or_default()
    }
}

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

    /// The next table is read in pieces that end elsewhere. The kernel leaves out sockets behind the end
    /// of a piece when others before them go away meanwhile: those that are left out twice are gone.
    fn shift(&mut self) {}
}
