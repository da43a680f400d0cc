//! The table of TCP connections, walked by a program in the kernel.
//!
//! Over netlink the kernel makes a message of every socket; the walk takes a fraction of that. It needs rights
//! and a kernel whose types are as they are known here. What listens or is only bound stands in
//! other tables and stays with netlink, and so does whoever asks for more than the walk tells.

mod program;
mod record;

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::iter::{once, repeat};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub(super) use self::program::Scope;
use self::program::{FUNCTION, WANTED, program};
use self::record::{Detailed, Extent, Head, Record, STRAYED, TABLE, Ticks};
use super::channel::REPEATS;
use super::decoder::Decoder;
use zerocopy::IntoBytes as _;

use super::{Detail, NetlinkSource, Outcome, Request, Source, Visitor};
use crate::bpf::{self, BTF, Hook, Link, Map, MapKind, TypeKind};
use crate::error::Error;
use crate::filter::Narrow;
use crate::model::{
    Cause, Family, Protocol, Socket, Source as Kind, State, StateSet, Table, Warning,
};
use crate::wire;

/// The kernel never gives more at once.
const BUFFER: usize = 32 << 10;
/// From so many TCP sockets on the walk costs less than the dump, with all that it takes to begin.
const PAYS: u64 = 50_000;
/// The same where sockets that are only bound are listed, which netlink looks for in another table then.
const PAYS_WITH_BOUND: u64 = 300_000;
/// Sockets in a bucket of a small table, on average: the kernel gives up where one element has ten times as
/// many.
const MOST_IN_BUCKET: u64 = 32;

/// When connections are walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Never.
    Never,
    /// Where there are many, and the kernel lets us.
    WherePays,
    /// Always: where it cannot be, nothing is listed.
    Always,
}

/// Reads tables over netlink, but for TCP connections where the walk is of use.
#[derive(Debug)]
pub struct WalkSource {
    netlink: NetlinkSource,
    usage: Use,
    /// Why it stepped aside, until that was said.
    refusal: Option<Cause>,
    btf: PathBuf,
}

impl WalkSource {
    /// Beside this source.
    pub fn new(netlink: NetlinkSource, usage: Use) -> Self {
        Self {
            netlink,
            usage,
            refusal: None,
            btf: BTF.into(),
        }
    }

    /// Lists a table of TCP, or both; `None` = the walk is of no use here, and nothing was lent.
    fn list(
        &mut self,
        tables: &[Table],
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Option<Result<Outcome, Error>> {
        let sockets = self.sockets(tables, request)?;
        let family = only(tables).map(|table| table.family);
        let walk = match Walk::load(&self.btf, Scope::Own(family), request) {
            Ok(walk) => walk,
            Err(error) => return self.step_aside(error),
        };
        let mut first = First::new(visitor);
        let listening = Walk::without(request);
        let mut outcome = Outcome::complete(Kind::Bpf);
        if listening.states != StateSet::EMPTY {
            match self.over_netlink(tables, &listening, &mut first) {
                Ok(listed) => outcome.add(listed),
                Err(error) => return self.step_aside(error),
            }
        }
        if let Some(bound) = first.finish() {
            let rows = Rows {
                sockets,
                bound,
                ..Rows::default()
            };
            match walk.lend(&self.btf, request, visitor, &rows) {
                Ok(warnings) => outcome.warnings.extend(warnings),
                Err(error) if self.usage == Use::Always => {
                    outcome.warnings.push(Warning::Failed(error.into()));
                }
                Err(error) => {
                    outcome.source = Some(Kind::Netlink);
                    outcome.reason = Some(error.into());
                    match self.over_netlink(tables, &Walk::part(request), visitor) {
                        Ok(listed) => outcome.add(listed),
                        Err(error) => outcome.warnings.push(Warning::Failed(error.into())),
                    }
                }
            }
        }
        Some(Ok(outcome))
    }

    /// How many sockets there may be, where it is to be walked; 0 = whatever their number.
    fn sockets(&self, tables: &[Table], request: &Request) -> Option<u64> {
        let is_tcp = tables.iter().all(|table| table.protocol == Protocol::Tcp);
        let is_possible = is_tcp && Walk::tells(request) && !self.netlink.is_recorded();
        match self.usage {
            _ if !is_possible => None,
            Use::Never => None,
            Use::Always => Some(0),
            // The kernel leaves out of a dump what is not wanted, and that costs less.
            Use::WherePays if request.narrow != Narrow::default() => None,
            Use::WherePays => paying(Scope::Own(None), request),
        }
    }

    /// Nothing was lent: others may list it, unless it was asked for.
    fn step_aside(&mut self, error: Error) -> Option<Result<Outcome, Error>> {
        if self.usage == Use::Always {
            return Some(Err(error));
        }
        self.usage = Use::Never;
        self.refusal = Some(error.into());
        None
    }

    fn over_netlink(
        &mut self,
        tables: &[Table],
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        if tables.len() > 1
            && let Some(outcome) = self.netlink.visit_both(request, visitor)
        {
            return Ok(outcome);
        }
        let mut all = Outcome::default();
        for (table, is_first) in tables.iter().zip(once(true).chain(repeat(false))) {
            match self.netlink.visit(*table, request, visitor) {
                Ok(outcome) => all.add(outcome),
                Err(error) if is_first => return Err(error),
                Err(error) => all.warnings.push(Warning::Failed(error.into())),
            }
        }
        Ok(all)
    }
}

impl Source for WalkSource {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        if let Some(outcome) = self.list(&[table], request, visitor) {
            return outcome;
        }
        let mut outcome = self.netlink.visit(table, request, visitor)?;
        outcome.reason = outcome.reason.or(self.refusal.take());
        Ok(outcome)
    }

