//! Reads several network namespaces in sequence.

mod parts;
#[cfg(feature = "bpf")]
mod walked;

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::mem;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

pub(super) use self::parts::each;
#[cfg(feature = "bpf")]
use self::parts::together;
use self::parts::{TCP, one_by_one};
use super::kernel::Kernel;
use super::{
    AutoSource, NetlinkSource, Outcome, PROC, ProcfsSource, Recorder, Request, Source, Visitor,
};
use crate::error::Error;
use crate::model::{Cause, Limits, Socket, State, StateSet, Table, Warning};
use crate::netns::{Anchor, List, Namespace, Namespaces, Search, Wanted, own_process};
use crate::procfs::fd::{Descriptor, Threads, Walk, walk};
use crate::procfs::moment::Moment;
use crate::syscall::share_descriptors;

/// How the tables of a namespace are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As [`AutoSource`] does.
    Auto,
    /// As [`NetlinkSource`] does.
    Netlink,
    /// As [`Self::Netlink`], but all TCP connections in one walk.
    Bpf,
    /// As [`ProcfsSource`] does.
    Procfs,
}

/// Reads a table of each namespace in turn: from within, or, if it must not be entered, from the files of a process
/// in it.
pub struct NamespacesSource {
    wanted: Vec<Wanted>,
    way: Way,
    recorder: Recorder,
    each: Vec<One>,
    depth: Depth,
    list: List,
    /// The namespaces not reached last time, by inode number.
    unreached: BTreeSet<u32>,
    /// True if the search omitted no kind of namespace.
    is_searched: bool,
    /// Warnings about namespaces that were not found.
    warnings: Vec<Warning>,
    /// The descriptors read during the search, until taken.
    walk: Option<(Moment, Walk)>,
}

/// How thorough the search for namespaces is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Namespaces of processes, threads and mounts.
    Usual,
    /// Also namespaces held only by a descriptor or a socket: reads every descriptor.
    Descriptors,
}

/// A namespace and its source.
struct One {
    namespace: Arc<Namespace>,
    anchor: Option<Arc<Anchor>>,
    /// `None` = nothing leads there any more, as already reported.
    source: Option<Box<dyn Source>>,
    /// Why it is not read from within.
    reason: Option<Cause>,
    /// True if that was reported in this round.
    is_told: bool,
    recorder: Recorder,
}

impl One {
    fn new(namespace: Arc<Namespace>, way: Way, recorder: &Recorder) -> Self {
        let (anchor, reason) = match Anchor::drop_in(&namespace) {
            Ok(anchor) => (Some(Arc::new(anchor)), None),
            Err(cause) => {
                let error = Error::Failed("cannot be entered".to_owned(), cause);
                (None, Some(Cause::from(error)))
            }
        };
        Self {
            reason,
            ..Self::at(namespace, anchor, way, recorder)
        }
    }

    /// Like [`Self::new`], with a thread already there, if any.
    fn at(
        namespace: Arc<Namespace>,
        anchor: Option<Arc<Anchor>>,
        way: Way,
        recorder: &Recorder,
    ) -> Self {
        let files = |root: PathBuf| ProcfsSource::new(root, recorder.clone());
        let source: Option<Box<dyn Source>> = match (&anchor, namespace.leader) {
            (Some(anchor), _) => {
                let netlink = NetlinkSource::within(Arc::clone(anchor), recorder.clone());
                let files = files(anchor.proc());
                Some(match way {
                    Way::Auto => Box::new(AutoSource::new(Box::new(netlink), files)),
                    Way::Netlink | Way::Bpf => Box::new(netlink),
                    Way::Procfs => Box::new(files),
                })
            }
            (None, Some(pid))
                if !matches!(way, Way::Netlink | Way::Bpf) && !namespace.is_left() =>
            {
                Some(Box::new(files(format!("{PROC}/{pid}").into())))
            }
            (None, _) => None,
        };
        Self {
            namespace,
            anchor,
            source,
            reason: None,
            is_told: false,
            recorder: recorder.clone(),
        }
    }

