//! Owners below a root that is none, another PID namespace's, or made to break its reader.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::Value;
use tempfile::TempDir;

use crate::scene::V4;
use crate::scene::tcp;
use crate::support::{
    LSOCK, Run, can_strace, command, fresh, lsock, needed, run, skip, with_faults,
};

/// The header of `net/tcp` and a listener with this inode.
fn listener(inode: u64) -> String {
    format!(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
           0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 {inode} 1 \
         0000000000000000 100 0 0 10 0\n"
    )
}

/// A copy of `/proc` with a listener of inode 77.
struct Tree(TempDir);

impl Tree {
    fn new() -> Tree {
        let tree = Tree(TempDir::new().unwrap());
        fs::create_dir(tree.path("net")).unwrap();
        fs::write(tree.path("net/tcp"), listener(77)).unwrap();
        tree
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Adds a process with this socket as descriptor 3.
    fn with_process(self, pid: u32, inode: u64) -> Tree {
        let own = self.path(&pid.to_string());
        fs::create_dir_all(own.join("fd")).unwrap();
        symlink(format!("socket:[{inode}]"), own.join("fd/3")).unwrap();
        for (name, text) in [("comm", "a\n"), ("cmdline", "a\0-b\0")] {
            fs::write(own.join(name), text).unwrap();
        }
        self
    }

    /// Puts something else in the place of a file.
    fn with(self, name: &str, make: impl Fn(&Path)) -> Tree {
        let path = self.path(name);
        let _ = fs::remove_file(&path);
        make(&path);
        self
    }

    fn run(&self, words: &[&str]) -> Run {
        let root = self.0.path().to_str().unwrap();
        lsock([&["-t4l", "--proc-root", root], words].concat())
    }

    /// The only socket.
    fn row(&self) -> Value {
        self.run(&["-pj"]).clean().sockets().remove(0)
    }
}

fn pipe(path: &Path) {
    mkfifo(path, Mode::S_IRUSR).unwrap();
}

fn device(path: &Path) {
    symlink("/dev/zero", path).unwrap();
}

fn absent(_: &Path) {}

/// With another one in it.
fn directory(path: &Path) {
    fs::create_dir_all(path.join("3")).unwrap();
}

fn endless(path: &Path) {
    File::create(path).unwrap().set_len(1 << 40).unwrap();
}

#[test]
fn socket_that_no_process_shows_is_held_by_something() {
    let tree = Tree::new().with_process(9, 78);
    let row = tree.row();
    assert_eq!(
        (&row["process_status"], &row["processes"]),
        (&"unseen".into(), &Value::Null)
    );
    for (filter, status) in [
        ("pid = unknown", 0),
        ("process_status = unseen", 0),
        ("pid != unknown", 1),
        ("pid = none", 2),
        ("process = a", 2),
        ("process != a", 2),
    ] {
        assert_eq!(tree.run(&["-q", filter]).status, Some(status), "{filter}");
    }
    let text = tree.run(&["-pnH"]).clean();
    assert!(text.text().trim_end().ends_with(" ?"), "{text:?}");
    // Whom nobody can hold is certain.
    let orphan = Tree::new().with("net/tcp", |path| fs::write(path, listener(0)).unwrap());
    let orphan = orphan.with_process(9, 78);
    assert_eq!(orphan.row()["process_status"], "none");
    assert_eq!(orphan.run(&["-q", "pid = none"]).status, Some(0));
}

#[test]
fn process_without_a_readable_name_is_an_owner() {
    for make in [absent as fn(&Path), pipe, device, directory] {
        let tree = Tree::new().with_process(9, 77);
        let tree = tree.with("9/comm", make).with("9/cmdline", make);
        let row = tree.row();
        let process = &row["processes"][0];
        assert_eq!(
            (&process["pid"], &process["name"]),
            (&9.into(), &Value::Null)
        );
        assert_eq!(
            (&process["command"], &process["fds"][0]),
            (&Value::Null, &3.into())
        );
        for (filter, status) in [("pid = 9", 0), ("process = a", 2), ("process != b", 2)] {
            assert_eq!(tree.run(&["-q", filter]).status, Some(status), "{filter}");
        }
        assert!(tree.run(&["-pnH"]).clean().text().contains(" ?[9]"));
    }
}

#[test]
fn process_whose_descriptors_are_no_links_in_a_directory_is_unreadable() {
    for (make, cause) in [
        (absent as fn(&Path), "no such file or directory"),
        (pipe, "not a directory"),
        (device, "not a directory"),
        (directory, "invalid argument"),
    ] {
        let tree = Tree::new().with_process(9, 78);
        fs::remove_dir_all(tree.path("9/fd")).unwrap();
        let tree = tree.with("9/fd", make);
        let run = tree.run(&["-pj"]);
        let told =
            format!("lsock: incomplete list: cannot read the descriptors of pid 9: {cause}\n");
        assert_eq!((run.status, run.stderr.as_str()), (Some(2), told.as_str()));
        let document = run.document();
        assert_eq!(document["summary"]["complete"], false);
        assert_eq!(document["sockets"][0]["process_status"], "unreadable");
        for filter in ["pid = 9", "pid != 9", "pid = none"] {
            assert_eq!(tree.run(&["-q", filter]).status, Some(2), "{filter}");
        }
        assert_eq!(tree.run(&["-q", "pid = unknown"]).status, Some(0));
    }
}

#[test]
fn hostile_files_are_not_waited_for_nor_kept() {
    let names = [
        "net/tcp",
        "net/protocols",
        "9/comm",
        "9/cmdline",
        "9/stat",
        "9/status",
        "2/stat",
    ];
    for name in names {
        for make in [pipe as fn(&Path), device, endless] {
            let tree = Tree::new().with_process(9, 77).with_process(2, 78);
            let run = tree.with(name, make).run(&["-pj"]);
            let is_table = name == "net/tcp";
            assert_eq!(
                run.status,
                Some(if is_table { 2 } else { 0 }),
                "{name}: {run:?}"
            );
            assert_eq!(run.document()["summary"]["complete"], !is_table, "{name}");
            let kept = run.stdout.len() + run.stderr.len();
            // Of what a command line may be long, as much is shown.
            assert!(kept < 40 << 20, "{name}: {kept}");
        }
    }
}

#[test]
fn copy_of_a_proc_without_tables_is_not_complete() {
    let tree = Tree::new().with_process(9, 77);
    fs::remove_file(tree.path("net/tcp")).unwrap();
    let run = tree.run(&["-j"]);
    assert_eq!(run.status, Some(2), "{run:?}");
    assert_eq!(run.document()["summary"]["complete"], false);
}

#[test]
fn process_of_a_root_without_any_is_unknown() {
    let tree = Tree::new();
    for words in [&["-pj"][..], &["-j", "pid = 9"], &["-j", "pid != 9"]] {
        let run = tree.run(words);
        assert_eq!(run.status, Some(2), "{words:?}: {run:?}");
        assert!(run.stderr.contains("cannot find processes in "), "{run:?}");
    }
    let tree = tree.with_process(9, 78);
    assert_eq!(tree.run(&["-q", "pid = 9"]).status, Some(1));
    assert_eq!(tree.run(&["-q", "pid = 8"]).status, Some(1), "it is gone");
}

#[test]
fn process_by_number_is_unknown_in_the_proc_of_another_pid_namespace() {
    let Some(_namespace) = fresh() else { return };
    let Some(unshare) = needed("unshare") else {
        return;
    };
    let _listener = tcp::listener(V4, 1).unwrap();
    let inside = |mount: &[&str], words: &[&str]| {
        let mut unshare = command(&unshare);
        let unshare = unshare.args(["--pid", "--fork"]).args(mount).arg(LSOCK);
        run(unshare.args(words))
    };
    let own = format!("pid = {}", std::process::id());
    for words in [&["-tlq", &own][..], &["-tlq", "pid = 1"], &["-tl", &own]] {
        let run = inside(&[], words);
        assert_eq!(run.status, Some(2), "{run:?}");
        assert!(
            run.stderr.contains("it is of another PID namespace"),
            "{run:?}"
        );
    }
    // With its own, a process that is not there has gone.
    let run = inside(&["--mount-proc"], &["-tlq", "pid = 999999"]);
    assert_eq!((run.status, run.stderr.as_str()), (Some(1), ""));
}

#[test]
fn failures_to_read_are_no_lack_of_rights() {
    let Some(_namespace) = fresh() else { return };
    if !can_strace() {
        return;
    }
    let _listener = tcp::listener(V4, 1).unwrap();
    let words = ["-tlpj", "--owners", "proc"];
    for (fault, text) in [
        ("getdents64:error=EIO:when=2+", "input/output error"),
        ("readlinkat:error=EIO", "input/output error"),
        ("getdents64:error=EMFILE:when=2+", "too many open files"),
    ] {
        let run = with_faults(&[fault], &words);
        assert_eq!(run.status, Some(2), "{fault}: {run:?}");
        assert!(run.stderr.contains(text), "{fault}: {run:?}");
        assert!(!run.stderr.contains("by root"), "{fault}: {run:?}");
        let document = run.document();
        assert_eq!(document["summary"]["complete"], false);
        assert_eq!(document["sockets"][0]["process_status"], "unreadable");
    }
}

#[test]
fn root_of_a_user_namespace_is_told_that_it_is_one() {
    let Some(_namespace) = fresh() else { return };
    let Some(unshare) = needed("unshare") else {
        return;
    };
    let _listener = tcp::listener(V4, 1).unwrap();
    let mut unshare = command(&unshare);
    let unshare = unshare.args(["--user", "--map-root-user", LSOCK, "-tlpn"]);
    let run = run(unshare);
    if run.status == Some(1) {
        skip(run.stderr.trim());
        return;
    }
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(
        run.stderr
            .contains(" not readable from this user namespace"),
        "{run:?}"
    );
    assert!(!run.stderr.contains("even by root"), "{run:?}");
}
