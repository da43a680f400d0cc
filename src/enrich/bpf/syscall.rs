//! `bpf(2)`, as far as an iterator needs it. No crate has it in a safe form without much more.
//!
//! This is the only unsafe code of the program. What makes it sound:
//!
//! - Only the three commands below are given. The kernel reads the attributes, as many bytes as their
//!   type has, and for [`load`] what their two addresses point at: the instructions, as many as the
//!   attributes say, and the license, up to its NUL. Both are borrowed until the call has returned.
//! - It writes nothing: it would into a log, which is not asked for.
//! - Each of the commands gives a new descriptor, which is nobody else's, or an error.

use std::ffi::{CStr, c_int};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use zerocopy::{Immutable, IntoBytes};

use super::program::Instruction;

/// `BPF_PROG_LOAD` (`enum bpf_cmd`, `include/uapi/linux/bpf.h`).
const PROG_LOAD: c_int = 5;
/// `BPF_LINK_CREATE`.
const LINK_CREATE: c_int = 28;
/// `BPF_ITER_CREATE`.
const ITER_CREATE: c_int = 33;
/// `BPF_PROG_TYPE_TRACING`.
const TRACING: u32 = 26;
/// `BPF_TRACE_ITER`.
const TRACE_ITER: u32 = 28;
/// What writes into the output of an iterator is for programs that are free under the GPL, too.
const LICENSE: &CStr = c"Dual MIT/GPL";
/// Shown by `bpftool prog`.
const NAME: [u8; 16] = *b"lsock_owners\0\0\0\0";

/// The attributes of `BPF_PROG_LOAD`, without those of later kernels.
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

/// Those of `BPF_LINK_CREATE`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Link {
    prog_fd: RawFd,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
}

/// Those of `BPF_ITER_CREATE`.
#[derive(IntoBytes, Immutable)]
#[repr(C)]
struct Iterate {
    link_fd: RawFd,
    flags: u32,
}

/// Has the kernel check and take a program for the iterator whose function has this number.
pub(super) fn load(program: &[Instruction], function: u32) -> io::Result<OwnedFd> {
    let attributes = Load {
        prog_type: TRACING,
        insn_cnt: u32::try_from(program.len()).map_err(io::Error::other)?,
        insns: address(program.as_ptr())?,
        license: address(LICENSE.as_ptr())?,
        prog_name: NAME,
        expected_attach_type: TRACE_ITER,
        attach_btf_id: function,
        ..Load::default()
    };
    call(PROG_LOAD, &attributes)
}

/// Attaches a program to its iterator.
pub(super) fn link(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let attributes = Link {
        prog_fd: program.as_raw_fd(),
        target_fd: 0,
        attach_type: TRACE_ITER,
        flags: 0,
    };
    call(LINK_CREATE, &attributes)
}

/// Begins a run over everything, which is read like a file.
pub(super) fn iterate(link: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let attributes = Iterate {
        link_fd: link.as_raw_fd(),
        flags: 0,
    };
    call(ITER_CREATE, &attributes)
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

#[cfg(test)]
mod tests {
    use super::{Iterate, Link, Load, iterate, link, load};
    use std::mem::offset_of;
    use std::os::fd::AsFd as _;

    #[test]
    fn attributes_stand_where_the_kernel_reads_them() {
        assert_eq!(offset_of!(Load, license), 16);
        assert_eq!(offset_of!(Load, prog_name), 48);
        assert_eq!(offset_of!(Load, expected_attach_type), 68);
        assert_eq!(offset_of!(Load, attach_btf_id), 108);
        assert_eq!(size_of::<Load>(), 112);
        assert_eq!((size_of::<Link>(), size_of::<Iterate>()), (16, 8));
    }

    #[test]
    fn what_is_no_program_is_refused() {
        let file = std::fs::File::open("/dev/null");
        let refused =
            |file: &std::fs::File| (link(file.as_fd()).is_err(), iterate(file.as_fd()).is_err());
        assert_eq!(file.as_ref().map(refused).ok(), Some((true, true)));
        assert!(load(&[], 1).is_err());
    }
}
