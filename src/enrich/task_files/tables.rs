//! Reads the descriptor tables of all tasks with a BPF program, called once for each task.
//!
//! The kernel's iterator over descriptors takes a reference to each file and calls its program for each. This program
//! takes neither references nor locks:
//!
//! - It runs within an RCU read section: a table that was replaced by a larger one and inodes are not freed meanwhile.
//! - A file may be closed and reused for another. So it must still be in its slot after its inode was read.
//! - If the task has another table at the end than at the beginning, `/proc` is read instead: an old table keeps files
//!   that are closed, and that of a task which exits is freed at once.
//!
//! Records go to memory shared with us. Needs Linux 6.9 (`may_goto`).

use std::io;
use std::path::Path;

use super::{ANON_INODE_FS_MAGIC, ANONYMOUS, FdRecord, MOST_IN_VAIN, SOCKFS_MAGIC};
use crate::bpf::Size::{Eight, Four};
use crate::bpf::{
    self, Assembler, Btf, CAST, Condition, Hook, Instruction, Label, Link, Malformed, Map, MapKind,
    NUMBER, Numbers, Register as R, TypeKind, Typed, ValueKind,
};
use crate::error::Error;
use crate::procfs::fd::Known;

/// The function that the program is attached to.
const FUNCTION: &str = "bpf_iter_task";
const CONTEXT: &str = "bpf_iter__task";
const TASK: &str = "task_struct";

/// The types and functions that the program uses.
pub(super) const WANTED: [(TypeKind, &str); 10] = [
    (TypeKind::Function, FUNCTION),
    (TypeKind::Function, CAST),
    (TypeKind::Struct, CONTEXT),
    (TypeKind::Struct, TASK),
    (TypeKind::Struct, "files_struct"),
    (TypeKind::Struct, "fdtable"),
    (TypeKind::Struct, "file"),
    (TypeKind::Struct, "inode"),
    (TypeKind::Struct, "super_block"),
    (TypeKind::Struct, NUMBER),
];

/// Bytes of a record.
const RECORD: i32 = 16;
/// Bytes before the first record: the length of all records, and [`UNFINISHED`].
const HEADER: i16 = 16;
/// Set if the program could not finish.
const UNFINISHED: i16 = 8;
/// In place of an inode: the descriptors of this process are unknown.
const MOVED: i32 = -1;

/// Records for threads with descriptors of their own, processes, and descriptors that share a file, beyond
/// those for a file each.
const SPARE: usize = 8 << 10;
/// Largest number of records.
const MOST: usize = 1 << 24;

/// The program, attached, and its memory.
#[derive(Debug)]
pub(in crate::enrich) struct Tables {
    link: Link,
    map: Map,
    /// Records that fit.
    room: usize,
}

impl Tables {
    /// Loads the program with room for the descriptors of this many open files.
    pub(super) fn load(btf: &Path, files: usize) -> Result<Self, Error> {
        let room = (files + files / 4 + SPARE).min(MOST);
        let bytes = room * size_of::<FdRecord>();
        let map = Map::new(MapKind::Value, usize::from(HEADER.unsigned_abs()) + bytes)?;
        let (program, function) = bpf::describe(btf, &WANTED, |btf| {
            let last = i32::try_from(bytes).map_err(|cause| cause.to_string())? - RECORD;
            let program = program(btf, map.descriptor(), last)?;
            Ok((program, btf.find(TypeKind::Function, FUNCTION)?))
        })?;
        let link = bpf::attach("lsock_tables", &program, Hook::Iterator(function))?;
        Ok(Self { link, map, room })
    }

    /// A larger one, after one that was too small; `None` = this was the largest.
    pub(super) fn grown(&self, btf: &Path) -> Option<Result<Self, Error>> {
        (self.room < MOST).then(|| Self::load(btf, self.room * 2))
    }

