//! Owners compared with a walk of the test's own, in a PID namespace where every process can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::ways::is_usable;
use crate::support::{Child, Run, fresh, lsock, needed, output, run, skip, stage, undisturbed};

/// Set where the test runs in a PID namespace of its own.
const ALONE: &str = "LSOCK_TESTS_ALONE";

/// True in a PID namespace of our own. Elsewhere the test of this name is run in one.
pub fn is_alone(name: &str, more: &[&str]) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    if let Some(unshare) = needed("unshare") {
        let mut unshare = Command::new(unshare);
        unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
        unshare.args(more).arg("--");
        unshare.arg(std::env::current_exe().unwrap());
        let run = run(unshare
            .args([name, "--exact", "--nocapture"])
            .env(ALONE, "1"));
        assert!(run.text().contains("1 passed"), "{run:?}");
        for line in run.stderr.lines() {
            line.strip_prefix("skipped: ").into_iter().for_each(skip);
        }
    }
    false
}

/// Compiles a program of one file.
pub fn compiled(source: &str) -> Option<(TempDir, PathBuf)> {
    let directory = TempDir::new().unwrap();
    let [text, program] = ["program.c", "program"].map(|name| directory.path().join(name));
    fs::write(&text, source).unwrap();
    let mut compiler = Command::new("cc");
    let compiler = compiler.arg("-pthread").arg(&text).arg("-o").arg(&program);
    let outcome = output(compiler);
    if !outcome.as_ref().is_ok_and(|output| output.status.success()) {
        skip(format_args!("cc: {outcome:?}"));
        return None;
    }
    Some((directory, program))
}

/// Starts a program, and waits until it says that it is ready, or why it cannot be.
pub fn ready(command: &mut Command) -> Option<Child> {
    let mut child = Child::piped(command);
    let mut line = String::new();
    BufReader::new(child.stdout()).read_line(&mut line).unwrap();
    if line != "ready\n" {
        skip(line.trim());
        return None;
    }
    Some(child)
}

/// A program with a listener that only a thread has, one that only an `io_uring` holds, one in an `io_uring`
/// that only the thread has, one in flight, and one that a child of it has, too.
const HIDING: &str = r#"
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int listener(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    listen(fd, 5);
    return fd;
}

static int hide(int fd) {
    struct io_uring_params params;
    memset(&params, 0, sizeof params);
    int ring = syscall(SYS_io_uring_setup, 4, &params);
    int files[2] = {-1, fd};
    int failed = syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, files, 2);
    close(fd);
    return failed;
}

static void send_away(int fd) {
    int ends[2];
    char control[CMSG_SPACE(sizeof fd)] = {0};
    struct iovec bytes = {"x", 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    sendmsg(ends[0], &message, 0);
    close(fd);
}

static void *alone(void *unused) {
    if (unshare(CLONE_FILES)) puts("no descriptors of its own for a thread");
    listener();
    if (hide(listener())) puts("no io_uring");
    puts("ready");
    fflush(stdout);
    sleep(600);
    return unused;
}

int main(void) {
    pthread_t thread;
    listener();
    hide(listener());
    send_away(listener());
    if (fork() == 0) {
        // It ends with its parent.
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        listener();
        sleep(600);
    }
    pthread_create(&thread, NULL, alone, NULL);
    sleep(600);
}
"#;

/// A program with a listener that two children of it hold, too: one in an `io_uring` alone, one in a thread
/// with descriptors of its own alone.
const SHARING: &str = r#"
#define _GNU_SOURCE
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int listener, ready[2];

static void tell(void) { if (write(ready[1], "x", 1) < 0) _exit(1); }

static void *alone(void *unused) {
    if (unshare(CLONE_FILES)) puts("no descriptors of its own for a thread");
    tell();
    sleep(600);
    return unused;
}

int main(void) {
    char told;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    listen(listener, 5);
    if (pipe(ready)) return 1;
    if (fork() == 0) {
        struct io_uring_params params;
        memset(&params, 0, sizeof params);
        int ring = syscall(SYS_io_uring_setup, 4, &params);
        if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &listener, 1)) puts("no io_uring");
        close(listener);
        tell();
        sleep(600);
    }
    if (read(ready[0], &told, 1) < 0) return 1;
    if (fork() == 0) {
        pthread_t thread;
        pthread_create(&thread, NULL, alone, NULL);
        if (read(ready[0], &told, 1) < 0) return 1;
        close(listener);
        puts("ready");
        fflush(stdout);
        sleep(600);
    }
    sleep(600);
}
"#;

/// By inode, by pid, the descriptors; without `lsock`, which differs from run to run.
type Held = BTreeMap<u64, BTreeMap<u64, BTreeSet<u64>>>;

