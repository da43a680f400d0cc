//! The processes that hold a socket, and those at its other end.

use std::sync::Arc;

use super::{Place, named};

/// A process with descriptors of a socket.
///
/// ```
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let port = listener.local_addr()?.port();
/// let holders = lsock::process_of_port(port, lsock::Protocol::Tcp)?;
/// let process = &holders.processes[0];
/// println!("{} {:?} {:?}", process.pid, process.name(), process.fds);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Process {
    /// The process id, as numbered by the procfs that was read.
    pub pid: u32,
    /// `comm`: the first 15 bytes of the program's name, any bytes except NUL; `None` = not readable.
    #[doc(hidden)]
    pub name: Option<Vec<u8>>,
    /// The command line, arguments separated by spaces. Empty = hidden or none; `None` = not readable.
    #[doc(hidden)]
    pub command: Option<Vec<u8>>,
    /// Length in bytes of the first argument in `command`: the name it was called by.
    #[doc(hidden)]
    pub called: usize,
    /// Effective user id; `None` = the process exited before it was read.
    pub uid: Option<u32>,
    /// The user name; digits if `uid` has none or none was requested.
    pub user: Option<String>,
    /// Its descriptors of this socket, ascending.
    pub fds: Vec<u32>,
    /// Ids of the threads that have these descriptors, ascending; empty = not looked up, or without a number.
    pub tids: Vec<u32>,
    /// These threads, in the order of `tids`.
    #[doc(hidden)]
    pub threads: Vec<Thread>,
    /// Its security context; `None` = not looked up, or no security module assigns one.
    #[doc(hidden)]
    pub context: Option<Vec<u8>>,
    /// The security context of the socket, as seen through this process.
    #[doc(hidden)]
    pub socket_context: Option<Vec<u8>>,
    /// Where it runs; `None` = not looked up, or unknown.
    #[doc(hidden)]
    pub place: Option<Arc<Place>>,
}

/// A thread of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    /// Its name; empty = not readable.
    pub name: Vec<u8>,
    /// Its descriptors of a socket, ascending.
    pub fds: Vec<u32>,
}

#[doc(hidden)]
impl Process {
    /// Sets the command line from NUL-terminated arguments, which it separates by spaces.
    pub fn set_command(&mut self, mut arguments: Vec<u8>) {
        let first = arguments.split(|byte| *byte == 0).next();
        self.called = first.map_or(0, <[u8]>::len);
        let end = arguments.iter().rposition(|byte| *byte != 0);
        arguments.truncate(end.map_or(0, |last| last + 1));
        for byte in &mut arguments {
            if *byte == 0 {
                *byte = b' ';
            }
        }
        self.command = Some(arguments);
    }
}

named! {
    /// The result of the search for processes.
    ///
    /// ```
    /// use lsock::ProcessStatus;
    ///
    /// fn is_a_matter_of_rights(row: &lsock::Row<'_>) -> bool {
    ///     matches!(row.process_status(), Some(ProcessStatus::Partial | ProcessStatus::Unreadable))
    /// }
    /// ```
    #[non_exhaustive]
    pub enum ProcessStatus {
        /// At least one, and no other can hold the socket.
        Found = "found",
        /// At least one, and a process that could not be read may hold it too.
        Partial = "partial",
        /// None: the socket has no inode (`TIME_WAIT`, `SYN_RCVD`, an orphan, not yet accepted).
        None = "none",
        /// None, although every process could be read: in flight, or the kernel's own.
        Unseen = "unseen",
        /// Unknown: some process could not be read.
        Unreadable = "unreadable",
    }
}

impl ProcessStatus {
    /// True if there are processes to show.
    pub const fn is_found(self) -> bool {
        matches!(self, Self::Found | Self::Partial)
    }

    /// True if something holds the socket, but it is not known what.
    pub const fn is_unknown(self) -> bool {
        matches!(self, Self::Unseen | Self::Unreadable)
    }
}

/// The holders of the socket at the other end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// The result of the search; `None` = the other socket is unknown.
    pub status: Option<ProcessStatus>,
    /// True if a process that was not found may hold it.
    pub is_in_doubt: bool,
    /// By pid; also empty if unknown.
    pub processes: Vec<Process>,
    /// The network namespace of that socket; `None` = that of `lsock`, or not reported.
    pub netns: Option<Arc<[u8]>>,
    /// Where they run; `None` = not looked up, or unknown.
    pub place: Option<Arc<Place>>,
}

impl Peer {
    /// No holder: nobody has the other end, or, if not `is_nobody`, it is unknown who does.
    pub fn absent(is_nobody: bool) -> Self {
        Self {
            status: is_nobody.then_some(ProcessStatus::None),
            is_in_doubt: !is_nobody,
            ..Self::default()
        }
    }

    /// True if something may hold it, but it is not known what.
    pub fn is_unknown(&self) -> bool {
        self.status.is_none_or(ProcessStatus::is_unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn arguments_are_joined_by_blanks() {
        for (arguments, command, called) in [
            (&b"sh\0-c\0\0x y\0\0"[..], &b"sh -c  x y"[..], 2),
            (b"\0\0", b"", 0),
            (b"", b"", 0),
        ] {
            let mut process = Process::default();
            process.set_command(arguments.to_vec());
            let expected = (Some(command), called);
            assert_eq!((process.command.as_deref(), process.called), expected);
        }
    }
}
