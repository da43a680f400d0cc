//! Finds network namespaces.
//!
//! No single place lists them: some have processes or just a thread, some only a mount.

mod choice;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use procfs::process::MountInfo;
use rustix::fs::{AtFlags, CWD, statat};
use rustix::io::Errno;

pub use self::choice::Found;
use self::choice::known;
use super::anchor::ANCHOR;
use super::listed::{List, Listed};
use super::wanted::Wanted;
use super::{NAMED, inode, inode_at, of_socket};
use crate::error::Error;
use crate::procfs::fd::{comm, is_kernel_thread, other_threads, processes_in};
use crate::procfs::file::{self, read_path};
use crate::procfs::mounts::{mounts, parsed, point};

/// The older name of that directory.
const ALSO_NAMED: &str = "/var/run/netns";
/// The namespace of the calling thread.
const OWN: &str = "/proc/thread-self/ns/net";
const PROC: &str = "/proc";
/// More than a short file of a process has.
const SHORT: usize = 4 * 1024;
/// More than a table of mounts has.
const MOUNTS: usize = 64 * 1024 * 1024;

/// What was found about a namespace.
#[derive(Debug, Default)]
struct Seen {
    /// Paths that lead to it. Several, because any may lead elsewhere by the time it is opened.
    handles: Vec<PathBuf>,
    leader: Option<u32>,
    /// The leader's `comm`.
    comm: Vec<u8>,
    /// Its names below `/run/netns`, mostly one.
    names: Vec<Vec<u8>>,
    /// True if its inode number is that of a file of its tasks.
    is_hidden: bool,
    /// The namespace itself, if only a socket of another process leads to it.
    open: Option<Arc<OwnedFd>>,
}

/// Limit of paths kept for a namespace.
const HANDLES: usize = 4;

impl Seen {
    fn lead(&mut self, handle: impl FnOnce() -> PathBuf) {
        if self.handles.len() < HANDLES {
            self.handles.push(handle());
        }
    }
}

/// The namespaces that were found.
#[derive(Debug, Default)]
pub struct Search {
    found: BTreeMap<u32, Seen>,
    /// All existing namespaces, if the kernel lists them.
    listed: Option<BTreeSet<u32>>,
    /// Namespaces with watching threads of other lsock processes. Those do not count as tasks there: otherwise two
    /// such processes would keep a namespace alive for each other.
    watched: BTreeSet<u32>,
}

impl Search {
    /// Reads the mounts of this process and every process; also their threads and mounts, unless the kernel's list
    /// shows that nothing is missing.
    ///
    /// # Errors
    ///
    /// When there are no processes to read.
    pub fn new(wanted: &[Wanted], list: &List) -> Result<Self, Error> {
        let mut search = Self::default();
        if known(wanted).is_some() {
            return Ok(search);
        }
        search.take_mounts(Path::new("/"), mounts());
        let failed = |cause| Error::file("open", PROC, cause);
        let proc = file::search(PROC).map_err(failed)?;
        let processes = processes_in(Path::new(PROC))?;
        let listed = list.read(wanted.iter().any(Wanted::may_be_hidden));
        let refused = if let Some(listed) = listed {
            search.take_listed(proc.as_fd(), &processes, listed)
        } else {
            let mut refused = search.take_processes(proc.as_fd(), &processes);
            refused.extend(search.take_threads(proc.as_fd(), &processes));
            refused
        };
        if !search.is_whole() {
            search.take_mounts_of(proc.as_fd(), &processes);
        }
        search.take_refused(&proc, &refused);
        Ok(search)
    }

    /// True if every existing namespace was found.
    pub fn is_whole(&self) -> bool {
        self.unseen().is_some_and(|unseen| unseen.is_empty())
    }

    /// Existing namespaces that were not found; `None` if unknown.
    pub fn unseen(&self) -> Option<BTreeSet<u32>> {
        let mut unseen = self.missing()?;
        unseen.retain(|inode| !self.watched.contains(inode));
        Some(unseen)
    }

    /// As [`Self::unseen`], including those that are only watched.
    pub fn missing(&self) -> Option<BTreeSet<u32>> {
        let mut listed = self.listed.clone()?;
        listed.retain(|inode| !self.leads_to(*inode));
        Some(listed)
    }

