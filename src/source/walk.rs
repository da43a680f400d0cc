//! Lists TCP connections with a BPF program that walks the kernel's table.
//!
//! Over netlink the kernel makes a message of every socket; the walk takes a fraction of that time. It needs
//! privileges, and a kernel whose types have a known layout. Listeners and bound sockets are in other tables and stay
//! with netlink, and so do requests for more than the walk reports.

mod bound;
mod counts;
mod parts;
mod program;
mod reader;
mod record;

use std::borrow::Cow;
use std::collections::HashMap;
use std::io;
use std::iter::{once, repeat};
use std::mem;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use self::bound::BoundRows;
use self::counts::Counts;
pub(super) use self::parts::paying;
use self::parts::{PAYS_TO_LOOK, elements, shift, sockets};
pub(super) use self::program::Scope;
use self::program::{FUNCTION, LISTS, Plan, WANTED, program};
use self::reader::Reader;
use self::record::{Detailed, Extent, Head};
use super::channel::REPEATS;
use super::decoder::Decoder;
use super::{Detail, NetlinkSource, Outcome, Request, Source, Visitor};
use crate::bpf::{self, BTF, Hook, Link, Map, MapKind, TypeKind};
use crate::error::Error;
use crate::model::{
    Cause, Family, Protocol, Socket, Source as Kind, State, StateSet, Table, Warning,
};

/// When the walk is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Never.
    Never,
    /// If there are many sockets, and the kernel permits it.
    WherePays,
    /// Always: if impossible, nothing is listed.
    Always,
}

/// Reads tables over netlink, except TCP connections if the walk pays off.
#[derive(Debug)]
pub struct WalkSource {
    netlink: NetlinkSource,
    usage: Use,
    /// Why the walk was given up, until reported.
    refusal: Option<Cause>,
    btf: PathBuf,
}

impl WalkSource {
    /// Uses this netlink source for everything else.
    pub fn new(netlink: NetlinkSource, usage: Use) -> Self {
        Self {
            netlink,
            usage,
            refusal: None,
            btf: BTF.into(),
        }
    }

