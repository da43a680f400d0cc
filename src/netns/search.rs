//! Which namespaces there are.
//!
//! No single place lists them: some have processes, or one thread only; some nothing but a mount.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use procfs::process::MountInfo;
use rustix::fs::{AtFlags, CWD, statat};
use rustix::io::Errno;

use super::{Handle, NAMED, Namespace, inode, inode_at, nameless, open};
use crate::container::Containers;
use crate::error::Error;
use crate::procfs::fd::{comm, is_kernel_thread, other_threads, processes_in};
use crate::procfs::file::{self, read_path};
use crate::procfs::mounts::{mounts, parsed, point};
use crate::text::{escape, escape_path, nearest, unescape};

/// The older name of that directory.
const ALSO_NAMED: &str = "/var/run/netns";
/// The namespace of the calling thread.
const OWN: &str = "/proc/thread-self/ns/net";
const PROC: &str = "/proc";
/// More than a short file of a process has.
const SHORT: usize = 4 * 1024;
/// More than a table of mounts has.
const MOUNTS: usize = 64 * 1024 * 1024;

/// Which namespaces are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Every one that is found.
    All,
    /// One that was found before.
    This(Arc<Namespace>),
    /// The one with this name below `/run/netns`, that of the process with this number, that of a container or pod, or
    /// the one that is called so.
    Named(Vec<u8>),
    /// The one that this file leads to.
    Path(PathBuf),
}

impl Wanted {
    /// `all`, a name, what [`Namespace::name`] calls it, the number of a process, or a path, which has a slash.
    pub fn of(word: &OsStr) -> Self {
        match word.as_bytes() {
            b"all" => Self::All,
            path if path.contains(&b'/') => Self::Path(word.into()),
            name => Self::Named(name.to_owned()),
        }
    }
}

impl Wanted {
    /// True of `net:[INODE]`: nobody may live there.
    pub fn is_nameless(&self) -> bool {
        matches!(self, Self::Named(name) if name.starts_with(b"net:["))
    }
}

/// What is known of a namespace.
#[derive(Debug, Default)]
struct Seen {
    /// What leads there: a few, for any of them may lead elsewhere by the time it is opened.
    handles: Vec<PathBuf>,
    leader: Option<u32>,
    /// What that calls itself.
    comm: Vec<u8>,
    /// The names that it has below `/run/netns`, most often one.
    names: Vec<Vec<u8>>,
    /// True if its inode number is that of a file there.
    is_hidden: bool,
}

/// More handles of a namespace than this are not kept.
const HANDLES: usize = 4;

impl Seen {
    fn lead(&mut self, handle: impl FnOnce() -> PathBuf) {
        if self.handles.len() < HANDLES {
            self.handles.push(handle());
        }
    }
}

/// What was found.
#[derive(Debug, Default)]
struct Search(BTreeMap<u32, Seen>);

impl Search {
    /// Looks at the mounts of this process, at every process, and at the mounts that these have. Others are
    /// open: each with the link that leads there.
    fn new(open: &[(u32, String)]) -> Result<Self, Error> {
        let mut search = Self::default();
        search.take_mounts(Path::new("/"), mounts());
        search.take_processes()?;
        for (inode, link) in open {
            search
                .0
                .entry(*inode)
                .or_default()
                .lead(|| Path::new(PROC).join(link));
        }
        Ok(search)
    }

    fn take_processes(&mut self) -> Result<(), Error> {
        let failed = |cause| Error::file("open", PROC, cause);
        let proc = file::search(PROC).map_err(failed)?;
        let mut mounted = BTreeSet::from([inode_at(&proc, "thread-self/ns/mnt", b"mnt").ok()]);
        let mut refused = Vec::new();
        let own = own_process();
        for pid in processes_in(Path::new(PROC))? {
            match inode_at(&proc, &*format!("{pid}/ns/net"), b"net") {
                Ok(inode) => self.take_task(inode, pid),
                Err(Errno::ACCESS | Errno::PERM) => refused.push(pid),
                // It has ended.
                Err(_) => continue,
            }
            // Ours are where they look.
            if Some(pid) != own {
                self.take_threads(proc.as_fd(), pid);
            }
            let mount = inode_at(&proc, &*format!("{pid}/ns/mnt"), b"mnt").ok();
            if mount.is_some() && mounted.insert(mount) {
                let path = format!("{PROC}/{pid}/mountinfo");
                let text = read_path(Path::new(&path), MOUNTS).unwrap_or_default();
                self.take_mounts(Path::new(&format!("{PROC}/{pid}/root")), parsed(&text));
            }
        }
        self.take_refused(&proc, &refused);
        Ok(())
    }