    fn visit_both(&mut self, request: &Request, visitor: &mut dyn Visitor) -> Option<Outcome> {
        let tables = [Family::Inet, Family::Inet6].map(|family| Table::new(Protocol::Tcp, family));
        if let Some(outcome) = self.list(&tables, request, visitor) {
            return Some(outcome.unwrap_or_else(|error| Outcome::failed(error.into())));
        }
        let mut outcome = self.netlink.visit_both(request, visitor)?;
        outcome.reason = outcome.reason.or(self.refusal.take());
        Some(outcome)
    }

    fn destroy(&mut self, socket: &Socket) -> io::Result<()> {
        self.netlink.destroy(socket)
    }

    fn vary_chunk_boundary(&mut self) {
        self.netlink.vary_chunk_boundary();
    }
}

/// The table, if it is one.
const fn only(tables: &[Table]) -> Option<Table> {
    match tables {
        [table] => Some(*table),
        _ => None,
    }
}

/// How many sockets there are, if there are so many that the walk costs less.
pub(super) fn paying(scope: Scope, request: &Request) -> Option<u64> {
    let least = if request.states.contains(State::Bound) {
        PAYS_WITH_BOUND
    } else {
        PAYS
    };
    sockets(scope).filter(|count| *count >= least)
}

/// How many parts of the table are walked one after another: the records of each must fit into 32 KiB.
fn elements(scope: Scope) -> u64 {
    let usual = sockets(scope).map_or(1 << 14, |sockets| sockets / 64);
    usual.clamp(1 << 10, 1 << 16).next_power_of_two()
}

/// What `net/sockstat` counts of TCP: in this namespace, or in all without other namespaces' sockets in `TIME_WAIT`.
fn sockets(scope: Scope) -> Option<u64> {
    let names = match scope {
        Scope::Own(_) => ["inuse", "tw"],
        Scope::Table => ["alloc", "tw"],
    };
    let text = fs::read_to_string("/proc/net/sockstat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("TCP: "))?;
    let number = |name| {
        let mut words = line.split(' ');
        words.find(|word| *word == name)?;
        words.next()?.parse::<u64>().ok()
    };
    names.into_iter().map(number).sum()
}

/// Lends what listens and what is bound, and remembers the latter: it may be connected when its turn comes again.
pub(super) struct First<'v> {
    visitor: &'v mut dyn Visitor,
    bound: HashSet<u64>,
    is_over: bool,
}

