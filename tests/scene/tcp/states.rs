//! A socket in each state of TCP, over the loopback address `ip`.
//!
//! Each function returns when the kernel shows every socket in its state. Nothing here moves
//! on by itself for at least half a minute.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};

use super::{BACKLOG, Pair, bind, connect, listener, listener_with, narrow_client};
use super::{pair, socket, stuff, stuffed_client};
use crate::scene::At;
use crate::scene::expected::{Expected, local_address, unspecified};
use crate::scene::held::Held;
use crate::scene::option::TcpDeferAccept;
use crate::support::close;

/// `LISTEN`: a listener nobody has called.
pub fn listen(ip: IpAddr) -> io::Result<Held> {
    let mut held = Held::new();
    held.keep_listener("LISTEN", listener(ip, BACKLOG)?, BACKLOG)?;
    held.settled()
}

/// `BOUND`: bound, neither connecting nor listening.
pub fn bound(ip: IpAddr) -> io::Result<Held> {
    let mut held = Held::new();
    let socket = socket(ip)?;
    bind(&socket, ip)?;
    let expected = held.keep_tcp("BOUND", "BOUND", socket)?;
    expected.peer = expected.local.map(unspecified);
    held.settled()
}

/// `SYN_SENT`: a call to a listener whose accept queue is full, so that it drops the SYN.
pub fn syn_sent(ip: IpAddr) -> io::Result<Held> {
    let listener = listener(ip, 0)?;
    // The kernel queues one connection more than the backlog.
    let waiting = connect(&listener)?;
    let caller = socket(ip)?;
    rustix::io::ioctl_fionbio(&caller, true).at("FIONBIO")?;
    let to = local_address(&listener)?;
    match rustix::net::connect(&caller, &to) {
        Err(rustix::io::Errno::INPROGRESS) => {}
        Ok(()) => {
            return Err(io::Error::other(
                "a full accept queue took another connection",
            ));
        }
        Err(errno) => return Err(errno).at("connect"),
    }
    let mut held = Held::new();
    let expected = held.keep_tcp("SYN_SENT", "SYN_SENT", caller)?;
    expected.peer = Some(to);
    // The SYN itself takes a place in the sequence space.
    expected.send_queue = Some(1);
    expected.timer = Some("retransmit");
    held.keep_listener("listener of SYN_SENT", listener, 0)?
        .recv_queue = Some(1);
    let from = local_address(&waiting)?;
    held.keep_tcp("ESTABLISHED beside SYN_SENT", "ESTABLISHED", waiting)?;
    held.know(not_accepted("not accepted beside SYN_SENT", to, from));
    held.settled()
}

/// `SYN_RCVD`: the handshake is over, but `TCP_DEFER_ACCEPT` waits for the first byte.
pub fn syn_rcvd(ip: IpAddr) -> io::Result<Held> {
    let listener = listener_with(ip, BACKLOG, |socket| {
        nix::sys::socket::setsockopt(&socket, TcpDeferAccept, &60).at("TCP_DEFER_ACCEPT")
    })?;
    let client = connect(&listener)?;
    let (to, from) = (local_address(&listener)?, local_address(&client)?);
    let mut held = Held::new();
    held.know(Expected {
        recv_queue: Some(0),
        send_queue: Some(0),
        ..Expected::without_owner("SYN_RCVD", "SYN_RCVD", to, from)
    });
    held.keep_tcp("peer of SYN_RCVD", "ESTABLISHED", client)?;
    held.keep_listener("listener of SYN_RCVD", listener, BACKLOG)?;
    held.settled()
}

/// `ESTABLISHED`: both ends of a connection that has nothing to say.
pub fn established(ip: IpAddr) -> io::Result<Held> {
    let Pair {
        listener,
        client,
        server,
    } = pair(ip)?;
    let mut held = Held::new();
    held.keep_tcp("ESTABLISHED client", "ESTABLISHED", client)?;
    held.keep_tcp("ESTABLISHED server", "ESTABLISHED", server)?;
    held.keep_listener("listener of ESTABLISHED", listener, BACKLOG)?;
    held.settled()
}

/// `FIN_WAIT_1`: the FIN waits behind bytes the other end does not read.
pub fn fin_wait_1(ip: IpAddr) -> io::Result<Held> {
    let Pair {
        listener,
        client,
        server,
    } = stuffed_client(ip)?;
    client.shutdown(Shutdown::Write).at("shutdown")?;
    let mut held = Held::new();
    unsent(held.keep_tcp("FIN_WAIT_1", "FIN_WAIT_1", client)?, "send");
    unread(held.keep_tcp("peer of FIN_WAIT_1", "ESTABLISHED", server)?);
    held.keep_listener("listener of FIN_WAIT_1", listener, BACKLOG)?;
    held.settled()
}

/// `FIN_WAIT_2` and `CLOSE_WAIT`: a half-closed connection.
pub fn half_closed(ip: IpAddr) -> io::Result<Held> {
    let Pair {
        listener,
        client,
        server,
    } = pair(ip)?;
    client.shutdown(Shutdown::Write).at("shutdown")?;
    let mut held = Held::new();
    held.keep_tcp("FIN_WAIT_2", "FIN_WAIT_2", client)?.shutdown = Some("send");
    let expected = held.keep_tcp("CLOSE_WAIT", "CLOSE_WAIT", server)?;
    expected.shutdown = Some("receive");
    // The FIN takes a place in the sequence space until the end of file is read.
    expected.recv_queue = Some(1);
    held.keep_listener("listener of FIN_WAIT_2", listener, BACKLOG)?;
    held.settled()
}

