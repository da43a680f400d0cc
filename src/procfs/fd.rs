//! The descriptors of every process that are sockets: `/proc/PID/fd/N -> socket:[INODE]`.

mod stat;

use std::io;
use std::mem::MaybeUninit;
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RawDir, openat, readlinkat_raw, statat};
use rustix::io::Errno;

use self::stat::{cannot_hold_sockets, decimal};
use crate::error::Error;

pub use self::stat::{is_kernel_thread, start_ticks};

/// A descriptor that is a socket; ordered by inode, then pid, then number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Descriptor {
    /// Inode number in sockfs.
    pub inode: u64,
    /// The process that has it, as this procfs numbers it.
    pub pid: u32,
    /// The number of the descriptor in that process.
    pub fd: u32,
}

/// What a walk over all processes found.
#[derive(Debug, Default)]
pub struct Walk {
    /// Every descriptor that is a socket, in no order, some twice. 16 bytes each.
    pub descriptors: Vec<Descriptor>,
    /// Processes that may hold sockets but could not be read, for lack of privilege or of
    /// descriptors of our own; in no order, each once.
    pub unreadable: Vec<u32>,
    /// Some directory of descriptors could not even be opened, for lack of privilege; that of a kernel
    /// thread counts, too.
    pub refused: bool,
}

/// What is known of descriptors without a look into `/proc`.
#[derive(Debug, Default)]
pub struct Known {
    /// Descriptors that are sockets, in no order.
    pub descriptors: Vec<Descriptor>,
    /// The processes of which everything is known, ascending.
    pub pids: Vec<u32>,
}

impl Walk {
    fn add(&mut self, other: Self) {
        self.descriptors.extend(other.descriptors);
        self.unreadable.extend(other.unreadable);
        self.refused |= other.refused;
    }
}

/// The threads of a process whose descriptors are its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Threads {
    /// The first, and where that has none to show, another.
    Any,
    /// The first: a process where it has ended holds nothing. So `netstat` sees it.
    First,
}

/// How many threads walk at most.
const MOST_THREADS: usize = 4;
/// How many processes make a thread worth its start.
const PROCESSES_PER_THREAD: usize = 64;
/// Directory entries are read into this many bytes, about 1,300 of them a call.
const DIRECTORY_BUFFER: usize = 32 * 1024;
/// Longer than the longest `socket:[18446744073709551615]`; other links may be cut.
const LINK_BUFFER: usize = 64;

/// Reads the links of every descriptor of every process below `root`, a procfs or a copy of one.
///
/// A process that vanishes on the way is skipped; what starts on the way is looked at in a second
/// round, so that a socket handed from one process to a new one is not missed.
///
/// # Errors
///
/// When `root` itself cannot be opened or listed, or holds no process at all: a procfs that is not
/// mounted tells nothing about who holds what.
pub fn walk(root: &Path, threads: Threads) -> Result<Walk, Error> {
    walk_rest(root, threads, || Ok(Known::default()))
}

/// As [`walk`], where most processes are known by other means; the others are read.
///
/// # Errors
///
/// Those of [`walk`], and that of `know`.
pub fn walk_rest(
    root: &Path,
    threads: Threads,
    know: impl FnOnce() -> Result<Known, Error>,
) -> Result<Walk, Error> {
    let failed = |operation, cause: Errno| Error::file(operation, root, cause);
    let directory = open_directory(CWD, root).map_err(|cause| failed("open", cause))?;
    let first = numbers_in(&directory).map_err(|cause| failed("read", cause))?;
    if first.is_empty() {
        let cause = io::Error::other("it holds none");
        return Err(Error::file("tell processes from", root, cause));
    }
    let known = know()?;
    let is_unknown = |pid: &u32| known.pids.binary_search(pid).is_err();
    let unknown: Vec<u32> = first.iter().copied().filter(is_unknown).collect();
    let mut found = walk_processes(directory.as_fd(), &unknown, threads);
    found.descriptors.extend(known.descriptors);
    let again = open_directory(&directory, ".").and_then(numbers_in);
    let mut later = again.map_err(|cause| failed("read", cause))?;
    later.retain(|pid| first.binary_search(pid).is_err());
    found.add(walk_processes(directory.as_fd(), &later, threads));
    found.descriptors.shrink_to_fit();
    Ok(found)
}

/// Reads the same of these processes alone: no other is touched, `root` is not even listed. One that
/// does not exist holds nothing.
///
/// # Errors
///
/// When `root` itself cannot be opened.
pub fn walk_of(root: &Path, pids: &[u32]) -> Result<Walk, Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, root, flags, Mode::empty())
        .map_err(|cause| Error::file("open", root, cause))?;
    let mut pids = pids.to_vec();
    pids.sort_unstable();
    pids.dedup();
    Ok(walk_processes(directory.as_fd(), &pids, Threads::Any))
}

