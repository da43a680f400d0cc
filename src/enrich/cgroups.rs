//! Paths of cgroups.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirEntryExt as _, MetadataExt as _};
use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use procfs::process::MountInfo;

use crate::model::{Fact, Place};
use crate::procfs::mounts::{mounts, point};
use crate::syscall;

use super::visibility::is_namespace;

/// In place of the path of a removed cgroup. Paths begin with a slash.
pub(super) const GONE: &[u8] = b"gone";

/// Inode number of the first cgroup namespace (`PROC_CGROUP_INIT_INO`, `include/linux/proc_ns.h`).
const FIRST_CGROUP_NAMESPACE: u64 = 0xEFFF_FFFB;

/// Tree walks per listing: the first, and one for cgroups made since.
const MOST_WALKS: u8 = 2;

/// Paths of all cgroups below the cgroup2 mount, by id, and the ids that have none.
#[derive(Debug, Default)]
pub(super) struct Cgroups {
    /// `None` = unknown.
    paths: BTreeMap<u64, Option<Box<[u8]>>>,
    /// The id requested last: consecutive sockets are mostly of one cgroup.
    last: Option<u64>,
    walks: u8,
    /// True if the last walk saw every cgroup of the machine.
    is_whole: bool,
    /// The highest id known before the last walk: the kernel numbers cgroups in order.
    newest: u64,
    /// In place of the kernel's mount point.
    mount: Option<PathBuf>,
}

impl Cgroups {
    /// The cgroups of another machine, with recorded paths.
    pub(super) fn elsewhere() -> Self {
        Self {
            walks: MOST_WALKS,
            ..Self::default()
        }
    }

    /// Sets the path of a cgroup.
    pub(super) fn set(&mut self, id: u64, path: Box<[u8]>) {
        self.paths.insert(id, Some(path));
    }

    /// Looks up the path of a cgroup, if possible. Walks the whole tree for the first id, and once more for the first
    /// id not found. A cgroup made before a complete walk that did not find it is [`GONE`].
    pub(super) fn prepare(&mut self, id: u64) {
        if self.last.replace(id) == Some(id) {
            return;
        }
        if self.paths.contains_key(&id) {
            return;
        }
        let is_late = self.walks >= MOST_WALKS;
        if !is_late {
            self.walks += 1;
            self.newest = self.paths.keys().copied().max().unwrap_or(0);
            match self.mount.clone().or_else(mounted) {
                Some(mount) => self.walk(mount),
                None => self.walks = MOST_WALKS,
            }
        }
        let is_gone = self.is_whole && (!is_late || id < self.newest);
        // If no walk is left, a later batch may find it.
        if is_gone || !is_late {
            let missing = is_gone.then(|| GONE.into());
            self.paths.entry(id).or_insert(missing);
        }
    }

    /// The path that [`Cgroups::prepare`] found, relative to the mount: `/system.slice/x`, `/` for the root.
    pub(super) fn path(&self, id: u64) -> Option<&[u8]> {
        self.paths.get(&id)?.as_deref()
    }

    /// Looks up the path, unless the cgroup was removed.
    pub(super) fn found(&mut self, id: u64) -> Option<&[u8]> {
        self.prepare(id);
        self.path(id).filter(|path| *path != GONE)
    }

    /// Begins another listing, which may walk again.
    pub(super) fn forget(&mut self) {
        self.paths.clear();
        self.last = None;
        self.walks = 0;
        self.is_whole = false;
    }

    /// Begins another batch, with one more walk for new cgroups. Known paths stay, also of removed cgroups.
    pub(super) fn next_batch(&mut self) {
        self.walks = self.walks.min(MOST_WALKS - 1);
        self.last = None;
    }

    fn walk(&mut self, mount: PathBuf) {
        let Ok(root) = rustix::fs::stat(&mount) else {
            return;
        };
        self.is_whole = self.mount.is_some() || is_whole(&mount);
        self.enter(&mount, root.st_ino, b"/");
        let mut directories = vec![(mount, Vec::new())];
        while let Some((directory, path)) = directories.pop() {
            let Some(found) = subdirectories(&directory) else {
                self.is_whole = false;
                continue;
            };
            for (inode, below) in found {
                let name = below.file_name().unwrap_or_default();
                let path = [path.as_slice(), b"/", name.as_bytes()].concat();
                self.enter(&below, inode, &path);
                directories.push((below, path));
            }
        }
    }