/// `LAST_ACK`: the end that was closed first answers with a FIN that waits behind its bytes.
pub fn last_ack(ip: IpAddr) -> io::Result<Held> {
    let Pair {
        listener,
        client,
        server,
    } = narrow_client(ip)?;
    client.shutdown(Shutdown::Write).at("shutdown")?;
    let mut held = Held::new();
    held.keep_tcp("CLOSE_WAIT", "CLOSE_WAIT", server.try_clone()?)?
        .recv_queue = Some(1);
    // Only a server that has seen the FIN goes to LAST_ACK and not to FIN_WAIT_1.
    close(held.settled()?);
    stuff(&server)?;
    server.shutdown(Shutdown::Write).at("shutdown")?;
    let mut held = Held::new();
    let expected = held.keep_tcp("LAST_ACK", "LAST_ACK", server)?;
    unsent(expected, "both");
    expected.recv_queue = Some(1);
    let expected = held.keep_tcp("peer of LAST_ACK", "FIN_WAIT_2", client)?;
    unread(expected);
    expected.shutdown = Some("send");
    held.keep_listener("listener of LAST_ACK", listener, BACKLOG)?;
    held.settled()
}

/// `CLOSING`: both ends closed, and one FIN still waits behind its bytes.
pub fn closing(ip: IpAddr) -> io::Result<Held> {
    let Pair {
        listener,
        client,
        server,
    } = stuffed_client(ip)?;
    client.shutdown(Shutdown::Write).at("shutdown")?;
    server.shutdown(Shutdown::Write).at("shutdown")?;
    let mut held = Held::new();
    let expected = held.keep_tcp("CLOSING", "CLOSING", client)?;
    unsent(expected, "both");
    expected.recv_queue = Some(1);
    let expected = held.keep_tcp("peer of CLOSING", "FIN_WAIT_2", server)?;
    unread(expected);
    expected.shutdown = Some("send");
    held.keep_listener("listener of CLOSING", listener, BACKLOG)?;
    held.settled()
}

/// `TIME_WAIT`: both ends closed, this one first. Nobody owns what is left.
pub fn time_wait(ip: IpAddr) -> io::Result<Held> {
    let Pair {
        listener,
        client,
        server,
    } = pair(ip)?;
    let (from, to) = (local_address(&client)?, local_address(&server)?);
    client.shutdown(Shutdown::Write).at("shutdown")?;
    let mut first = Held::new();
    first
        .keep_tcp("CLOSE_WAIT", "CLOSE_WAIT", server)?
        .recv_queue = Some(1);
    first.keep_tcp("FIN_WAIT_2", "FIN_WAIT_2", client)?;
    // Dropped in this order, the server first: its FIN then finds a client in FIN_WAIT_2.
    close(first.settled()?);
    let mut held = Held::new();
    held.know(Expected {
        recv_queue: Some(0),
        send_queue: Some(0),
        timer: Some("time_wait"),
        ..Expected::without_owner("TIME_WAIT", "TIME_WAIT", from, to)
    });
    held.keep_listener("listener of TIME_WAIT", listener, BACKLOG)?;
    held.settled()
}

/// An orphan: `FIN_WAIT_1` whose descriptor is closed. Listed, owned by nobody.
pub fn orphan(ip: IpAddr) -> io::Result<Held> {
    let Pair {
        listener,
        client,
        server,
    } = stuffed_client(ip)?;
    let (from, to) = (local_address(&client)?, local_address(&server)?);
    close(client);
    let mut held = Held::new();
    let mut expected = Expected::without_owner("orphan", "FIN_WAIT_1", from, to);
    unsent(&mut expected, "both");
    held.know(expected);
    unread(held.keep_tcp("peer of the orphan", "ESTABLISHED", server)?);
    held.keep_listener("listener of the orphan", listener, BACKLOG)?;
    held.settled()
}

/// A connection in the accept queue: ESTABLISHED, without inode and owner.
pub fn pending(ip: IpAddr) -> io::Result<Held> {
    let listener = listener(ip, BACKLOG)?;
    let client = connect(&listener)?;
    let (to, from) = (local_address(&listener)?, local_address(&client)?);
    let mut held = Held::new();
    held.know(not_accepted("not accepted", to, from));
    held.keep_tcp("peer of not accepted", "ESTABLISHED", client)?;
    held.keep_listener("listener of not accepted", listener, BACKLOG)?
        .recv_queue = Some(1);
    held.settled()
}

fn not_accepted(what: &'static str, local: SocketAddr, peer: SocketAddr) -> Expected {
    Expected {
        recv_queue: Some(0),
        send_queue: Some(0),
        shutdown: Some("none"),
        ..Expected::without_owner(what, "ESTABLISHED", local, peer)
    }
}

fn unsent(expected: &mut Expected, shutdown: &'static str) {
    expected.send_queue = None;
    expected.some_unsent = true;
    expected.shutdown = Some(shutdown);
}

fn unread(expected: &mut Expected) {
    expected.recv_queue = None;
    expected.some_unread = true;
}
