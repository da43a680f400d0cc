//! A netlink socket and its datagrams.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use rustix::net::RecvFlags;

use crate::wire::{self, Messages};

/// A reply belongs to another dump.
pub(super) const OTHER_REPLY: &str = "received a reply to another request";

/// How often a disturbed dump is repeated, if nothing of it was shown.
pub(super) const REPEATS: u32 = 3;
/// The kernel fills at most 32 KiB per `recv`.
pub(super) const BUFFER_LEN: usize = 32 * 1024;

/// Limit of datagrams dropped from senders other than the kernel: an endless sender would block the listing.
const MOST_STRANGERS: u64 = 1_000;

/// The number of datagrams dropped because the kernel did not send them. A process with `CAP_NET_ADMIN` in the
/// network namespace can send to any port of it.
pub(super) type Strangers = Arc<AtomicU64>;

/// A `sock_diag` socket that receives only from the kernel.
#[derive(Debug)]
pub(super) struct KernelSocket {
    pub(super) socket: Socket,
    strangers: Strangers,
}

impl KernelSocket {
    /// Opens a socket, which counts datagrams of other senders.
    pub(super) fn open(strangers: Strangers) -> io::Result<Self> {
        Self::of(NETLINK_SOCK_DIAG, strangers)
    }

    /// As [`Self::open`], for another netlink protocol.
    pub(super) fn of(protocol: isize, strangers: Strangers) -> io::Result<Self> {
        let socket = Socket::new(protocol)?;
        Ok(Self { socket, strangers })
    }

    /// Receives the next datagram of the kernel into `buffer`, replacing its content.
    pub(super) fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let flags = i32::try_from(RecvFlags::TRUNC.bits()).unwrap_or_default();
        loop {
            buffer.clear();
            match self.socket.recv_from(buffer, flags) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok((_, sender)) if sender.port_number() != KERNEL => {
                    if self.strangers.fetch_add(1, Ordering::Relaxed) >= MOST_STRANGERS {
                        return Err(io::Error::other(
                            "too many datagrams from senders other than the kernel",
                        ));
                    }
                }
                Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((length, _)) if length > buffer.len() => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "truncated datagram",
                    ));
                }
                Ok(_) => return Ok(()),
            }
        }
    }
}

/// The port id of the kernel.
const KERNEL: u32 = 0;

/// A socket with its receive buffers.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) socket: KernelSocket,
    buffer: Vec<u8>,
    begin: Batch,
}

/// Datagrams of a dump that can be received before any is decoded. Most dumps are no longer: a disturbance is noticed
/// in time to repeat the dump, and no second thread is needed.
pub(super) const READ_FIRST: usize = 4;
/// Datagrams handed from one thread to the other together.
const BATCH_LEN: usize = 8;
/// Batches shared by two threads: one is filled, one is read, one waits.
const BATCHES: usize = 3;

impl Channel {
    pub(super) fn new(socket: KernelSocket) -> Self {
        Self {
            socket,
            buffer: Vec::with_capacity(BUFFER_LEN),
            begin: Batch::of(READ_FIRST),
        }
    }

    /// Sends a request with a sequence number that nobody can guess, which the replies repeat.
    pub(super) fn send(&self, mut request: Vec<u8>) -> io::Result<u32> {
        let sequence = random();
        wire::set_sequence(&mut request, sequence);
        loop {
            match self.socket.socket.send(&request, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(sent) if sent == request.len() => return Ok(sequence),
                Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
            }
        }
    }

    /// Sends a request that is no dump; returns the reply, and the socket in it. If none came, it may still come: then
    /// the channel is unusable.
    pub(super) fn ask(&mut self, request: Vec<u8>) -> io::Result<(&[u8], Option<&[u8]>)> {
        let sequence = self.send(request)?;
        let datagram = self.receive()?;
        match Messages::new(datagram).next() {
            Some(Ok(answer)) if answer.sequence == sequence => Ok((datagram, answer.socket())),
            _ => Err(io::Error::other(OTHER_REPLY)),
        }
    }

    pub(super) fn receive(&mut self) -> io::Result<&[u8]> {
        self.socket.receive(&mut self.buffer)?;
        Ok(&self.buffer)
    }

