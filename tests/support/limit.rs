//! A time limit for tests that hang: they fail with a report of what they wait for.
//!
//! Without it, a test that waits forever for a child, a thread or a socket would block all later tests, and
//! nobody would know which it was.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::process;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, SysconfVar, gettid, sysconf};

/// Time limit of one test in seconds: several times the sum of the longest waits of a test.
const LIMIT: u64 = 600;

/// Full names of threads, because the kernel truncates them to 15 bytes.
static NAMES: Mutex<BTreeMap<u32, String>> = Mutex::new(BTreeMap::new());

/// Starts the watcher of this process, once, and stores the name of the current test.
pub(super) fn keep() {
    static ONCE: Once = Once::new();
    if let Some(name) = thread::current().name() {
        names().insert(gettid().as_raw().cast_unsigned(), name.to_owned());
    }
    ONCE.call_once(|| {
        let watch = thread::Builder::new().name("limit".to_owned());
        watch.spawn(watch_over).unwrap();
    });
}

#[expect(clippy::exit, reason = "what hangs does not return")]
fn watch_over() {
    loop {
        thread::sleep(Duration::from_secs(5));
        let late = late(LIMIT);
        if late.is_empty() {
            continue;
        }
        let report = report(&late);
        // To standard error, past the harness, which captures the output of tests.
        let _ = io::stderr().write_all(report.as_bytes());
        for child in late.iter().flat_map(|task| children(process::id(), *task)) {
            let _ = kill(Pid::from_raw(child.cast_signed()), Signal::SIGKILL);
        }
        process::exit(101);
    }
}

fn names() -> MutexGuard<'static, BTreeMap<u32, String>> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Threads of this process that are older than `limit` seconds: tests, or started by one.
fn late(limit: u64) -> Vec<u32> {
    let own = process::id();
    let ticks = u64::try_from(sysconf(SysconfVar::CLK_TCK).unwrap().unwrap()).unwrap();
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).unwrap().tv_sec();
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let tasks = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok());
    // The first thread starts the tests and waits for them.
    let tasks = tasks.filter(|task| *task != own);
    tasks
        .filter(|task| file(own, *task, "comm").trim() != "limit")
        .filter(|task| {
            let stat = file(own, *task, "stat");
            let fields = stat.rsplit(')').next().unwrap_or_default();
            let started = fields.split_whitespace().nth(19);
            let started: Option<u64> = started.and_then(|ticks| ticks.parse().ok());
            started.is_some_and(|at| u64::try_from(now).unwrap() > at / ticks + limit)
        })
        .collect()
}

/// Reports the tests, and the system calls in which they and their children wait.
fn report(late: &[u32]) -> String {
    let own = process::id();
    let mut text = format!("\nnot over after {LIMIT} s:\n");
    for task in late {
        describe(&mut text, own, *task, "");
        let mut below = children(own, *task);
        while let Some(child) = below.pop() {
            describe(&mut text, child, child, "  below it ");
            below.extend(children(child, child));
        }
    }
    text
}

fn describe(text: &mut String, of: u32, task: u32, lead: &str) {
    let [comm, call, place, words] =
        ["comm", "syscall", "stack", "cmdline"].map(|name| file(of, task, name));
    let name = if of == process::id() {
        names().get(&task).cloned().unwrap_or(comm)
    } else {
        words.replace('\0', " ")
    };
    let place = place.trim().replace('\n', ", ");
    let (name, call) = (name.trim(), call.trim());
    let _ = writeln!(text, "{lead}{task} {name}\n    call {call}; {place}");
}

/// Children of a thread that were not reaped.
fn children(process: u32, task: u32) -> Vec<u32> {
    let list = file(process, task, "children");
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Empty if the file does not exist, or no longer.
fn file(process: u32, task: u32, name: &str) -> String {
    let path = format!("/proc/{process}/task/{task}/{name}");
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

#[test]
fn what_hangs_is_named_with_its_children() {
    let child = super::spawn(process::Command::new("sleep").arg("60"));
    let mut child = child.unwrap();
    let own = gettid().as_raw().cast_unsigned();
    assert!(!late(LIMIT).contains(&own));
    thread::sleep(Duration::from_millis(2100));
    assert!(late(0).contains(&own));
    let report = report(&[own]);
    child.kill().unwrap();
    child.wait().unwrap();
    let name = "start::limit::what_hangs_is_named_with_its_children";
    assert!(report.contains(name), "{report}");
    let below = format!("  below it {} sleep 60\n    call ", child.id());
    assert!(report.contains(&below), "{report}");
}
