//! Evaluates the filter on a socket as early as possible, and looks up more only if needed.

use std::fmt;

use super::peers::PeerReader;
use super::rates::Transfers;
use crate::enrich::{Enricher, Lookups};
use crate::error::Error;
use crate::filter::{Decision, Rule};
use crate::model::{Row, Socket, Stage};
use crate::source::Source;

/// Tests if a row shows a text.
pub type Search = Box<dyn FnMut(&Row<'_>, &str) -> bool>;

/// Matches no text.
pub fn no_text() -> Search {
    Box::new(|_: &Row<'_>, _: &str| false)
}

/// What is looked up but not shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Processes, without `-p`.
    pub owners: bool,
    /// Processes at the other end, without `-pp`.
    pub peers: bool,
    /// Names of users, with `-n`.
    pub users: bool,
}

impl Hidden {
    /// Removes what is not shown from a row.
    pub const fn hide(self, row: &mut Row<'_>) {
        if self.owners {
            row.processes = None;
            row.process_status = None;
        }
        if self.peers {
            row.peer = None;
        }
        if self.users {
            row.user = None;
        }
    }
}

/// Evaluates a filter, and looks up what it needs and what is shown.
pub struct Matcher {
    /// Does the lookups.
    pub enricher: Enricher,
    /// `None` = without rates.
    pub rates: Option<Transfers>,
    /// `None` = neither other ends nor layers are needed.
    peers: Option<PeerReader>,
    search: Search,
    /// What text search ignores.
    unsearched: Hidden,
    /// What rows do not show.
    hidden: Hidden,
    /// How far the last socket was looked up.
    reached: Stage,
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").finish_non_exhaustive()
    }
}

impl Matcher {
    /// Creates a matcher. `hidden` = what text search ignores, and what rows do not show.
    ///
    /// # Errors
    ///
    /// If processes cannot be found in the requested way.
    pub fn new(
        lookups: Lookups,
        peers: Option<PeerReader>,
        search: Search,
        [unsearched, hidden]: [Hidden; 2],
        source: &mut dyn Source,
    ) -> Result<Self, Error> {
        let mut matcher = Self {
            enricher: Enricher::new(lookups)?,
            rates: None,
            peers,
            search,
            unsearched,
            hidden,
            reached: Stage::Socket,
        };
        matcher.learn(source);
        Ok(matcher)
    }

    /// Takes over the names that a source has for its sockets.
    pub fn learn(&mut self, source: &mut dyn Source) {
        self.enricher.use_names(source.names());
        self.enricher.use_namespaces(source.namespaces());
        self.enricher.use_walk(source.take_walk());
        if let Some(peers) = &mut self.peers {
            peers.follow(source.namespaces());
        }
    }

    /// Evaluates a rule on a socket, with the fewest lookups.
    pub fn decide(&mut self, socket: &Socket, rule: &Rule) -> Decision {
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
            let mut shown = row;
            self.unsearched.hide(&mut shown);
            let search = &mut self.search;
            decision = rule.decide(&row, &mut |text| search(&shown, text));
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
                self.look_beside(socket);
                self.enricher.prepare_above(socket);
            }
        }
    }

    /// Reads the sockets in the layers above and below, if a row needs them.
    fn look_beside(&mut self, socket: &Socket) {
        if let Some(peers) = &mut self.peers
            && self.enricher.lacks_layers(socket)
        {
            self.enricher.use_layers(peers.layers());
        }
    }

    /// The only one of these rules that a socket certainly fails; `None` = it fails none, or several.
    pub fn only_failing(&mut self, socket: &Socket, rules: &[Rule]) -> Option<usize> {
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

    /// The row of the last socket, with everything shown looked up.
    pub fn row<'a>(&'a mut self, socket: &'a Socket) -> Row<'a> {
        if let Some(rates) = &mut self.rates {
            rates.read(socket);
        } else if self.enricher.knows(socket) {
            return Row {
                stage: Stage::Owners,
                ..Row::bare(socket)
            };
        }
        if self.reached < Stage::Names {
            self.look_up(socket, Stage::Names);
        }
        if self.reached < Stage::Owners && !self.hidden.owners {
            self.look_up(socket, Stage::Owners);
        }
        self.look_beside(socket);
        let mut row = self.enricher.row(socket);
        row.rates = self.rates.as_ref().and_then(Transfers::rates);
        self.hidden.hide(&mut row);
        row
    }

    /// Begins another listing.
    pub fn next_listing(&mut self) {
        self.enricher.next_listing();
        if let Some(rates) = &mut self.rates {
            rates.next_listing();
        }
    }

    /// The row of any other socket, with everything shown looked up.
    pub fn row_of<'a>(&'a mut self, socket: &'a Socket) -> Row<'a> {
        self.reached = Stage::Socket;
        self.row(socket)
    }
}
