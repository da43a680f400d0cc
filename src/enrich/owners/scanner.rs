//! Scans the descriptors of all processes.

use std::io;
use std::path::{Path, PathBuf};

use super::fd_index::FdIndex;
use crate::enrich::task_files::TaskFiles;
use crate::enrich::visibility::{Visibility, is_hiding, is_live, limit, numbers_as_here};
use crate::error::Error;
use crate::model::{Cause, named};
use crate::procfs::fd::{
    Descriptor, Threads, Unreadable, Walk, no_processes, processes_in, walk, walk_of, walk_rest,
};
use crate::procfs::file::read_path;
use crate::procfs::moment::{Moment, ticks};
use crate::syscall::share_descriptors;

/// With fewer open files on the machine, reading `/proc` takes no longer than reading the kernel's BTF, some
/// milliseconds.
const WORTH_AN_ITERATOR: usize = 4_000;
/// More than a short file of procfs.
const SHORT: usize = 64 * 1024;

named! {
    /// How the descriptors of all processes are found. The result is the same.
    #[derive(Default)]
    pub enum OwnerSource {
        /// The faster one that is usable here.
        #[default]
        Auto = "auto",
        /// Read `/proc`.
        Proc = "proc",
        /// The kernel's iterator over descriptors, a BPF program. Usable only if every process may be read, and with
        /// further privileges.
        Bpf = "bpf",
    }
}

/// The processes whose descriptors are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ScanScope {
    /// All.
    #[default]
    All,
    /// All, as seen by the first thread of each; the kernel's iterator cannot show that.
    FirstThreads,
    /// Only these processes; other holders of a socket are not found.
    Only(Vec<u32>),
}

/// Descriptors by inode, and how complete they are.
#[derive(Debug)]
pub(super) struct FdScan {
    pub(super) index: FdIndex,
    /// Processes that could not be read, ascending.
    pub(super) unreadable: Vec<Unreadable>,
    /// True if the directory of some process could not be opened.
    pub(super) refused: bool,
    pub(super) visibility: Visibility,
    /// The moment before the scan.
    pub(super) began: Moment,
    /// Why there was no scan.
    pub(super) failure: Option<Cause>,
}

impl FdScan {
    fn of(found: Walk, visibility: Visibility, began: Moment) -> Self {
        Self {
            index: FdIndex::new(found.descriptors),
            unreadable: found.unreadable,
            refused: found.refused,
            visibility,
            began,
            failure: None,
        }
    }

    /// True if every process that may hold a socket was read.
    pub(super) fn is_whole(&self) -> bool {
        let all = self.failure.is_none() && self.visibility == Visibility::All;
        all && self.unreadable.is_empty()
    }
}

/// Scans descriptors below a root, repeatedly.
#[derive(Debug)]
pub(super) struct FdScanner {
    pub(super) root: PathBuf,
    pub(super) scope: ScanScope,
    /// [`OwnerSource::Auto`] = undecided, or decided for the iterator.
    pub(super) source: OwnerSource,
    iterator: Option<TaskFiles>,
}

impl FdScanner {
    /// Will use this source, or `/proc` if only first threads are wanted.
    pub(super) fn new(root: PathBuf, scope: ScanScope, source: OwnerSource) -> Result<Self, Error> {
        let source = match scope {
            ScanScope::FirstThreads => OwnerSource::Proc,
            ScanScope::All | ScanScope::Only(_) => source,
        };
        let iterator = (source == OwnerSource::Bpf).then(|| iterator(&root));
        Ok(Self {
            iterator: iterator.transpose()?,
            root,
            scope,
            source,
        })
    }

    pub(super) fn scan(&mut self) -> FdScan {
        if self.source == OwnerSource::Auto && self.iterator.is_none() && self.pays() {
            self.choose(iterator(&self.root));
        }
        let live = is_live(&self.root);
        let began = if live {
            Moment::now()
        } else {
            Moment {
                ticks: ticks(),
                ..Moment::default()
            }
        };
        let told = self.told().map(|told| (told, Visibility::All));
        let (found, visibility) = told.unwrap_or_else(|| self.walked(live));
        let (found, failure) = match found {
            Ok(found) => (found, None),
            Err(error) => (Walk::default(), Some(error.into())),
        };
        FdScan {
            failure,
            ..FdScan::of(found, visibility, began)
        }
    }

    /// Uses an earlier scan begun at `began`, if this scanner would repeat it; else `None`.
    pub(super) fn take(&self, began: Moment, found: Walk) -> Option<FdScan> {
        let would = self.scope == ScanScope::All && self.source != OwnerSource::Bpf;
        let is_same = would && self.root == Path::new("/proc") && numbers_as_here(&self.root);
        is_same.then(|| FdScan::of(found, Visibility::of(&self.root), began))
    }

    /// True if the process has this descriptor now.
    pub(super) fn holds(&self, held: Descriptor) -> bool {
        let found = walk_of(&self.root, &[held.pid], Threads::All(&|_, _| false));
        found.is_ok_and(|found| found.descriptors.contains(&held))
    }