    /// True if it reads this namespace by the same thread or leader.
    fn is_of(&self, namespace: &Namespace) -> bool {
        let known = &self.namespace;
        known.inode == namespace.inode
            && (self.anchor.is_some() || known.leader == namespace.leader)
    }

    /// Reads a table; a failure becomes a warning about missing rows.
    fn ask(
        &mut self,
        table: Table,
        read: impl FnOnce(&mut dyn Source) -> Result<Outcome, Error>,
    ) -> Outcome {
        let is_told = mem::replace(&mut self.is_told, true);
        let reason = self.reason.clone().filter(|_| !is_told);
        let read = self.source.as_mut().map(|source| read(source.as_mut()));
        let mut outcome = match read {
            Some(Ok(outcome)) => outcome,
            Some(Err(error)) => Outcome::failed(error.into()),
            None => Outcome::default(),
        };
        if let Some(reason) = reason {
            let warning = match self.source {
                Some(_) => Warning::FewerFields(table.protocol, reason),
                None => Warning::Failed(reason),
            };
            outcome.warnings.insert(0, warning);
        }
        outcome
    }
}

impl NamespacesSource {
    /// Reads the namespaces of another source, with its threads.
    pub fn beside(namespaces: Namespaces, way: Way) -> Self {
        let recorder = Recorder::default();
        let each = namespaces.into_values();
        Self {
            wanted: Vec::new(),
            way,
            each: each
                .map(|(namespace, anchor)| One::at(namespace, anchor, way, &recorder))
                .collect(),
            recorder,
            depth: Depth::Usual,
            list: List::default(),
            unreached: BTreeSet::new(),
            is_searched: true,
            warnings: Vec::new(),
            walk: None,
        }
    }

    /// Searches and enters the namespaces. If they `may_come`, a missing one is no error.
    ///
    /// # Errors
    ///
    /// When a namespace does not exist, or there are no processes to read.
    pub fn open(
        wanted: &[Wanted],
        depth: Depth,
        way: Way,
        recorder: Recorder,
        may_come: bool,
    ) -> Result<Self, Error> {
        let mut source = Self {
            wanted: wanted.to_vec(),
            way,
            recorder,
            each: Vec::new(),
            depth,
            list: List::default(),
            unreached: BTreeSet::new(),
            is_searched: true,
            warnings: Vec::new(),
            walk: None,
        };
        if !may_come && let Some((_, error)) = source.look()?.into_iter().next() {
            return Err(error);
        }
        Ok(source)
    }

    /// Searches; returns the missing ones. Known namespaces are not entered again.
    fn look(&mut self) -> Result<Vec<(Wanted, Error)>, Error> {
        let mut search = Search::new(&self.wanted, &self.list)?;
        let wants_all = self.wanted.contains(&Wanted::All);
        // Searching for the same again is useless.
        let is_new = |unseen: BTreeSet<u32>| !unseen.is_subset(&self.unreached);
        let is_needed = self.wanted.iter().any(Wanted::may_be_hidden)
            && search.missing().is_some_and(is_new)
            && !search.take_holders(&self.list);
        let is_deep = !search.is_whole() && (is_needed || self.depth == Depth::Descriptors);
        let held = is_deep.then(|| -> Result<_, Error> {
            let began = Moment::now();
            let mut held = walk(Path::new(PROC), Threads::All(&share_descriptors))?;
            // Our own descriptors belong to known namespaces.
            let own = own_process().map(|own| format!("{own}/"));
            let is_ours = |link: &str| own.as_ref().is_some_and(|own| link.starts_with(own));
            held.namespaces.retain(|(_, link)| !is_ours(link));
            search.take_open(&held.namespaces);
            Ok((began, held))
        });
        let held = held.transpose()?;
        let (found, mut missing) = search.select(&self.wanted)?;
        let mut before = mem::take(&mut self.each);
        for namespace in found {
            self.enter(namespace, &mut before);
        }
        let is_nameless = |(wanted, _): &(Wanted, Error)| wanted.is_nameless();
        let mut unsearched = 0;
        if let Some((_, held)) = &held
            && !search.is_whole()
            && (wants_all || missing.iter().any(is_nameless))
        {
            unsearched = self.look_at_sockets(held, &mut before);
            let is_there =
                |wanted: &Wanted| self.each.iter().any(|one| one.namespace.is_called(wanted));
            missing.retain(|(wanted, _)| !is_there(wanted));
        }
        let unseen = search.unseen().filter(|_| wants_all);
        let is_missing = match unseen {
            Some(unseen) => self.note_unreached(unseen, &before),
            None => wants_all || missing.iter().any(is_nameless),
        };
        if is_missing && unsearched > 0 {
            self.warnings.push(Warning::Unsearched(unsearched));
        }
        self.is_searched = !wants_all || is_deep || search.unseen().is_some();
        self.walk = held;
        before.retain(|one| !self.has(one.namespace.inode));
        let gone = before.iter().map(|one| &one.namespace.name);
        let gone = gone.map(|name| Warning::note("it is gone").within(Some(name)));
        self.warnings.extend(gone);
        Ok(missing)
    }