    /// Processes whose namespaces must not be known: whether two share one, their files tell, whose inode
    /// number stands for that of the namespace.
    fn take_refused(&mut self, proc: impl AsFd, refused: &[u32]) {
        if refused.is_empty() {
            return;
        }
        let file_of = |task: &str| {
            let file = statat(&proc, &*format!("{task}/net/tcp"), AtFlags::empty());
            u32::try_from(file.ok()?.st_ino).ok()
        };
        let leaders = self
            .0
            .iter()
            .filter_map(|(inode, seen)| Some((*inode, seen.leader?)));
        let mut known: BTreeMap<u32, u32> = leaders
            .filter_map(|(inode, pid)| Some((file_of(&pid.to_string())?, inode)))
            .collect();
        let own = inode_at(CWD, OWN, b"net").ok();
        known.extend(file_of("thread-self").zip(own));
        for pid in refused {
            let Some(file) = file_of(&pid.to_string()) else {
                continue;
            };
            let inode = *known.entry(file).or_insert(file);
            self.take_task(inode, *pid);
            if inode == file
                && let Some(seen) = self.0.get_mut(&inode)
            {
                seen.is_hidden = true;
            }
        }
    }

    fn take_task(&mut self, inode: u32, task: u32) {
        let seen = self.0.entry(inode).or_default();
        seen.lead(|| format!("{PROC}/{task}/ns/net").into());
        // The kernel's threads lead nothing.
        if seen.leader.is_none_or(|leader| task < leader) {
            let path = format!("{PROC}/{task}/stat");
            let stat = read_path(Path::new(&path), SHORT).unwrap_or_default();
            if !is_kernel_thread(&stat) {
                seen.leader = Some(task);
                seen.comm = comm(&stat).to_vec();
            }
        }
    }

    /// A thread may live elsewhere than its process.
    fn take_threads(&mut self, proc: impl AsFd, pid: u32) {
        let others = other_threads(proc.as_fd(), &pid.to_string(), pid);
        for thread in others.unwrap_or_default() {
            if let Ok(inode) = inode_at(&proc, &*format!("{thread}/ns/net"), b"net")
                && !self.0.contains_key(&inode)
            {
                self.take_task(inode, thread);
            }
        }
    }

    /// Mounts as processes see them below `root`.
    fn take_mounts(&mut self, root: &Path, mounts: impl IntoIterator<Item = MountInfo>) {
        let mounts = mounts.into_iter().filter(|mount| mount.fs_type == "nsfs");
        for mount in mounts {
            let Some(inode) = inode(mount.root.as_bytes(), b"net") else {
                continue;
            };
            let point = point(&mount);
            let seen = self.0.entry(inode).or_default();
            seen.lead(|| root.join(point.strip_prefix("/").unwrap_or(&point)));
            let is_named = [NAMED, ALSO_NAMED]
                .iter()
                .any(|named| point.parent() == Some(Path::new(named)));
            // Another may be mounted there, on top of it.
            let is_on_top = || {
                statat(CWD, &*point, AtFlags::empty()).is_ok_and(|at| at.st_ino == u64::from(inode))
            };
            if is_named && root == Path::new("/") && is_on_top() {
                let name = point.file_name().map(|name| name.as_bytes().to_vec());
                seen.names.extend(name);
            }
        }
    }

