//! The built program, run in the namespace of the thread that asks, and what it said.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::scene::{Expected, Namespace, Scene};

/// The built program.
pub const LSOCK: &str = env!("CARGO_BIN_EXE_lsock");

/// What one run gave.
#[derive(Debug)]
pub struct Run {
    pub status: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            status: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("messages are text"),
        }
    }
}

impl Run {
    /// A run that had nothing to complain of.
    ///
    /// # Panics
    ///
    /// When it said something on stderr or its status is not 0.
    pub fn clean(self) -> Run {
        assert_eq!((self.status, self.stderr.as_str()), (Some(0), ""));
        self
    }

    /// A run that told at most, in one line, how many processes it could not read: there may be
    /// one that is closed even to root.
    ///
    /// # Panics
    ///
    /// When it said something else or its status is not 0.
    pub fn done(self) -> Run {
        let told = self
            .stderr
            .lines()
            .all(|line| line.contains(" not readable"));
        let short = self.stderr.lines().count() <= 1;
        assert!(
            self.status == Some(0) && told && short,
            "{:?}: {}",
            self.status,
            self.stderr
        );
        self
    }

    /// Its data.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("every format is UTF-8")
    }

    /// Its lines.
    pub fn lines(&self) -> Vec<&str> {
        self.text().lines().collect()
    }

    /// Its document.
    pub fn document(&self) -> Value {
        serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.stdout)))
    }

    /// The sockets of its document.
    pub fn sockets(&self) -> Vec<Value> {
        self.document()["sockets"]
            .as_array()
            .expect("an array")
            .clone()
    }
}

/// Runs it with these words, without any settings from the environment.
pub fn lsock(words: &[&str]) -> Run {
    command(Path::new(LSOCK))
        .args(words)
        .output()
        .unwrap()
        .into()
}

/// A command whose messages are in English and whose output has no colours.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LC_ALL", "C").env_remove("NO_COLOR");
    command
}

/// The sockets that `lsock <words> --json` lists without complaint.
pub fn list(words: &[&str]) -> Vec<Value> {
    lsock(&[words, &["--json"]].concat()).clean().sockets()
}

/// What another tool prints, or nothing with the reason on stderr when it is not here.
pub fn tool(name: &str, words: &[&str]) -> Option<Vec<u8>> {
    match command(Path::new(name)).args(words).output() {
        Ok(output) => {
            assert!(output.status.success(), "{name} {words:?}: {output:?}");
            Some(output.stdout)
        }
        Err(error) => {
            eprintln!("skipped: {name}: {error}");
            None
        }
    }
}

/// A namespace in which nobody else has sockets, or nothing with the reason on stderr.
pub fn fresh() -> Option<Namespace> {
    match Namespace::enter() {
        Namespace::Shared { ref why } => {
            eprintln!("skipped: no namespace of our own: {why}");
            None
        }
        namespace @ Namespace::Fresh { .. } => Some(namespace),
    }
}

/// Everything there is, in a namespace of its own.
pub fn stage() -> Option<(Scene, Namespace)> {
    let namespace = fresh()?;
    let scene = Scene::everything(&namespace);
    Some((scene, namespace))
}

/// Is the row this socket? By protocol, addresses and inode, whatever else it says.
pub fn is_of(row: &Value, expected: &Expected) -> bool {
    let identity = ["protocol", "family", "inode"];
    let addresses = ["local_address", "local_port", "peer_address", "peer_port"];
    let keys: &[&[&str]] = if expected.local.is_some() {
        &[&identity, &addresses]
    } else {
        &[&identity]
    };
    let wanted = fields(expected);
    let mut keys = keys.iter().copied().flatten();
    keys.all(|key| {
        wanted
            .iter()
            .all(|(name, value)| name != key || row[key] == *value)
    })
}

/// What the keys of its row must hold, as far as the scene says.
pub fn fields(expected: &Expected) -> Vec<(&'static str, Value)> {
    let mut fields: Vec<(&str, Value)> = vec![
        ("protocol", expected.protocol.into()),
        ("family", expected.family.into()),
        ("type", expected.kind.into()),
        ("state", expected.state.into()),
    ];
    if let (Some(local), Some(peer)) = (expected.local, expected.peer) {
        let raw = expected.protocol == "raw";
        fields.extend([
            ("local_address", local.ip().to_string().into()),
            ("local_port", port(local.port(), raw)),
            ("peer_address", peer.ip().to_string().into()),
            ("peer_port", port(peer.port(), false)),
        ]);
    }
    let names = [
        ("local_address", &expected.name),
        ("peer_address", &expected.peer_name),
    ];
    for (key, name) in names {
        fields.extend(name.as_ref().map(|name| (key, shown(name))));
    }
    fields.extend(expected.port_id.map(|id| ("local_port", id.into())));
    if expected.family == "packet" {
        fields.push(("local_port", expected.number.into()));
    }
    let numbers = [
        ("recv_queue", expected.recv_queue),
        ("send_queue", expected.send_queue),
        ("mark", expected.mark.map(u64::from)),
    ];
    fields.extend(
        numbers
            .into_iter()
            .filter_map(|(key, number)| Some((key, number?.into()))),
    );
    let inodes = [
        ("inode", expected.inode),
        ("peer_inode", expected.peer_inode),
    ];
    fields.extend(inodes.into_iter().filter_map(|(key, inode)| {
        let inode = Some(inode?).filter(|inode| *inode != 0);
        Some((key, inode.into()))
    }));
    fields.extend(expected.shutdown.map(|side| ("shutdown", side.into())));
    fields.extend(expected.interface.map(|name| ("interface", name.into())));
    fields
}

fn port(number: u16, zero_is_one: bool) -> Value {
    Some(number)
        .filter(|number| zero_is_one || *number != 0)
        .into()
}

/// The name of a unix socket as every format writes it.
pub fn shown(name: &[u8]) -> Value {
    match name {
        [] => Value::Null,
        [0, rest @ ..] => format!("@{}", lsock::text::escape(rest)).into(),
        [b'@', rest @ ..] => format!("\\x40{}", lsock::text::escape(rest)).into(),
        path => lsock::text::escape(path).into_owned().into(),
    }
}

/// The bytes of a name as it is shown: an `@` that begins it is the NUL of an abstract one.
pub fn bytes_of(shown: &str) -> Vec<u8> {
    match shown.strip_prefix('@') {
        Some(rest) => [b"\0", &lsock::text::unescape(rest)[..]].concat(),
        None => lsock::text::unescape(shown),
    }
}

/// What the row says otherwise than expected; empty when it agrees. `unknown` are the keys that
/// the source cannot know and must leave `null`.
pub fn differences(row: &Value, expected: &Expected, unknown: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in fields(expected) {
        let wanted = if unknown.contains(&key) {
            Value::Null
        } else {
            value
        };
        if row[key] != wanted {
            found.push(format!("{key}: {} instead of {wanted}", row[key]));
        }
    }
    let queues = [
        ("recv_queue", expected.some_unread),
        ("send_queue", expected.some_unsent),
    ];
    for (key, some) in queues {
        if some && !unknown.contains(&key) && row[key].as_u64().is_none_or(|bytes| bytes == 0) {
            found.push(format!("{key}: {} instead of some", row[key]));
        }
    }
    if let Some(kind) = expected.timer
        && row["timer"]["kind"] != kind
    {
        found.push(format!("timer: {} instead of {kind}", row["timer"]));
    }
    found
}
