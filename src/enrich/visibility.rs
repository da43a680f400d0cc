//! Finds out which processes a procfs hides.

use std::fs;
use std::path::Path;

use rustix::fs::{PROC_SUPER_MAGIC, major, minor, stat, statfs};
use rustix::io::Errno;
use rustix::process::{Gid, getegid, geteuid, getgroups};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities};

use procfs::process::MountInfo;

use crate::procfs::fd::is_kernel_thread;
use crate::procfs::file::read_path;
use crate::procfs::mounts::mounts;

/// The parent of all kernel threads (`rest_init`, `init/main.c`).
const KTHREADD: &str = "2/stat";
/// Inode number of the first user namespace (`PROC_USER_INIT_INO`, `include/linux/proc_ns.h`).
const FIRST_USER_NAMESPACE: u64 = 0xEFFF_FFFD;

/// Inode number of the first PID namespace (`PROC_PID_INIT_INO`, likewise).
const FIRST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// The visible processes of a procfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visibility {
    /// All.
    All,
    /// Those of a PID namespace that is not the first: others may be outside.
    PidNamespace,
    /// Only our own: it was mounted with `hidepid`, and we are not exempt.
    OwnOnly,
}

/// True if this is a procfs, whose content changes, not a copy of one.
pub(super) fn is_live(root: &Path) -> bool {
    match statfs(root) {
        Ok(file_system) => file_system.f_type == PROC_SUPER_MAGIC,
        Err(cause) => !matches!(cause, Errno::NOENT | Errno::NOTDIR),
    }
}

/// True if `root` has the pids that this process sees, not those of another PID namespace.
pub(super) fn numbers_as_here(root: &Path) -> bool {
    let own = std::process::id().to_string();
    is_live(root) && fs::read_link(root.join("self")).is_ok_and(|link| link.as_os_str() == &*own)
}

impl Visibility {
    pub(super) fn of(root: &Path) -> Self {
        if is_hiding(root) {
            Self::OwnOnly
        } else if !shows_kernel_threads(root) {
            Self::PidNamespace
        } else {
            Self::All
        }
    }
}

/// Why reading `root` would miss processes; `None` = it would not.
pub(super) fn limit(root: &Path) -> Option<&'static str> {
    let enters = |sets: CapabilitySets| {
        let any = CapabilitySet::DAC_READ_SEARCH | CapabilitySet::DAC_OVERRIDE;
        sets.effective.intersects(any)
    };
    if !is_live(root) {
        Some("it is a copy of one")
    } else if !is_namespace("pid", FIRST_PID_NAMESPACE) || !shows_kernel_threads(root) {
        Some("this is not the first PID namespace")
    } else if !Reader::of_this_process().privileged || !capabilities(None).is_ok_and(enters) {
        Some("only root may read every process")
    } else {
        None
    }
}

/// True if `root`, a live procfs, hides the processes of other users from this process.
pub(super) fn is_hiding(root: &Path) -> bool {
    let device = stat(root).map(|stat| (major(stat.st_dev), minor(stat.st_dev)));
    device.is_ok_and(|device| hides_others(&mounts(), device, &Reader::of_this_process()))
}

/// True for the procfs of the first PID namespace: kernel threads are in no other.
fn shows_kernel_threads(root: &Path) -> bool {
    read_path(&root.join(KTHREADD), 1024).is_ok_and(|stat| is_kernel_thread(&stat))
}

/// Why this process may not read others, in words; `None` = it is not root.
pub(super) fn why_refused() -> Option<&'static str> {
    if !geteuid().is_root() {
        None
    } else if !is_namespace("user", FIRST_USER_NAMESPACE) {
        Some("from this user namespace")
    } else if !Reader::of_this_process().privileged {
        Some("without CAP_SYS_PTRACE")
    } else {
        Some("even by root")
    }
}

/// True if this process is in the first namespace of a kind, the only one if the kernel lacks such namespaces.
pub(super) fn is_namespace(kind: &str, inode: u64) -> bool {
    stat(format!("/proc/self/ns/{kind}")).map_or(true, |stat| stat.st_ino == inode)
}

