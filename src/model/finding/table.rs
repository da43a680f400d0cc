//! The table of findings: filter, grouping, thresholds and measure of each. To add one, also edit
//! `sentences.txt` and the manual, which explains what each threshold counts and why it is not lower.

use super::super::{Protocol, Socket, Source, State};
use super::Severity::{Critical, Info, Warning};
use super::group::{GroupBy, GroupKey};
use super::kind::FindingKind;
use super::measure::{
    NEARLY_FULL, at_their_limit, drops, handshakes_dropped, is_fullest, is_nearly_full,
    may_be_at_places, may_be_at_their_limit, may_have_dropped, most_ports_in_use, orphans_of_limit,
    overflows, places, ports_in_use, queue_in_use,
};

/// All findings; equally severe ones are reported in this order. The numbers in the filters:
///
/// - `timer.retransmits >= 3`: [`RETRANSMITS`](crate::model::RETRANSMITS).
/// - `tcp_info.backoff >= 3`: the window has been closed for three probes. Each interval doubles, even if
///   every probe is answered. `icsk_backoff` in the kernel.
/// - `timer.retransmits >= 1` of a SYN-ACK: while `TCP_DEFER_ACCEPT` waits for data, the client has answered
///   and nothing is retransmitted. A live client answers the second SYN-ACK within a round trip.
/// - `timer.retransmits >= 2` of a SYN: two seconds, or three on older kernels. Any reachable peer answers
///   within one.
/// - `recv_queue >= 16384`: [`UNREAD`](crate::model::UNREAD), and nothing has arrived for 5 s.
pub const FINDINGS: &[FindingKind] = &[
    FindingKind {
        name: "close_wait",
        levels: &[(Warning, 20), (Critical, 1_000)],
        filter: "state close-wait and {group}",
        group_by: GroupBy::Process,
        related: "state listen",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "in_no_table",
        levels: &[(Warning, 20), (Critical, 1_000)],
        filter: "{group}",
        group_by: GroupBy::Process,
        is_of_descriptors: true,
        file: "thread-self/net/sockstat",
        is_possible: |counts, limits| {
            let bound = counts.of(Protocol::Tcp, State::Bound);
            limits.tcp_in_no_table(0).saturating_sub(bound) >= 20
        },
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "half_closed",
        levels: &[(Warning, 20)],
        filter: "state fin-wait-2 and not orphan and {group}",
        group_by: GroupBy::Process,
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "half_closed_orphans",
        levels: &[(Warning, 100)],
        filter: "state fin-wait-2 and orphan",
        keeps: false,
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "accept_queue",
        levels: &[(Warning, NEARLY_FULL), (Critical, 100)],
        protocols: &[Protocol::Tcp, Protocol::Unix],
        among: "state listen",
        filter: "{group}",
        passes: is_nearly_full,
        group_by: GroupBy::Socket,
        is_possible: |counts, _| {
            let is_full = |listener: &Socket| is_nearly_full(listener) != Some(false);
            counts.listeners.untold > 0 || is_fullest(counts, is_full)
        },
        measure: Some(|group, _| group.sum(queue_in_use)),
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "accept_overflow",
        levels: &[(Info, 1), (Warning, 100)],
        among: "state listen",
        filter: "memory.drops > 0 and {group}",
        passes: |socket| Some(is_nearly_full(socket) != Some(true)),
        group_by: GroupBy::Socket,
        file: "thread-self/net/netstat",
        is_possible: |counts, limits| counts.listeners.count > 0 && overflows(limits) > 0,
        measure: Some(handshakes_dropped),
        untold: may_have_dropped,
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "descriptor_limit",
        levels: &[(Warning, 1), (Critical, 100)],
        protocols: &[Protocol::Tcp, Protocol::Unix],
        filter: "state listen and recv_queue > 0 and {group}",
        group_by: GroupBy::Holders,
        is_possible: |counts, _| {
            let is_waited_for = |listener: &Socket| listener.recv_queue > Some(0);
            counts.listeners.untold > 0 || is_fullest(counts, is_waited_for)
        },
        measure: Some(at_their_limit),
        untold: may_be_at_their_limit,
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "self_connected",
        filter: "state established and {group}",
        passes: |socket| Some(socket.is_self_connected()),
        group_by: GroupBy::Socket,
        is_possible: |counts, _| counts.self_connected > 0,
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "syn_rcvd",
        levels: &[(Warning, 64), (Critical, 1_024)],
        filter: "state syn-rcvd and timer.retransmits >= 1 and {group}",
        // In procfs it is the number of timeouts, including those at which nothing was sent.
        passes: |socket| (socket.source != Source::Procfs).then_some(true),
        group_by: GroupBy::Port,
        keeps: false,
        related: "state listen",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "syn_sent",
        filter: "state syn-sent and {group} and timer.retransmits >= 2",
        group_by: GroupBy::Peer,
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "ephemeral_ports",
        levels: &[(Warning, 75), (Critical, 95)],
        protocols: &[Protocol::Tcp, Protocol::Udp],
        among: "{ports}",
        filter: "{ports} and {group}",
        group_by: GroupBy::Route,
        keeps: false,
        related: "{ports} and not state syn-rcvd,time-wait",
        file: "sys/net/ipv4/ip_local_port_range",
        is_possible: |counts, limits| most_ports_in_use(counts, limits) >= 75,
        measure: Some(|group, limits| ports_in_use(group.ports.taken, limits)),
        listed: Some(|group, limits| {
            let mut parts = vec![limits.ephemeral()?.filter(), group.key.filter()];
            parts.retain(|part| !part.is_empty());
            parts.extend((group.ports.free > 0).then(|| "not state time-wait".to_owned()));
            Some((group.count, parts.join(" and ")))
        }),
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "orphans",
        levels: &[(Warning, 50), (Critical, 90)],
        filter: "orphan and not state fin-wait-2",
        keeps: false,
        file: "sys/net/ipv4/tcp_max_orphans",
        is_possible: |counts, limits| counts.orphans > 0 && orphans_of_limit(limits) >= 50,
        measure: Some(|_, limits| orphans_of_limit(limits)),
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "closing_stuck",
        filter: "state last-ack,closing and (timer = retransmit and timer.retransmits >= 3 or \
                 timer = probe and tcp_info.backoff >= 3)",
        is_of_stuck: true,
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "receive_queue",
        among: "state established,close-wait,fin-wait-1,fin-wait-2",
        filter: "recv_queue >= 16384 and tcp_info.last_data_recv >= 5000ms and {group}",
        group_by: GroupBy::Process,
        related: "state listen",
        is_of_stuck: true,
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "peer_window",
        filter: "state established,close-wait,fin-wait-1 and send_queue > 0 and timer = probe and \
                 tcp_info.backoff >= 3",
        is_of_stuck: true,
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "send_queue",
        filter: "state established,close-wait,fin-wait-1 and send_queue > 0 and timer = retransmit and \
                 timer.retransmits >= 3",
        is_of_stuck: true,
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "udp_drops",
        levels: &[(Warning, 100)],
        protocols: &[Protocol::Udp, Protocol::UdpLite],
        filter: "memory.drops >= 100 and {group}",
        group_by: GroupBy::Process,
        file: "thread-self/net/snmp",
        is_possible: |_, limits| limits.udp_without_room() >= 100,
        measure: Some(|group, _| group.sum(drops)),
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "wildcard_and_loopback",
        levels: &[(Info, 1)],
        among: LISTENERS,
        filter: "src 127.0.0.0/8 or src [::1]",
        group_by: GroupBy::Port,
        keeps: false,
        related: LISTENERS,
        is_possible: |counts, _| counts.of(Protocol::Tcp, State::Listen) > 1,
        measure: Some(|group, _| {
            // The listening program is known only if there are both.
            u64::from(if group.related.is_empty() {
                0 < group.count && group.count < group.all
            } else {
                !places(group)[0].is_empty()
            })
        }),
        untold: |group, _| may_be_at_places(group),
        listed: Some(|group, _| {
            let inodes = places(group).into_iter().flatten();
            let inodes: Vec<u64> = inodes.filter_map(|found| found.socket.inode).collect();
            let count = u64::try_from(inodes.len()).unwrap_or(u64::MAX);
            (count > 0).then(|| (count, GroupKey::Sockets(inodes).filter()))
        }),
        ..FindingKind::USUAL
    },
];

/// Listeners on loopback or a wildcard address.
const LISTENERS: &str =
    "state listen and (src 127.0.0.0/8 or src [::1] or src 0.0.0.0/32 or src [::]/128)";
