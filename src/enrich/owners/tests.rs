#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod chosen;

use super::missing::HIDDEN;
use super::{OwnerSource, Owners, ScanScope};
use crate::enrich::name_cache::NameCache;
use crate::enrich::users;
use crate::enrich::visibility::Visibility;
use crate::model::{Family, Process, ProcessStatus, Protocol, Socket, Warning};
use crate::procfs::fd::Unreadable;
use crate::procfs::moment::{InodeCounters, ticks};
use crate::start;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Adds a process to a copy of /proc.
fn process(root: &Path, pid: u32, name: &[u8], links: &[(u32, u64)]) {
    let directory = root.join(pid.to_string());
    fs::create_dir_all(directory.join("fd")).unwrap();
    fs::write(directory.join("comm"), [name, b"\n"].concat()).unwrap();
    fs::write(directory.join("cmdline"), b"prog\0-x\0").unwrap();
    fs::write(directory.join("status"), "Name:\tx\nUid:\t7\t0\t7\t7\n").unwrap();
    for (fd, inode) in links {
        let link = directory.join("fd").join(fd.to_string());
        symlink(format!("socket:[{inode}]"), link).unwrap();
    }
}

fn with_inode(inode: u64) -> Socket {
    Socket {
        inode: Some(inode),
        ..Socket::new(Protocol::Udp, Family::Inet)
    }
}

fn of(owners: &mut Owners, inode: u64) -> (ProcessStatus, Vec<Process>) {
    let mut names = super::Names {
        users: NameCache::new(Some(users::name_of)),
        containers: None,
        tasks: super::Tasks::default(),
    };
    let status = owners.of(&with_inode(inode), &mut names);
    (status, owners.found().to_vec())
}

fn nameless() -> super::Names {
    super::Names {
        users: NameCache::new(None),
        containers: None,
        tasks: super::Tasks::default(),
    }
}

fn inode_of(socket: &impl AsFd) -> u64 {
    rustix::fs::fstat(socket).unwrap().st_ino
}

/// A process that is killed with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A child that waits, with this socket as its standard input.
fn child_holding(socket: &UdpSocket, program: &Path) -> Running {
    let copy = socket.as_fd().try_clone_to_owned().unwrap();
    let mut command = Command::new(program);
    let child = start::spawn(command.arg("60").stdin(Stdio::from(copy)));
    Running(child.unwrap())
}

fn walking(root: impl Into<PathBuf>) -> Owners {
    Owners::new(root, ScanScope::All, OwnerSource::Proc).unwrap()
}

fn among(root: impl Into<PathBuf>, pids: Vec<u32>) -> Owners {
    Owners::new(root, ScanScope::Only(pids), OwnerSource::Proc).unwrap()
}

/// Processes that may not be read.
fn closed(pids: &[u32]) -> Vec<Unreadable> {
    let closed = |pid: &u32| Unreadable {
        pid: *pid,
        parent: None,
        cause: Errno::ACCESS,
    };
    pids.iter().map(closed).collect()
}

fn texts_of(owners: &Owners) -> Vec<String> {
    owners
        .warnings(super::Tasks::default())
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn every_process_and_descriptor_is_listed_in_order() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 300, b"worker", &[(9, 5), (10, 5), (3, 6)]);
    process(root.path(), 20, b"master", &[(12, 5), (4, 5)]);
    let mut owners = walking(root.path());
    let (status, found) = of(&mut owners, 5);
    assert_eq!(status, ProcessStatus::Found);
    let found: Vec<_> = found.into_iter().map(|p| (p.pid, p.fds)).collect();
    assert_eq!(found, [(20, vec![4, 12]), (300, vec![9, 10])]);
    assert_eq!(of(&mut owners, 6).1.len(), 1, "nothing stays from before");
    assert_eq!(of(&mut owners, 7), (ProcessStatus::Unseen, Vec::new()));
    assert!(owners.in_doubt && owners.warnings(super::Tasks::default()).is_empty());
}

