#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use super::tables::{self, Tables};
use super::{FUNCTION, FdRecord, MOST_IN_VAIN, RECORD, TaskFiles, WANTED, program, read};
use crate::bpf::{BTF, Btf, Kernel, TypeKind};
use crate::enrich::visibility::limit;
use crate::error::Error;
use crate::procfs::fd::{Descriptor, Ring, Threads, walk};
use crate::skip::skip;
use crate::syscall::share_descriptors;
use nix::sched::{CloneFlags, unshare};
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

/// Fields that the program reads: structure, field, size in bytes; 0 = a pointer.
const FIELDS: [(&str, &str, u32); 13] = [
    ("bpf_iter__task_file", "meta", 0),
    ("bpf_iter__task_file", "task", 0),
    ("bpf_iter__task_file", "fd", 4),
    ("bpf_iter__task_file", "file", 0),
    ("bpf_iter_meta", "seq", 0),
    ("task_struct", "group_leader", 0),
    ("task_struct", "files", 0),
    ("task_struct", "tgid", 4),
    ("task_struct", "pid", 4),
    ("file", "f_inode", 0),
    ("inode", "i_ino", 8),
    ("inode", "i_sb", 0),
    ("super_block", "s_magic", 8),
];

/// Builds the program for a kernel with these fields, eight bytes apart.
fn written(fields: &[(&str, &str, u32)]) -> Result<usize, String> {
    let mut kernel = Kernel::new();
    let kinds = [
        (0, kernel.pointer()),
        (4, kernel.number(4)),
        (8, kernel.number(8)),
    ];
    for (kind, structure) in WANTED {
        if kind == TypeKind::Struct {
            let of = fields.iter().filter(|(of, ..)| *of == structure);
            let members = of.zip(0..).map(|((_, name, bytes), place)| {
                let (_, kind) = kinds.iter().find(|(of, _)| of == bytes).unwrap();
                (*name, *kind, place * 64)
            });
            kernel.structure(structure, &members.collect::<Vec<_>>());
        }
    }
    kernel.function(FUNCTION);
    let bytes = kernel.bytes();
    let btf = Btf::read(&bytes, &WANTED)?;
    program(&btf).map(|code| code.len())
}

#[test]
fn what_a_kernel_does_not_have_is_named() {
    assert_eq!(written(&FIELDS), Ok(30));
    for missing in 0..FIELDS.len() {
        let mut fields = FIELDS.to_vec();
        let (of, name, _) = fields.remove(missing);
        let error = written(&fields).unwrap_err();
        assert!(error.contains(&format!("{of}.{name}")), "{error}");
    }
}

#[test]
fn number_of_another_size_is_not_read() {
    let mut fields = FIELDS;
    let inode = fields.iter_mut().find(|field| field.1 == "i_ino").unwrap();
    inode.2 = 4;
    let error = written(&fields).unwrap_err();
    assert!(error.contains("inode.i_ino"), "{error}");
}

#[test]
fn record_has_as_many_bytes_as_the_program_writes() {
    assert_eq!(i32::try_from(size_of::<FdRecord>()), Ok(RECORD));
}

#[test]
fn tables_need_types_that_are_named() {
    let mut kernel = Kernel::new();
    let pointer = kernel.pointer();
    kernel.function("bpf_iter_task");
    kernel.structure("bpf_iter__task", &[("task", pointer, 0)]);
    let bytes = kernel.bytes();
    let btf = Btf::read(&bytes, &tables::WANTED).unwrap();
    let error = tables::program(&btf, 3, 16).unwrap_err();
    assert!(error.contains("task_struct"), "{error}");
}

#[test]
fn process_that_changed_its_table_is_unknown() {
    let record = |inode, pid, fd| FdRecord { inode, pid, fd };
    let records = [
        record(5, 7, 3),
        record(0, 7, 0),
        record(6, 9, 4),
        record(0, 9, 0),
        record(8, 9, 1),
        record(u64::MAX, 9, u32::MAX),
    ];
    let known = tables::collected(records.into_iter(), 6);
    let (inode, pid, fd) = (5, 7, 3);
    assert_eq!(known.descriptors, [Descriptor { inode, pid, fd }]);
    assert_eq!(known.pids, [7]);
}

