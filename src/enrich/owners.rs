//! Which processes hold a socket.

mod fd_index;
mod scanner;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::model::{MissingOwners, Process, ProcessStatus, Socket, Warning};
use crate::procfs::fd::{Descriptor, walk_of};

use super::name_cache::NameCache;
use super::process;
use super::visibility::Visibility;
use scanner::{FdScan, FdScanner};
pub use scanner::{OwnerSource, ScanScope};

/// Walks over all processes per listing: the first, and two for sockets made since.
const MOST_WALKS: u8 = 3;

/// Finds the processes of sockets. Nothing is read before the first socket that can have any.
#[derive(Debug)]
pub(super) struct Owners {
    scanner: FdScanner,
    scan: Option<FdScan>,
    walks: u8,
    /// Processes that were asked for; `None` = gone.
    details: HashMap<u32, Option<Process>>,
    found: Scratch,
    /// The last socket has no process that was found, and may have one. Of those that are looked at, that
    /// is, where they are [chosen](ScanScope::Only).
    pub(super) in_doubt: bool,
    /// Sockets too new for the last walk that was made, by inode.
    too_new: HashSet<u64>,
    /// Sockets whose owners may be outside of what we can see.
    out_of_sight: usize,
}

/// How far a search could look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Somebody holds a socket, of whatever kind.
    pub found: bool,
    /// There is a process, maybe one of the kernel's, whose descriptors this user may not list; or
    /// there are no processes to look at.
    pub refused: bool,
}

impl Owners {
    /// Will look below `root`: `/proc`, another procfs, or a copy of one.
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
            in_doubt: false,
            too_new: HashSet::new(),
            out_of_sight: 0,
        }
    }

    /// Looks at once, whether a socket asks for it or not.
    pub(super) fn look(&mut self) -> Sight {
        let scan = self.take_scan();
        let sight = Sight {
            found: !scan.index.is_empty(),
            refused: scan.refused || scan.failure.is_some(),
        };
        self.scan = Some(scan);
        sight
    }

    /// Everything found is out of date: the next listing walks again.
    pub(super) fn forget(self) -> Self {
        Self::with(self.scanner)
    }

    /// Looks for the processes of a socket.
    ///
    /// Without a process the status is `None` only if that is certain: every process could be read,
    /// and the socket was there before they were.
    pub(super) fn of(&mut self, socket: &Socket, users: &mut NameCache) -> ProcessStatus {
        self.found.clear();
        self.in_doubt = socket.lacks_inode();
        match socket.inode {
            Some(inode) => self.look_up(inode, users),
            None if self.in_doubt => ProcessStatus::Unreadable,
            None => ProcessStatus::None,
        }
    }

    /// The processes that the last call of [`Owners::of`] found, by pid, each with its descriptors
    /// ascending.
    pub(super) fn found(&self) -> &[Process] {
        self.found.get()
    }

    fn look_up(&mut self, inode: u64, users: &mut NameCache) -> ProcessStatus {
        loop {
            let scan = self.take_scan();
            let held = scan.index.of(inode);
            let newer = held.is_empty() && scan.counters.is_older_than(inode);
            if newer && self.walks < MOST_WALKS {
                continue;
            }
            for of_process in held.chunk_by(|a, b| a.pid == b.pid) {
                self.add(of_process, scan.began, users);
            }
            let status = if self.found.get().is_empty() {
                self.missing(&scan, newer.then_some(inode))
            } else {
                ProcessStatus::Found
            };
            self.scan = Some(scan);
            return status;
        }
    }

    /// What it means that nobody holds a socket; its inode, if it is too new.
    fn missing(&mut self, scan: &FdScan, newer: Option<u64>) -> ProcessStatus {
        let out_of_sight = scan.visibility != Visibility::All;
        self.in_doubt = newer.is_some()
            || out_of_sight
            || !scan.unreadable.is_empty()
            || scan.failure.is_some();
        if matches!(self.scanner.scope, ScanScope::Only(_)) {
            return ProcessStatus::Unreadable;
        }
        self.too_new.extend(newer);
        self.out_of_sight += usize::from(out_of_sight);
        if self.in_doubt {
            ProcessStatus::Unreadable
        } else {
            ProcessStatus::None
        }
    }

    /// The last scan, or the first.
    fn take_scan(&mut self) -> FdScan {
        self.scan.take().unwrap_or_else(|| {
            self.walks += 1;
            // A number may belong to another process by now.
            self.details.clear();
            self.scanner.scan()
        })
    }

    /// Adds a process with these descriptors, found by a look that began then, unless it is gone.
    fn add(&mut self, held: &[Descriptor], began: u64, users: &mut NameCache) {
        let Some(&first) = held.first() else {
            return;
        };
        let pid = first.pid;
        let root = &self.scanner.root;
        let known = self.details.entry(pid).or_insert_with(|| {
            let (mut process, started) = process::read(root, pid)?;
            let is_older = started.is_some_and(|started| started < began);
            if !is_older && !still_holds(root, first) {
                // The number is another process's by now.
                return None;
            }
            process.user = process.uid.map(|uid| users.name_or_digits(uid));
            Some(process)
        });
        if let Some(process) = known {
            self.found.add(process, held.iter().map(|held| held.fd));
        }
    }

    /// What must be known of owners that are not shown; nothing when none were asked for.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let Some(scan) = &self.scan else {
            return Vec::new();
        };
        // Who is out of sight beside it makes no difference.
        if let Some(cause) = scan.failure.clone() {
            return vec![match self.scanner.source {
                OwnerSource::Bpf => Warning::Failed(cause),
                _ => Warning::MissingOwners(MissingOwners::NoProcesses(cause)),
            }];
        }
        let too_new = self.too_new.len();
        let is_outside = scan.visibility == Visibility::PidNamespace && self.out_of_sight > 0;
        let not_read = if scan.visibility == Visibility::OwnOnly {
            Some(MissingOwners::Hidden)
        } else {
            (!scan.unreadable.is_empty()).then(|| MissingOwners::Unreadable {
                pids: scan.unreadable.clone(),
                are_chosen: matches!(self.scanner.scope, ScanScope::Only(_)),
                by_root: rustix::process::geteuid().is_root(),
            })
        };
        let outside = is_outside.then_some(MissingOwners::OutsideNamespace);
        let too_new = (too_new > 0).then_some(MissingOwners::TooNew(too_new));
        let missing = [not_read, outside, too_new].into_iter().flatten();
        missing.map(Warning::MissingOwners).collect()
    }
}

/// Processes that are written again and again without new memory.
#[derive(Debug, Default)]
struct Scratch {
    processes: Vec<Process>,
    used: usize,
}

impl Scratch {
    fn clear(&mut self) {
        self.used = 0;
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
            copy.fds.clear();
            copy.fds.extend(fds);
            self.used += 1;
        }
    }
}

fn still_holds(root: &Path, held: Descriptor) -> bool {
    walk_of(root, &[held.pid]).is_ok_and(|found| found.descriptors.contains(&held))
}

#[cfg(test)]
mod tests;