#[test]
fn details_survive_whatever_the_bytes() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a) R\n\xff ", &[(3, 5)]);
    let (_, found) = of(&mut walking(root.path()), 5);
    assert_eq!(found[0].name.as_deref(), Some(&b"a) R\n\xff "[..]));
    assert_eq!(found[0].command.as_deref(), Some(&b"prog -x"[..]));
    assert_eq!(found[0].called, 4);
    assert_eq!(found[0].uid, Some(0));
    assert_eq!(found[0].user.as_deref(), Some("root"));
}

#[test]
fn process_without_a_name_is_an_owner_whose_name_is_unknown() {
    let root = tempfile::tempdir().unwrap();
    for (pid, odd) in [
        (20, "nothing"),
        (21, "directory"),
        (22, "pipe"),
        (23, "device"),
    ] {
        process(root.path(), pid, b"a", &[(3, 5)]);
        let path = root.path().join(format!("{pid}/comm"));
        fs::remove_file(&path).unwrap();
        match odd {
            "directory" => fs::create_dir(&path).unwrap(),
            "pipe" => mkfifoat(CWD, &path, Mode::RUSR).unwrap(),
            "device" => symlink("/dev/zero", &path).unwrap(),
            _ => {}
        }
    }
    fs::remove_file(root.path().join("23/cmdline")).unwrap();
    process(root.path(), 24, b"", &[(3, 5)]);
    let (status, found) = of(&mut walking(root.path()), 5);
    assert_eq!((status, found.len()), (ProcessStatus::Found, 5));
    let [.., device, unnamed] = &found[..] else {
        unreachable!()
    };
    assert!(found.iter().take(4).all(|process| process.name.is_none()));
    assert_eq!((&device.command, &unnamed.name), (&None, &Some(Vec::new())));
}

#[test]
fn command_of_a_process_whose_first_thread_has_ended_is_that_of_another() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a", &[(3, 5)]);
    fs::write(root.path().join("20/cmdline"), "").unwrap();
    for (thread, command) in [(20, ""), (21, ""), (22, "prog\0-y\0")] {
        let task = root.path().join(format!("20/task/{thread}"));
        fs::create_dir_all(&task).unwrap();
        fs::write(task.join("cmdline"), command).unwrap();
    }
    let (_, found) = of(&mut walking(root.path()), 5);
    assert_eq!(found[0].command.as_deref(), Some(&b"prog -y"[..]));
}

#[test]
fn command_of_a_process_that_is_ending_is_unknown() {
    let root = tempfile::tempdir().unwrap();
    for (pid, rest, command) in [
        (20, "S 1 7 7 0 -1 0", Some(&b""[..])),
        (21, "Z 1 7 7 0 -1 0", None),
        (22, "R 1 7 7 0 -1 4", None),
    ] {
        process(root.path(), pid, b"a", &[(3, 5)]);
        fs::write(root.path().join(format!("{pid}/cmdline")), "").unwrap();
        let stat = format!("{pid} (a) {rest}{} 3 0\n", " 0".repeat(10));
        fs::write(root.path().join(format!("{pid}/stat")), stat).unwrap();
        let (_, found) = of(&mut among(root.path(), vec![pid]), 5);
        assert_eq!(found[0].command.as_deref(), command, "{pid}");
    }
}

#[test]
fn process_that_vanished_after_the_walk_is_left_out() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a", &[(3, 5)]);
    process(root.path(), 21, b"b", &[(3, 5), (4, 6)]);
    let mut owners = walking(root.path());
    assert_eq!(of(&mut owners, 1).0, ProcessStatus::Unseen);
    fs::remove_dir_all(root.path().join("21")).unwrap();
    let (status, found) = of(&mut owners, 5);
    assert_eq!(
        (status, found[0].pid, found.len()),
        (ProcessStatus::Found, 20, 1)
    );
    assert_eq!(of(&mut owners, 6), (ProcessStatus::Unseen, Vec::new()));
}

