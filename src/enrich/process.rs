//! What `/proc/PID` tells about one process: name, command line, user.

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::param::clock_ticks_per_second;
use rustix::time::{ClockId, clock_gettime};

use crate::model::Process;
use crate::procfs::fd::start_ticks;

/// This moment, in ticks since the system started.
pub(super) fn now() -> u64 {
    let now = Duration::try_from(clock_gettime(ClockId::Boottime)).unwrap_or_default();
    let per_second = clock_ticks_per_second();
    now.as_secs() * per_second + u64::from(now.subsec_nanos()) * per_second / 1_000_000_000
}

/// A process without user name and descriptors, and when it started, as [`now`] counts. `None` when the
/// process is gone. Where a file may not be read, or the process ends on the way, the rest stays empty.
pub(super) fn read(root: &Path, pid: u32) -> Option<(Process, Option<u64>)> {
    // Everything is read through one open directory: it stays this process when its pid is reused.
    let path = root.join(itoa::Buffer::new().format(pid));
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty()).ok()?;
    let file = |name| file(&directory, name).unwrap_or_default();
    let mut name = match self::file(&directory, "comm") {
        Err(Errno::NOENT | Errno::SRCH) => return None,
        name => name.unwrap_or_default(),
    };
    if name.last() == Some(&b'\n') {
        name.pop();
    }
    let mut process = Process {
        pid,
        name,
        uid: effective_uid(&file("status")),
        ..Process::default()
    };
    process.set_command(file("cmdline"));
    Some((process, start_ticks(&file("stat"))))
}

/// The second value of `Uid:` (`proc_pid_status(5)`). The name of the process stands above it, but
/// cannot pose as another line: the kernel writes its newlines as `\n`.
fn effective_uid(status: &[u8]) -> Option<u32> {
    let values = status
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Uid:"))?;
    let mut values = std::str::from_utf8(values).ok()?.split_whitespace();
    values.nth(1)?.parse().ok()
}

fn file(process: impl AsFd, name: &str) -> rustix::io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let mut file = File::from(openat(process, name, flags, Mode::empty())?);
    let mut bytes = Vec::new();
    let read = file.read_to_end(&mut bytes);
    read.map_err(|cause| Errno::from_io_error(&cause).unwrap_or(Errno::IO))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::effective_uid;

    #[test]
    fn uid_is_the_effective_one_whatever_the_name_says() {
        let status = b"Name:\tUid: 1 2\\nUid:\t3\t4\nUmask:\t0022\nUid:\t1000\t0\t7\t8\n";
        assert_eq!(effective_uid(status), Some(0));
        assert_eq!(effective_uid(b"Name:\tx\n"), None);
    }
}
