//! Evaluates the filter on a socket as early as it can answer; only then is more looked up.

use super::peers::PeerReader;
use crate::enrich::{Enricher, Lookups, ScanScope};
use crate::error::Error;
use crate::filter::{Decision, Rule};
use crate::model::{Row, Socket, Stage};
use crate::query::{Hidden, Query};
use crate::render::Search;
use crate::source::Source;

/// Asks the filter of a query, and looks up what it needs and what is shown.
pub(super) struct Matcher {
    pub(super) enricher: Enricher,
    /// `None` = nobody asks who is at the other end.
    peers: Option<PeerReader>,
    search: Search,
    /// What the search does not see.
    unsearched: Hidden,
    /// What rows do not show.
    hidden: Hidden,
    /// How far the socket asked about last was looked up.
    reached: Stage,
}

impl Matcher {
    /// Has looked up nothing yet. An error means that processes cannot be found in the wanted way.
    pub(super) fn new(query: &Query, source: &mut dyn Source) -> Result<Self, Error> {
        Self::with(query, query.lookups.clone(), query.hidden, source)
    }

    /// Looks up processes, and tells them, whatever the query wants to know of them.
    pub(super) fn telling_owners(
        query: &Query,
        scope: ScanScope,
        source: &mut dyn Source,
    ) -> Result<Self, Error> {
        let lookups = Lookups {
            owners: Some(query.input.processes()),
            scope,
            places: Some(query.places.clone()),
            ..query.lookups.clone()
        };
        Self::with(query, lookups, Hidden::default(), source)
    }

    fn with(
        query: &Query,
        lookups: Lookups,
        hidden: Hidden,
        source: &mut dyn Source,
    ) -> Result<Self, Error> {
        let mut matcher = Self {
            enricher: Enricher::new(lookups)?,
            peers: PeerReader::open(query)?,
            search: Search::new(&query.layout),
            unsearched: query.hidden,
            hidden,
            reached: Stage::Socket,
        };
        matcher.learn(source);
        Ok(matcher)
    }

    /// Takes the names that a source has for its sockets.
    pub(super) fn learn(&mut self, source: &mut dyn Source) {
        self.enricher.use_names(source.names());
        self.enricher.use_namespaces(source.namespaces());
        self.enricher.use_walk(source.take_walk());
        if let Some(peers) = &mut self.peers {
            peers.follow(source.namespaces());
        }
    }

    /// Evaluates a rule on a socket, looking up no more than it needs.
    pub(super) fn decide(&mut self, socket: &Socket, rule: &Rule) -> Decision {
        self.reached = Stage::Socket;
        if rule.is_always() {
            return Decision::Yes;
        }
        let mut decision = rule.decide(&Row::bare(socket), &mut |_| false);
        for stage in [Stage::Names, Stage::Owners] {
            if decision != Decision::NotYet {
                break;
            }
            self.look_up(socket, stage);
            let row = Row {
                stage,
                ..self.enricher.row(socket)
            };
            let shown = self.unsearched.from(row);
            let search = &mut self.search;
            decision = rule.decide(&row, &mut |text| search.contains(&shown, text));
        }
        decision
    }

    fn look_up(&mut self, socket: &Socket, stage: Stage) {
        self.reached = stage;
        match stage {
            Stage::Socket => {}
            Stage::Names => self.enricher.prepare_names(socket),
            Stage::Owners => {
                if let Some(peers) = &mut self.peers
                    && self.enricher.lacks_connections(socket)
                {
                    self.enricher.use_connections(peers.read());
                }
                self.enricher.prepare_owners(socket);
            }
        }
    }

    /// The only one of these rules that a socket fails for certain; `None` = it fails none, or more
    /// than one.
    pub(super) fn only_failing(&mut self, socket: &Socket, rules: &[Rule]) -> Option<usize> {
        let (mut failing, mut reached) = (None, Stage::Socket);
        for (place, rule) in rules.iter().enumerate() {
            if self.decide(socket, rule).held() == Some(false) && failing.replace(place).is_some() {
                return None;
            }
            reached = reached.max(self.reached);
        }
        let doubts = |enricher: &Enricher| enricher.doubts_owners() || enricher.doubts_peer();
        failing.filter(|_| reached < Stage::Owners || !doubts(&self.enricher))
    }

    /// The socket that was asked about last, with what is shown of it.
    pub(super) fn row<'a>(&'a mut self, socket: &'a Socket) -> Row<'a> {
        if let Some(row) = self.enricher.known(socket) {
            return row;
        }
        if self.reached < Stage::Names {
            self.look_up(socket, Stage::Names);
        }
        if self.reached < Stage::Owners && !self.hidden.owners {
            self.look_up(socket, Stage::Owners);
        }
        self.hidden.from(self.enricher.row(socket))
    }

    /// Any other socket, with what is shown of it.
    pub(super) fn row_of<'a>(&'a mut self, socket: &'a Socket) -> Row<'a> {
        self.reached = Stage::Socket;
        self.row(socket)
    }
}
