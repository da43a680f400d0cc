//! Sockets among the descriptors of every process: `/proc/PID/fd/N -> socket:[INODE]`.

mod ring;
mod stat;
mod walker;

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::{io, mem};

use rustix::fs::CWD;
use rustix::io::Errno;

use self::ring::fixed_files;
use self::walker::{Walker, numbers_in, open_directory, spread};
use super::file;
use crate::error::Error;

pub use self::stat::{comm, is_ending, is_kernel_thread, parent, start_ticks};
pub use self::walker::{other_threads, threads_of};

/// A descriptor that is a socket; ordered by inode, then pid, then number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Descriptor {
    /// Inode number in sockfs.
    pub inode: u64,
    /// The process that has it, by its number in this procfs.
    pub pid: u32,
    /// Its number in that process, or [`Descriptor::FIXED`].
    pub fd: u32,
}

impl Descriptor {
    /// In place of a number: an `io_uring` of the process holds the socket as a fixed file.
    pub const FIXED: u32 = u32::MAX;
}

/// A descriptor that is or may be an `io_uring`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// The process that has it.
    pub pid: u32,
    /// The thread whose descriptor it is; the first if all share it.
    pub thread: u32,
    /// The number of the descriptor.
    pub fd: u32,
}

/// A process that may hold sockets and could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    /// Its process id.
    pub pid: u32,
    /// The process that started it, or adopted it; `None` = unknown.
    pub parent: Option<u32>,
    /// The reason.
    pub cause: Errno,
}

impl Unreadable {
    /// True if more privileges would help.
    pub const fn is_refused(&self) -> bool {
        matches!(self.cause, Errno::ACCESS | Errno::PERM)
    }
}

/// The result of reading all processes.
#[derive(Debug, Default)]
pub struct Walk {
    /// Every descriptor that is a socket, unordered, some twice. 16 bytes each.
    pub descriptors: Vec<Descriptor>,
    /// Open network namespaces: inode number, and the link to it relative to the root.
    pub namespaces: Vec<(u32, String)>,
    /// Descriptors that are or may be an `io_uring` and were not read yet.
    rings: Vec<Ring>,
    /// Processes that may hold sockets but could not be read, ascending, without duplicates.
    pub unreadable: Vec<Unreadable>,
    /// True if some directory of descriptors could not be opened for lack of privileges, even that of a kernel thread.
    pub refused: bool,
}

/// Descriptors known without reading `/proc`.
#[derive(Debug, Default)]
pub struct Known {
    /// Descriptors that are sockets, unordered.
    pub descriptors: Vec<Descriptor>,
    /// Descriptors that may be an `io_uring`.
    pub rings: Vec<Ring>,
    /// The processes whose descriptors are all known, ascending.
    pub pids: Vec<u32>,
}

impl Walk {
    fn add(&mut self, other: Self) {
        self.descriptors.extend(other.descriptors);
        self.namespaces.extend(other.namespaces);
        self.rings.extend(other.rings);
        self.unreadable.extend(other.unreadable);
        self.refused |= other.refused;
        self.unreadable.sort_by_key(|process| process.pid);
        self.unreadable.dedup_by_key(|process| process.pid);
    }
}

/// True if two tasks certainly share their descriptors.
pub type Shares<'a> = &'a (dyn Fn(u32, u32) -> bool + Sync);

/// The threads of a process whose descriptors are read.
#[derive(Clone, Copy)]
pub enum Threads<'a> {
    /// All. Descriptors that two threads share are read once. Fixed files of `io_uring` count, too.
    All(Shares<'a>),
    /// The first, as `netstat` does: a process whose first thread has ended holds nothing.
    First,
}

/// Reads the links of every descriptor of every process below `root`, a procfs or a copy of one.
///
/// A process that vanishes meanwhile is skipped. Processes that start meanwhile are read in a second pass, so
/// that a socket handed to a new process is not missed.
///
/// # Errors
///
/// When `root` cannot be opened or listed, or has no process at all: a procfs that is not mounted does not
/// show who holds what.
pub fn walk(root: &Path, threads: Threads<'_>) -> Result<Walk, Error> {
    walk_rest(root, threads, || Ok(Known::default()))
}

/// As [`walk`], where most processes are known by other means; only the others are read.
///
/// # Errors
///
/// Those of [`walk`], and that of `know`.
pub fn walk_rest(
    root: &Path,
    threads: Threads<'_>,
    know: impl FnOnce() -> Result<Known, Error>,
) -> Result<Walk, Error> {
    let directory = listed(root)?;
    let unread = |cause: Errno| Error::file("read", root, cause);
    let first = numbers_in(&directory).map_err(unread)?;
    if first.is_empty() {
        return Err(no_processes(root));
    }
    let known = know()?;
    let is_unknown = |pid: &u32| known.pids.binary_search(pid).is_err();
    let unknown: Vec<u32> = first.iter().copied().filter(is_unknown).collect();
    let read = |walker: &mut Walker<'_>, pid| walker.process(pid, threads);
    let mut found = spread(directory.as_fd(), &unknown, read);
    // Usually these are nearly all: they are not copied.
    let mut descriptors = known.descriptors;
    descriptors.append(&mut found.descriptors);
    found.descriptors = descriptors;
    found.rings.extend(known.rings);
    let again = open_directory(&directory, ".").and_then(numbers_in);
    let mut later = again.map_err(unread)?;
    later.retain(|pid| first.binary_search(pid).is_err());
    found.add(spread(directory.as_fd(), &later, read));
    let mut found = with_rings(directory.as_fd(), found, threads);
    found.descriptors.shrink_to_fit();
    Ok(found)
}

/// Adds the fixed files of each `io_uring`.
fn with_rings(root: BorrowedFd<'_>, mut found: Walk, threads: Threads<'_>) -> Walk {
    let rings = mem::take(&mut found.rings);
    if matches!(threads, Threads::All(_)) && !rings.is_empty() {
        let mut walker = Walker::new(root);
        for ring in rings {
            match fixed_files(root, ring) {
                Ok(held) => walker.found.descriptors.extend(held),
                Err(cause) => walker.note_unreadable(ring.pid, cause),
            }
        }
        found.add(walker.found);
    }
    found
}

/// The error for a procfs without processes.
pub fn no_processes(root: &Path) -> Error {
    let cause = io::Error::other("it has none");
    Error::file("find processes in", root, cause)
}

/// As [`walk`], for these processes alone: no other is read, and `root` is not listed. A process that does not
/// exist holds nothing.
///
/// # Errors
///
/// When `root` itself cannot be opened.
pub fn walk_of(root: &Path, pids: &[u32], threads: Threads<'_>) -> Result<Walk, Error> {
    let directory = file::search(root).map_err(|cause| Error::file("open", root, cause))?;
    let mut pids = pids.to_vec();
    pids.sort_unstable();
    pids.dedup();
    let root = directory.as_fd();
    let found = spread(root, &pids, |walker, pid| walker.process(pid, threads));
    Ok(with_rings(root, found, threads))
}

/// The processes in a procfs, or a copy of one, ascending.
///
/// # Errors
///
/// When it cannot be opened or listed.
pub fn processes_in(root: &Path) -> Result<Vec<u32>, Error> {
    numbers_in(listed(root)?).map_err(|cause| Error::file("read", root, cause))
}

/// Opens a directory for listing.
fn listed(root: &Path) -> Result<OwnedFd, Error> {
    open_directory(CWD, root).map_err(|cause| Error::file("open", root, cause))
}

#[cfg(test)]
mod tests;