/// What `hidepid` depends on.
struct Reader {
    /// True if it may read every process: `CAP_SYS_PTRACE` outside of user namespaces.
    privileged: bool,
    groups: Vec<u32>,
}

impl Reader {
    fn of_this_process() -> Self {
        let capable =
            capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_PTRACE));
        let groups = getgroups().unwrap_or_default().into_iter();
        Self {
            privileged: capable && is_namespace("user", FIRST_USER_NAMESPACE),
            groups: groups.chain([getegid()]).map(Gid::as_raw).collect(),
        }
    }
}

/// True if the procfs with this device number hides the processes of other users from the reader.
///
/// `has_pid_permissions` (`fs/proc/base.c`): `hidepid` is `off`, `noaccess`, `invisible` or
/// `ptraceable` (0, 1, 2, 4 before 5.8); all but the last exempt the group `gid`, by default 0.
fn hides_others(mounts: &[MountInfo], device: (u32, u32), reader: &Reader) -> bool {
    let device = format!("{}:{}", device.0, device.1);
    let Some(mount) = mounts.iter().find(|mount| mount.majmin == device) else {
        return false;
    };
    let option = |name| mount.super_options.get(name).and_then(Option::as_deref);
    let exempt_group = match option("hidepid") {
        None | Some("off" | "0") => return false,
        Some("ptraceable" | "4") => None,
        Some(_) => option("gid").map_or(Some(0), |gid| gid.parse().ok()),
    };
    let is_exempt = exempt_group.is_some_and(|gid| reader.groups.contains(&gid));
    !reader.privileged && !is_exempt
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::{MountInfo, Reader, hides_others, is_live, shows_kernel_threads};
    use crate::procfs::mounts::parsed;
    use std::path::Path;

    fn mounts_in(text: &[u8]) -> Vec<MountInfo> {
        parsed(text).collect()
    }

    fn hides(options: &str, groups: &[u32], privileged: bool) -> bool {
        let line = format!("22 27 0:21 / /proc rw,relatime - proc proc {options}\n");
        let reader = Reader {
            privileged,
            groups: groups.to_vec(),
        };
        hides_others(&mounts_in(line.as_bytes()), (0, 21), &reader)
    }

    #[test]
    fn hidepid_hides_from_those_without_privilege_and_group() {
        assert!(hides("rw,hidepid=invisible", &[1000], false));
        assert!(hides("rw,hidepid=2", &[1000], false));
        assert!(hides("rw,gid=27,hidepid=noaccess", &[1000], false));
        assert!(!hides("rw,gid=27,hidepid=invisible", &[1000, 27], false));
        assert!(!hides("rw,hidepid=invisible", &[0], false));
        assert!(!hides("rw,hidepid=invisible", &[1000], true));
        assert!(hides("rw,gid=27,hidepid=ptraceable", &[27], false));
        for open in ["rw", "rw,hidepid=off", "rw,hidepid=0"] {
            assert!(!hides(open, &[1000], false), "{open}");
        }
    }

    #[test]
    fn only_the_procfs_that_is_read_counts() {
        let line = b"22 27 0:99 / /mnt rw - proc proc rw,hidepid=invisible\n";
        let reader = Reader {
            privileged: false,
            groups: vec![1000],
        };
        assert!(!hides_others(&mounts_in(line), (0, 21), &reader));
    }

    #[test]
    fn only_a_procfs_is_live() {
        assert!(is_live(Path::new("/proc")));
        assert!(!is_live(Path::new("/")));
        assert!(!is_live(Path::new("/nonexistent")));
    }

    #[test]
    fn a_procfs_without_kernel_threads_is_that_of_an_inner_pid_namespace() {
        let root = tempfile::tempdir().unwrap();
        assert!(!shows_kernel_threads(root.path()));
        std::fs::create_dir(root.path().join("2")).unwrap();
        for (stat, first) in [
            ("2 (kthreadd) S 0 0 0 0 -1 2129984 0 0", true),
            ("2 (sh) S 1 2 2 0 -1 4194304 0 0", false),
        ] {
            std::fs::write(root.path().join("2/stat"), stat).unwrap();
            assert_eq!(shows_kernel_threads(root.path()), first, "{stat}");
        }
    }
}
