//! The names of what is recorded: interfaces, users and cgroups of this machine.

use std::collections::HashSet;
use std::ops::ControlFlow;

use crate::enrich::{Enricher, Lookups};
use crate::error::Error;
use crate::model::{Limits, NameKind, RecordedName, Socket, Table};
use crate::query::Query;
use crate::source::{Namespaces, Outcome, Recorder, Request, Source, Visitor};

/// Looks up the names of all sockets of another source, whether they are shown or not.
pub(super) struct NamedSource {
    source: Box<dyn Source>,
    names: Names,
}

struct Names {
    enricher: Enricher,
    known: HashSet<(NameKind, Option<u32>, u64)>,
    found: Vec<RecordedName>,
}

impl NamedSource {
    pub(super) fn new(source: Box<dyn Source>, query: &Query) -> Result<Self, Error> {
        let lookups = Lookups {
            users: true,
            cgroups: query.input.is_live(),
            interfaces: query.lookups.interfaces,
            ..Lookups::default()
        };
        let mut enricher = Enricher::new(lookups)?;
        enricher.use_namespaces(source.namespaces());
        let names = Names {
            enricher,
            known: HashSet::new(),
            found: Vec::new(),
        };
        Ok(Self { source, names })
    }

    /// Records the names, behind all sockets.
    pub(super) fn record(self, recorder: &Recorder) {
        for name in self.names.found {
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
        let names = &mut self.names;
        let mut naming = Naming { names, visitor };
        self.source.visit(table, request, &mut naming)
    }

    fn namespaces(&self) -> Namespaces {
        self.source.namespaces()
    }

    fn limits(&self) -> Box<dyn Limits> {
        self.source.limits()
    }
}

/// Passes on what it takes.
struct Naming<'n> {
    names: &'n mut Names,
    visitor: &'n mut dyn Visitor,
}

impl Visitor for Naming<'_> {
    fn take(&mut self, socket: &Socket) -> ControlFlow<()> {
        let names = &mut *self.names;
        names.enricher.prepare_names(socket);
        let row = names.enricher.row(socket);
        let interface = socket.interface.zip(row.interface.map(str::as_bytes));
        // That one has no name is told by an empty one.
        let user = socket
            .uid
            .map(|uid| (uid, row.user.unwrap_or_default().as_bytes()));
        let cgroup = socket.cgroup_id.zip(row.cgroup);
        let wide = |(number, name): (u32, _)| (u64::from(number), name);
        for (kind, named) in [
            (NameKind::Interface, interface.map(wide)),
            (NameKind::User, user.map(wide)),
            (NameKind::Cgroup, cgroup),
        ] {
            if let Some((number, name)) = named
                && names.known.insert((kind, socket.netns, number))
            {
                let name = name.into();
                let netns = socket.netns.filter(|_| kind == NameKind::Interface);
                names.found.push(RecordedName {
                    kind,
                    number,
                    name,
                    netns,
                });
            }
        }
        self.visitor.take(socket)
    }

    fn next_part(&mut self) {
        self.visitor.next_part();
    }

    fn can_rewind(&self) -> bool {
        self.visitor.can_rewind()
    }

    fn rewind(&mut self) -> bool {
        self.visitor.rewind()
    }
}
