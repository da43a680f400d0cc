//! Connections with something in a queue, on a timer, marked, or held many times.

use std::io::{self, Write};
use std::net::{IpAddr, Shutdown};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::Mark;
use rustix::net::sockopt;

use super::{BACKLOG, Pair, STUFFING, listener, pair, stuffed_client};
use crate::scene::At;
use crate::scene::held::Held;

/// The mark of [`marked`].
pub const MARK: u32 = 0x5cea;

/// A connection whose server has `count` bytes it has not read (at most 60,000).
pub fn unread(ip: IpAddr, count: u16) -> io::Result<Held> {
    let Pair {
        listener,
        mut client,
        server,
    } = pair(ip)?;
    client.write_all(&vec![b'.'; count.into()]).at("write")?;
    let mut held = Held::new();
    held.keep_tcp("unread bytes", "ESTABLISHED", server)?
        .recv_queue = Some(count.into());
    held.keep_tcp("peer of unread bytes", "ESTABLISHED", client)?;
    held.keep_listener("listener of unread bytes", listener, BACKLOG)?;
    held.settled()
}

/// A connection whose client has bytes it cannot send.
///
/// Both queues together hold what was written, [`STUFFING`] bytes.
pub fn unsent(ip: IpAddr) -> io::Result<Held> {
    let Pair {
        listener,
        client,
        server,
    } = stuffed_client(ip)?;
    let mut held = Held::new();
    let expected = held.keep_tcp("unsent bytes", "ESTABLISHED", client)?;
    expected.send_queue = None;
    expected.some_unsent = true;
    let expected = held.keep_tcp("peer of unsent bytes", "ESTABLISHED", server)?;
    expected.recv_queue = None;
    expected.some_unread = true;
    held.keep_listener("listener of unsent bytes", listener, BACKLOG)?;
    held.settled()
}

/// How many bytes [`unsent`] wrote.
pub fn written_by_unsent() -> u64 {
    u64::try_from(STUFFING).expect("small")
}

/// A connection whose client shut its receiving side: still ESTABLISHED, and the server does
/// not know.
pub fn receive_shut(ip: IpAddr) -> io::Result<Held> {
    let Pair {
        listener,
        client,
        server,
    } = pair(ip)?;
    client.shutdown(Shutdown::Read).at("shutdown")?;
    let mut held = Held::new();
    held.keep_tcp("receiving side shut", "ESTABLISHED", client)?
        .shutdown = Some("receive");
    held.keep_tcp("peer of receiving side shut", "ESTABLISHED", server)?;
    held.keep_listener("listener of receiving side shut", listener, BACKLOG)?;
    held.settled()
}

/// A connection with the keepalive timer running, ten minutes from its end.
pub fn keepalive(ip: IpAddr) -> io::Result<Held> {
    let Pair {
        listener,
        client,
        server,
    } = pair(ip)?;
    sockopt::set_tcp_keepidle(&client, Duration::from_secs(600)).at("TCP_KEEPIDLE")?;
    sockopt::set_socket_keepalive(&client, true).at("SO_KEEPALIVE")?;
    let mut held = Held::new();
    held.keep_tcp("keepalive", "ESTABLISHED", client)?.timer = Some("keepalive");
    held.keep_tcp("peer of keepalive", "ESTABLISHED", server)?;
    held.keep_listener("listener of keepalive", listener, BACKLOG)?;
    held.settled()
}

/// A listener with the firewall mark [`MARK`]; needs root.
pub fn marked(ip: IpAddr) -> io::Result<Held> {
    let listener = listener(ip, BACKLOG)?;
    setsockopt(&listener, Mark, &MARK).at("SO_MARK")?;
    let mut held = Held::new();
    held.keep_listener("marked listener", listener, BACKLOG)?
        .mark = Some(MARK);
    held.settled()
}

/// A listener this process holds through `count` descriptors.
///
/// Refused when the process may not open so many, the soft limit being raised as far as it goes.
pub fn held_many_times(ip: IpAddr, count: u16) -> io::Result<Held> {
    allow_descriptors(u64::from(count) + 1_000)?;
    let listener = listener(ip, BACKLOG)?;
    let mut copies: Vec<OwnedFd> = Vec::with_capacity(count.into());
    for _ in 1..count {
        copies.push(listener.try_clone().at("dup")?);
    }
    let mut descriptors: Vec<i32> = copies.iter().map(AsRawFd::as_raw_fd).collect();
    descriptors.push(listener.as_raw_fd());
    descriptors.sort_unstable();
    let mut held = Held::new();
    let expected = held.keep_listener("held many times", listener, BACKLOG)?;
    expected.owners = vec![(std::process::id(), descriptors)];
    held.keep_copies(copies);
    held.settled()
}

/// Makes sure of room for so many descriptors.
pub fn allow_descriptors(wanted: u64) -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).at("getrlimit")?;
    if soft >= wanted {
        return Ok(());
    }
    if hard < wanted {
        let text = format!("{wanted} descriptors wanted, RLIMIT_NOFILE allows {hard}");
        return Err(io::Error::new(io::ErrorKind::Unsupported, text));
    }
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).at("setrlimit")
}
