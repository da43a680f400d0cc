//! Searches the tables of one protocol for one finding.

use std::collections::{BTreeMap, BTreeSet};

use super::ports::PortUse;
use crate::enrich::SystemNames;
use crate::fields::Cost;
use crate::filter::{Decision, Expr, Rule, parse};
use crate::model::{
    Counts, Family, FindingKind, Found, Group, GroupBy, GroupKey, Holder, Limits, Protocol, Row,
    Socket, StateCounts, StateSet, by_holders, by_process,
};

/// Sockets of a group examined, and selected by the filter.
type Numbers = [u64; 2];

/// A search and its results.
pub(super) struct Hunt {
    pub(super) definition: &'static FindingKind,
    protocol: Protocol,
    rules: Vec<Selecting>,
    /// True if sockets are kept with their processes.
    pub(super) keeps: bool,
    group_by: GroupBy,
    pub(super) found: Vec<Found>,
    pub(super) undecided: u64,
    numbers: BTreeMap<GroupKey, Numbers>,
    ports: PortUse,
    /// If set, only these groups are searched.
    only: Option<BTreeSet<GroupKey>>,
    /// Group and holders that were found: one socket each is enough to name the holders of ports.
    known: BTreeSet<(GroupKey, Vec<Holder>)>,
}

struct Selecting {
    among: Rule,
    filter: Rule,
    /// The states of sockets to examine, and those that the filter can select.
    states: [StateSet; 2],
}

impl Hunt {
    /// `None` = no such table. `rules` are those of the query.
    pub(super) fn new(
        definition: &'static FindingKind,
        rules: &[Rule],
        limits: &dyn Limits,
    ) -> Option<Self> {
        let filters = [definition.among, definition.filter];
        Self::with(definition, filters, definition.keeps, (rules, limits))
    }

    fn with(
        definition: &'static FindingKind,
        filters: [&str; 2],
        keeps: bool,
        (rules, limits): (&[Rule], &dyn Limits),
    ) -> Option<Self> {
        let [among, filter] = filters.map(|filter| parsed(filter, limits));
        let (among, filter) = (among?, filter?);
        let both = Expr::all([among.clone(), filter.clone()]);
        // Counting needs all of `among`; without that, the filter narrows.
        let looked_at = if keeps || among == Expr::ALWAYS {
            &both
        } else {
            &among
        };
        let selecting = |rule: &Rule| {
            let table = rule.table();
            let states = |expr: &Expr| {
                let all = Expr::all([rule.expr().clone(), expr.clone()]);
                all.for_table(table).states()
            };
            Selecting {
                among: looked_at.for_table(table),
                filter: filter.for_table(table),
                states: [looked_at, &both].map(states),
            }
        };
        let protocol = rules.first()?.table().protocol;
        Some(Self {
            definition,
            protocol,
            rules: rules.iter().map(selecting).collect(),
            keeps,
            group_by: definition.group_by,
            found: Vec::new(),
            undecided: 0,
            numbers: BTreeMap::new(),
            ports: match definition.group_by {
                GroupBy::Route => PortUse::new(protocol, definition.least(), limits),
                _ => PortUse::default(),
            },
            only: None,
            known: BTreeSet::new(),
        })
    }

    /// The search for related sockets, which show the processes concerned, if needed.
    pub(super) fn related(&self, rules: &[Rule], limits: &dyn Limits) -> Option<Self> {
        let definition = self.definition;
        if definition.related.is_empty() {
            return None;
        }
        let groups = self.groups(&[]).into_iter();
        let amount = |group: &Group<'_>| definition.amount(group, limits);
        let severe = groups.filter(|group| definition.severity(amount(group)).is_some());
        let only: BTreeSet<GroupKey> = severe.flat_map(|group| group.key.related()).collect();
        if only.is_empty() {
            return None;
        }
        let filters = ["", definition.related];
        let mut hunt = Self::with(definition, filters, true, (rules, limits))?;
        if self.keeps {
            hunt.group_by = GroupBy::Port;
        }
        hunt.only = Some(only);
        Some(hunt)
    }

    /// True if there are enough sockets in the filter's states.
    pub(super) fn is_possible(&self, counts: &Counts) -> bool {
        let states = self.rules.iter().map(|rule| rule.states[1]);
        let states = states.fold(StateSet::EMPTY, StateSet::union);
        let tables = counts.of_protocol(self.protocol);
        let counted = tables.flat_map(StateCounts::states);
        let counted = counted.filter(|(state, _)| states.contains(*state));
        let count: u64 = counted.map(|(_, count)| count).sum();
        count >= self.definition.fewest()
    }

    pub(super) fn states(&self, family: Family) -> StateSet {
        let own = self.of(family).map(|rule| rule.states[0]);
        own.unwrap_or(StateSet::EMPTY)
    }

    pub(super) fn needs(&self, cost: Cost) -> bool {
        let rules = self.rules.iter();
        let mut rules = rules.flat_map(|rule| [&rule.among, &rule.filter]);
        rules.any(|rule| rule.expr().needs().contains(&cost))
    }

    /// True if the TCP sockets in these states, as every reading lends them, are enough.
    pub(super) fn is_easy(&self, states: StateSet) -> bool {
        let costs = [Cost::Info, Cost::Options, Cost::Memory];
        self.is_within(states) && !costs.into_iter().any(|cost| self.needs(cost))
    }

    /// True if it is enough to look up the TCP connections in these states that may be stuck.
    pub(super) fn is_of_stuck(&self, states: StateSet) -> bool {
        self.definition.is_of_stuck && self.only.is_none() && self.is_within(states)
    }

    fn is_within(&self, states: StateSet) -> bool {
        let is_within = |rule: &Selecting| rule.states[0].intersection(states) == rule.states[0];
        self.protocol == Protocol::Tcp && self.rules.iter().all(is_within)
    }

