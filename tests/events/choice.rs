//! Which events are told: filters, families, owners, other namespaces.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::watch::{Watch, traced};
use super::{CLIENT, SERVER, steps};
use crate::scene::{V4, V6, tcp};
use crate::support::{fresh, lsock};

/// Opens and closes a connection; gives the ports of who connects and of who accepts.
fn connection(ip: std::net::IpAddr) -> (u16, u16) {
    let pair = tcp::pair(ip).unwrap();
    let port = |end: &std::net::TcpStream| end.local_addr().unwrap().port();
    let ports = (port(&pair.client), port(&pair.server));
    drop(pair.client);
    // The one who closes last must find the FIN of the other.
    std::thread::sleep(Duration::from_millis(5));
    drop(pair.server);
    ports
}

/// The values that a field has in these events.
fn values(events: &[Value], key: &str) -> BTreeSet<String> {
    events.iter().map(|event| event[key].to_string()).collect()
}

#[test]
fn filter_of_ports_is_the_kernels_too_and_nothing_is_missing() {
    let Some(_namespace) = traced() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let port = crate::scene::expected::local_address(&listener)
        .unwrap()
        .port();
    for (filter, client, server) in [
        (format!("dport = :{port}"), Some(CLIENT), None),
        (format!("sport = :{port}"), None, Some(SERVER)),
        (format!("port = :{port}"), Some(CLIENT), Some(SERVER)),
    ] {
        let watch = Watch::begin(&[], &filter);
        connection(V4);
        let one = tcp::connect(&listener).unwrap();
        let other = tcp::accept(&listener).unwrap();
        let here = one.local_addr().unwrap().port();
        drop(one);
        std::thread::sleep(Duration::from_millis(5));
        drop(other);
        let (events, run) = watch.end();
        run.clean();
        let ports = |event: &Value| ["local_port", "peer_port"].map(|key| event[key] == port);
        assert!(
            events.iter().all(|event| ports(event).contains(&true)),
            "{events:#?}"
        );
        for (chain, local, peer) in [(client, here, port), (server, port, here)] {
            let told = steps(&events, local, peer);
            match chain {
                Some(chain) => assert_eq!(told.chain(), chain, "{filter}"),
                None => assert_eq!(told.0, [], "{filter}"),
            }
        }
    }
}

#[test]
fn filter_of_states_holds_for_the_state_before_or_after() {
    let Some(_namespace) = traced() else { return };
    let watch = Watch::begin(&[], "state close-wait");
    let (here, there) = connection(V4);
    let (events, run) = watch.end();
    run.clean();
    assert_eq!(
        steps(&events, there, here).chain(),
        "ESTABLISHED CLOSE_WAIT LAST_ACK"
    );
    assert_eq!(events.len(), 2, "{events:#?}");
}

#[test]
fn families_are_told_apart() {
    let Some(_namespace) = traced() else { return };
    for (words, wanted) in [
        (&["-4"][..], &["\"inet\""][..]),
        (&[], &["\"inet\"", "\"inet6\""]),
    ] {
        let watch = Watch::begin(words, "");
        connection(V4);
        connection(V6);
        let (events, run) = watch.end();
        run.clean();
        assert_eq!(
            values(&events, "family"),
            wanted.iter().map(|w| (*w).to_owned()).collect()
        );
    }
}

#[test]
fn owner_is_who_holds_the_socket() {
    let Some(_namespace) = traced() else { return };
    let ours = std::process::id();
    let watch = Watch::begin(&["-p"], &format!("pid = {ours}"));
    let pair = tcp::pair(V4).unwrap();
    let (here, there) = (
        pair.client.local_addr().unwrap().port(),
        pair.server.local_addr().unwrap().port(),
    );
    watch.ring();
    drop(pair.client);
    std::thread::sleep(Duration::from_millis(5));
    drop(pair.server);
    let (events, run) = watch.end();
    run.done();
    assert!(!events.is_empty());
    for event in &events {
        assert_eq!(event["processes"][0]["pid"], ours, "{event}");
    }
    // It is named to the end, though it has closed the socket long before.
    assert_eq!(steps(&events, here, there).chain(), CLIENT);
}

#[test]
fn sockets_of_another_namespace_are_not_told() {
    let Some(_namespace) = traced() else { return };
    let watch = Watch::begin(&[], "");
    let elsewhere = std::thread::spawn(|| {
        let _namespace = fresh()?;
        let slow = connection(V4);
        let pair = tcp::pair(V6).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let port = pair.server.local_addr().unwrap().port();
        drop(pair);
        Some([slow.1, port])
    });
    let elsewhere = elsewhere.join().unwrap();
    let (here, there) = connection(V4);
    let (events, run) = watch.end();
    run.clean();
    assert_eq!(steps(&events, here, there).chain(), CLIENT);
    let Some(elsewhere) = elsewhere else { return };
    for port in elsewhere {
        let of_port = |event: &&Value| event["local_port"] == port || event["peer_port"] == port;
        assert_eq!(events.iter().find(of_port), None, "{port}");
    }
}

#[test]
fn time_wait_ends_after_two_msl() {
    let Some(_namespace) = traced() else { return };
    let old = connection(V4);
    let watch = Watch::begin(&[], "");
    let new = connection(V4);
    watch.ring();
    let is_end = |event: &Value, of: (u16, u16)| {
        let step = ["old_state", "new_state"].map(|key| event[key].as_str());
        event["local_port"] == of.0
            && event["peer_port"] == of.1
            && step == [Some("TIME_WAIT"), Some("CLOSED")]
    };
    for of in [old, new] {
        watch.wait_for(|event| is_end(event, of));
    }
    let (events, run) = watch.end();
    run.clean();
    let whole = format!("{CLIENT} CLOSED");
    assert_eq!(steps(&events, new.0, new.1).chain(), whole);
    let rows = lsock(["-tan", "state", "time-wait"]).clean();
    assert_eq!(rows.lines().len(), 1, "{}", rows.text());
}

#[test]
fn new_connection_ends_the_time_wait_in_its_place() {
    let Some(_namespace) = traced() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let to = crate::scene::expected::local_address(&listener).unwrap();
    let watch = Watch::begin(&[], "");
    let client = tcp::connect(&listener).unwrap();
    let from = client.local_addr().unwrap();
    // Who accepts closes first, and so keeps the TIME_WAIT.
    drop(tcp::accept(&listener).unwrap());
    std::thread::sleep(Duration::from_millis(20));
    drop(client);
    watch.ring();
    let again = tcp::socket(V4).unwrap();
    rustix::net::sockopt::set_socket_reuseaddr(&again, true).unwrap();
    rustix::net::bind(&again, &from).unwrap();
    rustix::net::connect(&again, &to).unwrap();
    let (events, run) = watch.end();
    run.clean();
    let told = steps(&events, to.port(), from.port());
    let first = "LISTEN SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT CLOSED";
    let (one, two) = told.0.split_at(6);
    assert_eq!(super::Steps(one.to_vec()).chain(), first, "{events:#?}");
    assert_eq!(
        super::Steps(two.to_vec()).chain(),
        "LISTEN SYN_RCVD ESTABLISHED"
    );
}
