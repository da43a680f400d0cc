//! Translates a query of the library for the rooms of the program.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::read::{Reading, Taker};
use super::{Completeness, Owners, Sockets};
use crate::enrich::{Interfaces, Lookups, Machine, Places, ScanScope, SystemNames, Tasks};
use crate::error::Error;
use crate::fields::{Cost, Field};
use crate::filter::{self, Expr, Narrow, Rule, Test};
use crate::model::{Protocol, Table};
use crate::netns::Wanted;
use crate::reading::{Asked, Hidden, Matcher, PROC, PeerReader, RecordedNames, no_text};
use crate::source::{Depth, Extensions, Recorder, Request};
use crate::text::escape;

impl Sockets {
    #[cfg(feature = "bpf")]
    pub(super) fn is_live(&self) -> bool {
        self.input.is_live() && self.record.is_none()
    }

    pub(super) fn tables(&self) -> Vec<Table> {
        let is_wanted = |protocol: &Protocol| {
            let is_usual = self.protocols.is_empty() && protocol.is_default();
            is_usual || self.protocols.contains(protocol)
        };
        let protocols = Protocol::ALL.into_iter().filter(is_wanted);
        protocols.flat_map(Protocol::tables).collect()
    }

    /// What a filter means where names mean this.
    pub(super) fn parsed(&self, text: &str, names: &SystemNames<'_>) -> Result<Expr, Error> {
        let filter = filter::parse_for(text, names, &self.tables())
            .map_err(|error| Error::Usage(format!("filter: {error}")))?;
        if filter.needs().contains(&Cost::Shown) {
            let text = format!(
                "filter: \"{}\" searches text that is shown; compare a field, as in process = nginx",
                escape(text.as_bytes())
            );
            return Err(Error::Usage(text));
        }
        Ok(filter)
    }

    /// The same, with the meaning that filters have for all that is asked for.
    pub(super) fn settled(&self) -> Result<Self, Error> {
        let is_live = self.input.is_live();
        let is_unix = |protocol: &Protocol| *protocol == Protocol::Unix;
        let names = SystemNames {
            machine: if is_live {
                Machine::Here
            } else {
                Machine::Recorded
            },
            only_unix: !self.protocols.is_empty() && self.protocols.iter().all(is_unix),
            other_netns: !self.netns.is_empty(),
            root: (is_live && self.netns.is_empty()).then_some(Path::new(PROC)),
            ..SystemNames::default()
        };
        let filters = self.filters.iter();
        let filters = filters.map(|text| self.parsed(text, &names));
        let filters: Vec<Expr> = filters.collect::<Result<_, _>>()?;
        let filter = Expr::all(filters);
        let needs = filter.needs();
        if needs.contains(&Cost::Netns) && self.netns.is_empty() && is_live {
            let text = "filter: the network namespace is known where netns() names some";
            return Err(Error::Usage(text.to_owned()));
        }
        if needs.contains(&Cost::Owners) && !is_live {
            let text = "a recording has no processes: remove pid or process from the filter";
            return Err(Error::Usage(text.to_owned()));
        }
        Ok(Self {
            filter,
            ..self.clone()
        })
    }

    pub(super) fn rule(&self, table: Table) -> Rule {
        let states = self.selection.states(table.protocol);
        let states = Expr::Test(Test::State(states.intersection(self.states)));
        Expr::all([states, self.filter.clone()]).for_table(table)
    }

    /// What must be looked up, or asked of the kernel.
    fn needs(&self) -> BTreeSet<Cost> {
        let mut needs = self.filter.needs();
        needs.extend(self.fields.iter().flat_map(|field| field.needs()));
        needs.extend((self.owners == Owners::Auto).then_some(Cost::Owners));
        needs
    }

