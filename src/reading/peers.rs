//! Reads the connections among which other ends are looked for.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::input::{Asked, Input};
use crate::enrich::Connections;
use crate::error::Error;
use crate::model::{Protocol, Socket, State, StateSet, Warning};
use crate::source::{
    Namespaces, NamespacesSource, Outcome, Recorder, Request, Source, translations,
};

/// Reads them from a source of its own: they are no part of the listing, nor of a recording of it.
pub struct PeerReader {
    source: Option<Box<dyn Source>>,
    protocols: BTreeSet<Protocol>,
    input: Input,
}

impl PeerReader {
    /// Will read from where sockets are asked for.
    ///
    /// # Errors
    ///
    /// When that cannot be opened.
    pub fn open(asked: &Asked) -> Result<Self, Error> {
        let is_own = asked.netns.is_empty();
        let opened = is_own.then(|| asked.open(&Recorder::default()));
        let protocols = asked.tables.iter().map(|table| table.protocol);
        Ok(Self {
            source: opened.transpose()?.map(|(source, _)| source),
            protocols: protocols.filter(|one| one.has_service_ports()).collect(),
            input: asked.input.clone(),
        })
    }

    /// Will read from these namespaces, if there are any.
    pub fn follow(&mut self, namespaces: Namespaces) {
        if !namespaces.is_empty() {
            let source = NamespacesSource::beside(namespaces, self.input.way());
            self.source = Some(Box::new(source));
        }
    }

    /// Every connection of now: over both IP versions, as an IPv4-mapped address is one of IPv4.
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

    /// Adds what is translated. False if that cannot be told everywhere.
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
