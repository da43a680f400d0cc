//! Ports that the kernel cannot choose any more: each is used up until the kernel says so.

use std::io::Read as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{connections, found, kinds, me, wait_for};
use crate::scene::expected::local_address;
use crate::scene::{Namespace, V4, tcp};
use crate::support::{can_list_bound, close, fresh};

/// A namespace where the kernel chooses from 40 ports.
fn forty_ports() -> Option<Namespace> {
    let namespace = fresh()?;
    namespace
        .set_sysctl("ipv4/ip_local_port_range", "60000 60039")
        .unwrap();
    Some(namespace)
}

fn loopback(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), port))
}

/// A listener at 127.0.0.N:100.
fn server(last: u8) -> OwnedFd {
    let listener = tcp::socket(V4).unwrap();
    rustix::net::bind(&listener, &loopback(last, 100)).unwrap();
    rustix::net::listen(&listener, 200).unwrap();
    listener
}

/// Connects from a port that the kernel chooses: by `bind`, where an address is given.
fn connect(from: Option<SocketAddr>, to: SocketAddr) -> rustix::io::Result<OwnedFd> {
    let socket = tcp::socket(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
    if let Some(from) = from {
        rustix::net::bind(&socket, &from)?;
    }
    rustix::net::connect(&socket, &to)?;
    Ok(socket)
}

/// As many as the kernel allows, and why no more.
fn exhaust<T>(mut one: impl FnMut(u8) -> rustix::io::Result<T>) -> (Vec<T>, Errno) {
    let mut kept = Vec::new();
    loop {
        match one(u8::try_from(kept.len()).unwrap()) {
            Ok(socket) => kept.push(socket),
            Err(errno) => return (kept, errno),
        }
    }
}

#[test]
fn ports_of_open_connections_to_one_destination_are_counted_without_reserved_ones() {
    let Some(namespace) = forty_ports() else {
        return;
    };
    namespace
        .set_sysctl("ipv4/ip_local_reserved_ports", "60010-60019")
        .unwrap();
    let _server = server(2);
    let (mut kept, errno) = exhaust(|_| connect(None, loopback(2, 100)));
    assert_eq!((kept.len(), errno), (30, Errno::ADDRNOTAVAIL));
    let text = found(&["-t"], "ephemeral_ports", "critical", 30).unwrap();
    let told = format!(
        "30 of the 30 ports of ip_local_port_range (60000 to 60039) without ip_local_reserved_ports are \
         taken for connections from 127.0.0.1 to 127.0.0.2:100 by {}: 30 sockets, 0 in TIME_WAIT; 0 are left.",
        me()
    );
    assert!(text.starts_with(&told), "{text}");
    assert_eq!(kinds(&["-t"]), ["ephemeral_ports"]);
    let rest = kept.split_off(22);
    for socket in &rest {
        rustix::net::sockopt::set_socket_linger(socket, Some(std::time::Duration::ZERO)).unwrap();
    }
    close(rest);
    assert_eq!(kinds(&["-t"]), [""; 0], "22 of 30");
}

#[test]
fn ports_bound_before_connect_are_counted_over_all_destinations() {
    let Some(_namespace) = forty_ports() else {
        return;
    };
    let _servers: Vec<_> = (2..60).map(server).collect();
    let here = loopback(1, 0);
    let (_kept, errno) = exhaust(|number| connect(Some(here), loopback(number + 2, 100)));
    assert_eq!(errno, Errno::ADDRINUSE);
    let refused = connect(None, loopback(59, 100)).map(|_| ());
    assert_eq!(refused, Err(Errno::ADDRNOTAVAIL));
    let text = found(&["-t"], "ephemeral_ports", "critical", 40).unwrap();
    let told = format!(
        "40 of the 40 ports of ip_local_port_range (60000 to 60039) are taken at 127.0.0.1 by {}",
        me()
    );
    assert!(text.starts_with(&told), "{text}");
}

#[test]
fn ports_that_are_bound_and_never_connected_are_counted() {
    if !can_list_bound() {
        return;
    }
    let Some(_namespace) = forty_ports() else {
        return;
    };
    let (_kept, errno) = exhaust(|_| {
        let socket = tcp::socket(V4).unwrap();
        rustix::net::bind(&socket, &loopback(1, 0))?;
        Ok(socket)
    });
    assert_eq!(errno, Errno::ADDRINUSE);
    let text = found(&["-t"], "ephemeral_ports", "critical", 40).unwrap();
    assert!(
        text.contains("40 bound without a connection; 0 are left."),
        "{text}"
    );
    let (_datagrams, errno) = exhaust(|_| {
        let socket = UdpSocket::bind(loopback(1, 0));
        socket.map_err(|error| Errno::from_io_error(&error).unwrap())
    });
    assert_eq!(errno, Errno::ADDRINUSE);
    assert!(found(&["-u"], "ephemeral_ports", "critical", 40).is_some());
}

#[test]
fn ports_of_several_addresses_together_are_those_of_every_address() {
    if !can_list_bound() {
        return;
    }
    let Some(_namespace) = forty_ports() else {
        return;
    };
    let _server = server(9);
    let bind = |address: SocketAddr| {
        let socket = tcp::socket(address.ip()).unwrap();
        rustix::net::bind(&socket, &address).map(|()| socket)
    };
    let at = |number: u8| loopback(2 + number % 4, 60_000 + u16::from(number));
    let _kept: Vec<_> = (0..40).map(|number| bind(at(number)).unwrap()).collect();
    let refused = |address: SocketAddr| bind(address).map(|_| ()).unwrap_err();
    let any = (Ipv4Addr::UNSPECIFIED, 0).into();
    assert_eq!(refused(any), Errno::ADDRINUSE);
    assert_eq!(refused((Ipv6Addr::UNSPECIFIED, 0).into()), Errno::ADDRINUSE);
    let refused = connect(None, loopback(9, 100)).map(|_| ());
    assert_eq!(refused, Err(Errno::ADDRNOTAVAIL));
    for last in 2..6 {
        bind(loopback(last, 0)).unwrap();
    }
    let text = found(&["-t"], "ephemeral_ports", "critical", 40).unwrap();
    let told = format!(
        "40 of the 40 ports of ip_local_port_range (60000 to 60039) are taken over all IPv4 addresses together \
         by {}: 40 sockets, 0 in TIME_WAIT, 40 bound without a connection; 0 are left. bind to port 0 at \
         0.0.0.0 or [::] fails with EADDRINUSE when none is left, as does listen without bind; connect without \
         bind fails with EADDRNOTAVAIL when all are bound.",
        me()
    );
    assert!(text.starts_with(&told), "{text}");

    let datagrams = (0..40).map(|number| UdpSocket::bind(at(number)).unwrap());
    let _datagrams: Vec<_> = datagrams.collect();
    let (family, kind) = (AddressFamily::INET, SocketType::DGRAM);
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, None).unwrap();
    let refused = rustix::net::connect(&socket, &loopback(9, 100));
    assert_eq!(refused, Err(Errno::AGAIN));
    assert_eq!(
        UdpSocket::bind(any).unwrap_err().raw_os_error(),
        Some(Errno::ADDRINUSE.raw_os_error())
    );
    let text = found(&["-u"], "ephemeral_ports", "critical", 40).unwrap();
    assert!(
        text.contains("connect and send without bind fail with EAGAIN."),
        "{text}"
    );
}

