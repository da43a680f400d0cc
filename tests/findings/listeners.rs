//! Listeners that do not accept, and those that share a port.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::unix::net::UnixStream;

use rustix::net::sockopt;
use tempfile::TempDir;

use super::{found, kinds, me};
use crate::scene::expected::local_address;
use crate::scene::{At as _, V4, tcp};
use crate::support::{fresh, until};

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
fn a_unix_listener_that_does_not_accept_is_told() {
    let Some(_namespace) = fresh() else { return };
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("it's");
    let listener = rustix::net::socket(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
        None,
    )
    .unwrap();
    let address = rustix::net::SocketAddrUnix::new(&path).unwrap();
    rustix::net::bind(&listener, &address).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    let _one = UnixStream::connect(&path).unwrap();
    assert_eq!(kinds(&["-x"]), [""; 0]);
    let _two = UnixStream::connect(&path).unwrap();
    let text = found(&["-x"], "accept_queue", "critical", 1).unwrap();
    assert!(text.contains(path.to_str().unwrap()), "{text}");
}

#[test]
fn listeners_of_every_address_and_of_loopback_on_one_port_are_told() {
    let Some(_namespace) = fresh() else { return };
    let here = tcp::listener(V4, 5).unwrap();
    let _elsewhere = tcp::listener(IpAddr::V6(Ipv6Addr::UNSPECIFIED), 5).unwrap();
    assert_eq!(kinds(&["-t"]), [""; 0]);
    let port = local_address(&here).unwrap().port();
    let any = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let everywhere = tcp::socket(any).unwrap();
    sockopt::set_ipv6_v6only(&everywhere, true)
        .at("IPV6_V6ONLY")
        .unwrap();
    rustix::net::bind(&everywhere, &SocketAddr::new(any, port)).unwrap();
    rustix::net::listen(&everywhere, 5).unwrap();
    let text = found(&["-t"], "wildcard_and_loopback", "info", 2).unwrap();
    let told = format!(
        "Port {port} is listened on at every address by {0} and at loopback by {0}",
        me()
    );
    assert!(text.starts_with(&told), "{text}");
    assert_eq!(kinds(&["-t4"]), [""; 0]);
}
