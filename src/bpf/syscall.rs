//! `bpf(2)`, as far as it is needed here, `kcmp(2)`, `name_to_handle_at(2)` and two requests of `ioctl(2)`. No crate
//! has them in a safe form without much more.
//!
//! With `memory` the only unsafe code of the program. What makes it sound:
//!
//! - Only the commands below are given. The kernel reads the attributes, as many bytes as their type has,
//!   and for [`load`] what their two addresses point at: the instructions, as many as the attributes say,
//!   and the license, up to its NUL; for [`link`] a number. All are borrowed until the call has returned.
//! - With them it writes nothing: it would into a log, which is not asked for. (Where what programs write is mapped,
//!   `memory` says why that is sound.)
//! - Each of the commands gives a new descriptor, which is nobody else's, or an error.
//! - `kcmp(2)` takes numbers and gives one: no memory of ours is touched.
//! - `name_to_handle_at(2)` reads a path up to its NUL, and writes a handle of no more bytes than ours states to
//!   have room for, which any bytes are, and a number.
//! - `SIOCGSKNS` takes no argument, and gives a new descriptor or an error, be it for what is no socket;
//!   `NS_GET_NSTYPE` gives a number.

use std::ffi::{CStr, CString, c_int};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::process::{Resource, Rlimit, setrlimit};
use zerocopy::{Immutable, IntoBytes};

use super::Hook;
use super::assembler::Instruction;

/// `BPF_MAP_CREATE` (`enum bpf_cmd`, `include/uapi/linux/bpf.h`).
const MAP_CREATE: c_int = 0;
/// `BPF_PROG_LOAD`.
const PROG_LOAD: c_int = 5;
/// `BPF_RAW_TRACEPOINT_OPEN`.
const RAW_TRACEPOINT_OPEN: c_int = 17;
/// `BPF_LINK_CREATE`.
const LINK_CREATE: c_int = 28;
/// `BPF_ITER_CREATE`.
const ITER_CREATE: c_int = 33;
/// `BPF_MAP_TYPE_HASH`.
const HASH: u32 = 1;
/// `BPF_MAP_TYPE_ARRAY`.
const ARRAY: u32 = 2;
/// `BPF_MAP_TYPE_RINGBUF`.
const RINGBUF: u32 = 27;
/// `BPF_F_MMAPABLE`.
const MMAPABLE: u32 = 1 << 10;
/// `BPF_PROG_TYPE_TRACING`.
const TRACING: u32 = 26;
/// `BPF_TRACE_RAW_TP`: a tracepoint, with types.
const TRACE_RAW_TP: u32 = 23;
/// `BPF_TRACE_FEXIT`.
const TRACE_FEXIT: u32 = 25;
/// `BPF_TRACE_ITER`.
const TRACE_ITER: u32 = 28;
/// What writes into the output of an iterator is for programs that are free under the GPL, too.
const LICENSE: &CStr = c"Dual MIT/GPL";

/// A program is checked so often again where signals come meanwhile.
const ATTEMPTS: u8 = 5;

/// The attributes of `BPF_PROG_LOAD`, without those of later kernels. Those of the other commands are few, and all
/// of 32 bits.
#[derive(Default, IntoBytes, Immutable)]
#[repr(C)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
    prog_btf_fd: u32,
    func_info_rec_size: u32,
    func_info: u64,
    func_info_cnt: u32,
    line_info_rec_size: u32,
    line_info: u64,
    line_info_cnt: u32,
    attach_btf_id: u32,
}

/// What a map is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// One value.
    Value,
    /// So many numbers of four bytes by keys of eight, for programs only.
    Keyed,
    /// A ring buffer: pages, and a power of two.
    RingBuffer,
    /// So many values of four bytes, to iterate over.
    Elements,
}

/// Makes a map of so many bytes or elements.
pub(super) fn create(kind: MapKind, bytes: usize) -> io::Result<OwnedFd> {
    let bytes = u32::try_from(bytes).map_err(io::Error::other)?;
    // Type, bytes of a key, bytes of a value, how many values, flags.
    let attributes = match kind {
        MapKind::Value => [ARRAY, 4, bytes, 1, MMAPABLE],
        MapKind::Keyed => [HASH, 8, 4, bytes, 0],
        MapKind::RingBuffer => [RINGBUF, 0, 0, bytes, 0],
        MapKind::Elements => [ARRAY, 4, 4, bytes, 0],
    };
    match call(MAP_CREATE, &attributes) {
        // Before 5.11 a map counts as locked memory, of which even root may have little.
        Err(refused) if refused.kind() == io::ErrorKind::PermissionDenied => {
            let none = Rlimit {
                current: None,
                maximum: None,
            };
            setrlimit(Resource::Memlock, none).map_err(|_| refused)?;
            call(MAP_CREATE, &attributes)
        }
        made => made,
    }
}

/// Has the kernel check and take a program.
pub(super) fn load(name: &str, program: &[Instruction], hook: Hook) -> io::Result<OwnedFd> {
    let (attach_type, number) = match hook {
        Hook::Iterator(number) | Hook::Elements(number, _) => (TRACE_ITER, number),
        Hook::Tracepoint(number) => (TRACE_RAW_TP, number),
        Hook::Exit(number) => (TRACE_FEXIT, number),
    };
    let mut prog_name = [0; 16];
    // It ends with a NUL.
    for (to, from) in prog_name.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    let attributes = Load {
        prog_type: TRACING,
        insn_cnt: u32::try_from(program.len()).map_err(io::Error::other)?,
        insns: address(program.as_ptr())?,
        license: address(LICENSE.as_ptr())?,
        prog_name,
        expected_attach_type: attach_type,
        attach_btf_id: number,
        ..Load::default()
    };
    // A signal that comes while the kernel checks it makes it give up.
    let is_over = |loaded: &io::Result<OwnedFd>| {
        let error = loaded.as_ref().err().map(io::Error::kind);
        error != Some(io::ErrorKind::WouldBlock)
    };
    let mut attempts = (0..ATTEMPTS).map(|_| call(PROG_LOAD, &attributes));
    let loaded = attempts.find(is_over);
    loaded.unwrap_or_else(|| call(PROG_LOAD, &attributes))
}

