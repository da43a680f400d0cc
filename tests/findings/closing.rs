//! Closes that do not come to their end.

use std::net::{Shutdown, TcpStream};

use nix::unistd::Uid;
use tempfile::NamedTempFile;

use super::{comes, connections, found, kinds, me, wait_for, wait_for_half_closed};
use crate::scene::expected::local_address;
use crate::scene::{V4, V6, tcp};
use crate::support::{LSOCK, close, command, fresh, run, skip};

#[test]
fn a_process_that_does_not_close_is_named() {
    let Some(_namespace) = fresh() else { return };
    let (_listener, pairs) = connections(20);
    let close = |range: std::ops::Range<usize>| {
        for (client, _) in &pairs[range] {
            client.shutdown(Shutdown::Write).unwrap();
        }
    };
    close(0..19);
    wait_for_half_closed(19);
    assert_eq!(kinds(&["-t"]), [""; 0]);
    close(19..20);
    wait_for_half_closed(20);
    let text = found(&["-t"], "close_wait", "warning", 20).unwrap();
    let told = format!("{} holds 20 connections in CLOSE_WAIT", me());
    assert!(text.starts_with(&told), "{text}");
    let text = found(&["-t"], "half_closed", "warning", 20).unwrap();
    let told = format!("{} holds 20 connections half-closed in FIN_WAIT_2", me());
    assert!(text.starts_with(&told), "{text}");
}

#[test]
fn many_that_are_not_closed_are_critical() {
    let Some(_namespace) = fresh() else { return };
    let (_listener, pairs) = connections(1_000);
    for (client, _) in &pairs {
        client.shutdown(Shutdown::Write).unwrap();
    }
    wait_for_half_closed(1_000);
    assert!(found(&["-t"], "close_wait", "critical", 1_000).is_some());
    assert_eq!(kinds(&["-t"]), ["close_wait", "half_closed"]);
}

#[test]
fn peers_that_gave_up_before_they_were_accepted_are_no_leak() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 128).unwrap();
    let clients: Vec<_> = (0..20).map(|_| tcp::connect(&listener).unwrap()).collect();
    for client in &clients {
        client.shutdown(Shutdown::Write).unwrap();
    }
    wait_for_half_closed(20);
    let text = found(&["-t"], "close_wait", "warning", 20).unwrap();
    let place = local_address(&listener).unwrap();
    let told = format!(
        "20 connections in CLOSE_WAIT wait to be accepted at {place} ({}).",
        me()
    );
    assert!(text.starts_with(&told), "{text}");
}

#[test]
fn orphans_whose_peers_do_not_close_are_told() {
    let Some(_namespace) = fresh() else { return };
    let (_listener, pairs) = connections(100);
    let (clients, _servers): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
    let mut clients = clients.into_iter();
    close(clients.next());
    wait_for("close-wait", 1);
    assert_eq!(kinds(&["-t"]), [""; 0]);
    close(clients);
    wait_for("close-wait", 100);
    let text = found(&["-t"], "half_closed_orphans", "warning", 100).unwrap();
    assert!(text.contains("tcp_fin_timeout (60 s)"), "{text}");
    assert!(!kinds(&["-t"]).contains(&"half_closed".to_owned()));
}

#[test]
fn last_fins_that_do_not_get_through_are_told() {
    let Some(_namespace) = fresh() else { return };
    assert_eq!(kinds(&["-t"]), [""; 0]);
    let _last_ack = tcp::states::last_ack(V4).unwrap();
    let _closing = tcp::states::closing(V6).unwrap();
    let text = comes(&["-t"], "closing_stuck", "warning", 2);
    assert!(text.contains(&me()), "{text}");
    let one = comes(&["-t4"], "closing_stuck", "warning", 1);
    assert!(
        one.starts_with("1 connection in LAST_ACK or CLOSING"),
        "{one}"
    );
}

#[test]
fn orphans_near_the_limit_of_the_kernel_are_told() {
    if !Uid::effective().is_root() {
        skip("a mount namespace needs root");
        return;
    }
    if !std::path::Path::new(LIMIT).exists() {
        skip(format_args!("{LIMIT} is not here"));
        return;
    }
    // Of the first namespace alone the kernel shows the limit: what is opened here has one port.
    let held: Vec<_> = (0..4).map(|_| orphan()).collect();
    let ports: Vec<String> = held
        .iter()
        .map(|(_, port)| format!("dport = :{port}"))
        .collect();
    let filter = ports.join(" or ");
    let with_limit = |limit: &str| {
        let file = NamedTempFile::new().unwrap();
        std::fs::write(&file, limit).unwrap();
        let path = file.path().to_str().unwrap();
        let script = format!("mount --bind {path} {LIMIT} && exec {LSOCK} -stj '{filter}'");
        let words = ["-m", "sh", "-c", &script];
        let document = run(command("unshare").args(words)).done().document();
        let found = document["findings"].as_array().unwrap();
        let found = found.iter().find(|finding| finding["kind"] == "orphans");
        found.cloned()
    };
    assert_eq!(with_limit("1000000\n"), None);
    let found = with_limit("4\n").unwrap();
    assert_eq!(
        (&found["severity"], &found["count"]),
        (&"critical".into(), &4.into())
    );
    let text = found["text"].as_str().unwrap();
    assert!(
        text.contains("of 4 allowed (tcp_max_orphans); 4 of them are here"),
        "{text}"
    );
}

const LIMIT: &str = "/proc/sys/net/ipv4/tcp_max_orphans";

/// A connection that its client has closed with bytes unsent, and the port of its listener.
fn orphan() -> (TcpStream, u16) {
    let pair = tcp::stuffed_client(V4).unwrap();
    let port = local_address(&pair.listener).unwrap().port();
    close(pair.client);
    (pair.server, port)
}