    fn leads_to(&self, inode: u32) -> bool {
        let seen = self.found.get(&inode);
        seen.is_some_and(|seen| seen.open.is_some() || !seen.handles.is_empty())
    }

    /// Finds descriptors that lead to missing namespaces. False if the kernel does not list them.
    pub fn take_holders(&mut self, list: &List) -> bool {
        let missing = self.missing().unwrap_or_default();
        let Some(holders) = list.holders(&missing) else {
            return false;
        };
        // The own descriptors belong to namespaces found before.
        let own = own_process();
        for one in holders.iter().filter(|one| Some(one.pid) != own) {
            let is_watching = self.watched.contains(&one.inode) && runs_this(one.pid);
            if is_watching || self.leads_to(one.inode) {
                continue;
            }
            if !one.is_socket {
                let seen = self.found.entry(one.inode).or_default();
                seen.lead(|| format!("{PROC}/{}/fd/{}", one.pid, one.fd).into());
            } else if let Ok((inode, open)) = of_socket(one.pid, one.fd) {
                // The descriptor may have been reused for another socket.
                self.found.entry(inode).or_default().open = Some(open.into());
            }
        }
        true
    }

    /// Adds open namespaces, each with the link to it below `/proc`.
    pub fn take_open(&mut self, open: &[(u32, String)]) {
        for (inode, link) in open {
            let seen = self.found.entry(*inode).or_default();
            seen.lead(|| Path::new(PROC).join(link));
        }
    }

    /// Adds tasks listed by the kernel, and further processes, because some machines hide some from BPF programs.
    /// Returns the processes that must not be read.
    fn take_listed(&mut self, proc: BorrowedFd<'_>, processes: &[u32], listed: Listed) -> Vec<u32> {
        self.listed = Some(listed.namespaces);
        let tasks = listed.tasks.into_iter();
        let (leaders, threads): (Vec<_>, Vec<_>) =
            tasks.partition(|[_, process, task]| process == task);
        let told: BTreeSet<u32> = leaders.iter().map(|[.., task]| *task).collect();
        for [inode, _, task] in leaders {
            self.take_task(inode, task);
        }
        let mut others = processes.to_vec();
        others.retain(|pid| !told.contains(pid));
        let refused = self.take_processes(proc, &others);
        // The own threads are in the namespaces that they read.
        let own = own_process();
        for [inode, process, task] in threads {
            if Some(process) != own && !self.leads_to(inode) {
                self.take_thread(inode, process, task);
            }
        }
        refused
    }

    fn take_thread(&mut self, inode: u32, process: u32, thread: u32) {
        if is_anchor(thread) && runs_this(process) {
            self.watched.insert(inode);
        } else {
            self.take_task(inode, thread);
        }
    }

    /// Adds processes. Returns those that must not be read.
    fn take_processes(&mut self, proc: BorrowedFd<'_>, processes: &[u32]) -> Vec<u32> {
        let mut refused = Vec::new();
        for pid in processes {
            match inode_at(proc, &*format!("{pid}/ns/net"), b"net") {
                Ok(inode) => self.take_task(inode, *pid),
                Err(Errno::ACCESS | Errno::PERM) => refused.push(*pid),
                // The process has ended.
                Err(_) => {}
            }
        }
        refused
    }

    /// Adds the mounts of processes.
    fn take_mounts_of(&mut self, proc: BorrowedFd<'_>, processes: &[u32]) {
        let mut mounted = BTreeSet::from([inode_at(proc, "thread-self/ns/mnt", b"mnt").ok()]);
        for pid in processes {
            let mount = inode_at(proc, &*format!("{pid}/ns/mnt"), b"mnt").ok();
            if mount.is_some() && mounted.insert(mount) {
                let path = format!("{PROC}/{pid}/mountinfo");
                let text = read_path(Path::new(&path), MOUNTS).unwrap_or_default();
                self.take_mounts(Path::new(&format!("{PROC}/{pid}/root")), parsed(&text));
            }
        }
    }

