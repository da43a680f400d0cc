//! Which events are told: filters, families, owners, other namespaces.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{IpAddr, Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::watch::{Watch, traced};
use super::{CLIENT, SERVER, steps};
use crate::scene::holder::Holder;
use crate::scene::{V4, V6, tcp};
use crate::support::{Reading, close, fresh, program, until};

/// Opens and closes a connection; gives the ports of who connects and of who accepts.
fn connection(ip: IpAddr) -> (u16, u16) {
    let pair = tcp::pair(ip).unwrap();
    let ports = (port(&pair.client), port(&pair.server));
    part(&pair.client, pair.server);
    ports
}

/// Closes both ends, one after the other, and leaves the first one to the kernel when it is in
/// `TIME_WAIT`: until then there is a socket, of whose steps records tell.
fn part(first: &TcpStream, last: TcpStream) {
    first.shutdown(Shutdown::Write).unwrap();
    assert_eq!((&last).read(&mut [0]).unwrap(), 0);
    close(last);
    assert_eq!({ first }.read(&mut [0]).unwrap(), 0);
}

fn port(end: &TcpStream) -> u16 {
    end.local_addr().unwrap().port()
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
        let here = self::port(&one);
        part(&one, other);
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
    let (here, there) = (port(&pair.client), port(&pair.server));
    watch.ring();
    part(&pair.client, pair.server);
    let (events, run) = watch.end();
    run.done();
    assert!(!events.is_empty());
    for event in &events {
        assert_eq!(event["processes"][0]["pid"], ours, "{event}");
    }
    // It is named to the end, when it has closed the socket.
    assert_eq!(steps(&events, here, there).chain(), CLIENT);
    assert_eq!(steps(&events, there, here).chain(), SERVER);
}

#[test]
fn sockets_of_another_namespace_are_not_told() {
    let Some(_namespace) = traced() else { return };
    let watch = Watch::begin(&[], "");
    let elsewhere = std::thread::spawn(|| {
        let _namespace = fresh()?;
        let slow = connection(V4);
        let pair = tcp::pair(V6).unwrap();
        let port = port(&pair.server);
        close(pair);
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

/// The listeners of a process that is killed are closed by nobody: an interrupt or a thread of the
/// kernel's may run then.
#[test]
fn listeners_of_a_killed_process_elsewhere_are_not_told() {
    let Some(_namespace) = traced() else { return };
    let watch = Watch::begin(&[], "");
    let elsewhere = std::thread::spawn(|| {
        let _namespace = fresh()?;
        let listeners: Vec<_> = (0..3).map(|_| tcp::listener(V4, 1).unwrap()).collect();
        let listeners: Vec<_> = listeners.iter().map(AsFd::as_fd).collect();
        Some(Holder::sleeping(&listeners).unwrap())
    });
    let holder = elsewhere.join().unwrap();
    let (here, there) = connection(V4);
    drop(holder);
    std::thread::sleep(Duration::from_millis(50));
    let (events, run) = watch.end();
    run.clean();
    let ours = |event: &Value| {
        let ports = ["local_port", "peer_port"].map(|key| event[key].as_u64());
        ports.contains(&Some(here.into())) || ports.contains(&Some(there.into()))
    };
    assert_eq!(events.iter().find(|event| !ours(event)), None);
    assert_eq!(steps(&events, here, there).chain(), CLIENT);
}

#[test]
fn connection_left_to_the_kernel_is_told_at_once() {
    let Some(_namespace) = traced() else { return };
    let mut lsock = program();
    lsock.args(["-En", "--by", "connection", "--format", "ndjson"]);
    let watch = Reading::start(&mut lsock, |line| {
        serde_json::from_str::<Value>(&line).unwrap()
    });
    // Its FIN is acknowledged, and the peer's has not come: the kernel keeps it in FIN_WAIT_2.
    let closed_early = || {
        let pair = tcp::pair(V4).unwrap();
        pair.client.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&pair.server).read(&mut [0]).unwrap(), 0);
        std::thread::sleep(Duration::from_millis(50));
        let port = port(&pair.client);
        close(pair.client);
        close(pair.server);
        port
    };
    until("both are told", || {
        let (waits, closed) = (connection(V4).0, closed_early());
        std::thread::sleep(Duration::from_millis(100));
        let is_told = |port: u16, last: &str| {
            watch.is(|told| {
                told.iter().any(|connection| {
                    let steps = connection["steps"].as_array().unwrap();
                    connection["local_port"] == port && steps.last().unwrap()["new_state"] == last
                })
            })
        };
        // Not every kernel tells what becomes of it.
        let is_closed_told = is_told(closed, "TIME_WAIT") || is_told(closed, "FIN_WAIT_2");
        (is_told(waits, "TIME_WAIT") && is_closed_told).then_some(())
    });
    watch.end_by(Signal::SIGINT).1.clean();
}

#[test]
fn new_connection_in_the_place_of_a_time_wait_is_another() {
    let Some(_namespace) = traced() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let to = crate::scene::expected::local_address(&listener).unwrap();
    let watch = Watch::begin(&[], "");
    let client = tcp::connect(&listener).unwrap();
    let from = client.local_addr().unwrap();
    // Who accepts closes first, and so keeps the TIME_WAIT.
    part(&tcp::accept(&listener).unwrap(), client);
    watch.ring();
    let again = tcp::socket(V4).unwrap();
    rustix::net::sockopt::set_socket_reuseaddr(&again, true).unwrap();
    rustix::net::bind(&again, &from).unwrap();
    rustix::net::connect(&again, &to).unwrap();
    let (events, run) = watch.end();
    run.clean();
    let told = steps(&events, to.port(), from.port());
    let first = "LISTEN SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT";
    let (one, two) = told.0.split_at(5);
    assert_eq!(super::Steps(one.to_vec()).chain(), first, "{events:#?}");
    assert_eq!(
        super::Steps(two.to_vec()).chain(),
        "LISTEN SYN_RCVD ESTABLISHED"
    );
}
