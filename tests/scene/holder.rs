//! Child processes that hold sockets, so that a socket has owners beside this process.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::At;
use crate::support::{Child, undisturbed, until};

/// A name (`comm`) that breaks parsers and terminals: parentheses, a newline, a colour
/// sequence, a quote, and a letter of two bytes which the kernel cuts after the 15th byte.
pub const HOSTILE_NAME: &[u8] = b"a) (b\n\x1b[31m\"xy\xc3\xa9";

/// A sleeping child.
///
/// It has the sockets as descriptors 0, 1 and 2 (those not given are `/dev/null`), which needs
/// no descriptor of this process to lose its close-on-exec flag: a command started by another
/// test at the same moment inherits nothing.
#[derive(Debug)]
pub struct Holder {
    child: Child,
    _program: Option<TempDir>,
}

impl Holder {
    /// A child named `sleep` that holds `sockets` (three at most) as 0, 1, 2.
    pub fn sleeping(sockets: &[BorrowedFd<'_>]) -> io::Result<Holder> {
        Holder::spawn(Command::new("sleep").arg("600"), sockets, b"sleep", None)
    }

    /// A child that holds `socket` as 0 and as each of `copies` (3 to 9).
    pub fn with_copies(socket: BorrowedFd<'_>, copies: &[u8]) -> io::Result<Holder> {
        use std::fmt::Write as _;
        let mut script = String::from("exec");
        for copy in copies {
            assert!(
                (3..=9).contains(copy),
                "a shell redirects descriptors of one digit"
            );
            let _ = write!(script, " {copy}<&0");
        }
        script.push_str("; exec sleep 600");
        Holder::spawn(
            Command::new("sh").arg("-c").arg(script),
            &[socket],
            b"sleep",
            None,
        )
    }

    /// A child whose `comm` is the first 15 bytes of `name`, holding `sockets` as 0, 1, 2.
    ///
    /// `name` is a file name: any byte but NUL and `/`.
    pub fn named(name: &[u8], sockets: &[BorrowedFd<'_>]) -> io::Result<Holder> {
        let directory = TempDir::new().at("temporary directory")?;
        let program = directory.path().join(OsStr::from_bytes(name));
        undisturbed(|| fs::copy(find_program("sleep")?, &program)).at("copy of sleep")?;
        // A multi-call binary looks at argument 0 for its role.
        let mut command = Command::new(&program);
        command.arg0("sleep").arg("600");
        Holder::spawn(&mut command, sockets, name, Some(directory))
    }

    fn spawn(
        command: &mut Command,
        sockets: &[BorrowedFd<'_>],
        name: &[u8],
        program: Option<TempDir>,
    ) -> io::Result<Holder> {
        assert!(sockets.len() <= 3, "a child takes sockets as 0, 1 and 2");
        let mut streams = Vec::new();
        for socket in sockets {
            streams.push(Stdio::from(socket.try_clone_to_owned().at("dup")?));
        }
        let mut streams = streams
            .into_iter()
            .chain(std::iter::repeat_with(Stdio::null));
        let [zero, one, two] = std::array::from_fn(|_| streams.next().unwrap_or_else(Stdio::null));
        command.stdin(zero).stdout(one).stderr(two);
        let holder = Holder {
            child: Child::start(command),
            _program: program,
        };
        let comm = [&name[..name.len().min(15)], b"\n"].concat();
        let folder = format!("/proc/{}", holder.pid());
        // Until the last `exec` it has this process's descriptors or the shell's, and until it sleeps
        // those of the libraries that it loads.
        until(&folder, || {
            let now = fs::read(format!("{folder}/comm")).ok()?;
            let status = fs::read(format!("{folder}/status")).ok()?;
            let status = String::from_utf8_lossy(&status);
            (now == comm && status.contains("\nState:\tS")).then_some(())
        });
        Ok(holder)
    }

    /// Process id of the child.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }
}

/// Where `PATH` has this program.
pub fn find_program(name: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|p| p.is_file());
    found.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, format!("no {name} in PATH")))
}

/// Why [`as_nobody`] cannot be; `None` = it can.
pub fn no_nobody() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("only root can become nobody".to_owned());
    }
    let is_there =
        |map: &str| {
            let map = fs::read_to_string(map).unwrap_or_default();
            map.lines().any(|line| {
            let numbers = line.split_whitespace().map(|word| word.parse().unwrap_or(0));
            let numbers: Vec<u64> = numbers.collect();
            matches!(numbers[..], [first, _, count] if first <= 65_534 && 65_534 - first < count)
        })
        };
    if !["/proc/self/uid_map", "/proc/self/gid_map"]
        .iter()
        .all(|map| is_there(map))
    {
        return Some("this user namespace has no nobody".to_owned());
    }
    find_program("setpriv").err().map(|error| error.to_string())
}

/// A command that runs `program` as nobody (uid and gid 65534, no other groups), from `/`.
///
/// Needs root; nobody must be able to reach and execute `program`.
pub fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(program);
    command.current_dir("/");
    command
}

/// Asks a child for its descriptors, as an outside witness: `(descriptor, link)` in order.
pub fn descriptors_of(pid: u32) -> io::Result<Vec<(i32, PathBuf)>> {
    let folder = format!("/proc/{pid}/fd");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).at(&folder)? {
        let entry = entry.at(&folder)?;
        let number = entry
            .file_name()
            .to_string_lossy()
            .parse()
            .map_err(io::Error::other)?;
        // A descriptor another thread closed in between is not there any more.
        if let Ok(link) = fs::read_link(entry.path()) {
            found.push((number, link));
        }
    }
    found.sort();
    Ok(found)
}

/// A holder of `socket` together with what it adds to the socket's owners.
pub fn owner(socket: impl AsFd, copies: &[u8]) -> io::Result<(Holder, (u32, Vec<i32>))> {
    let holder = Holder::with_copies(socket.as_fd(), copies)?;
    let mut descriptors = vec![0];
    descriptors.extend(copies.iter().map(|&copy| i32::from(copy)));
    let pid = holder.pid();
    Ok((holder, (pid, descriptors)))
}
