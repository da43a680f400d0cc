//! A SYN that was not sent is not told as sent.

use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::socket::{setsockopt, sockopt::TcpFastOpenConnect};
use rustix::net::sockopt;
use serde_json::Value;

use super::watch::{Watch, traced};
use crate::scene::expected::local_address;
use crate::scene::{Namespace, V4, tcp};
use crate::support::{Reading, close, fresh, list, program, until};

const MAY_WAIT: &str = "handshake 1/3: SYN may wait for data (TCP Fast Open)";
const NO_SYN: &str = "handshake 1/3: no SYN yet";
const SENT: &str = "handshake 1/3: SYN sent";
const CLOSED: &str = "closed before a SYN was sent";

/// A socket in `SYN_SENT` that sends its SYN with the first data.
fn waiting(namespace: &Namespace, to: SocketAddr) -> OwnedFd {
    // Clients may, without a cookie of the peer.
    namespace.set_sysctl("ipv4/tcp_fastopen", "5").unwrap();
    let socket = tcp::socket(V4).unwrap();
    setsockopt(&socket, TcpFastOpenConnect, &true).unwrap();
    rustix::net::connect(&socket, &to).unwrap();
    let sockets = list(&["-tan", "state = SYN_SENT"]);
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    assert_eq!(sockets[0]["timer"], Value::Null);
    socket
}

/// The words of the steps of a socket that connects from or to a port.
fn to_words(events: &[Value], key: &str, port: u16) -> Vec<String> {
    let of_port = events.iter().filter(|event| event[key] == port);
    let steps = of_port.map(|event| event["step"].as_str().unwrap_or_default().to_owned());
    steps.collect()
}

#[test]
fn syn_that_waits_for_data_was_not_sent() {
    let Some(namespace) = traced() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let to = local_address(&listener).unwrap();
    let watch = Watch::begin(&[], "");
    // The end comes before the step is told, or later.
    close(waiting(&namespace, to));
    let socket = waiting(&namespace, to);
    watch.ring();
    close(socket);
    namespace.set_sysctl("ipv4/tcp_fastopen", "1").unwrap();
    let client = tcp::connect(&listener).unwrap();
    let here = client.local_addr().unwrap().port();
    let (events, run) = watch.end();
    run.clean();
    assert_eq!(to_words(&events, "local_port", here)[0], SENT);
    let to_port = to_words(&events, "peer_port", to.port());
    assert!([NO_SYN, MAY_WAIT].contains(&&*to_port[0]), "{to_port:?}");
    assert_eq!(to_port[1..4], [CLOSED, MAY_WAIT, CLOSED]);
}

#[test]
fn connection_whose_ends_are_taken_sends_nothing() {
    let Some(_namespace) = traced() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let to = local_address(&listener).unwrap();
    let connect = |port| {
        let socket = tcp::socket(V4).unwrap();
        sockopt::set_socket_reuseaddr(&socket, true).unwrap();
        rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
        let connected = rustix::net::connect(&socket, &to);
        (socket, connected)
    };
    let (first, connected) = connect(0);
    connected.unwrap();
    let port = local_address(&first).unwrap().port();
    let watch = Watch::begin(&[], "");
    let (_second, refused) = connect(port);
    assert_eq!(refused.unwrap_err().raw_os_error(), libc::EADDRNOTAVAIL);
    let (events, run) = watch.end();
    run.clean();
    assert_eq!(to_words(&events, "local_port", port), [NO_SYN, CLOSED]);
}

#[test]
fn socket_without_a_timer_is_sampled_as_one_that_has_sent_nothing() {
    let Some(namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let to = local_address(&listener).unwrap();
    for source in ["netlink", "procfs"] {
        let words = ["-E", "-t", "--source", source, "--format", "ndjson"];
        let read = |line: String| serde_json::from_str::<Value>(&line).unwrap();
        let running = Reading::start(program().args(words), read);
        // It knows what was there when a listener that comes is told.
        until("a listener", || {
            let _listener = tcp::listener(V4, 1).unwrap();
            std::thread::sleep(Duration::from_millis(200));
            running.is(|events| !events.is_empty()).then_some(())
        });
        let socket = waiting(&namespace, to);
        running.wait_for("SYN_SENT", |events| {
            events.iter().any(|event| event["new_state"] == "SYN_SENT")
        });
        close(socket);
        let (events, _) = running.end_by(Signal::SIGTERM);
        assert_eq!(to_words(&events, "peer_port", to.port())[0], NO_SYN);
    }
}
