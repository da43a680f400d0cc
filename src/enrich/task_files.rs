//! Reads the descriptors of every task with BPF: from their tables, or else with the kernel's iterator `task_file`.

mod tables;

use std::io::{self, ErrorKind};
use std::path::Path;

use zerocopy::{FromBytes, FromZeros as _, IntoBytes};

use crate::bpf::{
    self, Assembler, BTF, Btf, Condition, Hook, Instruction, Link, Malformed, Register, Size,
    TypeKind, ValueKind,
};
use crate::error::Error;
use crate::procfs::fd::{Descriptor, Known, Ring};
use tables::Tables;

/// The kernel function called for each descriptor, to which the program is attached.
const FUNCTION: &str = "bpf_iter_task_file";
/// `SOCKFS_MAGIC` (`include/uapi/linux/magic.h`). The inode's type is not enough: a descriptor opened with `O_PATH` may
/// be a socket file of another file system, with its own inode numbers.
const SOCKFS_MAGIC: i32 = 0x534f_434b;
/// `ANON_INODE_FS_MAGIC`, likewise: `io_uring` and others.
const ANON_INODE_FS_MAGIC: i32 = 0x0904_1934;
/// `BPF_FUNC_seq_write`.
const SEQ_WRITE: i32 = 127;

/// Records read at once: the kernel returns at most 32 KiB.
const BUFFER: usize = 2_048;
/// Limit of reads without a record, after a million descriptors each: the iterator visits all descriptors of a process
/// without a first thread once for each of its other threads.
const MOST_IN_VAIN: usize = 16;

/// A BPF program that lists every descriptor that is a socket.
#[derive(Debug)]
pub(super) enum TaskFiles {
    /// Reads the tables of descriptors.
    Tables(Tables),
    /// Is called for each descriptor.
    Iterator(Link),
}

impl TaskFiles {
    /// Loads the program, for about this many open files.
    ///
    /// # Errors
    ///
    /// When the kernel has no such iterator, or refuses it.
    pub(super) fn load(files: usize) -> Result<Self, Error> {
        // On other architectures, loads may be reordered.
        let tables = cfg!(target_arch = "x86_64").then(|| Tables::load(Path::new(BTF), files).ok());
        tables.flatten().map_or_else(
            || Self::iterator(Path::new(BTF)),
            |tables| Ok(Self::Tables(tables)),
        )
    }

    fn iterator(btf: &Path) -> Result<Self, Error> {
        let (program, function) = bpf::describe(btf, &WANTED, |btf| {
            Ok((program(btf)?, btf.find(TypeKind::Function, FUNCTION)?))
        })?;
        let link = bpf::attach("lsock_owners", &program, Hook::Iterator(function))?;
        Ok(Self::Iterator(link))
    }

    /// Runs the program for every task.
    ///
    /// # Errors
    ///
    /// When the kernel refuses, or threads with descriptors never end.
    pub(super) fn run(&mut self) -> Result<Known, Error> {
        let failed = |cause| Error::bpf("run over descriptors", cause);
        loop {
            match self {
                Self::Iterator(link) => return link.iterate().and_then(read).map_err(failed),
                Self::Tables(tables) => {
                    if let Some(known) = tables.read()? {
                        return Ok(known);
                    }
                    *self = match tables.grown(Path::new(BTF)) {
                        Some(larger) => Self::Tables(larger?),
                        None => Self::iterator(Path::new(BTF))?,
                    };
                }
            }
        }
    }
}

/// The types and functions that the program uses.
const WANTED: [(TypeKind, &str); 7] = [
    (TypeKind::Function, FUNCTION),
    (TypeKind::Struct, "bpf_iter__task_file"),
    (TypeKind::Struct, "bpf_iter_meta"),
    (TypeKind::Struct, "task_struct"),
    (TypeKind::Struct, "file"),
    (TypeKind::Struct, "inode"),
    (TypeKind::Struct, "super_block"),
];

