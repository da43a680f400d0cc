//! Processes of the machine itself that work for a container: conmon, the shims of containerd and docker-proxy
//! name it in their command lines, which anybody may read.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::holder::cgroup_of;
use super::path::Meaning;
use crate::procfs::fd::processes_in;
use crate::procfs::file::read_path;

/// The longest that is read of a command line.
const ARGUMENTS: usize = 64 * 1024;
/// The first 15 bytes of the name of a shim.
const SHIM: &[u8] = b"containerd-shim";

/// What the command lines of all such processes say.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// Names by the ids of containers.
    names: HashMap<Vec<u8>, Vec<u8>>,
    /// Namespace and id of containerd.
    tasks: HashSet<(Vec<u8>, Vec<u8>)>,
}

impl Serving {
    /// Looks at every process of root that runs in no container: others may call themselves what they like.
    pub(super) fn new(proc: &Path) -> Self {
        let mut serving = Self::default();
        for pid in processes_in(proc).unwrap_or_default() {
            let directory = proc.join(pid.to_string());
            let name = read_path(&directory.join("comm"), 64).unwrap_or_default();
            let name = name.trim_ascii_end();
            if name != b"conmon" && name != SHIM || !is_of_root(&directory, proc, pid) {
                continue;
            }
            let arguments = Arguments::of(proc, pid);
            if name == SHIM {
                let task = arguments.after(b"-namespace").zip(arguments.after(b"-id"));
                serving.tasks.extend(task);
            } else if let (Some(id), Some(name)) = (arguments.after(b"-c"), arguments.after(b"-n"))
            {
                serving.names.insert(id, name);
            }
        }
        serving
    }

    /// What conmon was told that a container is called.
    pub(super) fn name(&self, id: &[u8]) -> Option<&[u8]> {
        self.names.get(id).map(Vec::as_slice)
    }

    /// The task of containerd whose cgroup this is: `/NAMESPACE/ID`, or below.
    pub(super) fn task(&self, path: &[u8]) -> Option<&[u8]> {
        let mut parts = path.split(|byte| *byte == b'/').skip(1);
        let task = (parts.next()?.to_vec(), parts.next()?.to_vec());
        self.tasks.get(&task).map(|(_, id)| id.as_slice())
    }
}

fn is_of_root(directory: &Path, proc: &Path, pid: u32) -> bool {
    let is_root = std::fs::metadata(directory).is_ok_and(|found| found.uid() == 0);
    let path = cgroup_of(proc, pid).filter(|_| is_root);
    path.is_some_and(|path| Meaning::of(&path).container.is_none())
}

/// The command line of a process.
#[derive(Debug)]
pub(super) struct Arguments(Vec<u8>);

impl Arguments {
    pub(super) fn of(proc: &Path, pid: u32) -> Self {
        let path = proc.join(format!("{pid}/cmdline"));
        Self(read_path(&path, ARGUMENTS).unwrap_or_default())
    }

    /// What stands behind an option.
    pub(super) fn after(&self, option: &[u8]) -> Option<Vec<u8>> {
        let mut arguments = self.0.split(|byte| *byte == 0);
        arguments.find(|argument| *argument == option)?;
        let value = arguments.next().filter(|value| !value.is_empty())?;
        Some(value.to_vec())
    }
}
