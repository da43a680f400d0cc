//! Tests whose requirements are missing here: reported, counted, and refused by `LSOCK_TESTS=require`.
#![allow(dead_code, reason = "each program of tests has a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;

/// Features that a kernel may lack even if everything is installed.
const KERNEL_LACKS: [&str; 2] = [
    "this kernel does not list raw sockets over netlink",
    "sock_diag lists bound sockets since Linux 6.8",
];

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
    let test = std::thread::current();
    let test = test.name().unwrap_or("?");
    // Past the harness, which captures the output of passing tests.
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
    let line = format!("{}\t{test}\t{reason}\n", run());
    let open = |list| File::options().append(true).create(true).open(list);
    let list = lists().into_iter().find_map(|list| open(list).ok());
    let written = list.map(|mut list| list.write_all(line.as_bytes()));
    assert!(
        written.is_some_and(|written| written.is_ok()),
        "skipped, and that cannot be counted: {reason}"
    );
}

/// Distinguishes runs of `cargo test`: all its binaries have the same parent.
fn run() -> u32 {
    std::os::unix::process::parent_id()
}

/// Possible files for the list of skipped tests: beside the built programs or, if that is not writable, among
/// temporary files.
fn lists() -> [PathBuf; 2] {
    let program = std::env::current_exe().unwrap();
    let folder = program.ancestors().nth(2).unwrap();
    let temporary = format!("lsock-skipped-{}", run());
    [folder.join("skipped"), std::env::temp_dir().join(temporary)]
}

/// Takes and removes the list of this run: each reason with its tests.
pub fn take() -> BTreeMap<String, BTreeSet<String>> {
    let begin = format!("{}\t", run());
    let mut reasons: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for list in lists() {
        let text = fs::read_to_string(&list).unwrap_or_default();
        let _ = fs::remove_file(&list);
        let lines = text.lines().filter_map(|line| line.strip_prefix(&begin));
        for (test, reason) in lines.filter_map(|line| line.split_once('\t')) {
            let tests = reasons.entry(reason.to_owned()).or_default();
            tests.insert(test.to_owned());
        }
    }
    reasons
}
