//! Sockets that a process holds and no table lists: never bound, reset, or of a family without a table.

use std::collections::{BTreeMap, BTreeSet};

use crate::enrich::{Enricher, Held};
use crate::filter::{Expr, Field, Op, Operand, Test};
use crate::model::{Family, Limits, Origin, Protocol, Selection, Source, StateSet, Table, Warning};
use crate::procfs::fd::Descriptor;
use crate::query::{Query, Report};
use crate::text::counted;

/// What the processes named in a query hold, until everything in tables is listed.
pub(super) struct Unlisted {
    held: Held,
    listed: BTreeSet<u64>,
    /// True if the query selects everything that tables can list.
    pub(super) is_of_tables: bool,
    /// True if no protocol is named by itself.
    is_of_others: bool,
}

impl Unlisted {
    /// `None` = the query does not select everything that certain processes hold.
    pub(super) fn of(query: &Query, enricher: &mut Enricher) -> Option<Self> {
        let is_of_tables = query.selection == Selection::All;
        let is_of_others = query.alone.is_empty();
        let asks_for_all = (is_of_tables || is_of_others)
            && query.report == Report::Rows
            && !query.check.quiet
            && query.input.is_live()
            && query.netns.is_empty()
            && asks_pids_alone(&query.filter);
        let held = asks_for_all.then(|| enricher.held())??;
        let listed = BTreeSet::new();
        Some(Self {
            held,
            listed,
            is_of_tables,
            is_of_others,
        })
    }

    /// Notes that a table lists a socket with this inode.
    pub(super) fn list(&mut self, inode: Option<u64>) {
        self.listed.extend(inode);
    }

    /// The number of sockets in no table, and warnings about them; `None` = unknown, or not requested.
    pub(super) fn count(
        self,
        origins: &[Origin],
        limits: &dyn Limits,
    ) -> (Option<u64>, Vec<Warning>) {
        let mut held = self.held.descriptors;
        held.retain(|held| !self.listed.contains(&held.inode));
        let mut texts = Vec::new();
        if self.is_of_others {
            texts.extend(without_table(&held, limits));
        }
        if !self.is_of_tables {
            return (None, texts);
        }
        let complete = origins.iter().filter(|origin| lists_all(origin));
        let tables: Vec<Table> = complete.map(|origin| origin.table).collect();
        let mut counts: BTreeMap<_, u64> = BTreeMap::new();
        let mut is_told = self.held.is_whole;
        for lost in in_no_table(held, &tables, limits) {
            let (pid, namespace) = (lost.held.pid, lost.namespace);
            let protocol = lost.table.map(|table| table.protocol);
            *counts.entry((pid, protocol, namespace)).or_default() += 1;
            is_told &= protocol.is_some() && namespace.is_none() && !limits.is_elsewhere(pid);
        }
        let total = is_told.then(|| counts.values().sum());
        texts.extend(
            counts
                .into_iter()
                .map(|((pid, protocol, namespace), count)| {
                    Warning::note(words(count, pid, protocol, namespace))
                }),
        );
        (total, texts)
    }
}

/// The kernel's names of protocols with a table: `name` of `struct proto`, without the `v6` of IPv6.
const WITH_TABLE: [&str; 19] = [
    "TCP",
    "UDP",
    "UDP-Lite",
    "UDPLITE",
    "RAW",
    "PING",
    "MPTCP",
    "SCTP",
    "UNIX",
    "UNIX-STREAM",
    "NETLINK",
    "PACKET",
    "AF_VSOCK",
    "TIPC",
    "XDP",
    "SMC",
    "SMC6",
    "INET_SMC",
    "INET6_SMC",
];

/// The protocols of Bluetooth (`net/bluetooth`), whose names do not show the family.
const BLUETOOTH: [&str; 8] = [
    "HCI", "L2CAP", "RFCOMM", "SCO", "ISO", "BNEP", "CMTP", "HIDP",
];

/// Warns about descriptors of sockets that no table can list.
fn without_table(held: &[Descriptor], limits: &dyn Limits) -> Vec<Warning> {
    let mut counts: BTreeMap<(u32, String), BTreeSet<u64>> = BTreeMap::new();
    for held in held.iter().filter(|held| held.fd != Descriptor::FIXED) {
        let name = limits.protocol_of(held.pid, held.fd, held.inode);
        let has_table = |name: &String| WITH_TABLE.contains(&name.trim_end_matches("v6"));
        if let Some(name) = name.filter(|name| !has_table(name)) {
            let inodes = counts.entry((held.pid, name)).or_default();
            inodes.insert(held.inode);
        }
    }
    let texts = counts.into_iter().map(|((pid, name), inodes)| {
        let is_bluetooth = BLUETOOTH.contains(&name.as_str());
        let family = if is_bluetooth { "Bluetooth " } else { "" };
        let sockets = counted(inodes.len(), &format!("{family}{name} socket"));
        let are = if inodes.len() == 1 { "is" } else { "are" };
        Warning::note(format!(
            "{sockets} of process {pid} {are} in no table: the kernel lists no sockets of this family"
        ))
    });
    texts.collect()
}

