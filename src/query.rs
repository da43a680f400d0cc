//! A listing, decided before the first system call.

mod check;
mod detail;
pub mod netstat;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::enrich::{Lookups, Mapped, Places};
use crate::filter::{self, Expr, Narrow, Rule, Test};
use crate::model::{Family, Protocol, Selection, Severity, SocketType, StateSet, Table};
use crate::netns::{Namespace, Wanted};
pub use crate::reading::{Hidden, Input, PROC};
use crate::render::{EventLayout, Field, Format, Grouping, Groups, Layout, Order, Stamp};
use crate::source::events::Watched;
use crate::source::{Extensions, Request};
pub use check::{Check, Count};

/// Opens the standard output once more: a run that may be interrupted waits for its reader there.
pub type OpenOutput = fn() -> io::Result<OwnedFd>;

/// What to list, from where, and how to show it.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The tables, in the order they are listed.
    pub tables: Vec<Table>,
    /// Protocols were named; otherwise `tables` is the default.
    pub named: bool,
    /// Protocols that were named by themselves, as options or in the filter.
    pub alone: BTreeSet<Protocol>,
    /// The only version of IP that is checked: sockets of IPv6 count by what they speak.
    pub checked: Option<Family>,
    /// Which sockets of a table.
    pub selection: Selection,
    /// States whose sockets are left alone, whatever the filter.
    pub spared: StateSet,
    /// Which of those.
    pub filter: Expr,
    /// True if they are to be ended: then their cookies are needed, and every match must be certain.
    pub is_ended: bool,
    /// The optional parts of a socket.
    pub extensions: Extensions,
    /// True if no columns were chosen.
    pub has_usual_columns: bool,
    /// The names to look up.
    pub lookups: Lookups,
    /// How it is found where processes run that are accused of something.
    pub places: Places,
    /// Look up host names too, of IPv4-mapped addresses so.
    pub hosts: Option<Mapped>,
    /// What was looked up for the filter alone, and is not shown.
    pub hidden: Hidden,
    /// Rows, or how many there are.
    pub report: Report,
    /// The form of the output.
    pub format: Format,
    /// Its columns and looks.
    pub layout: Layout,
    /// In which order rows are shown.
    pub order: Order,
    /// Rows shown at the most; in a summary, listeners.
    pub limit: Option<usize>,
    /// Where sockets come from.
    pub input: Input,
    /// The network namespaces whose sockets they are; empty = the own one.
    pub netns: Vec<Wanted>,
    /// What may have been meant instead.
    pub hint: Option<String>,
    /// Where to keep what was read.
    pub record: Option<PathBuf>,
    /// The file to write to, instead of the standard output.
    pub output: Option<PathBuf>,
    /// Rows, or one of each group of them.
    pub groups: Option<Groups>,
    /// What rows begin with.
    pub stamp: Option<Stamp>,
    /// What must hold of what matches.
    pub check: Check,
}

/// Events to wait for, and how to show them.
#[derive(Debug)]
pub struct Watching {
    /// Which sockets, from where, and what to look up.
    pub query: Query,
    /// What events are put together to.
    pub grouping: Grouping,
    /// The looks of the output.
    pub layout: EventLayout,
    /// When to end; `None` = when interrupted.
    pub duration: Option<Duration>,
    /// Where it is written to, if that is known.
    pub output: Option<OpenOutput>,
}

impl Watching {
    /// What is watched, as the filter narrows it. Of a pair that is the whole: what is asked of one end does
    /// not hold for the other, which may be of the other IP version.
    pub fn watched(&self) -> Vec<Watched> {
        let tables = &self.query.tables;
        let owners = self.query.lookups.owners.is_some();
        if self.grouping == Grouping::Pair {
            let is_asked = |of: &Table| tables.iter().any(|table| table.protocol == of.protocol);
            let whole = |table| Watched {
                owners,
                ..Watched::all(table)
            };
            return Table::all().filter(is_asked).map(whole).collect();
        }
        let watched = tables.iter().map(|table| {
            let rule = self.query.rule(*table);
            Watched {
                table: *table,
                states: rule.states(),
                narrow: Narrow {
                    exact: None,
                    ..Narrow::without_bound(&rule)
                },
                owners,
            }
        });
        watched.collect()
    }
}

