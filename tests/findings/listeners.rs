//! Listeners that do not accept, and those that share a port.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use nix::sys::socket::setsockopt;
use rustix::net::sockopt;
use tempfile::TempDir;

use super::{comes, found, kinds, me};
use crate::scene::expected::local_address;
use crate::scene::option::TcpDeferAccept;
use crate::scene::{At as _, V4, holder, tcp, unix};
use crate::support::{close, fresh, lsock, until};

#[test]
fn a_full_accept_queue_is_told_and_before_that_a_nearly_full_one() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 3).unwrap();
    let _other = tcp::listener(V4, 128).unwrap();
    let mut clients = Vec::new();
    for wanted in [None, None, Some("warning"), Some("critical")] {
        clients.push(tcp::connect(&listener).unwrap());
        let waits = Some(clients.len());
        until("the connection waits", || {
            let rows = crate::support::list(&["-tln", "recv_queue > 0"]);
            let waiting = rows.first().and_then(|row| row["recv_queue"].as_u64());
            (waiting.map(|w| usize::try_from(w).unwrap()) == waits).then_some(())
        });
        let Some(severity) = wanted else {
            assert_eq!(kinds(&["-t"]), [""; 0]);
            continue;
        };
        let text = found(&["-t"], "accept_queue", severity, 1).unwrap();
        let local = local_address(&listener).unwrap();
        let state = if severity == "critical" {
            "full"
        } else {
            "nearly full"
        };
        let told = format!(
            "The accept queue of {local} ({}) is {state}: {} waiting, the backlog is 3 (somaxconn is ",
            me(),
            clients.len(),
        );
        assert!(text.starts_with(&told), "{text}");
    }
}

#[test]
fn an_accept_queue_that_overflowed_and_is_empty_again_is_told() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let place = local_address(&listener).unwrap();
    let accept_all = |count| {
        let accepted = (0..count).map(|_| tcp::accept(&listener).unwrap());
        accepted.collect::<Vec<_>>()
    };
    let waiting: Vec<_> = (0..2).map(|_| tcp::connect(&listener).unwrap()).collect();
    let _accepted = accept_all(2);
    assert_eq!(kinds(&["-t"]), [""; 0]);
    let more = (0..3).map(|_| {
        let client = tcp::socket(V4).unwrap();
        tcp::begin_to_connect(&client, place).unwrap();
        client
    });
    let _more: Vec<_> = more.collect();
    let drops = || {
        let rows = crate::support::list(&["-tlnm", "memory.drops > 0"]);
        rows.first().and_then(|row| row["memory"]["drops"].as_u64())
    };
    until("the queue overflows", drops);
    let _accepted = accept_all(3);
    close(waiting);
    let text = found(&["-t"], "accept_overflow", "info", 1).unwrap();
    let drops = drops().unwrap();
    let told = format!(
        "{place} ({}) has dropped {drops} handshakes since it began to listen: 0 wait in its accept queue now, \
         the backlog is 1.",
        me()
    );
    assert!(text.starts_with(&told), "{text}");
    let of_namespace = format!("count {drops} overflows of accept queues (ListenOverflows)");
    assert!(text.contains(&of_namespace), "{text}");
    close(listener);
    let _other = tcp::listener(V4, 1).unwrap();
    assert_eq!(kinds(&["-t"]), [""; 0], "the listener is closed");
}

#[test]
fn an_overflow_is_not_passed_over_for_what_a_deferred_accept_drops() {
    let Some(_namespace) = fresh() else { return };
    let deferring = tcp::listener_with(V4, 200, |socket| {
        setsockopt(&socket, TcpDeferAccept, &60).at("TCP_DEFER_ACCEPT")
    })
    .unwrap();
    let _deferred: Vec<_> = (0..50).map(|_| tcp::connect(&deferring).unwrap()).collect();
    let drops = |least: u64| {
        let rows = crate::support::list(&["-tlnm", &format!("memory.drops >= {least}")]);
        rows.len()
    };
    until("each ACK is dropped", || (drops(50) == 1).then_some(()));
    let status = |severity| lsock(["-stq", "--fail-on", severity]).status;
    assert_eq!((kinds(&["-t"]), status("info")), (vec![], Some(0)));
    let full = tcp::listener(V4, 1).unwrap();
    let place = local_address(&full).unwrap();
    let clients = (0..4).map(|_| {
        let client = tcp::socket(V4).unwrap();
        tcp::begin_to_connect(&client, place).unwrap();
        client
    });
    let _clients: Vec<_> = clients.collect();
    until("the queue overflows", || (drops(1) == 2).then_some(()));
    let _accepted: Vec<_> = (0..4).map(|_| tcp::accept(&full).unwrap()).collect();
    let run = lsock(["-stj", "--fail-on", "info"]);
    let untold = serde_json::json!([{"kind": "accept_overflow", "sockets": 2}]);
    assert_eq!(
        (run.status, &run.document()["not_checked"]),
        (Some(2), &untold)
    );
    assert_eq!(status("warning"), Some(0));
}

