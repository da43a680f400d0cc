//! The kernel's list of network namespaces and of the tasks in them.
//!
//! Before `listns(2)` no call returns it, so a BPF program walks it. It shows whether processes and mounts lead to all
//! namespaces. Listing every task this way takes a fraction of the time of reading their links in `/proc`.

mod holders;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use rustix::fs::CWD;
use zerocopy::FromBytes as _;

pub(super) use self::holders::Holder;
use super::inode_at;
use crate::bpf::Size::{Eight, Four};
use crate::bpf::{
    self, Assembler, BTF, Btf, CAST, Condition, Hook, Instruction, Label, Link, Malformed, NUMBER,
    Register as R, TypeKind, Typed, ValueKind,
};
use crate::error::Error;

/// The program that walks the list, attached on first use.
#[derive(Debug, Default)]
pub struct List(OnceCell<Option<Link>>);

/// The contents of the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The inode numbers of namespaces with holders.
    pub namespaces: BTreeSet<u32>,
    /// Processes, and threads outside the namespace of their process: inode number of the namespace, process, task.
    pub(super) tasks: Vec<[u32; 3]>,
}

/// `PROC_PID_INIT_INO` (`include/linux/proc_ns.h`).
const ALL_PROCESSES: u32 = 0xefff_fffc;
/// Up to this many tasks, reading `/proc` is faster.
const MANY: u32 = 500;
/// How often the walk is tried: changes meanwhile may divert it.
const ATTEMPTS: usize = 4;

impl List {
    /// Reads the list. `None` if the kernel refuses, its types have an unknown layout, or not all processes of the
    /// machine are visible; unless `is_wanted`, also if too few tasks run for it to pay off.
    pub fn read(&self, is_wanted: bool) -> Option<Listed> {
        if !is_wanted && tasks().is_none_or(|tasks| tasks <= MANY) {
            return None;
        }
        let link = self.0.get_or_init(|| attach(Path::new(BTF)).ok());
        let link = link.as_ref()?;
        (0..ATTEMPTS).find_map(|_| {
            let mut text = Vec::new();
            link.iterate().ok()?.read_to_end(&mut text).ok()?;
            read(&text)
        })
    }
}

impl List {
    /// The descriptors that lead to these namespaces, of processes outside them; `None` if the kernel refuses.
    pub(super) fn holders(&self, of: &BTreeSet<u32>) -> Option<Vec<Holder>> {
        self.0.get()?.as_ref()?;
        holders::find(of).ok()
    }
}

/// The number of tasks.
fn tasks() -> Option<u32> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    let (_, tasks) = text.split(' ').nth(3)?.split_once('/')?;
    tasks.parse().ok()
}

/// # Errors
///
/// When the kernel refuses, or the list would include namespaces of invisible processes.
fn attach(btf: &Path) -> Result<Link, Error> {
    if inode_at(CWD, "/proc/self/ns/pid", b"pid") != Ok(ALL_PROCESSES) {
        let why = "processes outside this PID namespace cannot be seen";
        return Err(Error::Unusable(why.to_owned()));
    }
    let (program, function) = bpf::describe(btf, &WANTED, |btf| {
        Ok((program(btf)?, btf.find(TypeKind::Function, FUNCTION)?))
    })?;
    bpf::attach("lsock_netns", &program, Hook::Iterator(function))
}

/// Parses records; `None` if the walk was incomplete.
fn read(text: &[u8]) -> Option<Listed> {
    let mut listed = Listed::default();
    let mut is_whole = false;
    for record in <[[u32; 3]]>::ref_from_bytes(text).ok()? {
        match *record {
            ENDED => is_whole = true,
            [inode, 0, _] => _ = listed.namespaces.insert(inode),
            _ => listed.tasks.push(*record),
        }
    }
    is_whole.then_some(listed)
}

// Helpers (`enum bpf_func_id`, `include/uapi/linux/bpf.h`).
const SEQ_WRITE: i32 = 127;
const GET_CURRENT_TASK_BTF: i32 = 158;

const FUNCTION: &str = "bpf_iter_task";
const CONTEXT: &str = "bpf_iter__task";
const TASK: &str = "task_struct";

/// The types and functions that the program uses.
const WANTED: [(TypeKind, &str); 8] = [
    (TypeKind::Function, FUNCTION),
    (TypeKind::Function, CAST),
    (TypeKind::Struct, CONTEXT),
    (TypeKind::Struct, "bpf_iter_meta"),
    (TypeKind::Struct, TASK),
    (TypeKind::Struct, "nsproxy"),
    (TypeKind::Struct, "net"),
    (TypeKind::Struct, NUMBER),
];

/// The record after the last namespace: the walk returned to its start.
const ENDED: [u32; 3] = [0; 3];

