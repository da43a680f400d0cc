//! Handshakes.

use std::net::SocketAddr;

use nix::sys::socket::setsockopt;

use super::{comes, found, kinds, me};
use crate::scene::expected::local_address;
use crate::scene::option::TcpDeferAccept;
use crate::scene::{At as _, V4, tcp};
use crate::support::{fresh, list, until};

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
    let listener = tcp::listener(V4, 200).unwrap();
    let port = local_address(&listener).unwrap().port();
    let here = format!("sport = :{port}");
    let mut clients: Vec<_> = (0..63)
        .map(|_| tcp::deaf_client(&listener).unwrap())
        .collect();
    // The first SYN and ACK is sent again after a second.
    let sent_again = |count: usize| {
        until("the SYN and ACK is sent again", || {
            let filter = "state syn-rcvd and timer.retransmits >= 1";
            (list(&["-tan", filter]).len() == count).then_some(())
        });
    };
    sent_again(63);
    assert_eq!(kinds(&["-t", &here]), [""; 0]);
    clients.push(tcp::deaf_client(&listener).unwrap());
    sent_again(64);
    let text = found(&["-t", &here], "syn_rcvd", "warning", 64).unwrap();
    let told = format!("64 handshakes to port {port} ({})", me());
    assert!(text.starts_with(&told), "{text}");
    assert!(text.contains("the backlog is 200"), "{text}");
}

#[test]
fn clients_that_a_deferred_accept_waits_for_are_no_flood() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener_with(V4, 200, |socket| {
        setsockopt(&socket, TcpDeferAccept, &60).at("TCP_DEFER_ACCEPT")
    })
    .unwrap();
    let _clients: Vec<_> = (0..100).map(|_| tcp::connect(&listener).unwrap()).collect();
    // The timer has fired once, and sent nothing.
    until("all wait longer", || {
        let filter = "state syn-rcvd and timer.expires_ms > 1s";
        (list(&["-tan", filter]).len() == 100).then_some(())
    });
    assert_eq!(kinds(&["-t"]), [""; 0]);
}

#[test]
fn a_socket_that_is_connected_to_itself_is_told() {
    let Some(namespace) = fresh() else { return };
    namespace
        .set_sysctl("ipv4/ip_local_port_range", "60000 60001")
        .unwrap();
    // The same port at both ends, of two sockets.
    let [one, other] = ["127.0.0.1:59999", "127.0.0.2:59999"].map(|address| {
        let address: SocketAddr = address.parse().unwrap();
        let socket = tcp::socket(V4).unwrap();
        rustix::net::bind(&socket, &address).unwrap();
        (socket, address)
    });
    rustix::net::listen(&other.0, 5).unwrap();
    rustix::net::connect(&one.0, &other.1).unwrap();
    assert_eq!(kinds(&["-t"]), [""; 0]);
    let port: SocketAddr = "127.0.0.1:60000".parse().unwrap();
    let _to_itself = until("the kernel chooses this port", || {
        let socket = tcp::socket(V4).unwrap();
        rustix::net::connect(&socket, &port).ok().map(|()| socket)
    });
    let text = found(&["-t"], "self_connected", "warning", 1).unwrap();
    let told = format!("{} is connected to itself at {port}.", me());
    assert!(text.starts_with(&told), "{text}");
}
