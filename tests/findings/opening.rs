//! Handshakes, and ports for new ones.

use nix::sys::socket::setsockopt;

use super::{comes, connections, found, kinds, me, wait_for};
use crate::scene::expected::local_address;
use crate::scene::option::TcpDeferAccept;
use crate::scene::{At as _, V4, tcp};
use crate::support::fresh;

#[test]
fn a_peer_that_does_not_answer_is_named() {
    let Some(_namespace) = fresh() else { return };
    let held = tcp::states::syn_sent(V4).unwrap();
    let peer = held.the("SYN_SENT").peer.unwrap();
    // The SYN has to be sent twice again.
    assert!(!kinds(&["-t"]).contains(&"syn_sent".to_owned()));
    let text = comes(&["-t"], "syn_sent", "warning", 1);
    let told = format!(
        "{peer} does not answer: 1 connection in SYN_SENT ({})",
        me()
    );
    assert!(text.starts_with(&told), "{text}");
}

#[test]
fn handshakes_that_clients_do_not_complete_are_told() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener_with(V4, 200, |socket| {
        setsockopt(&socket, TcpDeferAccept, &60).at("TCP_DEFER_ACCEPT")
    })
    .unwrap();
    let mut clients: Vec<_> = (0..63).map(|_| tcp::connect(&listener).unwrap()).collect();
    wait_for("syn-rcvd", 63);
    assert_eq!(kinds(&["-t"]), [""; 0]);
    clients.push(tcp::connect(&listener).unwrap());
    wait_for("syn-rcvd", 64);
    let text = found(&["-t"], "syn_rcvd", "warning", 64).unwrap();
    let port = local_address(&listener).unwrap().port();
    let told = format!("64 handshakes to port {port} ({})", me());
    assert!(text.starts_with(&told), "{text}");
    assert!(text.contains("the backlog is 200"), "{text}");
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
        let server = tcp::accept(&listener).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        wait_for("close-wait", 1);
        drop(server);
        drop(client);
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
    let text = found(&["-t"], "ephemeral_ports", "warning", 29).unwrap();
    let to = local_address(&listener).unwrap();
    let told = format!(
        "30 of the 40 ports of ip_local_port_range (60000 to 60039) are used from 127.0.0.1 to {to} by \
         {}, 29 of them in TIME_WAIT; 10 are left.",
        me()
    );
    assert!(text.starts_with(&told), "{text}");
    for _ in 0..8 {
        use_one();
    }
    wait_for("time-wait", 37);
    assert!(found(&["-t"], "ephemeral_ports", "critical", 37).is_some());
}
