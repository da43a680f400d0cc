//! A run of `lsock -c` in a pipe, and what it wrote.

use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Reading, Run, program};

/// `lsock -c` in the namespace of this thread.
pub type Running = Reading<String>;

impl Running {
    /// Begins with these words.
    pub fn begin(words: &[&str]) -> Running {
        Running::begin_as(program().args(words))
    }

    /// The same, as a command says.
    pub fn begin_as(command: &mut Command) -> Running {
        Reading::start(command, |line| line)
    }

    /// What was written until now, read.
    pub fn changes(&self) -> Vec<Value> {
        read(&self.told())
    }

    /// Waits until such a change is told.
    #[track_caller]
    pub fn wait_for_change(&self, what: &str, is_it: impl Fn(&Value) -> bool) {
        self.wait_for(what, |lines| read(lines).iter().any(&is_it));
    }

    /// Ends it as a service manager does.
    pub fn end(self) -> (Vec<String>, Run) {
        self.end_by(Signal::SIGTERM)
    }
}

/// Lines of JSON.
pub fn read(lines: &[String]) -> Vec<Value> {
    let lines = lines.iter().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// What a process holds in memory of its own, in KiB.
pub fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.unwrap().parse().unwrap()
}
