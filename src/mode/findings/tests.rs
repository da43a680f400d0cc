//! Every finding at its thresholds, with sockets made up for it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::hunt::{self, Hunt};
use super::{Looker, find_in};
use crate::enrich::OwnerSource;
use crate::filter::{Expr, Rule};
use crate::mode::fake::{FakeKernel, FakeSource, look};
use crate::model::{
    Counts, FINDINGS, Family, Finding, Findings, Info, Protocol, Row, Selection, Severity, Socket,
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

/// A kernel with these numbers: of a key below `/proc/sys/net`, or of one of its counters.
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

/// What is found, and how many tables were gone through for it: each walk has two.
fn search(sockets: &[Socket], limits: &FakeKernel) -> (Vec<Finding>, usize) {
    search_among(sockets, limits, |_| ())
}

/// The same, with further processes below a root.
fn search_among(
    sockets: &[Socket],
    limits: &FakeKernel,
    add: impl FnOnce(&Path),
) -> (Vec<Finding>, usize) {
    let (findings, visits) = look_for(sockets, limits, add);
    (findings.found, visits)
}

/// What is not checked, as kind, severity and number of sockets; nothing is found.
fn not_checked(sockets: &[Socket], limits: &FakeKernel) -> Vec<(&'static str, Severity, u64)> {
    let (findings, _) = look_for(sockets, limits, |_| ());
    assert_eq!(findings.found, []);
    let each = findings.not_checked.iter();
    each.map(|one| (one.kind, one.severity, one.sockets))
        .collect()
}

fn look_for(sockets: &[Socket], limits: &FakeKernel, add: impl FnOnce(&Path)) -> (Findings, usize) {
    let proc = tempfile::TempDir::new().unwrap();
    add(proc.path());
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
    counts.listeners.settle();
    let source = FakeSource::new(vec![look(sockets)]);
    let open = source.opening();
    let mut looker = Looker::new(&query, &open).unwrap();
    let findings = find_in(&mut looker, &counts, limits);
    (findings, source.visits())
}

/// What is found, as kind and severity.
fn kinds(sockets: &[Socket], limits: &FakeKernel) -> Vec<(&'static str, Severity)> {
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
    // `data_segs_in`: data has come.
    payload[152] = 1;
    socket.details_mut().tcp_info = Some(Info::tcp(&payload));
}

/// Nothing is found of one socket fewer, and a finding of this severity of so many.
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
    let (findings, visits) = search(&all, &FakeKernel::default());
    assert_eq!((findings.len(), visits), (4, 2), "{findings:#?}");
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
    let limits = FakeKernel::default();
    let waiting = with(tcp(State::SynRcvd), |s| {
        s.inode = None;
        s.timer = Some(timer(TimerKind::Retransmit, 1));
    });
    // TCP_DEFER_ACCEPT: the client has answered, and nothing is sent again until it sends data.
    let deferred = with(waiting.clone(), |s| {
        s.timer = Some(timer(TimerKind::Retransmit, 0));
    });
    assert_eq!(kinds(&vec![deferred; 2_000], &limits), []);
    // The number in /proc/net is that of timeouts.
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
    let told = "64 handshakes to port 80 (api[812]) wait in SYN_RCVD for the clients, each SYN and ACK \
                sent twice or more; the backlog is 200.";
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

/// A kernel that chooses from 40 ports, these of them reserved.
fn forty_ports(reserved: &str) -> FakeKernel {
    let mut kernel = machine(&[
        ("ipv4/ip_local_port_range", &[60000, 60039]),
        ("ipv4/tcp_timestamps", &[1]),
        ("ipv4/tcp_tw_reuse", &[2]),
    ]);
    let file = "sys/net/ipv4/ip_local_reserved_ports".to_owned();
    kernel.files.insert(file, format!("{reserved}\n"));
    kernel
}

/// Sockets in this state at so many ports, from the first one on that is given.
fn at_ports(state: State, first: u32, count: u32) -> Vec<Socket> {
    let ports = first..first + count;
    let at = |port| with(tcp(state), |s| s.local.port = Some(port));
    ports.map(at).collect()
}

#[test]
fn ports_towards_one_destination_run_out_in_whatever_state() {
    let limits = forty_ports("");
    for state in [
        State::Established,
        State::TimeWait,
        State::FinWait2,
        State::SynSent,
    ] {
        let used = |count| at_ports(state, 60000, count);
        let ports = |severity| vec![("ephemeral_ports", severity)];
        let of_ports = |count| {
            let mut found = kinds(&used(count), &limits);
            found.retain(|(kind, _)| *kind == "ephemeral_ports");
            found
        };
        assert_eq!(of_ports(29), [], "{state}");
        assert_eq!(of_ports(30), ports(WARNING), "{state}");
        assert_eq!(of_ports(38), ports(CRITICAL), "{state}");
    }
    let mut used = at_ports(State::TimeWait, 60000, 20);
    used.extend(at_ports(State::Established, 60020, 10));
    // One of a twentieth to elsewhere, and a listener outside of the range, change nothing.
    used.push(with(tcp(State::Established), |s| {
        s.local.port = Some(60039);
    }));
    used.last_mut().unwrap().peer.port = Some(80);
    used.push(with(tcp(State::Listen), |s| s.local.port = Some(70)));
    let (findings, _) = search(&used, &limits);
    assert_eq!((findings.len(), findings[0].count), (1, 30), "{findings:?}");
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and sport >= :60000 and sport <= :60039 and src 10.0.0.1 and dst 10.0.0.2:443"
    );
    let told = "30 of the 40 ports of ip_local_port_range (60000 to 60039) are taken for connections \
                from 10.0.0.1 to 10.0.0.2:443 by api[812]: 30 sockets, 20 in TIME_WAIT; 10 are left.";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

#[test]
fn ports_that_are_bound_are_taken_for_every_destination() {
    let limits = forty_ports("");
    let mut used = at_ports(State::Established, 60000, 20);
    used.extend(at_ports(State::Bound, 60020, 10));
    for port in &mut used[20..] {
        port.local.ip = Some("127.0.0.9".parse().unwrap());
        (port.peer.ip, port.peer.port) = (None, None);
    }
    let (findings, _) = search(&used, &limits);
    assert_eq!((findings.len(), findings[0].count), (1, 20), "{findings:?}");
    assert!(
        findings[0].text.starts_with("30 of the 40 ports"),
        "{findings:?}"
    );
    // Where most are bound, it is said once, not of each destination.
    let mut used = at_ports(State::Bound, 60000, 36);
    used.extend(at_ports(State::Established, 60036, 4));
    for (number, socket) in used.iter_mut().enumerate() {
        socket.peer.port = Some(u32::try_from(number).unwrap());
    }
    let (findings, _) = search(&used, &limits);
    assert_eq!((findings.len(), findings[0].count), (1, 40), "{findings:?}");
    assert_eq!(findings[0].severity, CRITICAL);
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and sport >= :60000 and sport <= :60039 and src 10.0.0.1"
    );
    let told = "40 of the 40 ports of ip_local_port_range (60000 to 60039) are taken at 10.0.0.1 \
                by api[812]: 40 sockets, 0 in TIME_WAIT, 36 bound without a connection; 0 are left.";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

#[test]
fn ports_bound_before_connect_are_taken_whatever_the_destination() {
    let limits = forty_ports("");
    let used = |count| {
        let mut used = at_ports(State::Established, 60000, count);
        for (number, socket) in used.iter_mut().enumerate() {
            socket.peer.port = Some(u32::try_from(number).unwrap());
        }
        used
    };
    assert_eq!(kinds(&used(29), &limits), []);
    assert_eq!(kinds(&used(30), &limits), [("ephemeral_ports", WARNING)]);
    // The kernel chooses a port again for another destination.
    let mut shared = used(29);
    shared.extend(
        shared
            .clone()
            .into_iter()
            .map(|s| with(s, |s| s.peer.port = Some(7))),
    );
    let (findings, visits) = search(&shared, &limits);
    assert_eq!((findings.len(), visits), (0, 0), "{findings:?}");
}

#[test]
fn reserved_ports_are_none_to_choose_from() {
    let limits = forty_ports("60010-60019,60039");
    let used = at_ports(State::Established, 60000, 21);
    assert_eq!(kinds(&used, &limits), [], "11 of 29");
    let mut used = at_ports(State::Established, 60000, 10);
    used.extend(at_ports(State::Established, 60020, 12));
    let (findings, _) = search(&used, &limits);
    assert_eq!((findings.len(), findings[0].count), (1, 22), "{findings:?}");
    let sockets = "protocol = tcp and sport = 60000-60009,60020-60038 and src 10.0.0.1 and ";
    assert!(findings[0].sockets.starts_with(sockets), "{findings:?}");
    let told = "22 of the 29 ports of ip_local_port_range (60000 to 60039) without \
                ip_local_reserved_ports are taken for connections";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

#[test]
fn port_in_time_wait_that_the_kernel_chooses_again_is_not_taken_for_connect() {
    let at_loopback = || {
        let mut used = at_ports(State::TimeWait, 60000, 40);
        for socket in &mut used {
            socket.local.ip = Some("127.0.0.1".parse().unwrap());
        }
        used
    };
    let mut limits = forty_ports("");
    let (findings, _) = search(&at_loopback(), &limits);
    // bind has none left all the same.
    assert_eq!((findings.len(), findings[0].count), (1, 40), "{findings:?}");
    assert!(findings[0].text.contains("bind to port 0"), "{findings:?}");
    let mut set = |key: &str, value: &str| {
        let file = format!("sys/net/ipv4/{key}");
        limits.files.insert(file, value.to_owned());
        search(&at_loopback(), &limits).0
    };
    for (key, value, is_for_connect) in [
        ("tcp_timestamps", "0", true),
        ("tcp_timestamps", "1", false),
        ("tcp_tw_reuse", "0", true),
        ("tcp_tw_reuse", "1", false),
    ] {
        let found = set(key, value);
        let told = found[0].text.contains("for connections from 127.0.0.1 to");
        assert_eq!(told, is_for_connect, "{key} {value}: {found:?}");
    }
}

#[test]
fn ports_of_several_addresses_are_not_added_up() {
    let limits = forty_ports("");
    let at = |places: &[(&str, u32)]| {
        let mut sockets = Vec::new();
        for (ip, count) in places {
            let ip: std::net::IpAddr = ip.parse().unwrap();
            let family = if ip.is_ipv4() {
                Family::Inet
            } else {
                Family::Inet6
            };
            for _ in 0..*count {
                let mut socket = Socket::new(Protocol::Udp, family);
                socket.state = State::Unconn;
                socket.local.ip = Some(ip);
                socket.local.port = Some(60000 + u32::try_from(sockets.len()).unwrap());
                socket.inode = Some(53);
                socket.v6only = (family == Family::Inet6).then_some(false);
                sockets.push(socket);
            }
        }
        search(&sockets, &limits).0
    };
    assert_eq!(at(&[("127.0.0.2", 20), ("127.0.0.3", 20)]), []);
    assert_eq!(at(&[("127.0.0.2", 20), ("::1", 20)]), []);
    assert_eq!(at(&[("0.0.0.0", 20), ("::1", 20)]), []);
    // At every address is there too, and `::` takes IPv4.
    for any in ["0.0.0.0", "::"] {
        let found = at(&[("127.0.0.2", 16), ("127.0.0.3", 4), (any, 20)]);
        assert_eq!((found.len(), found[0].count), (1, 36), "{found:?}");
        let told = "36 of the 40 ports of ip_local_port_range (60000 to 60039) are taken at 127.0.0.2 \
                    by dns[1]: 36 sockets, 0 in TIME_WAIT, 36 bound without a connection; 4 are left.";
        assert!(found[0].text.starts_with(told), "{found:?}");
        assert!(
            found[0]
                .sockets
                .ends_with("and (src 127.0.0.2 or src 0.0.0.0)"),
            "{found:?}"
        );
    }
    let found = at(&[("0.0.0.0", 38), ("127.0.0.2", 2)]);
    assert_eq!((found.len(), found[0].count), (1, 38), "{found:?}");
    assert!(found[0].sockets.ends_with("and src 0.0.0.0"), "{found:?}");
}

#[test]
fn ports_of_udp_run_out_too() {
    let limits = forty_ports("");
    let used: Vec<Socket> = (0..38)
        .map(|number| {
            let mut socket = Socket::new(Protocol::Udp, Family::Inet);
            socket.state = if number < 20 {
                State::Unconn
            } else {
                State::Established
            };
            socket.local.ip = Some("0.0.0.0".parse().unwrap());
            socket.local.port = Some(60000 + number);
            socket.inode = Some(53);
            socket
        })
        .collect();
    let (findings, _) = search(&used, &limits);
    assert_eq!(
        (findings.len(), findings[0].severity),
        (1, CRITICAL),
        "{findings:?}"
    );
    let told = "38 of the 40 ports of ip_local_port_range (60000 to 60039) are taken at 0.0.0.0 by \
                dns[1]: 38 sockets, 0 in TIME_WAIT, 20 bound without a connection; 2 are left.";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

#[test]
fn past_overflow_of_an_accept_queue_is_told_by_the_drops_of_the_listener() {
    let dropping = |drops, waiting| {
        with(tcp(State::Listen), |s| {
            (s.recv_queue, s.send_queue) = (Some(waiting), Some(3));
            s.details_mut().memory = Some(crate::model::Memory {
                drops: Some(drops),
                ..crate::model::Memory::default()
            });
        })
    };
    let limits = machine(&[("overflows", &[12])]);
    assert_eq!(kinds(&[dropping(0, 0)], &limits), []);
    let info = [("accept_overflow", Severity::Info)];
    assert_eq!(kinds(&[dropping(1, 0)], &limits), info);
    assert_eq!(
        kinds(&[dropping(100, 0)], &limits),
        [("accept_overflow", WARNING)]
    );
    // Other reasons to drop, and a queue that is full now, which is told as that.
    assert_eq!(
        kinds(&[dropping(9, 0)], &machine(&[("overflows", &[0])])),
        []
    );
    assert_eq!(
        kinds(&[dropping(9, 4)], &limits),
        [("accept_queue", CRITICAL)]
    );
    // What TCP_DEFER_ACCEPT drops as it should.
    let deferred = machine(&[("overflows", &[12, 9])]);
    assert_eq!(kinds(&[dropping(9, 0)], &deferred), []);
    assert_eq!(kinds(&[dropping(10, 0)], &deferred), info);
    let (findings, _) = search(&[dropping(7, 1)], &limits);
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and memory.drops > 0 and inode = 7"
    );
    let told = "10.0.0.1:80 (api[812]) has dropped 7 handshakes since it listens: 1 wait in its accept \
                queue now, the backlog is 3. All listeners of this network namespace, closed ones too, \
                count 12 overflows";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
}

#[test]
fn process_without_a_descriptor_left_is_told_where_connections_wait() {
    let waiting = |waiting| {
        with(tcp(State::Listen), |s| {
            (s.recv_queue, s.send_queue) = (Some(waiting), Some(4_096));
        })
    };
    let kernel = |open| {
        let mut kernel = FakeKernel::default();
        let limits = "Max open files            1024                 4096                 files\n";
        kernel
            .files
            .insert("812/limits".to_owned(), limits.to_owned());
        kernel.descriptors.insert(812, open);
        kernel
    };
    assert_eq!(kinds(&[waiting(5)], &kernel(1_023)), []);
    assert_eq!(kinds(&[waiting(0)], &kernel(1_024)), []);
    let mut unlimited = FakeKernel::default();
    let text = "Max open files            unlimited            unlimited            files\n";
    unlimited
        .files
        .insert("812/limits".to_owned(), text.to_owned());
    assert_eq!(not_checked(&[waiting(5)], &unlimited), []);
    assert_eq!(not_checked(&[waiting(5)], &kernel(1_023)), []);
    let mut closed = kernel(1_024);
    closed.descriptors.clear();
    let unknown = with(waiting(5), |s| s.inode = Some(99));
    let one = [("descriptor_limit", CRITICAL, 1)];
    assert_eq!(not_checked(&[waiting(5)], &closed), one);
    assert_eq!(not_checked(&[waiting(5)], &FakeKernel::default()), one);
    assert_eq!(not_checked(&[unknown, waiting(5)], &kernel(1_023)), one);
    let idle = with(waiting(0), |s| s.inode = Some(99));
    assert_eq!(not_checked(&[idle], &kernel(1_023)), []);
    let (findings, _) = search(&[waiting(5)], &kernel(1_024));
    assert_eq!((findings.len(), findings[0].severity), (1, CRITICAL));
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and state listen and recv_queue > 0 and pid = 812"
    );
    let told = "api[812] cannot accept: all 1024 descriptors that RLIMIT_NOFILE allows are open, and 5 \
                connections wait at 10.0.0.1:80.";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
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

/// A process that holds sockets of these inodes, all of one protocol, and `used` sockets in the namespace
/// of which 5 are in tables.
fn leak(count: u64, protocol: &str, used: u64) -> (Vec<Finding>, usize) {
    leak_beside(count, protocol, used, 0)
}

/// As many of these sockets are in tables of another namespace.
fn leak_beside(count: u64, protocol: &str, used: u64, elsewhere: u64) -> (Vec<Finding>, usize) {
    let inodes: Vec<u64> = (1_000..1_000 + count).collect();
    let mut kernel = FakeKernel::default();
    let mut file = |name: &str, text: String| kernel.files.insert(name.to_owned(), text);
    file(
        "thread-self/net/sockstat",
        format!("sockets: used {used}\nTCP: inuse 5\n"),
    );
    let protocols = "protocol  size sockets memory\nTCP 2560 5 4\nUNIX 1024 -1 -1\n";
    file("thread-self/net/protocols", protocols.to_owned());
    file("900/comm", "le ak\n".to_owned());
    kernel.protocols = inodes
        .iter()
        .map(|inode| (*inode, protocol.to_owned()))
        .collect();
    let others = (1_000..1_000 + count)
        .rev()
        .take(elsewhere.try_into().unwrap());
    kernel.elsewhere = others.map(|inode| (inode, 4_026_532_215)).collect();
    // One of them is in a table.
    let listed = with(tcp(State::Established), |s| s.inode = Some(1_000));
    search_among(&[listed], &kernel, |root| {
        process(root, 900, "leak", &inodes);
    })
}

#[test]
fn sockets_in_no_table_are_counted_by_process() {
    assert_eq!(leak(20, "TCP", 25), (vec![], 2), "19");
    let (findings, visits) = leak(21, "TCP", 26);
    assert_eq!((findings.len(), visits), (1, 2), "{findings:?}");
    assert_eq!((findings[0].severity, findings[0].count), (WARNING, 20));
    assert_eq!(findings[0].sockets, "protocol = tcp and pid = 900");
    let told = "le ak[900] holds 20 TCP sockets that are in no table: never bound, reset by the peer, or closed";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
    assert_eq!(leak(1_001, "TCPv6", 1_100).0[0].severity, CRITICAL);
    // Sockets of other protocols, and of other network namespaces, which the kernel does not count here.
    assert_eq!(leak(2_000, "ALG", 2_005), (vec![], 2));
    assert_eq!(leak(2_000, "TCP", 24), (vec![], 0));
    assert_eq!(leak_beside(40, "TCP", 45, 20), (vec![], 2));
    assert_eq!(leak_beside(40, "TCP", 45, 19).0[0].count, 20);
}

#[test]
fn what_waits_to_be_accepted_names_its_listener() {
    let limits = FakeKernel::default();
    let waiting = |port| {
        with(tcp(State::CloseWait), |s| {
            (s.inode, s.local.port) = (None, Some(port));
        })
    };
    let listener = |ip: &str, port, inode| {
        with(tcp(State::Listen), |s| {
            s.local.ip = Some(ip.parse().unwrap());
            (s.local.port, s.inode) = (Some(port), Some(inode));
        })
    };
    let mut all = vec![waiting(80); 20];
    all.extend(vec![waiting(81); 19]);
    all.push(listener("0.0.0.0", 80, 7));
    all.push(listener("10.9.9.9", 80, 8));
    all.push(listener("0.0.0.0", 81, 8));
    let (findings, _) = search(&all, &limits);
    assert_eq!((findings.len(), findings[0].count), (1, 20), "{findings:?}");
    assert_eq!(
        findings[0].sockets,
        "protocol = tcp and state close-wait and process_status = none and sport = :80"
    );
    let told = "20 connections in CLOSE_WAIT wait to be accepted at 0.0.0.0:80 (api[812]).";
    assert!(findings[0].text.starts_with(told), "{findings:?}");
    let unread = with(tcp(State::Established), |s| {
        (s.inode, s.recv_queue) = (None, Some(16_384));
        info(s, 0, 5_000);
    });
    let (findings, _) = search(&[unread, listener("10.0.0.1", 80, 8)], &limits);
    let told = "16KiB waits on 1 connection that is not accepted yet at 10.0.0.1:80 (other[813]),";
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

#[test]
fn data_is_unread_from_16_kib_and_five_seconds_on() {
    let limits = FakeKernel::default();
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
    let limits = FakeKernel::default();
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
        assert_eq!(kinds(&[dropping(100)], &FakeKernel::default()), []);
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
    let limits = FakeKernel::default();
    let at = |family, ip: &str, port, inode| {
        let mut found = tcp(State::Listen);
        found.family = family;
        found.local.ip = Some(ip.parse().unwrap());
        (found.local.port, found.inode) = (Some(port), Some(inode));
        (found.recv_queue, found.send_queue) = (Some(0), Some(9));
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
        assert_eq!(not_checked(&own, &limits), [], "both are of one process");
        everywhere.inode = Some(84);
        let elsewhere = at(v4, "10.0.0.1", 80, 83);
        assert_eq!(kinds(&[loopback.clone(), other.clone()], &limits), []);
        assert_eq!(kinds(&[everywhere.clone(), elsewhere.clone()], &limits), []);
        let elsewhere_only = with(everywhere.clone(), |s| s.interface = Some(2));
        assert_eq!(kinds(&[elsewhere_only, loopback.clone()], &limits), []);
        let all = [everywhere, elsewhere, loopback, other];
        let (findings, _) = search(&all, &limits);
        let may_be = [("wildcard_and_loopback", Severity::Info, 2)];
        if !is_told {
            let is_unknown = all[0].family == v6 && all[2].family == v4 && v6only.is_none();
            let expected = if is_unknown { &may_be[..] } else { &[] };
            assert_eq!(not_checked(&all, &limits), expected);
            continue;
        }
        let unknown = all.clone().map(|s| with(s, |s| s.inode = Some(99)));
        assert_eq!(not_checked(&unknown, &limits)[..], may_be[..]);
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
        let (ip, inode) = if number.is_multiple_of(2) {
            ("127.0.0.1", 80)
        } else {
            ("0.0.0.0", 84)
        };
        found.local.ip = Some(ip.parse().unwrap());
        found.local.port = Some(1 + number / 2);
        found.inode = Some(inode);
        found
    };
    let all: Vec<Socket> = (0..8_000).map(listener).collect();
    let (findings, visits) = search(&all, &FakeKernel::default());
    assert_eq!((findings.len(), visits), (4_000, 4));
}