/// What a walk through every thread of every process finds.
fn walked() -> Held {
    let mut held = Held::new();
    for process in numbers("/proc".as_ref()) {
        let folder = PathBuf::from(format!("/proc/{process}/task"));
        for thread in numbers(&folder) {
            let folder = folder.join(thread.to_string());
            for fd in numbers(&folder.join("fd")) {
                let link = fs::read_link(folder.join(format!("fd/{fd}"))).unwrap_or_default();
                let link = link.to_string_lossy().into_owned();
                if let Some(inode) = socket(&link) {
                    let holders = held.entry(inode).or_default();
                    holders.entry(process).or_default().insert(fd);
                }
                if link == "anon_inode:[io_uring]" {
                    let info = fs::read_to_string(folder.join(format!("fdinfo/{fd}"))).unwrap();
                    for inode in info
                        .lines()
                        .filter_map(|line| socket(line.split_once(": ")?.1))
                    {
                        held.entry(inode).or_default().entry(process).or_default();
                    }
                }
            }
        }
    }
    held
}

fn numbers(folder: &Path) -> Vec<u64> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    names.collect()
}

fn socket(text: &str) -> Option<u64> {
    text.strip_prefix("socket:[")?
        .strip_suffix(']')?
        .parse()
        .ok()
}

/// What `lsock` tells of sockets with an inode: who holds those that are held, and how many are not.
fn told(run: &Run) -> (Held, usize) {
    let mut held = Held::new();
    let mut unknown = 0;
    for row in run.sockets() {
        let is_kernel = row["protocol"] == "netlink" && row["local_port"] == 0;
        let Some(inode) = row["inode"].as_u64().filter(|_| !is_kernel) else {
            assert_eq!(row["process_status"], "none", "{row:#}");
            continue;
        };
        let processes = row["processes"].as_array().into_iter().flatten();
        let of = |process: &Value| {
            let fds = process["fds"].as_array().unwrap();
            let fds = fds.iter().map(|fd| fd.as_u64().unwrap()).collect();
            (process["pid"].as_u64().unwrap(), fds)
        };
        let is_own = |process: &&Value| process["name"] == "lsock";
        if row["processes"].is_null() {
            assert!(
                ["unseen", "unreadable"]
                    .iter()
                    .any(|word| row["process_status"] == *word)
            );
            unknown += 1;
        } else if processes.clone().find(is_own).is_none() {
            assert_eq!(row["process_status"], "found", "{row:#}");
            held.insert(inode, processes.map(of).collect());
        }
    }
    (held, unknown)
}

/// Of what `lsock` lists, the owners that it finds this way are those of a walk, and nobody else; gives how many
/// sockets are not held.
fn compare(way: &str) -> usize {
    let words = ["-p", "--json", "-a", "-A", "all", "--owners", way];
    let (run, mut walked) = undisturbed(|| (lsock(words), walked()));
    assert_eq!(run.status, Some(0), "{run:?}");
    let (held, unknown) = told(&run);
    // Of other namespaces nothing is listed.
    walked.retain(|inode, _| held.contains_key(inode));
    assert_eq!(held, walked, "{way}");
    unknown
}

#[test]
fn owners_are_exactly_those_of_a_walk_in_a_pid_namespace() {
    if !is_alone(
        "owners::alone::owners_are_exactly_those_of_a_walk_in_a_pid_namespace",
        &[],
    ) {
        return;
    }
    let Some((scene, _namespace)) = stage() else {
        return;
    };
    assert!(scene.expected.len() > 100);
    hide_and_compare(&["proc", "auto"]);
}

#[test]
fn owners_are_exactly_those_of_a_walk_both_ways() {
    let Some(_namespace) = fresh() else { return };
    let ways: &[_] = if is_usable() {
        &["proc", "bpf"]
    } else {
        &["proc"]
    };
    hide_and_compare(ways);
}

#[test]
fn holder_is_listed_beside_another_though_only_its_ring_or_thread_shows_it() {
    let Some(_namespace) = fresh() else { return };
    let Some((_directory, program)) = compiled(SHARING) else {
        return;
    };
    // Ends with its children.
    let mut setsid = Command::new("unshare");
    let Some(_child) = ready(
        setsid
            .args(["--pid", "--fork", "--kill-child"])
            .arg(&program),
    ) else {
        return;
    };
    let ways: &[_] = if is_usable() {
        &["proc", "bpf"]
    } else {
        &["proc"]
    };
    for way in ways {
        let run = lsock(["-tlpj", "--owners", way]);
        let rows = run.sockets();
        let processes = rows[0]["processes"].as_array().unwrap();
        let named = processes.iter().filter(|one| one["name"] == "program");
        assert_eq!((rows.len(), named.count()), (1, 3), "{way}: {rows:#?}");
    }
}

/// Compares before and after the program hides what it has.
fn hide_and_compare(ways: &[&str]) {
    let unknown = compare("proc");
    let Some((_directory, program)) = compiled(HIDING) else {
        return;
    };
    let Some(_child) = ready(&mut Command::new(program)) else {
        return;
    };
    for way in ways {
        assert_eq!(compare(way), unknown + 1, "one is in flight");
    }
}
