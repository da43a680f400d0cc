#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise and says why it could not run"
)]

use super::stat::cannot_hold_sockets;
use super::walker::socket_inode;
use super::{Descriptor, Known, Threads, Walk, parent, start_ticks, walk, walk_of, walk_rest};
use crate::error::Error;
use crate::skip::skip;
use crate::start::{output, spawn, undisturbed};
use rustix::io::Errno;
use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Sharing is unknown.
const ALL: Threads<'static> = Threads::All(&|_, _| false);

/// All threads of a process share descriptors.
const SHARED: Threads<'static> = Threads::All(&|_, _| true);

/// Makes a process in a copy of /proc.
fn process(root: &Path, pid: u32, stat: &str, links: &[(&str, &str)]) {
    let directory = root.join(pid.to_string()).join("fd");
    fs::create_dir_all(&directory).unwrap();
    fs::write(root.join(pid.to_string()).join("stat"), stat).unwrap();
    for (name, target) in links {
        symlink(target, directory.join(name)).unwrap();
    }
}

fn stat(comm: &str, state: char, flags: u64, threads: u32) -> String {
    format!("7 ({comm}) {state} 1 7 7 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 {threads} 0 99 0 0\n")
}

fn sorted(walk: Walk) -> Vec<(u64, u32, u32)> {
    let mut found = walk.descriptors;
    found.sort_unstable();
    found
        .into_iter()
        .map(|held| (held.inode, held.pid, held.fd))
        .collect()
}

fn unreadable(walk: &Walk) -> Vec<u32> {
    walk.unreadable.iter().map(|process| process.pid).collect()
}

fn inode_of(socket: &impl AsFd) -> u64 {
    rustix::fs::fstat(socket).unwrap().st_ino
}

#[test]
fn a_descriptor_takes_16_bytes() {
    assert_eq!(size_of::<Descriptor>(), 16);
}

#[test]
fn only_numeric_names_and_whole_socket_links_count() {
    let root = tempfile::tempdir().unwrap();
    let links = [
        ("0", "/dev/null"),
        ("3", "socket:[77]"),
        ("4", "socket:[77"),
        ("5", "socket:[]"),
        ("6", "socket:[+77]"),
        ("7", "/tmp/socket:[77]"),
        ("8", "pipe:[77]"),
        ("x", "socket:[78]"),
        ("12", "socket:[4294967300]"),
    ];
    process(root.path(), 10, &stat("a", 'S', 0, 1), &links);
    fs::create_dir_all(root.path().join("self/fd")).unwrap();
    symlink("socket:[79]", root.path().join("self/fd/1")).unwrap();
    let found = walk(root.path(), ALL).unwrap();
    assert!(found.unreadable.is_empty());
    assert_eq!(sorted(found), [(77, 10, 3), (4_294_967_300, 10, 12)]);
}

#[test]
fn what_is_no_process_of_a_copy_is_skipped() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("11"), "a file").unwrap();
    symlink("nowhere", root.path().join("13")).unwrap();
    fs::create_dir(root.path().join("99999999999")).unwrap();
    let found = walk(root.path(), ALL).unwrap();
    assert_eq!((found.descriptors.len(), found.unreadable.len()), (0, 0));
}

#[test]
fn process_of_a_copy_without_readable_descriptors_is_unreadable() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("14/fd/3")).unwrap();
    for (pid, flags) in [(12, 0), (15, 0), (16, 0x20_0000)] {
        let directory = root.path().join(pid.to_string());
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("stat"), stat("a", 'S', flags, 1)).unwrap();
    }
    fs::write(root.path().join("15/fd"), "").unwrap();
    let found = walk(root.path(), ALL).unwrap();
    let causes = found.unreadable.iter().map(|one| (one.pid, one.cause));
    let [missing, file, no_link] = [Errno::NOENT, Errno::NOTDIR, Errno::INVAL];
    let expected = [(12, missing), (14, no_link), (15, file)];
    assert_eq!(causes.collect::<Vec<_>>(), expected, "16 is the kernel's");
    let named = walk_of(root.path(), &[12, 13, 16], ALL).unwrap();
    assert_eq!(unreadable(&named), [12], "there is no 13");
}

