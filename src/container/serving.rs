//! Processes of the machine itself that work for containers: their command lines, which anybody may read, name the
//! containers.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use procfs::FromBufRead as _;
use procfs::process::Status;

use super::holder::{SHORT, cgroup_of};
use super::path::Meaning;
use crate::procfs::characters::characters;
use crate::procfs::fd::processes_in;
use crate::procfs::file::read_path;

/// Limit of bytes read of a command line.
pub(super) const ARGUMENTS: usize = 64 * 1024;

/// Conmon, the monitor of a podman container.
#[derive(Debug, Clone)]
pub(super) struct Conmon {
    user: u32,
    /// The container's name on its command line.
    pub(super) name: Option<Vec<u8>>,
    /// The directory of podman's containers.
    pub(super) store: Option<PathBuf>,
}

/// Data from the command lines of all such processes.
#[derive(Debug, Default)]
pub(super) struct Serving {
    conmons: HashMap<Vec<u8>, Vec<Conmon>>,
    /// Namespaces and ids of containerd.
    tasks: HashSet<(Vec<u8>, Vec<u8>)>,
    /// Names of machines by the cgroup of systemd-nspawn.
    machines: HashMap<Vec<u8>, Vec<u8>>,
    /// Data directories of docker.
    pub(super) docker: Vec<PathBuf>,
}

impl Serving {
    /// Reads every process outside containers: processes inside may choose any name.
    pub(super) fn new(proc: &Path) -> Self {
        let mut serving = Self::default();
        for pid in processes_in(proc).unwrap_or_default() {
            let name = read_path(&proc.join(format!("{pid}/comm")), 64).unwrap_or_default();
            let name = name.trim_ascii_end();
            if NAMES.contains(&name)
                && let Some(user) = user_of(proc, pid)
            {
                serving.take(proc, pid, name, user);
            }
        }
        serving
    }

    fn take(&mut self, proc: &Path, pid: u32, name: &[u8], user: u32) {
        let line = read_path(&proc.join(format!("{pid}/cmdline")), ARGUMENTS).unwrap_or_default();
        let arguments = Arguments::new(&line, 0);
        match name {
            b"conmon" => {
                let store = arguments.after(b"-b").and_then(|bundle| {
                    // `STORE/ID/userdata`
                    let bundle = Path::new(str::from_utf8(bundle).ok()?);
                    Some(bundle.parent()?.parent()?.to_owned())
                });
                if let Some(id) = arguments.after(b"-c") {
                    let name = arguments.after(b"-n").map(<[u8]>::to_vec);
                    let conmon = Conmon { user, name, store };
                    self.conmons.entry(id.to_vec()).or_default().push(conmon);
                }
            }
            // The others count only if they are root's.
            _ if user != 0 => {}
            b"dockerd" => {
                let root = arguments.after(b"--data-root");
                let root = root.or_else(|| arguments.after(b"-g"));
                let root = root.and_then(|root| str::from_utf8(root).ok());
                self.docker.extend(root.map(PathBuf::from));
            }
            b"systemd-nspawn" => {
                let machine = arguments
                    .after(b"--machine")
                    .or_else(|| arguments.after(b"-M"));
                let cgroup = cgroup_of(proc, pid);
                if let (Some(machine), Some(cgroup)) = (machine, cgroup) {
                    let cgroup = cgroup.strip_suffix(b"/supervisor").unwrap_or(&cgroup);
                    self.machines.insert(cgroup.to_vec(), machine.to_vec());
                }
            }
            _ => {
                let task = arguments.after(b"-namespace").zip(arguments.after(b"-id"));
                let task = task.map(|(namespace, id)| (namespace.to_vec(), id.to_vec()));
                self.tasks.extend(task);
            }
        }
    }

    /// The conmon of a container, run by this user, whose part of the cgroup tree it is in; `None` = by root.
    pub(super) fn conmon(&self, id: &[u8], user: Option<u32>) -> Option<&Conmon> {
        let mut all = self.conmons.get(id)?.iter();
        all.find(|conmon| conmon.user == user.unwrap_or(0))
    }

    /// The containerd task with this cgroup: `/NAMESPACE/ID` or below.
    pub(super) fn task(&self, path: &[u8]) -> Option<&[u8]> {
        let mut parts = path.split(|byte| *byte == b'/').skip(1);
        let task = (parts.next()?.to_vec(), parts.next()?.to_vec());
        self.tasks.get(&task).map(|(_, id)| id.as_slice())
    }

    /// The systemd-nspawn machine whose `payload` the cgroup is, or is below.
    pub(super) fn machine(&self, path: &[u8]) -> Option<&[u8]> {
        const PAYLOAD: &[u8] = b"/payload";
        let end = path
            .windows(PAYLOAD.len())
            .position(|part| part == PAYLOAD)?;
        let machine = self.machines.get(path.get(..end)?);
        machine.map(Vec::as_slice)
    }
}

/// Names as the kernel truncates them to 15 bytes.
const NAMES: [&[u8]; 4] = [b"conmon", b"containerd-shim", b"dockerd", b"systemd-nspawn"];

/// The user of a process of the machine itself; `None` if it runs in a container, or is unknown.
fn user_of(proc: &Path, pid: u32) -> Option<u32> {
    let standing = Standing::read(proc, pid)?;
    let is_contained = Meaning::of(&cgroup_of(proc, pid)?).container.is_some();
    (!standing.is_inside && !is_contained).then_some(standing.user)
}

/// Fields of `/proc/PID/status`.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) user: u32,
    pub(super) parent: u32,
    /// True if it is in another PID namespace than that of this procfs.
    pub(super) is_inside: bool,
}

impl Standing {
    pub(super) fn of(status: &[u8]) -> Option<Self> {
        let status = Status::from_buf_read(characters(status).as_bytes()).ok()?;
        Some(Self {
            user: status.euid,
            parent: status.ppid.try_into().ok()?,
            is_inside: status.nspid.is_some_and(|pids| pids.len() > 1),
        })
    }

    pub(super) fn read(proc: &Path, pid: u32) -> Option<Self> {
        Self::of(&read_path(&proc.join(format!("{pid}/status")), SHORT).ok()?)
    }
}

/// A command line.
#[derive(Debug)]
pub(super) struct Arguments<'l> {
    line: &'l [u8],
    separator: u8,
}

impl<'l> Arguments<'l> {
    pub(super) const fn new(line: &'l [u8], separator: u8) -> Self {
        Self { line, separator }
    }

    /// The value after an option or its `=`.
    pub(super) fn after(&self, option: &[u8]) -> Option<&'l [u8]> {
        let mut arguments = self.line.split(|byte| *byte == self.separator);
        let value = arguments.find_map(|argument| {
            argument
                .strip_prefix(option)
                .filter(|rest| matches!(rest, [] | [b'=', ..]))
        })?;
        let value = value.strip_prefix(b"=").or_else(|| arguments.next());
        value.filter(|value| !value.is_empty())
    }
}
