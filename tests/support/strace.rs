//! Runs the program under `strace`: traces its system calls, or makes them fail.

use std::process::Command;
use std::sync::OnceLock;

use tempfile::NamedTempFile;

use super::{LSOCK, Run, command, fresh, output, run, skip};
use crate::scene::Namespace;

/// True if `strace` works here; otherwise skips the test.
pub fn can_strace() -> bool {
    static FAILURE: OnceLock<Option<String>> = OnceLock::new();
    let failure = FAILURE.get_or_init(|| {
        let output = output(command("strace").args(["-qo/dev/null", "true"]));
        let works = output.as_ref().is_ok_and(|output| output.status.success());
        (!works).then(|| format!("strace: {output:?}"))
    });
    failure.iter().for_each(skip);
    failure.is_none()
}

/// A namespace in which `strace` works.
pub fn straced() -> Option<Namespace> {
    fresh().filter(|_| can_strace())
}

/// A command that runs the program under `strace` with these options.
pub fn strace(options: &[&str]) -> Command {
    let mut strace = command("strace");
    strace.args(["-f", "-qqq"]).args(options).arg(LSOCK);
    strace
}

/// Runs `lsock <words>` under `strace -e trace=<calls>` and returns the trace, with sent bytes as hex dumps.
/// `None` if `strace` does not work.
pub fn traced(calls: &str, words: &[&str]) -> Option<(Run, String)> {
    if !can_strace() {
        return None;
    }
    let file = NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let calls = format!("trace={calls}");
    let run = run(strace(&["-e", &calls, "-e", "write=all", "-o", path]).args(words));
    Some((run, std::fs::read_to_string(path).unwrap()))
}

/// The number of times the program makes a call.
pub fn calls(call: &str, words: &[&str]) -> usize {
    let (run, trace) = traced(call, words).expect("strace can trace");
    assert!(run.status.is_some(), "{run:?}");
    let begin = format!("{call}(");
    trace.lines().filter(|line| line.contains(&begin)).count()
}

/// Runs the program under `strace` with these faults: `socket:error=EPERM`; a `/path` among them limits them
/// to that file.
pub fn with_faults(faults: &[&str], words: &[&str]) -> Run {
    let options = faults.iter().map(|fault| match fault.strip_prefix('/') {
        Some(_) => format!("--trace-path={fault}"),
        None => format!("-einject={fault}"),
    });
    let options: Vec<String> = options.chain(["-o/dev/null".to_owned()]).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let mut run = run(strace(&options).args(words));
    // Messages of `strace` about symbolic links.
    let lines = run.stderr.split_inclusive('\n');
    let lines = lines.filter(|line| !line.starts_with("strace: Requested path"));
    run.stderr = lines.collect();
    run.assert_speaks_plainly();
    run
}