#[test]
fn a_process_without_a_descriptor_left_is_told_where_connections_wait() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 100).unwrap();
    let place = local_address(&listener).unwrap();
    let (child, _) = holder::owner(&listener, &[]).unwrap();
    let open = holder::descriptors_of(child.pid()).unwrap().len();
    let open = u64::try_from(open).unwrap();
    let limit = |most: u64| {
        let limit = rustix::process::Rlimit {
            current: Some(most),
            maximum: Some(1_024),
        };
        let pid = rustix::process::Pid::from_raw(child.pid().try_into().unwrap());
        rustix::process::prlimit(pid, rustix::process::Resource::Nofile, limit).unwrap();
    };
    limit(open);
    assert_eq!(kinds(&["-t"]), [""; 0], "nobody waits");
    let _client = tcp::connect(&listener).unwrap();
    let told = format!(
        "sleep[{}] cannot accept: all {open} descriptors that RLIMIT_NOFILE allows are open, with 1 \
         connection waiting at {place}.",
        child.pid()
    );
    let is_told = |severity: &str, begin: String| {
        let text = comes(&["-t"], "descriptor_limit", severity, 1);
        assert!(text.starts_with(&begin), "{text}");
    };
    is_told("warning", format!("{told} {} can still accept them.", me()));
    close(listener);
    is_told("critical", format!("{told} Close unused"));
    limit(open + 1);
    assert_eq!(kinds(&["-t"]), [""; 0]);
}

#[test]
fn a_unix_listener_that_does_not_accept_is_told() {
    let Some(_namespace) = fresh() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("it's");
    let listener = unix::socket(rustix::net::SocketType::STREAM).unwrap();
    let address = rustix::net::SocketAddrUnix::new(&path).unwrap();
    rustix::net::bind(&listener, &address).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    let _one = UnixStream::connect(&path).unwrap();
    assert_eq!(kinds(&["-x"]), [""; 0]);
    let _two = UnixStream::connect(&path).unwrap();
    let text = found(&["-x"], "accept_queue", "critical", 1).unwrap();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
}

/// A listener that shares its port.
fn sharing(address: SocketAddr, is_v6only: bool) -> OwnedFd {
    let socket = tcp::socket(address.ip()).unwrap();
    sockopt::set_socket_reuseport(&socket, true).unwrap();
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, is_v6only).unwrap();
    }
    rustix::net::bind(&socket, &address).unwrap();
    rustix::net::listen(&socket, 5).unwrap();
    socket
}

#[test]
fn listeners_of_every_address_and_of_loopback_on_one_port_are_told() {
    let Some(_namespace) = fresh() else { return };
    let ip = |text: &str| -> IpAddr { text.parse().unwrap() };
    for (loopback, any, is_v6only, is_told) in [
        ("127.0.0.1", "0.0.0.0", false, true),
        ("127.0.0.1", "::", false, true),
        ("127.0.0.1", "::", true, false),
        ("::1", "::", true, true),
        ("::1", "0.0.0.0", false, false),
    ] {
        let here = sharing(SocketAddr::new(ip(loopback), 0), true);
        let port = local_address(&here).unwrap().port();
        let everywhere = sharing(SocketAddr::new(ip(any), port), is_v6only);
        assert_eq!(kinds(&["-t"]), [""; 0], "both are of one program");
        let (_other, _) = holder::owner(&everywhere, &[]).unwrap();
        close(everywhere);
        let Some(text) = found(&["-t"], "wildcard_and_loopback", "info", 2) else {
            assert!(!is_told, "{loopback} {any}");
            assert_eq!(kinds(&["-t"]), [""; 0]);
            continue;
        };
        assert!(is_told, "{loopback} {any}: {text}");
        let begin = format!("Port {port} is listened on at every address by ");
        let end = format!(" and at loopback by {}", me());
        assert!(text.starts_with(&begin) && text.contains(&end), "{text}");
    }
}
