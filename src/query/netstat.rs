//! A listing as `netstat`, or in its format.

use super::Query;
use crate::enrich::{Ports, ScanScope};
use crate::model::Table;
use crate::render::{Extras, Format, NetstatLayout};

/// What to list, in which order, and how.
#[derive(Debug)]
pub struct Netstat {
    /// Lookups, columns and style of all parts.
    pub query: Query,
    /// The parts, in order.
    pub parts: Vec<Part>,
    /// True if the listing repeats every second.
    pub is_continuous: bool,
}

/// The lines below one banner, or without one.
#[derive(Debug)]
pub struct Part {
    /// The sockets, and their format.
    pub query: Query,
    /// Its tables and others, in order.
    pub steps: Vec<Step>,
}

/// A group of sockets, and what happens if this kernel does not support it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The tables of a protocol; missing IPv6 is always ignored.
    Tables(Vec<Table>, Absence),
    /// Sockets that `netstat` lists and `lsock` does not.
    Other(Other, Absence),
}

/// What happens if the file of some sockets is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Nothing.
    Silent,
    /// It is reported.
    Told,
    /// It is reported, and the listing ends.
    Final,
}

/// Sockets of a family that the model lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Other {
    /// Its name in `netstat`.
    pub name: &'static str,
    /// Files that may list them, below `/proc`; without any, this `netstat` never lists them.
    pub files: &'static [&'static str],
    /// The number of header lines in a file.
    pub titles: usize,
}

impl Query {
    /// The query whose rows have everything that `netstat` shows.
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