    /// Lists a table of TCP, or both; `None` = the walk does not apply, and nothing was lent.
    fn list(
        &mut self,
        tables: &[Table],
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Option<Result<Outcome, Error>> {
        let sockets = self.sockets(tables, request)?;
        let family = only(tables).map(|table| table.family);
        let counted = visitor.counts().then_some(&[][..]);
        let mut walk = match Walk::load(&self.btf, Scope::Own(family), request, counted) {
            Ok(walk) => walk,
            Err(error) => return self.step_aside(error),
        };
        if sockets == 0 || sockets >= PAYS_TO_LOOK {
            walk.look_for_bound();
        }
        let rest = walk.rest(request);
        let mut first = walk.first(visitor);
        let mut outcome = Outcome::complete(Kind::Bpf);
        if rest.states != StateSet::EMPTY {
            match self.over_netlink(tables, &rest, &mut first) {
                Ok(listed) => outcome.add(listed),
                Err(error) => return self.step_aside(error),
            }
        }
        let mut rows = Rows {
            sockets,
            ..Rows::default()
        };
        if first.finish(request, &mut rows) {
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

    /// The number of sockets, if they are to be walked; 0 = any number.
    fn sockets(&self, tables: &[Table], request: &Request) -> Option<u64> {
        let is_tcp = tables.iter().all(|table| table.protocol == Protocol::Tcp);
        let is_possible = is_tcp && Walk::tells(request) && !self.netlink.is_recorded();
        match self.usage {
            _ if !is_possible => None,
            Use::Never => None,
            Use::Always => Some(0),
            // The kernel compares single ports first, so a dump costs less.
            Use::WherePays if request.narrow.is_by_port() => None,
            Use::WherePays => paying(Scope::Own(None), 1, request),
        }
    }

    /// Gives up the walk, which has lent nothing: netlink is used, unless the walk was requested.
    fn step_aside(&mut self, error: Error) -> Option<Result<Outcome, Error>> {
        if self.usage == Use::Always {
            return Some(Err(error));
        }
        self.usage = Use::Never;
        self.refusal = Some(error.into());
        None
    }

    /// The request without BOUND, if nothing is only bound to the single wanted port: netlink would walk the sockets of
    /// all ports.
    fn without_bound<'r>(&self, request: &'r Request) -> Cow<'r, Request> {
        let rest = request.states.without(State::Bound);
        let is_of_use = self.usage == Use::WherePays
            && ![request.states, StateSet::EMPTY].contains(&rest)
            && request.narrow.local_port.is_some()
            && request.narrow.exact.is_none()
            && !self.netlink.is_recorded()
            && sockets(Scope::Own(None)).is_some_and(|count| count >= PAYS_TO_LOOK);
        let found = is_of_use.then(|| bound::find(&self.btf, request).ok().flatten());
        match found.flatten() {
            Some(found) if found.is_empty() => Cow::Owned(Request {
                states: rest,
                ..request.clone()
            }),
            _ => Cow::Borrowed(request),
        }
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
            if !is_first {
                visitor.next_part();
            }
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
        let request = self.without_bound(request);
        let mut outcome = self.netlink.visit_both(&request, visitor)?;
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

/// The table, if there is only one.
const fn only(tables: &[Table]) -> Option<Table> {
    match tables {
        [table] => Some(*table),
        _ => None,
    }
}

/// Lends listeners and bound sockets, and remembers the latter: they may be connected when the walk reaches them.
pub(super) struct First<'v> {
    visitor: &'v mut dyn Visitor,
    /// Sockets found bound before: by now they may listen.
    found: BoundRows,
    bound: Bound,
    is_over: bool,
}

/// Bound sockets: inode numbers, with the port of each.
pub(super) type Bound = HashMap<u64, u16>;

impl First<'_> {
    /// Lends the bound sockets that the program found, and stores all bound ones in `rows`; false = no more is wanted.
    pub(super) fn finish(mut self, request: &Request, rows: &mut Rows) -> bool {
        let found = mem::take(&mut self.found);
        if !found.is_empty() && !self.is_over {
            self.visitor.next_part();
            let table = Table::new(Protocol::Tcp, Family::Inet);
            let decoder = Decoder::new(Kind::Bpf, table, request, &mut self, None);
            let mut reader = Reader::new(decoder, rows);
            let _ = found.values().try_for_each(|record| reader.take(record));
        }
        self.visitor.next_part();
        rows.bound = self.bound;
        !self.is_over
    }
}

impl Visitor for First<'_> {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        if let (State::Bound, Some(inode)) = (socket.state, socket.inode) {
            let port = socket.local.port.and_then(|port| u16::try_from(port).ok());
            self.bound.insert(inode, port.unwrap_or_default());
        } else if let Some(inode) = socket.inode {
            self.found.remove(&inode);
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

/// Which rows of a walk are lent.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The expected number of sockets; 0 = unknown.
    pub(super) sockets: u64,
    /// Except these.
    pub(super) bound: Bound,
    /// Of these network namespaces, sorted; empty = the own one.
    pub(super) networks: Vec<u32>,
}

/// A program that was loaded and attached.
#[derive(Debug)]
pub(super) struct Walk {
    link: Link,
    scope: Scope,
    extent: Extent,
    /// Counters, if sockets are counted instead of recorded.
    counts: Option<Counts>,
    /// The search for bound sockets, if it applies.
    bound: Option<bound::Search>,
    /// Its result, if proven.
    found: Option<BoundRows>,
}

impl Walk {
    /// True if the walk reports everything requested, and there is something to walk.
    pub(super) fn tells(request: &Request) -> bool {
        let extensions = request.extensions;
        let is_asked = extensions.info || extensions.options || extensions.memory;
        let is_told = extensions.detail != Detail::All && !is_asked;
        is_told && Self::part(request).states != StateSet::EMPTY
    }

