//! A listing under the name `netstat`, or in its format.

use super::Query;
use crate::enrich::{Ports, ScanScope};
use crate::model::Table;
use crate::render::{Extras, Format, NetstatLayout};

/// What to list, in which order, and how.
#[derive(Debug)]
pub struct Netstat {
    /// Names to look up, columns and looks: those of every part.
    pub query: Query,
    /// What is listed, one after another.
    pub parts: Vec<Part>,
    /// True if it is listed again every second.
    pub is_continuous: bool,
}

/// What stands below one banner, or below none.
#[derive(Debug)]
pub struct Part {
    /// What is listed, and how.
    pub query: Query,
    /// Its tables in their order, and others.
    pub steps: Vec<Step>,
}

/// Some sockets, and what it means that this kernel has no such ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The tables of a protocol; only that there are none over IPv6 never means anything.
    Tables(Vec<Table>, Absence),
    /// Sockets that `netstat` lists and `lsock` does not.
    Other(Other, Absence),
}

/// What it means that there is no file of some sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Nothing.
    Silent,
    /// It is said.
    Told,
    /// It is said, and nothing follows.
    Final,
}

/// Sockets of a family without a place in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    /// What `netstat` calls it.
    pub name: &'static str,
    /// The files that may hold them, below `/proc`; without any, this `netstat` never lists them.
    pub files: &'static [&'static str],
    /// Lines of a file that are titles.
    pub titles: usize,
}

impl Query {
    /// The query whose rows have what the lines of `netstat` show.
    #[must_use]
    pub fn as_netstat(mut self, layout: NetstatLayout) -> Self {
        let extras = layout.extras;
        self.extensions.proc_net = extras.has(Extras::EXTENDED) || extras.has(Extras::TIMERS);
        let lookups = &mut self.lookups;
        if lookups.scope == ScanScope::All {
            lookups.scope = ScanScope::FirstThreads;
        }
        lookups.nobody = Some(0);
        if lookups.services == Ports::Named {
            lookups.services = Ports::NamedLast;
        }
        self.format = Format::Netstat(layout);
        self
    }
}
