//! Sockets that a process holds and that no table lists: never bound, or reset.

use std::collections::{BTreeMap, BTreeSet};

use crate::filter::{Expr, Field, Op, Test};
use crate::model::{Family, Limits, Origin, Protocol, Selection, Source, StateSet, Table};
use crate::procfs::fd::{Descriptor, walk_of};
use crate::query::{Query, Report};

/// What the processes that a query names hold, until all is listed that tables have of it.
pub(super) struct Unlisted {
    held: Vec<Descriptor>,
    listed: BTreeSet<u64>,
}

impl Unlisted {
    /// `None` = the query does not ask for everything that certain processes hold.
    pub(super) fn of(query: &Query) -> Option<Self> {
        let asks_for_all = query.selection == Selection::All
            && query.report == Report::Rows
            && !query.check.quiet
            && query.input.is_live();
        let pids = named_pids(&query.filter).filter(|_| asks_for_all)?;
        let held = walk_of(&query.input.processes(), &pids).ok()?;
        Some(Self {
            held: held.descriptors,
            listed: BTreeSet::new(),
        })
    }

    /// A table has a socket with this inode.
    pub(super) fn list(&mut self, inode: Option<u64>) {
        self.listed.extend(inode);
    }

    /// How many are in none of these tables, by process and protocol.
    pub(super) fn count(
        mut self,
        origins: &[Origin],
        limits: &dyn Limits,
    ) -> BTreeMap<(u32, Protocol), u64> {
        self.held.retain(|held| !self.listed.contains(&held.inode));
        let complete = origins.iter().filter(|origin| lists_all(origin));
        let tables: Vec<Table> = complete.map(|origin| origin.table).collect();
        let mut counts = BTreeMap::new();
        for (held, table) in in_no_table(self.held, &tables, limits) {
            *counts.entry((held.pid, table.protocol)).or_insert(0) += 1;
        }
        counts
    }
}

/// The processes of which one must hold a socket, if nothing else is asked.
fn named_pids(filter: &Expr) -> Option<Vec<u32>> {
    match filter {
        Expr::Test(Test::Number {
            field: Field::Pid,
            op: Op::Equal,
            value,
        }) => Some(vec![u32::try_from(*value).ok()?]),
        Expr::Any(members) => {
            let members: Option<Vec<_>> = members.iter().map(named_pids).collect();
            Some(members?.concat())
        }
        _ => None,
    }
}

/// True if a table had every socket that is bound.
fn lists_all(origin: &Origin) -> bool {
    origin.source == Some(Source::Netlink) && origin.unlisted == StateSet::EMPTY
}

/// Which of these descriptors are sockets of these tables, TCP or UDP, each once for its process.
pub(super) fn in_no_table(
    mut held: Vec<Descriptor>,
    tables: &[Table],
    limits: &dyn Limits,
) -> Vec<(Descriptor, Table)> {
    held.sort_unstable();
    held.dedup_by_key(|held| (held.inode, held.pid));
    let told = held.into_iter().filter_map(|held| {
        let name = limits.protocol_of(held.pid, held.fd, held.inode)?;
        let table = tables
            .iter()
            .find(|table| name_of(**table) == Some(&name))?;
        Some((held, *table))
    });
    told.collect()
}

/// What the kernel calls the sockets of a table: `name` of `struct proto`.
const fn name_of(table: Table) -> Option<&'static str> {
    match (table.protocol, table.family) {
        (Protocol::Tcp, Family::Inet) => Some("TCP"),
        (Protocol::Tcp, Family::Inet6) => Some("TCPv6"),
        (Protocol::Udp, Family::Inet) => Some("UDP"),
        (Protocol::Udp, Family::Inet6) => Some("UDPv6"),
        _ => None,
    }
}
