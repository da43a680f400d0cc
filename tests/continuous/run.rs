//! A run of `lsock -c` in a pipe, and what it wrote.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::program::{LSOCK, Run, command};

/// How long anything may take to be written.
const PATIENCE: Duration = Duration::from_secs(60);

/// `lsock -c` in the namespace of this thread.
pub struct Running {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    /// Begins with these words.
    pub fn begin(words: &[&str]) -> Running {
        let mut command = command(Path::new(LSOCK));
        command.args(words);
        Running::begin_as(command)
    }

    /// The same, as a command says.
    pub fn begin_as(mut command: Command) -> Running {
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = Arc::default();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn({
            let lines: Arc<Mutex<Vec<String>>> = Arc::clone(&lines);
            move || {
                for line in stdout.lines() {
                    lines.lock().unwrap().push(line.unwrap());
                }
            }
        });
        Running {
            child,
            lines,
            reader: Some(reader),
        }
    }

    /// The process id of what runs.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What was written until now.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The same, read.
    pub fn changes(&self) -> Vec<Value> {
        read(&self.lines())
    }

    /// Waits until what was written is so.
    ///
    /// # Panics
    ///
    /// When it is not in time.
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&[String]) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.lines.lock().unwrap()) {
            assert!(begun.elapsed() < PATIENCE, "{what}: {:#?}", self.lines());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until such a change is told.
    pub fn wait_for_change(&self, what: &str, is_it: impl Fn(&Value) -> bool) {
        self.wait_for(what, |lines| read(lines).iter().any(&is_it));
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Ends it by a signal; gives what it wrote and how it ended.
    pub fn end_by(self, signal: Signal) -> (Vec<String>, Run) {
        self.signal(signal);
        self.outcome()
    }

    /// Ends it as a service manager does.
    pub fn end(self) -> (Vec<String>, Run) {
        self.end_by(Signal::SIGTERM)
    }

    /// Waits for its end.
    pub fn outcome(mut self) -> (Vec<String>, Run) {
        let mut stderr = String::new();
        let messages = self.child.stderr.as_mut().unwrap();
        messages.read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap().code();
        self.reader.take().unwrap().join().unwrap();
        let run = Run {
            status,
            stdout: Vec::new(),
            stderr,
        };
        (self.lines(), run)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub fn send(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
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
