//! The parts of `bpf(2)` that lsock needs. No crate offers them in a safe form without much more.
//!
//! The unsafe code is sound because:
//!
//! - Only the commands below are used. The kernel reads as many bytes of attributes as their type has, and for
//!   [`load`] the memory at their two addresses: as many instructions as the attributes say, and the license up to
//!   its NUL; for [`link`] a number. All are borrowed until the call returns.
//! - With these commands the kernel writes to memory only into a log, which is not requested. (For memory that
//!   programs write, see `memory`.)
//! - Each command returns a new descriptor that nobody else has, or an error.

use std::ffi::{CStr, c_int};
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

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
/// `BPF_TRACE_RAW_TP`: a tracepoint with typed arguments.
const TRACE_RAW_TP: u32 = 23;
/// `BPF_TRACE_FEXIT`.
const TRACE_FEXIT: u32 = 25;
/// `BPF_TRACE_ITER`.
const TRACE_ITER: u32 = 28;
/// Helpers that write an iterator's output require a license compatible with the GPL.
const LICENSE: &CStr = c"Dual MIT/GPL";

/// How often loading is tried when signals interrupt it.
const ATTEMPTS: u8 = 5;

/// The attributes of `BPF_PROG_LOAD` without those of later kernels. Other commands have few, all of 32 bits.
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

/// The kind of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MapKind {
    /// A single value.
    Value,
    /// This many four-byte numbers with eight-byte keys, for programs only.
    Keyed,
    /// A ring buffer; its size is a power of two and a multiple of the page size.
    RingBuffer,
    /// Eight-byte values, to iterate over.
    Elements,
}

/// Creates a map of this many bytes or elements.
pub(super) fn create(kind: MapKind, bytes: usize) -> io::Result<OwnedFd> {
    let bytes = u32::try_from(bytes).map_err(io::Error::other)?;
    // Type, key size, value size, number of entries, flags.
    let attributes = match kind {
        MapKind::Value => [ARRAY, 4, bytes, 1, MMAPABLE],
        MapKind::Keyed => [HASH, 8, 4, bytes, 0],
        MapKind::RingBuffer => [RINGBUF, 0, 0, bytes, 0],
        MapKind::Elements => [ARRAY, 4, 8, bytes / 8, MMAPABLE],
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

/// Has the kernel verify and load a program.
pub(super) fn load(name: &str, program: &[Instruction], hook: Hook) -> io::Result<OwnedFd> {
    let (attach_type, number) = match hook {
        Hook::Iterator(number) | Hook::Elements(number, _) => (TRACE_ITER, number),
        Hook::Tracepoint(number) => (TRACE_RAW_TP, number),
        Hook::Exit(number) => (TRACE_FEXIT, number),
    };
    let mut prog_name = [0; 16];
    // The name ends with a NUL.
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
    // A signal during verification makes the kernel give up.
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
        // Program, no target, attach type, flags.
        Hook::Iterator(_) => call(LINK_CREATE, &[program, 0, TRACE_ITER, 0]),
        // Also the address of the map's descriptor, which is valid until the call returns, and its length.
        Hook::Elements(_, map) => {
            let [first, second]: [u32; 2] = zerocopy::transmute!(address(&raw const map)?);
            let attributes = [program, 0, TRACE_ITER, 0, first, second, 4, 0];
            call(LINK_CREATE, &attributes)
        }
        // The two halves of a null name (the program has it), the program, padding.
        Hook::Tracepoint(_) | Hook::Exit(_) => call(RAW_TRACEPOINT_OPEN, &[0, 0, program, 0]),
    }
}

/// Starts an iterator, which is read like a file.
pub(super) fn iterate(link: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // Link, flags.
    call(ITER_CREATE, &[link.as_raw_fd().cast_unsigned(), 0])
}

fn address<T>(of: *const T) -> io::Result<u64> {
    u64::try_from(of.expose_provenance()).map_err(io::Error::other)
}

fn call(command: c_int, attributes: &(impl IntoBytes + Immutable)) -> io::Result<OwnedFd> {
    let attributes = attributes.as_bytes();
    // SAFETY: address and length are of one slice; see the module's text.
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
    // SAFETY: the descriptor was just opened for this call.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::{Hook, Load, MapKind, create, iterate, link, load};
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