    /// Records namespaces that were seen in the list, but neither found nor gone. True if there are any.
    fn note_unreached(&mut self, mut unseen: BTreeSet<u32>, before: &[One]) -> bool {
        // We hold the earlier ones, which are reported as gone.
        let is_ours = |inode: u32| before.iter().any(|one| one.namespace.inode == inode);
        unseen.retain(|inode| !self.has(*inode) && !is_ours(*inode));
        if !unseen.is_empty() {
            let listed = self.list.read(true).unwrap_or_default().namespaces;
            unseen.retain(|inode| listed.contains(inode));
        }
        if !unseen.is_empty() {
            let unreached = unseen.iter().copied().collect();
            self.warnings.push(Warning::Unreached(unreached));
        }
        self.unreached = unseen;
        !self.unreached.is_empty()
    }

    fn wants(&self, namespace: &Namespace) -> bool {
        let is_it = |wanted: &Wanted| *wanted == Wanted::All || namespace.is_called(wanted);
        self.wanted.iter().any(is_it)
    }

    fn has(&self, inode: u32) -> bool {
        self.each.iter().any(|one| one.namespace.inode == inode)
    }

    /// Enters a namespace, unless it was known before.
    fn enter(&mut self, namespace: Arc<Namespace>, before: &mut Vec<One>) {
        let known = before.iter().position(|one| one.is_of(&namespace));
        self.each.push(match known {
            Some(place) => One {
                namespace,
                is_told: false,
                ..before.swap_remove(place)
            },
            None => One::new(namespace, self.way, &self.recorder),
        });
    }

    /// Finds the namespaces of the sockets that no table lists. Asking every socket would take longer, and asking holds
    /// the socket for a moment. Returns the number of processes that must not be asked.
    fn look_at_sockets(&mut self, held: &Walk, before: &mut Vec<One>) -> usize {
        let listed = self.listed();
        let own = own_process();
        let mut asked = BTreeSet::new();
        let mut refused: BTreeSet<u32> = held.unreadable.iter().map(|one| one.pid).collect();
        for &Descriptor { inode, pid, fd } in &held.descriptors {
            if Some(pid) == own || listed.contains(&inode) || !asked.insert(inode) {
                continue;
            }
            match Namespace::of_socket(pid, fd) {
                Ok(namespace) => {
                    if self.wants(&namespace) && !self.has(namespace.inode) {
                        self.enter(Arc::new(namespace), before);
                    }
                }
                Err(cause) => {
                    let is_gone = [Errno::BADF, Errno::SRCH, Errno::INVAL].map(Errno::raw_os_error);
                    if !is_gone.map(Some).contains(&cause.raw_os_error()) {
                        refused.insert(pid);
                    }
                }
            }
        }
        refused.len()
    }

