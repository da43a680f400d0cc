//! What a row of the kernel still has of an earlier life of the socket, or has not yet.

use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use serde_json::Value;

use crate::continuous::run::Running;
use crate::scene::expected::local_address;
use crate::scene::{V4, tcp};
use crate::support::{can_list_bound, close, fresh, list, lsock, until};

/// Stays with a socket that asked for it, which one that the kernel chose does not.
const PORT: u16 = 22_000;

/// The rows of `lsock -tan` with this port of their own, in the order of their states.
fn rows(local: SocketAddr, more: &[&str]) -> Vec<Value> {
    let port = format!("sport = {}", local.port());
    let mut rows = list(&[&["-tan"], more, &[&port]].concat());
    rows.sort_by_key(|row| row["state"].to_string());
    rows
}

fn states(rows: &[Value]) -> Vec<&str> {
    rows.iter()
        .filter_map(|row| row["state"].as_str())
        .collect()
}

/// A client with a port of its own, listed while it is connected, that has closed first: the socket is bound
/// again, beside what is left of its connection.
fn closed_client(listener: &OwnedFd) -> OwnedFd {
    let client = tcp::socket(V4).unwrap();
    rustix::net::bind(&client, &SocketAddr::new(V4, PORT)).unwrap();
    connect_and_close(&client, listener);
    client
}

fn connect_and_close(client: &OwnedFd, listener: &OwnedFd) {
    rustix::net::connect(client, &local_address(listener).unwrap()).unwrap();
    let server = tcp::accept(listener).unwrap();
    // Who lists them gives both a cookie.
    list(&["-tan"]);
    let client = TcpStream::from(client.try_clone().unwrap());
    client.shutdown(Shutdown::Write).unwrap();
    until("FIN_WAIT_2", || {
        let rows = rows(client.local_addr().unwrap(), &[]);
        states(&rows).contains(&"FIN_WAIT_2").then_some(())
    });
    close(server);
}

#[test]
fn bound_socket_and_what_is_left_of_its_connections_are_all_listed() {
    let Some(_namespace) = fresh().filter(|_| can_list_bound()) else {
        return;
    };
    let listeners = [1, 2].map(|_| tcp::listener(V4, 1).unwrap());
    let client = closed_client(&listeners[0]);
    let local = local_address(&client).unwrap();
    let wait_for = |wanted: &[&str]| {
        until(format!("{wanted:?}"), || {
            let rows = rows(local, &[]);
            (states(&rows) == wanted).then_some(rows)
        })
    };
    let both = wait_for(&["BOUND", "TIME_WAIT"]);
    assert_eq!(both[0]["cookie"], both[1]["cookie"]);
    assert!(both[0]["cookie"].is_string(), "{both:?}");
    // The peer that it had is none, for the kernel's part of a filter too.
    let (sport, dport) = (local.port(), local_address(&listeners[0]).unwrap().port());
    for (filter, state) in [
        ("not dst 127.0.0.1", "BOUND"),
        ("dst != 127.0.0.1", "BOUND"),
        (&*format!("dport != {dport}"), "BOUND"),
        (&*format!("not dport = {dport}"), "BOUND"),
        ("dst 127.0.0.1", "TIME_WAIT"),
        (&*format!("dport = {dport}"), "TIME_WAIT"),
    ] {
        let found = list(&["-tan", &format!("sport = {sport} and {filter}")]);
        assert_eq!(states(&found), [state], "{filter}");
    }
    // Another connection of the same socket, with the same cookie and the same ports but for the peer's.
    rustix::net::connect_unspec(&client).unwrap();
    connect_and_close(&client, &listeners[1]);
    let all = wait_for(&["BOUND", "TIME_WAIT", "TIME_WAIT"]);
    assert_eq!(all[1]["cookie"], all[2]["cookie"]);

    let counts = lsock(["-stj4"]).document()["counts"][0]["states"].clone();
    assert_eq!(counts["BOUND"], 1, "{counts}");
    assert_eq!(counts["TIME_WAIT"], 2, "{counts}");

    // Nothing becomes of them from round to round.
    let running = Running::begin(&["-tan4c", "0.02", "--format", "ndjson"]);
    running.wait_for("all", |lines| lines.len() == 5);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(running.changes().len(), 5, "{:?}", running.told());
    running.end();
}