impl<'v> First<'v> {
    pub(super) fn new(visitor: &'v mut dyn Visitor) -> Self {
        Self {
            visitor,
            bound: HashSet::new(),
            is_over: false,
        }
    }

    /// The inode numbers of what is bound; `None` = no more is wanted.
    pub(super) fn finish(self) -> Option<HashSet<u64>> {
        self.visitor.next_part();
        (!self.is_over).then_some(self.bound)
    }
}

impl Visitor for First<'_> {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        if socket.state == State::Bound {
            self.bound.extend(socket.inode);
        }
        let flow = self.visitor.take(socket);
        self.is_over |= flow.is_break();
        flow
    }

    fn can_rewind(&self) -> bool {
        self.visitor.can_rewind()
    }

    fn next_part(&mut self) {
        self.visitor.next_part();
    }

    fn rewind(&mut self) -> bool {
        self.visitor.rewind()
    }
}

/// Which of the rows of a walk are lent.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// How many there may be; 0 = that does not matter.
    pub(super) sockets: u64,
    /// Not those with these inode numbers.
    pub(super) bound: HashSet<u64>,
    /// Of these network namespaces, in order; none = of the own one.
    pub(super) networks: Vec<u32>,
}

/// A program that was checked and attached.
#[derive(Debug)]
pub(super) struct Walk {
    link: Link,
    scope: Scope,
    extent: Extent,
}

impl Walk {
    /// True if it tells what is asked for, and there is something to be walked.
    pub(super) fn tells(request: &Request) -> bool {
        let extensions = request.extensions;
        let is_told = extensions.detail != Detail::All && !extensions.info && !extensions.memory;
        is_told && Self::part(request).states != StateSet::EMPTY
    }

    /// The part of a request that is walked.
    pub(super) fn part(request: &Request) -> Request {
        Request {
            states: request.states.without(State::Listen).without(State::Bound),
            ..request.clone()
        }
    }

    /// The part that is not.
    pub(super) fn without(request: &Request) -> Request {
        let others = StateSet::EMPTY.with(State::Listen).with(State::Bound);
        Request {
            states: request.states.intersection(others),
            ..request.clone()
        }
    }

    pub(super) fn load(btf: &Path, scope: Scope, request: &Request) -> Result<Self, Error> {
        let extent = match request.extensions.detail {
            Detail::Line => Extent::Head,
            Detail::Usual | Detail::All => Extent::Detailed,
        };
        // First what fails at once without rights.
        let shift = elements(scope).ilog2();
        let map = Map::new(MapKind::Elements, 1 << shift)?;
        let (program, function) = bpf::describe(btf, &WANTED, |btf| {
            let program = program(btf, (scope, shift), extent, request)?;
            Ok((program, btf.find(TypeKind::Function, FUNCTION)?))
        })?;
        let hook = Hook::Elements(function, map.descriptor());
        let link = bpf::attach("lsock_walk", &program, hook)?;
        Ok(Self {
            link,
            scope,
            extent,
        })
    }

    /// Lends connections. An error means that none was lent, or all were taken back.
    pub(super) fn lend(
        mut self,
        btf: &Path,
        request: &Request,
        visitor: &mut dyn Visitor,
        rows: &Rows,
    ) -> Result<Vec<Warning>, Error> {
        if !rows.bound.is_empty() && self.extent == Extent::Head {
            // They are known by their inodes.
            let mut request = request.clone();
            request.extensions.detail = Detail::Usual;
            self = Self::load(btf, self.scope, &request)?;
        }
        let table = Table::new(Protocol::Tcp, Family::Inet);
        let decoder = Decoder::new(Kind::Bpf, table, request, visitor, None);
        let mut reader = Reader::new(decoder, rows);
        for _ in 0..REPEATS {
            let output = self.link.iterate();
            let read = output.and_then(|output| match self.extent {
                Extent::Head => reader.read::<Head>(output),
                Extent::Detailed => reader.read::<Detailed>(output),
            });
            let why = match read {
                Ok(()) if !reader.is_astray => {
                    return Ok(reader.decoder.warnings(WALKED).collect());
                }
                Ok(()) => None,
                Err(cause) => Some(cause),
            };
            let is_taken_back = reader.restart();
            match why {
                None if is_taken_back => {}
                Some(cause) if is_taken_back => return Err(Error::bpf(WALK, cause)),
                why => {
                    let why = why.map_or_else(|| CHANGED.into(), Cause::from);
                    return Ok(vec![Warning::failed(format!("{WALKED}: {why}"))]);
                }
            }
        }
        Err(Error::bpf(WALK, io::Error::other(CHANGED)))
    }
}