    /// Adds processes whose namespace must not be read: processes that share a namespace share its files, whose inode
    /// number stands for that of the namespace.
    fn take_refused(&mut self, proc: impl AsFd, refused: &[u32]) {
        if refused.is_empty() {
            return;
        }
        let leaders = self
            .found
            .iter()
            .filter_map(|(inode, seen)| Some((*inode, seen.leader?)));
        let mut known: BTreeMap<u32, u32> = leaders
            .filter_map(|(inode, pid)| Some((file_of(&proc, &pid.to_string())?, inode)))
            .collect();
        let own = inode_at(CWD, OWN, b"net").ok();
        known.extend(file_of(&proc, "thread-self").zip(own));
        for pid in refused {
            let Some(file) = file_of(&proc, &pid.to_string()) else {
                continue;
            };
            let inode = *known.entry(file).or_insert(file);
            self.take_task(inode, *pid);
            if inode == file
                && let Some(seen) = self.found.get_mut(&inode)
            {
                seen.is_hidden = true;
            }
        }
    }

    fn take_task(&mut self, inode: u32, task: u32) {
        let seen = self.found.entry(inode).or_default();
        seen.lead(|| format!("{PROC}/{task}/ns/net").into());
        // Kernel threads are no leaders.
        if seen.leader.is_none_or(|leader| task < leader) {
            let path = format!("{PROC}/{task}/stat");
            let stat = read_path(Path::new(&path), SHORT).unwrap_or_default();
            if !is_kernel_thread(&stat) {
                seen.leader = Some(task);
                seen.comm = comm(&stat).to_vec();
            }
        }
    }

    /// Adds threads outside the namespace of their process, except own ones. Returns those that must not be read.
    fn take_threads(&mut self, proc: BorrowedFd<'_>, processes: &[u32]) -> Vec<u32> {
        let mut refused = Vec::new();
        let own = own_process();
        for &pid in processes.iter().filter(|pid| Some(**pid) != own) {
            let others = other_threads(proc, &pid.to_string(), pid);
            for thread in others.unwrap_or_default() {
                match inode_at(proc, &*format!("{thread}/ns/net"), b"net") {
                    Ok(inode) if !self.found.contains_key(&inode) => {
                        self.take_thread(inode, pid, thread);
                    }
                    Err(Errno::ACCESS | Errno::PERM) => refused.push(thread),
                    // The namespace is known, or the thread has ended.
                    _ => {}
                }
            }
        }
        refused
    }

    /// Adds mounts as processes see them below `root`.
    fn take_mounts(&mut self, root: &Path, mounts: impl IntoIterator<Item = MountInfo>) {
        let mounts = mounts.into_iter().filter(|mount| mount.fs_type == "nsfs");
        for mount in mounts {
            let Some(inode) = inode(mount.root.as_bytes(), b"net") else {
                continue;
            };
            let point = point(&mount);
            let seen = self.found.entry(inode).or_default();
            let path = root.join(point.strip_prefix("/").unwrap_or(&point));
            // Another mount may cover it.
            let at = statat(CWD, &path, AtFlags::empty());
            if at.is_ok_and(|at| at.st_ino != u64::from(inode)) {
                continue;
            }
            seen.lead(|| path);
            let is_named = [NAMED, ALSO_NAMED]
                .iter()
                .any(|named| point.parent() == Some(Path::new(named)));
            if is_named && root == Path::new("/") {
                let name = point.file_name().map(|name| name.as_bytes().to_vec());
                seen.names.extend(name);
            }
        }
    }
}

/// The inode number of a file that all tasks of a network namespace share. Reading it needs no privileges.
fn file_of(proc: impl AsFd, task: &str) -> Option<u32> {
    let file = statat(proc, &*format!("{task}/net/tcp"), AtFlags::empty());
    u32::try_from(file.ok()?.st_ino).ok()
}

/// The pid of this process in `/proc`, which may be of another PID namespace.
pub fn own_process() -> Option<u32> {
    let own = fs::read_link("/proc/self").ok()?;
    own.to_str()?.parse().ok()
}

/// True if an [`Anchor`](super::Anchor) of any process started the thread.
fn is_anchor(thread: u32) -> bool {
    let name = read_path(Path::new(&format!("{PROC}/{thread}/comm")), SHORT);
    name.is_ok_and(|name| name.trim_ascii_end() == ANCHOR.as_bytes())
}

/// True if a process runs the same program file as this one.
fn runs_this(process: u32) -> bool {
    let file = |process: &str| {
        let file = statat(CWD, &*format!("{PROC}/{process}/exe"), AtFlags::empty());
        file.ok().map(|file| (file.st_dev, file.st_ino))
    };
    let other = file(&process.to_string());
    other.is_some() && other == file("self")
}
