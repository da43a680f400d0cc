//! Tests of every finding at its thresholds, with synthetic sockets.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod accepting;
mod listeners;
mod lost;
mod ports;
mod queues;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::hunt::{self, Hunt};
use super::{Kept, Looker, find_in};
use crate::enrich::OwnerSource;
use crate::filter::{Decision, Expr, Rule};
use crate::mode::fake::{FakeKernel, FakeSource, look};
use crate::model::{
    Counts, FINDINGS, Family, Finding, Findings, Protocol, Row, Selection, Severity, Socket, State,
    Structure, Table, Timer, TimerKind,
};
use crate::query::{Input, Query};

/// A process in a fake `/proc` that holds sockets with these inodes.
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

/// A kernel with these values of keys below `/proc/sys/net`, or of its counters.
fn machine(numbers: &[(&'static str, &[u64])]) -> FakeKernel {
    let files = numbers.iter().map(|(key, numbers)| {
        let text: Vec<String> = numbers.iter().map(u64::to_string).collect();
        let text = text.join("\t");
        let of_net = |file: &str, text: String| (format!("thread-self/net/{file}"), text);
        match *key {
            "orphans" => of_net("sockstat", format!("TCP: inuse 5 orphan {text} tw 0\n")),
            "udp" => of_net("snmp", format!("Udp: RcvbufErrors\nUdp: {text}\n")),
            "overflows" => of_net(
                "netstat",
                format!(
                    "TcpExt: ListenOverflows ListenDrops TCPDeferAcceptDrop\nTcpExt: {} {} {}\n",
                    numbers[0],
                    numbers[0],
                    numbers.get(1).unwrap_or(&0)
                ),
            ),
            key => (format!("sys/net/{key}"), format!("{text}\n")),
        }
    });
    FakeKernel {
        files: files.collect(),
        ..FakeKernel::default()
    }
}

/// The findings, and how many tables were read for them, two in each walk: without kept sockets, and with them.
fn search(sockets: &[Socket], limits: &FakeKernel) -> (Vec<Finding>, [usize; 2]) {
    search_among(sockets, limits, |_| ())
}

/// Likewise, with further processes below a root.
fn search_among(
    sockets: &[Socket],
    limits: &FakeKernel,
    add: impl FnOnce(&Path),
) -> (Vec<Finding>, [usize; 2]) {
    let (findings, visits) = look_for(sockets, limits, add);
    (findings.found, visits)
}

/// What could not be checked, as kind, severity and number of sockets; there are no findings.
fn not_checked(sockets: &[Socket], limits: &FakeKernel) -> Vec<(&'static str, Severity, u64)> {
    let (findings, _) = look_for(sockets, limits, |_| ());
    assert_eq!(findings.found, []);
    let each = findings.not_checked.iter();
    each.map(|one| (one.kind, one.severity, one.sockets))
        .collect()
}

fn look_for(
    sockets: &[Socket],
    limits: &FakeKernel,
    add: impl FnOnce(&Path),
) -> (Findings, [usize; 2]) {
    look_among(sockets, limits, None, add)
}

/// Likewise, reading only tables of one family.
fn look_among(
    sockets: &[Socket],
    limits: &FakeKernel,
    family: Option<Family>,
    add: impl FnOnce(&Path),
) -> (Findings, [usize; 2]) {
    let proc = tempfile::TempDir::new().unwrap();
    add(proc.path());
    process(proc.path(), 812, "api", &[7, 80, 81, 82, 83]);
    process(proc.path(), 813, "other", &[8, 84]);
    process(proc.path(), 1, "dns", &[53]);
    let mut query = Query {
        tables: Table::all()
            .filter(|table| family.is_none_or(|family| table.family == family))
            .collect(),
        selection: Selection::All,
        input: Input::Procfs(proc.path().to_owned()),
        ..Query::default()
    };
    query.lookups.owner_source = OwnerSource::Proc;
    let mut counts = Counts::new(20);
    let is_asked = |socket: &&Socket| family.is_none_or(|family| socket.family == family);
    for socket in sockets.iter().filter(is_asked) {
        counts.add(&Row::bare(socket));
    }
    counts.listeners.settle();
    let find = |kept| {
        let source = FakeSource::new(vec![look(sockets)]);
        let open = source.opening();
        let mut looker = Looker::new(&query, &open, kept).unwrap();
        let findings = find_in(&mut looker, &counts, limits);
        (findings, source.visits())
    };
    let mut kept = Kept::new();
    for socket in sockets {
        kept.add(socket, Decision::Yes);
    }
    let (findings, visits) = find(Kept::default());
    let (same, fewer) = find(kept);
    assert_eq!(same, findings);
    (findings, [visits, fewer])
}

/// The findings, as kind and severity.
fn kinds(sockets: &[Socket], limits: &FakeKernel) -> Vec<(&'static str, Severity)> {
    let (findings, _) = search(sockets, limits);
    findings.iter().map(|f| (f.kind, f.severity)).collect()
}

/// A TCP socket held by one process.
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

/// Sets a `tcp_info` with these two fields, the second in milliseconds.
fn info(socket: &mut Socket, backoff: u8, last_data_recv: u32) {
    let mut payload = vec![0; 232];
    payload[4] = backoff;
    payload[52..56].copy_from_slice(&last_data_recv.to_ne_bytes());
    // `data_segs_in`: data has arrived.
    payload[152] = 1;
    socket.details_mut().set_info(Structure::TcpInfo, &payload);
}

/// Asserts that this many sockets are a finding of this severity, and one fewer is not.
#[track_caller]
fn begins_at(
    count: usize,
    kind: &'static str,
    severity: Severity,
    socket: &Socket,
    limits: &FakeKernel,
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
    assert_eq!((findings, visits), (vec![], [0; 2]));
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
    let (findings, visits) = search(&all, &FakeKernel::default());
    assert_eq!((findings.len(), visits), (4, [2, 1]), "{findings:#?}");
    // Without the one that is looked up.
    all.pop();
    let (findings, visits) = search(&all, &FakeKernel::default());
    assert_eq!((findings.len(), visits), (3, [2, 0]), "{findings:#?}");
}

#[test]
fn states_with_too_many_sockets_are_read_again() {
    for (count, again) in [(4_056, 0), (4_057, 2)] {
        let mut all = vec![tcp(State::FinWait2); count];
        all.splice(9..9, vec![tcp(State::CloseWait); 40]);
        let (findings, visits) = search(&all, &FakeKernel::default());
        let counts: Vec<u64> = findings.iter().map(|finding| finding.count).collect();
        let count = u64::try_from(count).unwrap();
        assert_eq!((counts, visits), (vec![40, count], [2, again]));
    }
}

#[test]
fn only_kept_sockets_since_the_checkpoint_are_rolled_back() {
    let mut kept = Kept::new();
    let add = |kept: &mut Kept, count, state| {
        for socket in &vec![tcp(state); count] {
            kept.add(socket, Decision::Yes);
        }
    };
    add(&mut kept, 3, State::CloseWait);
    add(&mut kept, 3_000, State::FinWait2);
    kept.checkpoint();
    kept.add(&tcp(State::CloseWait), Decision::No);
    add(&mut kept, 1_100, State::FinWait2);
    add(&mut kept, 1, State::CloseWait);
    assert_eq!(kept.sockets().len(), 4);
    assert!(!kept.states().contains(State::FinWait2));
    kept.rollback();
    assert_eq!(kept.take(None).sockets(), vec![tcp(State::CloseWait); 3]);
    assert_eq!(kept.sockets(), []);
}

#[test]
fn close_wait_and_half_closed_are_counted_by_process() {
    let limits = FakeKernel::default();
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
fn sockets_whose_process_is_not_known_are_not_those_of_one() {
    let limits = FakeKernel::default();
    let of_user = |uid, count| {
        let socket = with(tcp(State::CloseWait), |s| {
            (s.inode, s.uid) = (Some(99), Some(uid));
        });
        vec![socket; count]
    };
    let of = |sockets: &[Vec<Socket>]| not_checked(&sockets.concat(), &limits);
    assert_eq!(of(&[of_user(0, 19)]), []);
    assert_eq!(of(&[of_user(0, 20)]), [("close_wait", WARNING, 20)]);
    let both = [of_user(0, 10), of_user(7, 10)];
    assert_eq!(of(&both), [("close_wait", WARNING, 20)]);
    assert_eq!(of(&[of_user(0, 1_000)]), [("close_wait", CRITICAL, 1_000)]);
    let known = vec![tcp(State::CloseWait); 19];
    assert_eq!(of(&[known, of_user(0, 19)]), []);
    // One socket is enough.
    let hung = with(tcp(State::Established), |s| {
        (s.inode, s.recv_queue) = (Some(99), Some(16_384));
        info(s, 0, 5_000);
    });
    assert_eq!(kinds(&[hung], &limits), [("receive_queue", WARNING)]);
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
fn handshakes_are_counted_by_port_and_its_listener_is_named() {
    let limits = FakeKernel::default();
    let waiting = with(tcp(State::SynRcvd), |s| {
        s.inode = None;
        s.timer = Some(timer(TimerKind::Retransmit, 1));
    });
    // TCP_DEFER_ACCEPT: the client has answered, and nothing is retransmitted until it sends data.
    let deferred = with(waiting.clone(), |s| {
        s.timer = Some(timer(TimerKind::Retransmit, 0));
    });
    assert_eq!(kinds(&vec![deferred; 2_000], &limits), []);
    // In /proc/net it is the number of timeouts.
    let of_file = with(waiting.clone(), |s| s.source = crate::model::Source::Procfs);
    assert_eq!(kinds(&vec![of_file; 2_000], &limits), []);
    begins_at(64, "syn_rcvd", WARNING, &waiting, &limits);
    begins_at(1_024, "syn_rcvd", CRITICAL, &waiting, &limits);
    let mut all = vec![waiting; 64];
    all.push(with(tcp(State::Listen), |s| {
        (s.recv_queue, s.send_queue) = (Some(0), Some(200));
    }));
    let other = |s: &mut Socket| s.local.port = Some(81);
    all.push(with(all[0].clone(), other));
    let (findings, _) = search(&all, &limits);
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and state syn-rcvd and timer.retransmits >= 1 and sport = :80"
    );
    let told = "64 handshakes to port 80 (api[812]) wait in SYN_RCVD for the clients, each SYN+ACK \
                sent at least twice; the backlog is 200.";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

#[test]
fn syn_is_unanswered_after_two_retransmissions() {
    let limits = FakeKernel::default();
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
fn connection_of_a_socket_to_itself_is_told() {
    let limits = FakeKernel::default();
    let to_itself = with(tcp(State::Established), |s| s.peer = s.local.clone());
    let same_port = with(tcp(State::Established), |s| s.peer.port = s.local.port);
    assert_eq!(kinds(&[tcp(State::Established), same_port], &limits), []);
    let (findings, _) = search(&[to_itself], &limits);
    assert_eq!((findings.len(), findings[0].severity), (1, WARNING));
    assert_eq!(findings[0].kind, "self_connected");
    let told = "api[812] is connected to itself at 10.0.0.1:80.";
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
    let limits = FakeKernel::default();
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

/// The first walk counts at least as many stuck sockets as the filters select.
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
