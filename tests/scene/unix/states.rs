//! Unix sockets of every type, listening, connected, half-closed.

use std::io;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, Shutdown, SocketAddrUnix, SocketFlags, SocketType};
use tempfile::TempDir;

use super::{abstract_name, expect, path_address, socket, unique};
use crate::scene::At;
use crate::scene::expected::Expected;
use crate::scene::held::Held;

/// Everything below.
pub fn all() -> io::Result<Held> {
    let mut held = Held::new();
    for part in [
        stream()?,
        seqpacket()?,
        pending()?,
        pair()?,
        half_closed()?,
        unread()?,
        datagram()?,
        unconnected()?,
    ] {
        held.absorb(part);
    }
    Ok(held)
}

/// A stream listener with a path, an unnamed client, and the accepted end, which has the
/// listener's name.
pub fn stream() -> io::Result<Held> {
    let directory = TempDir::new().at("temporary directory")?;
    let path = directory.path().join("stream.sock");
    let address = path_address(&path)?;
    let what = [
        "unix stream listener",
        "unix stream client",
        "unix stream server",
    ];
    let mut held = connection(SocketType::STREAM, &address, what)?;
    held.keep_directory(directory);
    Ok(held)
}

/// The same for sequenced packets, with an abstract name.
pub fn seqpacket() -> io::Result<Held> {
    let address = SocketAddrUnix::new_abstract_name(&unique("seqpacket")).at("abstract name")?;
    let what = [
        "unix seqpacket listener",
        "unix seqpacket client",
        "unix seqpacket server",
    ];
    connection(SocketType::SEQPACKET, &address, what)
}

/// A listener with two connections waiting; their other ends are not listed at all.
pub fn pending() -> io::Result<Held> {
    let name = unique("pending");
    let address = SocketAddrUnix::new_abstract_name(&name).at("abstract name")?;
    let listener = listening(SocketType::STREAM, &address, 4)?;
    let mut held = Held::new();
    for what in ["unix first waiting client", "unix second waiting client"] {
        let client = socket(SocketType::STREAM)?;
        rustix::net::connect(&client, &address).at("connect")?;
        let mut expected = expect(what, SocketType::STREAM, "ESTABLISHED", &client)?;
        // The other end has no inode before `accept`.
        expected.peer_inode = Some(0);
        held.keep(client, expected);
    }
    let mut expected = expect(
        "unix listener with two waiting",
        SocketType::STREAM,
        "LISTEN",
        &listener,
    )?;
    (expected.recv_queue, expected.send_queue) = (Some(2), Some(4));
    held.keep(listener, expected);
    Ok(held)
}

/// `socketpair`: two unnamed ends.
pub fn pair() -> io::Result<Held> {
    let mut held = Held::new();
    let ends = unnamed_pair()?;
    keep_ends(
        &mut held,
        SocketType::STREAM,
        ["unix pair, one end", "unix pair, other end"],
        ends,
    )?;
    Ok(held)
}

/// A pair, one end of which shut its sending side.
pub fn half_closed() -> io::Result<Held> {
    let mut held = Held::new();
    let ends = unnamed_pair()?;
    rustix::net::shutdown(&ends.0, Shutdown::Write).at("shutdown")?;
    let what = ["unix sending side shut", "unix receiving side shut"];
    keep_ends(&mut held, SocketType::STREAM, what, ends)?;
    for (expected, side) in held.expected.iter_mut().zip(["send", "receive"]) {
        expected.shutdown = Some(side);
    }
    Ok(held)
}

/// A pair, one end of which has 5 bytes to read.
pub fn unread() -> io::Result<Held> {
    let mut held = Held::new();
    let ends = unnamed_pair()?;
    rustix::io::write(&ends.0, b"12345").at("write")?;
    let what = ["unix writer", "unix unread bytes"];
    keep_ends(&mut held, SocketType::STREAM, what, ends)?;
    if let [writer, reader] = held.expected.as_mut_slice() {
        // What the reader has not read is charged to the writer, in kernel memory.
        writer.some_unsent = true;
        reader.recv_queue = Some(5);
    }
    Ok(held)
}

