//! `kcmp(2)`, `name_to_handle_at(2)` and two requests of `ioctl(2)`, which no crate offers in a safe form.
//!
//! The unsafe code is sound because:
//!
//! - `kcmp(2)` takes and returns numbers; it touches no memory.
//! - `name_to_handle_at(2)` reads a path up to its NUL, and writes a number and a handle no longer than its stated
//!   size; any bytes are a valid handle.
//! - `SIOCGSKNS` takes no argument, and returns a new descriptor or an error, also for a descriptor that is no socket;
//!   `NS_GET_NSTYPE` returns a number.

use std::ffi::{CString, c_int};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// `FILEID_KERNFS` (`include/linux/exportfs.h`): the handle is the id of a file in sysfs or cgroup2.
const KERNFS: i32 = 0xfe;

/// `struct file_handle` (`include/linux/fs.h`), with room for such an id.
#[derive(Default)]
#[repr(C)]
struct Handle {
    bytes: u32,
    kind: i32,
    id: [u8; 8],
}

/// The id of a cgroup, as in sockets and BPF programs, by its directory. On a 32-bit kernel it is more than the
/// inode number.
///
/// # Errors
///
/// When it is no directory of cgroup2, or the kernel does not report the id.
pub fn cgroup_id(directory: &Path) -> io::Result<u64> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    let mut handle = Handle {
        bytes: 8,
        ..Handle::default()
    };
    let mut mount: c_int = 0;
    // SAFETY: the path ends with NUL, the handle is as large as it states, and it and the number exist until the
    // call returns.
    let failed = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw mut handle,
            &raw mut mount,
            0,
        )
    };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    if (handle.kind, handle.bytes) != (KERNFS, 8) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    Ok(u64::from_ne_bytes(handle.id))
}

/// `SIOCGSKNS` (`include/uapi/linux/sockios.h`).
const GET_NETWORK: libc::Ioctl = 0x894c;

/// Opens the network namespace of a socket.
///
/// # Errors
///
/// When it is no socket, or `CAP_NET_ADMIN` is missing in the user namespace that owns the network namespace.
pub fn network_of(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is open; see above.
    let number = unsafe { libc::ioctl(socket.as_raw_fd(), GET_NETWORK) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just opened for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `NS_GET_NSTYPE` (`include/uapi/linux/nsfs.h`).
const GET_KIND: libc::Ioctl = 0xb703;

/// True if a descriptor of nsfs is of a network namespace.
pub fn is_network(namespace: BorrowedFd<'_>) -> bool {
    // SAFETY: the descriptor is open; see above.
    let kind = unsafe { libc::ioctl(namespace.as_raw_fd(), GET_KIND) };
    kind == libc::CLONE_NEWNET
}

/// `KCMP_FILES` (`include/uapi/linux/kcmp.h`).
const KCMP_FILES: c_int = 2;

/// True if two tasks share their descriptors; false if not, or if the kernel refuses to compare.
pub fn share_descriptors(one: u32, other: u32) -> bool {
    // SAFETY: all arguments are numbers; see above.
    let answer = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0, 0) };
    answer == 0
}

#[cfg(test)]
mod tests {
    use super::share_descriptors;

    #[test]
    fn threads_share_descriptors_and_processes_do_not() {
        let own = std::process::id();
        let of_thread = move || {
            let thread = rustix::thread::gettid().as_raw_pid();
            share_descriptors(own, thread.cast_unsigned())
        };
        assert!(
            std::thread::spawn(of_thread)
                .join()
                .is_ok_and(|shares| shares)
        );
        assert!(!share_descriptors(own, u32::MAX));
    }
}