    /// Those that are wanted, each once, and what was wanted and is not there.
    fn select(&self, wanted: &[Wanted]) -> Result<Found, Error> {
        let own = inode_at(CWD, OWN, b"net").map_err(|cause| Error::file("read", OWN, cause))?;
        let (mut chosen, mut missing) = (Vec::new(), Vec::new());
        let mut containers = containers();
        for wanted in wanted {
            let found = match wanted {
                Wanted::All => {
                    let others = self.0.keys().filter(|inode| **inode != own);
                    chosen.extend([own].iter().chain(others).map(|inode| (*inode, None)));
                    continue;
                }
                Wanted::Named(name) => self.named(name, &mut containers).map(|inode| (inode, None)),
                Wanted::This(namespace) => Ok((namespace.inode, None)),
                Wanted::Path(path) => at(path).map(|inode| (inode, Some(&**path))),
            };
            match found {
                Ok(found) => chosen.push(found),
                Err(error) => missing.push((wanted.clone(), error)),
            }
        }
        let mut known = BTreeSet::new();
        chosen.retain(|(inode, _)| known.insert(*inode));
        let found = chosen.into_iter();
        let found = found.map(|(inode, path)| {
            Arc::new(self.namespace(inode, path, inode == own, &mut containers))
        });
        Ok((found.collect(), missing))
    }

    /// The namespace of this name, of the process with this number, or of a container; else the one that is called
    /// so. The literal name is tried first, then the name with its escapes read, as lists show it.
    fn named(&self, word: &[u8], containers: &mut Containers) -> Result<u32, Error> {
        let text = String::from_utf8_lossy(word);
        let plain = unescape(&text);
        let words = [word, &plain];
        let words = words.iter().take(if *plain == *word { 1 } else { 2 });
        for word in words {
            if let Some(inode) = self.known(word, containers)? {
                return Ok(inode);
            }
        }
        let names = self.0.values().flat_map(|seen| &seen.names);
        let names: Vec<_> = names.map(|name| escape(name)).collect();
        let hint = match nearest(&text, &names) {
            Some(near) => format!("; did you mean {near}?"),
            None => String::new(),
        };
        let is_number = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
        let name = escape(word);
        Err(Error::Usage(match () {
            () if word.is_empty() => "-N: a name is empty".to_owned(),
            () if is_number => format!("-N: there is no process {name}"),
            () => format!("-N: there is no network namespace \"{name}\"{hint}"),
        }))
    }

    /// The same of one way to write it; `None` = there is none.
    fn known(&self, word: &[u8], containers: &mut Containers) -> Result<Option<u32>, Error> {
        let by_mount = |seen: &Seen| seen.names.iter().any(|name| name == word);
        if let Some((inode, _)) = self.0.iter().find(|(_, seen)| by_mount(seen)) {
            return Ok(Some(*inode));
        }
        let number = str::from_utf8(word).ok().and_then(|word| word.parse().ok());
        if let Some(number) = number.filter(|number: &u32| number.to_string().as_bytes() == word) {
            let link = format!("{PROC}/{number}/ns/net");
            let led = self.0.iter().find(|(_, seen)| seen.leader == Some(number));
            match (inode_at(CWD, &*link, b"net"), led) {
                (Ok(inode), _) | (Err(_), Some((&inode, _))) => return Ok(Some(inode)),
                // The id of a container may begin so.
                (Err(Errno::NOENT | Errno::SRCH), None) => {}
                (Err(cause), None) => return Err(Error::file("read", link, cause)),
            }
        }
        let mut found = of_container(word, containers)?;
        if found.is_empty() {
            let mut is_called =
                |inode: &u32, seen: &Seen| Self::name(*inode, Some(seen), containers) == word;
            let called = self.0.iter().filter(|(inode, seen)| is_called(inode, seen));
            found.extend(called.map(|(inode, _)| *inode));
        }
        if found.len() > 1 {
            let (name, count) = (escape(word), found.len());
            let text = format!("-N: \"{name}\" may be any of {count} network namespaces");
            return Err(Error::Usage(text));
        }
        Ok(found.first().copied())
    }

