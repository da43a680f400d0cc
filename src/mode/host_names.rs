//! Looks up host names.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::enrich::{Mapped, resolve};
use crate::model::OwnedRow;

/// Maximum time for all lookups of a listing.
const DEADLINE: Duration = Duration::from_secs(2);

/// Host names, kept as long as their addresses are listed.
#[derive(Debug)]
pub(super) struct HostNames {
    mapped: Mapped,
    /// `None` = no name, or no answer in time.
    names: HashMap<IpAddr, Option<Box<str>>>,
}

impl HostNames {
    pub(super) fn new(mapped: Mapped) -> Self {
        Self {
            mapped,
            names: HashMap::new(),
        }
    }

    /// Adds host names to rows. Only addresses that were not in the rows before are looked up.
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
