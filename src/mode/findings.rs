//! Searches for findings among the sockets counted by `-s`. The counts rule most of them out. The sockets for the
//! rest were kept by the first reading, or else are read again.

mod hunt;
mod kept;
mod lost;
mod ports;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use crate::error::Error;
use crate::fields::Cost;
use crate::filter::{self, Decision, Exact, Expr, Narrow, Rule};
use crate::mode::sources::Open;
use crate::mode::sources::telling_owners;
use crate::model::{
    Counts, FINDINGS, Family, Finding, Findings, Holder, Limits, Protocol, Selection, Socket,
    StateSet, Table, Warning,
};
use crate::query::Query;
use crate::reading::Matcher;
use crate::render::{Counted, Format};
use crate::source::{Extensions, Outcome, Recorder, Request, Source};
use hunt::Hunt;
pub(super) use kept::Kept;

/// The findings; `None` = not the current sockets of this kernel. Adds to `gaps` why something may be
/// missing.
pub(super) fn find(
    query: &Query,
    open: Open<'_>,
    (counts, kept): (&Counts, Kept),
    gaps: &mut Vec<Warning>,
) -> Result<Option<Findings>, Error> {
    if !query.input.is_live() {
        return Ok(None);
    }
    let mut looker = Looker::new(query, open, kept)?;
    let limits = looker.source.limits();
    let mut found = find_in(&mut looker, counts, limits.as_ref());
    if let Format::Metrics(_) = query.format {
        found.counters = limits.counters();
    } else if query.layout.counted == Counted::Compared {
        found.counters = limits.rates();
    }
    gaps.extend(looker.into_gaps());
    Ok(Some(found))
}

/// Most severe first.
fn find_in(looker: &mut Looker<'_>, counts: &Counts, limits: &dyn Limits) -> Findings {
    let mut findings = Findings::default();
    let mut kinds = BTreeSet::new();
    for protocol in Protocol::ALL {
        let rules = looker.rules(protocol);
        if rules.is_empty() {
            continue;
        }
        let all = counts.total(protocol);
        let of_protocol = FINDINGS.iter().filter(|f| f.protocols.contains(&protocol));
        let of_protocol = of_protocol.filter(|f| looker.is_whole() || !f.is_of_descriptors);
        let told = of_protocol.filter(|f| f.file.is_empty() || limits.text(f.file).is_some());
        let looked_for = told.inspect(|f| _ = kinds.insert(f.name));
        let possible = looked_for
            .filter(|f| (f.is_possible)(counts, limits) && (!f.is_of_stuck || counts.stuck > 0));
        let (of_descriptors, of_tables): (Vec<_>, Vec<_>) =
            possible.partition(|f| f.is_of_descriptors);
        let hunts = of_tables.into_iter();
        let hunts = hunts.filter_map(|f| Hunt::new(f, &rules, limits));
        let mut hunts: Vec<Hunt> = hunts.filter(|hunt| hunt.is_possible(counts)).collect();
        if looker.walk(&rules, &mut hunts, all) != StateSet::EMPTY {
            for hunt in &mut hunts {
                hunt.miss_bound(limits);
            }
        }
        for definition in of_descriptors {
            if let Some(mut hunt) = Hunt::new(definition, &rules, limits) {
                looker.look_for_lost(&rules, limits, &mut hunt);
                hunts.push(hunt);
            }
        }
        let mut related: Vec<Hunt> = hunts
            .iter()
            .filter_map(|hunt| hunt.related(&rules, limits))
            .collect();
        looker.walk(&rules, &mut related, all);
        for hunt in &hunts {
            let definition = hunt.definition;
            let severest = definition.levels.iter().map(|level| level.0).max();
            let mut of_unreadable = 0;
            findings.doubt(definition.name, severest, hunt.not_checked());
            for group in hunt.groups(&related) {
                // The number of these processes is unknown.
                if definition.fewest() > 1 && group.is_of_unreadable() {
                    of_unreadable += group.count;
                    continue;
                }
                let severity = definition.severity(definition.amount(&group, limits));
                let [untold, most] = (definition.untold)(&group, limits);
                let at_most = definition
                    .severity(most)
                    .filter(|most| Some(*most) > severity);
                findings.doubt(definition.name, at_most, untold);
                let Some(severity) = severity else { continue };
                let of_filter = || hunt::text(definition.filter, Some(&group.key), limits);
                let listing = match definition.listed {
                    Some(listed) => listed(&group, limits),
                    None => Some((group.count, of_filter())),
                };
                let Some((count, own)) = listing else {
                    continue;
                };
                let (text, fact) = definition.text(&group, limits);
                findings.found.push(Finding {
                    kind: definition.name,
                    severity,
                    count,
                    sockets: if definition.is_of_descriptors {
                        own
                    } else {
                        looker.filter(protocol, &own)
                    },
                    text,
                    fact,
                    netns: None,
                });
            }
            let of_one = definition.severity(of_unreadable);
            findings.doubt(definition.name, of_one, of_unreadable);
        }
    }
    findings.checked = kinds;
    findings.sort();
    findings
}