/// Both ways to read descriptors; skips the test if the kernel refuses one.
fn loaded() -> Vec<TaskFiles> {
    if let Some(limit) = limit(Path::new("/proc")) {
        skip(limit);
        return Vec::new();
    }
    let btf = Path::new(BTF);
    let tables = Tables::load(btf, 0).map(TaskFiles::Tables);
    let ways = [tables, TaskFiles::iterator(btf)].into_iter();
    let note = |error: &Error| skip(error.chain());
    ways.filter_map(|way| way.inspect_err(note).ok()).collect()
}

fn inode_of(socket: &impl AsFd) -> u64 {
    rustix::fs::fstat(socket).unwrap().st_ino
}

/// The records of this process, by each way.
fn own(ways: &mut [TaskFiles]) -> Vec<Vec<Descriptor>> {
    let own = std::process::id();
    let of_way = |way: &mut TaskFiles| {
        let mut told = way.run().unwrap();
        assert!(told.pids.contains(&own));
        told.descriptors.retain(|held| held.pid == own);
        told.descriptors
    };
    ways.iter_mut().map(of_way).collect()
}

fn fds(held: &[Descriptor], inode: u64) -> Vec<i32> {
    let held = held.iter().filter(|held| held.inode == inode);
    held.map(|held| held.fd.try_into().unwrap()).collect()
}

#[test]
fn every_descriptor_of_a_socket_is_told() {
    let mut ways = loaded();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let copies: Vec<_> = (0..10_000).map_while(|_| socket.try_clone().ok()).collect();
    let mut expected: Vec<_> = copies.iter().map(AsRawFd::as_raw_fd).collect();
    expected.push(socket.as_raw_fd());
    expected.sort_unstable();
    assert!(expected.len() > 500, "{} descriptors", expected.len());
    for held in own(&mut ways) {
        assert_eq!(fds(&held, inode_of(&socket)), expected);
    }
}

#[test]
fn name_of_a_socket_that_is_opened_is_no_socket() {
    let mut ways = loaded();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let _listener = UnixListener::bind(&path).unwrap();
    let open = |path: &Path| openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let name = open(&path).unwrap();
    let stat = rustix::fs::fstat(&name).unwrap();
    assert_eq!(stat.st_mode & 0o170_000, 0o140_000, "S_IFSOCK");
    let number = u32::try_from(name.as_raw_fd()).unwrap();
    let held = own(&mut ways).concat();
    assert!(held.iter().all(|held| held.fd != number));

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let link = format!("/proc/self/fd/{}", socket.as_raw_fd());
    let again = open(Path::new(&link)).unwrap();
    let mut expected = [socket.as_raw_fd(), again.as_raw_fd()];
    expected.sort_unstable();
    for held in own(&mut ways) {
        assert_eq!(fds(&held, inode_of(&socket)), expected);
    }
}

#[test]
fn thread_with_descriptors_of_its_own_is_told() {
    let mut ways = loaded();
    let (opened, is_opened) = channel();
    let (done, is_done) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            unshare(CloneFlags::CLONE_FILES).unwrap();
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            opened
                .send((inode_of(&socket), socket.as_raw_fd()))
                .unwrap();
            let _ = is_done.recv();
        });
        let (inode, fd) = is_opened.recv().unwrap();
        for held in own(&mut ways) {
            assert_eq!(fds(&held, inode), [fd]);
        }
        let proc = Path::new("/proc");
        let walked = walk(proc, Threads::All(&share_descriptors)).unwrap();
        assert_eq!(fds(&walked.descriptors, inode), [fd]);
        drop(done);
    });
}

