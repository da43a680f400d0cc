//! What is seldom done with sockets, and is told as it was: used again, destroyed, opened by a thread.

use std::net::TcpStream;

use rustix::net::{AddressFamily, SocketType, ipproto};
use serde_json::Value;

use super::watch::{Steps, Watch, traced};
use crate::scene::expected::local_address;
use crate::scene::{V4, tcp};
use crate::support::{close, command, has, run};

fn port(stream: &TcpStream) -> u16 {
    stream.local_addr().unwrap().port()
}

/// The states that the sockets with this port of their own went through.
fn chain(events: &[Value], port: u16) -> String {
    Steps::of(events, |event| event["local_port"] == port).chain()
}

fn names(event: &Value) -> Vec<&str> {
    let processes = event["processes"].as_array().into_iter().flatten();
    processes
        .filter_map(|process| process["name"].as_str())
        .collect()
}

#[test]
fn socket_that_connects_again_has_its_new_port_from_the_first_step_on() {
    let Some(_namespace) = traced() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let to = local_address(&listener).unwrap();
    // The port of the second life is not that of the first.
    for filter in [String::new(), format!("dport = :{}", to.port())] {
        let watch = Watch::begin(&[], &filter);
        let client = tcp::connect(&listener).unwrap();
        let first = port(&client);
        rustix::net::connect_unspec(&client).unwrap();
        rustix::net::connect(&client, &to).unwrap();
        let second = port(&client);
        close(client);
        watch.ring();
        let (events, run) = watch.end();
        run.clean();
        assert_ne!(first, second);
        let opened = "CLOSED SYN_SENT ESTABLISHED";
        assert_eq!(chain(&events, first), format!("{opened} CLOSED"));
        let second = chain(&events, second);
        assert!(
            second.starts_with(&format!("{opened} FIN_WAIT_1")),
            "{second}"
        );
    }
}

#[test]
fn filter_of_the_second_port_shows_the_second_life_whole() {
    let Some(_namespace) = traced() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let to = local_address(&listener).unwrap();
    let client = tcp::connect(&listener).unwrap();
    let first = port(&client);
    rustix::net::connect_unspec(&client).unwrap();
    let watch = Watch::begin(
        &[],
        &format!("sport != :{first} and dport = :{}", to.port()),
    );
    rustix::net::connect(&client, &to).unwrap();
    let second = port(&client);
    close(client);
    let (events, run) = watch.end();
    run.clean();
    let told = chain(&events, second);
    assert!(
        told.starts_with("CLOSED SYN_SENT ESTABLISHED FIN_WAIT_1"),
        "{told}"
    );
}

#[test]
fn listener_that_was_not_bound_has_its_own_port_each_time() {
    let Some(_namespace) = traced() else { return };
    let watch = Watch::begin(&[], "");
    let listener = tcp::socket(V4).unwrap();
    let mut ports = Vec::new();
    for _ in 0..2 {
        rustix::net::listen(&listener, 4).unwrap();
        ports.push(local_address(&listener).unwrap().port());
        rustix::net::shutdown(&listener, rustix::net::Shutdown::Both).unwrap();
    }
    let (events, run) = watch.end();
    run.clean();
    let told = events.iter().map(|event| {
        let state = event["new_state"].as_str().unwrap();
        (state, event["local_port"].as_u64())
    });
    let expected = ports
        .iter()
        .flat_map(|port| ["LISTEN", "CLOSED"].map(|state| (state, Some(u64::from(*port)))));
    assert_eq!(told.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn who_destroys_a_listener_does_not_own_it() {
    let Some(_namespace) = traced() else { return };
    if !has("ss") {
        return;
    }
    let watch = Watch::begin(&["-p"], "");
    let listener = tcp::listener(V4, 4).unwrap();
    let port = local_address(&listener).unwrap().port();
    run(command("ss").args(["-K", "-tln", &format!("sport = {port}")]));
    let (events, run) = watch.end();
    run.done();
    let of_port = |event: &&Value| event["local_port"] == port;
    let last = events.iter().rfind(of_port).unwrap();
    if last["new_state"] != "CLOSED" {
        return crate::support::skip("this kernel destroys no sockets");
    }
    assert_eq!(last["task"]["name"], "ss");
    assert_eq!(last["processes"][0]["pid"], std::process::id(), "{last}");
}

/// Connects in a thread with a name of its own, and lets another program close that.
const THREAD: &str = "
import os, socket, sys, threading
def connect():
    open('/proc/thread-self/comm', 'w').write('dialer')
    client.connect(('127.0.0.1', int(sys.argv[1])))
client = socket.socket()
client.set_inheritable(True)
thread = threading.Thread(target=connect)
thread.start()
thread.join()
os.execvp('sleep', ['sleep', '0.1'])
";

#[test]
fn process_has_its_own_name_and_a_step_that_of_the_thread() {
    let Some(_namespace) = traced() else { return };
    if !has("python3") || !has("sleep") {
        return;
    }
    let listener = tcp::listener(V4, 4).unwrap();
    let to = local_address(&listener).unwrap().port();
    let watch = Watch::begin(&["-p"], "");
    run(command("python3").args(["-c", THREAD, &to.to_string()])).clean();
    let (events, run) = watch.end();
    run.done();
    let of_client: Vec<&Value> = events
        .iter()
        .filter(|event| event["peer_port"] == to)
        .collect();
    assert_eq!(names(of_client[0]), ["python3"]);
    assert_eq!(of_client[0]["task"]["name"], "dialer");
    let closed = of_client
        .iter()
        .find(|event| event["new_state"] == "FIN_WAIT_1")
        .unwrap();
    assert_eq!(names(closed), ["sleep"], "{closed}");
}

#[test]
fn mptcp_connection_that_is_refused_has_no_ends_and_no_reason() {
    let Some(_namespace) = traced() else { return };
    let opened = rustix::net::socket(
        AddressFamily::INET,
        SocketType::STREAM,
        Some(ipproto::MPTCP),
    );
    let Ok(socket) = opened else {
        return crate::support::skip("this kernel has no MPTCP");
    };
    let taken = super::lives::bound(V4);
    let to = local_address(&taken).unwrap();
    let watch = Watch::begin(&["-t", "-M"], "");
    rustix::net::connect(&socket, &to).unwrap_err();
    let (events, run) = watch.end();
    run.clean();
    let of_mptcp: Vec<&Value> = events
        .iter()
        .filter(|event| event["protocol"] == "mptcp")
        .collect();
    let steps: Vec<&Value> = of_mptcp.iter().map(|event| &event["step"]).collect();
    assert_eq!(
        steps,
        [
            "handshake 1/3: SYN sent",
            "connection refused, timed out or given up"
        ]
    );
    for event in of_mptcp {
        for end in ["local_address", "local_port", "peer_address", "peer_port"] {
            assert_eq!(event[end], Value::Null, "{event}");
        }
    }
    let of_tcp = events
        .iter()
        .rfind(|event| event["protocol"] == "tcp" && event["peer_port"] == to.port());
    assert_eq!(of_tcp.unwrap()["step"], "connection refused");
}
