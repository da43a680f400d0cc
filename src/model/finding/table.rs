//! The table of findings: each is a filter, a grouping, thresholds and a sentence. A further one is
//! added here, and to the manual, which says what each threshold counts and why it is no lower.

use super::super::{Protocol, Socket, Source, State};
use super::Severity::{Critical, Info, Warning};
use super::group::{GroupBy, GroupKey};
use super::kind::FindingKind;
use super::measure::{
    NEARLY_FULL, at_their_limit, drops, handshakes_dropped, is_fullest, is_nearly_full,
    may_be_at_places, may_be_at_their_limit, may_have_dropped, most_ports_in_use, orphans_of_limit,
    overflows, places, ports_in_use, queue_in_use,
};

/// All findings; of equally severe ones, the first here comes first. The numbers in the filters:
///
/// - `timer.retransmits >= 3`: [`RETRANSMITS`](crate::model::RETRANSMITS).
/// - `tcp_info.backoff >= 3`: a window stays closed if it was probed so often: each pause is twice the
///   one before it, too, though every probe is answered. `icsk_backoff` in the kernel.
/// - `timer.retransmits >= 1` of a SYN and ACK: where `TCP_DEFER_ACCEPT` waits for data, the client has
///   answered and nothing is sent again; and who is there answers the second within a round trip.
/// - `timer.retransmits >= 2` of a SYN: two seconds, or three on older kernels. A reply over any
///   distance comes within one.
/// - `recv_queue >= 16384`: [`UNREAD`](crate::model::UNREAD); and nothing more has arrived for 5 s.
pub const FINDINGS: &[FindingKind] = &[
    FindingKind {
        name: "close_wait",
        levels: &[(Warning, 20), (Critical, 1_000)],
        filter: "state close-wait and {group}",
        group_by: GroupBy::Process,
        related: "state listen",
        sentence: "{who} holds {count connection} in CLOSE_WAIT. The peers have closed, the program has not. \
                   Close connections after reading EOF.",
        unaccepted: "{count connection} in CLOSE_WAIT wait to be accepted at {listeners}. Their peers have \
                     already closed. The program must accept faster.",
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
        sentence: "{who} holds {count TCP socket} that are in no table: never bound, reset by the peer, or \
                   closed both ways. It has not closed them. Close sockets after connect, read or write fails, \
                   and after EOF. They cannot be listed: the filter lists what else it holds, and a warning \
                   counts them.",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "half_closed",
        levels: &[(Warning, 20)],
        filter: "state fin-wait-2 and not orphan and {group}",
        group_by: GroupBy::Process,
        sentence: "{who} holds {count connection} half-closed in FIN_WAIT_2: it has shut its direction and \
                   waits for peers that do not shut theirs, and no timer ends that. Give the wait a time limit, \
                   or close.",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "half_closed_orphans",
        levels: &[(Warning, 100)],
        filter: "state fin-wait-2 and orphan",
        keeps: false,
        sentence: "{count connection} that no process holds wait in FIN_WAIT_2 for the FIN of their peers, each \
                   for tcp_fin_timeout{tcp_fin_timeout} at the most. Look at the peers: there they are in \
                   CLOSE_WAIT.",
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
        sentence: "The accept queue of {places} ({holders}) is {how full}: {unread} waiting, the backlog is \
                   {unsent}{somaxconn}. The program must accept faster; a larger backlog helps with bursts \
                   only.",
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
        sentence: "{places} ({holders}) has dropped {dropped handshakes} since it listens: {unread} wait in its \
                   accept queue now, the backlog is {unsent}. All listeners of this network namespace, closed \
                   ones too, count {ListenOverflows} overflows of accept queues (ListenOverflows) and \
                   {ListenDrops} drops (ListenDrops). In bursts the program must accept faster, or needs a \
                   larger backlog.",
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
        sentence: "{who cannot accept} Close what is not used any more, or raise the limit (prlimit --nofile).",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "self_connected",
        levels: &[(Warning, 1)],
        filter: "state established and {group}",
        passes: |socket| Some(socket.is_self_connected()),
        group_by: GroupBy::Socket,
        is_possible: |counts, _| counts.self_connected > 0,
        sentence: "{holders} is connected to itself at {places}. It connected while nothing listened there, and \
                   the kernel chose the port of the destination for its own end. No server can listen there \
                   until it closes. Keep ports of servers out of ip_local_port_range \
                   (ip_local_reserved_ports).",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "syn_rcvd",
        levels: &[(Warning, 64), (Critical, 1_024)],
        filter: "state syn-rcvd and timer.retransmits >= 1 and {group}",
        // There it is the number of timeouts, those that nothing was sent at too.
        passes: |socket| (socket.source != Source::Procfs).then_some(true),
        group_by: GroupBy::Port,
        keeps: false,
        related: "state listen",
        sentence: "{count handshake} to port {who} ({programs}) wait in SYN_RCVD for the clients, each SYN and \
                   ACK sent twice or more; {backlogs}. The clients do not answer, the way back to them is \
                   broken, or this is a SYN flood: see tcp_syncookies.",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "syn_sent",
        levels: &[(Warning, 1)],
        filter: "state syn-sent and {group} and timer.retransmits >= 2",
        group_by: GroupBy::Peer,
        sentence: "{who} does not answer: {count connection} in SYN_SENT ({holders}), each SYN sent 3 times or \
                   more. The host is down, a firewall drops the SYN, or the accept queue there is full.",
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
            let is_free = if group.ports.free > 0 {
                "not state time-wait"
            } else {
                ""
            };
            let mut parts = vec![
                limits.ephemeral()?.filter(),
                group.key.filter(),
                is_free.into(),
            ];
            parts.retain(|part| !part.is_empty());
            Some((group.count, parts.join(" and ")))
        }),
        sentence: "{ports are taken}",
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
        sentence: "The kernel holds {orphans} connections that no process holds any more, of {tcp_max_orphans} \
                   allowed (tcp_max_orphans); {number} of them are here. Beyond that it resets them: find peers \
                   that do not read, lower tcp_orphan_retries, or raise the limit.",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "closing_stuck",
        levels: &[(Warning, 1)],
        filter: "state last-ack,closing and (timer = retransmit and timer.retransmits >= 3 or \
                 timer = probe and tcp_info.backoff >= 3)",
        is_possible: |counts, _| counts.stuck > 0,
        sentence: "{count connection} in LAST_ACK or CLOSING ({holders}): the last FIN gets no answer, or waits \
                   behind data that the peer does not read. Look at the peers; the kernel gives up after \
                   tcp_orphan_retries.",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "receive_queue",
        levels: &[(Warning, 1)],
        among: "state established,close-wait,fin-wait-1,fin-wait-2",
        filter: "recv_queue >= 16384 and tcp_info.last_data_recv >= 5000ms and {group}",
        group_by: GroupBy::Process,
        related: "state listen",
        is_possible: |counts, _| counts.stuck > 0,
        sentence: "{who} does not read: {unread bytes} waits on {count connection}, and nothing more has come \
                   for 5s. The program hangs, or waits for something else first.",
        unaccepted: "{unread bytes} waits on {count connection} that {is} not accepted yet at {listeners}, and \
                     nothing more has come for 5s. The program must accept faster.",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "peer_window",
        levels: &[(Warning, 1)],
        filter: "state established,close-wait,fin-wait-1 and send_queue > 0 and timer = probe and \
                 tcp_info.backoff >= 3",
        is_possible: |counts, _| counts.stuck > 0,
        sentence: "{unsent bytes} on {count connection} of {holders} cannot be sent: the window of the peer is \
                   closed, and the persist timer probes it. The program at the other end does not read: look \
                   there.",
        ..FindingKind::USUAL
    },
    FindingKind {
        name: "send_queue",
        levels: &[(Warning, 1)],
        filter: "state established,close-wait,fin-wait-1 and send_queue > 0 and timer = retransmit and \
                 timer.retransmits >= 3",
        is_possible: |counts, _| counts.stuck > 0,
        sentence: "{unsent bytes} on {count connection} of {holders} cannot be sent: sent 4 times or more \
                   without an acknowledgement. The peer or the way to it is gone; the kernel gives up after \
                   tcp_retries2.",
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
        sentence: "{who} lost {drops} datagrams at port {ports}: its buffer was full when they came. It reads \
                   too slowly for the bursts; a larger SO_RCVBUF takes more{rmem_max}.",
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
            // Who listens is known only where there are both.
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
        sentence: "Port {who} is listened on at every address by {who is everywhere} and at loopback by {who is \
                   at loopback}: over loopback the latter answers, from elsewhere the former. Close one if that \
                   is not meant.",
        ..FindingKind::USUAL
    },
];

/// Those that are at loopback, or at every address.
const LISTENERS: &str =
    "state listen and (src 127.0.0.0/8 or src [::1] or src 0.0.0.0/32 or src [::]/128)";
