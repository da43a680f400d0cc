//! Commands as a document shows them, run as its reader would run them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{LSOCK, output};

/// A file of this repository.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The text of a file of this repository.
pub fn text(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A command behind `$ `, and what the document shows below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub command: String,
    pub output: Vec<String>,
}

impl Shown {
    /// The command line of `lsock`, the program first; `None` when the command is another.
    pub fn arguments(&self) -> Option<Vec<OsString>> {
        let rest = self
            .command
            .strip_prefix("cargo run --release --")
            .or_else(|| self.command.strip_prefix("lsock"))?;
        let end = [" | ", " > ", " # "]
            .iter()
            .filter_map(|mark| rest.find(mark))
            .min();
        let words = rest[..end.unwrap_or(rest.len())].split_whitespace();
        Some(
            std::iter::once("lsock")
                .chain(words)
                .map(Into::into)
                .collect(),
        )
    }

    /// Does it run `lsock`?
    pub fn is_ours(&self) -> bool {
        self.arguments().is_some()
    }

    /// Is it `lsock` alone, its output not led anywhere else?
    pub fn is_bare(&self) -> bool {
        self.is_ours()
            && ![" | ", " > "]
                .iter()
                .any(|mark| self.command.contains(mark))
    }
}

/// The commands of a text. A command goes on over lines while a quote is open.
pub fn commands(text: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let quotes = line.matches('\'').count() % 2 == 1;
        match (line.strip_prefix("$ "), shown.last_mut()) {
            (_, Some(last)) if open => {
                last.command.push('\n');
                last.command.push_str(line);
                open ^= quotes;
            }
            (Some(command), _) => {
                open = quotes;
                shown.push(Shown {
                    command: command.to_owned(),
                    output: Vec::new(),
                });
            }
            (None, Some(last)) => last.output.push(line.to_owned()),
            (None, None) => {}
        }
    }
    shown
}

/// Runs a command in `folder`, which is its home too, and in the namespace of this thread.
pub fn run(command: &str, folder: &Path) -> Output {
    let command = match command.strip_prefix("cargo run --release --") {
        Some(arguments) => format!("lsock{arguments}"),
        None => command.to_owned(),
    };
    let built = Path::new(LSOCK).parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(built).chain(std::env::split_paths(&path));
    let mut bash = Command::new("bash");
    bash.args(["-o", "pipefail", "-c", &command])
        .current_dir(folder)
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("HOME", folder);
    output(&mut bash).expect("bash")
}

/// The same, and it succeeds.
pub fn succeed(command: &str, folder: &Path) -> String {
    let mut output = run(command, folder);
    // Network namespaces of other tests come and go while they are listed.
    let is_disturbed = |output: &Output| {
        let told = String::from_utf8_lossy(&output.stderr);
        !output.status.success() && told.contains("network namespace ")
    };
    // And some are held for minutes by what those left in the kernel.
    let is_left = |output: &Output| {
        let told = String::from_utf8_lossy(&output.stderr);
        let mut gaps = told.lines().filter(|line| line.contains("incomplete "));
        output.status.code() == Some(2)
            && told.contains("incomplete ")
            && gaps.all(|line| line.ends_with(": no readable path leads there"))
    };
    for _ in 0..20 {
        if !is_disturbed(&output) || is_left(&output) {
            break;
        }
        output = run(command, folder);
    }
    assert!(
        output.status.success() || is_left(&output),
        "$ {command}\n{:?}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn command_goes_on_while_a_quote_is_open() {
    let shown = commands("text\n$ lsock -tj | jq '\n  .sockets'\n[]\n$ lsock -a # all\n");
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0].command, "lsock -tj | jq '\n  .sockets'");
    assert_eq!(shown[0].output, ["[]"]);
    assert_eq!(shown[0].arguments().unwrap(), ["lsock", "-tj"]);
    assert_eq!(shown[1].arguments().unwrap(), ["lsock", "-a"]);
    assert!(!shown[0].is_bare() && shown[1].is_bare());
}
