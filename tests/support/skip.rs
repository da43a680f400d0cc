//! Tests whose requirements are missing here: reported, counted, and refused by `LSOCK_TESTS=require`.
#![allow(dead_code, reason = "each program of tests has a part of it")]

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

/// What a kernel may be built without: reasons that hold though everything is installed.
const KERNEL_LACKS: [&str; 1] = ["this kernel does not list raw sockets over netlink"];

/// Reports that a test, or a part of it, cannot run here.
///
/// # Panics
///
/// With `LSOCK_TESTS=require` in the environment, unless the reason is a known one.
#[track_caller]
pub fn skip(reason: impl Display) {
    let reason = reason.to_string().replace('\n', " ");
    let known = KERNEL_LACKS.contains(&reason.as_str());
    let required = std::env::var_os("LSOCK_TESTS").is_some_and(|value| value == "require");
    assert!(known || !required, "cannot run here: {reason}");
    eprintln!("skipped: {reason}");
    let test = std::thread::current();
    let line = format!("{}\t{}: {reason}\n", run(), test.name().unwrap_or("?"));
    let mut list = File::options()
        .append(true)
        .create(true)
        .open(list())
        .unwrap();
    list.write_all(line.as_bytes()).unwrap();
}

/// Tells the binaries that one `cargo test` starts from those of another.
fn run() -> u32 {
    std::os::unix::process::parent_id()
}

/// The list of what was skipped, beside the programs that are built.
fn list() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.ancestors().nth(2).unwrap();
    folder.join("skipped")
}

/// Takes the list of this run, without repetitions, and removes it.
pub fn take() -> Vec<String> {
    let begin = format!("{}\t", run());
    let text = fs::read_to_string(list()).unwrap_or_default();
    let _ = fs::remove_file(list());
    let lines = text.lines().filter_map(|line| line.strip_prefix(&begin));
    let lines: BTreeSet<&str> = lines.collect();
    lines.into_iter().map(str::to_owned).collect()
}