/// Attaches a program.
pub(super) fn link(program: BorrowedFd<'_>, hook: Hook) -> io::Result<OwnedFd> {
    let program = program.as_raw_fd().cast_unsigned();
    match hook {
        // The program, nothing it is for, the kind of its place, flags.
        Hook::Iterator(_) => call(LINK_CREATE, &[program, 0, TRACE_ITER, 0]),
        // And the address of the map's number, which stands there until the call returns, and its length.
        Hook::Elements(_, map) => {
            let [first, second]: [u32; 2] = zerocopy::transmute!(address(&raw const map)?);
            let attributes = [program, 0, TRACE_ITER, 0, first, second, 4, 0];
            call(LINK_CREATE, &attributes)
        }
        // The two halves of the address of a name, which the program has, the program, and nothing.
        Hook::Tracepoint(_) | Hook::Exit(_) => call(RAW_TRACEPOINT_OPEN, &[0, 0, program, 0]),
    }
}

/// Begins a run over everything, which is read like a file.
pub(super) fn iterate(link: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // The link, flags.
    call(ITER_CREATE, &[link.as_raw_fd().cast_unsigned(), 0])
}

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

/// The id of a cgroup, as sockets and programs know it, by its directory. On a kernel of 32 bits it is more
/// than the number of the inode.
///
/// # Errors
///
/// When it is no directory of cgroup2, or the kernel does not tell.
pub fn cgroup_id(directory: &Path) -> io::Result<u64> {
    let path = CString::new(directory.as_os_str().as_bytes())?;
    let mut handle = Handle {
        bytes: 8,
        ..Handle::default()
    };
    let mut mount: c_int = 0;
    // SAFETY: the path ends with its NUL, the handle has room for as many bytes as it states, and both it
    // and the number are there until the call returns.
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

fn address<T>(of: *const T) -> io::Result<u64> {
    u64::try_from(of.expose_provenance()).map_err(io::Error::other)
}

fn call(command: c_int, attributes: &(impl IntoBytes + Immutable)) -> io::Result<OwnedFd> {
    let attributes = attributes.as_bytes();
    // SAFETY: the address and the length are those of one slice; for the rest see above.
    let number = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attributes.as_ptr(),
            attributes.len(),
        )
    };
    let number = RawFd::try_from(number).map_err(io::Error::other)?;
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it has just been opened for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `SIOCGSKNS` (`include/uapi/linux/sockios.h`).
const GET_NETWORK: libc::Ioctl = 0x894c;

/// Opens the network namespace of a socket.
///
/// # Errors
///
/// When it is no socket, or `CAP_NET_ADMIN` is missing in the user namespace that owns it.
pub fn network_of(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: the descriptor is open; see above.
    let number = unsafe { libc::ioctl(socket.as_raw_fd(), GET_NETWORK) };
    if number < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it has just been opened for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// `NS_GET_NSTYPE` (`include/uapi/linux/nsfs.h`).
const GET_KIND: libc::Ioctl = 0xb703;

/// True of the descriptor of a network namespace, among those of nsfs.
pub fn is_network(namespace: BorrowedFd<'_>) -> bool {
    // SAFETY: the descriptor is open; see above.
    let kind = unsafe { libc::ioctl(namespace.as_raw_fd(), GET_KIND) };
    kind == libc::CLONE_NEWNET
}

/// `KCMP_FILES` (`include/uapi/linux/kcmp.h`).
const KCMP_FILES: c_int = 2;

/// True if two tasks have the same descriptors; false if not, or if the kernel does not say.
pub fn share_descriptors(one: u32, other: u32) -> bool {
    // SAFETY: all arguments are numbers; see above.
    let answer = unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0, 0) };
    answer == 0
}

#[cfg(test)]
mod tests {
    use super::{Hook, Load, MapKind, create, iterate, link, load, share_descriptors};
    use std::mem::offset_of;
    use std::os::fd::AsFd as _;

    #[test]
    fn attributes_stand_where_the_kernel_reads_them() {
        assert_eq!(offset_of!(Load, license), 16);
        assert_eq!(offset_of!(Load, prog_name), 48);
        assert_eq!(offset_of!(Load, expected_attach_type), 68);
        assert_eq!(offset_of!(Load, attach_btf_id), 108);
        assert_eq!(size_of::<Load>(), 112);
    }

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

    #[test]
    fn what_is_no_program_is_refused() {
        let file = std::fs::File::open("/dev/null").map_err(|error| error.kind());
        let refused = file.as_ref().map(|file| {
            let hooks = [Hook::Iterator, Hook::Tracepoint, Hook::Exit].map(|hook| hook(1));
            let refused = hooks.map(|hook| link(file.as_fd(), hook).is_err());
            (refused, iterate(file.as_fd()).is_err())
        });
        assert_eq!(refused, Ok(([true; 3], true)));
        let linked = file.map(|file| link(file.as_fd(), Hook::Elements(1, -1)).is_ok());
        assert_eq!(linked, Ok(false));
        assert!(load("none", &[], Hook::Iterator(1)).is_err());
        assert!(create(MapKind::RingBuffer, 3).is_err());
    }
}
