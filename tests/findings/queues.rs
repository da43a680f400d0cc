//! Queues that do not empty.

use std::net::UdpSocket;

use rustix::net::sockopt;

use super::{comes, findings, found, kinds, me};
use crate::scene::{V4, V6, tcp};
use crate::support::fresh;

#[test]
fn what_nobody_reads_and_what_cannot_be_sent_for_it_are_told() {
    let Some(_namespace) = fresh() else { return };
    let _read = tcp::pair(V4).unwrap();
    assert_eq!(kinds(&["-t"]), [""; 0]);
    let pair = tcp::pair(V6).unwrap();
    sockopt::set_socket_send_buffer_size(&pair.client, 1 << 20).unwrap();
    pair.client.set_nonblocking(true).unwrap();
    while std::io::Write::write(&mut &pair.client, &[b'.'; 4_096]).is_ok() {}
    let text = comes(&["-t"], "peer_window", "warning", 1);
    assert!(
        text.contains(&format!(" on 1 connection of {} cannot be sent", me())),
        "{text}"
    );
    let text = comes(&["-t"], "receive_queue", "warning", 1);
    assert!(
        text.starts_with(&format!("{} does not read: ", me())),
        "{text}"
    );
    assert_eq!(kinds(&["-t4"]), [""; 0]);
    // Among many, both are looked up.
    let _others: Vec<_> = (0..40).map(|_| tcp::pair(V6).unwrap()).collect();
    for kind in ["peer_window", "receive_queue"] {
        assert!(found(&["-t"], kind, "warning", 1).is_some(), "{kind}");
    }
}

#[test]
fn a_little_unread_is_no_finding() {
    let Some(_namespace) = fresh() else { return };
    let pair = tcp::pair(V4).unwrap();
    std::io::Write::write_all(&mut &pair.client, &[b'.'; 1_000]).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(6));
    assert_eq!(kinds(&["-t"]), [""; 0]);
}

#[test]
fn data_that_is_not_acknowledged_is_told() {
    let Some(_namespace) = fresh() else { return };
    let _broken = tcp::broken(V4).unwrap();
    let text = comes(&["-t"], "send_queue", "warning", 1);
    let told = format!(
        "9B on 1 connection of {} cannot be delivered: sent at least 4 times",
        me()
    );
    assert!(text.starts_with(&told), "{text}");
    assert_eq!(kinds(&["-t"]), ["send_queue"]);
}

#[test]
fn datagrams_dropped_for_want_of_room_are_counted() {
    let Some(_namespace) = fresh() else { return };
    let slow = UdpSocket::bind((V4, 0)).unwrap();
    sockopt::set_socket_recv_buffer_size(&slow, 0).unwrap();
    let sender = UdpSocket::bind((V4, 0)).unwrap();
    let send = |count: usize| {
        for _ in 0..count {
            sender
                .send_to(&[b'.'; 1_000], slow.local_addr().unwrap())
                .unwrap();
        }
    };
    send(50);
    assert_eq!(findings(&["-u"]), Vec::<serde_json::Value>::new());
    send(200);
    let text = found(&["-u"], "udp_drops", "warning", 1).unwrap();
    assert!(text.starts_with(&format!("{} lost ", me())), "{text}");
    assert_eq!(kinds(&["-t"]), [""; 0]);
}