    /// What to call one.
    fn name(inode: u32, seen: Option<&Seen>, containers: &mut Containers) -> Vec<u8> {
        let leader = seen.and_then(|seen| seen.leader);
        let by_mount = || seen?.names.first().cloned();
        let by_place = || containers.name_of(leader?, &seen?.comm).map(Vec::from);
        let by_leader = || Some([&*seen?.comm, format!("[{}]", leader?).as_bytes()].concat());
        let given = by_mount().filter(|name| !is_random(name));
        let known = given.or_else(by_place).or_else(by_mount);
        let known = known.or_else(by_leader);
        known.unwrap_or_else(|| nameless(inode).into_bytes())
    }

    fn namespace(
        &self,
        inode: u32,
        path: Option<&Path>,
        is_own: bool,
        containers: &mut Containers,
    ) -> Namespace {
        let seen = self.0.get(&inode);
        let leader = seen.and_then(|seen| seen.leader);
        let name = Self::name(inode, seen, containers);
        Namespace {
            name: name.into(),
            inode,
            is_hidden: seen.is_some_and(|seen| seen.is_hidden),
            leader,
            handle: if is_own {
                Handle::Own
            } else {
                let found = seen.map_or(&[][..], |seen| &seen.handles);
                let asked = path.map(Path::to_owned);
                Handle::Paths(asked.into_iter().chain(found.iter().cloned()).collect())
            },
        }
    }
}

/// True of a name that engines give to what nobody has named: a UUID, often behind `cni-` or `netns-`.
fn is_random(name: &[u8]) -> bool {
    let start = name
        .len()
        .checked_sub("01234567-89ab-cdef-0123-456789abcdef".len());
    let uuid = start
        .and_then(|start| name.get(start..))
        .unwrap_or_default();
    let lengths = uuid.split(|byte| *byte == b'-').map(<[u8]>::len);
    lengths.eq([8, 4, 4, 4, 12])
        && uuid
            .iter()
            .all(|byte| byte.is_ascii_hexdigit() || *byte == b'-')
}

/// Namespaces, and why others that were wanted were not found.
pub type Found = (Vec<Arc<Namespace>>, Vec<(Wanted, Error)>);

/// The namespaces that are wanted, each once, in the order in which they were asked for; of all, the own one
/// first. Then why others were not found. They may be among those that are open, each with a link below `/proc`.
///
/// # Errors
///
/// When there are no processes to look at.
pub fn find(wanted: &[Wanted], open: &[(u32, String)]) -> Result<Found, Error> {
    let known = wanted.iter().map(|wanted| match wanted {
        Wanted::This(namespace) => Some(Arc::clone(namespace)),
        _ => None,
    });
    match known.collect() {
        Some(known) => Ok((known, Vec::new())),
        None => Search::new(open)?.select(wanted),
    }
}

/// The inode number of the namespace that a path leads to.
fn at(path: &Path) -> Result<u32, Error> {
    let found = open(path).map_err(|cause| match cause {
        Errno::INVAL => {
            let path = escape_path(path);
            Error::Usage(format!("-N: {path} is no network namespace"))
        }
        cause => Error::file("open", path, cause),
    });
    Ok(found?.1)
}

/// The number of this process in `/proc`, which may be that of another PID namespace.
pub fn own_process() -> Option<u32> {
    let own = fs::read_link("/proc/self").ok()?;
    own.to_str()?.parse().ok()
}

fn containers() -> Containers {
    Containers::new(PROC.into(), Some("/".into()))
}

/// The namespaces of the containers or pods with this name, or of those whose id begins so.
fn of_container(word: &[u8], containers: &mut Containers) -> Result<BTreeSet<u32>, Error> {
    let mut processes = processes_in(Path::new(PROC))?;
    processes.retain(|pid| !word.is_empty() && containers.runs_in(*pid, word));
    let inodes = processes.into_iter().filter_map(|pid| {
        let link = format!("{PROC}/{pid}/ns/net");
        inode_at(CWD, &*link, b"net").ok()
    });
    Ok(inodes.collect())
}