/// Spreads the processes over threads: each takes the next one that nobody has taken.
fn walk_processes(root: BorrowedFd<'_>, pids: &[u32], threads: Threads) -> Walk {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let helpers = (pids.len() / PROCESSES_PER_THREAD)
        .min(cores)
        .clamp(1, MOST_THREADS)
        - 1;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut walker = Walker {
            root,
            threads,
            found: Walk::default(),
            buffer: Vec::with_capacity(DIRECTORY_BUFFER),
        };
        while let Some(pid) = pids.get(next.fetch_add(1, Ordering::Relaxed)) {
            walker.process(*pid);
        }
        walker.found
    };
    thread::scope(|scope| {
        // A thread that cannot be had leaves its share to the others.
        let started: Vec<_> = (0..helpers)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut found = work();
        for helper in started {
            let part = helper
                .join()
                .unwrap_or_else(|cause| panic::resume_unwind(cause));
            found.add(part);
        }
        found
    })
}

/// What became of one directory of descriptors.
#[derive(PartialEq, Eq)]
enum Listing {
    /// It had entries, all of them could be read.
    Read,
    /// It had none: no descriptors, or not those of this thread.
    Empty,
    /// The process is gone.
    Gone,
    /// It, or an entry of it, could not be read.
    Refused,
}

/// One thread's part of the walk.
struct Walker<'a> {
    root: BorrowedFd<'a>,
    threads: Threads,
    found: Walk,
    buffer: Vec<u8>,
}

impl Walker<'_> {
    fn process(&mut self, pid: u32) {
        let mut listing = self.descriptors(pid, &format!("{pid}/fd"));
        let shows_none = matches!(listing, Listing::Empty | Listing::Refused);
        if shows_none && self.threads == Threads::Any {
            listing = self.other_threads(pid).unwrap_or(listing);
        }
        if listing == Listing::Refused && !self.holds_nothing(pid) {
            self.found.unreadable.push(pid);
        }
    }

    /// A process whose first thread has ended shows its descriptors at the others only, and to its
    /// user it refuses those of the first. `None` = there is no other thread.
    fn other_threads(&mut self, pid: u32) -> Option<Listing> {
        let task = format!("{pid}/task");
        // Three links and one for each further thread (`proc_task_getattr`, `fs/proc/base.c`).
        statat(self.root, &task, AtFlags::empty())
            .ok()
            .filter(|stat| stat.st_nlink > 3)?;
        let threads = open_directory(self.root, &task).and_then(numbers_in);
        let others = threads.ok()?.into_iter().filter(|thread| *thread != pid);
        for thread in others {
            let listing = self.descriptors(pid, &format!("{pid}/task/{thread}/fd"));
            if matches!(listing, Listing::Read | Listing::Refused) {
                return Some(listing);
            }
        }
        None
    }

    fn descriptors(&mut self, pid: u32, path: &str) -> Listing {
        let directory = match open_directory(self.root, path) {
            Ok(directory) => directory,
            Err(cause) if is_gone(cause) => return Listing::Gone,
            Err(cause) => {
                self.found.refused |= cause == Errno::ACCESS;
                return Listing::Refused;
            }
        };
        let mut listing = Listing::Empty;
        let mut entries = RawDir::new(&directory, self.buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(cause) if is_gone(cause) => return Listing::Gone,
                Err(_) => return Listing::Refused,
            };
            let Some(fd) = number(entry.file_name().to_bytes()) else {
                continue;
            };
            if listing == Listing::Empty {
                listing = Listing::Read;
            }
            let mut link = [MaybeUninit::uninit(); LINK_BUFFER];
            match readlinkat_raw(&directory, entry.file_name(), &mut link) {
                Ok((target, _)) => {
                    let inode = socket_inode(target);
                    let held = inode.map(|inode| Descriptor { inode, pid, fd });
                    self.found.descriptors.extend(held);
                }
                // Closed meanwhile, or (in a copy of /proc) no link.
                Err(Errno::NOENT | Errno::SRCH | Errno::INVAL) => {}
                Err(_) => listing = Listing::Refused,
            }
        }
        listing
    }

    /// Kernel threads and the dead have no descriptors, readable or not. A process that has gone
    /// since its directory was opened refuses, too: the kernel says `EACCES` then
    /// (`proc_fd_access_allowed`, `fs/proc/base.c`), and only this tells the difference.
    fn holds_nothing(&self, pid: u32) -> bool {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let mut text = [0; 1024];
        let read = openat(self.root, format!("{pid}/stat"), flags, Mode::empty())
            .and_then(|file| rustix::io::read(file, &mut text));
        match read {
            Ok(length) => text.get(..length).is_some_and(cannot_hold_sockets),
            Err(cause) => is_gone(cause),
        }
    }
}

/// The inode in `socket:[INODE]`.
fn socket_inode(target: &[u8]) -> Option<u64> {
    decimal(target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

fn number(name: &[u8]) -> Option<u32> {
    decimal(name).and_then(|value| u32::try_from(value).ok())
}

fn is_gone(cause: Errno) -> bool {
    matches!(cause, Errno::NOENT | Errno::SRCH | Errno::NOTDIR)
}

fn open_directory<P: rustix::path::Arg>(at: impl AsFd, path: P) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(at, path, flags, Mode::empty())
}

/// The numeric names in a directory, ascending: processes, or threads of one.
fn numbers_in(directory: impl AsFd) -> rustix::io::Result<Vec<u32>> {
    let mut buffer = Vec::with_capacity(DIRECTORY_BUFFER);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut numbers = Vec::new();
    while let Some(entry) = entries.next() {
        numbers.extend(number(entry?.file_name().to_bytes()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests;
