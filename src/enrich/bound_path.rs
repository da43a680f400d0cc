//! Whether the path of a unix socket leads to it: of several that were bound to one path, to which.
//!
//! Paths are looked up only as far as the kernel has them in its cache, where it keeps that of every bound
//! socket: no file system is asked, so none can make this wait.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, StatxFlags, openat2, statx};
use rustix::io::Errno;

use crate::model::{BoundFile, Process, Socket};
use crate::procfs::file::search;

/// True if its path leads to it here. Where it does not, another mount namespace may be meant, or the
/// directory is not known of which a path without a slash is: `None`.
pub(super) fn leads_here(socket: &Socket) -> Option<bool> {
    leads(CWD, ResolveFlags::empty(), socket)?.then_some(true)
}

/// The same as the processes see it that hold the socket: false if none of them finds it there.
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

/// Whether the path leads to its file, below a directory; `None` = that cannot be told.
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

/// Whether an open file is the one that a socket was bound to. File systems made of others tell their
/// users other numbers than the kernel: then it cannot be told.
fn is_file(file: &OwnedFd, bound: BoundFile) -> Option<bool> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let found = statx(file, "", flags, StatxFlags::BASIC_STATS).ok()?;
    if FileType::from_raw_mode(found.stx_mode.into()) != FileType::Socket {
        return Some(false);
    }
    let is_here = (found.stx_dev_major, found.stx_dev_minor) == bound.device;
    // The kernel tells the lower 32 bits.
    let same = found.stx_ino & u64::from(u32::MAX) == u64::from(bound.inode);
    is_here.then_some(same)
}
