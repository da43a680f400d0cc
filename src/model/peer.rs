//! Who is at the other end of a socket.

use std::sync::Arc;

use super::{Place, Process, ProcessStatus};

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