/// `2 TCP sockets of process 812 are in no table: …`
fn words(count: u64, pid: u32, protocol: Option<Protocol>, namespace: Option<u64>) -> String {
    let title = protocol.map(Protocol::title);
    let kind = title.map_or_else(String::new, |title| format!("{title} "));
    let sockets = counted(count, &format!("{kind}socket"));
    let are = if count == 1 { "is" } else { "are" };
    let what = match (protocol, namespace) {
        (None, _) => "held only by io_uring: the protocol is unknown".to_owned(),
        (_, Some(other)) => format!("of network namespace {other}"),
        (_, None) => "in no table: never bound, reset, or of another network namespace".to_owned(),
    };
    format!("{sockets} of process {pid} {are} {what}")
}

/// True if the filter only tests that one of certain processes holds the socket.
fn asks_pids_alone(filter: &Expr) -> bool {
    match filter {
        Expr::Test(Test::Field(Field::Pid, Op::Equal, Operand::Number(_))) => true,
        Expr::Any(members) => members.iter().all(asks_pids_alone),
        _ => false,
    }
}

/// True if a table had every bound socket.
fn lists_all(origin: &Origin) -> bool {
    origin.source.is_some_and(Source::tells_all) && origin.unlisted == StateSet::EMPTY
}

/// A socket that no table of this network namespace lists.
pub(super) struct Lost {
    pub(super) held: Descriptor,
    /// Its table; `None` = unknown: only an `io_uring` holds it.
    pub(super) table: Option<Table>,
    /// Inode number of the other network namespace that lists it.
    pub(super) namespace: Option<u64>,
}

/// Those descriptors that are, or may be, TCP or UDP sockets of these tables, each once per process.
pub(super) fn in_no_table(
    mut held: Vec<Descriptor>,
    tables: &[Table],
    limits: &dyn Limits,
) -> Vec<Lost> {
    held.sort_unstable();
    // A descriptor with a number comes first.
    held.dedup_by_key(|held| (held.inode, held.pid));
    let is_inet = |table: &Table| name_of(*table).is_some();
    let told = held.into_iter().filter_map(|held| {
        let Descriptor { inode, pid, fd } = held;
        if fd == Descriptor::FIXED {
            let (table, namespace) = (None, None);
            return tables.iter().any(is_inet).then_some(Lost {
                held,
                table,
                namespace,
            });
        }
        let name = limits.protocol_of(pid, fd, inode)?;
        let mut tables = tables.iter();
        let table = *tables.find(|table| name_of(**table) == Some(&name))?;
        Some(Lost {
            held,
            table: Some(table),
            namespace: limits.listed_elsewhere(inode),
        })
    });
    told.collect()
}

/// The kernel's name of a table's sockets: `name` of `struct proto`.
const fn name_of(table: Table) -> Option<&'static str> {
    match (table.protocol, table.family) {
        (Protocol::Tcp, Family::Inet) => Some("TCP"),
        (Protocol::Tcp, Family::Inet6) => Some("TCPv6"),
        (Protocol::Udp, Family::Inet) => Some("UDP"),
        (Protocol::Udp, Family::Inet6) => Some("UDPv6"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Descriptor, without_table};
    use crate::mode::fake::FakeKernel;

    #[test]
    fn sockets_of_families_without_a_list_are_told_once_each() {
        let names = [
            (1, "TCPv6"),
            (2, "ALG"),
            (3, "ALG"),
            (4, "L2CAP"),
            (5, "UNIX-STREAM"),
            (6, "CAN_RAW"),
            (7, "SMC6"),
            (8, "INET6_SMC"),
        ];
        let kernel = FakeKernel {
            protocols: names.map(|(inode, name)| (inode, name.into())).into(),
            ..FakeKernel::default()
        };
        let held = |inode, fd| Descriptor { inode, pid: 9, fd };
        let mut all: Vec<_> = (1..=9).map(|inode| held(inode, 3)).collect();
        // Another descriptor of the same socket, and one without a number.
        all.extend([held(2, 4), held(6, Descriptor::FIXED)]);
        let told = without_table(&all, &kernel);
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        let why = "in no table: the kernel lists no sockets of this family";
        let expected = [
            format!("2 ALG sockets of process 9 are {why}"),
            format!("1 CAN_RAW socket of process 9 is {why}"),
            format!("1 Bluetooth L2CAP socket of process 9 is {why}"),
        ];
        assert_eq!(told, expected);
    }
}