/// Goes through the sockets of a query again.
struct Looker<'q> {
    query: &'q Query,
    kept: Kept,
    source: Box<dyn Source>,
    matcher: Matcher,
    gaps: Vec<Warning>,
}

impl<'q> Looker<'q> {
    /// Opens the source of the query.
    fn new(query: &'q Query, open: Open<'_>, kept: Kept) -> Result<Self, Error> {
        let (mut source, _) = open(query, &Recorder::default())?;
        let scope = query.lookups.scope.clone();
        let matcher = telling_owners(query, scope, source.as_mut())?;
        Ok(Self {
            query,
            kept,
            source,
            matcher,
            gaps: Vec::new(),
        })
    }

    fn into_gaps(self) -> impl Iterator<Item = Warning> {
        let of_owners = self.matcher.enricher.warnings().into_iter();
        let gaps = self.gaps.into_iter();
        gaps.chain(of_owners.filter(Warning::is_gap))
    }

    /// The rules of the query for each table of a protocol.
    fn rules(&self, protocol: Protocol) -> Vec<Rule> {
        let tables = self.query.tables.iter().copied();
        let tables = tables.filter(|table| table.protocol == protocol);
        let rules = tables.map(|table| self.query.rule(table));
        rules.filter(|rule| !rule.is_never()).collect()
    }