    pub(super) fn lookups(&self) -> Lookups {
        let (needs, is_live) = (self.needs(), self.input.is_live());
        let has = |cost| is_live && needs.contains(&cost);
        Lookups {
            owners: has(Cost::Owners).then(|| PROC.into()),
            scope: match self.filter.pids() {
                Some(pids) if !has(Cost::Peers) => ScanScope::Only(pids),
                _ => ScanScope::All,
            },
            peers: has(Cost::Peers),
            tasks: Tasks {
                threads: has(Cost::Threads),
                contexts: has(Cost::Contexts),
            },
            users: has(Cost::User) || has(Cost::Owners),
            interfaces: if is_live {
                Interfaces::Live
            } else {
                Interfaces::NumbersOnly
            },
            cgroups: has(Cost::Cgroup),
            places: (has(Cost::Containers) || has(Cost::Maker)).then(|| Places {
                proc: PROC.into(),
                root: Some("/".into()),
            }),
            paths: has(Cost::Path),
            ..Lookups::default()
        }
    }

    fn request(&self, rule: &Rule) -> Request {
        let needs = self.needs();
        let has = |cost| needs.contains(&cost);
        let table = rule.table();
        let storage = has(Cost::Storage) && Field::BpfStorage.applies_to(table);
        let narrow = Narrow::of(rule);
        Request {
            states: rule.states(),
            extensions: Extensions {
                info: has(Cost::Info),
                options: has(Cost::Options),
                memory: has(Cost::Memory),
                storage,
                files: has(Cost::File),
                unix_peers: has(Cost::UnixPeers) || self.protocols.contains(&Protocol::Unix),
                is_named: self.protocols.contains(&table.protocol),
                ..Extensions::default()
            },
            // The answer about one connection does not tell what is stored of it.
            narrow: Narrow {
                exact: narrow.exact.filter(|_| !storage),
                ..narrow
            },
            netns: None,
        }
    }

    pub(super) fn asked(&self, owners: bool) -> Asked {
        let is_whole = owners || self.netns.iter().any(Wanted::is_nameless);
        Asked {
            input: self.input.clone(),
            root: own_root().into(),
            netns: self.netns.clone(),
            depth: if is_whole {
                Depth::Descriptors
            } else {
                Depth::Usual
            },
            may_come: false,
            tables: self.tables(),
            is_named: !self.protocols.is_empty(),
        }
    }

    pub(super) fn read(&self, taker: &mut dyn Taker) -> Result<Completeness, Error> {
        let recorder = match &self.record {
            Some(path) => Recorder::create(path)?,
            None => Recorder::default(),
        };
        let lookups = self.lookups();
        let asked = self.asked(lookups.owners.is_some());
        let (mut source, tables) = asked.open(&recorder)?;
        let source = source.as_mut();
        let peers = PeerReader::open(&asked, &lookups)?;
        let interfaces = lookups.interfaces;
        let hidden = [Hidden::default(); 2];
        let mut matcher = Matcher::new(lookups, peers, no_text(), hidden, source)?;
        let mut reading = Reading {
            matcher: &mut matcher,
            taker,
            fields: &self.fields,
            filter: &self.filter,
            named: self.protocols.iter().copied().collect(),
            recorded: None,
            completeness: Completeness::Complete,
        };
        if recorder.is_on() {
            let is_live = self.input.is_live();
            let names = RecordedNames::new(is_live, interfaces, source.namespaces())?;
            reading.recorded = Some(names);
        }
        reading.note_search(source);
        let rules = tables.into_iter().map(|table| {
            let rule = self.rule(table);
            let request = self.request(&rule);
            (rule, request)
        });
        reading.read(source, &rules.collect::<Vec<_>>())?;
        if let Some(recorded) = reading.recorded.take() {
            recorded.record(&recorder);
        }
        let completeness = reading.finish();
        recorder.finish()?;
        Ok(completeness)
    }
}

/// Whoever calls may have gone to another namespace than the rest of the process.
fn own_root() -> &'static str {
    let network = |task| fs::read_link(format!("/proc/{task}/ns/net")).ok();
    if network("self") == network("thread-self") {
        PROC
    } else {
        "/proc/thread-self"
    }
}
