//! One run of the program, with arguments of any bytes, and what came of it.

use std::ffi::OsStr;
use std::fmt::{self, Debug};
use std::io::Write;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use lsock::cli::Terminal;
use serde_json::Value;

use crate::program::{LSOCK, command};

/// What a run left behind.
pub struct Attempt {
    /// Exit status; `None` = a signal ended it.
    pub status: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl From<Output> for Attempt {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            signal: output.status.signal(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = &self.stdout[..self.stdout.len().min(500)];
        write!(
            f,
            "status {:?}, signal {:?}\n{}\n{}",
            self.status,
            self.signal,
            start.escape_ascii().to_string().replace("\\n", "\n"),
            self.stderr
        )
    }
}

impl Attempt {
    /// The JSON document it wrote.
    pub fn document(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The sockets of the document, each as one line, in order.
    pub fn rows(&self) -> Vec<String> {
        let document = self.document();
        let sockets = document["sockets"].as_array().expect("an array").iter();
        let mut rows: Vec<String> = sockets.map(Value::to_string).collect();
        rows.sort_unstable();
        rows
    }

    /// Every message is one of ours and none shows how Rust prints an error.
    ///
    /// # Panics
    ///
    /// When one is not.
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

/// The program, without settings of the environment.
pub fn program() -> Command {
    let mut command = command(Path::new(LSOCK));
    command.stdin(Stdio::null());
    command
}

/// Runs the program in the namespace of this thread.
pub fn attempt(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Attempt {
    program().args(arguments).output().unwrap().into()
}

/// A writer whose bytes can be had afterwards.
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

/// Runs the program's code in this process and thread: thousands of runs are quick.
pub fn attempt_within(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Attempt {
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
    Attempt {
        status: Some(status.into()),
        signal: None,
        stdout,
        stderr: String::from_utf8(messages).expect("messages are text"),
    }
}
