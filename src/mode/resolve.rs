//! `-r`: a sink that holds rows until host names are known.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::enrich::resolve;
use crate::model::{OwnedRow, Row, Summary};
use crate::render::Sink;

/// All look-ups of a listing together take no longer.
const DEADLINE: Duration = Duration::from_secs(2);

/// Keeps every row, looks all addresses up at once, then passes the rows on.
pub(super) struct Resolving {
    inner: Box<dyn Sink>,
    rows: Vec<OwnedRow>,
    /// How many there were at the last mark.
    marked: usize,
}

impl Resolving {
    /// Around the sink that writes.
    pub(super) fn new(inner: Box<dyn Sink>) -> Self {
        Self {
            inner,
            rows: Vec::new(),
            marked: 0,
        }
    }
}

impl Sink for Resolving {
    fn row(&mut self, row: &Row<'_>) -> io::Result<ControlFlow<()>> {
        self.rows.push(OwnedRow::keep(row));
        Ok(ControlFlow::Continue(()))
    }

    fn mark(&mut self) {
        self.marked = self.rows.len();
    }

    fn take_back(&mut self) -> bool {
        self.rows.truncate(self.marked);
        true
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let ends = self.rows.iter().flat_map(|row| {
            let socket = row.row().socket;
            [socket.local.ip, socket.peer.ip]
        });
        let names = resolve(ends.flatten(), DEADLINE);
        for row in &mut self.rows {
            let socket = row.row().socket;
            let (local, peer) = (name(&names, socket.local.ip), name(&names, socket.peer.ip));
            row.local_host = local;
            row.peer_host = peer;
            if self.inner.row(&row.row())?.is_break() {
                break;
            }
        }
        self.inner.finish(summary)
    }
}

fn name(names: &HashMap<IpAddr, Box<str>>, ip: Option<IpAddr>) -> Option<Box<str>> {
    names.get(&ip?).cloned()
}
