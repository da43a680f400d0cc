//! `-E` in several network namespaces at once.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::ReuseAddr;
use serde_json::{Value, json};

use super::{add, in_named, in_new, own_mounts};
use crate::events::rights::REFUSE;
use crate::events::watch::{Steps, Watch, can_trace};
use crate::owners::alone::is_alone;
use crate::scene::namespace::ip;
use crate::scene::tcp;
use crate::support::{LSOCK, Reading, Run, command, has, lsock, program, until, until_ok};

const CLIENT: &str = "CLOSED SYN_SENT ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED";
const SERVER: &str = "LISTEN SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2 TIME_WAIT";

/// Messages. That one of a listener that was closed before its holder was looked for goes without saying here,
/// in a PID namespace: somebody outside may hold it.
fn said(run: &Run) -> String {
    let lines = run.stderr.lines();
    lines
        .filter(|line| !line.contains("processes outside this PID namespace"))
        .collect()
}

/// Two namespaces, a cable between them, and the addresses of its ends.
fn connected() -> [SocketAddr; 2] {
    own_mounts();
    ip(&["link", "set", "lo", "up"]).unwrap();
    add("red");
    add("blue");
    let pair = "-n red link add red0 type veth peer name blue0 netns blue";
    ip(&pair.split(' ').collect::<Vec<_>>()).unwrap();
    let ends = [("red", 1), ("blue", 2)].map(|(name, last)| {
        let (device, address) = (format!("{name}0"), Ipv4Addr::new(10, 9, 0, last));
        let network = format!("{address}/24");
        ip(&["-n", name, "address", "add", &network, "dev", &device]).unwrap();
        ip(&["-n", name, "link", "set", &device, "up"]).unwrap();
        SocketAddr::from((address, 8_080))
    });
    let _listener = in_named("blue", || TcpListener::bind(ends[1]).unwrap());
    until_ok("the cable carries", || {
        in_named("red", || TcpStream::connect(ends[1]))
    });
    ends
}

/// A connection that the server closes first; gives the client's end.
fn talk(client: &str, server: &str, to: SocketAddr, from: Option<u16>) -> SocketAddr {
    let listener = in_named(server, || {
        let listener = tcp::socket(to.ip()).unwrap();
        setsockopt(&listener, ReuseAddr, &true).unwrap();
        rustix::net::bind(&listener, &to).unwrap();
        rustix::net::listen(&listener, 4).unwrap();
        TcpListener::from(listener)
    });
    let mut stream = in_named(client, || {
        let to = SocketAddr::from((to.ip().to_canonical(), to.port()));
        let socket = tcp::socket(to.ip()).unwrap();
        if let Some(port) = from {
            rustix::net::bind(&socket, &SocketAddr::from((to.ip(), port))).unwrap();
        }
        rustix::net::connect(&socket, &to).unwrap();
        TcpStream::from(socket)
    });
    let local = stream.local_addr().unwrap();
    drop(listener.accept().unwrap());
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    local
}

/// The steps of an end in a namespace.
fn steps(events: &[Value], netns: &str, local: SocketAddr, peer: SocketAddr) -> Steps {
    Steps::of(events, |event| {
        event["netns"] == netns
            && event["local_address"] == local.ip().to_string()
            && event["local_port"] == local.port()
            && event["peer_port"] == peer.port()
    })
}

#[test]
fn steps_are_told_of_each_namespace_and_of_those_that_come() {
    let name = "namespaces::events::steps_are_told_of_each_namespace_and_of_those_that_come";
    if !is_alone(name, &["--mount", "--net"]) || !can_trace() {
        return;
    }
    let [_, blue] = connected();
    // It was there before.
    let (held, port) = in_named("red", super::listener);
    let watch = Watch::begin(&["-N", "all", "-p"], "");
    let across = talk("red", "blue", blue, None);
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 9_090));
    let inside = ["red", "blue"].map(|name| talk(name, name, loopback, Some(9_091)));
    let _of_held = in_named("red", || {
        TcpStream::connect(held.local_addr().unwrap()).unwrap()
    });
    in_new(|| drop(super::listener()), None);
    let (events, run) = watch.end();
    assert_eq!((run.status, said(&run)), (Some(0), String::new()));
    let inodes = ["red", "blue"].map(|name| {
        let path = format!("/run/netns/{name}");
        let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
        json!(inode)
    });
    for event in &events {
        match event["netns"].as_str().unwrap() {
            "red" => assert_eq!(event["netns_inode"], inodes[0]),
            "blue" => assert_eq!(event["netns_inode"], inodes[1]),
            _ => assert!(!inodes.contains(&event["netns_inode"]), "{event}"),
        }
    }
    assert_eq!(steps(&events, "red", across, blue).chain(), CLIENT);
    assert_eq!(steps(&events, "blue", blue, across).chain(), SERVER);
    for (name, from) in ["red", "blue"].into_iter().zip(inside) {
        assert_eq!(steps(&events, name, from, loopback).chain(), CLIENT);
        assert_eq!(steps(&events, name, loopback, from).chain(), SERVER);
    }
    // Nobody has used the accepted socket: it is the listener's, by who holds that.
    let accepted = events
        .iter()
        .find(|event| event["local_port"] == port && event["new_state"] == "ESTABLISHED");
    let holders = accepted.unwrap()["processes"].as_array().unwrap();
    assert_eq!(holders[0]["pid"], std::process::id(), "{accepted:?}");
    // That of the thread that is gone.
    let strange = |event: &&Value| !["red", "blue"].contains(&event["netns"].as_str().unwrap());
    let listens = |event: &&Value| event["new_state"] == "LISTEN";
    assert_eq!(events.iter().filter(strange).filter(listens).count(), 1);
}

