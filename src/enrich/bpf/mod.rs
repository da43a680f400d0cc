//! The kernel's own iterator over the descriptors of every task: `bpf_iter` for `task_file`.

mod btf;
mod program;
#[expect(unsafe_code, reason = "bpf(2) has no safe form; see there")]
mod syscall;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use zerocopy::{FromBytes, FromZeros as _, IntoBytes};

use crate::error::Error;
use crate::procfs::fd::{Descriptor, Told};
use program::{Layout, program};

/// The kernel's description of its types.
const BTF: &str = "/sys/kernel/btf/vmlinux";
/// So many records are read at once: the kernel never gives more than 32 KiB.
const BUFFER: usize = 2_048;
/// A million descriptors of which nothing is told, so many times: a process without a first thread has
/// all of its descriptors passed once for each of the others.
const MOST_IN_VAIN: usize = 16;

/// A program in the kernel that tells every descriptor that is a socket.
#[derive(Debug)]
pub(super) struct TaskFiles {
    link: OwnedFd,
}

impl TaskFiles {
    /// Has the program checked by the kernel and attached.
    ///
    /// # Errors
    ///
    /// When the kernel has no such iterator, or does not let us use it.
    pub(super) fn load() -> Result<Self, Error> {
        Self::load_with(Path::new(BTF))
    }

    fn load_with(btf: &Path) -> Result<Self, Error> {
        // Megabytes, and gone before there are descriptors to be held.
        let layout = fs::read(btf).map_err(|cause| Error::file("read", btf, cause))?;
        let layout = Layout::read(&layout).map_err(|reason| Error::Malformed {
            origin: btf.display().to_string(),
            reason,
        })?;
        let refused = |operation| move |cause| Error::Bpf { operation, cause };
        let program =
            syscall::load(&program(&layout), layout.function).map_err(refused("load a program"))?;
        let link = syscall::link(program.as_fd()).map_err(refused("attach a program"))?;
        Ok(Self { link })
    }

    /// Runs over every task.
    ///
    /// # Errors
    ///
    /// When the kernel refuses, or there is no end to threads that have descriptors.
    pub(super) fn run(&self) -> Result<Told, Error> {
        let failed = |cause| Error::Bpf {
            operation: "run over descriptors",
            cause,
        };
        let output = syscall::iterate(self.link.as_fd()).map_err(failed)?;
        read(File::from(output)).map_err(failed)
    }
}

/// What the program writes.
#[derive(Clone, FromBytes, IntoBytes)]
#[repr(C)]
struct Record {
    inode: u64,
    pid: u32,
    fd: u32,
}

fn read(mut output: impl io::Read) -> io::Result<Told> {
    let mut told = Told::default();
    let mut records = vec![Record::new_zeroed(); BUFFER];
    let mut in_vain = 0;
    loop {
        let length = match output.read(records.as_mut_bytes()) {
            Ok(0) => return Ok(told),
            Ok(length) => length,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            Err(cause) if cause.kind() == ErrorKind::WouldBlock && in_vain < MOST_IN_VAIN => {
                in_vain += 1;
                continue;
            }
            Err(cause) => return Err(cause),
        };
        if length % size_of::<Record>() != 0 {
            return Err(io::Error::other("a record is cut"));
        }
        let read = records.get(..length / size_of::<Record>());
        for &Record { inode, pid, fd } in read.unwrap_or_default() {
            if told.pids.last() != Some(&pid) {
                told.pids.push(pid);
            }
            if inode != 0 {
                told.descriptors.push(Descriptor { inode, pid, fd });
            }
        }
    }
}

#[cfg(test)]
mod tests;