/// The program, which writes a record for each descriptor. The kernel visits other threads than the first only if they
/// have their own descriptors; they count only if the first has some, too, because then `/proc` shows the same. The
/// kernel verifies before the first run that the program only reads.
fn program(btf: &Btf<'_>) -> Result<Vec<Instruction>, Malformed> {
    use Register as R;
    use Size::{Eight, Four};
    use ValueKind::{Number, Pointer};
    let of_run = |name, value| btf.offset("bpf_iter__task_file", name, value);
    let of_task = |name, value| btf.offset("task_struct", name, value);
    let (context, task, file) = (R::R6, R::R7, R::R8);
    // Stack slots of the record, from the stack's end.
    let (inode, pid, fd) = (-16, -8, -4);

    let mut code = Assembler::default();
    let (write, end) = (code.label(), code.label());
    code.copy(context, R::R1);
    code.load(Eight, task, context, of_run("task", Pointer)?);
    code.jump(Condition::Is(task, 0), end);
    // Null after the last descriptor.
    code.load(Eight, file, context, of_run("file", Pointer)?);
    code.jump(Condition::Is(file, 0), end);
    code.load(Eight, R::R1, task, of_task("group_leader", Pointer)?);
    code.load(Eight, R::R1, R::R1, of_task("files", Pointer)?);
    code.jump(Condition::Is(R::R1, 0), end);
    code.load(Four, R::R2, task, of_task("tgid", Number(4))?);
    code.store(Four, R::STACK, pid, R::R2);
    code.load(Four, R::R1, context, of_run("fd", Number(4))?);
    code.store(Four, R::STACK, fd, R::R1);
    code.load(Eight, R::R1, file, btf.offset("file", "f_inode", Pointer)?);
    code.load(Eight, R::R2, R::R1, btf.offset("inode", "i_sb", Pointer)?);
    let offset = btf.offset("super_block", "s_magic", Number(8))?;
    code.load(Eight, R::R2, R::R2, offset);
    code.load(Four, R::R3, task, of_task("pid", Number(4))?);
    code.add_number(R::R3, ANONYMOUS);
    code.jump(Condition::Is(R::R2, ANON_INODE_FS_MAGIC), write);
    code.set(R::R3, 0);
    code.jump(Condition::IsNot(R::R2, SOCKFS_MAGIC), write);
    let offset = btf.offset("inode", "i_ino", Number(8))?;
    code.load(Eight, R::R3, R::R1, offset);
    code.place(write);
    code.store(Eight, R::STACK, inode, R::R3);
    code.load(Eight, R::R1, context, of_run("meta", Pointer)?);
    let offset = btf.offset("bpf_iter_meta", "seq", Pointer)?;
    code.load(Eight, R::R1, R::R1, offset);
    code.copy(R::R2, R::STACK);
    code.add_number(R::R2, inode.into());
    code.set(R::R3, RECORD);
    code.call(SEQ_WRITE);
    code.place(end);
    code.set(R::R0, 0);
    code.exit();
    Ok(code.finish())
}

/// Bytes of a [`FdRecord`].
const RECORD: i32 = 16;

/// In place of an inode, with the thread's id added: the descriptor may be an `io_uring`.
const ANONYMOUS: i32 = i32::MIN;
/// The same as an unsigned number.
const FIRST_ANONYMOUS: u64 = u64::MAX << 31;

/// A record of a descriptor; inode 0 = neither a socket nor [`ANONYMOUS`].
#[derive(Clone, FromBytes, IntoBytes)]
#[repr(C)]
struct FdRecord {
    inode: u64,
    pid: u32,
    fd: u32,
}

impl FdRecord {
    /// Adds the descriptor of a socket, or of what may be a ring.
    fn add_to(&self, known: &mut Known) {
        let &Self { inode, pid, fd } = self;
        match inode.checked_sub(FIRST_ANONYMOUS) {
            Some(thread) => {
                let thread = u32::try_from(thread).unwrap_or(pid);
                known.rings.push(Ring { pid, thread, fd });
            }
            None => known.descriptors.push(Descriptor { inode, pid, fd }),
        }
    }
}

fn read(mut output: impl io::Read) -> io::Result<Known> {
    let mut known = Known::default();
    let mut records = vec![FdRecord::new_zeroed(); BUFFER];
    let mut in_vain = 0;
    loop {
        let length = match output.read(records.as_mut_bytes()) {
            Ok(0) => break,
            Ok(length) => length,
            Err(cause) if cause.kind() == ErrorKind::Interrupted => continue,
            Err(cause) if cause.kind() == ErrorKind::WouldBlock && in_vain < MOST_IN_VAIN => {
                in_vain += 1;
                continue;
            }
            Err(cause) => return Err(cause),
        };
        if length % size_of::<FdRecord>() != 0 {
            return Err(io::Error::other("truncated record"));
        }
        let read = records.get(..length / size_of::<FdRecord>());
        for record in read.unwrap_or_default() {
            if known.pids.last() != Some(&record.pid) {
                known.pids.push(record.pid);
            }
            if record.inode != 0 {
                record.add_to(&mut known);
            }
        }
    }
    // Threads are visited by their own ids, not by pid.
    known.pids.sort_unstable();
    known.pids.dedup();
    Ok(known)
}

#[cfg(test)]
mod tests;
