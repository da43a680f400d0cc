//! A listing as the command line defines it, before any system call.

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

/// Duplicates standard output, so that an interruptible run notices when its reader goes away.
pub type OpenOutput = fn() -> io::Result<OwnedFd>;

/// What to list, from which source, and how to show it.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The tables, in the order they are listed.
    pub tables: Vec<Table>,
    /// True if protocols were named; otherwise `tables` is the default.
    pub named: bool,
    /// Protocols named individually, as options or in the filter.
    pub alone: BTreeSet<Protocol>,
    /// The only IP version that is checked: IPv6 sockets count by the version they use.
    pub checked: Option<Family>,
    /// The states and sockets selected per table.
    pub selection: Selection,
    /// States whose sockets are excluded, whatever the filter.
    pub spared: StateSet,
    /// The filter on the selected sockets.
    pub filter: Expr,
    /// True if matching sockets will be closed: this needs their cookies and certain matches.
    pub is_ended: bool,
    /// The optional parts of a socket.
    pub extensions: Extensions,
    /// True if no columns were chosen.
    pub has_usual_columns: bool,
    /// The names to look up.
    pub lookups: Lookups,
    /// How to find where the processes in findings run.
    pub places: Places,
    /// How to look up host names of IPv4-mapped addresses; `None` = no host names.
    pub hosts: Option<Mapped>,
    /// Lookups for the filter only, not shown.
    pub hidden: Hidden,
    /// Rows or counts.
    pub report: Report,
    /// The form of the output.
    pub format: Format,
    /// Columns and style.
    pub layout: Layout,
    /// The order of rows.
    pub order: Order,
    /// The maximum number of rows; in a summary, of listeners.
    pub limit: Option<usize>,
    /// The source of sockets.
    pub input: Input,
    /// The network namespaces; empty = the own one.
    pub netns: Vec<Wanted>,
    /// A suggestion for a likely mistake.
    pub hint: Option<String>,
    /// The file in which to record what is read.
    pub record: Option<PathBuf>,
    /// The file to write to, instead of standard output.
    pub output: Option<PathBuf>,
    /// How to group rows, if at all.
    pub groups: Option<Groups>,
    /// The prefix of rows.
    pub stamp: Option<Stamp>,
    /// The condition on the matches.
    pub check: Check,
}

/// Events to wait for, and how to show them.
#[derive(Debug)]
pub struct Watching {
    /// The sockets, their source, and lookups.
    pub query: Query,
    /// How events are grouped.
    pub grouping: Grouping,
    /// The style of the output.
    pub layout: EventLayout,
    /// When to end; `None` = when interrupted.
    pub duration: Option<Duration>,
    /// How to duplicate the output, if that is known.
    pub output: Option<OpenOutput>,
}

impl Watching {
    /// The watched tables, as the filter narrows them. Pairs are watched without a filter: its conditions on one end do
    /// not hold for the other, which may use the other IP version.
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

/// Sockets to close.
#[derive(Debug)]
pub struct Killing {
    /// The sockets, and how the results are shown.
    pub query: Query,
    /// True if only the exit status is wanted.
    pub is_quiet: bool,
    /// True if nothing is closed.
    pub is_dry: bool,
    /// How often `--yes` was given: once for the sockets, twice to include the own connection.
    pub yes: u8,
    /// Asks on the terminal; `None` = nobody to ask.
    pub ask: Option<Ask>,
    /// The connection of the `ssh` session of this run: own end and peer.
    pub ssh: Option<[SocketAddr; 2]>,
}

/// Asks a yes-or-no question.
pub type Ask = fn(&str) -> io::Result<bool>;

/// What is reported of the sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Report {
    /// Each socket.
    #[default]
    Rows,
    /// `-s`: counts and findings.
    Summary {
        /// `--fail-on`: a finding at least this severe fails the run.
        fail_on: Option<Severity>,
    },
}

impl Query {
    /// Selection and filter for one table.
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

    /// The query with a column for namespaces, unless columns were chosen.
    #[must_use]
    pub fn showing_namespaces(&self) -> Self {
        let mut shown = self.clone();
        let columns = &mut shown.layout.columns;
        if self.has_usual_columns && !columns.contains(&Field::Netns) {
            columns.insert(0, Field::Netns);
        }
        shown
    }

    /// The query for one namespace, if given.
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
                // The reply about a single connection has no BPF storage.
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

/// The protocols and families named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tables {
    /// Protocols named.
    pub protocols: BTreeSet<Protocol>,
    /// IP versions named.
    pub families: BTreeSet<Family>,
    /// Protocols named individually, not in a group.
    pub alone: BTreeSet<Protocol>,
    /// Protocols named only by the filter, which are added to the default.
    pub filtered: BTreeSet<Protocol>,
    /// Socket types of named protocols that are excluded.
    pub omitted: BTreeSet<(Protocol, SocketType)>,
}

impl Tables {
    /// True if anything was named.
    pub fn are_named(&self) -> bool {
        !self.protocols.is_empty() || !self.families.is_empty()
    }

    /// True if this protocol is named, or added by the filter.
    pub fn names(&self, protocol: Protocol) -> bool {
        self.protocols.contains(&protocol) || self.is_added(protocol)
    }

    fn is_added(&self, protocol: Protocol) -> bool {
        self.protocols.is_empty() && self.filtered.contains(&protocol)
    }

    /// The tables named, in listing order. An IP version without an IP protocol means the default ones. If only netlink
    /// is read, ping sockets, which it does not list, are omitted unless named individually.
    /// `with_ipv6` = also IPv6 tables, whose sockets may use IPv4.
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