    /// The part of a request that is walked.
    pub(super) fn part(request: &Request) -> Request {
        Request {
            states: request.states.without(State::Listen).without(State::Bound),
            ..request.clone()
        }
    }

    /// The part of a request left to netlink.
    pub(super) fn rest(&self, request: &Request) -> Request {
        let others = StateSet::EMPTY.with(State::Listen).with(State::Bound);
        let mut states = request.states.intersection(others);
        if self.found.is_some() {
            states = states.without(State::Bound);
        }
        Request {
            states,
            ..request.clone()
        }
    }

    /// The visitor for listeners and bound sockets, which come first.
    pub(super) fn first<'v>(&mut self, visitor: &'v mut dyn Visitor) -> First<'v> {
        First {
            visitor,
            found: self.found.take().unwrap_or_default(),
            bound: Bound::new(),
            is_over: false,
        }
    }

    /// Loads the program; `counted` = the namespaces whose sockets are counted, sorted; empty = only the own one.
    pub(super) fn load(
        btf: &Path,
        scope: Scope,
        request: &Request,
        counted: Option<&[u32]>,
    ) -> Result<Self, Error> {
        let extent = match request.extensions.detail {
            Detail::Line => Extent::Head,
            Detail::Usual | Detail::All => Extent::Detailed,
        };
        // First what fails at once without privileges.
        let map = elements(shift(scope), None)?;
        let counts = counted.map(Counts::new).transpose()?.flatten();
        let lists = Map::new(MapKind::Value, LISTS)?;
        let of_bound = bound::Search::applies(request).then(|| Map::new(MapKind::Value, LISTS));
        let of_bound = of_bound.transpose()?;
        let plan = Plan {
            scope,
            extent,
            counts: counts.as_ref().map(Counts::counting),
            lists: lists.descriptor(),
        };
        let (program, function, bound) = bpf::describe(btf, &WANTED, |btf| {
            let function = btf.find(TypeKind::Function, FUNCTION)?;
            let bound =
                of_bound.and_then(|lists| bound::Search::new(btf, lists, scope, request).ok());
            Ok((program(btf, plan, request)?, function, bound))
        })?;
        let hook = Hook::Elements(function, map.descriptor());
        let link = bpf::attach("lsock_walk", &program, hook)?;
        Ok(Self {
            link,
            scope,
            extent,
            counts,
            bound,
            found: None,
        })
    }

    /// Finds bound sockets, if requested.
    pub(super) fn look_for_bound(&mut self) {
        if let Some(search) = self.bound.take() {
            self.found = search.run().ok().flatten();
        }
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
            // They are identified by their inodes.
            let mut request = request.clone();
            request.extensions.detail = Detail::Usual;
            self = Self::load(btf, self.scope, &request, None)?;
        }
        let table = Table::new(Protocol::Tcp, Family::Inet);
        let decoder = Decoder::new(Kind::Bpf, table, request, visitor, None);
        let mut reader = Reader::new(decoder, rows);
        for _ in 0..REPEATS {
            if let Some(counts) = &mut self.counts {
                counts.begin(&rows.bound.values().copied().collect());
            }
            let output = self.link.iterate();
            let read = output.and_then(|output| match self.extent {
                Extent::Head => reader.read::<Head>(output),
                Extent::Detailed => reader.read::<Detailed>(output),
            });
            let is_overflowed = self.counts.as_ref().is_some_and(Counts::is_overflowed);
            let why = match read {
                Ok(()) if !reader.is_astray && !is_overflowed => {
                    if let Some(counts) = &self.counts {
                        let decoder = &mut reader.decoder;
                        counts.lend(reader.ticks, &mut decoder.scratch, decoder.visitor);
                    }
                    return Ok(reader.decoder.warnings(WALKED).collect());
                }
                Ok(()) => None,
                Err(cause) => Some(cause),
            };
            let is_taken_back = reader.restart();
            match why {
                None if is_taken_back && is_overflowed => {
                    self = Self::load(btf, self.scope, request, None)?;
                }
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

#[cfg(test)]
mod tests;