    fn enter(&mut self, directory: &Path, inode: u64, path: &[u8]) {
        if let Some(id) = id_of(directory, inode) {
            self.paths.insert(id, Some(path.into()));
        }
    }
}

/// The id of the cgroup with this directory and inode; `None` = unknown.
fn id_of(directory: &Path, inode: u64) -> Option<u64> {
    let told = syscall::cgroup_id(directory).ok();
    // On a 64-bit kernel the id is the inode number, and only such a kernel runs a 64-bit program.
    told.or(cfg!(target_pointer_width = "64").then_some(inode))
}

/// The path of a cgroup, in any notation, relative to the cgroup2 mount, and its id if it exists here.
pub(super) fn locate(path: &[u8]) -> (Vec<u8>, Option<u64>) {
    match mounted() {
        Some(mount) => locate_below(&mount, path),
        None => (plain(path), None),
    }
}

/// The path of a cgroup relative to the cgroup2 mount, in any notation.
pub(super) fn plain(path: &[u8]) -> Vec<u8> {
    path_below(Path::new(MOUNT_POINT), path)
}

/// Every path below the cgroup2 mount; empty if there is none.
pub(super) fn all() -> Vec<String> {
    let mut cgroups = Cgroups::default();
    if let Some(mount) = mounted() {
        cgroups.walk(mount);
    }
    let paths = cgroups.paths.into_values().flatten();
    let mut paths: Vec<String> = paths
        .map(|path| String::from_utf8_lossy(&path).into_owned())
        .collect();
    paths.sort();
    paths
}

/// The usual mount point of cgroup2.
const MOUNT_POINT: &str = "/sys/fs/cgroup";

fn locate_below(mount: &Path, path: &[u8]) -> (Vec<u8>, Option<u64>) {
    let path = path_below(mount, path);
    let relative = OsStr::from_bytes(path.strip_prefix(b"/").unwrap_or(&path));
    // `..` could leave the tree.
    let mut parts = Path::new(relative).components();
    let inside = parts.all(|part| matches!(part, Component::Normal(_)));
    let directory = mount.join(relative);
    let found = fs::symlink_metadata(&directory).ok();
    let found = found.filter(|found| inside && found.is_dir());
    let id = found.and_then(|found| id_of(&directory, found.ino()));
    (path, id)
}

/// The path without the mount point, each part with a leading slash.
fn path_below(mount: &Path, path: &[u8]) -> Vec<u8> {
    let path = Path::new(OsStr::from_bytes(path));
    let mut below = Vec::new();
    for part in path.strip_prefix(mount).unwrap_or(path).components() {
        if !matches!(part, Component::RootDir | Component::CurDir) {
            below.push(b'/');
            below.extend_from_slice(part.as_os_str().as_bytes());
        }
    }
    if below.is_empty() {
        below.push(b'/');
    }
    below
}

/// Inode numbers and paths; none if the directory has vanished, `None` if it may not be read.
fn subdirectories(directory: &Path) -> Option<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Some(Vec::new()),
        Err(_) => return None,
    };
    let directories = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    Some(
        directories
            .map(|entry| (entry.ino(), entry.path()))
            .collect(),
    )
}

/// True if this mount shows every cgroup of the machine.
fn is_whole(mount: &Path) -> bool {
    let mut mounts = mounts().into_iter();
    let mounted = mounts.find(|mounted| point(mounted) == mount);
    is_namespace("cgroup", FIRST_CGROUP_NAMESPACE) && mounted.is_some_and(|it| it.root == "/")
}

fn mounted() -> Option<PathBuf> {
    mount_point(&mounts())
}

/// The mount point of the whole cgroup2 tree, else of a part of it.
fn mount_point(mounts: &[MountInfo]) -> Option<PathBuf> {
    let mut cgroup2 = mounts.iter().filter(|mount| mount.fs_type == "cgroup2");
    let whole = cgroup2.clone().find(|mount| mount.root == "/");
    whole.or_else(|| cgroup2.next()).map(point)
}

/// The short name of a cgroup. A name that could be confused with a removed cgroup or a path is not used.
pub(super) fn made_in<'a>(maker: Option<&'a Place>, cgroup: &'a [u8]) -> &'a [u8] {
    let facts = [Fact::Container, Fact::Pod, Fact::Unit];
    let name = maker.and_then(|place| facts.iter().find_map(|fact| place.get(*fact)));
    let is_clear = |name: &&[u8]| *name != GONE && !name.starts_with(b"/");
    name.filter(is_clear).unwrap_or(cgroup)
}

#[cfg(test)]
mod tests;
