//! The files of `/proc/net`.

use std::fs;

use tempfile::TempDir;

use super::*;

/// A copy of the file that lists the sockets of the stage: `strace` knows it by its path.
struct Copy {
    root: TempDir,
    file: String,
}

impl Copy {
    fn new() -> Self {
        let root = TempDir::new().unwrap();
        fs::create_dir(root.path().join("net")).unwrap();
        let file = root.path().join("net/tcp");
        fs::write(&file, fs::read("/proc/thread-self/net/tcp").unwrap()).unwrap();
        let file = file.to_str().unwrap().to_owned();
        Self { root, file }
    }

    fn with_fault(&self, fault: &str) -> Run {
        let root = self.root.path().to_str().unwrap();
        with_faults(
            &[&self.file, fault],
            &[&LIST[..], &["--proc-root", root]].concat(),
        )
    }
}

#[test]
fn file_of_this_machine_that_cannot_be_opened_is_an_error() {
    let Some(stage) = Stage::new() else { return };
    let words = [&LIST[..], &["--source", "procfs"]].concat();
    let attempt = with_faults(&["/proc/net/tcp", "openat:error=EACCES"], &words);
    assert_incomplete(
        &attempt,
        &stage,
        "lsock: cannot open /proc/net/tcp: permission denied\n",
    );
    assert_eq!(attempt.rows().len(), 0, "{attempt:?}");
}

/// As in gVisor, which has no netlink for it either.
#[test]
fn file_of_this_machine_that_is_missing_is_not_taken_for_no_sockets() {
    let Some(_namespace) = straced() else { return };
    let words = ["-uanj4", "--source", "procfs"];
    let attempt = with_faults(&["/proc/net/udp", "openat:error=ENOENT"], &words);
    assert_eq!(attempt.status, Some(2), "{attempt:?}");
    let gap = "there is no /proc/net/udp: IPv4 UDP sockets cannot be listed";
    assert!(attempt.stderr.contains(gap), "{attempt:?}");
    assert_eq!(attempt.document()["summary"]["complete"], false);
    let check = ["-uq4", "--source", "procfs", "--expect", "0"];
    let attempt = with_faults(&["/proc/net/udp", "openat:error=ENOENT"], &check);
    assert_eq!(attempt.status, Some(2), "{attempt:?}");
}

#[test]
fn netlink_and_file_that_are_both_refused_are_an_error() {
    let Some(stage) = Stage::new() else { return };
    let number = number_of_open("/proc/net/tcp");
    let open = format!("openat:error=EACCES:when={number}");
    let attempt = with_faults(&["socket:error=EPERM", &open], &LIST);
    assert_incomplete(
        &attempt,
        &stage,
        "lsock: netlink: cannot list IPv4 TCP sockets: operation not permitted; \
         cannot open /proc/net/tcp: permission denied\n",
    );
    assert_eq!(attempt.rows().len(), 0, "{attempt:?}");
}

/// Which of the calls of `openat` opens this file when netlink is refused.
fn number_of_open(file: &str) -> usize {
    let refused = "-einject=socket:error=EPERM";
    let mut strace = strace(&["-etrace=openat,socket", refused, "-o/proc/self/fd/2"]);
    let attempt = run(strace.args(LIST));
    let mut calls = attempt
        .stderr
        .lines()
        .filter(|line| line.contains("openat("));
    let index = calls.position(|line| line.contains(&format!("\"{file}\"")));
    index.unwrap_or_else(|| panic!("{attempt:?}")) + 1
}

#[test]
fn file_that_cannot_be_opened_is_an_error() {
    let Some(stage) = Stage::new() else { return };
    let copy = Copy::new();
    for (code, text) in [
        ("EACCES", "permission denied"),
        ("EMFILE", "too many open files"),
        ("EIO", "input/output error"),
    ] {
        let attempt = copy.with_fault(&format!("openat:error={code}"));
        let message = format!("lsock: cannot open {}: {text}\n", copy.file);
        assert_incomplete(&attempt, &stage, &message);
        assert_eq!(attempt.rows().len(), 0, "{code}: {attempt:?}");
    }
}

#[test]
fn file_that_is_not_there_is_a_table_that_the_kernel_does_not_have() {
    let Some(_stage) = Stage::new() else { return };
    let copy = Copy::new();
    let attempt = copy.with_fault("openat:error=ENOENT");
    assert_eq!(attempt.status, Some(0), "{attempt:?}");
    let document = attempt.document();
    let source = &document["summary"]["sources"][0];
    assert!(source["source"].is_null(), "{source}");
    assert_eq!(source["reason"], format!("there is no {}", copy.file));
}

#[test]
fn file_that_cannot_be_read_is_an_error() {
    let Some(stage) = Stage::new() else { return };
    let copy = Copy::new();
    let attempt = copy.with_fault("read:error=EIO");
    let message = format!("lsock: cannot read {}: input/output error\n", copy.file);
    assert_incomplete(&attempt, &stage, &message);
    assert_eq!(attempt.rows().len(), 0, "{attempt:?}");
}

#[test]
fn file_that_cannot_be_read_on_is_an_incomplete_list() {
    let Some(stage) = Stage::new() else { return };
    let copy = Copy::new();
    let attempt = copy.with_fault("read:error=EIO:when=2");
    let part = format!(
        "incomplete list: cannot read {}: input/output error (after line",
        copy.file
    );
    assert_incomplete(&attempt, &stage, &part);
    assert!(attempt.rows().len() > 1, "{attempt:?}");
}

#[test]
fn interrupted_calls_change_nothing() {
    let Some(stage) = Stage::new() else { return };
    let copy = Copy::new();
    for when in ["1", "2", "1+2"] {
        let attempt = copy.with_fault(&format!("read:error=EINTR:when={when}"));
        assert_whole(&attempt, &stage, "procfs");
        assert_eq!(attempt.stderr, UNLISTED, "{when}");
    }
}
