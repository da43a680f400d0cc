//! Tests of ports that the kernel cannot choose.

use super::*;

/// A kernel with 40 ephemeral ports, of which these are reserved.
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

/// `count` sockets in this state at consecutive ports.
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
    // One more to another destination, and a listener outside the range, change nothing.
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
    // If most are bound, there is one finding, not one for each destination.
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
    // The kernel reuses a port for another destination.
    let mut shared = used(29);
    shared.extend(
        shared
            .clone()
            .into_iter()
            .map(|s| with(s, |s| s.peer.port = Some(7))),
    );
    let (findings, visits) = search(&shared, &limits);
    assert_eq!((findings.len(), visits), (0, [0; 2]), "{findings:?}");
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
    // bind has no port left all the same.
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
    let told = |places: &[(&str, u32)]| {
        let found = at(places);
        let told = found
            .iter()
            .map(|found| (found.sockets.clone(), found.count));
        let ports = "protocol = udp and sport >= :60000 and sport <= :60039";
        let told = told.map(|(own, count)| (own.replacen(ports, "", 1), count));
        told.collect::<Vec<_>>()
    };
    let of = |own: &str, count| (own.to_owned(), count);
    // Each address has ports left; a socket for every address has none.
    let every_ipv4 = [of(" and src 0.0.0.0/0", 40)];
    assert_eq!(told(&[("127.0.0.2", 20), ("127.0.0.3", 20)]), every_ipv4);
    assert_eq!(told(&[("127.0.0.2", 14), ("127.0.0.3", 15)]), []);
    assert_eq!(told(&[("127.0.0.2", 20), ("::1", 20)]), [of("", 40)]);
    assert_eq!(told(&[("0.0.0.0", 20), ("::1", 20)]), [of("", 40)]);
    let most = [of("", 40), of(" and src 0.0.0.0/0", 32)];
    let places = [("127.0.0.2", 16), ("127.0.0.3", 16), ("::1", 8)];
    assert_eq!(told(&places), most);
    // A socket at every address counts too, and `::` includes IPv4.
    for any in ["0.0.0.0", "::"] {
        let mut found = at(&[("127.0.0.2", 16), ("127.0.0.3", 4), (any, 20)]);
        assert_eq!((found.len(), found[0].count), (2, 40), "{found:?}");
        assert_eq!((found[0].severity, found[1].severity), (CRITICAL, WARNING));
        found.remove(0);
        assert_eq!(found[0].count, 36);
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
fn calls_that_fail_are_those_of_what_asks_for_a_port() {
    let limits = forty_ports("");
    let text = |protocol, ips: [&str; 2]| {
        let sockets = (0..40).map(|number| {
            let ip: std::net::IpAddr = ips[usize::from(number >= 20)].parse().unwrap();
            let family = if ip.is_ipv4() {
                Family::Inet
            } else {
                Family::Inet6
            };
            let mut socket = Socket::new(protocol, family);
            socket.state = match protocol {
                Protocol::Tcp => State::Bound,
                _ => State::Unconn,
            };
            (socket.local.ip, socket.local.port) = (Some(ip), Some(60000 + number));
            // Two processes.
            socket.inode = Some(if number < 20 { 7 } else { 8 });
            socket
        });
        let (found, _) = search(&sockets.collect::<Vec<_>>(), &limits);
        assert_eq!((found.len(), found[0].severity), (1, CRITICAL), "{found:?}");
        found[0].text.clone()
    };
    let begin = "40 of the 40 ports of ip_local_port_range (60000 to 60039) are taken ";
    let numbers = " by api[812], other[813]: 40 sockets, 0 in TIME_WAIT, 40 bound without a connection; 0 are \
                   left. bind to port 0 ";
    let (tcp, udp) = (Protocol::Tcp, Protocol::Udp);
    let [ipv4, both] = [["127.0.0.2", "127.0.0.3"], ["127.0.0.2", "::1"]];
    let [of_ipv4, of_both] = [
        "over all IPv4 addresses together",
        "over all addresses of both IP versions together",
    ];
    let tcp_too = "as does listen without bind; connect without bind fails with EADDRNOTAVAIL";
    let udp_too = "connect and send without bind fail with EAGAIN";
    for (protocol, ips, place, there, and) in [
        (tcp, ipv4, of_ipv4, "at 0.0.0.0 or [::]", tcp_too),
        (udp, ipv4, of_ipv4, "at 0.0.0.0 or [::]", udp_too),
        (tcp, both, of_both, "at [::]", tcp_too),
        (udp, both, of_both, "at [::]", udp_too),
        (udp, ["0.0.0.0"; 2], "at 0.0.0.0", "at any address", udp_too),
        (
            tcp,
            ["127.0.0.2"; 2],
            "at 127.0.0.2",
            "there",
            "connect without bind",
        ),
        (
            udp,
            ["127.0.0.2"; 2],
            "at 127.0.0.2",
            "there",
            "when none is left. ",
        ),
    ] {
        let text = text(protocol, ips);
        let told =
            format!("{begin}{place}{numbers}{there} fails with EADDRINUSE when none is left");
        assert!(text.starts_with(&told) && text.contains(and), "{text}");
    }
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
