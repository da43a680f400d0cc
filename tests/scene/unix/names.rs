//! Listeners whose names break terminals, line formats and parsers.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;

use nix::sched::{CloneFlags, unshare};
use rustix::net::{SocketAddrUnix, SocketType};
use tempfile::TempDir;

use super::states::listening;
use super::{abstract_name, expect, file_name, path_address, socket, unique};
use crate::scene::At;
use crate::scene::held::Held;

/// File names, each a byte string that `ss` or `netstat` prints raw or cuts.
const FILES: &[(&str, &[u8])] = &[
    ("unix name with a blank", b"two words"),
    (
        "unix name with a newline",
        b"line\nu_str LISTEN 0 1 @fake 1 * 0",
    ),
    (
        "unix name with an OSC 52 sequence",
        b"\x1b]52;c;bHNvY2s=\x07",
    ),
    ("unix name with a CSI sequence", b"\x1b[2J\x1b[31mred"),
    ("unix name with a C1 control", b"\xc2\x9b31mred"),
    ("unix name of invalid UTF-8", b"\xff\xfe\xc3\x28"),
    ("unix name with a backslash", b"back\\slash\\x41"),
    ("unix name with DEL", b"del\x7f"),
    ("unix name with quotes", b"a\"b'c,d"),
    ("unix name with a tab and a carriage return", b"a\tb\rc"),
    (
        "unix name with right-to-left override",
        b"gnp\xe2\x80\xae.txt",
    ),
    ("unix name in UTF-8", "dürüm-日本".as_bytes()),
];

/// Everything below.
pub fn all() -> io::Result<Held> {
    let mut held = Held::new();
    for part in [
        files()?,
        longest()?,
        relative()?,
        abstracts()?,
        autobound()?,
    ] {
        held.absorb(part);
    }
    Ok(held)
}

/// One stream listener for each hostile file name.
pub fn files() -> io::Result<Held> {
    let directory = TempDir::new().at("temporary directory")?;
    let mut held = Held::new();
    for (what, name) in FILES {
        let address = path_address(&directory.path().join(file_name(name)))?;
        keep(&mut held, what, listening(SocketType::STREAM, &address, 1)?)?;
    }
    held.keep_directory(directory);
    Ok(held)
}

/// A path of 108 bytes, which leaves no room for a final NUL in `sun_path`.
pub fn longest() -> io::Result<Held> {
    let directory = TempDir::new().at("temporary directory")?;
    let parent = directory.path().as_os_str().len();
    let fill = 108_usize.checked_sub(parent + 1).filter(|&fill| fill > 0);
    let fill =
        fill.ok_or_else(|| io::Error::other("the temporary directory's path is too long"))?;
    let path = directory.path().join("n".repeat(fill));
    let mut held = Held::new();
    let listener = listening(SocketType::STREAM, &path_address(&path)?, 1)?;
    let mut expected = expect(
        "unix path of 108 bytes",
        SocketType::STREAM,
        "LISTEN",
        &listener,
    )?;
    // `getsockname` adds a NUL beyond the end of `sun_path`, which libraries cut.
    expected.name = Some(path.into_os_string().into_encoded_bytes());
    expected.send_queue = Some(1);
    held.keep(listener, expected);
    held.keep_directory(directory);
    Ok(held)
}

/// A file named `@relative`, bound by a path without directory: it looks abstract and is not.
pub fn relative() -> io::Result<Held> {
    let directory = TempDir::new().at("temporary directory")?;
    let folder = directory.path();
    let listener = thread::scope(|scope| {
        let inside = scope.spawn(|| listen_inside(folder, Path::new("@relative")));
        inside
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread panicked")))
    })?;
    let mut held = Held::new();
    keep(
        &mut held,
        "unix relative path like an abstract name",
        listener,
    )?;
    held.keep_directory(directory);
    Ok(held)
}

/// Abstract names: clean, with a NUL and `0xff` inside, of the full 107 bytes, and empty.
pub fn abstracts() -> io::Result<Held> {
    let mut full = unique("full-");
    full.resize(107, b'f');
    let mut odd = unique("odd");
    odd.extend(b"\0mid\xff\x1b[31m\nend\0");
    let mut held = Held::new();
    for (what, name) in [
        ("unix abstract name", unique("clean")),
        ("unix abstract name with NUL and 0xff", odd),
        ("unix abstract name of 107 bytes", full),
    ] {
        let address = SocketAddrUnix::new_abstract_name(&name).at("abstract name")?;
        let listener = listening(SocketType::STREAM, &address, 1)?;
        let mut expected = expect(what, SocketType::STREAM, "LISTEN", &listener)?;
        expected.name = Some(abstract_name(&name));
        expected.send_queue = Some(1);
        held.keep(listener, expected);
    }
    Ok(held)
}

/// A listener the kernel named: five hexadecimal digits after the NUL.
pub fn autobound() -> io::Result<Held> {
    let mut held = Held::new();
    keep(
        &mut held,
        "unix autobound",
        listening(SocketType::STREAM, &SocketAddrUnix::new_unnamed(), 1)?,
    )?;
    Ok(held)
}

fn keep(held: &mut Held, what: &'static str, listener: OwnedFd) -> io::Result<()> {
    let mut expected = expect(what, SocketType::STREAM, "LISTEN", &listener)?;
    expected.send_queue = Some(1);
    held.keep(listener, expected);
    Ok(())
}

/// Listens at a path relative to `folder`; for a thread that ends afterwards.
fn listen_inside(folder: &Path, path: &Path) -> io::Result<OwnedFd> {
    // From here on this thread has a working directory of its own.
    unshare(CloneFlags::CLONE_FS).at("unshare(CLONE_FS)")?;
    nix::unistd::chdir(folder).at("chdir")?;
    let listener = socket(SocketType::STREAM)?;
    rustix::net::bind(&listener, &path_address(path)?).at("bind")?;
    rustix::net::listen(&listener, 1).at("listen")?;
    Ok(listener)
}