    /// Reads the tables of every task; `None` if there are too many descriptors.
    ///
    /// # Errors
    ///
    /// When the kernel refuses, or tasks never end.
    pub(super) fn read(&self) -> Result<Option<Known>, Error> {
        // Mapped only now: what was written stays in our memory as long as the mapping does.
        let memory = Numbers::of(&self.map)?;
        memory.set(0, 0);
        memory.set(1, 0);
        let run = self.link.iterate().and_then(run_to_end);
        run.map_err(|cause| Error::bpf("run over descriptors", cause))?;
        if memory.get(1) != 0 {
            return Ok(None);
        }
        let length = usize::try_from(memory.get(0)).unwrap_or_default();
        let records = length / size_of::<FdRecord>();
        let record = |place| {
            let inode = memory.get(2 + 2 * place);
            let [pid, fd]: [u32; 2] = zerocopy::transmute!(memory.get(3 + 2 * place));
            FdRecord { inode, pid, fd }
        };
        Ok(Some(collected((0..records).map(record), records)))
    }
}

/// The program writes nothing to the iterator's output: the kernel returns after each million tasks.
fn run_to_end(mut output: impl io::Read) -> io::Result<()> {
    for attempt in 0.. {
        match output.read(&mut [0]) {
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock && attempt < MOST_IN_VAIN => {}
            Err(cause) => return Err(cause),
            Ok(_) => break,
        }
    }
    Ok(())
}

/// Sorts records by kind.
pub(super) fn collected(records: impl Iterator<Item = FdRecord>, count: usize) -> Known {
    let mut moved = Vec::new();
    let mut found = Known::default();
    found.descriptors.reserve_exact(count);
    for record in records {
        match record.inode {
            0 => found.pids.push(record.pid),
            MOVED_INODE => moved.push(record.pid),
            _ => record.add_to(&mut found),
        }
    }
    found.pids.sort_unstable();
    found.pids.dedup();
    if !moved.is_empty() {
        found.pids.retain(|pid| !moved.contains(pid));
        found.descriptors.retain(|held| !moved.contains(&held.pid));
        found.rings.retain(|ring| !moved.contains(&ring.pid));
    }
    found
}

/// [`MOVED`] as read.
const MOVED_INODE: u64 = u64::MAX;

// Stack slots, from the stack's end.
/// The record: inode,
const INODE: i16 = -16;
/// process and descriptor.
const PID: i16 = -8;
const FD: i16 = -4;
/// The number of the task.
const THREAD: i16 = -24;
/// Its `files_struct`.
const FILES: i16 = -32;
/// The table of that.
const TABLE: i16 = -72;
/// The address of the array of files.
const ARRAY: i16 = -40;
/// The address of the next word of the bitmap of open descriptors, and the end of the bitmap.
const WORD: i16 = -48;
const END: i16 = -56;
/// The first descriptor of that word.
const BASE: i16 = -64;

// Registers that calls preserve.
const FILE: R = R::R6;
/// The number of a descriptor.
const NEXT: R = R::R7;
/// The rest of a word of the bitmap, shifted.
const BITS: R = R::R8;
const OF: R = R::R9;

struct Writer<'b> {
    code: Assembler,
    btf: &'b Btf<'b>,
    map: i32,
    /// The largest length of records at which another fits.
    last: i32,
}

/// Writes a record for each descriptor of a task that is or may have sockets, then one without inode.
///
/// # Errors
///
/// When the kernel lacks a type, field or function, which the error names.
pub(super) fn program(btf: &Btf<'_>, map: i32, last: i32) -> Result<Vec<Instruction>, Malformed> {
    let mut writer = Writer {
        code: Assembler::default(),
        btf,
        map,
        last,
    };
    let [next_word, next_bit, done, unfinished] = [(); 4].map(|()| writer.code.label());
    writer.begin(done)?;
    writer.code.place(next_word);
    writer.code.jump(Condition::TooLong, unfinished);
    let over = writer.next_word()?;
    writer.code.place(next_bit);
    writer.code.jump(Condition::TooLong, unfinished);
    writer.code.jump(Condition::Is(BITS, 0), next_word);
    writer.bit(unfinished)?;
    writer.code.jump(Condition::Always, next_bit);
    writer.end(over, unfinished)?;
    writer.code.jump(Condition::Always, done);
    writer.code.place(unfinished);
    writer.code.set_map_value(R::R1, map);
    writer.code.set(R::R2, 1);
    writer.code.store(Eight, R::R1, UNFINISHED, R::R2);
    writer.code.place(done);
    writer.code.set(R::R0, 0);
    writer.code.exit();
    Ok(writer.code.finish())
}