    /// The result of the kernel's iterator, limited to chosen processes; `None` = read `/proc` instead. The iterator
    /// sees all processes, so the root must show them all, too.
    fn told(&mut self) -> Option<Result<Walk, Error>> {
        let iterator = self.iterator.as_mut()?;
        let threads = Threads::All(&share_descriptors);
        let mut found = match walk_rest(&self.root, threads, || iterator.run()) {
            Ok(found) => found,
            Err(error) if self.source == OwnerSource::Bpf => return Some(Err(error)),
            Err(error) => {
                self.choose(Err(error));
                return None;
            }
        };
        if let ScanScope::Only(pids) = &self.scope {
            found.descriptors.retain(|held| pids.contains(&held.pid));
            found.unreadable.retain(|one| pids.contains(&one.pid));
        }
        Some(Ok(found))
    }

    /// The result of reading `/proc`. Of chosen processes, those that `hidepid` may hide count as invisible.
    fn walked(&self, live: bool) -> (Result<Walk, Error>, Visibility) {
        let root = &self.root;
        let are_ours = numbers_as_here(root);
        let shares = |one, other| are_ours && share_descriptors(one, other);
        let found = match &self.scope {
            ScanScope::All => walk(root, Threads::All(&shares)),
            ScanScope::FirstThreads => walk(root, Threads::First),
            ScanScope::Only(pids) => {
                can_tell(root, pids, live).and_then(|()| walk_of(root, pids, Threads::All(&shares)))
            }
        };
        let is_absent = |pid: &u32| !root.join(pid.to_string()).exists();
        let visibility = match &self.scope {
            _ if !live => Visibility::All,
            ScanScope::All | ScanScope::FirstThreads => Visibility::of(root),
            ScanScope::Only(pids) if pids.iter().any(is_absent) && is_hiding(root) => {
                Visibility::OwnOnly
            }
            ScanScope::Only(_) => Visibility::All,
        };
        (found, visibility)
    }

    /// Sets the iterator; if unusable, it is not tried again.
    fn choose(&mut self, iterator: Result<TaskFiles, Error>) {
        if iterator.is_err() {
            self.source = OwnerSource::Proc;
        }
        self.iterator = iterator.ok();
    }

    /// True if the iterator is worth trying. Few processes or descriptors are read as quickly; and if system calls are
    /// filtered, an unusual one might kill lsock.
    fn pays(&self) -> bool {
        self.scope == ScanScope::All
            && open_files(&self.root) >= Some(WORTH_AN_ITERATOR)
            && !is_filtered(&self.root)
    }
}

/// Checks that these processes can be identified below `root`: not if it has none, nor in the `/proc` of another PID
/// namespace, whose pids differ.
fn can_tell(root: &Path, pids: &[u32], live: bool) -> Result<(), Error> {
    let is_absent = |pid: &u32| !root.join(pid.to_string()).exists();
    if live && root == Path::new("/proc") && !numbers_as_here(root) {
        let cause = io::Error::other("it is of another PID namespace");
        return Err(Error::file("find processes in", root, cause));
    }
    if !live && pids.iter().all(is_absent) && processes_in(root)?.is_empty() {
        return Err(no_processes(root));
    }
    Ok(())
}

/// The kernel's iterator, if its result equals reading `root`.
fn iterator(root: &Path) -> Result<TaskFiles, Error> {
    match limit(root) {
        None => TaskFiles::load(open_files(root).unwrap_or_default()),
        Some(limit) => Err(Error::bpf("replace /proc", io::Error::other(limit))),
    }
}

/// Files open on this machine: the first number in `/proc/sys/fs/file-nr`.
fn open_files(root: &Path) -> Option<usize> {
    let text = read_path(&root.join("sys/fs/file-nr"), SHORT).ok()?;
    let open = text.split(u8::is_ascii_whitespace).next()?;
    std::str::from_utf8(open).ok()?.parse().ok()
}

/// True if `Seccomp:` in `/proc/self/status` (`proc_pid_status(5)`) is not 0.
fn is_filtered(root: &Path) -> bool {
    let text = read_path(&root.join("self/status"), SHORT).unwrap_or_default();
    let mut lines = text.split(|byte| *byte == b'\n');
    let mode = lines.find_map(|line| line.strip_prefix(b"Seccomp:"));
    mode.is_some_and(|mode| mode.trim_ascii() != b"0")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::{is_filtered, open_files};
    use std::fs;

    #[test]
    fn open_files_are_read() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(open_files(root.path()), None);
        fs::create_dir_all(root.path().join("sys/fs")).unwrap();
        for (text, open) in [
            ("1236\t0\t99\n", Some(1_236)),
            ("200000\t0\t9\n", Some(200_000)),
            ("x", None),
        ] {
            fs::write(root.path().join("sys/fs/file-nr"), text).unwrap();
            assert_eq!(open_files(root.path()), open, "{text}");
        }
    }

    #[test]
    fn filter_of_system_calls_is_seen() {
        let root = tempfile::tempdir().unwrap();
        assert!(!is_filtered(root.path()));
        fs::create_dir(root.path().join("self")).unwrap();
        for (mode, filtered) in [("0", false), ("1", true), ("2", true)] {
            let text = format!("Name:\tx\nSeccomp:\t{mode}\nSeccomp_filters:\t{mode}\n");
            fs::write(root.path().join("self/status"), text).unwrap();
            assert_eq!(is_filtered(root.path()), filtered, "{mode}");
        }
    }
}
