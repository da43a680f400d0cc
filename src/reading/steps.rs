//! Steps of sockets: the filter's answer about each, and what is known of its socket.

use std::borrow::Cow;
use std::fmt;

use super::event_owners::Owners;
use super::{Asked, Hidden, Input, Search};
use crate::enrich::{Enricher, Lookups};
use crate::error::Error;
use crate::filter::{Decision, Rule};
use crate::model::{Event, Network, Row, Socket, Stage, State, Table, Warning};
use crate::netns::{self, Wanted};
use crate::source::events::{Destroyed, EventSource, Sampled, Scope, Traced, Watched};
use crate::source::{Namespaces, Recorder};

/// Opens the best source there is, and the namespaces that it watches.
///
/// # Errors
///
/// When nothing can be watched.
pub fn open_events(
    asked: &Asked,
    watched: Vec<Watched>,
) -> Result<(Box<dyn EventSource>, Namespaces), Error> {
    let scope = match &*asked.netns {
        [] => Scope::Own,
        wanted if wanted.contains(&Wanted::All) => Scope::All,
        _ => Scope::Known,
    };
    let open = || asked.open(&Recorder::default());
    let (source, _) = open()?;
    let mut namespaces = source.namespaces();
    let why = match &asked.input {
        Input::Netlink => "--source netlink".to_owned(),
        Input::Procfs(_) => "--source procfs".to_owned(),
        Input::Auto | Input::Files | Input::Bpf | Input::Replay(_) => {
            match Traced::new(&watched, scope, source) {
                Ok(source) => return Ok((Box::new(source), namespaces)),
                Err(error) => error.chain(),
            }
        }
    };
    let destroyed = match asked.input {
        Input::Procfs(_) => Destroyed::NotTold,
        _ if scope != Scope::Own => Destroyed::NotTold,
        _ => Destroyed::Told,
    };
    let (source, _) = open()?;
    namespaces = source.namespaces();
    let source = Sampled::new(source, scope, destroyed, watched, why)?;
    Ok((Box::new(source), namespaces))
}

/// Asks a filter about steps, and looks up what it needs and what is shown.
pub struct Steps {
    rules: Vec<(Table, Rule)>,
    names: Names,
    search: Search,
    hidden: Hidden,
}

/// What is looked up for steps.
struct Names {
    enricher: Enricher,
    /// The own namespace, which sockets of no other are of.
    network: Option<Network>,
    owners: Option<Owners>,
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").finish_non_exhaustive()
    }
}

impl Steps {
    /// Has looked up nothing yet.
    ///
    /// # Errors
    ///
    /// When processes cannot be found in the wanted way.
    pub fn new(
        rules: Vec<(Table, Rule)>,
        lookups: Lookups,
        search: Search,
        hidden: Hidden,
        namespaces: Namespaces,
    ) -> Result<Self, Error> {
        let owners = lookups.owners.is_some().then(Owners::default);
        let mut enricher = Enricher::new(lookups)?;
        enricher.use_namespaces(namespaces);
        Ok(Self {
            rules,
            names: Names {
                enricher,
                network: netns::here(),
                owners,
            },
            search,
            hidden,
        })
    }

    /// What looks up everything but processes.
    pub const fn enricher(&mut self) -> &mut Enricher {
        &mut self.names.enricher
    }

    /// What must be said about processes that are missing.
    pub fn warnings(&self) -> Vec<Warning> {
        self.names.enricher.warnings()
    }

    /// The rules of the filter.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|(_, rule)| rule)
    }

    /// The event with what is known of its socket from others.
    pub fn meet<'e>(&mut self, event: &'e Event) -> Cow<'e, Event> {
        let mut event = Cow::Borrowed(event);
        let held = self
            .names
            .owners
            .as_ref()
            .and_then(|owners| owners.inode(&event));
        if event.socket.inode.is_none() && held.is_some() {
            event.to_mut().socket.inode = held;
        }
        if let Some(inode) = event.socket.netns {
            self.names.enricher.meet_namespace(inode);
        }
        event
    }

    /// Does the filter hold for the socket as it was before the step, or as it is now? A socket that
    /// is wanted is prepared.
    pub fn wants(&mut self, event: &Event) -> Decision {
        let table = event.socket.table();
        let Some(place) = self.rules.iter().position(|(of, _)| *of == table) else {
            return Decision::No;
        };
        let before = event.old_state.map(|state| Socket {
            state,
            ..event.socket.clone()
        });
        let mut decision = Decision::No;
        // Sockets without an inode have an owner, too, where the source tells it.
        let is_told = self.names.owners.is_some() && event.owner.is_some();
        for stage in [Stage::Socket, Stage::Names, Stage::Owners] {
            self.prepare(event, stage);
            if is_told && stage != Stage::Owners {
                continue;
            }
            let sockets = [Some(&event.socket), before.as_ref()].into_iter().flatten();
            let decisions = sockets.map(|socket| self.decide(place, event, socket, stage));
            decision = decisions.fold(Decision::No, Decision::or);
            if decision.held() == Some(false) {
                break;
            }
        }
        decision
    }

    /// Looks everything up, whether the socket is wanted or not.
    pub fn prepare_all(&mut self, event: &Event) {
        self.prepare(event, Stage::Names);
        self.prepare(event, Stage::Owners);
    }

    fn prepare(&mut self, event: &Event, stage: Stage) {
        match stage {
            Stage::Socket => {}
            Stage::Names => self.names.enricher.prepare_names(&event.socket),
            Stage::Owners => {
                if let Some(owners) = &mut self.names.owners {
                    owners.prepare(event, &mut self.names.enricher);
                }
            }
        }
    }

    fn decide(&mut self, place: usize, event: &Event, socket: &Socket, stage: Stage) -> Decision {
        let Some((_, rule)) = self.rules.get(place) else {
            return Decision::No;
        };
        let row = match stage {
            Stage::Socket => Row::bare(socket),
            stage => self.names.row(event, socket, stage),
        };
        let shown = self.hidden.from(row);
        let search = &mut self.search;
        rule.decide(&Row { stage, ..row }, &mut |text| search(&shown, text))
    }

    /// The socket of an event that was prepared, with what is shown of it.
    pub fn row<'s>(&'s self, event: &'s Event) -> Row<'s> {
        self.hidden
            .from(self.names.row(event, &event.socket, Stage::Owners))
    }

    /// What belongs to a step that was told is over with the connection.
    pub fn told(&mut self, event: &Event) {
        if event.socket.state == State::Closed {
            self.forget(event.connection);
        }
    }

    /// Nothing more is told of a connection.
    pub fn forget(&mut self, connection: u64) {
        if let Some(owners) = &mut self.names.owners {
            owners.forget(connection);
        }
    }
}

impl Names {
    /// The socket with the names that were looked up for an event of it.
    fn row<'s>(&'s self, event: &Event, socket: &'s Socket, stage: Stage) -> Row<'s> {
        let mut row = self.enricher.row(socket);
        if let (Some(network), None) = (&self.network, socket.netns) {
            row.netns = Some(&network.name);
            row.netns_inode = Some(network.inode);
        }
        match &self.owners {
            Some(owners) if stage == Stage::Owners => owners.tell(event, row),
            _ => row,
        }
    }
}
