//! TCP sockets: one function for each state, and the odd ones.

pub mod listeners;
pub mod options;
pub mod states;

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

use super::At;
use super::expected::{local_address, unspecified};
use super::held::Held;
use super::option::AttachFilter;

/// Bytes that are written where a queue must not empty: far more than [`SMALL`] takes.
const STUFFING: usize = 65_536;
/// Asked-for receive buffer of a socket that must not take [`STUFFING`].
const SMALL: usize = 4_096;
/// Asked-for send buffer of a socket that must take [`STUFFING`] whole.
const LARGE: usize = 200_000;
/// Backlog where its value does not matter.
const BACKLOG: i32 = 16;

/// Three sockets of one connection on loopback.
#[derive(Debug)]
pub struct Pair {
    /// Where `server` was accepted.
    pub listener: OwnedFd,
    /// The end that called `connect`.
    pub client: TcpStream,
    /// The end that came out of `accept`.
    pub server: TcpStream,
}

/// A TCP socket of the family of `ip`, neither bound nor connected.
pub fn socket(ip: IpAddr) -> io::Result<OwnedFd> {
    open(ip, SocketType::STREAM, Some(ipproto::TCP))
}

/// A socket of the family of `ip`, closed on `exec`.
pub(super) fn open(
    ip: IpAddr,
    kind: SocketType,
    protocol: Option<rustix::net::Protocol>,
) -> io::Result<OwnedFd> {
    let family = if ip.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, protocol).at("socket")
}

/// Binds to a port the kernel chooses.
pub(super) fn bind(socket: &OwnedFd, ip: IpAddr) -> io::Result<()> {
    rustix::net::bind(socket, &SocketAddr::new(ip, 0)).at("bind")
}

/// A listener on a port the kernel chooses.
pub fn listener(ip: IpAddr, backlog: i32) -> io::Result<OwnedFd> {
    listener_with(ip, backlog, |_| Ok(()))
}

/// The same, `prepare`d before `bind`.
pub fn listener_with(
    ip: IpAddr,
    backlog: i32,
    prepare: impl FnOnce(BorrowedFd<'_>) -> io::Result<()>,
) -> io::Result<OwnedFd> {
    let listener = socket(ip)?;
    prepare(listener.as_fd())?;
    bind(&listener, ip)?;
    rustix::net::listen(&listener, backlog).at("listen")?;
    Ok(listener)
}

/// A connection to `listener`, complete as far as this end can see.
pub fn connect(listener: &OwnedFd) -> io::Result<TcpStream> {
    let socket = socket(local_address(listener)?.ip())?;
    rustix::net::connect(&socket, &local_address(listener)?).at("connect")?;
    Ok(TcpStream::from(socket))
}

/// Takes the oldest connection out of the accept queue.
pub fn accept(listener: &OwnedFd) -> io::Result<TcpStream> {
    let socket = rustix::net::accept_with(listener, SocketFlags::CLOEXEC).at("accept")?;
    Ok(TcpStream::from(socket))
}

/// A connection with both ends in ESTABLISHED.
pub fn pair(ip: IpAddr) -> io::Result<Pair> {
    let listener = listener(ip, BACKLOG)?;
    let client = connect(&listener)?;
    let server = accept(&listener)?;
    Ok(Pair {
        listener,
        client,
        server,
    })
}

/// A connection whose client has unsent bytes, because the server does not read.
pub fn stuffed_client(ip: IpAddr) -> io::Result<Pair> {
    let listener = listener_with(ip, BACKLOG, |socket| {
        sockopt::set_socket_recv_buffer_size(socket, SMALL).at("SO_RCVBUF")
    })?;
    let client = connect(&listener)?;
    let server = accept(&listener)?;
    stuff(&client)?;
    Ok(Pair {
        listener,
        client,
        server,
    })
}

/// A connection whose client takes few bytes at a time.
fn narrow_client(ip: IpAddr) -> io::Result<Pair> {
    let listener = listener(ip, BACKLOG)?;
    let socket = socket(ip)?;
    sockopt::set_socket_recv_buffer_size(&socket, SMALL).at("SO_RCVBUF")?;
    rustix::net::connect(&socket, &local_address(&listener)?).at("connect")?;
    let server = accept(&listener)?;
    Ok(Pair {
        listener,
        client: TcpStream::from(socket),
        server,
    })
}

/// A connection whose client sends bytes that the server's kernel drops, as if the way were broken.
pub fn broken(ip: IpAddr) -> io::Result<Pair> {
    let pair = pair(ip)?;
    deafen(&pair.server)?;
    (&pair.client).write_all(b"to nobody").at("write")?;
    Ok(pair)
}

/// Makes the kernel drop what comes for a socket.
fn deafen(socket: &impl AsFd) -> io::Result<()> {
    let mut nothing = libc::sock_filter {
        code: BPF_RET,
        jt: 0,
        jf: 0,
        k: 0,
    };
    let program = libc::sock_fprog {
        len: 1,
        filter: &raw mut nothing,
    };
    nix::sys::socket::setsockopt(socket, AttachFilter, &program).at("SO_ATTACH_FILTER")
}

/// A client that sends a SYN and never gets the answer.
pub fn deaf_client(listener: &OwnedFd) -> io::Result<OwnedFd> {
    let socket = socket(local_address(listener)?.ip())?;
    deafen(&socket)?;
    begin_to_connect(&socket, local_address(listener)?)?;
    Ok(socket)
}

/// Sends a SYN, and does not wait for the answer.
pub fn begin_to_connect(socket: &OwnedFd, to: SocketAddr) -> io::Result<()> {
    rustix::io::ioctl_fionbio(socket, true).at("FIONBIO")?;
    match rustix::net::connect(socket, &to) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(()),
        Err(errno) => Err(errno).at("connect"),
    }
}

/// `BPF_RET | BPF_K`: keep so many bytes.
const BPF_RET: u16 = 0x06;

/// Hands the kernel more bytes than the other end's receive buffer takes.
fn stuff(mut sender: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_send_buffer_size(sender, LARGE).at("SO_SNDBUF")?;
    sender.set_nonblocking(true).at("O_NONBLOCK")?;
    sender.write_all(&vec![b'.'; STUFFING]).at("write")
}

impl Held {
    /// Keeps a listener open that nobody waits at.
    pub fn keep_listener(
        &mut self,
        what: &'static str,
        listener: OwnedFd,
        backlog: i32,
    ) -> io::Result<&mut super::Expected> {
        let expected = self.keep_tcp(what, "LISTEN", listener)?;
        expected.peer = expected.local.map(unspecified);
        expected.send_queue = Some(backlog.unsigned_abs().into());
        Ok(expected)
    }
}
