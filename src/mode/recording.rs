//! The names of what is recorded: interfaces, users and cgroups of this machine.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::enrich::{Enricher, Lookups};
use crate::error::Error;
use crate::model::{Limits, NameKind, RecordedName, Socket, Table};
use crate::query::Query;
use crate::source::{Outcome, Recorder, Request, Source, Visitor};

/// Looks up the names of all sockets of another source, whether they are shown or not.
pub(super) struct NamedSource {
    source: Box<dyn Source>,
    enricher: Enricher,
    known: HashSet<(NameKind, u64)>,
    names: Vec<RecordedName>,
}

impl NamedSource {
    pub(super) fn new(source: Box<dyn Source>, query: &Query) -> Result<Self, Error> {
        let lookups = Lookups {
            users: true,
            cgroups: query.input.is_live(),
            interfaces: query.lookups.interfaces,
            ..Lookups::default()
        };
        Ok(Self {
            source,
            enricher: Enricher::new(lookups)?,
            known: HashSet::new(),
            names: Vec::new(),
        })
    }

    /// Records the names, behind all sockets.
    pub(super) fn record(self, recorder: &Recorder) {
        for name in self.names {
            recorder.keep_name(name);
        }
    }
}

impl Source for NamedSource {
    fn visit(
        &mut self,
        table: Table,
        request: &Request,
        visitor: &mut dyn Visitor,
    ) -> Result<Outcome, Error> {
        let mut naming = Naming {
            enricher: &mut self.enricher,
            known: &mut self.known,
            names: &mut self.names,
            visitor,
        };
        self.source.visit(table, request, &mut naming)
    }

    fn limits(&self) -> Box<dyn Limits> {
        self.source.limits()
    }
}

/// Passes on what it takes.
struct Naming<'n> {
    enricher: &'n mut Enricher,
    known: &'n mut HashSet<(NameKind, u64)>,
    names: &'n mut Vec<RecordedName>,
    visitor: &'n mut dyn Visitor,
}

impl Visitor for Naming<'_> {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        self.enricher.prepare_names(socket);
        let row = self.enricher.row(socket);
        let numbers = [
            (NameKind::Interface, socket.interface.map(u64::from)),
            (NameKind::User, socket.uid.map(u64::from)),
            (NameKind::Cgroup, socket.cgroup_id),
        ];
        let names = [
            row.interface.map(str::as_bytes),
            row.user.map(str::as_bytes),
            row.cgroup,
        ];
        for ((kind, number), name) in numbers.into_iter().zip(names) {
            if let (Some(number), Some(name)) = (number, name)
                && self.known.insert((kind, number))
            {
                let name = name.into();
                self.names.push(RecordedName { kind, number, name });
            }
        }
        self.visitor.take(socket)
    }

    fn can_rewind(&self) -> bool {
        self.visitor.can_rewind()
    }

    fn rewind(&mut self) -> bool {
        self.visitor.rewind()
    }
}
