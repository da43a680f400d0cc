//! Unix sockets.

pub mod names;
pub mod states;

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::socket::{UnixAddr, getsockname};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::At;
use super::expected::{Expected, inode};

/// A unix socket without a name, closed on `exec`.
pub fn socket(kind: SocketType) -> io::Result<OwnedFd> {
    rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).at("socket")
}

/// The address of a file.
pub fn path_address(path: &Path) -> io::Result<SocketAddrUnix> {
    SocketAddrUnix::new(path).at("unix path")
}

/// A name no other test has; abstract names are shared by a whole namespace.
pub fn unique(stem: &str) -> Vec<u8> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("lsock-{}-{count}-{stem}", std::process::id()).into_bytes()
}

/// `name` with the NUL that makes it abstract.
fn abstract_name(name: &[u8]) -> Vec<u8> {
    [b"\0", name].concat()
}

/// The name the kernel holds, as [`Expected::name`] writes it.
fn name_of(socket: &OwnedFd) -> io::Result<Vec<u8>> {
    let address: UnixAddr = getsockname(socket.as_raw_fd()).at("getsockname")?;
    Ok(match (address.as_abstract(), address.path()) {
        (Some(name), _) => abstract_name(name),
        (None, Some(path)) => path.as_os_str().as_bytes().to_vec(),
        (None, None) => Vec::new(),
    })
}

/// What is known of a unix socket by asking its descriptor; `shutdown` is `none` and nothing
/// is unread unless changed.
fn expect(
    what: &'static str,
    kind: SocketType,
    state: &'static str,
    socket: &OwnedFd,
) -> io::Result<Expected> {
    let kind = match kind {
        SocketType::STREAM => "stream",
        SocketType::DGRAM => "dgram",
        _ => "seqpacket",
    };
    Ok(Expected {
        kind: Some(kind),
        name: Some(name_of(socket)?),
        inode: Some(inode(socket)?),
        recv_queue: Some(0),
        shutdown: Some("none"),
        ..Expected::new(what, "unix", state)
    })
}

/// A file name of any bytes but NUL and `/`.
fn file_name(name: &[u8]) -> &OsStr {
    OsStr::from_bytes(name)
}
