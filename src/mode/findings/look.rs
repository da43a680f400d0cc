//! The second walk: few states, and no more of a socket than the findings need.

use std::ops::ControlFlow;

use crate::enrich::{Enricher, Lookups};
use crate::error::Error;
use crate::filter::{Expr, Rule};
use crate::mode::sources::open;
use crate::model::{Family, Holder, Protocol, Row, Socket, StateSet, Warning};
use crate::query::Query;
use crate::render::Search;
use crate::source::{Extensions, Recorder, Request, Source};

use super::Sockets;
use super::hunt::Hunt;

/// Looks again at the sockets of a query.
pub(super) struct Looker<'q> {
    query: &'q Query,
    source: Box<dyn Source>,
    enricher: Enricher,
    search: Search,
    /// Why something may be missing.
    gaps: Vec<Warning>,
}

impl<'q> Looker<'q> {
    /// Will look where the query looked.
    ///
    /// # Errors
    ///
    /// When `/proc` cannot be opened, or processes cannot be found in the way that is wanted.
    pub(super) fn new(query: &'q Query) -> Result<Self, Error> {
        let (source, _) = open(query, &Recorder::off())?;
        let lookups = Lookups {
            owners: Some(query.input.processes()),
            ..query.lookups.clone()
        };
        Ok(Self {
            query,
            source,
            enricher: Enricher::new(lookups)?,
            search: Search::new(&query.layout),
            gaps: Vec::new(),
        })
    }

    /// Why something may be missing.
    pub(super) fn into_gaps(self) -> impl Iterator<Item = Warning> {
        let of_owners = self.enricher.warnings().into_iter();
        let gaps = self.gaps.into_iter();
        gaps.chain(of_owners.filter(Warning::is_gap))
    }
}

impl Sockets for Looker<'_> {
    fn rules(&self, protocol: Protocol) -> Vec<Rule> {
        let tables = self.query.tables.iter().copied();
        let tables = tables.filter(|table| table.protocol == protocol);
        let rules = tables.map(|table| self.query.rule(table));
        rules.filter(|rule| !rule.is_never()).collect()
    }

    fn walk(&mut self, protocol: Protocol, hunts: &mut [Hunt]) {
        let query = self.query;
        let rules = self.rules(protocol).into_iter();
        let rules: Vec<(Rule, Request)> = rules
            .map(|rule| (request(query, &rule, hunts), rule))
            .filter(|(request, _)| request.states != StateSet::EMPTY)
            .map(|(request, rule)| (rule, request))
            .collect();
        let (enricher, search, hidden) = (&mut self.enricher, &mut self.search, query.hidden);
        let needs_owners = query.filter.needs().owners;
        let mut visit = |socket: &Socket| {
            let mut own = rules.iter().map(|(rule, _)| rule);
            let Some(rule) = own.find(|rule| rule.table().family == socket.family) else {
                return ControlFlow::Continue(());
            };
            let selects = |any, hunt: &mut Hunt| hunt.selects(socket) || any;
            if !hunts.iter_mut().fold(false, selects) {
                return ControlFlow::Continue(());
            }
            let decided = rule.decide(&Row::bare(socket), &mut |_| false).held();
            if decided == Some(false) {
                return ControlFlow::Continue(());
            }
            enricher.prepare_names(socket);
            if needs_owners || hunts.iter().any(Hunt::wants_owners) {
                enricher.prepare_owners(socket);
            }
            let row = enricher.row(socket);
            let shown = hidden.from(row);
            let mut contains = |text: &str| search.contains(&shown, text);
            let decided = decided.or_else(|| rule.decide(&row, &mut contains).held());
            if decided == Some(true) {
                for hunt in &mut *hunts {
                    hunt.take(socket, || Holder::of(&row));
                }
            }
            ControlFlow::Continue(())
        };
        if let [(_, request), (_, other)] = rules.as_slice()
            && protocol == Protocol::Tcp
            && request == other
            && let Some(outcome) = self.source.visit_both(request, &mut visit)
        {
            self.gaps.extend(outcome.into_gaps());
            return;
        }
        for (rule, request) in &rules {
            match self.source.visit(rule.table(), request, &mut visit) {
                Ok(outcome) => self.gaps.extend(outcome.into_gaps()),
                Err(error) => self.gaps.push(Warning::Failed(error.into())),
            }
        }
    }

    fn filter(&self, protocol: Protocol, own: &str) -> String {
        let mut parts = Vec::new();
        if self.query.filter != Expr::ALWAYS {
            parts.push(format!("({})", self.query.filter));
        }
        parts.push(format!("protocol = {protocol}"));
        let tables = self.query.tables.iter();
        let of_protocol = tables.filter(|table| table.protocol == protocol);
        let families: Vec<Family> = of_protocol.map(|table| table.family).collect();
        if let [only] = families[..] {
            parts.push(format!("family = {only}"));
        }
        parts.push(own.to_owned());
        parts.join(" and ")
    }
}

/// What a walk asks of a table: of what the query asks for, no more than the hunts look at.
fn request(query: &Query, rule: &Rule, hunts: &[Hunt]) -> Request {
    let asked = query.request(rule);
    let states = hunts.iter().map(|hunt| hunt.states(rule.table().family));
    let mut extensions = Extensions {
        info: asked.extensions.info,
        memory: asked.extensions.memory,
        ..Extensions::default()
    };
    for own in hunts.iter().map(Hunt::extensions) {
        extensions.info |= own.info;
        extensions.memory |= own.memory;
    }
    Request {
        states: states.fold(StateSet::EMPTY, StateSet::union),
        extensions,
        narrow: asked.narrow,
    }
}
