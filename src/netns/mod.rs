//! Network namespaces: which there are, what to call them, and how to look into one.
//!
//! A socket belongs to the namespace it was made in, whoever holds it. What the kernel tells over netlink,
//! and in `/proc/thread-self/net`, is of the namespace of the thread that asks.

mod anchor;
mod here;
mod search;

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::Network;
use rustix::fs::{CWD, Mode, OFlags, fstat, fstatfs, openat, readlinkat_raw};
use rustix::io::Errno;
use rustix::path::Arg;

pub use anchor::Anchor;
pub use here::here;
pub use search::{Wanted, find};

/// Where `ip netns` puts those that it names.
pub const NAMED: &str = "/run/netns";

/// A network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    /// What to call it: its name below `/run/netns`, the pod, the container or the service of the process that
    /// leads it, that process, or `net:[INODE]`. Any text.
    pub name: Arc<str>,
    /// Its inode number in nsfs.
    pub inode: u32,
    /// The first task that lives there: a process, or a thread of one that lives elsewhere; `None` = nobody is
    /// known to.
    pub leader: Option<u32>,
    /// What leads there; `None` = this thread is there.
    handle: Option<PathBuf>,
}

impl Namespace {
    /// Without what leads there.
    pub fn network(&self) -> Network {
        Network {
            name: Arc::clone(&self.name),
            inode: self.inode,
        }
    }

    /// One of a recording: nothing leads there.
    pub fn recorded(name: Arc<str>, inode: u32) -> Self {
        Self {
            name,
            inode,
            leader: None,
            handle: None,
        }
    }
}

/// Namespaces by inode number, each with the thread that is there, if it may be entered.
pub type Namespaces = BTreeMap<u32, (Arc<Namespace>, Option<Arc<Anchor>>)>;

/// `NSFS_MAGIC` (`include/uapi/linux/magic.h`).
const NSFS: i64 = 0x6e73_6673;

/// Opens what leads to a namespace. Gives the inode number of that, too.
fn open(handle: &Path) -> rustix::io::Result<(OwnedFd, u32)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = openat(CWD, handle, flags, Mode::empty())?;
    if fstatfs(&opened)?.f_type != NSFS {
        return Err(Errno::INVAL);
    }
    let inode = u32::try_from(fstat(&opened)?.st_ino).map_err(|_| Errno::OVERFLOW)?;
    Ok((opened, inode))
}

/// The inode number of a namespace of this kind that a link leads to.
fn inode_at(at: impl AsFd, link: impl Arg, kind: &[u8]) -> rustix::io::Result<u32> {
    let mut buffer = [MaybeUninit::uninit(); LINK];
    let (target, _) = readlinkat_raw(at, link, &mut buffer[..])?;
    inode(target, kind).ok_or(Errno::INVAL)
}

/// Longer than any such link.
const LINK: usize = 32;

/// The number in the text of such a link: `net:[4026531840]`.
fn inode(link: &[u8], kind: &[u8]) -> Option<u32> {
    let number = link.strip_prefix(kind)?.strip_prefix(b":[")?;
    str::from_utf8(number.strip_suffix(b"]")?)
        .ok()?
        .parse()
        .ok()
}