#[test]
fn missing_root_is_an_error_that_names_it() {
    let text = walk(Path::new("/nonexistent"), ALL).unwrap_err().chain();
    assert_eq!(text, "cannot open /nonexistent: no such file or directory");
}

#[test]
fn link_is_a_socket_only_as_a_whole() {
    assert_eq!(
        socket_inode(b"socket:[18446744073709551615]"),
        Some(u64::MAX)
    );
    assert_eq!(socket_inode(b"socket:[18446744073709551616]"), None);
    assert_eq!(socket_inode(b"socket:[1] (deleted)"), None);
}

#[test]
fn kernel_threads_and_zombies_hold_no_sockets() {
    let cases = [
        (stat("kworker/0:1", 'I', 0x0420_8060, 1), true),
        (stat("sh", 'S', 0x0040_0000, 1), false),
        (stat("sh", 'Z', 0x0040_000c, 1), true),
        (stat("sh", 'X', 0, 1), true),
        (stat("sh", 'R', 0x0040_0004, 1), true),
        (stat("java", 'R', 0x0040_0004, 2), false),
        // Its first thread has ended, the others have not.
        (stat("java", 'Z', 0, 12), false),
        (stat(") Z 1 1 1 1 1 2097152 (", 'S', 0, 1), false),
        (stat("S) I\n(", 'Z', 0, 1), true),
        (String::new(), false),
        ("7 (cut".into(), false),
    ];
    for (text, expected) in cases {
        assert_eq!(cannot_hold_sockets(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn descriptors_of_a_process_whose_first_thread_ended_are_found() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, &stat("a", 'Z', 0, 2), &[]);
    for (thread, target) in [(20, None), (21, Some("socket:[5]"))] {
        let directory = root.path().join(format!("20/task/{thread}/fd"));
        fs::create_dir_all(&directory).unwrap();
        if let Some(target) = target {
            symlink(target, directory.join("9")).unwrap();
        }
    }
    // The directory must look as with two threads.
    assert_eq!(sorted(walk(root.path(), ALL).unwrap()), [(5, 20, 9)]);
    assert_eq!(sorted(walk(root.path(), Threads::First).unwrap()), []);
}

#[test]
fn unreadable_processes_are_counted_once_each() {
    if rustix::process::geteuid().is_root() {
        as_another_user("unreadable_processes_are_counted_once_each");
        return;
    }
    let refusing = Refusing::new();
    let root = &refusing.0;
    let found = walk(root.path(), ALL).unwrap();
    assert_eq!((unreadable(&found), found.refused), (vec![1], true));
    assert!(found.unreadable[0].is_refused());
    assert_eq!(found.unreadable[0].parent, Some(1));
    assert_eq!(sorted(found), [(2, 4, 3)]);
}

/// A process that cannot be read, a kernel thread and a zombie likewise, and one that can.
struct Refusing(tempfile::TempDir);

impl Refusing {
    const PIDS: [u32; 3] = [1, 2, 3];

    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        let root = this.0.path();
        process(root, 1, &stat("a b) S", 'S', 0, 1), &[("3", "socket:[1]")]);
        process(root, 2, &stat("kthreadd", 'S', 0x0020_8040, 1), &[]);
        process(root, 3, &stat("sh", 'Z', 0, 1), &[]);
        process(root, 4, &stat("d", 'S', 0, 1), &[("3", "socket:[2]")]);
        this.permit(0o000).unwrap();
        this
    }

    fn permit(&self, mode: u32) -> io::Result<()> {
        Self::PIDS.iter().try_for_each(|pid| {
            let directory = self.0.path().join(format!("{pid}/fd"));
            fs::set_permissions(directory, fs::Permissions::from_mode(mode))
        })
    }
}

impl Drop for Refusing {
    /// Makes everything readable again: otherwise it cannot be removed.
    fn drop(&mut self) {
        let _ = self.permit(0o700);
    }
}

/// Runs the test again as nobody, because root can read everything.
fn as_another_user(test: &str) {
    let name = format!("procfs::fd::tests::{test}");
    let program = tempfile::tempdir().unwrap();
    fs::set_permissions(program.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = program.path().join("tests");
    undisturbed(|| fs::copy(std::env::current_exe().unwrap(), &copy)).unwrap();
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let run = output(setpriv.arg(&copy).args([&name, "--exact"]));
    match run {
        Ok(run) => assert!(run.status.success(), "{run:?}"),
        Err(cause) => skip(format_args!("root, and setpriv cannot be run: {cause}")),
    }
}

#[test]
fn process_that_exits_during_scan_is_skipped() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let inode = inode_of(&socket);
    let done = AtomicBool::new(false);
    let (walks, children) = thread::scope(|scope| {
        let spawners = [(); 2].map(|()| scope.spawn(|| short_lived_children(&done)));
        let walks = (0..40).filter_map(|_| walk(Path::new("/proc"), SHARED).ok());
        let walks: Vec<Walk> = walks.collect();
        done.store(true, Ordering::Relaxed);
        let children = spawners.map(|spawner| spawner.join().unwrap());
        (walks, children.concat())
    });
    assert_eq!(walks.len(), 40);
    assert!(children.len() > 2);
    for found in walks {
        let me = std::process::id();
        let held = found.descriptors.iter();
        let mine = held.filter(|held| held.inode == inode && held.pid == me);
        assert_eq!(mine.count(), 1);
        let unreadable = unreadable(&found);
        let refused = |pid| unreadable.contains(pid);
        assert!(!children.iter().any(refused), "the dead are not unreadable");
    }
}

fn short_lived_children(done: &AtomicBool) -> Vec<u32> {
    let mut pids = Vec::new();
    while pids.len() < 2 || !done.load(Ordering::Relaxed) {
        let mut child = spawn(&mut Command::new("true")).unwrap();
        pids.push(child.id());
        child.wait().unwrap();
    }
    pids
}

#[test]
fn five_thousand_descriptors_of_one_socket_are_all_found() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile)
        .current
        .unwrap_or(u64::MAX);
    let wanted = if limit < 5_400 {
        eprintln!("limited: RLIMIT_NOFILE is {limit}, so fewer than 5,000 descriptors");
        limit.saturating_sub(400)
    } else {
        5_000
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let copies: Vec<_> = (0..wanted).map(|_| socket.try_clone().unwrap()).collect();
    let mut expected: Vec<_> = copies.iter().map(AsRawFd::as_raw_fd).collect();
    expected.push(socket.as_raw_fd());
    expected.sort_unstable();
    let inode = inode_of(&socket);
    let found = sorted(walk(Path::new("/proc"), SHARED).unwrap());
    let mine: Vec<i32> = found
        .into_iter()
        .filter(|held| held.0 == inode && held.1 == std::process::id())
        .map(|held| held.2.try_into().unwrap())
        .collect();
    assert_eq!(mine, expected);
}

