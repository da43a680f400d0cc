#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first thing that is not as expected"
)]

//! Sockets of this process in the kernel's own files.

use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;

use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, socket,
};

use super::ProcfsSource;
use crate::model::{Family, Protocol, Socket, SocketType, State, StateSet, Table};
use crate::source::{Outcome, Recorder, Request, Source as _};

fn inode_of(socket: impl AsFd) -> u64 {
    let link = format!("/proc/self/fd/{}", socket.as_fd().as_raw_fd());
    let name = fs::read_link(link).unwrap();
    let name = name.to_str().unwrap();
    let digits = name.strip_prefix("socket:[").unwrap().strip_suffix(']');
    digits.unwrap().parse().unwrap()
}

fn all(protocol: Protocol, family: Family) -> (Vec<Socket>, Outcome) {
    let request = Request::plain(StateSet::ALL);
    let mut found = Vec::new();
    let outcome = ProcfsSource::new("/proc", Recorder::default())
        .visit(
            Table::new(protocol, family),
            &request,
            &mut |socket: &Socket| {
                found.push(socket.clone());
                ControlFlow::Continue(())
            },
        )
        .unwrap();
    (found, outcome)
}

/// The one row with the inode of a socket.
fn row_of(socket: impl AsFd, protocol: Protocol, family: Family) -> Socket {
    let inode = inode_of(socket);
    let (mut found, _) = all(protocol, family);
    found.retain(|row| row.inode == Some(inode));
    assert_eq!(found.len(), 1, "{protocol} {family} {inode}");
    found.remove(0)
}

#[test]
fn every_line_of_every_table_but_unix_is_understood() {
    let tables = Table::all().filter(|table| table.protocol != Protocol::Unix);
    for table in tables.filter(|table| table.proc_file().is_some()) {
        let (_, outcome) = all(table.protocol, table.family);
        assert_eq!(outcome.warnings, [], "{table}");
    }
}

#[test]
fn tcp_listener_is_found_with_its_port_and_inode() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let row = row_of(&listener, Protocol::Tcp, Family::Inet);
    let address = listener.local_addr().unwrap();
    assert_eq!(row.state, State::Listen);
    assert_eq!(row.local.ip, Some(address.ip()));
    assert_eq!(row.local.port, Some(address.port().into()));
    assert_eq!(row.peer.port, None);
    assert_eq!(row.uid, Some(nix::unistd::getuid().as_raw()));
}

#[test]
fn waiting_connection_is_counted_and_has_no_inode() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let row = row_of(&listener, Protocol::Tcp, Family::Inet);
    assert_eq!(row.recv_queue, Some(1));
    let port = Some(u32::from(client.local_addr().unwrap().port()));
    let (found, _) = all(Protocol::Tcp, Family::Inet);
    // Another connection closed just before may have had the same local port.
    let is_it = |found: &&Socket| found.peer.port == port && found.local.port == row.local.port;
    let waiting = found.iter().find(is_it).unwrap();
    assert_eq!(waiting.state, State::Established);
    assert_eq!(waiting.inode, None);
}

#[test]
fn connected_udp_socket_of_ipv6_is_found() {
    let server = UdpSocket::bind("[::1]:0").unwrap();
    let client = UdpSocket::bind("[::1]:0").unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    let row = row_of(&client, Protocol::Udp, Family::Inet6);
    let port = server.local_addr().unwrap().port();
    assert_eq!(row.peer.ip, Some("::1".parse().unwrap()));
    assert_eq!(row.peer.port, Some(port.into()));
    assert_eq!(row.state, State::Established);
    let row = row_of(&server, Protocol::Udp, Family::Inet6);
    assert_eq!(row.state, State::Unconn);
}

#[test]
fn unix_listener_is_found_with_a_path_of_any_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"a  b\xff\x1b ");
    let path = directory.path().join(name);
    let listener = UnixListener::bind(&path).unwrap();
    let row = row_of(&listener, Protocol::Unix, Family::Unix);
    assert_eq!(row.local.name, path.as_os_str().as_bytes());
    assert_eq!(row.state, State::Listen);
    assert_eq!(row.kind, Some(SocketType::Stream));
}

#[test]
fn unix_path_with_a_newline_is_a_gap() {
    let directory = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(directory.path().join("a\nb")).unwrap();
    let (_, outcome) = all(Protocol::Unix, Family::Unix);
    let gap = outcome.warnings[0].to_string();
    assert!(gap.starts_with("/proc/net/unix:"), "{gap}");
    drop(listener);
}

#[test]
fn netlink_socket_is_found_with_its_family() {
    let flags = SockFlag::SOCK_CLOEXEC;
    let (family, kind) = (AddressFamily::Netlink, SockType::Raw);
    let route = socket(family, kind, flags, SockProtocol::NetlinkRoute).unwrap();
    // An unbound socket is in no list.
    bind(route.as_raw_fd(), &NetlinkAddr::new(0, 0)).unwrap();
    let row = row_of(&route, Protocol::Netlink, Family::Netlink);
    assert_eq!(row.local.name, b"route");
    assert_eq!(row.state, State::Unconn);
}
