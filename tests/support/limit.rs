//! An end for tests that hang: they fail, and what they wait for is told.
//!
//! A test that waits for a child, a thread or a socket without a limit of its own would keep everything behind it
//! from its end, and nobody would learn which it was.

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

/// How long one test may take, in seconds: several times what the longest waits of one test come to.
const LIMIT: u64 = 600;

/// What threads are called, for the kernel keeps 15 bytes of it.
static NAMES: Mutex<BTreeMap<u32, String>> = Mutex::new(BTreeMap::new());

/// Begins to look after the tests of this process, the first time, and keeps the name of this one.
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
        // Not caught with the output of a test.
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

/// The threads of this process, each of them a test or begun by one, that are older than so many seconds.
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

/// Which tests they are, and where they and their children are in the kernel.
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

/// The processes that a thread started and that have not been waited for.
fn children(process: u32, task: u32) -> Vec<u32> {
    let list = file(process, task, "children");
    list.split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect()
}

/// Nothing where there is no such file, or no longer.
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
