//! Who holds a socket, and who is at its other end.

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
    /// The process id, as the procfs that was read numbers it.
    pub pid: u32,
    /// `comm`: the first 15 bytes of the program's name, any bytes but NUL; `None` = it could not be read.
    #[doc(hidden)]
    pub name: Option<Vec<u8>>,
    /// The command line, arguments separated by blanks; empty when the process hides or has none, `None` =
    /// it could not be read.
    #[doc(hidden)]
    pub command: Option<Vec<u8>>,
    /// How many bytes of `command` are its first argument: what the program was called as.
    #[doc(hidden)]
    pub called: usize,
    /// Effective user id; `None` when the process was gone before it could be asked.
    pub uid: Option<u32>,
    /// The name of `uid`, or its number in digits where it has none or none was wanted.
    pub user: Option<String>,
    /// Its descriptors of this socket, ascending.
    pub fds: Vec<u32>,
    /// The ids of its threads that have one of these, ascending; empty = not looked up, or they have no number.
    pub tids: Vec<u32>,
    /// These threads, in the order of their ids.
    #[doc(hidden)]
    pub threads: Vec<Thread>,
    /// Its security context; `None` = not looked up, or no module gives it one.
    #[doc(hidden)]
    pub context: Option<Vec<u8>>,
    /// That of the socket, as this process shows it.
    #[doc(hidden)]
    pub socket_context: Option<Vec<u8>>,
    /// Where it runs; `None` = not looked up, or it cannot be told.
    #[doc(hidden)]
    pub place: Option<Arc<Place>>,
}

/// A thread of a process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thread {
    /// Its own name; empty = it could not be read.
    pub name: Vec<u8>,
    /// Its descriptors of a socket, ascending.
    pub fds: Vec<u32>,
}

#[doc(hidden)]
impl Process {
    /// Takes the command line, whose arguments end with NULs, as blanks between them.
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
    /// What the search for processes came to.
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
        /// At least one, and no other may hold the socket.
        Found = "found",
        /// At least one, and a process that could not be read may hold it too.
        Partial = "partial",
        /// Nobody can hold it, for it has no inode: `TIME_WAIT`, `SYN_RCVD`, an orphan, not yet accepted.
        None = "none",
        /// Every process could be read, and none shows it: in flight, the kernel's own.
        Unseen = "unseen",
        /// Some process could not be read, so it cannot be told.
        Unreadable = "unreadable",
    }
}

impl ProcessStatus {
    /// True if there are processes to show.
    pub const fn is_found(self) -> bool {
        matches!(self, Self::Found | Self::Partial)
    }

    /// True if something holds the socket, and nothing is known of it.
    pub const fn is_unknown(self) -> bool {
        matches!(self, Self::Unseen | Self::Unreadable)
    }
}

/// Who holds the socket at the other end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// What the search came to; `None` = which socket that is cannot be told.
    pub status: Option<ProcessStatus>,
    /// True if a process that was not found may hold it.
    pub is_in_doubt: bool,
    /// By pid; empty where it cannot be told, too.
    pub processes: Vec<Process>,
    /// The network namespace of that socket; `None` = the one `lsock` runs in, or not told.
    pub netns: Option<Arc<[u8]>>,
    /// Where they run; `None` = not looked up, or it cannot be told.
    pub place: Option<Arc<Place>>,
}

impl Peer {
    /// Nobody: there is no other end, or no descriptor of it. Otherwise it cannot be told who that is.
    pub fn absent(is_nobody: bool) -> Self {
        Self {
            status: is_nobody.then_some(ProcessStatus::None),
            is_in_doubt: !is_nobody,
            ..Self::default()
        }
    }

    /// True if something may hold it, and nothing is known of that.
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
