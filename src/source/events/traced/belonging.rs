//! Whose sockets are recorded: the kernel's record does not name the network namespace.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::net::{IpAddr, UdpSocket};
use std::path::PathBuf;

/// Whether a socket is in the network namespace that this program runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Belonging {
    /// It was found here, or its task runs here.
    Ours,
    /// It lives and was not found here, or its task runs elsewhere.
    Foreign,
    /// Nothing says.
    Unknown,
}

/// Decides where nothing was found by look-up.
#[derive(Debug)]
pub(super) struct Judge {
    /// `net:[4026531840]`; `None` = /proc does not tell.
    here: Option<PathBuf>,
    /// Is an address one of this namespace? Of one batch.
    addresses: HashMap<IpAddr, bool>,
}

impl Judge {
    /// For the namespace this program runs in.
    pub(super) fn new() -> Self {
        Self {
            here: fs::read_link("/proc/self/ns/net").ok(),
            addresses: HashMap::new(),
        }
    }

    /// By the task that made the step itself, in a system call. It need not own the socket, but acts
    /// in the namespace that it got it from, but for the rare one that changed namespaces since.
    ///
    /// A kernel thread says nothing: it works for every namespace.
    pub(super) fn by_task(&self, pid: i32) -> Belonging {
        let Some(here) = &self.here else {
            return Belonging::Unknown;
        };
        let process = PathBuf::from(format!("/proc/{pid}"));
        let is_program = fs::read_link(process.join("exe")).is_ok();
        match fs::read_link(process.join("ns/net")) {
            Ok(there) if is_program && there == *here => Belonging::Ours,
            Ok(_) if is_program => Belonging::Foreign,
            _ => Belonging::Unknown,
        }
    }

    /// Could a socket of this namespace have this address? Loopback addresses are everywhere.
    pub(super) fn is_local(&mut self, ip: IpAddr) -> bool {
        *self.addresses.entry(ip).or_insert_with(|| {
            let bound = UdpSocket::bind((ip, 0));
            !bound.is_err_and(|error| error.kind() == ErrorKind::AddrNotAvailable)
        })
    }

    /// Addresses come and go.
    pub(super) fn next_batch(&mut self) {
        self.addresses.clear();
    }
}