#[test]
fn socket_without_an_inode_has_no_owner_and_needs_no_look() {
    let mut owners = walking("/nonexistent");
    let socket = Socket::new(Protocol::Tcp, Family::Inet);
    let status = owners.of(&socket, &mut nameless());
    let found = owners.found();
    assert_eq!((status, found.len()), (ProcessStatus::None, 0));
    assert!(owners.scan.is_none(), "nothing was read");
    assert!(owners.warnings(super::Tasks::default()).is_empty());
}

#[test]
fn unreadable_root_is_told_and_nothing_is_denied() {
    let mut owners = walking("/nonexistent");
    assert_eq!(of(&mut owners, 5).0, ProcessStatus::Unreadable);
    let texts = ["cannot open /nonexistent: no such file or directory"];
    assert_eq!(texts_of(&owners), texts);
}

#[test]
fn unreadable_process_makes_misses_uncertain() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a", &[(3, 5)]);
    let mut owners = walking(root.path());
    assert_eq!(of(&mut owners, 6).0, ProcessStatus::Unseen);
    owners.scan.as_mut().unwrap().unreadable = closed(&[1; 212]);
    assert_eq!(of(&mut owners, 6).0, ProcessStatus::Unreadable);
    assert_eq!(of(&mut owners, 5).0, ProcessStatus::Found);
    assert!(texts_of(&owners)[0].starts_with("212 processes not readable"));
    owners.scan.as_mut().unwrap().unreadable = closed(&[1]);
    assert!(texts_of(&owners)[0].starts_with("pid 1 not readable"));
}

/// Adds a process that may not be read to a copy.
fn suspect(root: &Path, pid: u32, parent: u32, uid: u32) -> Unreadable {
    process(root, pid, b"closed", &[]);
    let status = format!("Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n");
    fs::write(root.join(format!("{pid}/status")), status).unwrap();
    let [mut suspect] = closed(&[pid]).try_into().unwrap_or_else(|_| unreachable!());
    suspect.parent = Some(parent);
    suspect
}

#[test]
fn others_may_hold_a_socket_if_they_made_or_inherited_it() {
    let root = tempfile::tempdir().unwrap();
    // The holder is 20, of user 0, a child of 10.
    process(root.path(), 20, b"a", &[(3, 5)]);
    let stat = format!("20 (a) S 10{} 1 0", " 1".repeat(17));
    fs::write(root.path().join("20/stat"), stat).unwrap();
    let mut socket = with_inode(5);
    for (pid, parent, uid, made_by, may) in [
        // Of another user, while a process of the socket's user is known.
        (30, 1, 7, Some(0), false),
        // Of the same user, but unrelated.
        (30, 1, 0, Some(0), false),
        // Its parent, with the socket's user or another; init adopts.
        (10, 1, 0, Some(0), true),
        (10, 1, 7, Some(0), false),
        (10, 1, 7, None, true),
        (1, 0, 0, Some(0), false),
        // Its child, with any user.
        (30, 20, 7, Some(0), true),
        // No known holder has the socket's user.
        (30, 1, 7, Some(7), true),
        (30, 1, 8, Some(7), false),
        (1, 0, 7, Some(7), true),
    ] {
        let mut owners = walking(root.path());
        owners.look();
        owners.scan.as_mut().unwrap().unreadable = vec![suspect(root.path(), pid, parent, uid)];
        socket.uid = made_by;
        let status = owners.of(&socket, &mut nameless());
        let expected = if may {
            ProcessStatus::Partial
        } else {
            ProcessStatus::Found
        };
        assert_eq!(
            (status, owners.in_doubt),
            (expected, may),
            "{pid} {parent} {uid} {made_by:?}"
        );
        assert_eq!(owners.found().len(), 1);
        fs::remove_dir_all(root.path().join(pid.to_string())).unwrap();
    }
}

