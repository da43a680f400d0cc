//! Finds the processes that hold a socket.

mod fd_index;
mod missing;
mod scanner;
mod suspects;

use std::collections::{HashMap, HashSet};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::container::Containers;
use crate::error::Error;
use crate::model::{Peer, Place, Process, ProcessStatus, Socket, Thread, Warning};
use crate::procfs::fd::{Descriptor, Walk, threads_of};
use crate::procfs::moment::Moment;

use super::name_cache::NameCache;
use super::process;
use super::visibility::Visibility;
use missing::{HIDDEN, NO_CONTEXTS, OUTSIDE, failed, refused, too_new};
use scanner::{FdScan, FdScanner};
pub use scanner::{OwnerSource, ScanScope};
use suspects::{Kin, Suspects};

/// Scans of all processes per listing: the first, and two for sockets made since.
const MOST_WALKS: u8 = 3;

/// Finds the processes of sockets. Reads nothing before the first socket that can have any.
#[derive(Debug)]
pub(super) struct Owners {
    scanner: FdScanner,
    scan: Option<FdScan>,
    walks: u8,
    /// Processes read; `None` = gone.
    details: HashMap<u32, Option<Known>>,
    found: Scratch,
    suspects: Suspects,
    /// True if the last socket may have a process that was not found; if they are [chosen](ScanScope::Only), among
    /// those.
    pub(super) in_doubt: bool,
    /// Inodes of sockets made after the last scan allowed.
    too_new: HashSet<u64>,
    /// Sockets whose owners may be invisible to us.
    out_of_sight: usize,
}

#[derive(Debug)]
struct Known {
    process: Process,
    kin: Kin,
}

/// Caches for what `/proc` itself does not say of a process.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) users: NameCache,
    /// Where processes run, if requested.
    pub(super) containers: Option<Containers>,
    pub(super) tasks: Tasks,
}

/// Details of processes that are shown beyond names and numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tasks {
    /// The threads that have a descriptor.
    pub threads: bool,
    /// Security contexts, also of sockets.
    pub contexts: bool,
}

/// The result of a search for processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// True if somebody holds a socket of any kind.
    pub found: bool,
    /// True if this user may not list the descriptors of some process, maybe a kernel thread; or if there are no
    /// processes to read.
    pub refused: bool,
}

/// All descriptors of sockets.
#[derive(Debug)]
pub struct Held {
    /// Descriptors that are sockets, sorted, without duplicates; includes those of threads and rings.
    pub descriptors: Vec<Descriptor>,
    /// True if none is missing.
    pub is_whole: bool,
}

impl Owners {
    /// Will read processes below `root`: `/proc`, another procfs, or a copy of one.
    pub(super) fn new(
        root: impl Into<PathBuf>,
        scope: ScanScope,
        source: OwnerSource,
    ) -> Result<Self, Error> {
        FdScanner::new(root.into(), scope, source).map(Self::with)
    }

    fn with(scanner: FdScanner) -> Self {
        Self {
            scanner,
            scan: None,
            walks: 0,
            details: HashMap::new(),
            found: Scratch::default(),
            suspects: Suspects::default(),
            in_doubt: false,
            too_new: HashSet::new(),
            out_of_sight: 0,
        }
    }

    /// Uses an earlier scan that began at `began`, in place of the first.
    pub(super) fn use_walk(&mut self, began: Moment, found: Walk) {
        if self.walks == 0
            && let Some(scan) = self.scanner.take(began, found)
        {
            self.walks += 1;
            self.scan = Some(scan);
        }
    }

    /// Prepares to look up these sockets, if it has scanned already.
    pub(super) fn announce(&self, inodes: &[u64]) {
        if let Some(scan) = &self.scan {
            scan.index.announce(inodes);
        }
    }

    /// Scans now, whether a socket needs it or not.
    pub(super) fn look(&mut self) -> Sight {
        let scan = self.scanned();
        Sight {
            found: !scan.index.descriptors().is_empty(),
            refused: scan.refused || scan.failure.is_some(),
        }
    }

    /// Scans now, and returns the descriptors.
    pub(super) fn held(&mut self) -> Held {
        let scan = self.scanned();
        Held {
            descriptors: scan.index.descriptors().to_vec(),
            is_whole: scan.is_whole(),
        }
    }

    fn scanned(&mut self) -> &FdScan {
        let scan = self.take_scan();
        self.scan.insert(scan)
    }

