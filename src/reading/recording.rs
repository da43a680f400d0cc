//! Names stored in recordings: interfaces, users and cgroups of this machine.

use std::collections::HashSet;

use crate::enrich::{Enricher, Interfaces, Lookups};
use crate::error::Error;
use crate::model::{NameKind, RecordedName, Socket};
use crate::source::{Namespaces, Recorder};

/// Looks up the names of all sockets, shown or not.
#[derive(Debug)]
pub struct RecordedNames {
    enricher: Enricher,
    known: HashSet<(NameKind, Option<u32>, u64)>,
    found: Vec<RecordedName>,
}

impl RecordedNames {
    /// `is_live` = the sockets are the current ones of this machine.
    ///
    /// # Errors
    ///
    /// Never: these lookups do not fail.
    pub fn new(
        is_live: bool,
        interfaces: Interfaces,
        namespaces: Namespaces,
    ) -> Result<Self, Error> {
        let lookups = Lookups {
            users: true,
            cgroups: is_live,
            interfaces,
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

    /// Looks up the names of a socket.
    pub fn look_up(&mut self, socket: &Socket) {
        self.enricher.prepare_names(socket);
        let row = self.enricher.row(socket);
        let interface = socket.interface.zip(row.interface.map(str::as_bytes));
        // An empty name means that the user has none.
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

    /// Writes the names after all sockets.
    pub fn record(self, recorder: &Recorder) {
        for name in self.found {
            recorder.keep_name(name);
        }
    }
}
