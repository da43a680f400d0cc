//! Names of hosts.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::enrich::{Mapped, resolve};
use crate::model::OwnedRow;

/// All look-ups of a listing together take no longer.
const DEADLINE: Duration = Duration::from_secs(2);

/// Host names that were looked up, for as long as their addresses are listed.
#[derive(Debug)]
pub(super) struct HostNames {
    mapped: Mapped,
    /// `None` = there is none, or no answer came in time.
    names: HashMap<IpAddr, Option<Box<str>>>,
}

impl HostNames {
    pub(super) fn new(mapped: Mapped) -> Self {
        Self {
            mapped,
            names: HashMap::new(),
        }
    }

    /// Gives rows the names of their hosts. Only addresses that were not among the rows before are
    /// looked up.
    pub(super) fn name(&mut self, rows: Vec<&mut OwnedRow>) {
        let listed = rows.iter().flat_map(|row| ends(row));
        let listed: HashSet<IpAddr> = listed.flatten().collect();
        self.names.retain(|ip, _| listed.contains(ip));
        let unknown = listed.iter().copied();
        let unknown: Vec<IpAddr> = unknown.filter(|ip| !self.names.contains_key(ip)).collect();
        let mut found = resolve(unknown.iter().copied(), self.mapped, DEADLINE);
        let found = unknown.iter().map(|ip| (*ip, found.remove(ip)));
        self.names.extend(found);
        for row in rows {
            row.name_hosts(ends(row).map(|ip| self.of(ip)));
        }
    }

    fn of(&self, ip: Option<IpAddr>) -> Option<Box<str>> {
        self.names.get(&ip?).cloned().flatten()
    }
}

fn ends(row: &OwnedRow) -> [Option<IpAddr>; 2] {
    let socket = row.row().socket;
    [socket.local.ip, socket.peer.ip]
}
