//! Reads the descriptors of processes, on several threads.

use std::iter::once;
use std::mem::MaybeUninit;
use std::num::NonZero;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, openat, readlinkat_raw, statat};
use rustix::io::Errno;
use rustix::path::{Arg, DecInt};

use super::stat::{cannot_hold_sockets, decimal, parent};
use super::{Descriptor, Ring, Threads, Unreadable, Walk};
use crate::procfs::file;

/// The target of an `io_uring` descriptor's link.
pub(super) const IO_URING: &[u8] = b"anon_inode:[io_uring]";

const MOST_THREADS: usize = 4;
/// Processes that justify one more thread.
const PROCESSES_PER_THREAD: usize = 64;
/// Buffer for directory entries, about 1,300 in each call.
const DIRECTORY_BUFFER: usize = 32 * 1024;
/// Longer than any `socket:[18446744073709551615]`; other links may be truncated.
const LINK_BUFFER: usize = 64;

/// Distributes processes over threads; each thread takes the next one that is free.
pub(super) fn spread(
    root: BorrowedFd<'_>,
    pids: &[u32],
    read: impl Fn(&mut Walker<'_>, u32) + Sync,
) -> Walk {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let helpers = (pids.len() / PROCESSES_PER_THREAD)
        .min(cores)
        .clamp(1, MOST_THREADS)
        - 1;
    let next = AtomicUsize::new(0);
    let work = || {
        let mut walker = Walker::new(root);
        while let Some(pid) = pids.get(next.fetch_add(1, Ordering::Relaxed)) {
            read(&mut walker, *pid);
        }
        walker.found
    };
    thread::scope(|scope| {
        // If a thread cannot start, the others do its share.
        let started: Vec<_> = (0..helpers)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, work).ok())
            .collect();
        let mut found = work();
        for helper in started {
            let part = helper.join();
            found.add(part.unwrap_or_else(|cause| panic::resume_unwind(cause)));
        }
        found
    })
}

/// The result of reading one directory of descriptors.
#[derive(PartialEq, Eq)]
enum Listing {
    /// It had entries, and all could be read.
    Read,
    /// It was empty: no descriptors, or this thread has none.
    Empty,
    /// The process is gone.
    Gone,
    /// It, or one of its entries, could not be read.
    Failed(Errno),
}

/// One thread's share of the work.
pub(super) struct Walker<'a> {
    root: BorrowedFd<'a>,
    pub(super) found: Walk,
    buffer: Vec<u8>,
}

impl<'a> Walker<'a> {
    pub(super) fn new(root: BorrowedFd<'a>) -> Self {
        Self {
            root,
            found: Walk::default(),
            buffer: Vec::with_capacity(DIRECTORY_BUFFER),
        }
    }

    /// Reads a process. If its first thread has ended, only its other threads show the descriptors; for the first the
    /// kernel refuses even the process's own user.
    pub(super) fn process(&mut self, pid: u32, threads: Threads<'_>) {
        let mut listing = self.descriptors(pid, pid);
        if let (Threads::All(shares), false) = (threads, listing == Listing::Gone) {
            let others = other_threads(self.root, DecInt::new(pid).as_str(), pid);
            let others = others.unwrap_or_else(|cause| {
                listing = Listing::Failed(cause);
                Vec::new()
            });
            let mut known = (listing == Listing::Read).then_some(pid);
            for thread in others {
                if known.is_some_and(|known| shares(known, thread)) {
                    continue;
                }
                let of_thread = self.descriptors(pid, thread);
                if matches!(of_thread, Listing::Failed(_)) {
                    listing = of_thread;
                    break;
                }
                if of_thread == Listing::Read && known.is_none() {
                    known = Some(thread);
                    if listing == Listing::Failed(Errno::ACCESS) {
                        listing = of_thread;
                    }
                }
            }
        }
        if let Listing::Failed(cause) = listing {
            self.note_unreadable(pid, cause);
        }
    }

