//! Runs programs to completion in the network namespace of the calling thread.

use std::ffi::OsStr;
use std::fmt::{self, Debug};
use std::io::Write;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, Once};

use lsock::cli::Terminal;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{lists_bound, output, short, skip};
use crate::scene::holder::find_program;
use crate::scene::{Namespace, Scene};

/// The built program.
pub const LSOCK: &str = env!("CARGO_BIN_EXE_lsock");

/// The result of a run.
#[derive(Clone, PartialEq, Eq)]
pub struct Run {
    /// Exit status; `None` = a signal ended it.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            status: output.status.code(),
            signal: output.status.signal(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("messages are text"),
        }
    }
}

impl Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.stdout[..self.stdout.len().min(500)];
        let start = start.escape_ascii().to_string().replace("\\n", "\n");
        let (status, signal, stderr) = (self.status, self.signal, short(&self.stderr));
        write!(f, "status {status:?}, signal {signal:?}\n{start}\n{stderr}")
    }
}

impl Run {
    /// Asserts that a run succeeded without messages, except about what a kernel before 6.8 does not list.
    ///
    /// # Panics
    ///
    /// If stderr has something else, or the status is not 0.
    #[track_caller]
    pub fn clean(mut self) -> Run {
        if !lists_bound() && self.stderr == UNLISTED_BY_KERNEL {
            self.stderr.clear();
        }
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""));
        self
    }

    /// Likewise, or with a message about what `/proc/net` does not list.
    ///
    /// # Panics
    ///
    /// If stderr has something else, or the status is not 0.
    #[track_caller]
    pub fn listed(mut self) -> Run {
        if self.stderr == UNLISTED {
            self.stderr.clear();
        }
        self.clean()
    }

    /// Asserts that a run succeeded with at most one line, about processes that cannot be read: some may be
    /// closed even to root.
    ///
    /// # Panics
    ///
    /// If stderr has something else, or the status is not 0.
    #[track_caller]
    pub fn done(mut self) -> Run {
        if !lists_bound() {
            self.stderr = self.stderr.replace(UNLISTED_BY_KERNEL, "");
        }
        let mut lines = self.stderr.lines();
        let told = lines.all(|line| line.contains(" not readable"));
        let is_short = self.stderr.lines().count() <= 1;
        assert!(self.status == Some(0) && told && is_short, "{self:?}");
        self
    }

    /// Standard output as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("every format is UTF-8")
    }

    /// Lines of standard output.
    pub fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    /// Lines of standard output, parsed as JSON.
    pub fn values(&self) -> Vec<Value> {
        let lines = self.text().lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Standard output, parsed as JSON.
    pub fn document(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The sockets in the document.
    pub fn sockets(&self) -> Vec<Value> {
        let document = self.document();
        document["sockets"].as_array().expect("an array").clone()
    }

    /// The sockets in the document, each on one line, sorted.
    pub fn rows(&self) -> Vec<String> {
        let mut rows: Vec<String> = self.sockets().iter().map(Value::to_string).collect();
        rows.sort_unstable();
        rows
    }

    /// Asserts that every message has our form, without Rust debug output.
    ///
    /// # Panics
    ///
    /// If one does not.
    #[track_caller]
    pub fn assert_speaks_plainly(&self) {
        let lines: Vec<&str> = self.stderr.lines().collect();
        let Some(first) = lines.first() else { return };
        let text = first
            .strip_prefix("lsock: ")
            .unwrap_or_else(|| panic!("{self:?}"));
        let initial = text.chars().next().expect("a message");
        assert!(!initial.is_uppercase(), "{self:?}");
        assert!(!self.stderr.contains("os error"), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}

/// Catches signals that are ignored here (`nohup`, background commands of a shell), because children would
/// inherit that and miss them.
fn catch_ignored_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let ignored = u64::from_str_radix(ignored.unwrap().trim(), 16).unwrap();
        for signal in [Signal::SIGHUP, Signal::SIGINT].map(|signal| signal as i32) {
            if ignored >> (signal - 1) & 1 == 1 {
                signal_hook::flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
}

/// A command with English messages and without colors.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    catch_ignored_signals();
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").env_remove("NO_COLOR");
    command.stdin(Stdio::null());
    command
}

/// The program without settings from the environment.
pub fn program() -> Command {
    command(LSOCK)
}

/// Runs a command.
///
/// # Panics
///
/// If it cannot be started.
#[track_caller]
pub fn run(command: &mut Command) -> Run {
    let output = output(command);
    let name = command.get_program();
    output
        .unwrap_or_else(|error| panic!("{}: {error}", name.display()))
        .into()
}

/// Runs the program with these arguments.
#[track_caller]
pub fn lsock(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
    run(program().args(words))
}

/// The warning about what `/proc/net` does not list with `-a`.
pub const UNLISTED: &str =
    "lsock: warning: TCP sockets in BOUND are not listed: /proc/net does not report them\n";

/// The warning about what an older kernel does not list with `-a`.
pub const UNLISTED_BY_KERNEL: &str = "lsock: warning: TCP sockets in BOUND are not listed: the kernel reports \
                                      them from Linux 6.8 on\n";

/// The sockets of `lsock <words> --json`, which must not warn.
#[track_caller]
pub fn list(words: &[&str]) -> Vec<Value> {
    lsock([words, &["--json"]].concat()).listed().sockets()
}

/// The path of a program; skips the test if it is missing.
pub fn needed(program: &str) -> Option<PathBuf> {
    let found = find_program(program);
    found.inspect_err(|error| skip(error)).ok()
}

/// True if a program exists; otherwise skips the test.
pub fn has(program: &str) -> bool {
    needed(program).is_some()
}

/// The output of another tool; skips the test if it is missing.
pub fn tool(name: &str, words: &[&str]) -> Option<Vec<u8>> {
    let run = run(command(needed(name)?).args(words));
    assert_eq!(run.status, Some(0), "{name} {words:?}: {run:?}");
    Some(run.stdout)
}

/// A namespace without other sockets; skips the test if that is impossible.
pub fn fresh() -> Option<Namespace> {
    let namespace = Namespace::enter();
    if let Namespace::Shared { why } = &namespace {
        skip(format_args!("no namespace of our own: {why}"));
    }
    Some(namespace).filter(Namespace::is_fresh)
}

/// The complete scene, in its own namespace.
pub fn stage() -> Option<(Scene, Namespace)> {
    let namespace = fresh()?;
    let scene = Scene::everything(&namespace);
    Some((scene, namespace))
}

/// A writer whose bytes can be read later.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs the program's code in this process and thread, which is faster for thousands of runs.
pub fn lsock_within(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Run {
    let words = arguments.into_iter().map(|word| word.as_ref().to_owned());
    let words = std::iter::once("lsock".into()).chain(words);
    let out = Kept::default();
    let mut messages = Vec::new();
    let status = lsock::run(
        words,
        Terminal::default(),
        Box::new(out.clone()),
        &mut messages,
    );
    let stdout = std::mem::take(&mut *out.0.lock().unwrap());
    Run {
        status: Some(status.into()),
        signal: None,
        stdout,
        stderr: String::from_utf8(messages).expect("messages are text"),
    }
}