#[test]
fn many_processes_are_spread_and_none_is_lost() {
    let root = tempfile::tempdir().unwrap();
    for pid in 1..=500 {
        let target = format!("socket:[{pid}]");
        process(root.path(), pid, &stat("a", 'S', 0, 1), &[("3", &target)]);
    }
    let expected: Vec<_> = (1..=500).map(|pid| (u64::from(pid), pid, 3)).collect();
    assert_eq!(sorted(walk(root.path(), ALL).unwrap()), expected);
}

#[test]
fn only_the_named_processes_are_read() {
    if rustix::process::geteuid().is_root() {
        as_another_user("only_the_named_processes_are_read");
        return;
    }
    let refusing = Refusing::new();
    let root = &refusing.0;
    process(
        root.path(),
        5,
        &stat("e", 'S', 0, 1),
        &[("3", "socket:[2]")],
    );
    // Not even the list of processes can be read.
    let only_search = fs::Permissions::from_mode(0o100);
    fs::set_permissions(root.path(), only_search).unwrap();
    let named = walk_of(root.path(), &[5], ALL);
    let refused = walk_of(root.path(), &[5, 1, 2, 1], ALL);
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (named, refused) = (named.unwrap(), refused.unwrap());
    assert!(named.unreadable.is_empty(), "nobody else was asked");
    assert_eq!(sorted(named), [(2, 5, 3)]);
    assert_eq!(unreadable(&refused), [1]);
    assert_eq!(sorted(refused), [(2, 5, 3)]);
}

#[test]
fn named_process_that_does_not_exist_holds_nothing() {
    let root = tempfile::tempdir().unwrap();
    let found = walk_of(root.path(), &[7], ALL).unwrap();
    assert_eq!((found.descriptors.len(), found.unreadable.len()), (0, 0));
    assert!(walk_of(Path::new("/nonexistent"), &[7], ALL).is_err());
}

