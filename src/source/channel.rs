//! One netlink socket and the datagrams that come from it.

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

/// What came is of another dump.
pub(super) const OTHER_REPLY: &str = "an answer to another request came between";

/// How often a dump is begun again when it was disturbed and nothing of it was shown.
pub(super) const REPEATS: u32 = 3;
/// The kernel fills at most 32 KiB per `recv`.
pub(super) const BUFFER_LEN: usize = 32 * 1024;

/// Datagrams of others than the kernel that are dropped before one gives up: whoever sends them without
/// end would hold up the listing.
const MOST_STRANGERS: u64 = 1_000;

/// How many datagrams were dropped because the kernel did not send them. Whoever may administer the
/// network namespace can send to any port of it.
pub(super) type Strangers = Arc<AtomicU64>;

/// A `sock_diag` socket that hears nobody but the kernel.
#[derive(Debug)]
pub(super) struct KernelSocket {
    pub(super) socket: Socket,
    strangers: Strangers,
}

impl KernelSocket {
    /// Opens one, which counts what others send.
    pub(super) fn open(strangers: Strangers) -> io::Result<Self> {
        Self::of(NETLINK_SOCK_DIAG, strangers)
    }

    /// The same of another part of the kernel.
    pub(super) fn of(protocol: isize, strangers: Strangers) -> io::Result<Self> {
        let socket = Socket::new(protocol)?;
        Ok(Self { socket, strangers })
    }

    /// The next datagram of the kernel, in place of what `buffer` held.
    pub(super) fn receive(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let flags = i32::try_from(RecvFlags::TRUNC.bits()).unwrap_or_default();
        loop {
            buffer.clear();
            match self.socket.recv_from(buffer, flags) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok((_, sender)) if sender.port_number() != KERNEL => {
                    if self.strangers.fetch_add(1, Ordering::Relaxed) >= MOST_STRANGERS {
                        return Err(io::Error::other("others than the kernel send without end"));
                    }
                }
                Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((length, _)) if length > buffer.len() => {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "a datagram was cut",
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

/// Datagrams of a dump that can be received before any of them is looked at. Most dumps are no longer:
/// what disturbs one is known in time to begin it again. It also spares them a second thread.
pub(super) const READ_FIRST: usize = 4;
/// Datagrams that are handed from one thread to the other together.
const BATCH_LEN: usize = 8;
/// Batches that go round between two threads: one is filled, one is read, one waits.
const BATCHES: usize = 3;

impl Channel {
    pub(super) fn new(socket: KernelSocket) -> Self {
        Self {
            socket,
            buffer: Vec::with_capacity(BUFFER_LEN),
            begin: Batch::of(READ_FIRST),
        }
    }

    /// Sends a request to the kernel under a number that nobody can guess, which the answers have too.
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

    /// The answer to a request that is no dump, and the socket in it. When none came, it may still come:
    /// then the channel is of no use any more.
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

    /// The first datagrams of a dump; of a short one all, up to that of which `is_last` is true.
    pub(super) fn receive_first(&mut self, is_last: impl Fn(&[u8]) -> bool) -> &mut Batch {
        self.begin.fill(&self.socket, is_last);
        &mut self.begin
    }

    /// Gives every datagram that follows to `take`, until it breaks with the end of the dump, as it
    /// must after an error.
    ///
    /// They are received by a second thread, ahead of the one that takes them: the kernel collects
    /// sockets while others are decoded and written. `is_last` must be true for the datagram that ends
    /// the dump, so that nobody waits for one behind it.
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

    /// `None` when there is no second thread to be had.
    fn receive_ahead<T>(
        &self,
        is_last: impl Fn(&[u8]) -> bool + Send,
        take: &mut impl FnMut(io::Result<&[u8]>) -> ControlFlow<T>,
    ) -> Option<T> {
        let (full, taken) = sync_channel(BATCHES);
        let (back, empty) = sync_channel(BATCHES);
        for _ in 0..BATCHES {
            // There is room for all of them.
            let _ = back.send(Batch::of(BATCH_LEN));
        }
        let socket = &self.socket;
        // Both ends of this side go with the closure: without them the other thread ends.
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
                // Where the other thread saw an end and this one saw none, nothing follows.
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

/// Datagrams that were received together. Those that go from one thread to the other do, because
/// waking a thread costs as much as receiving one of them.
#[derive(Debug)]
pub(super) struct Batch {
    buffers: Vec<Vec<u8>>,
    /// How many of them hold a datagram.
    filled: usize,
    /// What went wrong behind the last one.
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

    /// Receives datagrams up to the end of a dump; true when it is reached.
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

    /// The same, and what went wrong behind it.
    pub(super) fn datagrams(&mut self) -> impl Iterator<Item = io::Result<&[u8]>> {
        let failure = self.failure.take();
        self.received().map(Ok).chain(failure.map(Err))
    }
}

/// As good a number as the keys of the standard library's hash tables.
fn random() -> u32 {
    let number = RandomState::new().hash_one(()) >> 32;
    u32::try_from(number).unwrap_or_default()
}
