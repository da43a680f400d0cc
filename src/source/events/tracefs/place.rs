//! Where tracefs is: mounted, or ours alone.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use crate::error::Error;

/// Where it is mounted, if it is.
const MOUNTED: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// `TRACEFS_MAGIC` of `include/uapi/linux/magic.h`.
const MAGIC: u64 = 0x7472_6163;

/// The root of tracefs.
#[derive(Debug)]
pub(super) struct Place {
    /// For paths relative to it.
    pub(super) root: OwnedFd,
    /// What to call it.
    pub(super) path: PathBuf,
}

impl Place {
    /// Where it is mounted.
    pub(super) fn mounted() -> Option<Self> {
        MOUNTED.into_iter().find_map(|path| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let root = rustix::fs::open(path, flags, Mode::empty()).ok()?;
            let kind = rustix::fs::fstatfs(&root).ok()?.f_type;
            let path = PathBuf::from(path);
            (u64::try_from(kind) == Ok(MAGIC)).then_some(Self { root, path })
        })
    }

    /// A mount that is in no directory: the system stays as it was, and it is gone with its descriptor.
    ///
    /// # Errors
    ///
    /// When the kernel has no tracefs, or does not let us mount it.
    pub(super) fn detached() -> Result<Self, Error> {
        let path = PathBuf::from("tracefs");
        match mount() {
            Ok(root) => Ok(Self { root, path }),
            Err(cause) => Err(Error::File {
                operation: "mount",
                path,
                cause: cause.into(),
            }),
        }
    }
}

fn mount() -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(
        &context,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )
}