    /// Receives the first datagrams of a dump; of a short one all, up to the one for which `is_last` holds.
    pub(super) fn receive_first(&mut self, is_last: impl Fn(&[u8]) -> bool) -> &mut Batch {
        self.begin.fill(&self.socket, is_last);
        &mut self.begin
    }

    /// Passes every further datagram to `take`, until it breaks at the end of the dump, as it must after an error.
    ///
    /// A second thread receives them ahead: the kernel collects sockets while others are decoded and written. `is_last`
    /// must hold for the datagram that ends the dump, so that nothing waits for another.
    pub(super) fn receive_rest<T>(
        &mut self,
        is_last: impl Fn(&[u8]) -> bool + Send,
        mut take: impl FnMut(io::Result<&[u8]>) -> ControlFlow<T>,
    ) -> T {
        self.receive_ahead(is_last, &mut take).unwrap_or_else(|| {
            loop {
                if let ControlFlow::Break(end) = take(self.receive()) {
                    return end;
                }
            }
        })
    }

    /// `None` if no second thread can be started.
    fn receive_ahead<T>(
        &self,
        is_last: impl Fn(&[u8]) -> bool + Send,
        take: &mut impl FnMut(io::Result<&[u8]>) -> ControlFlow<T>,
    ) -> Option<T> {
        let (full, taken) = sync_channel(BATCHES);
        let (back, empty) = sync_channel(BATCHES);
        for _ in 0..BATCHES {
            // The channel has room for all of them.
            let _ = back.send(Batch::of(BATCH_LEN));
        }
        let socket = &self.socket;
        // The closure owns both ends of this side: when it ends, the other thread does.
        thread::scope(move |scope| {
            let ahead = move || {
                while let Ok(mut batch) = empty.recv() {
                    let over = batch.fill(socket, &is_last);
                    if full.send(batch).is_err() || over {
                        return;
                    }
                }
            };
            thread::Builder::new().spawn_scoped(scope, ahead).ok()?;
            loop {
                // If only the other thread saw an end, nothing follows.
                let mut batch = taken.recv().unwrap_or_else(|_| Batch::ended());
                for datagram in batch.datagrams() {
                    if let ControlFlow::Break(end) = take(datagram) {
                        return Some(end);
                    }
                }
                let _ = back.send(batch);
            }
        })
    }
}

/// Datagrams received together. They are passed between threads in batches, because waking a thread costs as much as
/// receiving a datagram.
#[derive(Debug)]
pub(super) struct Batch {
    buffers: Vec<Vec<u8>>,
    /// The number of buffers with a datagram.
    filled: usize,
    /// The error after the last datagram.
    pub(super) failure: Option<io::Error>,
}

impl Batch {
    fn of(length: usize) -> Self {
        let buffers = (0..length).map(|_| Vec::with_capacity(BUFFER_LEN));
        Self {
            buffers: buffers.collect(),
            filled: 0,
            failure: None,
        }
    }

    fn ended() -> Self {
        let failure = Some(io::ErrorKind::UnexpectedEof.into());
        Self {
            failure,
            ..Self::of(0)
        }
    }

    /// Receives datagrams up to the end of a dump; true if it is reached.
    fn fill(&mut self, socket: &KernelSocket, is_last: impl Fn(&[u8]) -> bool) -> bool {
        self.filled = 0;
        for buffer in &mut self.buffers {
            if let Err(error) = socket.receive(buffer) {
                self.failure = Some(error);
                return true;
            }
            self.filled += 1;
            if is_last(buffer) {
                return true;
            }
        }
        false
    }

    pub(super) fn received(&self) -> impl Iterator<Item = &[u8]> {
        self.buffers.iter().take(self.filled).map(Vec::as_slice)
    }

    /// The datagrams, and then the error.
    pub(super) fn datagrams(&mut self) -> impl Iterator<Item = io::Result<&[u8]>> {
        let failure = self.failure.take();
        self.received().map(Ok).chain(failure.map(Err))
    }
}

/// A random number as good as the keys of the standard library's hash tables.
fn random() -> u32 {
    let number = RandomState::new().hash_one(()) >> 32;
    u32::try_from(number).unwrap_or_default()
}