#[test]
fn what_failed_to_be_read_may_hold_everything() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a", &[(3, 5)]);
    let mut owners = walking(root.path());
    owners.look();
    let mut failed = closed(&[30, 31]);
    for one in &mut failed {
        one.cause = Errno::MFILE;
    }
    owners.scan.as_mut().unwrap().unreadable = failed;
    assert_eq!(of(&mut owners, 5).0, ProcessStatus::Partial);
    assert_eq!(of(&mut owners, 6).0, ProcessStatus::Unreadable);
    let text = "cannot read the descriptors of pid 30 and 1 more process: too many open files";
    assert_eq!(texts_of(&owners), [text]);
    assert!(owners.warnings(super::Tasks::default())[0].is_gap());
}

#[test]
fn owners_out_of_sight_are_not_denied() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a", &[(3, 5)]);
    let mut owners = walking(root.path());
    assert_eq!(of(&mut owners, 5).0, ProcessStatus::Found);
    owners.scan.as_mut().unwrap().visibility = Visibility::PidNamespace;
    assert!(
        owners.warnings(super::Tasks::default()).is_empty(),
        "no row was concerned"
    );
    assert_eq!(of(&mut owners, 6).0, ProcessStatus::Unreadable);
    assert!(texts_of(&owners)[0].contains("PID namespace"));
    let made_by_another = Socket {
        uid: Some(7),
        ..with_inode(5)
    };
    let status = owners.of(&made_by_another, &mut nameless());
    assert_eq!(status, ProcessStatus::Partial);
    owners.scan.as_mut().unwrap().visibility = Visibility::OwnOnly;
    assert_eq!(of(&mut owners, 6).0, ProcessStatus::Unreadable);
    assert!(texts_of(&owners)[0].contains("hidepid"));
}

#[test]
fn socket_made_after_the_walk_is_found_by_another() {
    let mut owners = walking("/proc");
    let old = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(of(&mut owners, inode_of(&old)).0, ProcessStatus::Found);
    assert_eq!(owners.walks, 1);
    let new = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (status, found) = of(&mut owners, inode_of(&new));
    assert_eq!(status, ProcessStatus::Found);
    assert!(found.iter().any(|p| p.pid == std::process::id()));
    assert_eq!(owners.walks, 2);
}

#[test]
fn sockets_newer_than_the_last_walk_are_not_denied() {
    let mut owners = walking("/proc");
    let mut sockets = Vec::new();
    for walks in [1, 2, 3] {
        sockets.push(UdpSocket::bind("127.0.0.1:0").unwrap());
        let inode = inode_of(&sockets[walks - 1]);
        assert_eq!(of(&mut owners, inode).0, ProcessStatus::Found);
        assert_eq!(usize::from(owners.walks), walks);
    }
    let late = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_eq!(
        of(&mut owners, inode_of(&late)).0,
        ProcessStatus::Unreadable
    );
    assert_eq!(owners.walks, 3);
    let text = "the processes of 1 new socket are unknown";
    assert!(texts_of(&owners).iter().any(|warning| warning == text));
    owners = owners.forget();
    assert_eq!(of(&mut owners, inode_of(&late)).0, ProcessStatus::Found);
}

#[test]
fn closed_socket_from_before_the_walk_costs_no_other_walk() {
    let gone = inode_of(&UdpSocket::bind("127.0.0.1:0").unwrap());
    let mut owners = walking("/proc");
    let expected = |owners: &Owners| match owners.scan.as_ref().unwrap().unreadable.len() {
        0 => ProcessStatus::Unseen,
        _ => ProcessStatus::Unreadable,
    };
    let status = of(&mut owners, gone).0;
    if owners.scan.as_ref().unwrap().visibility == Visibility::All {
        assert_eq!(status, expected(&owners));
    }
    assert_eq!(owners.walks, 1);
    assert!(owners.too_new.is_empty());
}

