//! Limits and counters of the kernel.

use std::cell::{OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::getxattr;

use super::PROC;
use crate::model::Limits;
use crate::netns::Anchor;

/// Reads files, each once.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    files: RefCell<HashMap<String, Option<String>>>,
    elsewhere: OnceCell<HashMap<u64, u64>>,
    /// The thread that reads; `None` = the calling one.
    anchor: Option<Arc<Anchor>>,
}

impl Kernel {
    /// As seen by a thread in a network namespace.
    pub(super) fn seen_from(anchor: Option<Arc<Anchor>>) -> Self {
        Self {
            anchor,
            ..Self::default()
        }
    }

    /// The namespace of the reading thread.
    fn namespace(&self) -> Option<u64> {
        let anchor = self.anchor.as_ref().map(|anchor| anchor.proc());
        namespace_of(&anchor.unwrap_or_else(|| Path::new(PROC).join("thread-self")))
    }
}

impl Limits for Kernel {
    fn text(&self, file: &str) -> Option<String> {
        let mut known = self.files.borrow_mut();
        let path = Path::new(PROC).join(file);
        let read = move || fs::read_to_string(path).ok();
        let read = || match &self.anchor {
            Some(anchor) => anchor.run(read).ok()?,
            None => read(),
        };
        known.entry(file.to_owned()).or_insert_with(read).clone()
    }

    fn descriptors(&self, pid: u32) -> Option<u64> {
        let entries = fs::read_dir(Path::new(PROC).join(format!("{pid}/fd"))).ok()?;
        u64::try_from(entries.count()).ok()
    }

    fn protocol_of(&self, pid: u32, fd: u32, inode: u64) -> Option<String> {
        let process = Path::new(PROC).join(pid.to_string());
        let link = format!("socket:[{inode}]");
        let is_it = |path: &PathBuf| fs::read_link(path).is_ok_and(|to| to == Path::new(&link));
        let of = |folder: PathBuf| folder.join("fd").join(fd.to_string());
        // A thread may have its own descriptors.
        let own = Some(of(process.clone())).filter(is_it);
        let of_threads = || folders(&process.join("task")).map(of).find(is_it);
        let descriptor = own.or_else(of_threads)?;
        let mut name = [0; 32];
        // `sockfs_xattr_get` (`net/socket.c`): ends with a NUL.
        let length = getxattr(&descriptor, "system.sockprotoname", &mut name).ok()?;
        let name = name.get(..length)?.strip_suffix(b"\0")?.to_vec();
        String::from_utf8(name).ok().filter(|_| is_it(&descriptor))
    }

    fn is_elsewhere(&self, pid: u32) -> bool {
        namespace_of(&Path::new(PROC).join(pid.to_string())) != self.namespace()
    }

    fn listed_elsewhere(&self, inode: u64) -> Option<u64> {
        let elsewhere = self
            .elsewhere
            .get_or_init(|| sockets_elsewhere(self.namespace()));
        elsewhere.get(&inode).copied()
    }
}

/// The directories in `/proc` or `task` with numeric names: processes or threads.
fn folders(of: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    let numbers =
        entries.filter(|entry| entry.file_name().as_bytes().iter().all(u8::is_ascii_digit));
    numbers.map(|entry| entry.path())
}

/// Inode number of the network namespace of a process, or thread.
fn namespace_of(folder: &Path) -> Option<u64> {
    Some(fs::metadata(folder.join("ns/net")).ok()?.ino())
}

/// Sockets in other network namespaces with threads, by inode, with the namespace.
fn sockets_elsewhere(than: Option<u64>) -> HashMap<u64, u64> {
    let threads = folders(Path::new(PROC)).flat_map(|process| folders(&process.join("task")));
    let mut known: HashSet<u64> = than.into_iter().collect();
    let mut sockets = HashMap::new();
    for thread in threads {
        let Some(namespace) = namespace_of(&thread).filter(|one| known.insert(*one)) else {
            continue;
        };
        let files = ["tcp", "tcp6", "udp", "udp6"].map(|name| thread.join("net").join(name));
        let files = files.into_iter().filter_map(|file| File::open(file).ok());
        let lines = files.flat_map(|file| BufReader::new(file).lines().map_while(Result::ok));
        // The tenth column; in the header it is no number.
        let inode = |line: String| line.split_ascii_whitespace().nth(9)?.parse().ok();
        sockets.extend(lines.filter_map(inode).map(|inode| (inode, namespace)));
    }
    sockets
}
