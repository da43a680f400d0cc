//! Processes of sockets in events, kept until the connection is over.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::enrich::Enricher;
use crate::model::{Event, Owner, Place, Process, ProcessStatus, Row, Socket};

/// Minimum time between two walks over all processes.
const BETWEEN_WALKS: Duration = Duration::from_millis(200);
/// Walks take at most one part in this many of the time.
const SHARE: u32 = 10;

/// Processes by connection, as last reported or found. A process that has closed its socket no longer holds
/// it, but is still to be named.
#[derive(Debug, Default)]
pub(super) struct Owners {
    found: HashMap<u64, Holders>,
    /// Until then what was read is recent enough.
    walk_again: Option<Instant>,
}

/// The holders of a socket, present or past.
#[derive(Debug)]
struct Holders {
    inode: Option<u64>,
    /// As reported by the source.
    owner: Option<Owner>,
    /// `None` = unknown.
    known: Option<Known>,
}

/// Processes, whether there may be more, and where they run.
#[derive(Debug)]
struct Known {
    status: ProcessStatus,
    processes: Box<[Process]>,
    /// `None` = not looked up, or unknown.
    place: Option<Arc<Place>>,
}

impl Owners {
    /// The inode of a connection's socket while it had one. What the kernel keeps of it later has none, but
    /// belongs to the same processes.
    pub(super) fn inode(&self, event: &Event) -> Option<u64> {
        self.found.get(&event.connection)?.inode
    }

    /// Looks up the processes of an event's socket, unless they are known.
    pub(super) fn prepare(&mut self, event: &Event, enricher: &mut Enricher) {
        let holders = self.found.get(&event.connection);
        if holders.is_none_or(|holders| holders.owner != event.owner) {
            self.find(event, enricher);
        }
        let holders = self.found.get(&event.connection);
        if event.owner.is_some() && holders.is_none_or(|holders| holders.known.is_none()) {
            enricher.guess_place(&event.socket);
        }
    }

    fn find(&mut self, event: &Event, enricher: &mut Enricher) {
        let (inode, known) = match &event.owner {
            Some(owner) => (event.socket.inode, told(owner, event, enricher)),
            None => match self.look_up(event, enricher) {
                None => return,
                found => (event.socket.inode, found),
            },
        };
        let holders = Holders {
            inode,
            owner: event.owner.clone(),
            known,
        };
        self.found.insert(event.connection, holders);
    }

    /// Looks up processes of a polled socket.
    fn look_up(&mut self, event: &Event, enricher: &mut Enricher) -> Option<Known> {
        let begun = Instant::now();
        let is_due = self.walk_again.is_none_or(|due| due <= begun);
        let walks = event.socket.inode.is_some() && is_due;
        if walks {
            enricher.next_listing();
            enricher.prepare_names(&event.socket);
        }
        let found = find(&event.socket, enricher);
        if walks {
            let rest = (begun.elapsed() * SHARE).max(BETWEEN_WALKS);
            self.walk_again = Some(Instant::now() + rest);
        }
        found
    }

    /// Adds the known processes to a row.
    pub(super) fn tell<'s>(&'s self, event: &Event, row: Row<'s>) -> Row<'s> {
        let known = self.found.get(&event.connection);
        let known = known.and_then(|holders| holders.known.as_ref());
        if known.is_none() && event.owner.is_none() {
            return row;
        }
        let process_status = known.map(|known| known.status);
        Row {
            processes: known.map(|known| &*known.processes),
            process_status,
            place: known.map_or(row.place, |known| known.place.as_deref()),
            is_owner_in_doubt: process_status == Some(ProcessStatus::Partial),
            ..row
        }
    }

    /// Forgets a connection that is over.
    pub(super) fn forget(&mut self, connection: u64) {
        self.found.remove(&connection);
    }
}

/// The processes that the source reports.
fn told(owner: &Owner, event: &Event, enricher: &mut Enricher) -> Option<Known> {
    let held = owner.inode.and_then(|_| {
        let socket = Socket {
            inode: owner.inode,
            ..event.socket.clone()
        };
        find(&socket, enricher)
    });
    let process = owner.process.as_deref();
    let told = || {
        let mut process = enricher.with_user(process?.clone());
        process.place = enricher.place_of(&process, owner.cgroup_id);
        Some(Known {
            status: ProcessStatus::Found,
            place: process.place.clone(),
            processes: [process].into(),
        })
    };
    held.or_else(told)
}

/// The processes that hold a socket, as far as they can be found.
fn find(socket: &Socket, enricher: &mut Enricher) -> Option<Known> {
    enricher.prepare_owners(socket);
    let row = enricher.row(socket);
    let status = row.process_status.filter(|status| status.is_found())?;
    Some(Known {
        status,
        processes: row.processes?.into(),
        place: row.place.map(|place| Arc::new(place.clone())),
    })
}
