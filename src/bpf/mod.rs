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
#[expect(unsafe_code, reason = "bpf(2) has no safe form; see there")]
mod syscall;

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

pub use assembler::{Assembler, Condition, Instruction, Label, Register, Size};
#[cfg(test)]
pub(crate) use btf::tests::Kernel;
pub use btf::{Btf, Malformed, TypeKind, ValueKind};
pub use memory::{Counter, Numbers, RingBuffer};

pub use syscall::MapKind;

use crate::error::Error;

/// The kernel's description of its types.
pub const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Memory that programs and we share.
#[derive(Debug)]
pub struct Map {
    descriptor: OwnedFd,
    size: usize,
}

impl Map {
    /// Makes one of so many bytes or elements.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn new(kind: MapKind, size: usize) -> Result<Self, Error> {
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

/// What a program is attached to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// An iterator, by the number of the function that stands for it.
    Iterator(u32),
    /// One over the elements of a map, with its descriptor.
    Elements(u32, RawFd),
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
    let program = syscall::load(name, program, hook).map_err(|cause| {
        // It does not say that this is why: before 5.12 it has no such functions then.
        let is_why = cause.raw_os_error() == Some(libc::EINVAL) && is_confidential();
        let operation = if is_why {
            "load a program into a kernel that is locked down for confidentiality"
        } else {
            "load a program"
        };
        Error::bpf(operation, cause)
    })?;
    let link = syscall::link(program.as_fd(), hook);
    link.map(Link).map_err(refused("attach a program"))
}

/// True if the kernel says that it lets nobody read its memory.
fn is_confidential() -> bool {
    let level = fs::read_to_string("/sys/kernel/security/lockdown");
    level.is_ok_and(|level| level.contains("[confidentiality]"))
}

fn refused(operation: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |cause| Error::bpf(operation, cause)
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
