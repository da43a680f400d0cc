//! Reads a process from `/proc/PID`: name, command line, user.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{getxattr, stat};
use rustix::io::Errno;
use rustix::path::DecInt;

use crate::model::Process;
use crate::procfs::fd::{is_ending, other_threads, parent, start_ticks};
use crate::procfs::file::{self, read_path};

/// A process without its descriptors.
#[derive(Debug, Default)]
pub(super) struct Described {
    /// Without user name and descriptors.
    pub(super) process: Process,
    /// Start time in ticks since boot.
    pub(super) started: Option<u64>,
    /// The parent process.
    pub(super) parent: Option<u32>,
    /// The content of `status`.
    pub(super) status: Vec<u8>,
    /// The content of `cgroup`, if requested.
    pub(super) cgroup: Option<Vec<u8>>,
}

/// Reads a process; `None` if it is gone. If a file may not be read, or the process ends meanwhile, the rest stays
/// unknown.
pub(super) fn read(root: &Path, pid: u32, has_cgroup: bool) -> Option<Described> {
    // Everything is read through one open directory: it refers to this process even if its pid is reused.
    let path = root.join(DecInt::new(pid));
    let mut process = Process {
        pid,
        ..Process::default()
    };
    let directory = match file::search(&path) {
        Ok(directory) => directory,
        Err(Errno::NOENT | Errno::NOTDIR) => return None,
        Err(_) => {
            return Some(Described {
                process,
                ..Described::default()
            });
        }
    };
    let file = |name, most| file::read(&directory, name, most);
    let name = match file("comm", NAME) {
        Err(Errno::NOENT | Errno::SRCH) if is_gone(&path) => return None,
        name => name.ok(),
    };
    process.name = name.map(|mut name| {
        name.pop_if(|last| *last == b'\n');
        name
    });
    let status = file("status", SHORT).unwrap_or_default();
    process.uid = uids(&status).map(|[_, effective, ..]| effective);
    let mut command = file("cmdline", ARGUMENTS);
    let stat = file("stat", SHORT).unwrap_or_default();
    if command.as_ref().is_ok_and(Vec::is_empty) {
        command = of_another_thread(&directory, pid);
    }
    // An ending process has lost its memory and so its command line.
    let is_told = |command: &Vec<u8>| !command.is_empty() || !is_ending(&stat);
    if let Some(command) = command.ok().filter(is_told) {
        process.set_command(command);
    }
    let cgroup = has_cgroup.then(|| file("cgroup", SHORT).ok());
    Some(Described {
        process,
        started: start_ticks(&stat),
        parent: parent(&stat),
        status,
        cgroup: cgroup.flatten(),
    })
}

/// The security context of a process (`proc_pid_attr(5)`).
pub(super) fn context_of(root: &Path, pid: u32) -> Option<Vec<u8>> {
    context(read_path(&root.join(format!("{pid}/attr/current")), SHORT).ok()?)
}

/// The text of a security context, without a final NUL or newline; `None` if empty.
fn context(mut text: Vec<u8>) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| !matches!(byte, 0 | b'\n'))?;
    text.truncate(end + 1);
    Some(text)
}

/// The name of a thread.
pub(super) fn thread_name(root: &Path, pid: u32, thread: u32) -> Option<Vec<u8>> {
    let name = read_path(&root.join(format!("{pid}/task/{thread}/comm")), NAME);
    Some(name.ok()?.strip_suffix(b"\n")?.to_vec())
}

/// The security context of a socket (`sockfs_security_xattr_handler`, `net/socket.c`).
pub(super) fn socket_context(root: &Path, pid: u32, fd: u32) -> Option<Vec<u8>> {
    let mut text = vec![0; SHORT];
    let path = root.join(format!("{pid}/fd/{fd}"));
    let length = getxattr(path, "security.selinux", &mut text).ok()?;
    text.truncate(length);
    context(text)
}

fn is_gone(process: &Path) -> bool {
    matches!(stat(process), Err(Errno::NOENT | Errno::SRCH))
}

/// The command line as another thread shows it: a thread that has ended, perhaps the first, shows none.
fn of_another_thread(process: &OwnedFd, pid: u32) -> rustix::io::Result<Vec<u8>> {
    let path = |thread| format!("task/{thread}/cmdline");
    let read = |thread| file::read(process, path(thread), ARGUMENTS).unwrap_or_default();
    let mut lines = other_threads(process.as_fd(), ".", pid)?
        .into_iter()
        .map(read);
    Ok(lines.find(|line| !line.is_empty()).unwrap_or_default())
}

/// The users of a process: real, effective, saved, file system; `None` = unknown.
pub(super) fn users_of(root: &Path, pid: u32) -> Option<[u32; 4]> {
    let path = root.join(format!("{pid}/status"));
    uids(&read_path(&path, SHORT).ok()?)
}

/// The values of `Uid:` (`proc_pid_status(5)`). The process name comes first, but cannot fake a line: the kernel
/// escapes its newlines as `\n`.
fn uids(status: &[u8]) -> Option<[u32; 4]> {
    let values = status
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Uid:"))?;
    let values = std::str::from_utf8(values).ok()?.split_whitespace();
    let values: Vec<u32> = values.map_while(|value| value.parse().ok()).collect();
    values.try_into().ok()
}

/// Limit of bytes read of a command line: the kernel's own limit (`_STK_LIM / 4 * 3`).
const ARGUMENTS: usize = 6 * 1024 * 1024;
/// Limit of bytes read of a name: those of kernel workers have up to 64.
const NAME: usize = 256;
/// Limit of bytes read of other files; none is so long.
const SHORT: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::uids;

    #[test]
    fn uids_are_those_of_the_line_whatever_the_name_says() {
        let status = b"Name:\tUid: 1 2\\nUid:\t3\t4\nUmask:\t0022\nUid:\t1000\t0\t7\t8\n";
        assert_eq!(uids(status), Some([1000, 0, 7, 8]));
        assert_eq!(uids(b"Name:\tx\n"), None);
    }
}
