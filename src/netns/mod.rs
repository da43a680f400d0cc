//! Network namespaces: finds, names and enters them.
//!
//! A socket belongs to the namespace in which it was made, whoever holds it. Netlink and `/proc/thread-self/net`
//! report the namespace of the calling thread.

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

/// Where `ip netns` keeps named namespaces.
pub const NAMED: &str = "/run/netns";

/// A network namespace.
#[derive(Debug, Clone)]
pub struct Namespace {
    /// Its name below `/run/netns`; else the pod, container or service of its leader; else the leader, or
    /// `net:[INODE]`. May be any text.
    pub name: Arc<[u8]>,
    /// Its inode number in nsfs.
    pub inode: u32,
    /// True if that is unknown: the number is that of a file, which no other namespace has.
    pub is_hidden: bool,
    /// The first task in it: a process, or a thread of a process elsewhere; `None` if none is known.
    pub leader: Option<u32>,
    handle: Handle,
}

/// How to reach a namespace.
#[derive(Debug, Clone)]
enum Handle {
    /// This thread is in it.
    Own,
    /// Paths that led to it when it was found.
    Paths(Vec<PathBuf>),
    /// An open descriptor, where nothing else may lead to it.
    Open(Arc<OwnedFd>),
    /// Unreachable: it was recorded, or is gone.
    Nowhere,
}

impl PartialEq for Namespace {
    fn eq(&self, other: &Self) -> bool {
        (self.inode, &self.name) == (other.inode, &other.name)
    }
}

impl Eq for Namespace {}

impl Namespace {
    /// Its name and inode number.
    pub fn network(&self) -> Network {
        Network {
            name: Arc::clone(&self.name),
            inode: self.inode,
        }
    }

    /// True if its leader is known to have left it or ended.
    pub fn is_left(&self) -> bool {
        self.leader.is_some_and(|leader| {
            match inode_at(CWD, &*format!("/proc/{leader}/ns/net"), b"net") {
                Ok(inode) => inode != self.inode,
                Err(cause) => matches!(cause, Errno::NOENT | Errno::SRCH),
            }
        })
    }

    /// True if `wanted` is its name.
    pub fn is_called(&self, wanted: &Wanted) -> bool {
        matches!(wanted, Wanted::Named(name) if **name == *self.name)
    }

    /// A namespace in a recording, which cannot be reached.
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
    /// The namespace of a socket that a process holds.
    ///
    /// # Errors
    ///
    /// When the process or the descriptor is gone, or privileges are missing: `pidfd_getfd(2)` needs the right to
    /// trace the process, querying the socket `CAP_NET_ADMIN`.
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

/// The namespace of a socket that a process holds: inode number and descriptor.
fn of_socket(pid: u32, fd: u32) -> io::Result<(u32, OwnedFd)> {
    let number = |number: u32| i32::try_from(number).map_err(|_| io::Error::from(Errno::INVAL));
    let pid = Pid::from_raw(number(pid)?).ok_or(Errno::SRCH)?;
    let process = pidfd_open(pid, PidfdFlags::empty())?;
    let socket = pidfd_getfd(&process, number(fd)?, PidfdGetfdFlags::empty())?;
    let open = network_of(socket.as_fd())?;
    let inode = u32::try_from(fstat(&open)?.st_ino).map_err(|_| Errno::OVERFLOW)?;
    Ok((inode, open))
}

/// The name of a namespace without a known task.
fn nameless(inode: u32) -> String {
    format!("net:[{inode}]")
}

/// Namespaces by inode number, each with a thread in it, if it may be entered.
pub type Namespaces = BTreeMap<u32, (Arc<Namespace>, Option<Arc<Anchor>>)>;

/// `NSFS_MAGIC` (`include/uapi/linux/magic.h`).
const NSFS: i64 = 0x6e73_6673;

/// Opens a network namespace by its path, with its inode number. `EINVAL` if it is something else.
fn open(handle: &Path) -> rustix::io::Result<(OwnedFd, u32)> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = openat(CWD, handle, flags, Mode::empty())?;
    if fstatfs(&opened)?.f_type != NSFS || !is_network(opened.as_fd()) {
        return Err(Errno::INVAL);
    }
    let inode = u32::try_from(fstat(&opened)?.st_ino).map_err(|_| Errno::OVERFLOW)?;
    Ok((opened, inode))
}

/// The inode number of the namespace of this kind that a link names.
fn inode_at(at: impl AsFd, link: impl Arg, kind: &[u8]) -> rustix::io::Result<u32> {
    let mut buffer = [MaybeUninit::uninit(); LINK];
    let (target, _) = readlinkat_raw(at, link, &mut buffer[..])?;
    inode(target, kind).ok_or(Errno::INVAL)
}

/// Longer than any such link's target.
const LINK: usize = 32;

/// The number in such a link's target: `net:[4026531840]`.
fn inode(link: &[u8], kind: &[u8]) -> Option<u32> {
    let number = link.strip_prefix(kind)?.strip_prefix(b":[")?;
    str::from_utf8(number.strip_suffix(b"]")?)
        .ok()?
        .parse()
        .ok()
}
