//! The table of findings: each is a filter, a grouping, thresholds and a sentence. A further one is
//! added here, and to the manual, which says what each threshold counts and why it is no lower.

use super::super::{Counts, Protocol, Socket, State};
use super::group::{Group, GroupBy, GroupKey, Holder, end, names};
use super::measure::{
    Limits, NEARLY_FULL, cannot_be_sent, drops, orphans_of_limit, places, ports_in_use,
    queue_in_use, unread, unsent,
};
use super::{Severity, Severity::Critical, Severity::Info, Severity::Warning};
use crate::text::{bytes, millis, unix_name};

/// How many sockets a filter lists, and this filter.
type Listing = fn(&Group<'_>) -> (u64, String);

/// What makes a finding. In its filters, `{group}` stands for the filter of the group, `{first}` and
/// `{last}` for the ports that the kernel chooses from.
#[derive(Debug)]
pub struct FindingKind {
    /// Its name.
    pub name: &'static str,
    /// Each severity, and the least that has it.
    pub levels: &'static [(Severity, u64)],
    /// The protocols that it is looked for in, each by itself.
    pub protocols: &'static [Protocol],
    /// Selects the sockets to look at, where the filter alone does not narrow them.
    pub among: &'static str,
    /// Selects the sockets of the finding; printed as the command that lists them.
    pub filter: &'static str,
    /// What else must be true of a socket.
    pub passes: fn(&Socket) -> bool,
    /// How they are grouped.
    pub group_by: GroupBy,
    /// True if the sockets are kept, with their processes, and not just counted.
    pub keeps: bool,
    /// Selects the sockets that tell which processes are concerned; empty = those of the group do.
    pub related: &'static str,
    /// True if it can be, by the counts of all sockets and the limits of the kernel.
    pub is_possible: fn(&Counts, &dyn Limits) -> bool,
    /// What is compared with the thresholds; `None` = the number of sockets.
    pub measure: Option<fn(&Group<'_>, &dyn Limits) -> u64>,
    /// How many sockets the filter lists that is printed, and this filter, where it is not the one above.
    pub listed: Option<Listing>,
    /// Numbers, processes and what to do.
    pub sentence: fn(&Group<'_>, &dyn Limits) -> String,
}

impl FindingKind {
    /// What most have in common.
    const USUAL: Self = Self {
        name: "",
        levels: &[],
        protocols: &[Protocol::Tcp],
        among: "",
        filter: "",
        passes: |_| true,
        group_by: GroupBy::Nothing,
        keeps: true,
        related: "",
        is_possible: |_, _| true,
        measure: None,
        listed: None,
        sentence: |_, _| String::new(),
    };

    /// How severe so much of it is; `None` = it is no finding.
    pub fn severity(&self, amount: u64) -> Option<Severity> {
        let reached = self.levels.iter().filter(|level| amount >= level.1);
        reached.map(|level| level.0).max()
    }

    /// The fewest sockets that can be a finding.
    pub fn fewest(&self) -> u64 {
        let least = self.levels.iter().map(|level| level.1).min();
        match self.measure {
            None => least.unwrap_or(u64::MAX),
            Some(_) => 1,
        }
    }

    /// What is compared with the thresholds.
    pub fn amount(&self, group: &Group<'_>, limits: &dyn Limits) -> u64 {
        let measure = self.measure;
        measure.map_or(group.count, |measure| measure(group, limits))
    }
}

/// All findings; of equally severe ones, the first here comes first. The numbers in the filters:
///
/// - `timer.retransmits >= 3`: [`RETRANSMITS`](crate::model::RETRANSMITS).
/// - `tcp_info.backoff >= 3`: a window stays closed if it was probed so often: each pause is twice the
///   one before it, too, though every probe is answered. `icsk_backoff` in the kernel.
/// - `timer.retransmits >= 2` of a SYN: two seconds, or three on older kernels. A reply over any
///   distance comes within one.
/// - `recv_queue >= 16384`: [`UNREAD`](crate::model::UNREAD); and nothing more has arrived for 5 s.
pub const FINDINGS: &[FindingKind] = &[
    FindingKind {
        name: "close_wait",
        levels: &[(Warning, 20), (Critical, 1_000)],
        filter: "state close-wait and {group}",
        group_by: GroupBy::Process,
        sentence: |group, _| {
            let connections = group.number("connection");
            match &group.key {
                GroupKey::Process(Holder::Nobody) => format!(
                    "{connections} in CLOSE_WAIT wait to be accepted, and their peers have already \
                     closed: the program must accept faster."
                ),
                _ => format!(
                    "{} holds {connections} in CLOSE_WAIT: the peers have closed, the program has \
                     not. It leaks them: it must close a connection when it reads its end.",
                    group.who(),
                ),
            }
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "half_closed",
        levels: &[(Warning, 20)],
        filter: "state fin-wait-2 and not orphan and {group}",
        group_by: GroupBy::Process,
        sentence: |group, _| {
            format!(
                "{} holds {} half-closed in FIN_WAIT_2: it has shut its direction and waits for \
                 peers that do not shut theirs, and no timer ends that. Give the wait a time limit, \
                 or close.",
                group.who(),
                group.number("connection"),
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "half_closed_orphans",
        levels: &[(Warning, 100)],
        filter: "state fin-wait-2 and orphan",
        keeps: false,
        sentence: |group, limits| {
            let limit = limits.number("ipv4/tcp_fin_timeout");
            let limit = limit.map_or_else(String::new, |limit| format!(" ({limit} s)"));
            format!(
                "{} that no process holds wait in FIN_WAIT_2 for the FIN of their peers, each for \
                 tcp_fin_timeout{limit} at the most. Look at the peers: there they are in CLOSE_WAIT.",
                group.number("connection"),
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "accept_queue",
        levels: &[(Warning, NEARLY_FULL), (Critical, 100)],
        protocols: &[Protocol::Tcp, Protocol::Unix],
        among: "state listen",
        filter: "{group}",
        passes: |socket| queue_in_use(socket) >= NEARLY_FULL,
        group_by: GroupBy::Socket,
        is_possible: |counts, _| {
            let fullest = counts.listeners.fullest.first();
            fullest.is_none_or(|row| queue_in_use(row.row().socket) >= NEARLY_FULL)
        },
        measure: Some(|group, _| group.sum(queue_in_use)),
        sentence: |group, limits| {
            let socket = group.sockets.first().map(|found| &found.socket);
            let local = socket.map(|socket| match end(&socket.local) {
                Some(end) => end.to_string(),
                None => unix_name(&socket.local.name),
            });
            let most = limits.number("core/somaxconn");
            let most = most.map_or_else(String::new, |most| format!(" (somaxconn is {most})"));
            let is_full = group.sum(queue_in_use) >= 100;
            format!(
                "The accept queue of {} ({}) is {}: {} waiting, the backlog is \
                 {}{most}. The program must accept faster; a larger backlog helps with bursts \
                 only.",
                local.unwrap_or_default(),
                group.holders(),
                if is_full { "full" } else { "nearly full" },
                group.sum(unread),
                group.sum(unsent),
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "syn_rcvd",
        levels: &[(Warning, 64), (Critical, 1_024)],
        filter: "state syn-rcvd and {group}",
        group_by: GroupBy::Port,
        keeps: false,
        related: "state listen",
        sentence: |group, limits| {
            let listeners = group.related.iter();
            let backlog = listeners.filter_map(|found| found.socket.send_queue).max();
            let backlog = backlog.map(|backlog| format!("the backlog is {backlog}"));
            let most = limits.number("ipv4/tcp_max_syn_backlog");
            let most = most.map(|most| format!("tcp_max_syn_backlog is {most}"));
            let limits: Vec<String> = backlog.into_iter().chain(most).collect();
            format!(
                "{} to port {} ({}) wait in SYN_RCVD for the clients; {}. The clients do not answer, \
                 the way back to them is broken, or this is a SYN flood: see tcp_syncookies.",
                group.number("handshake"),
                group.who(),
                names(&group.related),
                limits.join(", "),
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "syn_sent",
        levels: &[(Warning, 1)],
        filter: "state syn-sent and {group} and timer.retransmits >= 2",
        group_by: GroupBy::Peer,
        sentence: |group, _| {
            format!(
                "{} does not answer: {} in SYN_SENT ({}), each SYN sent 3 times or more. The \
                 host is down, a firewall drops the SYN, or the accept queue there is full.",
                group.who(),
                group.number("connection"),
                group.holders(),
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "ephemeral_ports",
        levels: &[(Warning, 75), (Critical, 95)],
        among: "not state listen,bound and sport >= :{first} and sport <= :{last}",
        filter: "state time-wait and {group} and sport >= :{first} and sport <= :{last}",
        group_by: GroupBy::Route,
        keeps: false,
        related: "not state listen,bound,syn-rcvd,time-wait",
        is_possible: |counts, limits| {
            // Most of what uses them up is in TIME_WAIT.
            let most = counts.of(Protocol::Tcp, State::TimeWait).saturating_mul(2);
            ports_in_use(most, limits) >= 75
        },
        measure: Some(|group, limits| match group.count.saturating_mul(2) {
            twice if twice >= group.all => ports_in_use(group.all, limits),
            _ => 0,
        }),
        sentence: |group, limits| {
            let [first, last, size] = limits.ephemeral().unwrap_or_default();
            let by = match names(&group.related) {
                names if names.is_empty() => names,
                names => format!(" by {names}"),
            };
            format!(
                "{} of the {size} ports of ip_local_port_range ({first} to {last}) are used from \
                 {}{by}, {} of them in TIME_WAIT; {} are left. Keep connections open and use \
                 them again, widen the range, or see tcp_tw_reuse.",
                group.all,
                group.who(),
                group.count,
                size.saturating_sub(group.all),
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "orphans",
        levels: &[(Warning, 50), (Critical, 90)],
        filter: "orphan and not state fin-wait-2",
        keeps: false,
        is_possible: |counts, limits| counts.orphans > 0 && orphans_of_limit(limits) >= 50,
        measure: Some(|_, limits| orphans_of_limit(limits)),
        sentence: |group, limits| {
            format!(
                "The kernel holds {} connections that no process holds any more, of {} allowed \
                 (tcp_max_orphans); {} of them are here. Beyond that it resets them: find peers that \
                 do not read, lower tcp_orphan_retries, or raise the limit.",
                limits.orphans().unwrap_or_default(),
                limits.number("ipv4/tcp_max_orphans").unwrap_or_default(),
                group.count,
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "closing_stuck",
        levels: &[(Warning, 1)],
        filter: "state last-ack,closing and (timer = retransmit and timer.retransmits >= 3 or \
                 timer = probe and tcp_info.backoff >= 3)",
        is_possible: |counts, _| counts.stuck > 0,
        sentence: |group, _| {
            format!(
                "{} in LAST_ACK or CLOSING ({}): the last FIN gets no answer, or waits behind data that the \
                 peer does not read. Look at the peers; the kernel gives up after tcp_orphan_retries.",
                group.number("connection"),
                group.holders(),
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "receive_queue",
        levels: &[(Warning, 1)],
        among: "state established,close-wait,fin-wait-1,fin-wait-2",
        filter: "recv_queue >= 16384 and tcp_info.last_data_recv >= 5000ms and {group}",
        group_by: GroupBy::Process,
        is_possible: |counts, _| counts.stuck > 0,
        sentence: |group, _| {
            format!(
                "{} does not read: {} waits on {}, and nothing more has come for {}. The program hangs, \
                 or waits for something else first.",
                group.who(),
                bytes(group.sum(unread)),
                group.number("connection"),
                millis(5_000),
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "peer_window",
        levels: &[(Warning, 1)],
        filter: "state established,close-wait,fin-wait-1 and send_queue > 0 and timer = probe and \
                 tcp_info.backoff >= 3",
        is_possible: |counts, _| counts.stuck > 0,
        sentence: |group, _| {
            cannot_be_sent(
                group,
                "the window of the peer is closed, and the persist timer probes it. The program at \
                 the other end does not read: look there.",
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "send_queue",
        levels: &[(Warning, 1)],
        filter: "state established,close-wait,fin-wait-1 and send_queue > 0 and timer = retransmit and \
                 timer.retransmits >= 3",
        is_possible: |counts, _| counts.stuck > 0,
        sentence: |group, _| {
            cannot_be_sent(
                group,
                "sent 4 times or more without an acknowledgement. The peer or the way to it is gone; \
                 the kernel gives up after tcp_retries2.",
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "udp_drops",
        levels: &[(Warning, 100)],
        protocols: &[Protocol::Udp, Protocol::UdpLite],
        filter: "memory.drops >= 100 and {group}",
        group_by: GroupBy::Process,
        is_possible: |_, limits| limits.udp_without_room() >= 100,
        measure: Some(|group, _| group.sum(drops)),
        sentence: |group, limits| {
            let most = limits.number("core/rmem_max");
            let most = most.map_or_else(String::new, |most| format!(" (rmem_max is {most})"));
            let sockets = group.sockets.iter();
            let ports = sockets.filter_map(|found| found.socket.local.port);
            let mut ports: Vec<String> = ports.take(3).map(|port| port.to_string()).collect();
            ports.dedup();
            format!(
                "{} lost {} datagrams at port {}: its buffer was full when they came. It reads \
                 too slowly for the bursts; a larger SO_RCVBUF takes more{most}.",
                group.who(),
                group.sum(drops),
                ports.join(", "),
            )
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "wildcard_and_loopback",
        levels: &[(Info, 1)],
        among: "state listen and (src 127.0.0.0/8 or src [::1] or src 0.0.0.0/32 or src [::]/128)",
        filter: "src 127.0.0.0/8 or src [::1]",
        group_by: GroupBy::Port,
        keeps: false,
        related: "state listen and (src 127.0.0.0/8 or src [::1] or src 0.0.0.0/32 or src [::]/128)",
        is_possible: |counts, _| counts.of(Protocol::Tcp, State::Listen) > 1,
        measure: Some(|group, _| {
            // Who listens is known only where there are both.
            u64::from(if group.related.is_empty() {
                0 < group.count && group.count < group.all
            } else {
                !places(group)[0].is_empty()
            })
        }),
        listed: Some(|group| {
            let [loopback, wildcard] = places(group);
            let both = loopback.into_iter().chain(wildcard);
            let inodes = both.filter_map(|found| found.socket.inode);
            let inodes: Vec<String> = inodes.map(|inode| format!("inode = {inode}")).collect();
            let count = u64::try_from(inodes.len()).unwrap_or(u64::MAX);
            (count, format!("({})", inodes.join(" or ")))
        }),
        sentence: |group, _| {
            let [loopback, wildcard] = places(group).map(|found| names(&found));
            format!(
                "Port {} is listened on at every address by {wildcard} and at loopback by {loopback}: over \
                 loopback the latter answers, from elsewhere the former. Close one if that is not meant.",
                group.who(),
            )
        },
        ..FindingKind::USUAL
    },
];
