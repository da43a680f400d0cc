//! Tests of listeners and the connections that wait for them.

use super::*;

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

/// The time is not quadratic in the number of listeners.
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
    assert_eq!((findings.len(), visits), (4_000, [4; 2]));
}
