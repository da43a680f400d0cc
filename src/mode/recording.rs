//! The names of what is recorded: interfaces, users and cgroups of this machine.

use std::collections::HashSet;

use crate::enrich::{Enricher, Lookups};
use crate::error::Error;
use crate::model::{NameKind, RecordedName, Socket};
use crate::query::Query;
use crate::source::{Namespaces, Recorder};

/// Looks up the names of all sockets, whether they are shown or not.
pub(super) struct RecordedNames {
    enricher: Enricher,
    known: HashSet<(NameKind, Option<u32>, u64)>,
    found: Vec<RecordedName>,
}

impl RecordedNames {
    pub(super) fn new(query: &Query, namespaces: Namespaces) -> Result<Self, Error> {
        let lookups = Lookups {
            users: true,
            cgroups: query.input.is_live(),
            interfaces: query.lookups.interfaces,
            ..Lookups::default()
        };
        let mut enricher = Enricher::new(lookups)?;
        enricher.use_namespaces(namespaces);
        Ok(Self {
            enricher,
            known: HashSet::new(),
            found: Vec::new(),
        })
    }

    pub(super) fn look_up(&mut self, socket: &Socket) {
        self.enricher.prepare_names(socket);
        let row = self.enricher.row(socket);
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
                && self.known.insert((kind, socket.netns, number))
            {
                self.found.push(RecordedName {
                    kind,
                    number,
                    name: name.into(),
                    netns: socket.netns.filter(|_| kind == NameKind::Interface),
                });
            }
        }
    }

    /// Records the names, behind all sockets.
    pub(super) fn record(self, recorder: &Recorder) {
        for name in self.found {
            recorder.keep_name(name);
        }
    }
}
