//! Evaluates the filter on a socket as early as it can answer; only then is more looked up.

use std::fmt;

use super::peers::PeerReader;
use super::rates::Transfers;
use crate::enrich::{Enricher, Lookups};
use crate::error::Error;
use crate::filter::{Decision, Rule};
use crate::model::{Row, Socket, Stage};
use crate::source::Source;

/// Does a row show a text?
pub type Search = Box<dyn FnMut(&Row<'_>, &str) -> bool>;

/// Where nothing is shown, no row shows a text.
pub fn no_text() -> Search {
    Box::new(|_: &Row<'_>, _: &str| false)
}

/// What is looked up and yet not shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Processes, without `-p`.
    pub owners: bool,
    /// Who is at the other end, without `-pp`.
    pub peers: bool,
    /// Names of users, with `-n`.
    pub users: bool,
}

impl Hidden {
    /// What is shown of a row.
    pub const fn from(self, mut row: Row<'_>) -> Row<'_> {
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
        row
    }
}

/// Asks a filter, and looks up what it needs and what is shown.
pub struct Matcher {
    /// What looks it up.
    pub enricher: Enricher,
    /// `None` = rows have no rates.
    pub rates: Option<Transfers>,
    /// `None` = nobody asks who is at the other end, or above and below.
    peers: Option<PeerReader>,
    search: Search,
    /// What the search does not see.
    unsearched: Hidden,
    /// What rows do not show.
    hidden: Hidden,
    /// How far the socket asked about last was looked up.
    reached: Stage,
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Matcher").finish_non_exhaustive()
    }
}

impl Matcher {
    /// Has looked up nothing yet. `hidden` = what the search does not see, and what rows do not show.
    ///
    /// # Errors
    ///
    /// When processes cannot be found in the wanted way.
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

    /// Takes the names that a source has for its sockets.
    pub fn learn(&mut self, source: &mut dyn Source) {
        self.enricher.use_names(source.names());
        self.enricher.use_namespaces(source.namespaces());
        self.enricher.use_walk(source.take_walk());
        if let Some(peers) = &mut self.peers {
            peers.follow(source.namespaces());
        }
    }

    /// Evaluates a rule on a socket, looking up no more than it needs.
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
            let shown = self.unsearched.from(row);
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

    /// Reads what stands above and below others, where a row needs it.
    fn look_beside(&mut self, socket: &Socket) {
        if let Some(peers) = &mut self.peers
            && self.enricher.lacks_layers(socket)
        {
            self.enricher.use_layers(peers.layers());
        }
    }

    /// The only one of these rules that a socket fails for certain; `None` = it fails none, or more
    /// than one.
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

    /// The socket that was asked about last, with what is shown of it.
    pub fn row<'a>(&'a mut self, socket: &'a Socket) -> Row<'a> {
        if let Some(rates) = &mut self.rates {
            rates.read(socket);
        } else if let Some(row) = self.enricher.known(socket) {
            return row;
        }
        if self.reached < Stage::Names {
            self.look_up(socket, Stage::Names);
        }
        if self.reached < Stage::Owners && !self.hidden.owners {
            self.look_up(socket, Stage::Owners);
        }
        self.look_beside(socket);
        let rates = self.rates.as_ref().and_then(Transfers::rates);
        let row = self.enricher.row(socket);
        self.hidden.from(Row { rates, ..row })
    }

    /// Begins another listing.
    pub fn next_listing(&mut self) {
        self.enricher.next_listing();
        if let Some(rates) = &mut self.rates {
            rates.next_listing();
        }
    }

    /// Any other socket, with what is shown of it.
    pub fn row_of<'a>(&'a mut self, socket: &'a Socket) -> Row<'a> {
        self.reached = Stage::Socket;
        self.row(socket)
    }
}
