//! Sockets that stay open, together with what is known of them.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use tempfile::TempDir;

use super::expected::Expected;
use super::holder::Holder;
use super::witness::{self, NetRow};
use crate::support::until;

/// Keeps descriptors, child processes and directories until it is dropped.
#[derive(Debug, Default)]
pub struct Held {
    /// One entry for each socket, those without a descriptor included.
    pub expected: Vec<Expected>,
    descriptors: Vec<OwnedFd>,
    holders: Vec<Holder>,
    directories: Vec<TempDir>,
}

impl Held {
    /// Nothing yet.
    pub fn new() -> Held {
        Held::default()
    }

    /// Keeps `socket` open; the owner is this process with this descriptor.
    pub fn keep(&mut self, socket: impl Into<OwnedFd>, mut expected: Expected) {
        let socket = socket.into();
        expected
            .owners
            .insert(0, (std::process::id(), vec![socket.as_raw_fd()]));
        self.expected.push(expected);
        self.descriptors.push(socket);
    }

    /// Keeps an internet socket open, with its addresses and inode asked of the descriptor.
    pub fn keep_inet(
        &mut self,
        what: &'static str,
        protocol: &'static str,
        state: &'static str,
        socket: impl Into<OwnedFd>,
    ) -> io::Result<&mut Expected> {
        let socket = socket.into();
        let expected = Expected::inet(what, protocol, state, socket.as_fd())?;
        self.keep(socket, expected);
        self.expected
            .last_mut()
            .ok_or_else(|| io::Error::other("nothing kept"))
    }

    /// Keeps a TCP socket open; `shutdown` is `none` and nothing is queued unless changed.
    pub fn keep_tcp(
        &mut self,
        what: &'static str,
        state: &'static str,
        socket: impl Into<OwnedFd>,
    ) -> io::Result<&mut Expected> {
        let expected = self.keep_inet(what, "tcp", state, socket)?;
        expected.recv_queue = Some(0);
        expected.send_queue = Some(0);
        expected.shutdown = Some("none");
        Ok(expected)
    }

    /// Records a socket of which nobody has a descriptor.
    pub fn know(&mut self, expected: Expected) {
        self.expected.push(expected);
    }

    /// Keeps `descriptors` open without an entry of their own (copies of one socket).
    pub fn keep_copies(&mut self, descriptors: impl IntoIterator<Item = OwnedFd>) {
        self.descriptors.extend(descriptors);
    }

    /// Keeps a child process alive.
    pub fn keep_holder(&mut self, holder: Holder) {
        self.holders.push(holder);
    }

    /// Keeps a directory in which sockets have their names.
    pub fn keep_directory(&mut self, directory: TempDir) {
        self.directories.push(directory);
    }

    /// Takes over everything `other` holds.
    pub fn absorb(&mut self, other: Held) {
        self.expected.extend(other.expected);
        self.descriptors.extend(other.descriptors);
        self.holders.extend(other.holders);
        self.directories.extend(other.directories);
    }

    /// The socket of that name.
    pub fn the(&self, what: &str) -> &Expected {
        let found = self.expected.iter().find(|expected| expected.what == what);
        found.unwrap_or_else(|| panic!("the scene has no {what:?}"))
    }

    /// Waits until `/proc/net/tcp` shows every TCP socket in its state with its queues.
    ///
    /// `BOUND` sockets are left out: that file never lists them.
    pub fn settled(self) -> io::Result<Held> {
        let tcp = self
            .expected
            .iter()
            .filter(|e| e.protocol == "tcp" && e.state != "BOUND");
        let mut waiting: Vec<&Expected> = tcp.collect();
        // The file is slow to read: the kernel walks its whole table. So it is read once a round.
        while let Some(first) = waiting.first().copied() {
            let rows = until(first.what, || match witness::proc_net(first) {
                Ok(rows) if !rows.iter().any(|row| agrees(row, first)) => None,
                other => Some(other),
            })?;
            waiting.retain(|expected| !rows.iter().any(|row| agrees(row, expected)));
        }
        Ok(self)
    }
}

/// Whether the row is this socket and has come to rest.
fn agrees(row: &NetRow, expected: &Expected) -> bool {
    let unsent =
        expected.state == "LISTEN" || expected.send_queue.is_none_or(|n| n == row.send_queue);
    row.is_of(expected)
        && row.state == witness::state_code(expected.state)
        && expected.recv_queue.is_none_or(|n| n == row.recv_queue)
        && unsent
        && (!expected.some_unread || row.recv_queue > 0)
        && (!expected.some_unsent || row.send_queue > 0)
}
