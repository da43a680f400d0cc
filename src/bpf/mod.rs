//! BPF: programs put together from the kernel's own description of its types, without a compiler.
//!
//! A program is written with the [`Assembler`]; where the fields stand that it reads, the [`Btf`] of the
//! running kernel tells. [`attach`] has the kernel check it and run it; what it finds comes back through
//! an iterator's file or a [`RingBuffer`]. Nothing is left when the descriptors are closed, be it by
//! SIGKILL.

mod assembler;
mod btf;
#[expect(unsafe_code, reason = "memory that the kernel writes to; see there")]
mod memory;
#[expect(
    unsafe_code,
    reason = "bpf(2), kcmp(2), name_to_handle_at(2) and ioctl(2) have no safe form; see there"
)]
mod syscall;

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

pub use assembler::{Assembler, Condition, Instruction, Label, Register, Size};
#[cfg(test)]
pub(crate) use btf::tests::Kernel;
pub use btf::{Btf, Malformed, TypeKind, ValueKind};
pub use memory::{Counter, RingBuffer};

use crate::error::Error;
use syscall::MapKind;

/// The kernel's description of its types.
pub const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Memory that programs and we share.
#[derive(Debug)]
pub struct Map {
    descriptor: OwnedFd,
    size: usize,
}

impl Map {
    /// One number of eight bytes, for a [`Counter`].
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn number() -> Result<Self, Error> {
        Self::new(MapKind::Value, size_of::<u64>())
    }

    /// A [`RingBuffer`] of so many bytes: pages, and a power of two.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn ring(size: usize) -> Result<Self, Error> {
        Self::new(MapKind::RingBuffer, size)
    }

    /// So many bytes of each processor, zero at first, for programs only.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn per_cpu(size: usize) -> Result<Self, Error> {
        Self::new(MapKind::PerCpu, size)
    }

    fn new(kind: MapKind, size: usize) -> Result<Self, Error> {
        let descriptor = syscall::create(kind, size).map_err(refused("create a map"))?;
        Ok(Self { descriptor, size })
    }

    /// Its descriptor, as the [`Assembler`] writes it into a program.
    pub fn descriptor(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// True if two tasks have the same descriptors, by [`kcmp(2)`](https://man7.org/linux/man-pages/man2/kcmp.2.html);
/// false if not, or if the kernel does not say. It is here because this is the room of unsafe code.
pub fn share_descriptors(one: u32, other: u32) -> bool {
    syscall::share_descriptors(one, other)
}

/// Opens the network namespace of a socket (`SIOCGSKNS`); here for the same reason.
///
/// # Errors
///
/// When it is no socket, or `CAP_NET_ADMIN` is missing in the user namespace that owns it.
pub fn network_of(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    syscall::network_of(socket)
}

/// What a program is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// An iterator, by the number of the function that stands for it.
    Iterator(u32),
    /// A tracepoint, by the number of the type that describes its arguments.
    Tracepoint(u32),
    /// The end of a function, by its number. Not every kernel allows that.
    Exit(u32),
}

/// A program at its place. It runs until this is dropped.
#[derive(Debug)]
pub struct Link(OwnedFd);

impl Link {
    /// Begins a run of an iterator over everything; its output is read like a file.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn iterate(&self) -> io::Result<File> {
        syscall::iterate(self.0.as_fd()).map(File::from)
    }
}

/// Has the kernel check a program and run it from now on. The name is for `bpftool prog`.
///
/// # Errors
///
/// When the kernel has no such place, takes no such program, or not from us.
pub fn attach(name: &'static str, program: &[Instruction], hook: Hook) -> Result<Link, Error> {
    let program = syscall::load(name, program, hook).map_err(refused("load a program"))?;
    let link = match hook {
        Hook::Iterator(_) => syscall::link(program.as_fd()),
        Hook::Tracepoint(_) | Hook::Exit(_) => syscall::open_tracepoint(program.as_fd()),
    };
    link.map(Link).map_err(refused("attach a program"))
}

fn refused(operation: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |cause| Error::bpf(operation, cause)
}

/// The id of a cgroup, as sockets and programs know it, by its directory. On a kernel of 32 bits it is more
/// than the number of the inode.
///
/// # Errors
///
/// When it is no directory of cgroup2, or the kernel does not tell.
pub fn cgroup_id(directory: &Path) -> io::Result<u64> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    syscall::handle(&path)
}

/// Finds what a program must know of the types that the file `path` describes; those that are `wanted`
/// can be found by name.
///
/// # Errors
///
/// When the file cannot be read, or does not have everything as it is known here.
pub fn describe<T>(
    path: &Path,
    wanted: &[(TypeKind, &'static str)],
    find: impl FnOnce(&Btf<'_>) -> Result<T, Malformed>,
) -> Result<T, Error> {
    let description =
        memory::Description::open(path).map_err(|cause| Error::file("read", path, cause))?;
    let found = Btf::read(description.bytes(), wanted).and_then(|btf| find(&btf));
    found.map_err(|reason| Error::Unusable(format!("{}: {reason}", path.display())))
}
