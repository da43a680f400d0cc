//! The program that the kernel runs for each descriptor of each task.

use super::btf::{Btf, Kind, Malformed, Value};

/// Bytes that the program writes for a descriptor: inode (8; 0 = it is no socket), process (4) and
/// number (4).
const RECORD: i32 = 16;

/// The function that the kernel calls for each descriptor, to which the program is attached.
const FUNCTION: &str = "bpf_iter_task_file";
/// What the program reads: structure, field, kind of value.
const FIELDS: [(&str, &str, Value); 11] = [
    ("bpf_iter__task_file", "meta", Value::Pointer),
    ("bpf_iter__task_file", "task", Value::Pointer),
    ("bpf_iter__task_file", "fd", Value::Number(4)),
    ("bpf_iter__task_file", "file", Value::Pointer),
    ("bpf_iter_meta", "seq", Value::Pointer),
    ("task_struct", "pid", Value::Number(4)),
    ("task_struct", "tgid", Value::Number(4)),
    ("file", "f_inode", Value::Pointer),
    ("inode", "i_ino", Value::Number(8)),
    ("inode", "i_sb", Value::Pointer),
    ("super_block", "s_magic", Value::Number(8)),
];

/// `SOCKFS_MAGIC` (`include/uapi/linux/magic.h`). The type of the inode would not do: what is opened
/// by name with `O_PATH` may be a socket too, but of another file system, with numbers of its own.
const SOCKFS_MAGIC: i32 = 0x534f_434b;
/// `BPF_FUNC_seq_write`.
const SEQ_WRITE: i32 = 127;

/// Where the running kernel keeps what the program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The number of [`FUNCTION`].
    pub(super) function: u32,
    /// Offsets of [`FIELDS`].
    offsets: [i16; FIELDS.len()],
}

impl Layout {
    /// Finds it in the kernel's description of its types.
    ///
    /// # Errors
    ///
    /// When that does not have everything as it is known here.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let structures = FIELDS.iter().map(|&(of, ..)| (Kind::Struct, of));
        let mut wanted: Vec<_> = structures.chain([(Kind::Function, FUNCTION)]).collect();
        wanted.dedup();
        let btf = Btf::read(bytes, &wanted)?;
        let number = |kind, name| btf.find(kind, name).ok_or_else(|| unknown(name));
        let function = number(Kind::Function, FUNCTION)?;
        let mut offsets = [0; FIELDS.len()];
        for (offset, (of, name, value)) in offsets.iter_mut().zip(FIELDS) {
            let field = btf.field(number(Kind::Struct, of)?, name)?;
            let known = field.filter(|field| field.value == value);
            let found = known.and_then(|field| i16::try_from(field.offset).ok());
            *offset = found.ok_or_else(|| unknown(&format!("{of}.{name}")))?;
        }
        Ok(Self { function, offsets })
    }
}

fn unknown(what: &str) -> Malformed {
    format!("it has no {what} of the kind that is known")
}

/// `struct bpf_insn` (`include/uapi/linux/bpf.h`): code, two registers of four bits, offset, number.
pub(super) type Instruction = [u8; 8];

/// 0 is the result, 1 to 5 are arguments and lost in a call, 6 to 9 are kept, 10 is the end of the
/// stack.
type Register = u8;
const RESULT: Register = 0;
const CONTEXT: Register = 6;
const TASK: Register = 7;
const FILE: Register = 8;
const STACK_END: Register = 10;

/// Where the record is put together, from the end of the stack.
const INODE: i16 = -16;
const PROCESS: i16 = -8;
const NUMBER: i16 = -4;

/// Bytes that are read or written at once.
#[derive(Clone, Copy)]
enum Size {
    Four,
    Eight,
}

/// A place to go on at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Write,
    End,
}

/// A part of a program.
enum Step {
    /// Does this.
    Do(Instruction),
    /// Goes on there, if the condition of this instruction holds.
    Jump(Instruction, Label),
    /// Here it is.
    At(Label),
}

