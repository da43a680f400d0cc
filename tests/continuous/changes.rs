//! What became of real sockets, told in ndjson.

use std::collections::HashMap;
use std::io::Write as _;
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::run::{Running, read};
use crate::owners::nobody::Reachable;
use crate::scene::expected::local_address;
use crate::scene::option::TcpDeferAccept;
use crate::scene::{V4, V6, tcp};
use crate::support::{close, fresh, list, send, strace, straced, until};

/// Often, in lines, and without names.
const CHANGES: [&str; 4] = ["-tanc", "0.05", "--format", "ndjson"];

fn begin(more: &[&str]) -> Running {
    Running::begin(&[&CHANGES[..], more].concat())
}

/// Those of the socket with these ports; 0 = none.
fn of(changes: &[Value], local: u16, peer: u16) -> Vec<Value> {
    let peer = Some(peer).filter(|port| *port != 0);
    let is_it = |change: &&Value| {
        change["local_port"] == local && change["peer_port"] == serde_json::json!(peer)
    };
    changes.iter().filter(is_it).cloned().collect()
}

/// `new SYN_RCVD, changed SYN_RCVD ESTABLISHED, gone ESTABLISHED`
fn story(changes: &[Value]) -> String {
    let told = changes.iter().map(|change| {
        let words = ["change", "old_state", "state"].map(|key| change[key].as_str());
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    let told = told.collect::<Vec<_>>().join(", ");
    // States that last as long as an acknowledgement takes, if a round comes upon them.
    let passed = [
        ("FIN_WAIT_1, changed FIN_WAIT_1 ", ""),
        (
            "changed CLOSE_WAIT LAST_ACK, gone LAST_ACK",
            "gone CLOSE_WAIT",
        ),
    ];
    passed
        .into_iter()
        .fold(told, |told, (seen, instead)| told.replace(seen, instead))
}

/// Waits until this is the story of the socket with these ports so far.
fn wait_for(running: &Running, (local, peer): (u16, u16), expected: &str) {
    running.wait_for(expected, |lines| {
        let story = story(&of(&read(lines), local, peer));
        // States that last as long as an acknowledgement may be seen, or not.
        let story = story
            .replace("FIN_WAIT_1, changed FIN_WAIT_1 FIN_WAIT_2", "FIN_WAIT_2")
            .replace(
                "changed CLOSE_WAIT LAST_ACK, gone LAST_ACK",
                "gone CLOSE_WAIT",
            );
        story == expected
    });
}

#[test]
fn the_first_round_tells_everything_and_then_only_what_changed_is_told() {
    let Some(_namespace) = fresh() else { return };
    let first = TcpListener::bind((V4, 0)).unwrap();
    let first = first.local_addr().map(|at| (at.port(), first)).unwrap();
    let running = begin(&[]);
    wait_for(&running, (first.0, 0), "LISTEN");
    let found = running.changes()[0].clone();
    assert_eq!(
        (&found["change"], &found["old_state"]),
        (&Value::Null, &Value::Null)
    );
    let second = TcpListener::bind((V4, 0)).unwrap();
    let port = second.local_addr().unwrap().port();
    wait_for(&running, (port, 0), "new LISTEN");
    close(second);
    wait_for(&running, (port, 0), "new LISTEN, gone LISTEN");
    let (lines, run) = running.end();
    run.clean();
    assert_eq!(lines.len(), 3, "{lines:#?}");
}

/// A handshake that waits in `SYN_RCVD` for the first byte, and an orderly close.
fn a_life(running: &Running, ip: IpAddr) {
    let listener = tcp::listener_with(ip, 16, |socket| {
        nix::sys::socket::setsockopt(&socket, TcpDeferAccept, &60)?;
        Ok(())
    });
    let listener = listener.unwrap();
    let mut client = tcp::connect(&listener).unwrap();
    let port = |stream: &TcpStream| stream.local_addr().unwrap().port();
    let (here, there) = (port(&client), local_address(&listener).unwrap().port());
    wait_for(running, (there, here), "new SYN_RCVD");
    wait_for(running, (here, there), "new ESTABLISHED");
    client.write_all(b".").unwrap();
    let server = "new SYN_RCVD, changed SYN_RCVD ESTABLISHED";
    wait_for(running, (there, here), server);
    // Accepted: the socket has an inode now, and nothing else is told of it.
    let accepted = tcp::accept(&listener).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let client_story = "new ESTABLISHED, changed ESTABLISHED FIN_WAIT_2";
    wait_for(running, (here, there), client_story);
    let server = format!("{server}, changed ESTABLISHED CLOSE_WAIT");
    wait_for(running, (there, here), &server);
    let mut read = &accepted;
    std::io::Read::read_to_end(&mut read, &mut Vec::new()).unwrap();
    close(accepted);
    // The kernel has given up the client's socket: TIME_WAIT is another structure.
    wait_for(
        running,
        (here, there),
        &format!("{client_story}, changed FIN_WAIT_2 TIME_WAIT"),
    );
    wait_for(
        running,
        (there, here),
        &format!("{server}, gone CLOSE_WAIT"),
    );
}

#[test]
fn a_connection_is_one_socket_from_the_request_to_time_wait() {
    for source in ["netlink", "procfs"] {
        for ip in [V4, V6] {
            let Some(_namespace) = fresh() else { return };
            let running = begin(&["--source", source]);
            // What is told of the beginning has begun.
            running.wait_for_listener();
            a_life(&running, ip);
            running.end().1.listed();
        }
    }
}

impl Running {
    /// Waits until the first round is over: what comes then is new.
    fn wait_for_listener(&self) {
        let listener = TcpListener::bind((V4, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let told = |lines: &[String]| !of(&read(lines), port, 0).is_empty();
        self.wait_for("the first rounds", told);
        close(listener);
        let gone = |lines: &[String]| of(&read(lines), port, 0).len() == 2;
        self.wait_for("a round after that", gone);
    }
}

#[test]
fn another_connection_with_the_same_ends_is_gone_and_new() {
    for source in ["netlink", "procfs"] {
        let Some(_namespace) = fresh() else { return };
        let listener = tcp::listener(V4, 16).unwrap();
        let to = local_address(&listener).unwrap();
        let connect = || {
            let socket = tcp::socket(V4).unwrap();
            rustix::net::sockopt::set_socket_reuseaddr(&socket, true).unwrap();
            rustix::net::bind(&socket, &std::net::SocketAddr::new(V4, 45_454)).unwrap();
            rustix::net::connect(&socket, &to).unwrap();
            // Closed with a reset: nothing is left of it.
            let linger = Some(std::time::Duration::ZERO);
            rustix::net::sockopt::set_socket_linger(&socket, linger).unwrap();
            (socket, tcp::accept(&listener).unwrap())
        };
        let running = begin(&["--source", source]);
        running.wait_for_listener();
        let ends = (45_454, to.port());
        let first = connect();
        wait_for(&running, ends, "new ESTABLISHED");
        // Between two rounds, mostly.
        running.signal(Signal::SIGSTOP);
        close(first);
        let second = connect();
        running.signal(Signal::SIGCONT);
        wait_for(
            &running,
            ends,
            "new ESTABLISHED, gone ESTABLISHED, new ESTABLISHED",
        );
        close(second);
        running.end().1.listed();
    }
}

#[test]
fn a_socket_that_connects_is_the_same() {
    for source in ["netlink", "procfs"] {
        let Some(_namespace) = fresh() else { return };
        let words = ["-uanc", "0.05", "--format", "ndjson", "--source", source];
        let running = Running::begin(&words);
        let socket = UdpSocket::bind((V4, 0)).unwrap();
        let port = socket.local_addr().unwrap().port();
        let told = |change: &Value| change["local_port"] == port;
        running.wait_for_change("a socket", told);
        socket.connect((V4, 9)).unwrap();
        running.wait_for_change("a peer", |change| told(change) && change["peer_port"] == 9);
        // Another peer in the same state: a change too.
        socket.connect((V4, 10)).unwrap();
        running.wait_for_change("a peer", |change| told(change) && change["peer_port"] == 10);
        let (lines, run) = running.end();
        run.clean();
        let changes: Vec<Value> = read(&lines).into_iter().filter(told).collect();
        let story = story(&changes);
        let end = "changed UNCONN ESTABLISHED, changed ESTABLISHED ESTABLISHED";
        assert!(story.ends_with(end), "{source}: {story}");
        assert_eq!(changes.len(), 3, "{source}: {story}");
    }
}

#[test]
fn a_filter_about_states_loses_sockets_that_leave_them() {
    let Some(_namespace) = fresh() else { return };
    let pair = tcp::pair(V4).unwrap();
    let port = pair.client.local_addr().unwrap().port();
    let filter = format!("state established and sport = :{port}");
    let running = begin(&[&filter]);
    running.wait_for_change("the connection", |change| change["change"].is_null());
    pair.client.shutdown(Shutdown::Write).unwrap();
    running.wait_for_change("its end", |change| change["change"] == "gone");
    let (lines, run) = running.end();
    run.clean();
    assert_eq!(story(&read(&lines)), "ESTABLISHED, gone ESTABLISHED");
}

#[test]
fn processes_are_looked_up_in_every_round() {
    let Some(_namespace) = fresh() else { return };
    let running = begin(&["-lp"]);
    running.wait_for_listener();
    let listener = tcp::listener(V4, 1).unwrap();
    let port = local_address(&listener).unwrap().port();
    let own = std::process::id();
    let is_ours = |change: &Value| {
        let mut processes = change["processes"].as_array().into_iter().flatten();
        change["local_port"] == port && processes.any(|process| process["pid"] == own)
    };
    running.wait_for_change("its process", is_ours);
    assert_eq!(
        listener.as_fd().try_clone_to_owned().map(drop).ok(),
        Some(())
    );
}

#[test]
fn rows_of_a_round_are_sorted() {
    let Some(_namespace) = fresh() else { return };
    let listeners: Vec<_> = (0..8).map(|_| tcp::listener(V4, 1).unwrap()).collect();
    for (sort, is_descending) in [("local_port", false), ("-local_port", true)] {
        let running = begin(&["--sort", sort]);
        running.wait_for("all of them", |lines| lines.len() >= listeners.len());
        let (lines, run) = running.end();
        run.clean();
        let changes = read(&lines);
        let ports: Vec<u64> = changes
            .iter()
            .map(|c| c["local_port"].as_u64().unwrap())
            .collect();
        let mut sorted = ports.clone();
        sorted.sort_unstable();
        if is_descending {
            sorted.reverse();
        }
        assert_eq!(ports, sorted);
    }
}

#[test]
fn nobody_is_told_the_same_but_for_the_processes_of_others() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let listener = tcp::listener(V4, 1).unwrap();
    let port = local_address(&listener).unwrap().port();
    let mut command = lsock.command();
    command.args(["-tlnpc", "0.05", "--format", "ndjson"]);
    let running = Running::begin_as(&mut command);
    let is_it = |change: &Value| change["local_port"] == port;
    running.wait_for_change("the listener", |c| {
        is_it(c) && c["process_status"] == "unreadable"
    });
    close(listener);
    running.wait_for_change("its end", |change| {
        is_it(change) && change["change"] == "gone"
    });
    let (_, run) = running.end();
    assert_eq!(run.status, Some(0));
    // Once, however many rounds there were.
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(
        run.stderr.contains(" not readable; run as root"),
        "{}",
        run.stderr
    );
}

/// What a dump loses in the middle is neither gone nor, when it is back, new.
#[test]
fn an_incomplete_round_says_so_and_nothing_is_concluded_from_it() {
    let Some(_namespace) = straced() else { return };
    let pairs: Vec<_> = (0..100).map(|_| tcp::pair(V4).unwrap()).collect();
    let count = list(&["-tan4"]).len();
    assert_eq!(count, 3 * pairs.len());
    // A disturbed dump is made again, three times: this disturbs those too.
    let fault = "inject=recvfrom:error=ENOBUFS:when=10..33";
    let mut strace = strace(&["-o/dev/null", "-e", fault]);
    strace.args(["-tan4c", "0.05", "--format", "ndjson"]);
    let running = Running::begin_as(&mut strace);
    running.wait_for("all of them", |lines| lines.len() >= count);
    let lsock = until("the program", || child_of(running.pid()));
    // Ten rounds that are whole: the others have been between them.
    let bells = (0..10).map(|_| {
        let bell = TcpListener::bind((V4, 0)).unwrap();
        let port = bell.local_addr().unwrap().port();
        running.wait_for("a round", |lines| !of(&read(lines), port, 0).is_empty());
        port
    });
    let bells: Vec<u16> = bells.collect();
    send(lsock, Signal::SIGTERM);
    let (lines, run) = running.outcome();
    let text = "lsock: incomplete list: IPv4 TCP sockets: the receive buffer overran (ENOBUFS)\n";
    assert!(run.stderr.contains(text), "{}", run.stderr);
    assert_eq!(run.status, Some(2));
    let mut told: HashMap<String, usize> = HashMap::new();
    let is_bell = |change: &Value| bells.iter().any(|port| change["local_port"] == *port);
    for change in read(&lines).into_iter().filter(|change| !is_bell(change)) {
        assert_eq!(change["change"], Value::Null, "{change}");
        *told.entry(change["cookie"].to_string()).or_default() += 1;
    }
    assert_eq!(told.len(), count);
    assert!(told.values().all(|times| *times == 1), "{told:?}");
}

fn child_of(pid: u32) -> Option<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}