    fn of(&self, family: Family) -> Option<&Selecting> {
        let mut rules = self.rules.iter();
        rules.find(|rule| rule.among.table().family == family)
    }

    /// True if the socket is to be taken; `None` = its source does not report what is needed.
    pub(super) fn selects(&self, socket: &Socket) -> Option<bool> {
        let is_looked_at = |rule: &&Selecting| {
            rule.states[0].contains(socket.state)
                && (self.only.is_none() || !self.keys(socket).is_empty())
        };
        let Some(rule) = self.of(socket.family).filter(is_looked_at) else {
            return Some(false);
        };
        match (holds(&rule.among, socket), (self.definition.passes)(socket)) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }

    /// Notes that bound sockets were not listed: their ports may count.
    pub(super) fn miss_bound(&mut self, limits: &dyn Limits) {
        if self.group_by == GroupBy::Route {
            self.undecided = limits.sockets_in_no_table();
        }
    }

    /// Number of sockets that could not be checked.
    pub(super) fn not_checked(&self) -> u64 {
        let counted: u64 = self.numbers.values().map(|[_, count]| count).sum();
        let found = u64::try_from(self.found.len()).unwrap_or(u64::MAX);
        let is_enough = self.undecided + counted + found >= self.definition.fewest();
        if is_enough { self.undecided } else { 0 }
    }

    /// The keys of a socket that are searched for.
    fn keys(&self, socket: &Socket) -> Vec<GroupKey> {
        let mut keys = GroupKey::of(socket, self.group_by);
        keys.retain(|key| self.only.as_ref().is_none_or(|only| only.contains(key)));
        keys
    }

    /// Adds a socket; its holders are looked up if it is kept.
    pub(super) fn take(&mut self, socket: &Socket, holders: impl FnOnce() -> Vec<Holder>) {
        let is_of_ports = self.group_by == GroupBy::Route;
        if self.keeps {
            let holders = holders();
            let mut new = 0;
            if is_of_ports {
                let pairs = self.keys(socket).into_iter();
                let pairs = pairs.map(|key| (key, holders.clone()));
                new = pairs.filter(|pair| self.known.insert(pair.clone())).count();
            }
            if new > 0 || !is_of_ports {
                let socket = socket.clone();
                self.found.push(Found { socket, holders });
            }
        } else if is_of_ports {
            self.ports.add(socket);
        } else {
            for key in self.keys(socket) {
                let rule = self.of(socket.family);
                let is_of_it = rule.and_then(|rule| holds(&rule.filter, socket));
                self.undecided += u64::from(is_of_it.is_none());
                let [all, count] = self.numbers.entry(key).or_default();
                *all += 1;
                *count += u64::from(is_of_it == Some(true));
            }
        }
    }

    /// The groups found, with their related sockets from other searches.
    pub(super) fn groups<'f>(&'f self, related: &'f [Self]) -> Vec<Group<'f>> {
        let mut groups = if self.keeps {
            self.kept()
        } else if self.group_by == GroupBy::Route {
            self.ports.groups()
        } else {
            let numbers = self.numbers.iter();
            let counted = numbers.map(|(key, numbers)| Group::counted(key.clone(), *numbers));
            counted.collect()
        };
        let mut related = related.iter();
        let own = related.find(|hunt| hunt.definition.name == self.definition.name);
        if let Some(own) = own {
            let by_key = own.by_key();
            for group in &mut groups {
                let keys = group.key.related();
                let found = keys.iter().filter_map(|key| by_key.get(key));
                group.related = found.flatten().copied().collect();
            }
        }
        groups
    }

    fn kept(&self) -> Vec<Group<'_>> {
        let groups: Vec<(GroupKey, Vec<&Found>)> = match self.group_by {
            GroupBy::Process => by_process(&self.found),
            GroupBy::Holders => by_holders(&self.found),
            _ => self.by_key().into_iter().collect(),
        };
        let kept = groups.into_iter().map(|(key, sockets)| {
            let count = u64::try_from(sockets.len()).unwrap_or(u64::MAX);
            Group {
                sockets,
                ..Group::counted(key, [count, count])
            }
        });
        kept.collect()
    }

    fn by_key(&self) -> BTreeMap<GroupKey, Vec<&Found>> {
        let mut by_key: BTreeMap<GroupKey, Vec<&Found>> = BTreeMap::new();
        for found in &self.found {
            for key in self.keys(&found.socket) {
                by_key.entry(key).or_default().push(found);
            }
        }
        by_key
    }
}

/// Evaluates a rule without lookups, which no definition needs; `None` = the source does not report what is
/// needed.
fn holds(rule: &Rule, socket: &Socket) -> Option<bool> {
    match rule.decide(&Row::bare(socket), &mut |_| false) {
        Decision::CannotTell {
            by_source: true, ..
        } => None,
        decision => Some(decision.held() == Some(true)),
    }
}

/// A filter of a definition, for one group or for all.
pub(super) fn text(filter: &str, key: Option<&GroupKey>, limits: &dyn Limits) -> String {
    let text = match key {
        Some(key) => filter.replace("{group}", &key.filter()),
        None => filter.replace(" and {group}", "").replace("{group}", ""),
    };
    if !text.contains("{ports}") {
        return text;
    }
    let ports = limits.ephemeral().map(|ports| ports.filter());
    text.replace("{ports}", &ports.unwrap_or_else(|| "sport = 0".to_owned()))
}

/// Parses a filter of a definition; a test proves that all are valid.
fn parsed(filter: &str, limits: &dyn Limits) -> Option<Expr> {
    parse(&text(filter, None, limits), &SystemNames::default()).ok()
}