/// Sockets to end.
#[derive(Debug)]
pub struct Killing {
    /// Which, and how what became of them is shown.
    pub query: Query,
    /// True if only the exit status is wanted.
    pub is_quiet: bool,
    /// True if nothing is to be ended.
    pub is_dry: bool,
    /// How often `--yes` was given: once for the sockets, twice for the own connection too.
    pub yes: u8,
    /// Asks at the terminal; `None` = there is nobody to ask.
    pub ask: Option<Ask>,
    /// The connection of the `ssh` session that this runs in: its own end and the peer's.
    pub ssh: Option<[SocketAddr; 2]>,
}

/// Asks a question that is answered with yes or no.
pub type Ask = fn(&str) -> io::Result<bool>;

/// What is told of the sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Report {
    /// Each of them.
    #[default]
    Rows,
    /// `-s`: how many there are, and what is wrong.
    Summary {
        /// `--fail-on`: a finding so grave, or graver, fails the run.
        fail_on: Option<Severity>,
    },
}

impl Query {
    /// What the selection and the filter mean for one table.
    pub fn rule(&self, table: Table) -> Rule {
        let selected = self.selection.states(table.protocol);
        let selected = Test::State(selected.intersection(self.spared.complement()));
        let checked = self.checked.filter(|_| table.family == Family::Inet6);
        let speaks = checked.map_or(Expr::ALWAYS, filter::speaks);
        Expr::all([Expr::Test(selected), speaks, self.filter.clone()]).for_table(table)
    }

    /// True if rates are shown, or sorted by.
    pub fn has_rates(&self) -> bool {
        let sorted = self.order.keys().iter().map(|key| &key.column);
        let mut used = self.layout.columns.iter().chain(sorted);
        used.any(|field| Field::RATES.contains(field))
    }

    /// The same with a column for namespaces, unless columns were chosen.
    #[must_use]
    pub fn showing_namespaces(&self) -> Self {
        let mut shown = self.clone();
        let columns = &mut shown.layout.columns;
        if self.has_usual_columns && !columns.contains(&Field::Netns) {
            columns.insert(0, Field::Netns);
        }
        shown
    }

    /// The same of one namespace, if one is named.
    pub fn within(&self, namespace: Option<Arc<Namespace>>) -> Cow<'_, Self> {
        match namespace {
            Some(namespace) => Cow::Owned(Self {
                netns: vec![Wanted::This(namespace)],
                ..self.clone()
            }),
            None => Cow::Borrowed(self),
        }
    }

    /// The request for the table of a rule.
    pub fn request(&self, rule: &Rule) -> Request {
        let table = rule.table();
        let storage = self.extensions.storage && Field::BpfStorage.applies_to(table);
        Request {
            states: rule.states(),
            extensions: Extensions {
                is_named: self.alone.contains(&table.protocol),
                storage,
                ..self.extensions
            },
            narrow: match self.input {
                // The answer about one connection does not tell what is stored of it.
                _ if storage => Narrow {
                    exact: None,
                    ..Narrow::of(rule)
                },
                Input::Files => Narrow::without_bound(rule),
                _ => Narrow::of(rule),
            },
            netns: None,
        }
    }
}

/// Protocols and families as they were named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    /// Protocols named.
    pub protocols: BTreeSet<Protocol>,
    /// IP versions named.
    pub families: BTreeSet<Family>,
    /// Those that were named by themselves, not among others.
    pub alone: BTreeSet<Protocol>,
    /// Protocols that only the filter names: they are added to the default.
    pub filtered: BTreeSet<Protocol>,
    /// Types of sockets of the protocols named that are left out.
    pub omitted: BTreeSet<(Protocol, SocketType)>,
}

impl Tables {
    /// Was anything named?
    pub fn are_named(&self) -> bool {
        !self.protocols.is_empty() || !self.families.is_empty()
    }

