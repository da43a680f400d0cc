//! Applies the filter to events, and looks up names and processes of their sockets.

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

/// Opens the best available event source, with its namespaces.
///
/// # Errors
///
/// If no source can be opened.
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

/// Applies a filter to events, and looks up what it needs and what is shown.
pub struct Steps {
    rules: Vec<(Table, Rule)>,
    names: Names,
    search: Search,
    hidden: Hidden,
}

/// Lookups for events.
struct Names {
    enricher: Enricher,
    /// The own namespace, for sockets not known to be in another.
    network: Option<Network>,
    owners: Option<Owners>,
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").finish_non_exhaustive()
    }
}

impl Steps {
    /// Creates it without any lookups.
    ///
    /// # Errors
    ///
    /// If processes cannot be found in the requested way.
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

    /// Does all lookups except of processes.
    pub const fn enricher(&mut self) -> &mut Enricher {
        &mut self.names.enricher
    }

    /// Warnings about missing processes.
    pub fn warnings(&self) -> Vec<Warning> {
        self.names.enricher.warnings()
    }

    /// The rules of the filter.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|(_, rule)| rule)
    }

    /// Completes the event with what is known of its socket from earlier ones.
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

    /// Evaluates the filter on the socket before and after the change. A match is looked up.
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
        // Sockets without an inode also have an owner if the source reports it.
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

    /// Looks up everything, whether the filter matches or not.
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
        let mut shown = row;
        self.hidden.hide(&mut shown);
        let search = &mut self.search;
        rule.decide(&Row { stage, ..row }, &mut |text| search(&shown, text))
    }

    /// The row of an event's socket, with everything shown looked up.
    pub fn row<'s>(&'s self, event: &'s Event) -> Row<'s> {
        let mut row = self.names.row(event, &event.socket, Stage::Owners);
        self.hidden.hide(&mut row);
        row
    }

    /// Forgets the connection of an event if that closed it.
    pub fn told(&mut self, event: &Event) {
        if event.socket.state == State::Closed {
            self.forget(event.connection);
        }
    }

    /// Forgets a connection.
    pub fn forget(&mut self, connection: u64) {
        if let Some(owners) = &mut self.names.owners {
            owners.forget(connection);
        }
    }
}

impl Names {
    /// The row of a socket, with the names looked up for its event.
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