    /// Forgets everything: the next listing scans again.
    pub(super) fn forget(self) -> Self {
        Self::with(self.scanner)
    }

    /// Finds the processes of a socket. A socket with an inode is held by something.
    pub(super) fn of(&mut self, socket: &Socket, names: &mut Names) -> ProcessStatus {
        self.found.clear();
        self.in_doubt = socket.lacks_inode();
        match socket.inode {
            _ if socket.is_kernel => ProcessStatus::None,
            Some(inode) => self.look_up(inode, socket.uid, names),
            None if self.in_doubt => ProcessStatus::Unreadable,
            None => ProcessStatus::None,
        }
    }

    /// The holders of another socket, keeping the result for the first.
    pub(super) fn of_other(&mut self, inode: u64, uid: Option<u32>, names: &mut Names) -> Peer {
        let kept = (mem::take(&mut self.found), self.in_doubt);
        self.in_doubt = false;
        let status = self.look_up(inode, uid, names);
        let place = self.place();
        let found = mem::replace(&mut self.found, kept.0);
        Peer {
            status: Some(status),
            is_in_doubt: mem::replace(&mut self.in_doubt, kept.1),
            place,
            processes: found.processes,
            netns: None,
        }
    }

    /// The processes found by the last call of [`Owners::of`], by pid, each with its descriptors in ascending order.
    pub(super) fn found(&self) -> &[Process] {
        self.found.get()
    }

    /// The common place of these processes; `None` = unknown for one of them, or there are none.
    pub(super) fn place(&self) -> Option<Arc<Place>> {
        let mut places = self.found().iter().map(|process| process.place.clone());
        let first = places.next()??;
        places.try_fold(first, |all, place| match place? {
            same if same == all => Some(all),
            other => Some(Arc::new(Place::clone(&all).with(&other))),
        })
    }

    fn look_up(&mut self, inode: u64, uid: Option<u32>, names: &mut Names) -> ProcessStatus {
        loop {
            let scan = self.take_scan();
            let mut newer = false;
            if scan.index.of(inode).is_empty() {
                newer = scan.began.counters.is_older_than(inode);
                if newer && self.walks < MOST_WALKS {
                    continue;
                }
            }
            for of_process in scan.index.of(inode).chunk_by(|a, b| a.pid == b.pid) {
                self.add(of_process, scan.began.ticks, names);
            }
            let status = if self.found.get().is_empty() {
                self.missing(&scan, newer.then_some(inode))
            } else {
                self.complete(&scan, uid)
            };
            self.scan = Some(scan);
            return status;
        }
    }

    /// The status of a socket with holders, by its user.
    fn complete(&mut self, scan: &FdScan, uid: Option<u32>) -> ProcessStatus {
        if matches!(self.scanner.scope, ScanScope::Only(_)) {
            return ProcessStatus::Found;
        }
        let root = &self.scanner.root;
        self.in_doubt = self.suspects.may_hold(scan, uid, &self.found.kin, root);
        if !self.in_doubt {
            return ProcessStatus::Found;
        }
        self.out_of_sight += usize::from(scan.visibility != Visibility::All);
        ProcessStatus::Partial
    }

    /// The status of a socket without holders; `newer` = its inode, if it is too new.
    fn missing(&mut self, scan: &FdScan, newer: Option<u64>) -> ProcessStatus {
        let is_unreadable = newer.is_some() || !scan.is_whole();
        self.in_doubt = is_unreadable;
        if matches!(self.scanner.scope, ScanScope::Only(_)) {
            return ProcessStatus::Unreadable;
        }
        self.in_doubt = true;
        self.too_new.extend(newer);
        self.out_of_sight += usize::from(scan.visibility != Visibility::All);
        if is_unreadable {
            ProcessStatus::Unreadable
        } else {
            ProcessStatus::Unseen
        }
    }

    /// The last scan, or the first.
    fn take_scan(&mut self) -> FdScan {
        self.scan.take().unwrap_or_else(|| {
            self.walks += 1;
            // A pid may have been reused.
            self.details.clear();
            self.suspects = Suspects::default();
            self.scanner.scan()
        })
    }

