//! The second look: few states, and no more of a socket than a finding tells.

use std::net::SocketAddr;
use std::ops::ControlFlow;

use crate::enrich::{Enricher, Lookups};
use crate::error::Error;
use crate::filter::{Expr, Rule};
use crate::mode::list::open;
use crate::model::{Endpoint, Family, Protocol, Row, Socket, StateSet, Warning};
use crate::query::Query;
use crate::render::Search;
use crate::source::{Extensions, Recorder, Request, Source};

use super::who::Held;

/// Looks again at the sockets of a query.
pub(super) struct Looker<'q> {
    query: &'q Query,
    source: Box<dyn Source>,
    enricher: Enricher,
    search: Search,
    /// Why something may be missing.
    gaps: Vec<Warning>,
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) protocol: Protocol,
    pub(super) states: StateSet,
    pub(super) wanted: Extensions,
    pub(super) owners: Owners,
}

/// Are the processes looked up?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owners {
    Asked,
    NotAsked,
}

impl Look {
    /// TCP in these states, with its processes.
    pub(super) const fn tcp(states: StateSet) -> Self {
        Self {
            protocol: Protocol::Tcp,
            states,
            wanted: Extensions {
                info: false,
                memory: false,
                unix_peers: false,
                proc_net: false,
            },
            owners: Owners::Asked,
        }
    }
}

/// A socket that was found, and who holds it.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) socket: Socket,
    pub(super) held: Held,
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

    /// The sockets that are so, of those that the query wants.
    pub(super) fn look(&mut self, look: Look, keep: &dyn Fn(&Socket) -> bool) -> Vec<Found> {
        let mut found = Vec::new();
        self.each(look, keep, &mut |socket, held| {
            found.push(Found {
                socket: socket.clone(),
                held,
            });
        });
        found
    }

    /// Lends each of them, and keeps none.
    pub(super) fn each(
        &mut self,
        look: Look,
        keep: &dyn Fn(&Socket) -> bool,
        take: &mut dyn FnMut(&Socket, Held),
    ) {
        let query = self.query;
        let tables = query.tables.iter().copied();
        let rules: Vec<(Rule, Request)> = tables
            .filter(|table| table.protocol == look.protocol)
            .map(|table| query.rule(table))
            .map(|rule| (rule.clone(), narrowed(query.request(&rule), look)))
            .filter(|(rule, request)| !rule.is_never() && request.states != StateSet::EMPTY)
            .collect();
        let (enricher, search, hidden) = (&mut self.enricher, &mut self.search, query.hidden);
        let asks_owners = look.owners == Owners::Asked || query.filter.needs().owners;
        let mut visit = |socket: &Socket| {
            let mut own = rules.iter().map(|(rule, _)| rule);
            let Some(rule) = own.find(|rule| rule.table().family == socket.family) else {
                return ControlFlow::Continue(());
            };
            let is_it = look.states.contains(socket.state) && keep(socket);
            let bare = Row::bare(socket);
            let held = rule.decide(&bare, &mut |_| false).held();
            if !is_it || held == Some(false) {
                return ControlFlow::Continue(());
            }
            enricher.prepare_names(socket);
            if asks_owners {
                enricher.prepare_owners(socket);
            }
            let row = enricher.row(socket);
            let shown = hidden.from(row);
            let mut contains = |text: &str| search.contains(&shown, text);
            let held = held.or_else(|| rule.decide(&row, &mut contains).held());
            if held == Some(true) {
                take(socket, Held::of(&row));
            }
            ControlFlow::Continue(())
        };
        if let [(_, request), (_, other)] = rules.as_slice()
            && look.protocol == Protocol::Tcp
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

    /// A filter that lists, with `-a`, what is so of the sockets that the query wants.
    pub(super) fn filter(&self, protocol: Protocol, own: &str) -> String {
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

/// What a look asks for, of what the query asks for.
fn narrowed(asked: Request, look: Look) -> Request {
    Request {
        states: asked.states.intersection(look.states),
        extensions: Extensions {
            info: asked.extensions.info || look.wanted.info,
            memory: asked.extensions.memory || look.wanted.memory,
            ..Extensions::default()
        },
        narrow: asked.narrow,
    }
}

/// An end as filters and people write it; an unknown one is not. An IPv4-mapped address is one of IPv4,
/// for filters take them for the same.
pub(super) fn end(end: &Endpoint) -> Option<SocketAddr> {
    let port = u16::try_from(end.port?).ok()?;
    Some(SocketAddr::new(end.ip?.to_canonical(), port))
}