/// Descriptors that stay, beside a thread that opens and closes others and one that starts processes.
#[test]
fn descriptors_that_stay_are_found_while_others_change() {
    let mut ways = loaded();
    let stays: Vec<_> = (0..300)
        .map_while(|_| UdpSocket::bind("127.0.0.1:0").ok())
        .collect();
    let mut expected: Vec<_> = stays
        .iter()
        .map(|one| (inode_of(one), one.as_raw_fd()))
        .collect();
    expected.sort_unstable();
    let is_over = AtomicBool::new(false);
    let goes_on = || !is_over.load(Ordering::Relaxed);
    thread::scope(|scope| {
        scope.spawn(|| {
            while goes_on() {
                let others = (0..100).map_while(|_| stays.first()?.try_clone().ok());
                drop(others.collect::<Vec<_>>());
            }
        });
        scope.spawn(|| {
            while goes_on() {
                std::process::Command::new("true").status().unwrap();
            }
        });
        let mut failures = Vec::new();
        for run in 0..50 {
            for held in own(&mut ways) {
                let held = held.iter().map(|held| (held.inode, held.fd.cast_signed()));
                let mut held: Vec<_> = held.filter(|held| expected.contains(held)).collect();
                held.sort_unstable();
                failures.extend((held != expected).then_some((run, held.len())));
            }
        }
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(failures, []);
    });
}

#[test]
fn program_and_its_run_leave_no_descriptor() {
    let mut ways = loaded();
    let links = || {
        let entries = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let links = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let bpf = links.filter(|link| link.to_string_lossy().contains("bpf"));
        bpf.count()
    };
    // Another test may have one briefly.
    let few = (0..200).any(|_| {
        own(&mut ways);
        // The reader of tables keeps its map, too.
        links() <= ways.len() + 1
    });
    assert!(few, "{} descriptors", links());
}

#[test]
fn kernel_without_a_description_of_its_types_is_told() {
    let error = TaskFiles::iterator(Path::new("/nonexistent")).unwrap_err();
    let text = "cannot read /nonexistent: no such file or directory";
    assert_eq!(error.chain(), text);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vmlinux");
    std::fs::write(&path, b"no BTF at all, but long enough").unwrap();
    let error = TaskFiles::iterator(&path).unwrap_err();
    let text = format!("{}: no BTF of this machine", path.display());
    assert_eq!(error.chain(), text);
}

/// Yields these results in turn, then the end.
struct Output(VecDeque<io::Result<Vec<u8>>>);

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(next) = self.0.pop_front() else {
            return Ok(0);
        };
        let next = next?;
        buffer[..next.len()].copy_from_slice(&next);
        Ok(next.len())
    }
}

fn record(inode: u64, pid: u32, fd: u32) -> Vec<u8> {
    let numbers = [pid.to_ne_bytes(), fd.to_ne_bytes()].concat();
    [&inode.to_ne_bytes()[..], &numbers].concat()
}

#[test]
fn processes_without_sockets_are_told_as_seen() {
    let ring = record((-2_147_483_636_i64).cast_unsigned(), 9, 1);
    let first = [record(0, 7, 0), record(5, 7, 3), ring].concat();
    let thread = [record(6, 9, 2), record(0, 7, 4)].concat();
    let told = read(Output([Ok(first), Ok(thread)].into())).unwrap();
    let (pid, thread, fd) = (9, 12, 1);
    assert_eq!(told.rings, [Ring { pid, thread, fd }]);
    assert_eq!(told.pids, [7, 9]);
    let held = |inode, pid, fd| Descriptor { inode, pid, fd };
    assert_eq!(told.descriptors, [held(5, 7, 3), held(6, 9, 2)]);
}

#[test]
fn output_that_is_cut_or_fails_tells_nothing() {
    let cut = record(5, 7, 3)[..15].to_vec();
    assert!(read(Output([Ok(record(5, 7, 3)), Ok(cut)].into())).is_err());
    let failed = Err(io::Error::from(ErrorKind::PermissionDenied));
    assert!(read(Output([Ok(record(5, 7, 3)), failed].into())).is_err());
}

#[test]
fn interruptions_are_passed_and_endless_threads_are_not() {
    let kind = |kind: ErrorKind, times| {
        let errors = (0..times).map(move |_| Err(io::Error::from(kind)));
        Output(errors.chain([Ok(record(5, 7, 3))]).collect())
    };
    assert_eq!(read(kind(ErrorKind::Interrupted, 100)).unwrap().pids, [7]);
    let most = kind(ErrorKind::WouldBlock, MOST_IN_VAIN);
    assert_eq!(read(most).unwrap().pids, [7]);
    assert!(read(kind(ErrorKind::WouldBlock, MOST_IN_VAIN + 1)).is_err());
}