const CHANGED: &str = "the table changed while it was read";
const WALKED: &str = "walk of TCP connections";
const WALK: &str = "walk the table of connections";

/// Reads the records of a walk.
struct Reader<'r> {
    decoder: Decoder<'r>,
    rows: &'r Rows,
    ticks: Ticks,
    /// Has the table told of itself?
    is_begun: bool,
    /// The end of some chain was not its own.
    is_astray: bool,
}

impl<'r> Reader<'r> {
    fn new(decoder: Decoder<'r>, rows: &'r Rows) -> Self {
        Self {
            decoder,
            rows,
            ticks: Ticks::of_kernel(),
            is_begun: false,
            is_astray: false,
        }
    }

    /// Makes ready for the same walk again; false if something of it was shown.
    fn restart(&mut self) -> bool {
        let is_taken_back = self.decoder.lent == 0 || self.decoder.visitor.rewind();
        (self.is_begun, self.is_astray) = (false, false);
        self.decoder.restart();
        is_taken_back
    }

    /// Up to the end, or until no more is wanted.
    fn read<R: Record>(&mut self, mut output: impl Read) -> io::Result<()> {
        let mut buffer = vec![R::new_zeroed(); BUFFER / size_of::<R>()];
        loop {
            let length = match output.read(buffer.as_mut_bytes()) {
                Ok(0) if self.is_begun => return Ok(()),
                Ok(0) => return Err(io::Error::other("the program was not run")),
                Ok(length) => length,
                Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
                Err(cause) if cause.kind() == ErrorKind::ArgumentListTooLong => {
                    return Err(io::Error::other(TOO_MANY));
                }
                Err(cause) => return Err(cause),
            };
            if length % size_of::<R>() != 0 {
                return Err(io::Error::other("a record is cut"));
            }
            let records = buffer.get(..length / size_of::<R>());
            for record in records.unwrap_or_default() {
                match record.head().family {
                    TABLE => self.begin(record.head())?,
                    STRAYED => self.is_astray = true,
                    _ if self.take(record).is_break() => return Ok(()),
                    _ => {}
                }
            }
        }
    }

    /// What the table tells of itself comes first.
    fn begin(&mut self, head: &Head) -> io::Result<()> {
        self.is_begun = true;
        let buckets = u64::from(head.send_queue) + 1;
        // Other namespaces have no part in a table of one's own.
        if head.state != 0 && !self.rows.networks.is_empty() {
            return Err(io::Error::other("this namespace has a table of its own"));
        }
        if self.rows.sockets / buckets > MOST_IN_BUCKET {
            return Err(io::Error::other(TOO_MANY));
        }
        Ok(())
    }

    fn take<R: Record>(&mut self, record: &R) -> ControlFlow<()> {
        let socket = &mut self.decoder.scratch;
        if !record.decode(self.ticks, socket) {
            let family = record.head().family;
            self.decoder.count(0, wire::other_family(family));
            return ControlFlow::Continue(());
        }
        let rows = self.rows;
        let was_lent = !rows.bound.is_empty()
            && socket
                .inode
                .is_some_and(|inode| rows.bound.contains(&inode));
        let netns = record.head().netns;
        let is_elsewhere = !rows.networks.is_empty()
            && socket.netns != Some(netns)
            && rows.networks.binary_search(&netns).is_err();
        if was_lent || is_elsewhere {
            return ControlFlow::Continue(());
        }
        if !rows.networks.is_empty() {
            socket.netns = Some(netns);
        }
        socket.clear_leftovers();
        self.decoder.lend_scratch()
    }
}

const TOO_MANY: &str = "too many sockets in one bucket";

#[cfg(test)]
mod tests;
