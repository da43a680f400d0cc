//! The descriptors of every process that are sockets: `/proc/PID/fd/N -> socket:[INODE]`.

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
    /// The process that has it, as this procfs numbers it.
    pub pid: u32,
    /// The number of the descriptor in that process, or [`Descriptor::FIXED`].
    pub fd: u32,
}

impl Descriptor {
    /// No number: an `io_uring` of the process holds the socket as a fixed file.
    pub const FIXED: u32 = u32::MAX;
}

/// A descriptor that is, or may be, a ring of `io_uring`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// The process that has it.
    pub pid: u32,
    /// The thread whose descriptor it is; the first, if it is everybody's.
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
    /// Why not.
    pub cause: Errno,
}

impl Unreadable {
    /// True if somebody with more rights could read it.
    pub const fn is_refused(&self) -> bool {
        matches!(self.cause, Errno::ACCESS | Errno::PERM)
    }
}

/// What a walk over all processes found.
#[derive(Debug, Default)]
pub struct Walk {
    /// Every descriptor that is a socket, in no order, some twice. 16 bytes each.
    pub descriptors: Vec<Descriptor>,
    /// Network namespaces that are open: inode number, and the link that leads there, below the root.
    pub namespaces: Vec<(u32, String)>,
    /// Descriptors that are, or may be, rings of `io_uring` and were not looked into.
    rings: Vec<Ring>,
    /// Processes that may hold sockets but could not be read, ascending, each once.
    pub unreadable: Vec<Unreadable>,
    /// Some directory of descriptors could not even be opened, for lack of privilege; that of a kernel
    /// thread counts, too.
    pub refused: bool,
}

/// What is known of descriptors without a look into `/proc`.
#[derive(Debug, Default)]
pub struct Known {
    /// Descriptors that are sockets, in no order.
    pub descriptors: Vec<Descriptor>,
    /// Descriptors that may be rings of `io_uring`.
    pub rings: Vec<Ring>,
    /// The processes of which everything is known, ascending.
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

/// Tells whether two tasks have the same descriptors; true is certain.
pub type Shares<'a> = &'a (dyn Fn(u32, u32) -> bool + Sync);

/// The threads of a process whose descriptors are its own.
#[derive(Clone, Copy)]
pub enum Threads<'a> {
    /// All; the descriptors that two share are read once. Fixed files of rings count, too.
    All(Shares<'a>),
    /// The first: a process where it has ended holds nothing. So `netstat` sees it.
    First,
}

/// Reads the links of every descriptor of every process below `root`, a procfs or a copy of one.
///
/// A process that vanishes on the way is skipped; what starts on the way is looked at in a second
/// round, so that a socket handed from one process to a new one is not missed.
///
/// # Errors
///
/// When `root` itself cannot be opened or listed, or holds no process at all: a procfs that is not
/// mounted tells nothing about who holds what.
pub fn walk(root: &Path, threads: Threads<'_>) -> Result<Walk, Error> {
    walk_rest(root, threads, || Ok(Known::default()))
}

/// As [`walk`], where most processes are known by other means; the others are read.
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
    found.descriptors.extend(known.descriptors);
    found.rings.extend(known.rings);
    let again = open_directory(&directory, ".").and_then(numbers_in);
    let mut later = again.map_err(unread)?;
    later.retain(|pid| first.binary_search(pid).is_err());
    found.add(spread(directory.as_fd(), &later, read));
    let mut found = with_rings(directory.as_fd(), found, threads);
    found.descriptors.shrink_to_fit();
    Ok(found)
}

/// Adds the fixed files of rings.
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

/// The error for a procfs that is none.
pub fn no_processes(root: &Path) -> Error {
    let cause = io::Error::other("it holds none");
    Error::file("tell processes from", root, cause)
}

/// Reads the same of these processes alone: no other is touched, `root` is not even listed. One that
/// does not exist holds nothing.
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

/// Opens a directory to list it.
fn listed(root: &Path) -> Result<OwnedFd, Error> {
    open_directory(CWD, root).map_err(|cause| Error::file("open", root, cause))
}

#[cfg(test)]
mod tests;