/// The program. It writes a record for each descriptor of a first thread: other threads count only
/// where that has none, as `/proc` tells it. The kernel checks before the first run that it does
/// nothing but read.
pub(super) fn program(layout: &Layout) -> Vec<Instruction> {
    use Label::{End, Write};
    use Size::{Eight, Four};
    use Step::{At, Do, Jump};
    let [
        meta,
        task,
        fd,
        file,
        seq,
        pid,
        tgid,
        f_inode,
        i_ino,
        i_sb,
        s_magic,
    ] = layout.offsets;
    assemble(&[
        Do(copy(CONTEXT, 1)),
        Do(load(Eight, TASK, CONTEXT, task)),
        Jump(if_is(TASK, 0), End),
        // There is none when the last one has been told.
        Do(load(Eight, FILE, CONTEXT, file)),
        Jump(if_is(FILE, 0), End),
        Do(load(Four, 1, TASK, pid)),
        Do(load(Four, 2, TASK, tgid)),
        Jump(unless_same(1, 2), End),
        Do(store(Four, PROCESS, 2)),
        Do(load(Four, 1, CONTEXT, fd)),
        Do(store(Four, NUMBER, 1)),
        Do(load(Eight, 1, FILE, f_inode)),
        Do(load(Eight, 2, 1, i_sb)),
        Do(load(Eight, 2, 2, s_magic)),
        Do(set(3, 0)),
        Jump(unless_is(2, SOCKFS_MAGIC), Write),
        Do(load(Eight, 3, 1, i_ino)),
        At(Write),
        Do(store(Eight, INODE, 3)),
        Do(load(Eight, 1, CONTEXT, meta)),
        Do(load(Eight, 1, 1, seq)),
        Do(copy(2, STACK_END)),
        Do(add(2, INODE.into())),
        Do(set(3, RECORD)),
        Do(call(SEQ_WRITE)),
        At(End),
        Do(set(RESULT, 0)),
        Do(EXIT),
    ])
}

/// Puts the distances into the jumps.
fn assemble(steps: &[Step]) -> Vec<Instruction> {
    let is_instruction = |step: &&Step| !matches!(step, Step::At(_));
    let between = |from: usize, to: Label| {
        let after = steps.iter().skip(from + 1);
        let skipped = after.take_while(|step| !matches!(step, Step::At(label) if *label == to));
        i16::try_from(skipped.filter(is_instruction).count()).unwrap_or(i16::MAX)
    };
    let instruction = |(place, step): (usize, &Step)| match step {
        Step::Do(instruction) => Some(*instruction),
        Step::Jump([code, registers, _, _, number @ ..], label) => {
            let [low, high] = between(place, *label).to_ne_bytes();
            let [a, b, c, d] = *number;
            Some([*code, *registers, low, high, a, b, c, d])
        }
        Step::At(_) => None,
    };
    steps.iter().enumerate().filter_map(instruction).collect()
}

const EXIT: Instruction = instruction(0x95, 0, 0, 0, 0);

const fn load(size: Size, into: Register, from: Register, offset: i16) -> Instruction {
    instruction(0x61 | size.code(), into, from, offset, 0)
}

/// Onto the stack.
const fn store(size: Size, offset: i16, from: Register) -> Instruction {
    instruction(0x63 | size.code(), STACK_END, from, offset, 0)
}

const fn copy(into: Register, from: Register) -> Instruction {
    instruction(0xbf, into, from, 0, 0)
}

const fn set(register: Register, number: i32) -> Instruction {
    instruction(0xb7, register, 0, 0, number)
}

const fn add(register: Register, number: i32) -> Instruction {
    instruction(0x07, register, 0, 0, number)
}

const fn call(function: i32) -> Instruction {
    instruction(0x85, 0, 0, 0, function)
}

const fn if_is(register: Register, number: i32) -> Instruction {
    instruction(0x15, register, 0, 0, number)
}

const fn unless_is(register: Register, number: i32) -> Instruction {
    instruction(0x55, register, 0, 0, number)
}

const fn unless_same(one: Register, other: Register) -> Instruction {
    instruction(0x5d, one, other, 0, 0)
}

impl Size {
    /// `BPF_W` or `BPF_DW`.
    const fn code(self) -> u8 {
        match self {
            Self::Four => 0x00,
            Self::Eight => 0x18,
        }
    }
}

const fn instruction(
    code: u8,
    into: Register,
    from: Register,
    offset: i16,
    number: i32,
) -> Instruction {
    // The order of bit fields is that of bytes.
    let registers = if cfg!(target_endian = "big") {
        into << 4 | from
    } else {
        from << 4 | into
    };
    let [low, high] = offset.to_ne_bytes();
    let [a, b, c, d] = number.to_ne_bytes();
    [code, registers, low, high, a, b, c, d]
}

#[cfg(test)]
mod tests;