    /// Inode numbers of all sockets in the tables of the namespaces.
    fn listed(&self) -> HashSet<u64> {
        let mut listed = HashSet::new();
        // Listing bound sockets takes the kernel longer than asking each of them.
        let request = Request::plain(StateSet::ALL.without(State::Bound));
        for anchor in self.each.iter().filter_map(|one| one.anchor.clone()) {
            let mut source = NetlinkSource::within(anchor, Recorder::default());
            for table in Table::all() {
                // A socket that is not listed is asked itself.
                let _ = source.visit(table, &request, &mut |socket: &Socket| {
                    listed.extend(socket.inode);
                    ControlFlow::Continue(())
                });
            }
        }
        listed
    }
}

impl Source for NamespacesSource {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        let parts = self.each.iter_mut().map(|one| {
            let namespace = Arc::clone(&one.namespace);
            (one, namespace)
        });
        Ok(each(parts, request, visitor, |one, request, visitor| {
            one.recorder
                .keep_netns(one.namespace.inode, &one.namespace.name);
            one.ask(table, |source| source.visit(table, request, visitor))
        }))
    }

    fn visit_both(&mut self, request: &Request, visitor: &mut dyn Visitor) -> Option<Outcome> {
        #[cfg(feature = "bpf")]
        if let Some(outcome) = self.walk(request, visitor) {
            return Some(outcome);
        }
        if self.each.iter().any(|one| one.anchor.is_none()) {
            return None;
        }
        let (mut is_possible, mut is_over) = (false, false);
        let parts = self.each.iter_mut().map(|one| {
            let namespace = Arc::clone(&one.namespace);
            (one, namespace)
        });
        let outcome = each(parts, request, visitor, |one, request, visitor| {
            if is_over {
                return Outcome::default();
            }
            one.ask(TCP[0], |source| match source.visit_both(request, visitor) {
                Some(outcome) => {
                    is_possible = true;
                    Ok(outcome)
                }
                None if !is_possible => {
                    is_over = true;
                    Ok(Outcome::default())
                }
                // The kernel refuses it here.
                None => one_by_one(source, request, visitor),
            })
        });
        (!is_over).then_some(outcome)
    }

    fn destroy(&mut self, socket: &Socket) -> io::Result<()> {
        let mut each = self.each.iter_mut();
        let one = each.find(|one| Some(one.namespace.inode) == socket.netns);
        let source = one.and_then(|one| one.source.as_mut());
        source.ok_or(Errno::OPNOTSUPP)?.destroy(socket)
    }

    fn next_round(&mut self) {
        self.warnings.clear();
        let not_there = |error: Error| Warning::NotThere(error.into());
        match self.look() {
            Ok(missing) => self
                .warnings
                .extend(missing.into_iter().map(|(_, error)| not_there(error))),
            // The known ones remain.
            Err(error) => self.warnings.push(not_there(error)),
        }
    }

    fn take_warnings(&mut self) -> Vec<Warning> {
        mem::take(&mut self.warnings)
    }

    fn take_walk(&mut self) -> Option<(Moment, Walk)> {
        self.walk.take()
    }

    fn is_searched(&self) -> bool {
        self.is_searched
    }

    fn namespaces(&self) -> Namespaces {
        let each = self.each.iter();
        each.map(|one| {
            let known = (Arc::clone(&one.namespace), one.anchor.clone());
            (one.namespace.inode, known)
        })
        .collect()
    }

    fn vary_chunk_boundary(&mut self) {
        for source in self.each.iter_mut().filter_map(|one| one.source.as_mut()) {
            source.vary_chunk_boundary();
        }
    }

    /// The limits of the first namespace.
    fn limits(&self) -> Box<dyn Limits> {
        let anchor = self.each.first().and_then(|one| one.anchor.clone());
        Box::new(Kernel::seen_from(anchor))
    }
}
