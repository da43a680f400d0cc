//! The processes of sockets that come and go.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::enrich::Enricher;
use crate::model::{Event, Process, ProcessStatus, Row, State};

/// Walks over all processes are at least so far apart,
const BETWEEN_WALKS: Duration = Duration::from_millis(200);
/// and take no larger share of the time than one in so many.
const SHARE: u32 = 10;

/// Processes by connection, as they were found last: who has closed a socket no longer holds it, and
/// is still to be named.
#[derive(Debug, Default)]
pub(super) struct Owners {
    found: HashMap<u64, Held>,
    /// Before this, nothing that was read is out of date.
    walk_again: Option<Instant>,
}

/// A socket, and who held it.
#[derive(Debug)]
struct Held {
    inode: Option<u64>,
    processes: Box<[Process]>,
}

impl Owners {
    /// The inode that a connection's socket had while somebody held it: what the kernel leaves of it has
    /// none, and yet belongs to the same processes.
    pub(super) fn inode(&self, event: &Event) -> Option<u64> {
        self.found.get(&event.connection)?.inode
    }

    /// Looks for the processes of an event's socket, if they are not known.
    pub(super) fn prepare(&mut self, event: &Event, enricher: &mut Enricher) {
        if self.found.contains_key(&event.connection) {
            return;
        }
        let begun = Instant::now();
        let is_due = self.walk_again.is_none_or(|due| due <= begun);
        if event.socket.inode.is_some() && is_due {
            enricher.next_listing();
            enricher.prepare_names(&event.socket);
        }
        enricher.prepare_owners(&event.socket);
        if event.socket.inode.is_some() && is_due {
            let rest = (begun.elapsed() * SHARE).max(BETWEEN_WALKS);
            self.walk_again = Some(Instant::now() + rest);
        }
        let row = enricher.row(&event.socket);
        if let (Some(ProcessStatus::Found), Some(processes)) = (row.process_status, row.processes) {
            let held = Held {
                inode: event.socket.inode,
                processes: processes.into(),
            };
            self.found.insert(event.connection, held);
        }
    }

    /// The row with its processes. Of a socket that was gone before it could be looked up, nothing is
    /// known.
    pub(super) fn tell<'s>(&'s self, event: &Event, row: Row<'s>) -> Row<'s> {
        if let Some(found) = self.found.get(&event.connection) {
            return Row {
                processes: Some(&found.processes),
                process_status: Some(ProcessStatus::Found),
                ..row
            };
        }
        let was_seen = event.socket.cookie.is_some() || event.sampled;
        if was_seen {
            return row;
        }
        Row {
            processes: None,
            process_status: None,
            ..row
        }
    }

    /// The connection is over.
    pub(super) fn forget_ended(&mut self, event: &Event) {
        if event.socket.state == State::Closed {
            self.found.remove(&event.connection);
        }
    }
}
