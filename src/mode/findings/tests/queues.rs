//! Tests of queues that are not emptied.

use super::*;

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
fn few_that_may_be_stuck_are_looked_up() {
    let at = |port, unread| {
        with(tcp(State::Established), |s| {
            (s.local.port, s.recv_queue) = (Some(port), Some(unread));
            info(s, 0, 5_000);
        })
    };
    let mut all: Vec<Socket> = (1_000..1_030).map(|port| at(port, 9)).collect();
    all.extend([at(1, 20_000), at(2, 20_000)]);
    let (findings, visits) = search(&all, &FakeKernel::default());
    // One at a time.
    assert_eq!((findings[0].count, visits), (2, [2, 2]));
    all[0].recv_queue = Some(20_000);
    all.extend((2_000..2_016).map(|port| at(port, 9)));
    let (findings, visits) = search(&all, &FakeKernel::default());
    assert_eq!((findings[0].count, visits), (3, [2, 3]));
    // Too many, or from a source that looks nothing up.
    let (findings, visits) = search(&all[..47], &FakeKernel::default());
    assert_eq!((findings[0].count, visits), (3, [2, 2]));
    for socket in &mut all {
        socket.source = crate::model::Source::Procfs;
    }
    let (_, visits) = search(&all, &FakeKernel::default());
    assert_eq!(visits, [2, 2]);
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