#[test]
fn without_any_process_nobody_can_tell() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("net")).unwrap();
    let mut owners = walking(root.path());
    assert_eq!(of(&mut owners, 5).0, ProcessStatus::Unreadable);
    let text = format!(
        "cannot find processes in {}: it has none",
        root.path().display()
    );
    assert_eq!(texts_of(&owners), [text]);
}

#[test]
fn copy_of_proc_has_nothing_newer() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a", &[(3, 5)]);
    let mut owners = walking(root.path());
    assert_eq!(of(&mut owners, u64::MAX).0, ProcessStatus::Unseen);
    assert_eq!(
        owners.scan.unwrap().began.counters,
        InodeCounters::default()
    );
}

#[test]
fn socket_shared_with_a_child_has_two_processes() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let child = child_holding(&socket, Path::new("sleep"));
    let (status, found) = of(&mut walking("/proc"), inode_of(&socket));
    assert_eq!(status, ProcessStatus::Found);
    let mine = found.iter().find(|p| p.pid == std::process::id()).unwrap();
    assert_eq!(mine.fds, [u32::try_from(socket.as_raw_fd()).unwrap()]);
    assert_eq!(mine.uid, Some(rustix::process::geteuid().as_raw()));
    let theirs = found.iter().find(|p| p.pid == child.0.id()).unwrap();
    assert_eq!(theirs.fds, [0]);
    assert!(found.is_sorted_by_key(|p| p.pid));
}

#[test]
fn hostile_name_of_a_live_process_survives() {
    let directory = tempfile::tempdir().unwrap();
    let name = b"x) R\n\x1b]0;\xff";
    let program = directory.path().join(OsStr::from_bytes(name));
    start::undisturbed(|| fs::copy("/bin/sleep", &program)).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let child = child_holding(&socket, &program);
    let (_, found) = of(&mut walking("/proc"), inode_of(&socket));
    let theirs = found.iter().find(|p| p.pid == child.0.id()).unwrap();
    assert_eq!(theirs.name.as_deref(), Some(&name[..]));
    let command = [program.as_os_str().as_bytes(), b" 60"].concat();
    assert_eq!(theirs.command, Some(command));
}

/// `/proc/PID/stat` of a process that started this many ticks after boot.
fn started(root: &Path, pid: u32, ticks: u64) {
    let stat = format!("{pid} (a b) S{} {ticks} 0", " 1".repeat(18));
    fs::write(root.join(format!("{pid}/stat")), stat).unwrap();
}

#[test]
fn number_that_was_given_to_another_process_names_no_owner() {
    let root = tempfile::tempdir().unwrap();
    let later = ticks() + 100_000;
    process(root.path(), 20, b"same", &[(3, 5)]);
    started(root.path(), 20, 1);
    process(root.path(), 21, b"new", &[(3, 5)]);
    started(root.path(), 21, later);
    process(root.path(), 22, b"old", &[(3, 5)]);
    let mut owners = walking(root.path());
    assert_eq!(of(&mut owners, 1).0, ProcessStatus::Unseen);
    // Meanwhile the first closes its descriptor, and the pid of the last is reused.
    for pid in [20, 22] {
        fs::remove_file(root.path().join(format!("{pid}/fd/3"))).unwrap();
    }
    started(root.path(), 22, later);
    let (_, found) = of(&mut owners, 5);
    let pids: Vec<u32> = found.iter().map(|process| process.pid).collect();
    assert_eq!(pids, [20, 21]);
}

#[test]
fn only_the_iterator_where_it_cannot_be_used_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    process(root.path(), 20, b"a", &[(3, 5)]);
    let by = |source| Owners::new(root.path(), ScanScope::All, source);
    let error = by(OwnerSource::Bpf).unwrap_err().chain();
    assert_eq!(error, "bpf: cannot replace /proc: it is a copy of one");
    let mut owners = by(OwnerSource::Auto).unwrap();
    assert_eq!(of(&mut owners, 5).0, ProcessStatus::Found);
    assert!(owners.warnings(super::Tasks::default()).is_empty());
}