    fn descriptors(&mut self, pid: u32, thread: u32) -> Listing {
        let directory = match open_directory(self.root, task(pid, thread, "fd")) {
            Ok(directory) => directory,
            Err(cause) if is_gone(cause) && !self.is_there(&task(pid, thread, "")) => {
                return Listing::Gone;
            }
            Err(cause) => {
                self.found.refused |= cause == Errno::ACCESS;
                return Listing::Failed(cause);
            }
        };
        let mut listing = Listing::Empty;
        let mut entries = RawDir::new(&directory, self.buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(cause) if is_gone(cause) => return Listing::Gone,
                Err(cause) => return Listing::Failed(cause),
            };
            let Some(fd) = number(entry.file_name().to_bytes()) else {
                continue;
            };
            if listing == Listing::Empty {
                listing = Listing::Read;
            }
            let mut link = [MaybeUninit::uninit(); LINK_BUFFER];
            match readlinkat_raw(&directory, entry.file_name(), &mut link) {
                Ok((target, _)) => match socket_inode(target) {
                    Some(inode) => self.found.descriptors.push(Descriptor { inode, pid, fd }),
                    None if target == IO_URING => self.found.rings.push(Ring { pid, thread, fd }),
                    None => {
                        let place = || format!("{}/{fd}", task(pid, thread, "fd"));
                        let open = network_inode(target).map(|inode| (inode, place()));
                        self.found.namespaces.extend(open);
                    }
                },
                // Closed meanwhile. In a copy of /proc an entry that is no link is ignored.
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(cause) => listing = Listing::Failed(cause),
            }
        }
        listing
    }

    /// True if the folder exists: a copy of /proc may have a process without its files.
    fn is_there(&self, folder: &str) -> bool {
        let stat = statat(self.root, folder, AtFlags::empty());
        stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir())
    }

    /// Records a process that could not be read, unless it cannot hold sockets: kernel threads and dead processes have
    /// no descriptors. If a process ends after its directory was opened, the kernel reports `EACCES`
    /// (`proc_fd_access_allowed`, `fs/proc/base.c`); only `stat` shows the difference.
    pub(super) fn note_unreadable(&mut self, pid: u32, cause: Errno) {
        let mut text = [0; 1024];
        let stat = file::start(self.root, format!("{pid}/stat"), &mut text);
        let is_gone = |cause| is_gone(cause) && !self.is_there(&pid.to_string());
        let holds_nothing = stat.map_or_else(is_gone, cannot_hold_sockets);
        if !holds_nothing {
            let parent = stat.ok().and_then(parent);
            self.found
                .unreadable
                .push(Unreadable { pid, parent, cause });
        }
    }
}

/// Every thread but the first of a process, by its directory below `at`; none in a copy without threads.
///
/// # Errors
///
/// When they cannot be listed.
pub fn other_threads(at: BorrowedFd<'_>, process: &str, pid: u32) -> rustix::io::Result<Vec<u32>> {
    let task = format!("{process}/task");
    let listed = || {
        // Three links, and one for each further thread (`proc_task_getattr`, `fs/proc/base.c`). A single link means
        // that the file system does not count them.
        if matches!(statat(at, &task, AtFlags::empty())?.st_nlink, 2 | 3) {
            return Ok(Vec::new());
        }
        let mut threads = numbers_in(open_directory(at, &task)?)?;
        threads.retain(|thread| *thread != pid);
        Ok(threads)
    };
    match listed() {
        Err(cause) if is_gone(cause) => Ok(Vec::new()),
        listed => listed,
    }
}

/// The threads of a process that have one of these descriptors, each with their numbers, ascending.
pub fn threads_of(root: &Path, held: &[Descriptor]) -> Vec<(u32, Vec<u32>)> {
    let (Some(first), Ok(root)) = (held.first(), open_directory(CWD, root)) else {
        return Vec::new();
    };
    let pid = first.pid;
    let others = other_threads(root.as_fd(), DecInt::new(pid).as_str(), pid);
    let threads = once(pid).chain(others.unwrap_or_default());
    let has = |thread, held: &Descriptor| {
        let mut link = [MaybeUninit::uninit(); LINK_BUFFER];
        let path = format!("{}/{}", task(pid, thread, "fd"), held.fd);
        let target = readlinkat_raw(&root, path, &mut link);
        target.is_ok_and(|(target, _)| socket_inode(target) == Some(held.inode))
    };
    let of = threads.map(|thread| {
        let fds = held.iter().filter(|held| has(thread, held));
        (thread, fds.map(|held| held.fd).collect::<Vec<u32>>())
    });
    let mut found: Vec<_> = of.filter(|(_, fds)| !fds.is_empty()).collect();
    found.sort_unstable();
    found
}

/// The path of a thread's file, relative to the root.
pub(super) fn task(pid: u32, thread: u32, name: &str) -> String {
    if pid == thread {
        format!("{pid}/{name}")
    } else {
        format!("{pid}/task/{thread}/{name}")
    }
}

/// The inode in `socket:[INODE]`.
pub(super) fn socket_inode(target: &[u8]) -> Option<u64> {
    decimal(target.strip_prefix(b"socket:[")?.strip_suffix(b"]")?)
}

/// The inode in `net:[INODE]`.
fn network_inode(target: &[u8]) -> Option<u32> {
    number(target.strip_prefix(b"net:[")?.strip_suffix(b"]")?)
}

fn number(name: &[u8]) -> Option<u32> {
    decimal(name).and_then(|value| u32::try_from(value).ok())
}

pub(super) fn is_gone(cause: Errno) -> bool {
    matches!(cause, Errno::NOENT | Errno::SRCH | Errno::NOTDIR)
}

pub(super) fn open_directory(at: impl AsFd, path: impl Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(at, path, flags, Mode::empty())
}

/// The numeric names in a directory, ascending: processes, or threads.
pub(super) fn numbers_in(directory: impl AsFd) -> rustix::io::Result<Vec<u32>> {
    let mut buffer = Vec::with_capacity(DIRECTORY_BUFFER);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut numbers = Vec::new();
    while let Some(entry) = entries.next() {
        numbers.extend(number(entry?.file_name().to_bytes()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
