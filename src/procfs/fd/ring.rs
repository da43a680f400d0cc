//! Fixed files of an `io_uring`, held without a descriptor: `/proc/PID/fdinfo/N`.

use std::os::fd::BorrowedFd;

use rustix::fs::readlinkat;
use rustix::io::Result;

use super::walker::{IO_URING, is_gone, socket_inode, task};
use super::{Descriptor, Ring};
use crate::procfs::file;

/// The line before the fixed files (`io_uring_show_fdinfo`, `io_uring/fdinfo.c`).
const FILES: &[u8] = b"UserFiles:";
/// More bytes than for 32,768 fixed files.
const MOST: usize = 4 * 1024 * 1024;

/// The sockets among the fixed files of a ring; none if it is no ring, is gone, or does not list them.
pub(super) fn fixed_files(root: BorrowedFd<'_>, ring: Ring) -> Result<Vec<Descriptor>> {
    let Ring { pid, thread, fd } = ring;
    let path = |folder| format!("{}/{fd}", task(pid, thread, folder));
    let is_ring = || match readlinkat(root, path("fd"), Vec::new()) {
        Ok(link) => Ok(link.as_bytes() == IO_URING),
        Err(cause) if is_gone(cause) => Ok(false),
        Err(cause) => Err(cause),
    };
    if !is_ring()? {
        return Ok(Vec::new());
    }
    let info = match file::read(root, path("fdinfo"), MOST) {
        Ok(info) => info,
        Err(cause) if is_gone(cause) && !is_ring()? => return Ok(Vec::new()),
        Err(cause) => return Err(cause),
    };
    let fd = Descriptor::FIXED;
    let held = sockets_in(&info).map(|inode| Descriptor { inode, pid, fd });
    Ok(held.collect())
}

/// The inodes in lines like `    1: socket:[4996527]` after the line `UserFiles:`. Linux 6.12 prints only their
/// number.
fn sockets_in(info: &[u8]) -> impl Iterator<Item = u64> {
    let lines = info.split(|byte| *byte == b'\n');
    let files = lines.skip_while(|line| !line.starts_with(FILES)).skip(1);
    let files = files.take_while(|line| line.starts_with(b" "));
    files.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        socket_inode(line.get(colon + 1..)?.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::sockets_in;

    #[test]
    fn fixed_files_that_are_sockets_are_found() {
        let info =
            b"pos:\t0\nSqThread:\t-1\nUserFiles:\t4\n    0: /dev/null\n    1: socket:[77]\n   \
            12: socket:[4294967300]\n    3: /tmp/socket:[9]\nUserBufs:\t1\n    0: socket:[5]\n";
        assert!(sockets_in(info).eq([77, 4_294_967_300]));
        for none in [
            &b"UserFiles:\t4\nUserBufs:\t0\n"[..],
            b"",
            b"    1: socket:[77]\n",
        ] {
            assert_eq!(sockets_in(none).count(), 0);
        }
    }
}