/// Datagram sockets: one bound, one connected to it with 3 bytes sent.
///
/// The kernel calls both ESTABLISHED, although the bound one has no peer.
pub fn datagram() -> io::Result<Held> {
    let name = unique("datagram");
    let address = SocketAddrUnix::new_abstract_name(&name).at("abstract name")?;
    let server = socket(SocketType::DGRAM)?;
    rustix::net::bind(&server, &address).at("bind")?;
    let client = socket(SocketType::DGRAM)?;
    rustix::net::connect(&client, &address).at("connect")?;
    rustix::io::write(&client, b"123").at("write")?;
    let mut held = Held::new();
    let mut bound = expect(
        "unix datagram called",
        SocketType::DGRAM,
        "ESTABLISHED",
        &server,
    )?;
    (bound.recv_queue, bound.peer_inode) = (Some(3), Some(0));
    let mut caller = expect(
        "unix datagram connected",
        SocketType::DGRAM,
        "ESTABLISHED",
        &client,
    )?;
    caller.peer_name = Some(abstract_name(&name));
    caller.peer_inode = bound.inode;
    caller.some_unsent = true;
    held.keep(server, bound);
    held.keep(client, caller);
    Ok(held)
}

/// Sockets that nothing was done with but `bind`, or not even that.
pub fn unconnected() -> io::Result<Held> {
    let mut held = Held::new();
    let named = socket(SocketType::DGRAM)?;
    let address = SocketAddrUnix::new_abstract_name(&unique("bound")).at("abstract name")?;
    rustix::net::bind(&named, &address).at("bind")?;
    let expected = expect("unix datagram bound", SocketType::DGRAM, "UNCONN", &named)?;
    held.keep(named, expected);
    let unnamed = socket(SocketType::STREAM)?;
    let expected = expect(
        "unix stream unnamed",
        SocketType::STREAM,
        "UNCONN",
        &unnamed,
    )?;
    held.keep(unnamed, expected);
    Ok(held)
}

/// A listener bound to `address`.
pub(super) fn listening(
    kind: SocketType,
    address: &SocketAddrUnix,
    backlog: i32,
) -> io::Result<OwnedFd> {
    let listener = socket(kind)?;
    rustix::net::bind(&listener, address).at("bind")?;
    rustix::net::listen(&listener, backlog).at("listen")?;
    Ok(listener)
}

/// Listener, client and server, named in this order.
fn connection(
    kind: SocketType,
    address: &SocketAddrUnix,
    [of_listener, of_client, of_server]: [&'static str; 3],
) -> io::Result<Held> {
    let listener = listening(kind, address, 8)?;
    let client = socket(kind)?;
    rustix::net::connect(&client, address).at("connect")?;
    let server = rustix::net::accept_with(&listener, SocketFlags::CLOEXEC).at("accept")?;
    let mut held = Held::new();
    let expected = expect(of_listener, kind, "LISTEN", &listener)?;
    held.keep(
        listener,
        Expected {
            send_queue: Some(8),
            ..expected
        },
    );
    keep_ends(&mut held, kind, [of_client, of_server], (client, server))?;
    Ok(held)
}

/// Two connected ends, each the other's peer.
fn keep_ends(
    held: &mut Held,
    kind: SocketType,
    what: [&'static str; 2],
    (one, two): (OwnedFd, OwnedFd),
) -> io::Result<()> {
    let mut first = expect(what[0], kind, "ESTABLISHED", &one)?;
    let mut second = expect(what[1], kind, "ESTABLISHED", &two)?;
    (first.peer_name, second.peer_name) = (second.name.clone(), first.name.clone());
    (first.peer_inode, second.peer_inode) = (second.inode, first.inode);
    held.keep(one, first);
    held.keep(two, second);
    Ok(())
}

fn unnamed_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    rustix::net::socketpair(family, kind, SocketFlags::CLOEXEC, None).at("socketpair")
}
