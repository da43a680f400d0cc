//! BPF programs without a compiler, assembled for the types of the running kernel.
//!
//! The [`Assembler`] builds a program; [`Btf`] gives the offsets of the fields that it reads. [`attach`] has the kernel
//! verify and run it. Its results come back through an iterator's file or a [`RingBuffer`]. Closing the descriptors
//! removes everything, even on SIGKILL.

mod assembler;
mod btf;
#[expect(unsafe_code, reason = "memory that the kernel writes to; see there")]
mod memory;
#[expect(unsafe_code, reason = "bpf(2) has no safe form; see there")]
mod syscall;
mod typed;

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
pub use typed::{CAST, NUMBER, Typed, size};

use crate::error::Error;

/// The running kernel's BTF.
pub const BTF: &str = "/sys/kernel/btf/vmlinux";

/// Memory shared by BPF programs and lsock.
#[derive(Debug)]
pub struct Map {
    descriptor: OwnedFd,
    size: usize,
}

impl Map {
    /// Creates a map of this many bytes or elements.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn new(kind: MapKind, size: usize) -> Result<Self, Error> {
        let descriptor = syscall::create(kind, size).map_err(refused("create a map"))?;
        Ok(Self { descriptor, size })
    }

    /// The descriptor, as an operand for the [`Assembler`].
    pub fn descriptor(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The attachment point of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// An iterator, by the BTF id of its function.
    Iterator(u32),
    /// An iterator over the elements of a map, with the map's descriptor.
    Elements(u32, RawFd),
    /// A tracepoint, by the BTF id of its arguments' type.
    Tracepoint(u32),
    /// The exit of a function, by its BTF id. Not every kernel supports that.
    Exit(u32),
}

/// An attached program. It runs until this is dropped.
#[derive(Debug)]
pub struct Link(OwnedFd);

impl Link {
    /// Starts an iterator; its output is read like a file.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn iterate(&self) -> io::Result<File> {
        syscall::iterate(self.0.as_fd()).map(File::from)
    }
}

/// A program that the kernel verified.
#[derive(Debug)]
pub struct Program(OwnedFd);

impl Program {
    /// Attaches it to a hook of the kind that it was loaded for.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn attach(&self, hook: Hook) -> Result<Link, Error> {
        let link = syscall::link(self.0.as_fd(), hook);
        link.map(Link).map_err(refused("attach a program"))
    }
}

/// [Loads](load) a program and attaches it.
///
/// # Errors
///
/// When the kernel lacks the hook, or refuses the program or us.
pub fn attach(name: &'static str, program: &[Instruction], hook: Hook) -> Result<Link, Error> {
    load(name, program, hook)?.attach(hook)
}

/// Has the kernel verify a program for hooks of this kind. The name is for `bpftool prog`.
///
/// # Errors
///
/// When the kernel lacks the hook, or refuses the program or us.
pub fn load(name: &'static str, program: &[Instruction], hook: Hook) -> Result<Program, Error> {
    let program = syscall::load(name, program, hook).map_err(|cause| {
        // The kernel does not report this reason: before 5.12, a locked-down kernel lacks the helpers.
        let is_why = cause.raw_os_error() == Some(libc::EINVAL) && is_confidential();
        let operation = if is_why {
            "load a program into a kernel that is locked down for confidentiality"
        } else {
            "load a program"
        };
        Error::bpf(operation, cause)
    });
    program.map(Program)
}

/// True if the kernel lets nobody read its memory.
fn is_confidential() -> bool {
    let level = fs::read_to_string("/sys/kernel/security/lockdown");
    level.is_ok_and(|level| level.contains("[confidentiality]"))
}

fn refused(operation: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |cause| Error::bpf(operation, cause)
}

/// Extracts what a program needs from the BTF in the file `path`; only `wanted` types can be found by name.
///
/// # Errors
///
/// When the file cannot be read, or lacks something as lsock knows it.
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
