//! A holder: a process that opens its share of the scene's sockets and keeps them.
//!
//! It writes `ready` to stdout when the sockets are open, and again for each byte on stdin, which requests
//! new `TIME_WAIT` sockets (the kernel drops them after 60 seconds). It exits when stdin closes, and so with
//! the bench, or after [`LIFE`] without a request.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};

use crate::failed;

/// The hidden argument that selects this role.
pub(crate) const ROLE: &str = "--hold";
/// A holder without requests exits after this time.
const LIFE: Duration = Duration::from_secs(600);
/// The first listening address; each holder has its own.
const LISTEN_BASE: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 1);
/// The first source address: with an address pair per holder, ports never run out.
const SOURCE_BASE: Ipv4Addr = Ipv4Addr::new(127, 2, 0, 1);
/// One in this many accepted sockets has a keepalive timer.
const KEEPALIVE_EVERY: usize = 10;

/// The sockets of one holder.
#[derive(Clone, Copy)]
pub(crate) struct Share {
    /// Index of the holder, which determines its addresses.
    pub(crate) index: usize,
    /// IPv4 connections, including half-closed ones.
    pub(crate) pairs: usize,
    /// IPv6 connections.
    pub(crate) pairs6: usize,
    /// Connections with `FIN_WAIT_2` on one end and `CLOSE_WAIT` on the other.
    pub(crate) half_closed: usize,
    /// Listening sockets; the first is for IPv4 and the second for IPv6 connections.
    pub(crate) listeners: usize,
    /// Connections closed from both ends, one `TIME_WAIT` socket each.
    pub(crate) time_waits: usize,
}

impl Share {
    /// The share as command-line arguments.
    pub(crate) fn words(&self) -> [String; 6] {
        let &Self {
            index,
            pairs,
            pairs6,
            half_closed,
            listeners,
            time_waits,
        } = self;
        [index, pairs, pairs6, half_closed, listeners, time_waits].map(|count| count.to_string())
    }

    fn parse(words: &[OsString]) -> Option<Self> {
        let counts: Option<Vec<usize>> = words
            .iter()
            .map(|word| word.to_str()?.parse().ok())
            .collect();
        let [index, pairs, pairs6, half_closed, listeners, time_waits] = counts?.try_into().ok()?;
        Some(Self {
            index,
            pairs,
            pairs6,
            half_closed,
            listeners,
            time_waits,
        })
    }
}

/// Runs a holder.
pub(crate) fn main(words: &[OsString]) -> io::Result<()> {
    let share = Share::parse(words).ok_or_else(|| io::Error::other("not a share"))?;
    let orders = orders();
    let held = Held::open(&share)?;
    writeln!(io::stdout(), "ready")?;
    while let Ok(()) = orders.recv_timeout(LIFE) {
        held.time_waits(share.time_waits)?;
        writeln!(io::stdout(), "ready")?;
    }
    Ok(())
}

/// Sends a message for each byte on stdin; disconnects at its end.
fn orders() -> Receiver<()> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut byte = [0];
        while io::stdin().read_exact(&mut byte).is_ok() && sender.send(()).is_ok() {}
    });
    receiver
}

/// The open sockets of a holder.
struct Held {
    source: Ipv4Addr,
    listener: TcpListener,
    sockets: Vec<OwnedFd>,
}

impl Held {
    fn open(share: &Share) -> io::Result<Self> {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard.max(soft), hard)?;
        let address = nth_after(LISTEN_BASE, share.index);
        let listener = TcpListener::bind((address, 0)).map_err(failed("cannot listen"))?;
        let mut held = Self {
            source: nth_after(SOURCE_BASE, share.index),
            listener,
            sockets: Vec::new(),
        };
        held.open_pairs(share).map_err(failed("cannot connect"))?;
        held.open_pairs6(share.pairs6)
            .map_err(failed("cannot connect over IPv6"))?;
        for _ in 2..share.listeners {
            held.sockets.push(TcpListener::bind((address, 0))?.into());
        }
        held.time_waits(share.time_waits)?;
        Ok(held)
    }

    fn open_pairs(&mut self, share: &Share) -> io::Result<()> {
        for number in 0..share.pairs {
            let (client, server) = self.pair()?;
            if number < share.half_closed {
                client.shutdown(Shutdown::Write)?;
            } else if number % KEEPALIVE_EVERY == 0 {
                setsockopt(&server, sockopt::KeepAlive, &true)?;
            }
            self.sockets.extend([client.into(), server.into()]);
        }
        Ok(())
    }

    fn open_pairs6(&mut self, count: usize) -> io::Result<()> {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        for _ in 0..count {
            let client = TcpStream::connect(address)?;
            let (server, _) = listener.accept()?;
            self.sockets.extend([client.into(), server.into()]);
        }
        self.sockets.push(listener.into());
        Ok(())
    }

    /// Both ends of a new IPv4 connection, the client first.
    fn pair(&self) -> io::Result<(TcpStream, TcpStream)> {
        let std::net::SocketAddr::V4(target) = self.listener.local_addr()? else {
            return Err(io::Error::other("the listener has no IPv4 address"));
        };
        let client = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        // The port is chosen in connect, where only the whole 4-tuple must be free.
        setsockopt(&client, sockopt::IpBindAddressNoPort, &true)?;
        let source = std::net::SocketAddrV4::new(self.source, 0);
        bind(client.as_raw_fd(), &SockaddrIn::from(source))?;
        connect(client.as_raw_fd(), &SockaddrIn::from(target))?;
        let (server, _) = self.listener.accept()?;
        Ok((client.into(), server))
    }

    /// Leaves this many sockets in `TIME_WAIT`: the connecting end closes first.
    fn time_waits(&self, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let (client, server) = self.pair()?;
            drop(client);
            drop(server);
        }
        Ok(())
    }
}

fn nth_after(base: Ipv4Addr, index: usize) -> Ipv4Addr {
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    Ipv4Addr::from_bits(base.to_bits().saturating_add(index))
}
