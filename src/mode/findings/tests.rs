//! Every finding at its thresholds, with sockets made up for it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::hunt::{self, Hunt};
use super::{Looker, find_in};
use crate::enrich::OwnerSource;
use crate::filter::{Expr, Rule};
use crate::mode::fake::{FakeSource, look};
use crate::model::{
    Counts, FINDINGS, Family, Finding, Info, Limits, Protocol, Row, Selection, Severity, Socket,
    State, Table, Timer, TimerKind,
};
use crate::query::{Input, Query};

/// A process of a copy of `/proc` that holds sockets of these inodes.
fn process(root: &Path, pid: u32, name: &str, inodes: &[u64]) {
    let directory = root.join(pid.to_string());
    fs::create_dir_all(directory.join("fd")).unwrap();
    fs::write(directory.join("comm"), format!("{name}\n")).unwrap();
    fs::write(directory.join("status"), "Name:\tx\nUid:\t7\t0\t7\t7\n").unwrap();
    for inode in inodes {
        let link = directory.join("fd").join(inode.to_string());
        symlink(format!("socket:[{inode}]"), link).unwrap();
    }
}

#[derive(Default)]
struct Machine(BTreeMap<&'static str, Vec<u64>>);

impl Limits for Machine {
    fn numbers(&self, key: &str) -> Option<Vec<u64>> {
        self.0.get(key).cloned()
    }

    fn orphans(&self) -> Option<u64> {
        self.number("orphans")
    }

    fn udp_without_room(&self) -> u64 {
        self.number("udp").unwrap_or_default()
    }
}

fn machine(numbers: &[(&'static str, &[u64])]) -> Machine {
    Machine(numbers.iter().map(|(key, n)| (*key, n.to_vec())).collect())
}

/// What is found, and how many tables were gone through for it: each walk has two.
fn search(sockets: &[Socket], limits: &Machine) -> (Vec<Finding>, usize) {
    let proc = tempfile::TempDir::new().unwrap();
    process(proc.path(), 812, "api", &[7, 80, 81, 82, 83]);
    process(proc.path(), 813, "other", &[8, 84]);
    process(proc.path(), 1, "dns", &[53]);
    let mut query = Query {
        tables: Table::all().collect(),
        selection: Selection::All,
        input: Input::Procfs(proc.path().to_owned()),
        ..Query::default()
    };
    query.lookups.owner_source = OwnerSource::Proc;
    let mut counts = Counts::new(20);
    for socket in sockets {
        counts.add(&Row::bare(socket));
    }
    let source = FakeSource::new(vec![look(sockets)]);
    let open = source.opening();
    let mut looker = Looker::new(&query, &open).unwrap();
    let findings = find_in(&mut looker, &counts, limits);
    (findings, source.visits())
}

/// What is found, as kind and severity.
fn kinds(sockets: &[Socket], limits: &Machine) -> Vec<(&'static str, Severity)> {
    let (findings, _) = search(sockets, limits);
    findings.iter().map(|f| (f.kind, f.severity)).collect()
}

/// Held by one process.
fn tcp(state: State) -> Socket {
    let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
    socket.state = state;
    socket.inode = Some(7);
    socket.local.ip = Some("10.0.0.1".parse().unwrap());
    socket.local.port = Some(80);
    socket.peer.ip = Some("10.0.0.2".parse().unwrap());
    socket.peer.port = Some(443);
    socket
}

fn with(mut socket: Socket, change: impl FnOnce(&mut Socket)) -> Socket {
    change(&mut socket);
    socket
}

fn timer(kind: TimerKind, retransmits: u8) -> Timer {
    Timer {
        kind,
        expires_ms: 100,
        retransmits,
    }
}

/// A `tcp_info` of the kernel with these two fields, the second in milliseconds.
fn info(socket: &mut Socket, backoff: u8, last_data_recv: u32) {
    let mut payload = vec![0; 232];
    payload[4] = backoff;
    payload[52..56].copy_from_slice(&last_data_recv.to_ne_bytes());
    socket.details_mut().tcp_info = Some(Info::tcp(&payload));
}

/// Nothing is found of one socket fewer, and a finding of this severity of so many.
#[track_caller]
fn begins_at(
    count: usize,
    kind: &'static str,
    severity: Severity,
    socket: &Socket,
    limits: &Machine,
) {
    let all = vec![socket.clone(); count];
    let fewer = kinds(&all[1..], limits);
    assert!(!fewer.contains(&(kind, severity)), "{fewer:?}");
    assert_eq!(kinds(&all, limits), [(kind, severity)]);
}

const WARNING: Severity = Severity::Warning;
const CRITICAL: Severity = Severity::Critical;

#[test]
fn every_definition_can_be_parsed() {
    let limits = machine(&[("ipv4/ip_local_port_range", &[1, 2])]);
    for definition in FINDINGS {
        for protocol in definition.protocols {
            let families = protocol.families().iter();
            let rules: Vec<Rule> = families
                .map(|family| {
                    let (protocol, family) = (*protocol, *family);
                    Expr::ALWAYS.for_table(Table { protocol, family })
                })
                .collect();
            assert!(
                Hunt::new(definition, &rules, &limits).is_some(),
                "{definition:?}"
            );
        }
        let related = hunt::text(definition.related, None, &limits);
        assert!(!related.contains('{'), "{related}");
    }
}

#[test]
fn nothing_is_gone_through_where_the_counts_rule_findings_out() {
    let healthy: Vec<Socket> = [State::Established, State::TimeWait, State::CloseWait]
        .into_iter()
        .flat_map(|state| vec![tcp(state); 19])
        .collect();
    let limits = machine(&[("ipv4/ip_local_port_range", &[32768, 60999])]);
    let (findings, visits) = search(&healthy, &limits);
    assert_eq!((findings, visits), (vec![], 0));
}

#[test]
fn connections_are_gone_through_once_for_all_findings() {
    let mut all = vec![tcp(State::CloseWait); 20];
    all.extend(vec![tcp(State::FinWait2); 20]);
    all.push(with(tcp(State::SynSent), |s| {
        s.timer = Some(timer(TimerKind::Retransmit, 2));
    }));
    all.push(with(tcp(State::LastAck), |s| {
        s.timer = Some(timer(TimerKind::Retransmit, 3));
    }));
    let (findings, visits) = search(&all, &Machine::default());
    assert_eq!((findings.len(), visits), (4, 2), "{findings:#?}");
}

#[test]
fn close_wait_and_half_closed_are_counted_by_process() {
    let limits = Machine::default();
    begins_at(20, "close_wait", WARNING, &tcp(State::CloseWait), &limits);
    begins_at(
        1_000,
        "close_wait",
        CRITICAL,
        &tcp(State::CloseWait),
        &limits,
    );
    begins_at(20, "half_closed", WARNING, &tcp(State::FinWait2), &limits);
    let mut two = vec![tcp(State::CloseWait); 20];
    two[0].inode = Some(8);
    assert_eq!(kinds(&two, &limits), []);
    two.push(tcp(State::CloseWait));
    let (findings, _) = search(&two, &limits);
    assert_eq!((findings.len(), findings[0].count), (1, 20));
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and state close-wait and pid = 812"
    );
}

#[test]
fn orphans_in_fin_wait_2_are_counted_together() {
    let limits = machine(&[("ipv4/tcp_fin_timeout", &[60])]);
    let orphan = with(tcp(State::FinWait2), |s| s.inode = None);
    begins_at(100, "half_closed_orphans", WARNING, &orphan, &limits);
    let (findings, _) = search(&vec![orphan; 100], &limits);
    assert!(
        findings[0].text.contains("tcp_fin_timeout (60 s)"),
        "{findings:?}"
    );
}

#[test]
fn accept_queue_is_measured_by_its_share() {
    let limits = machine(&[("core/somaxconn", &[4096])]);
    let full = |waiting| {
        with(tcp(State::Listen), |s| {
            (s.recv_queue, s.send_queue) = (Some(waiting), Some(3));
        })
    };
    assert_eq!(kinds(&[full(2)], &limits), []);
    assert_eq!(kinds(&[full(3)], &limits), [("accept_queue", WARNING)]);
    let (findings, _) = search(&[full(4), full(0)], &limits);
    assert_eq!((findings.len(), findings[0].severity), (1, CRITICAL));
    assert_eq!(findings[0].sockets, "protocol = tcp and inode = 7");
    let told = "The accept queue of 10.0.0.1:80 (api[812]) is full: 4 waiting, the backlog is 3 \
                (somaxconn is 4096).";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

#[test]
fn handshakes_are_counted_by_port_and_its_listener_is_named() {
    let limits = Machine::default();
    let waiting = with(tcp(State::SynRcvd), |s| s.inode = None);
    begins_at(64, "syn_rcvd", WARNING, &waiting, &limits);
    begins_at(1_024, "syn_rcvd", CRITICAL, &waiting, &limits);
    let mut all = vec![waiting; 64];
    all.push(with(tcp(State::Listen), |s| {
        (s.recv_queue, s.send_queue) = (Some(0), Some(200));
    }));
    let other = |s: &mut Socket| s.local.port = Some(81);
    all.push(with(tcp(State::SynRcvd), other));
    let (findings, _) = search(&all, &limits);
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and state syn-rcvd and sport = :80"
    );
    let told =
        "64 handshakes to port 80 (api[812]) wait in SYN_RCVD for the clients; the backlog is 200.";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

#[test]
fn syn_is_unanswered_after_two_retransmissions() {
    let limits = Machine::default();
    let sent = |again| {
        with(tcp(State::SynSent), |s| {
            s.timer = Some(timer(TimerKind::Retransmit, again));
        })
    };
    assert_eq!(kinds(&[sent(1)], &limits), []);
    let (findings, _) = search(&[sent(2), sent(1)], &limits);
    assert_eq!((findings.len(), findings[0].count), (1, 1));
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and state syn-sent and dst 10.0.0.2:443 and timer.retransmits >= 2"
    );
}

#[test]
fn ports_run_out_where_most_are_in_time_wait() {
    let limits = machine(&[("ipv4/ip_local_port_range", &[60000, 60039])]);
    let used = |time_wait: u32, open: u32| -> Vec<Socket> {
        let ports = (0..time_wait + open).map(|number| {
            let is_open = number >= time_wait;
            let state = if is_open {
                State::Established
            } else {
                State::TimeWait
            };
            with(tcp(state), |s| s.local.port = Some(60000 + number))
        });
        ports.collect()
    };
    let ports = |severity| vec![("ephemeral_ports", severity)];
    assert_eq!(kinds(&used(28, 1), &limits), []);
    assert_eq!(kinds(&used(29, 1), &limits), ports(WARNING));
    assert_eq!(kinds(&used(37, 1), &limits), ports(CRITICAL));
    assert_eq!(kinds(&used(14, 16), &limits), []);
    let (findings, _) = search(&used(29, 1), &limits);
    assert_eq!(findings[0].count, 29);
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and state time-wait and src 10.0.0.1 and dst 10.0.0.2:443 and sport >= :60000 \
         and sport <= :60039"
    );
    let told = "30 of the 40 ports of ip_local_port_range (60000 to 60039) are used from 10.0.0.1 to \
                10.0.0.2:443 by api[812], 29 of them in TIME_WAIT; 10 are left.";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

#[test]
fn orphans_are_measured_by_the_limit() {
    let orphan = with(tcp(State::FinWait1), |s| s.inode = None);
    let of = |count| machine(&[("orphans", &[count]), ("ipv4/tcp_max_orphans", &[100])]);
    let all = vec![orphan; 3];
    assert_eq!(kinds(&all, &of(49)), []);
    assert_eq!(kinds(&all, &of(50)), [("orphans", WARNING)]);
    let (findings, _) = search(&all, &of(90));
    assert_eq!((findings[0].severity, findings[0].count), (CRITICAL, 3));
}

#[test]
fn closing_is_stuck_after_three_retransmissions_or_probes() {
    let limits = Machine::default();
    let stuck = |state, kind, again, backoff| {
        with(tcp(state), |s| {
            s.timer = Some(timer(kind, again));
            info(s, backoff, 0);
        })
    };
    for state in [State::LastAck, State::Closing] {
        for (kind, again, backoff, is_stuck) in [
            (TimerKind::Retransmit, 2, 0, false),
            (TimerKind::Retransmit, 3, 0, true),
            (TimerKind::Probe, 0, 2, false),
            (TimerKind::Probe, 0, 3, true),
        ] {
            let found = kinds(&[stuck(state, kind, again, backoff)], &limits);
            let expected = [("closing_stuck", WARNING)];
            assert_eq!(found, expected[..usize::from(is_stuck)], "{state} {kind:?}");
        }
    }
}

#[test]
fn data_is_unread_from_16_kib_and_five_seconds_on() {
    let limits = Machine::default();
    let unread = |bytes, idle_ms| {
        with(tcp(State::Established), |s| {
            s.recv_queue = Some(bytes);
            info(s, 0, idle_ms);
        })
    };
    assert_eq!(kinds(&[unread(16_383, 5_000)], &limits), []);
    assert_eq!(kinds(&[unread(16_384, 4_999)], &limits), []);
    let (findings, _) = search(&[unread(16_384, 5_000)], &limits);
    assert_eq!(findings[0].kind, "receive_queue");
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and recv_queue >= 16384 and tcp_info.last_data_recv >= 5000ms and pid = 812"
    );
}

#[test]
fn data_that_does_not_get_through_is_told_by_its_timer() {
    let limits = Machine::default();
    let unsent = |kind, again, backoff, bytes| {
        with(tcp(State::Established), |s| {
            s.send_queue = Some(bytes);
            s.timer = Some(timer(kind, again));
            info(s, backoff, 0);
        })
    };
    let (again, probe) = (TimerKind::Retransmit, TimerKind::Probe);
    assert_eq!(kinds(&[unsent(again, 2, 2, 1)], &limits), []);
    assert_eq!(kinds(&[unsent(again, 3, 3, 0)], &limits), []);
    assert_eq!(kinds(&[unsent(probe, 0, 2, 1)], &limits), []);
    let found = kinds(&[unsent(again, 3, 3, 1)], &limits);
    assert_eq!(found, [("send_queue", WARNING)]);
    let found = kinds(&[unsent(probe, 0, 3, 1)], &limits);
    assert_eq!(found, [("peer_window", WARNING)]);
}

#[test]
fn datagrams_are_dropped_from_a_hundred_on() {
    let limits = machine(&[("udp", &[100])]);
    for protocol in [Protocol::Udp, Protocol::UdpLite] {
        let dropping = |drops| {
            let mut socket = Socket::new(protocol, Family::Inet);
            socket.local.port = Some(53);
            let memory = crate::model::Memory {
                drops: Some(drops),
                ..crate::model::Memory::default()
            };
            socket.details_mut().memory = Some(memory);
            socket.inode = Some(53);
            socket
        };
        assert_eq!(kinds(&[dropping(99)], &limits), []);
        assert_eq!(kinds(&[dropping(100)], &Machine::default()), []);
        let (findings, _) = search(&[dropping(100)], &limits);
        assert_eq!(findings[0].kind, "udp_drops");
        let own = format!("protocol = {protocol} and memory.drops >= 100 and pid = 1");
        assert_eq!(findings[0].sockets, own);
        let told = "dns[1] lost 100 datagrams at port 53:";
        assert!(findings[0].text.starts_with(told), "{findings:?}");
    }
}

#[test]
fn one_port_at_every_address_and_at_loopback_is_told() {
    let limits = Machine::default();
    let at = |family, ip: &str, port, inode| {
        let mut found = tcp(State::Listen);
        found.family = family;
        found.local.ip = Some(ip.parse().unwrap());
        (found.local.port, found.inode) = (Some(port), Some(inode));
        found
    };
    let (v4, v6) = (Family::Inet, Family::Inet6);
    for (loopback, everywhere, v6only, is_told) in [
        ((v4, "127.0.0.1"), (v4, "0.0.0.0"), None, true),
        ((v4, "127.9.9.9"), (v6, "::"), Some(false), true),
        ((v4, "127.9.9.9"), (v6, "::"), Some(true), false),
        ((v4, "127.9.9.9"), (v6, "::"), None, false),
        ((v6, "::ffff:127.0.0.1"), (v6, "::"), Some(false), true),
        ((v6, "::1"), (v6, "::"), Some(true), true),
        ((v6, "::1"), (v6, "::"), None, true),
        ((v6, "::1"), (v4, "0.0.0.0"), None, false),
        ((v6, "::1"), (v6, "::ffff:0.0.0.0"), Some(false), false),
    ] {
        let other = at(everywhere.0, everywhere.1, 81, 82);
        let loopback = at(loopback.0, loopback.1, 80, 80);
        let mut everywhere = at(everywhere.0, everywhere.1, 80, 81);
        everywhere.v6only = v6only;
        let own = [everywhere.clone(), loopback.clone()];
        assert_eq!(kinds(&own, &limits), [], "both are of one process");
        everywhere.inode = Some(84);
        let elsewhere = at(v4, "10.0.0.1", 80, 83);
        assert_eq!(kinds(&[loopback.clone(), other.clone()], &limits), []);
        assert_eq!(kinds(&[everywhere.clone(), elsewhere.clone()], &limits), []);
        let all = [everywhere, elsewhere, loopback, other];
        let (findings, _) = search(&all, &limits);
        if !is_told {
            assert_eq!(findings.len(), 0, "{findings:?}");
            continue;
        }
        assert_eq!((findings.len(), findings[0].count), (1, 2), "{findings:?}");
        assert_eq!(findings[0].severity, Severity::Info);
        assert_eq!(
            findings[0].sockets,
            "protocol = tcp and (inode = 80 or inode = 84)"
        );
    }
}

/// What the counts of the first walk call stuck is never less than what the filters select.
#[test]
fn counts_of_the_first_walk_have_the_numbers_of_the_filters() {
    let text = |kind| {
        let mut all = FINDINGS.iter();
        all.find(|definition| definition.name == kind)
            .unwrap()
            .filter
    };
    let unread = format!("recv_queue >= {} ", crate::model::UNREAD);
    assert!(text("receive_queue").starts_with(&unread));
    let again = format!("timer.retransmits >= {}", crate::model::RETRANSMITS);
    assert!(text("send_queue").ends_with(&again));
    assert!(text("closing_stuck").contains(&format!("{again} or ")));
}

/// The time it takes does not grow with the square of the listeners.
#[test]
fn many_ports_of_many_listeners_are_told_apart() {
    let listener = |number: u32| {
        let mut found = tcp(State::Listen);
        let ip = if number.is_multiple_of(2) {
            "127.0.0.1"
        } else {
            "0.0.0.0"
        };
        found.local.ip = Some(ip.parse().unwrap());
        found.local.port = Some(1 + number / 2);
        found.inode = Some(1_000 + u64::from(number));
        found
    };
    let all: Vec<Socket> = (0..8_000).map(listener).collect();
    let (findings, visits) = search(&all, &Machine::default());
    assert_eq!((findings.len(), visits), (4_000, 4));
}