#[test]
fn process_named_twice_is_read_once() {
    let root = tempfile::tempdir().unwrap();
    let links = [("3", "socket:[5]")];
    process(root.path(), 9, &stat("a", 'S', 0, 1), &links);
    process(root.path(), 8, &stat("b", 'S', 0, 1), &links);
    let found = walk_of(root.path(), &[9, 9], ALL).unwrap();
    assert_eq!(sorted(found), [(5, 9, 3)]);
}

#[test]
fn what_is_told_is_not_read_and_the_rest_is() {
    let root = tempfile::tempdir().unwrap();
    for (pid, link) in [(8, "socket:[1]"), (9, "socket:[2]")] {
        process(root.path(), pid, &stat("a", 'S', 0, 1), &[("3", link)]);
    }
    let held = |inode, pid, fd| Descriptor { inode, pid, fd };
    let found = walk_rest(root.path(), ALL, || {
        // A process that has just started, too, which the walk then finds.
        process(
            root.path(),
            10,
            &stat("b", 'S', 0, 1),
            &[("4", "socket:[5]")],
        );
        Ok(Known {
            descriptors: vec![held(7, 8, 6), held(5, 10, 4)],
            rings: Vec::new(),
            pids: vec![8, 10],
        })
    });
    assert_eq!(
        sorted(found.unwrap()),
        [(2, 9, 3), (5, 10, 4), (5, 10, 4), (7, 8, 6)]
    );
}

#[test]
fn nothing_is_walked_when_nothing_could_be_told() {
    let root = tempfile::tempdir().unwrap();
    process(
        root.path(),
        8,
        &stat("a", 'S', 0, 1),
        &[("3", "socket:[1]")],
    );
    let refused = || {
        let cause = io::ErrorKind::PermissionDenied.into();
        Err(Error::bpf("tell", cause))
    };
    let error = walk_rest(root.path(), ALL, refused).unwrap_err();
    assert_eq!(error.chain(), "bpf: cannot tell: permission denied");
}

#[test]
fn what_threads_and_rings_have_to_themselves_is_read() {
    let root = tempfile::tempdir().unwrap();
    let ring = "anon_inode:[io_uring]";
    let links = [
        ("3", "socket:[5]"),
        ("4", ring),
        ("5", "anon_inode:[eventpoll]"),
    ];
    process(root.path(), 20, &stat("a", 'S', 0, 3), &links);
    let own = root.path().join("20");
    for (thread, name, target) in [
        (21, "3", "socket:[6]"),
        (21, "7", ring),
        (22, "3", "socket:[7]"),
    ] {
        let directory = own.join(format!("task/{thread}/fd"));
        fs::create_dir_all(&directory).unwrap();
        symlink(target, directory.join(name)).unwrap();
    }
    for (path, inode) in [("fdinfo/4", 8), ("fdinfo/5", 9), ("task/21/fdinfo/7", 10)] {
        let path = own.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("UserFiles:\t1\n    0: socket:[{inode}]\n")).unwrap();
    }
    let shares = |one, other| (one, other) == (20, 22);
    let found = walk(root.path(), Threads::All(&shares)).unwrap();
    let fixed = Descriptor::FIXED;
    let expected = [(5, 20, 3), (6, 20, 3), (8, 20, fixed), (10, 20, fixed)];
    assert_eq!(sorted(found), expected);
    let first = walk(root.path(), Threads::First).unwrap();
    assert_eq!(sorted(first), [(5, 20, 3)]);
}

#[test]
fn parent_is_found_behind_the_name() {
    assert_eq!(parent(b"8 (a) S 1 (b) S 812 8 8 0"), Some(812));
    assert_eq!(parent(b"8 (a) S 0 8 8 0"), None);
}

#[test]
fn start_is_counted_from_the_end_of_the_name() {
    let stat = format!("8 (a) S 1 (b) S {} 4242 7", ["1"; 18].join(" "));
    assert_eq!(start_ticks(stat.as_bytes()), Some(4_242));
    assert_eq!(start_ticks(b"8 (a) S 1"), None);
    assert_eq!(start_ticks(b"no name"), None);
}
