//! Reads the connections in which other ends, and layers of MPTCP and SMC, are searched.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::input::{Asked, Input};
use crate::enrich::{Connections, Layers, Lookups};
use crate::error::Error;
use crate::model::{Protocol, Socket, State, StateSet, Warning};
use crate::source::{
    Namespaces, NamespacesSource, Outcome, Recorder, Request, Source, translations,
};

/// Reads them from a separate source: they are not part of the listing, nor of its recording.
pub struct PeerReader {
    source: Option<Box<dyn Source>>,
    protocols: BTreeSet<Protocol>,
    subflows: bool,
    input: Input,
}

impl PeerReader {
    /// Opens the source; `None` = not needed.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub fn open(asked: &Asked, lookups: &Lookups) -> Result<Option<Self>, Error> {
        let is_live = !matches!(asked.input, Input::Procfs(_) | Input::Replay(_));
        let protocols = asked.tables.iter().map(|table| table.protocol);
        let mut protocols: BTreeSet<Protocol> = protocols.collect();
        let has_smc = is_live && protocols.contains(&Protocol::Tcp) && lookups.owners.is_some();
        if !lookups.peers && !lookups.subflows && !has_smc {
            return Ok(None);
        }
        let is_own = asked.netns.is_empty();
        let opened = is_own.then(|| asked.open(&Recorder::default()));
        protocols.retain(|one| one.has_service_ports());
        Ok(Some(Self {
            source: opened.transpose()?.map(|(source, _)| source),
            protocols,
            subflows: lookups.subflows,
            input: asked.input.clone(),
        }))
    }

    /// Reads from these namespaces from now on, if there are any.
    pub fn follow(&mut self, namespaces: Namespaces) {
        if !namespaces.is_empty() {
            let source = NamespacesSource::beside(namespaces, self.input.way());
            self.source = Some(Box::new(source));
        }
    }

    /// Reads all connections, of both IP versions: an IPv4-mapped address may be IPv4 at the other end.
    pub fn read(&mut self) -> Connections {
        let mut connections = Connections::default();
        let states = StateSet::ALL.without(State::Listen).without(State::Bound);
        let request = Request::plain(states);
        let Some(source) = &mut self.source else {
            connections.is_partial = true;
            return connections;
        };
        let mut is_whole = true;
        let mut add = |socket: &Socket| {
            connections.add(socket);
            ControlFlow::Continue(())
        };
        for protocol in &self.protocols {
            let requests: Vec<_> = protocol
                .tables()
                .map(|table| (table, request.clone()))
                .collect();
            for outcome in source.visit_all(&requests, &mut add) {
                is_whole &= outcome.is_ok_and(is_complete);
            }
        }
        connections.is_partial = !(is_whole && self.translate(&mut connections));
        connections
    }

    /// Reads the subflows of MPTCP, if requested, and the connections of SMC.
    pub fn layers(&mut self) -> Layers {
        let mut layers = Layers::default();
        let states = StateSet::ALL.without(State::Listen).without(State::Bound);
        let mut request = Request::plain(states);
        let mut tables: Vec<_> = Protocol::Smc.tables().collect();
        if self.subflows {
            tables.extend(Protocol::Tcp.tables());
            request.extensions.info = true;
        }
        let requests: Vec<_> = tables
            .into_iter()
            .map(|table| (table, request.clone()))
            .collect();
        let mut add = |socket: &Socket| {
            layers.add(socket);
            ControlFlow::Continue(())
        };
        if let Some(source) = &mut self.source {
            // On failure there are fewer sockets to match.
            let _ = source.visit_all(&requests, &mut add);
        }
        layers
    }

    /// Adds address translations; false if they cannot be read everywhere.
    fn translate(&self, connections: &mut Connections) -> bool {
        if matches!(self.input, Input::Procfs(_)) {
            return false;
        }
        let namespaces = self.source.iter().flat_map(|source| source.namespaces());
        let each = namespaces.map(|(netns, (_, anchor))| (Some(netns), anchor));
        let mut each: Vec<_> = each.collect();
        if each.is_empty() {
            each.push((None, None));
        }
        let mut is_told = true;
        for (netns, anchor) in each {
            let can_ask = netns.is_none() || anchor.is_some();
            let found = can_ask.then(|| translations(anchor.as_ref()).ok());
            let found = found.flatten();
            is_told &= found.is_some();
            for translation in found.iter().flatten() {
                connections.translate(netns, translation);
            }
        }
        is_told
    }
}

fn is_complete(outcome: Outcome) -> bool {
    let mut parts = outcome.each();
    parts.all(|part| !part.warnings.iter().any(Warning::is_gap))
}
