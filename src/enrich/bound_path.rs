//! Checks whether the path of a unix socket leads to it: several may have been bound to one path.
//!
//! Paths are looked up only in the kernel's cache, which holds that of every bound socket. No file system is asked, so
//! none can block lsock.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, StatxFlags, openat2, statx};
use rustix::io::Errno;

use crate::model::{BoundFile, Process, Socket};
use crate::procfs::file::search;

/// True if the socket's path leads to it here; else `None`, because another mount namespace may be meant, or the
/// path is relative to an unknown directory.
pub(super) fn leads_here(socket: &Socket) -> Option<bool> {
    leads(CWD, ResolveFlags::empty(), socket)?.then_some(true)
}

/// As [`leads_here`], for the processes that hold the socket: false if it leads none of them there.
pub(super) fn leads_there(proc: &Path, socket: &Socket, holders: &[Process]) -> Option<bool> {
    let mut seen = None;
    for holder in holders {
        let root = search(proc.join(format!("{}/root", holder.pid))).ok()?;
        if leads(root.as_fd(), ResolveFlags::IN_ROOT, socket)? {
            return Some(true);
        }
        seen = Some(false);
    }
    seen
}

/// True if the path leads to the socket's file, below `root`; `None` = unknown.
fn leads(root: BorrowedFd<'_>, resolve: ResolveFlags, socket: &Socket) -> Option<bool> {
    let bound = socket.file()?;
    let path = Some(&*socket.local.name).filter(|path| path.starts_with(b"/"))?;
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match openat2(
        root,
        path,
        flags,
        Mode::empty(),
        resolve | ResolveFlags::CACHED,
    ) {
        Ok(file) => is_file(&file, bound),
        Err(Errno::NOENT | Errno::NOTDIR) => Some(false),
        Err(_) => None,
    }
}

/// True if an open file is the one that a socket was bound to. Stacked file systems show users other numbers than
/// the kernel has: then unknown.
fn is_file(file: &OwnedFd, bound: BoundFile) -> Option<bool> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let found = statx(file, "", flags, StatxFlags::BASIC_STATS).ok()?;
    if FileType::from_raw_mode(found.stx_mode.into()) != FileType::Socket {
        return Some(false);
    }
    let is_here = (found.stx_dev_major, found.stx_dev_minor) == bound.device;
    // The kernel reports the lower 32 bits.
    let same = found.stx_ino & u64::from(u32::MAX) == u64::from(bound.inode);
    is_here.then_some(same)
}