    /// Is this protocol among what is named, or added by the filter?
    pub fn names(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol) || self.is_added(protocol)
    }

    fn is_added(&self, protocol: Protocol) -> bool {
        self.protocols.is_empty() && self.filtered.contains(&protocol)
    }

    /// The tables of what was named, in the order they are listed. An IP version without an IP
    /// protocol means the default ones. Where netlink alone is asked, ping sockets, which it does not
    /// know, are left out unless they are named alone.
    /// `with_ipv6` = those of IPv6 too whose sockets may speak IPv4.
    pub fn list(&self, input: &Input, with_ipv6: bool) -> Vec<Table> {
        let mut protocols = self.protocols.clone();
        let ip_named = protocols.iter().any(|protocol| protocol.is_ip());
        if protocols.is_empty() {
            protocols.extend(&self.filtered);
        }
        if self.protocols.is_empty() || (!self.families.is_empty() && !ip_named) {
            protocols.extend(
                Protocol::ALL
                    .into_iter()
                    .filter(|protocol| protocol.is_default()),
            );
        }
        let is_known = |protocol: &Protocol| match input {
            Input::Netlink | Input::Bpf => protocol.sock_diag().is_some(),
            Input::Auto | Input::Files | Input::Procfs(_) | Input::Replay(_) => true,
        };
        let is_alone =
            |protocol: &Protocol| self.is_added(*protocol) || self.alone.contains(protocol);
        protocols.retain(|protocol| is_known(protocol) || is_alone(protocol));
        let tables = protocols.into_iter().flat_map(Protocol::tables);
        let is_asked_for = |table: &Table| {
            let any_version = !table.protocol.is_ip() || self.families.is_empty();
            let is_beside = with_ipv6 && table.protocol.has_service_ports();
            any_version || is_beside || self.families.contains(&table.family)
        };
        tables.filter(is_asked_for).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Input, Tables};
    use crate::enrich::{Machine, SystemNames};
    use crate::filter::{self, Expr};
    use crate::model::{Family, Protocol, Table};

    fn listed(protocols: &[Protocol], families: &[Family]) -> String {
        let tables = Tables {
            protocols: protocols.iter().copied().collect(),
            families: families.iter().copied().collect(),
            ..Tables::default()
        };
        let words: Vec<String> = tables
            .list(&Input::Auto, false)
            .iter()
            .map(|table| format!("{}/{}", table.protocol, table.family))
            .collect();
        words.join(" ")
    }

    #[test]
    fn a_filter_that_names_a_table_leaves_out_every_other() {
        let names = SystemNames {
            machine: Machine::Elsewhere,
            hosts: false,
            only_unix: false,
            other_netns: false,
            root: None,
        };
        for named in Table::all() {
            let Table { protocol, family } = named;
            let text = format!("protocol = {protocol} and family = {family}");
            let filter = filter::parse(&text, &names).ok();
            let named_by_it = filter.as_ref().map(Expr::protocols);
            assert_eq!(named_by_it, Some(BTreeSet::from([protocol])), "{text}");
            for table in Table::all() {
                let rule = filter.as_ref().map(|filter| filter.for_table(table));
                let is_left_out = rule.map(|rule| rule.is_never());
                assert_eq!(is_left_out, Some(table != named), "{text}: {table}");
            }
        }
    }

    #[test]
    fn nothing_named_means_tcp_udp_and_raw_over_both_ip_versions() {
        assert_eq!(
            listed(&[], &[]),
            "tcp/inet tcp/inet6 udp/inet udp/inet6 udplite/inet udplite/inet6 raw/inet raw/inet6 \
             icmp/inet icmp/inet6"
        );
    }

    #[test]
    fn both_ip_versions_mean_both() {
        assert_eq!(
            listed(&[Protocol::Tcp], &[Family::Inet, Family::Inet6]),
            "tcp/inet tcp/inet6"
        );
    }

    #[test]
    fn an_ip_version_narrows_the_ip_protocols_named() {
        assert_eq!(
            listed(&[Protocol::Tcp, Protocol::Unix], &[Family::Inet6]),
            "tcp/inet6 unix/unix"
        );
    }

    #[test]
    fn an_ip_version_beside_unix_adds_the_default_ip_protocols() {
        assert_eq!(
            listed(&[Protocol::Unix], &[Family::Inet]),
            "tcp/inet udp/inet udplite/inet raw/inet icmp/inet unix/unix"
        );
    }

    #[test]
    fn a_filter_adds_to_the_default_alone() {
        let mut tables = Tables {
            filtered: BTreeSet::from([Protocol::Unix]),
            ..Tables::default()
        };
        assert_eq!(tables.list(&Input::Auto, false).len(), 11);
        tables.protocols.insert(Protocol::Packet);
        assert_eq!(tables.list(&Input::Auto, false).len(), 1);
    }
}