#[test]
fn only_the_namespaces_that_are_named_are_watched() {
    let name = "namespaces::events::only_the_namespaces_that_are_named_are_watched";
    if !is_alone(name, &["--mount", "--net"]) || !can_trace() {
        return;
    }
    let [_, blue] = connected();
    let own = format!("/proc/{}/ns/net", std::process::id());
    add("green");
    let watch = Watch::begin(&["-N", &format!("{own},blue,green")], "");
    let across = talk("red", "blue", blue, None);
    let (events, run) = watch.end();
    assert_eq!((run.status, said(&run)), (Some(0), String::new()));
    assert_eq!(steps(&events, "blue", blue, across).chain(), SERVER);
    assert!(
        events.iter().all(|event| event["netns"] == "blue"),
        "{events:?}"
    );
    // A check counts what the filter wants, by its namespace.
    for (filter, status) in [
        ("netns = blue", 0),
        ("netns = red", 1),
        ("netns = green", 1),
    ] {
        let words = ["-E", "-N", "blue,red", "-q", "--wait", "2s", filter];
        let run = std::thread::scope(|scope| {
            let run = scope.spawn(move || lsock(words));
            while !run.is_finished() {
                talk("blue", "blue", blue, None);
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            run.join().unwrap()
        });
        assert_eq!(run.status, Some(status), "{filter}: {run:?}");
    }
}

#[test]
fn ends_in_two_namespaces_are_one_pair() {
    let name = "namespaces::events::ends_in_two_namespaces_are_one_pair";
    if !is_alone(name, &["--mount", "--net"]) || !can_trace() {
        return;
    }
    connected();
    let mut command = program();
    command.args(["-E", "-N", "all", "-n", "--by", "pair"]);
    command.args(["--format", "ndjson"]);
    let read = |line: String| serde_json::from_str::<Value>(&line).unwrap();
    let watch = Reading::start(&mut command, read);
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 9_090));
    // A client of IPv4, and a server of IPv6.
    let mapped = SocketAddr::from((Ipv4Addr::new(10, 9, 0, 2).to_ipv6_mapped(), 8_081));
    // Until it watches.
    until("a pair is told", || {
        talk("blue", "blue", loopback, None);
        watch.is(|told| !told.is_empty()).then_some(())
    });
    talk("red", "blue", mapped, None);
    let is_it = |pair: &Value| pair["client"]["peer_port"] == mapped.port();
    watch.wait_for("the pair", |told| told.iter().any(is_it));
    talk("red", "red", loopback, None);
    let (told, run) = watch.end_by(Signal::SIGINT);
    assert_eq!((run.status, said(&run)), (Some(0), String::new()));
    assert_eq!(told.iter().filter(|pair| is_it(pair)).count(), 1);
    for pair in &told {
        let ends = [&pair["client"], &pair["server"]];
        if !is_it(pair) && ends.iter().any(|end| end.is_null()) {
            // Its connection was under way when the watch began.
            continue;
        }
        let netns = ends.map(|end| {
            end["netns"]
                .as_str()
                .unwrap_or_else(|| panic!("no namespace: {pair}"))
        });
        if is_it(pair) {
            let family = ends.map(|end| end["family"].as_str().unwrap());
            assert_eq!(
                (netns, family),
                (["red", "blue"], ["inet", "inet6"]),
                "{pair}"
            );
        } else {
            assert_eq!(netns[0], netns[1], "{pair}");
        }
    }
}

#[test]
fn steps_are_sampled_in_each_namespace_where_programs_are_refused() {
    let name = "namespaces::events::steps_are_sampled_in_each_namespace_where_programs_are_refused";
    if !is_alone(name, &["--mount", "--net"]) || !has("python3") {
        return;
    }
    let [_, blue] = connected();
    let mut refused = command("python3");
    let call = libc::SYS_bpf.to_string();
    refused.args(["-c", REFUSE, &call, "1", LSOCK]);
    let watch = Watch::begin_as(refused, &["-N", "all", "-p"], "");
    // What stays as it is until it was seen.
    let listener = in_named("blue", || TcpListener::bind(blue).unwrap());
    watch.ring();
    let client = in_named("red", || TcpStream::connect(blue).unwrap());
    let (server, from) = listener.accept().unwrap();
    watch.ring();
    drop((client, server, listener));
    let (events, run) = watch.end();
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(run.stderr.contains("(sampled)"), "{run:?}");
    let arrived = |netns: &str, local: SocketAddr, peer: Option<u16>, state: &str| {
        let is_it = |event: &&Value| {
            event["netns"] == netns
                && event["local_address"] == local.ip().to_string()
                && event["local_port"] == local.port()
                && event["peer_port"] == json!(peer)
                && event["new_state"] == state
        };
        events.iter().filter(is_it).count()
    };
    let told = [
        arrived("blue", blue, None, "LISTEN"),
        arrived("blue", blue, Some(from.port()), "ESTABLISHED"),
        arrived("red", from, Some(blue.port()), "ESTABLISHED"),
        // Each in its own namespace only.
        arrived("red", blue, None, "LISTEN"),
        arrived("red", blue, Some(from.port()), "ESTABLISHED"),
        arrived("blue", from, Some(blue.port()), "ESTABLISHED"),
    ];
    assert_eq!(told, [1, 1, 1, 0, 0, 0], "{events:#?}");
}