    /// Reads the tables of a protocol once, for all hunts that need more than the kept ones of `all` sockets. Returns
    /// the states that are not listed.
    fn walk(&mut self, rules: &[Rule], hunts: &mut [Hunt], all: u64) -> StateSet {
        let states = self.kept.states();
        let (mut easy, others): (Vec<_>, Vec<_>) =
            hunts.iter_mut().partition(|hunt| hunt.is_easy(states));
        for socket in self.kept.sockets() {
            offer(socket, &mut self.matcher, rules, &mut easy);
        }
        let states = self.kept.stuck_states(all);
        let (mut of_stuck, mut others): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|hunt| hunt.is_of_stuck(states));
        if !of_stuck.is_empty() {
            self.look_up(rules, &mut of_stuck);
        }
        let requests = rules
            .iter()
            .map(|rule| (rule.table(), request(self.query, rule, &others)));
        let requests = requests.filter(|(_, request)| request.states != StateSet::EMPTY);
        let requests: Vec<(Table, Request)> = requests.collect();
        let matcher = &mut self.matcher;
        let mut visit = |socket: &Socket| {
            offer(socket, matcher, rules, &mut others);
            ControlFlow::Continue(())
        };
        let mut unlisted = StateSet::EMPTY;
        for outcome in self.source.visit_all(&requests, &mut visit) {
            unlisted = unlisted.union(note(outcome, &mut self.gaps));
        }
        unlisted
    }

    /// Looks up the kept connections that may be stuck, one by one.
    fn look_up(&mut self, rules: &[Rule], hunts: &mut [&mut Hunt]) {
        for socket in self.kept.stuck() {
            let of_family = |rule: &&Rule| rule.table().family == socket.family;
            let rule = rules.iter().find(of_family);
            let (Some(rule), Some(exact)) = (rule, Exact::of_socket(socket)) else {
                continue;
            };
            let request = Request {
                narrow: Narrow {
                    local_port: Some(exact.local.port()),
                    peer_port: Some(exact.peer.port()),
                    exact: Some(exact),
                    is_only: true,
                    program: Vec::new(),
                },
                ..request(self.query, rule, hunts)
            };
            let mut visit = |found: &Socket| {
                if exact.is_of(found) {
                    offer(found, &mut self.matcher, rules, hunts);
                }
                ControlFlow::Continue(())
            };
            let outcome = self.source.visit(rule.table(), &request, &mut visit);
            note(outcome, &mut self.gaps);
        }
    }

    /// True if the query selects everything in its tables.
    fn is_whole(&self) -> bool {
        self.query.filter == Expr::ALWAYS && self.query.selection == Selection::All
    }

    /// A filter that lists, with `-a`, the query's sockets that match `own`.
    fn filter(&self, protocol: Protocol, own: &str) -> String {
        let mut parts = Vec::new();
        if self.query.filter != Expr::ALWAYS {
            parts.push(format!("({})", self.query.filter));
        }
        parts.push(format!("protocol = {protocol}"));
        let tables = self.query.tables.iter();
        let of_protocol = tables.filter(|table| table.protocol == protocol);
        let families: Vec<Family> = of_protocol.map(|table| table.family).collect();
        let speaks = self.query.checked.map(filter::speaks);
        match (&families[..], speaks) {
            ([only], None) => parts.push(format!("family = {only}")),
            ([only], Some(speaks)) => parts.push(format!("family = {only} and {speaks}")),
            (_, Some(speaks)) => parts.push(format!("(family = inet or {speaks})")),
            (_, None) => {}
        }
        parts.push(own.to_owned());
        parts.join(" and ")
    }
}

/// Adds the gaps of a reading. Returns the states that are not listed.
fn note(outcome: Result<Outcome, Error>, gaps: &mut Vec<Warning>) -> StateSet {
    match outcome {
        Ok(outcome) => {
            let unlisted = outcome.unlisted;
            gaps.extend(outcome.into_gaps());
            unlisted
        }
        Err(error) => {
            gaps.push(Warning::Failed(error.into()));
            StateSet::EMPTY
        }
    }
}

/// Adds a socket to the hunts that select it, if the query does.
fn offer(socket: &Socket, matcher: &mut Matcher, rules: &[Rule], hunts: &mut [&mut Hunt]) {
    let of_family = |rule: &&Rule| rule.table().family == socket.family;
    let Some(rule) = rules.iter().find(of_family) else {
        return;
    };
    let mut is_wanted = None;
    for hunt in hunts {
        let is_selected = hunt.selects(socket);
        if is_selected == Some(false) {
            continue;
        }
        let decide = || matcher.decide(socket, rule);
        match (*is_wanted.get_or_insert_with(decide), is_selected) {
            (Decision::No | Decision::NotYet, _) => break,
            (decision, Some(_)) if decision.held() == Some(true) => {
                hunt.take(socket, || Holder::of(&matcher.row(socket)));
            }
            _ => hunt.undecided += 1,
        }
    }
}

/// Requests from a table what the hunts need of the query.
fn request(query: &Query, rule: &Rule, hunts: &[&mut Hunt]) -> Request {
    let asked = query.request(rule);
    let states = hunts.iter().map(|hunt| hunt.states(rule.table().family));
    let needs = |cost| hunts.iter().any(|hunt| hunt.needs(cost));
    Request {
        states: states.fold(StateSet::EMPTY, StateSet::union),
        extensions: Extensions {
            info: asked.extensions.info || needs(Cost::Info),
            options: asked.extensions.options || needs(Cost::Options),
            memory: asked.extensions.memory || needs(Cost::Memory),
            ..Extensions::default()
        },
        narrow: asked.narrow,
        netns: None,
    }
}