impl Typed for Writer<'_> {
    fn code(&mut self) -> &mut Assembler {
        &mut self.code
    }

    fn btf(&self) -> &Btf<'_> {
        self.btf
    }
}

impl Writer<'_> {
    /// Finds the table of a task, unless it is that of the process and the task is another thread.
    fn begin(&mut self, done: Label) -> Result<(), Malformed> {
        let is_own = self.code.label();
        self.pointer(R::R1, R::R1, [CONTEXT, "task"])?;
        // After the last task there is none.
        self.code.jump(Condition::Is(R::R1, 0), done);
        self.cast(TASK)?;
        self.code.copy(OF, R::R0);
        self.pointer(R::R1, OF, [TASK, "group_leader"])?;
        self.pointer(R::R1, R::R1, [TASK, "files"])?;
        self.code.jump(Condition::Is(R::R1, 0), done);
        self.pointer(R::R2, OF, [TASK, "files"])?;
        self.code.jump(Condition::Is(R::R2, 0), done);
        self.load(R::R3, OF, ValueKind::Number(4), [TASK, "tgid"])?;
        self.code.store(Four, R::STACK, PID, R::R3);
        self.load(R::R4, OF, ValueKind::Number(4), [TASK, "pid"])?;
        self.code.store(Eight, R::STACK, THREAD, R::R4);
        self.code.jump(Condition::Same(R::R3, R::R4), is_own);
        self.code.jump(Condition::Same(R::R1, R::R2), done);
        self.code.place(is_own);
        self.code.store(Eight, R::STACK, FILES, R::R2);
        self.pointer(FILE, R::R2, ["files_struct", "fdt"])?;
        self.code.store(Eight, R::STACK, TABLE, FILE);
        self.address(R::R1, FILE, ["fdtable", "fd"])?;
        self.code.store(Eight, R::STACK, ARRAY, R::R1);
        self.address(R::R1, FILE, ["fdtable", "open_fds"])?;
        self.code.store(Eight, R::STACK, WORD, R::R1);
        self.load(R::R2, FILE, ValueKind::Number(4), ["fdtable", "max_fds"])?;
        // A multiple of 64, as bits of the bitmap.
        self.code.shift_down(R::R2, 6);
        self.code.shift_up(R::R2, 3);
        self.code.add_register(R::R1, R::R2);
        self.code.store(Eight, R::STACK, END, R::R1);
        self.code.set(R::R1, 0);
        self.code.store(Eight, R::STACK, BASE, R::R1);
        Ok(())
    }

    /// Loads the next word of the bitmap; jumps to the label that it returns after the last.
    fn next_word(&mut self) -> Result<Label, Malformed> {
        let over = self.code.label();
        self.code.load(Eight, R::R1, R::STACK, WORD);
        self.code.load(Eight, R::R2, R::STACK, END);
        self.code.jump(Condition::Same(R::R1, R::R2), over);
        self.code.copy(R::R2, R::R1);
        self.code.add_number(R::R2, 8);
        self.code.store(Eight, R::STACK, WORD, R::R2);
        self.number_at(BITS)?;
        self.code.load(Eight, NEXT, R::STACK, BASE);
        self.code.copy(R::R1, NEXT);
        self.code.add_number(R::R1, 64);
        self.code.store(Eight, R::STACK, BASE, R::R1);
        Ok(over)
    }

    /// Takes a bit of the word, and writes a record if its descriptor is a socket or a ring.
    fn bit(&mut self, unfinished: Label) -> Result<(), Malformed> {
        let [again, skip, write] = [(); 3].map(|()| self.code.label());
        let is_open = self.code.label();
        self.code.jump(Condition::HasBits(BITS, 1), is_open);
        self.code.jump(Condition::Always, skip);
        self.code.place(is_open);
        self.code.place(again);
        self.code.jump(Condition::TooLong, unfinished);
        self.slot(FILE)?;
        self.code.jump(Condition::Is(FILE, 0), skip);
        self.code.copy(R::R1, FILE);
        self.cast("file")?;
        self.pointer(R::R1, R::R0, ["file", "f_inode"])?;
        self.pointer(R::R2, R::R1, ["inode", "i_sb"])?;
        self.load(
            R::R2,
            R::R2,
            ValueKind::Number(8),
            ["super_block", "s_magic"],
        )?;
        self.code.load(Eight, R::R3, R::STACK, THREAD);
        self.code.add_number(R::R3, ANONYMOUS);
        self.code
            .jump(Condition::Is(R::R2, ANON_INODE_FS_MAGIC), write);
        self.code.jump(Condition::IsNot(R::R2, SOCKFS_MAGIC), skip);
        self.load(R::R3, R::R1, ValueKind::Number(8), ["inode", "i_ino"])?;
        self.code.place(write);
        self.code.store(Eight, R::STACK, INODE, R::R3);
        self.slot(R::R1)?;
        self.code.jump(Condition::Differ(R::R1, FILE), again);
        self.code.store(Four, R::STACK, FD, NEXT);
        self.emit(unfinished);
        self.code.place(skip);
        self.code.shift_down(BITS, 1);
        self.code.add_number(NEXT, 1);
        Ok(())
    }

    /// Loads the file of the descriptor, as a number.
    fn slot(&mut self, into: R) -> Result<(), Malformed> {
        self.code.copy(R::R1, NEXT);
        self.code.shift_up(R::R1, 3);
        self.code.load(Eight, R::R2, R::STACK, ARRAY);
        self.code.add_register(R::R1, R::R2);
        self.number_at(into)
    }

    /// Ends a task: it is known if it still has this table.
    fn end(&mut self, over: Label, unfinished: Label) -> Result<(), Malformed> {
        let moved = self.code.label();
        self.code.place(over);
        self.code.set(R::R3, MOVED);
        self.pointer(R::R1, OF, [TASK, "files"])?;
        self.code.load(Eight, R::R2, R::STACK, FILES);
        self.code.jump(Condition::Differ(R::R1, R::R2), moved);
        self.pointer(R::R1, R::R1, ["files_struct", "fdt"])?;
        self.code.load(Eight, R::R2, R::STACK, TABLE);
        self.code.jump(Condition::Differ(R::R1, R::R2), moved);
        self.code.set(R::R3, 0);
        self.code.place(moved);
        self.code.store(Eight, R::STACK, INODE, R::R3);
        self.code.store(Four, R::STACK, FD, R::R3);
        self.emit(unfinished);
        Ok(())
    }

    /// Appends the record.
    fn emit(&mut self, full: Label) {
        let fits = self.code.label();
        self.code.set_map_value(R::R1, self.map);
        self.code.load(Eight, R::R2, R::R1, 0);
        self.code.jump(Condition::AtMost(R::R2, self.last), fits);
        self.code.jump(Condition::Always, full);
        self.code.place(fits);
        self.code.copy(R::R3, R::R1);
        self.code.add_register(R::R3, R::R2);
        self.code.load(Eight, R::R4, R::STACK, INODE);
        self.code.store(Eight, R::R3, HEADER, R::R4);
        self.code.load(Four, R::R4, R::STACK, PID);
        self.code.store(Four, R::R3, HEADER + 8, R::R4);
        self.code.load(Four, R::R4, R::STACK, FD);
        self.code.store(Four, R::R3, HEADER + 12, R::R4);
        self.code.add_number(R::R2, RECORD);
        self.code.store(Eight, R::R1, 0, R::R2);
    }

    /// Loads a pointer as a number: for a pointer, the verifier would follow each value of what is added to it.
    fn address(&mut self, into: R, from: R, [of, path]: [&str; 2]) -> Result<(), Malformed> {
        let offset = self.btf.offset(of, path, ValueKind::Pointer)?;
        self.code.copy(R::R1, from);
        self.code.add_number(R::R1, offset.into());
        self.number_at(into)
    }
}