// Stack slots, from the stack's end.
/// The record: inode number,
const INODE: i16 = -16;
/// process,
const PROCESS: i16 = -12;
/// task.
const THREAD: i16 = -8;
/// The inode number of the namespace where the list begins.
const OWN: i16 = -24;

// Registers that calls preserve.
const OUTPUT: R = R::R6;
/// The task; in the list, the address of a node.
const NODE: R = R::R7;
/// `ns.ops` of network namespaces; the head of the list lacks it.
const KIND: R = R::R8;
/// The own namespace at first; then 1 once the head was passed.
const HEAD: R = R::R9;

struct Writer<'b> {
    code: Assembler,
    btf: &'b Btf<'b>,
}

/// Writes a record for a task; after the last task, walks around the list once, from the own namespace.
///
/// # Errors
///
/// When the kernel lacks a type, field or function, which the error names.
fn program(btf: &Btf<'_>) -> Result<Vec<Instruction>, Malformed> {
    let mut writer = Writer::new(btf);
    let [list, done] = [(); 2].map(|()| writer.code.label());
    writer.begin(CONTEXT)?;
    writer.code.jump(Condition::Is(NODE, 0), list);
    writer.task(done)?;
    writer.code.place(list);
    writer.list(done)?;
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

impl<'b> Writer<'b> {
    fn new(btf: &'b Btf<'b>) -> Self {
        let code = Assembler::default();
        Self { code, btf }
    }

    /// Loads task and output from the program's context.
    fn begin(&mut self, context: &str) -> Result<(), Malformed> {
        self.code.set(R::R2, 0);
        self.code.store(Eight, R::STACK, INODE, R::R2);
        self.code.store(Eight, R::STACK, THREAD, R::R2);
        self.pointer(NODE, R::R1, [context, "task"])?;
        self.pointer(R::R1, R::R1, [context, "meta"])?;
        self.pointer(OUTPUT, R::R1, ["bpf_iter_meta", "seq"])
    }

    fn task(&mut self, done: Label) -> Result<(), Malformed> {
        let is_told = self.code.label();
        let number = ValueKind::Number(4);
        self.namespace(R::R3, NODE, done)?;
        for (path, place) in [("tgid", PROCESS), ("pid", THREAD)] {
            let offset = self.btf.offset(TASK, path, number)?;
            self.code.load(Four, R::R1, NODE, offset);
            self.code.store(Four, R::STACK, place, R::R1);
        }
        self.code.load(Four, R::R2, R::STACK, PROCESS);
        self.code.jump(Condition::Same(R::R1, R::R2), is_told);
        // A thread that has released its namespaces is in none.
        self.pointer(R::R4, NODE, [TASK, "group_leader"])?;
        self.namespace(R::R4, R::R4, is_told)?;
        self.code.jump(Condition::Same(R::R3, R::R4), done);
        self.code.place(is_told);
        self.code.store(Four, R::STACK, INODE, R::R3);
        self.tell();
        self.code.jump(Condition::Always, done);
        Ok(())
    }

    /// Loads the inode number of a task's network namespace.
    fn namespace(&mut self, into: R, task: R, nowhere: Label) -> Result<(), Malformed> {
        let inode = self.btf.offset("net", INUM, ValueKind::Number(4))?;
        self.pointer(R::R1, task, [TASK, "nsproxy"])?;
        self.code.jump(Condition::Is(R::R1, 0), nowhere);
        self.pointer(R::R1, R::R1, ["nsproxy", "net_ns"])?;
        self.code.load(Four, into, R::R1, inode);
        Ok(())
    }

    fn list(&mut self, done: Label) -> Result<(), Malformed> {
        let [again, is_one, next, around] = [(); 4].map(|()| self.code.label());
        self.code.call(GET_CURRENT_TASK_BTF);
        self.pointer(R::R1, R::R0, [TASK, "nsproxy"])?;
        self.pointer(HEAD, R::R1, ["nsproxy", "net_ns"])?;
        let list = self.btf.offset("net", "list.next", ValueKind::Pointer)?;
        let kind = self.btf.offset("net", "ns.ops", ValueKind::Pointer)?;
        let inode = self.btf.offset("net", INUM, ValueKind::Number(4))?;
        let holders = self.holders()?;
        self.number_from(R::R1, HEAD, inode)?;
        self.code.lower_half(R::R1);
        self.code.store(Eight, R::STACK, OWN, R::R1);
        self.code.store(Four, R::STACK, INODE, R::R1);
        self.tell();
        self.number_from(KIND, HEAD, kind)?;
        self.number_from(NODE, HEAD, list)?;
        self.code.set(HEAD, 0);
        self.code.place(again);
        self.code.jump(Condition::TooLong, done);
        self.code.jump(Condition::Is(NODE, 0), done);
        self.number_from(R::R1, NODE, kind - list)?;
        self.code.jump(Condition::Same(R::R1, KIND), is_one);
        self.code.jump(Condition::IsNot(HEAD, 0), done);
        self.code.set(HEAD, 1);
        self.code.jump(Condition::Always, next);
        self.code.place(is_one);
        self.number_from(R::R1, NODE, holders - list)?;
        self.code.lower_half(R::R1);
        self.code.jump(Condition::Is(R::R1, 0), next);
        self.number_from(R::R1, NODE, inode - list)?;
        self.code.lower_half(R::R1);
        self.code.load(Eight, R::R2, R::STACK, OWN);
        self.code.jump(Condition::Same(R::R1, R::R2), around);
        self.code.store(Four, R::STACK, INODE, R::R1);
        self.tell();
        self.code.place(next);
        self.number_from(NODE, NODE, 0)?;
        self.code.jump(Condition::Always, again);
        self.code.place(around);
        self.code.jump(Condition::Is(HEAD, 0), done);
        self.code.set(R::R1, 0);
        self.code.store(Four, R::STACK, INODE, R::R1);
        self.tell();
        Ok(())
    }

    /// The offset of the reference count; a namespace without references is being destroyed.
    fn holders(&self) -> Result<i16, Malformed> {
        let at = |name| self.btf.offset("net", name, ValueKind::Structure(4));
        // The second name is used since 6.18.
        at("ns.count").or_else(|_| at("ns.__ns_ref"))
    }

    /// Reads the eight-byte number at an offset from an address.
    fn number_from(&mut self, into: R, from: R, offset: i16) -> Result<(), Malformed> {
        self.code.copy(R::R1, from);
        self.code.add_number(R::R1, offset.into());
        self.number_at(into)
    }

    /// Writes the record to the output.
    fn tell(&mut self) {
        self.code.copy(R::R1, OUTPUT);
        self.code.copy(R::R2, R::STACK);
        self.code.add_number(R::R2, INODE.into());
        self.code.set(R::R3, RECORD);
        self.code.call(SEQ_WRITE);
    }
}

/// Bytes of a record.
const RECORD: i32 = 12;
const INUM: &str = "ns.inum";

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::{List, Listed, attach, read};
    use crate::bpf::BTF;
    use crate::netns::here;
    use crate::skip::skip;
    use nix::sched::{CloneFlags, unshare};
    use nix::unistd::gettid;
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::process::id;
    use std::sync::mpsc::channel;
    use std::thread::{sleep, spawn};
    use std::time::Duration;
    use zerocopy::IntoBytes as _;

    #[test]
    fn a_list_that_was_not_gone_around_is_none() {
        let whole = [[7_u32, 30, 30], [8, 0, 0], [7, 0, 0], [0; 3]];
        let listed = Listed {
            namespaces: BTreeSet::from([7, 8]),
            tasks: vec![[7, 30, 30]],
        };
        assert_eq!(read(whole.as_bytes()), Some(listed));
        assert_eq!(read([[7_u32, 30, 30], [7, 0, 0]].as_bytes()), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn each_has_the_number_that_its_file_has() {
        if let Err(error) = attach(Path::new(BTF)) {
            skip(error.chain());
            return;
        }
        let list = List::default();
        let own = here().unwrap().inode;
        // A thread in its own namespace, until it is released.
        let (tell, told) = channel();
        let (leave, stay) = channel::<()>();
        let thread = spawn(move || {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            tell.send((here().unwrap().inode, gettid())).unwrap();
            stay.recv().unwrap_err();
        });
        let (other, thread_id) = told.recv().unwrap();
        let found = list.read(true).unwrap();
        assert!(
            found.namespaces.is_superset(&[own, other].into()),
            "{found:?}"
        );
        let process = id();
        let thread_id = thread_id.as_raw().cast_unsigned();
        let mut here = found.tasks;
        here.retain(|[_, of, _]| *of == process);
        // Other tests may have threads elsewhere.
        here.retain(|task| [own, other].contains(&task[0]));
        // Tasks are listed by number, and numbers wrap around.
        here.sort_unstable_by_key(|task| task[0] != own);
        assert_eq!(here, [[own, process, process], [other, process, thread_id]]);
        drop(leave);
        thread.join().unwrap();
        // A thread is joined before it releases its namespace.
        let is_told = |_: &u32| list.read(true).unwrap().namespaces.contains(&other);
        let wait = |_: &u32| sleep(Duration::from_millis(1));
        let held = (0..10_000).take_while(is_told).inspect(wait).count();
        assert!(held < 10_000, "still there");
    }
}