#[test]
fn ports_of_both_ip_versions_together_are_those_of_what_takes_both() {
    if !can_list_bound() {
        return;
    }
    let Some(_namespace) = forty_ports() else {
        return;
    };
    let v6 = |port| SocketAddr::from((Ipv6Addr::LOCALHOST, port));
    let kept = (0..40).map(|number| {
        let address = match number % 2 {
            0 => loopback(1, 60_000 + number),
            _ => v6(60_000 + number),
        };
        let socket = tcp::socket(address.ip()).unwrap();
        rustix::net::bind(&socket, &address).unwrap();
        socket
    });
    let _kept: Vec<_> = kept.collect();
    let bind =
        |address: SocketAddr| rustix::net::bind(tcp::socket(address.ip()).unwrap(), &address);
    assert_eq!(bind((Ipv4Addr::UNSPECIFIED, 0).into()), Ok(()));
    assert_eq!(bind(v6(0)), Ok(()));
    assert_eq!(
        bind((Ipv6Addr::UNSPECIFIED, 0).into()),
        Err(Errno::ADDRINUSE)
    );
    let text = found(&["-t"], "ephemeral_ports", "critical", 40).unwrap();
    assert!(
        text.contains("bind to port 0 at [::] fails with EADDRINUSE"),
        "{text}"
    );
    assert_eq!(kinds(&["-t4"]), [""; 0]);
}

#[test]
fn ports_that_connect_uses_for_many_destinations_are_not_taken() {
    let Some(_namespace) = forty_ports() else {
        return;
    };
    let _servers: Vec<_> = (2..62).map(server).collect();
    let clients = (2..62).map(|last| connect(None, loopback(last, 100)).unwrap());
    let _clients: Vec<_> = clients.collect();
    assert_eq!(kinds(&["-t"]), [""; 0]);
}

#[test]
fn ports_that_time_wait_uses_up_are_counted() {
    let Some(namespace) = fresh() else { return };
    let (listener, _none) = connections(0);
    // Loopback would use a port in TIME_WAIT again after a second.
    namespace.set_sysctl("ipv4/tcp_tw_reuse", "0").unwrap();
    namespace
        .set_sysctl("ipv4/ip_local_port_range", "60000 60039")
        .unwrap();
    let mut kept = Vec::new();
    let use_one = || {
        let client = tcp::connect(&listener).unwrap();
        let mut server = tcp::accept(&listener).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(server.read(&mut [0]).unwrap(), 0, "in CLOSE_WAIT");
        close(server);
        close(client);
    };
    for _ in 0..28 {
        use_one();
    }
    wait_for("time-wait", 28);
    let client = tcp::connect(&listener).unwrap();
    kept.push((client, tcp::accept(&listener).unwrap()));
    assert_eq!(kinds(&["-t"]), [""; 0]);
    use_one();
    wait_for("time-wait", 29);
    let text = found(&["-t"], "ephemeral_ports", "warning", 30).unwrap();
    let to = local_address(&listener).unwrap();
    let told = format!(
        "30 of the 40 ports of ip_local_port_range (60000 to 60039) are taken for connections from 127.0.0.1 \
         to {to} by {}: 30 sockets, 29 in TIME_WAIT; 10 are left.",
        me()
    );
    assert!(text.starts_with(&told), "{text}");
    for _ in 0..8 {
        use_one();
    }
    wait_for("time-wait", 37);
    assert!(found(&["-t"], "ephemeral_ports", "critical", 38).is_some());
}
