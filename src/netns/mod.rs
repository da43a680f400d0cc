//! Network namespaces: which there are, what to call them, and how to look into one.
//!
//! A socket belongs to the namespace it was made in, whoever holds it. What the kernel tells over netlink,
//! and in `/proc/thread-self/net`, is of the namespace of the thread that asks.

mod anchor;
mod here;
#[cfg_attr(not(feature = "bpf"), path = "unlisted.rs")]
mod listed;
mod search;
mod wanted;

use std::collections::BTreeMap;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::model::Network;
use crate::syscall::{is_network, network_of};
use rustix::fs::{CWD, Mode, OFlags, fstat, fstatfs, openat, readlinkat_raw};
use rustix::io::Errno;
use rustix::path::Arg;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

pub use anchor::Anchor;
pub use here::here;
pub use listed::{List, Listed};
pub use search::{Found, Search, own_process};
pub use wanted::Wanted;

/// Where `ip netns` puts those that it names.
pub const NAMED: &str = "/run/netns";

/// A network namespace.
#[derive(Debug, Clone)]
pub struct Namespace {
    /// What to call it: its name below `/run/netns`, the pod, the container or the service of the process that
    /// leads it, that process, or `net:[INODE]`. Any text.
    pub name: Arc<[u8]>,
    /// Its inode number in nsfs.
    pub inode: u32,
    /// True if that cannot be told: the number is that of a file, which no other namespace has.
    pub is_hidden: bool,
    /// The first task that lives there: a process, or a thread of one that lives elsewhere; `None` = nobody is
    /// known to.
    pub leader: Option<u32>,
    handle: Handle,
}

/// What leads to a namespace.
#[derive(Debug, Clone)]
enum Handle {
    /// This thread is there.
    Own,
    /// Each did, when it was found.
    Paths(Vec<PathBuf>),
    /// Nothing else may: it is open.
    Open(Arc<OwnedFd>),
    /// Nothing: it was recorded, or is gone.
    Nowhere,
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        (self.inode, &self.name) == (other.inode, &other.name)
    }
}

impl Eq for Namespace {}

impl Namespace {
    /// Without what leads there.
    pub fn network(&self) -> Network {
        Network {
            name: Arc::clone(&self.name),
            inode: self.inode,
        }
    }

    /// True if the task that led it is known to be elsewhere, or to have ended.
    pub fn is_left(&self) -> bool {
        self.leader.is_some_and(|leader| {
            match inode_at(CWD, &*format!("/proc/{leader}/ns/net"), b"net") {
                Ok(inode) => inode != self.inode,
                Err(cause) => matches!(cause, Errno::NOENT | Errno::SRCH),
            }
        })
    }

    /// True if it was wanted by this name.
    pub fn is_called(&self, wanted: &Wanted) -> bool {
        matches!(wanted, Wanted::Named(name) if **name == *self.name)
    }

    /// One of a recording: nothing leads there.
    pub fn recorded(name: Arc<[u8]>, inode: u32) -> Self {
        Self {
            name,
            inode,
            is_hidden: false,
            leader: None,
            handle: Handle::Nowhere,
        }
    }
}

impl Namespace {
    /// That of a socket that a process holds.
    ///
    /// # Errors
    ///
    /// When the process or the descriptor is gone, or there is no right to it: to take a copy needs that of
    /// tracing the process, to ask it `CAP_NET_ADMIN`.
    pub fn of_socket(pid: u32, fd: u32) -> io::Result<Self> {
        let (inode, open) = of_socket(pid, fd)?;
        Ok(Self {
            name: nameless(inode).into_bytes().into(),
            inode,
            is_hidden: false,
            leader: None,
            handle: Handle::Open(open.into()),
        })
    }
}

/// That of a socket that a process holds: its inode number, and itself.
fn of_socket(pid: u32, fd: u32) -> io::Result<(u32, OwnedFd)> {
    let number = |number: u32| i32::try_from(number).map_err(|_| io::Error::from(Errno::INVAL));
    let pid = Pid::from_raw(number(pid)?).ok_or(Errno::SRCH)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let socket = pidfd_getfd(&process, number(fd)?, PidfdGetfdFlags::empty())?;
    let open = network_of(socket.as_fd())?;
    let inode = u32::try_from(fstat(&open)?.st_ino).map_err(|_| Errno::OVERFLOW)?;
    Ok((inode, open))
}

/// What a namespace is called that nobody is known to live in.
fn nameless(inode: u32) -> String {
    format!("net:[{inode}]")
}

/// Namespaces by inode number, each with the thread that is there, if it may be entered.
pub type Namespaces = BTreeMap<u32, (Arc<Namespace>, Option<Arc<Anchor>>)>;

/// `NSFS_MAGIC` (`include/uapi/linux/magic.h`).
const NSFS: i64 = 0x6e73_6673;

/// Opens what leads to a network namespace. Gives the inode number of that, too. `EINVAL` = it is something else.
fn open(handle: &Path) -> rustix::io::Result<(OwnedFd, u32)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = openat(CWD, handle, flags, Mode::empty())?;
    if fstatfs(&opened)?.f_type != NSFS || !is_network(opened.as_fd()) {
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
