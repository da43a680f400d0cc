//! Is a socket wanted? The filter is asked as early as it can tell, and only then is more looked up.

use super::check::Answer;
use super::seen::Seen;
use crate::enrich::{Enricher, Lookups};
use crate::error::Error;
use crate::filter::{Rule, Stage};
use crate::model::{Row, Socket, Warning};
use crate::query::{Hidden, Query};
use crate::render::Search;

/// Asks the filter of a query, and looks up what it needs and what is shown.
pub(super) struct Judge {
    enricher: Enricher,
    search: Search,
    hidden: Hidden,
    /// How far the socket asked about last was looked up.
    reached: Stage,
}

impl Judge {
    /// Has looked up nothing yet.
    ///
    /// # Errors
    ///
    /// When processes cannot be found in the way that is wanted.
    pub(super) fn new(query: &Query) -> Result<Self, Error> {
        Self::with(query, query.lookups.clone(), query.hidden)
    }

    /// Looks up processes, and tells them, whatever the query wants to know of them.
    ///
    /// # Errors
    ///
    /// As those of [`Judge::new`].
    pub(super) fn telling_owners(query: &Query) -> Result<Self, Error> {
        let lookups = Lookups {
            owners: Some(query.input.processes()),
            only: None,
            ..query.lookups.clone()
        };
        Self::with(query, lookups, Hidden::default())
    }

    fn with(query: &Query, lookups: Lookups, hidden: Hidden) -> Result<Self, Error> {
        Ok(Self {
            enricher: Enricher::new(lookups)?,
            search: Search::new(&query.layout),
            hidden,
            reached: Stage::Socket,
        })
    }

    /// Asks about a socket.
    pub(super) fn ask(&mut self, socket: &Socket, rule: &Rule, seen: &mut Seen) -> Answer {
        let bare = Row::bare(socket);
        let untold = seen.untold(socket);
        self.reached = Stage::Socket;
        let mut held = rule.holds(&bare, Stage::Socket, &mut |_| false);
        let is_certain = untold.is_empty()
            || rule
                .holds_without(untold, &bare, Stage::Socket, &mut |_| false)
                .is_some();
        if let (Some(held), true) = (held, is_certain) {
            return Answer { held, is_certain };
        }
        self.reached = Stage::Names;
        self.enricher.prepare_names(socket);
        if held.is_none() {
            let row = self.enricher.row(socket);
            held = rule.holds(&row, Stage::Names, &mut |_| false);
        }
        if let (Some(held), true) = (held, is_certain) {
            return Answer { held, is_certain };
        }
        self.ask_last(socket, rule, seen, held)
    }

    /// With everything looked up. What was told before stands.
    fn ask_last(
        &mut self,
        socket: &Socket,
        rule: &Rule,
        seen: &mut Seen,
        held: Option<bool>,
    ) -> Answer {
        self.reached = Stage::Owners;
        self.enricher.prepare_owners(socket);
        let row = self.enricher.row(socket);
        let shown = self.hidden.from(row);
        let search = &mut self.search;
        let mut contains = |text: &str| search.contains(&shown, text);
        let mut is_told = |untold| {
            let told = rule.holds_without(untold, &row, Stage::Owners, &mut contains);
            told.is_some()
        };
        let untold = seen.untold(socket);
        let is_source_enough = untold.is_empty() || is_told(untold);
        let is_certain = is_source_enough
            && (!self.enricher.doubts_owners() || is_told(seen.untold_or_owner(socket)));
        let held = held.or_else(|| rule.holds(&row, Stage::Owners, &mut contains));
        if !is_source_enough {
            seen.note(socket);
        }
        Answer {
            held: held == Some(true),
            is_certain,
        }
    }

    /// The only one of these rules that a socket fails for certain; `None` = it fails none, or more
    /// than one.
    pub(super) fn only_failing(&mut self, socket: &Socket, rules: &[Rule]) -> Option<usize> {
        let bare = Row::bare(socket);
        let early = |rule: &Rule| rule.holds(&bare, Stage::Socket, &mut |_| false);
        let (failing, is_told) = single_failure(rules, early)?;
        if is_told {
            return failing;
        }
        self.enricher.prepare(socket);
        let row = self.enricher.row(socket);
        let shown = self.hidden.from(row);
        let mut contains = |text: &str| self.search.contains(&shown, text);
        let late = |rule: &Rule| rule.holds(&row, Stage::Owners, &mut contains);
        let (failing, _) = single_failure(rules, late)?;
        failing.filter(|_| !self.enricher.doubts_owners())
    }

    /// The socket that was asked about last, with what is shown of it.
    pub(super) fn row<'a>(&'a mut self, socket: &'a Socket) -> Row<'a> {
        if self.reached < Stage::Names {
            self.enricher.prepare_names(socket);
        }
        if self.reached < Stage::Owners && !self.hidden.owners {
            self.enricher.prepare_owners(socket);
        }
        self.hidden.from(self.enricher.row(socket))
    }

    /// Any other socket, with what is shown of it.
    pub(super) fn row_of<'a>(&'a mut self, socket: &'a Socket) -> Row<'a> {
        self.reached = Stage::Socket;
        self.row(socket)
    }

    /// Begins another look: what may have changed is looked up again.
    pub(super) fn look_again(&mut self) {
        self.enricher.next_listing();
    }

    /// What must be said about names that are missing.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        self.enricher.warnings()
    }
}

/// The rule that fails, if one does, and whether all of them have an answer; `None` = several fail.
fn single_failure(
    rules: &[Rule],
    mut ask: impl FnMut(&Rule) -> Option<bool>,
) -> Option<(Option<usize>, bool)> {
    let (mut failing, mut is_told) = (None, true);
    for (place, rule) in rules.iter().enumerate() {
        match ask(rule) {
            Some(true) => {}
            Some(false) if failing.is_some() => return None,
            Some(false) => failing = Some(place),
            None => is_told = false,
        }
    }
    Some((failing, is_told))
}
