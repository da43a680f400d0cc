//! The compared commands, as a user would type them.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::floor;

/// The form of a command's output, for checking.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A number, the count of sockets: the floor.
    Count,
    /// At least one line for each socket.
    Lines,
    /// One document with any number of lines, of at least [`BYTES_PER_SOCKET`].
    Document,
    /// Independent of the number of sockets, or unknown: a command from the command line.
    Unknown,
}

/// A lower bound for a JSON object with the addresses of a socket.
pub(crate) const BYTES_PER_SOCKET: usize = 40;

/// A command line; blanks separate words, without quoting.
pub(crate) struct Command {
    /// The displayed text; `lsock` is the binary built here, `lsock as netstat` the same under that name, and
    /// `floor` this bench.
    pub(crate) text: String,
    /// The form of its output.
    pub(crate) shape: Shape,
}

impl Command {
    /// A predefined command; its words determine the shape.
    pub(crate) fn known(text: &str) -> Self {
        let shape = match text {
            _ if text.starts_with("floor") => Shape::Count,
            _ if text.contains("--json") => Shape::Document,
            _ if ["-tas", "-ts", "-tanq"]
                .iter()
                .any(|words| text.contains(words)) =>
            {
                Shape::Unknown
            }
            _ => Shape::Lines,
        };
        let text = text.to_owned();
        Self { text, shape }
    }

    /// A command from the command line.
    pub(crate) fn given(text: &str) -> Self {
        let text = text.to_owned();
        let shape = Shape::Unknown;
        Self { text, shape }
    }

    /// True if it is the binary built here.
    pub(crate) fn is_ours(&self) -> bool {
        self.text.split_whitespace().next() == Some("lsock")
    }

    /// The program and its arguments.
    pub(crate) fn words(&self) -> io::Result<Vec<OsString>> {
        let words: Vec<&str> = self.text.split_whitespace().collect();
        let (program, arguments) = match words.as_slice() {
            ["lsock", "as", "netstat", rest @ ..] => (vec![netstat()?], rest),
            ["lsock", rest @ ..] => (vec![env!("CARGO_BIN_EXE_lsock").into()], rest),
            ["floor", rest @ ..] => {
                let bench = std::env::current_exe()?;
                (vec![bench.into(), floor::ROLE.into()], rest)
            }
            all => (Vec::new(), all),
        };
        let arguments = arguments.iter().map(|word| OsString::from(*word));
        Ok(program.into_iter().chain(arguments).collect())
    }
}

/// A link named `netstat` to the binary built here.
fn netstat() -> io::Result<OsString> {
    let link = Path::new(env!("CARGO_TARGET_TMPDIR")).join("netstat");
    match symlink(env!("CARGO_BIN_EXE_lsock"), &link) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(link.into()),
    }
}