#[test]
fn bound_socket_has_no_peer_and_no_queues() {
    let Some(_namespace) = fresh().filter(|_| can_list_bound()) else {
        return;
    };
    let listener = tcp::listener(V4, 1).unwrap();
    let server = local_address(&listener).unwrap();
    let client = tcp::socket(V4).unwrap();
    rustix::net::bind(&client, &SocketAddr::new(V4, PORT)).unwrap();
    rustix::net::connect(&client, &server).unwrap();
    rustix::io::write(&client, b"hello").unwrap();
    let local = local_address(&client).unwrap();
    rustix::net::connect_unspec(&client).unwrap();
    let sport = format!("sport = {}", local.port());

    let rows = rows(local, &[]);
    assert_eq!(states(&rows), ["BOUND"]);
    for key in ["peer_address", "peer_port", "recv_queue", "send_queue"] {
        assert_eq!(rows[0][key], Value::Null, "{key}");
    }
    let words = ["-tanH", "--columns", "state,recv_q,send_q,peer", &sport];
    let text = lsock(words).clean();
    let cells: Vec<&str> = text.text().split_whitespace().collect();
    assert_eq!(cells, ["BOUND", "-", "-", "-"]);
    for (filter, count) in [
        ("dst 127.0.0.1", 0),
        ("not dst 127.0.0.1", 1),
        ("dst = 0.0.0.0", 0),
        ("recv_queue >= 0", 0),
        ("send_queue >= 0", 0),
        ("not send_queue >= 0", 1),
    ] {
        let found = list(&["-tan", &sport, "and", filter]);
        assert_eq!(found.len(), count, "{filter}: {found:?}");
    }
}

#[test]
fn listener_that_was_shut_has_no_queues() {
    let Some(_namespace) = fresh().filter(|_| can_list_bound()) else {
        return;
    };
    let local = SocketAddr::new(V4, PORT);
    let listener = TcpListener::bind(local).unwrap();
    let _waiting = TcpStream::connect(local).unwrap();
    rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
    let rows = rows(local, &["state", "bound", "and"]);
    assert_eq!(states(&rows), ["BOUND"]);
    let queues = [&rows[0]["recv_queue"], &rows[0]["send_queue"]];
    assert_eq!(queues, [&Value::Null; 2]);
}

#[test]
fn nothing_is_queued_before_the_first_syn() {
    let Some(_namespace) = fresh() else { return };
    // A client sends data in its SYN without a cookie of the server.
    std::fs::write("/proc/sys/net/ipv4/tcp_fastopen", "5").unwrap();
    let client = tcp::socket(V4).unwrap();
    setsockopt(&client, sockopt::TcpFastOpenConnect, &true).unwrap();
    let server = SocketAddr::new(Ipv4Addr::new(127, 0, 0, 9).into(), 9);
    rustix::net::connect(&client, &server).unwrap();
    let rows = rows(local_address(&client).unwrap(), &["-i"]);
    assert_eq!(states(&rows), ["SYN_SENT"]);
    let row = &rows[0];
    assert_eq!(
        (&row["timer"], &row["send_queue"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(row["peer_port"], 9);
    for key in ["last_data_recv", "last_data_sent", "last_ack_recv"] {
        assert_eq!(row["tcp_info"][key], Value::Null, "{key}");
    }
}

#[test]
fn what_never_came_has_no_age_and_what_has_no_limit_no_rate() {
    let Some(_namespace) = fresh() else { return };
    let pair = tcp::pair(V4).unwrap();
    rustix::io::write(&pair.client, b"hello").unwrap();
    let info = |end: &TcpStream, key: &str| {
        let rows = rows(
            end.local_addr().unwrap(),
            &["-i", "state", "established", "and"],
        );
        rows[0]["tcp_info"][key].clone()
    };
    until("the data", || {
        info(&pair.server, "data_segs_in")
            .as_u64()
            .filter(|count| *count > 0)
    });
    for (key, client, server) in [
        ("last_data_recv", false, true),
        ("last_data_sent", true, false),
    ] {
        assert_eq!(info(&pair.client, key).is_u64(), client, "{key}");
        assert_eq!(info(&pair.server, key).is_u64(), server, "{key}");
    }
    assert_eq!(info(&pair.client, "last_ack_sent"), Value::Null);
    assert_eq!(info(&pair.client, "max_pacing_rate"), Value::Null);
    let port = pair.client.local_addr().unwrap().port();
    for (filter, count) in [
        ("tcp_info.max_pacing_rate > 0", 0),
        ("tcp_info.max_pacing_rate < 1Mbit/s", 0),
        ("tcp_info.max_pacing_rate = 18446744073709551615", 0),
        ("tcp_info.last_data_recv >= 0ms", 0),
    ] {
        let found = list(&["-tn", &format!("sport = {port} and {filter}")]);
        assert_eq!(found.len(), count, "{filter}");
    }
}