    /// Adds a process with these descriptors, from a scan begun at `began`, unless it is gone.
    fn add(&mut self, held: &[Descriptor], began: u64, names: &mut Names) {
        let Some(&first) = held.first() else {
            return;
        };
        let pid = first.pid;
        let scanner = &self.scanner;
        let known = self.details.entry(pid).or_insert_with(|| {
            let Names {
                users,
                containers,
                tasks,
            } = names;
            let described = process::read(&scanner.root, pid, containers.is_some())?;
            let is_older = described.started.is_some_and(|started| started < began);
            if !is_older && !scanner.holds(first) {
                // The pid has been reused.
                return None;
            }
            let mut process = described.process;
            let context = || process::context_of(&scanner.root, pid);
            process.context = tasks.contexts.then(context).flatten();
            process.user = process.uid.map(|uid| users.name_or_digits(uid));
            let (parent, uid) = (described.parent, process.uid);
            process.place = containers.as_mut().and_then(|containers| {
                containers.of(&process, &described.cgroup?, &described.status)
            });
            Some(Known {
                process,
                kin: Kin { pid, parent, uid },
            })
        });
        if let Some(Known { process, kin }) = known {
            let numbers = held.iter().map(|held| held.fd);
            self.found
                .add(process, numbers.filter(|fd| *fd != Descriptor::FIXED));
            self.found.kin.push(*kin);
            let root = &self.scanner.root;
            let added = self.found.processes.get_mut(self.found.used - 1);
            if let Some(process) = added {
                describe(process, root, held, names.tasks);
            }
        }
    }

    /// Warnings about owners that are missing; none if owners were not requested.
    pub(super) fn warnings(&self, Tasks { contexts, .. }: Tasks) -> Vec<Warning> {
        let Some(scan) = &self.scan else {
            return Vec::new();
        };
        // After a failure, other limits of visibility do not matter.
        if let Some(cause) = scan.failure.clone() {
            return vec![Warning::Failed(cause)];
        }
        let is_outside = scan.visibility == Visibility::PidNamespace && self.out_of_sight > 0;
        let not_read = if scan.visibility == Visibility::OwnOnly {
            Some(Warning::note(HIDDEN))
        } else {
            let name = |pid| process::read(&self.scanner.root, pid, false)?.process.name;
            let are_chosen = matches!(self.scanner.scope, ScanScope::Only(_));
            refused(&scan.unreadable, are_chosen, name)
        };
        let outside = is_outside.then(|| Warning::note(OUTSIDE));
        let too_new = too_new(self.too_new.len());
        let mut known = self.details.values().flatten();
        let is_bare = contexts && !known.any(|known| known.process.context.is_some());
        let bare = (is_bare && !self.details.is_empty()).then(|| Warning::note(NO_CONTEXTS));
        let missing = [failed(&scan.unreadable), not_read, outside, too_new, bare];
        missing.into_iter().flatten().collect()
    }
}

/// Adds the requested details of a process with these descriptors.
fn describe(process: &mut Process, root: &Path, held: &[Descriptor], tasks: Tasks) {
    if tasks.threads {
        let (tids, fds) = threads_of(root, held).into_iter().unzip();
        process.tids = tids;
        let threads = process.tids.iter().zip::<Vec<_>>(fds);
        let threads = threads.map(|(tid, fds)| Thread {
            name: process::thread_name(root, process.pid, *tid).unwrap_or_default(),
            fds,
        });
        process.threads = threads.collect();
    }
    if tasks.contexts {
        let mut fds = process.fds.iter();
        process.socket_context = fds.find_map(|fd| process::socket_context(root, process.pid, *fd));
    }
}

/// A list of processes that reuses its memory.
#[derive(Debug, Default)]
struct Scratch {
    processes: Vec<Process>,
    used: usize,
    /// Parallel to the used processes.
    kin: Vec<Kin>,
}

impl Scratch {
    fn clear(&mut self) {
        self.used = 0;
        self.kin.clear();
    }

    fn get(&self) -> &[Process] {
        self.processes.get(..self.used).unwrap_or_default()
    }

    fn add(&mut self, process: &Process, fds: impl Iterator<Item = u32>) {
        if self.used == self.processes.len() {
            self.processes.push(Process::default());
        }
        if let Some(copy) = self.processes.get_mut(self.used) {
            copy.pid = process.pid;
            copy.name.clone_from(&process.name);
            copy.command.clone_from(&process.command);
            copy.called = process.called;
            copy.uid = process.uid;
            copy.user.clone_from(&process.user);
            copy.place.clone_from(&process.place);
            copy.context.clone_from(&process.context);
            copy.socket_context = None;
            copy.tids.clear();
            copy.threads.clear();
            copy.fds.clear();
            copy.fds.extend(fds);
            self.used += 1;
        }
    }
}

#[cfg(test)]
mod tests;
