//! `-K`: which sockets are ended, what is told of each, and what of them is left.

mod user_namespace;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::sockopt::set_socket_reuseport;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};
use serde_json::Value;

use crate::namespaces::in_new;
use crate::scene::holder::{as_nobody, no_nobody};
use crate::scene::tcp::{self, states};
use crate::scene::{Held, V4, V6};
use crate::support::{
    LSOCK, PATIENCE, Run, command, fresh, has, lists_bound, lsock, program, run, skip,
};

const LOCAL: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// A listener, and a connection to it: the client's end and the server's.
struct Connection {
    listener: TcpListener,
    client: TcpStream,
    server: TcpStream,
}

impl Connection {
    fn open() -> Connection {
        let listener = TcpListener::bind(LOCAL).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        Connection {
            listener,
            client,
            server,
        }
    }

    fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// True if a byte gets from one end to the other.
    fn lives(&mut self) -> bool {
        self.client.write_all(b"x").is_ok() && self.server.read_exact(&mut [0]).is_ok()
    }
}

/// Ends sockets; gives the words of `result`, with their numbers, and the run.
fn end(words: &[&str]) -> (BTreeMap<String, usize>, Run) {
    let run = lsock([&["-K", "--yes", "-n", "--format", "ndjson"], words].concat());
    (results(&run), run)
}

fn results(run: &Run) -> BTreeMap<String, usize> {
    let mut results = BTreeMap::new();
    for row in run.values() {
        let result = row["result"].as_str().unwrap_or("none").to_owned();
        *results.entry(result).or_default() += 1;
    }
    results
}

fn only(result: &str, count: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([(result.to_owned(), count)])
}

#[test]
fn one_end_is_aborted_and_the_other_reset() {
    let Some(_namespace) = fresh() else { return };
    let mut connection = Connection::open();
    let (results, run) = end(&["-t", &format!("dport = {}", connection.port())]);
    assert_eq!(
        (results, run.status),
        (only("destroyed", 1), Some(0)),
        "{run:?}"
    );
    let error = connection.client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
    let error = connection.server.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    // The listener of that port goes on.
    TcpStream::connect(connection.listener.local_addr().unwrap()).unwrap();
}

#[test]
fn both_ends_at_once_are_destroyed_or_gone() {
    let Some(_namespace) = fresh() else { return };
    let connection = Connection::open();
    let (results, run) = end(&["-t", &format!(":{}", connection.port())]);
    assert_eq!(run.status, Some(0), "{run:?}");
    assert_eq!(results.values().sum::<usize>(), 2, "{run:?}");
    assert!(results.contains_key("destroyed"), "{results:?}");
    let row = &run.values()[0];
    assert_eq!(row["state"], "ESTABLISHED", "as it was listed");
    assert!(row["processes"].is_array(), "{row}");
}

#[test]
fn end_that_the_other_one_takes_with_it_keeps_a_port_that_was_chosen() {
    let Some(_namespace) = fresh() else { return };
    if !lists_bound() {
        return skip("this kernel does not list BOUND");
    }
    // The order of the list decides which end is ended first: of several, a server sometimes.
    let listener = TcpListener::bind(LOCAL).unwrap();
    let at = listener.local_addr().unwrap();
    let ends: Vec<_> = (0..8)
        .map(|_| {
            let unused = TcpListener::bind(LOCAL).unwrap().local_addr().unwrap();
            let client = tcp::socket(V4).unwrap();
            bind(&client, &unused).unwrap();
            connect(&client, &at).unwrap();
            (client, listener.accept().unwrap())
        })
        .collect();
    let (results, run) = end(&["-t", &format!(":{}", at.port())]);
    let is_told = |result: &String| ["destroyed", "gone", "still_bound"].contains(&&**result);
    assert!(results.keys().all(is_told), "{results:?}");
    assert_eq!(results.values().sum::<usize>(), 2 * ends.len(), "{run:?}");
}

#[test]
fn every_state_of_tcp_is_ended_where_it_is_named() {
    type Open = fn(IpAddr) -> std::io::Result<Held>;
    let scenes: [(&str, Open); 10] = [
        ("SYN_SENT", states::syn_sent),
        ("SYN_RCVD", states::syn_rcvd),
        ("ESTABLISHED", states::established),
        ("FIN_WAIT_1", states::fin_wait_1),
        ("FIN_WAIT_2", states::half_closed),
        ("CLOSE_WAIT", states::half_closed),
        ("LAST_ACK", states::last_ack),
        ("CLOSING", states::closing),
        ("TIME_WAIT", states::time_wait),
        ("LISTEN", states::listen),
    ];
    for ip in [V4, V6] {
        for (state, open) in scenes {
            let Some(_namespace) = fresh() else { return };
            let _held = open(ip).unwrap();
            let filter = format!("state {state}");
            let (results, run) = end(&["-t", &filter]);
            assert!(!results.is_empty(), "{state} {ip}: {run:?}");
            let is_known =
                |result: &String| ["destroyed", "gone", "still_bound"].contains(&result.as_str());
            assert!(results.keys().all(is_known), "{state} {ip}: {results:?}");
            let is_done = !results.contains_key("still_bound");
            if lists_bound() {
                assert_eq!(
                    run.status,
                    Some(i32::from(!is_done)),
                    "{state} {ip}: {run:?}"
                );
            }
            let left = lsock(["-taq", "--expect", "0", &filter]);
            assert_eq!(left.status, Some(0), "{state} {ip}: {left:?}");
        }
    }
}

#[test]
fn listeners_and_time_wait_are_spared_unless_named() {
    let Some(_namespace) = fresh() else { return };
    let listener = TcpListener::bind(LOCAL).unwrap();
    let _waits = states::time_wait(V4).unwrap();
    let filter = format!("sport = {}", listener.local_addr().unwrap().port());
    for words in [&["-t", &filter][..], &["-ta", &filter]] {
        let (results, run) = end(words);
        assert_eq!((results.len(), run.status), (0, Some(1)), "{run:?}");
        assert!(run.stderr.contains("1 socket in LISTEN"), "{run:?}");
        assert!(run.stderr.contains("add state listen"), "{run:?}");
    }
    let (results, run) = end(&["-ta", "src 127.0.0.0/8"]);
    assert_eq!((results.len(), run.status), (0, Some(1)), "{run:?}");
    assert!(run.stderr.contains("TIME_WAIT"), "{run:?}");
    let (results, run) = end(&["-t", "dst 203.0.113.9"]);
    assert_eq!((results.len(), run.status), (0, Some(0)), "{run:?}");
    assert!(run.stderr.contains("no socket matches"), "{run:?}");
}

#[test]
fn nothing_is_ended_unasked() {
    let Some(_namespace) = fresh() else { return };
    let mut connection = Connection::open();
    let filter = format!("dport = {}", connection.port());
    let cases: [(&[&str], i32, &str); 9] = [
        (&["-K", "--yes"], 2, "there is no filter"),
        (&["-K", "--yes", ""], 2, "there is no filter"),
        (&["-Kt", "--yes"], 2, "there is no filter"),
        (
            &["-Kt", &filter],
            2,
            "dry run: nothing is ended; --yes ends 1 socket",
        ),
        (&["-Kt", "--dry-run", &filter], 0, ""),
        (&["-Kt", "--dry-run", "--yes", &filter], 0, ""),
        (
            &["-Kt", "--yes", "--expect", "2", &filter],
            1,
            "nothing is ended",
        ),
        (
            &["-Kt", "--yes", "--expect", "0", &filter],
            1,
            "nothing is ended",
        ),
        (
            &["-Kt", "--yes", "--limit", "1", &filter],
            2,
            "use --expect",
        ),
    ];
    for (words, status, message) in cases {
        let run = lsock(words);
        assert_eq!(run.status, Some(status), "{words:?}: {run:?}");
        assert!(run.stderr.contains(message), "{words:?}: {run:?}");
        assert!(connection.lives(), "{words:?}");
    }
    let run = lsock(["-Kt", "--yes", "--expect", "1", &filter]);
    assert_eq!(run.status, Some(0), "{run:?}");
    assert!(!connection.lives());
}

#[test]
fn one_of_two_listeners_at_a_port_is_ended_and_the_other_survives() {
    let Some(_namespace) = fresh() else { return };
    let ip = SocketAddr::from(LOCAL);
    let first = listener_at(ip);
    let at = TcpListener::from(first).local_addr();
    // The first one is closed again; its port is free for several.
    let at = at.unwrap();
    let twins = [(); 8].map(|()| listener_at(at));
    let inodes: Vec<u64> = twins.iter().map(inode).collect();
    for (place, inode) in inodes.iter().enumerate() {
        let filter = format!("state listen and inode = {inode}");
        let (results, run) = end(&["-t", &filter]);
        let is_bound = lists_bound();
        let expected = if is_bound { "still_bound" } else { "destroyed" };
        assert_eq!(results, only(expected, 1), "{run:?}");
        let left = lsock(["-tlnj", &format!("sport = {}", at.port())]);
        let left: Vec<u64> = left
            .sockets()
            .iter()
            .map(|row| row["inode"].as_u64().unwrap())
            .collect();
        let survivors: Vec<u64> = inodes[place + 1..].to_vec();
        assert_eq!(sorted(left), sorted(survivors));
    }
}

fn sorted(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    numbers
}

/// One of several at a port.
fn listener_at(at: SocketAddr) -> OwnedFd {
    let socket = tcp::socket(at.ip()).unwrap();
    set_socket_reuseport(&socket, true).unwrap();
    bind(&socket, &at).unwrap();
    rustix::net::listen(&socket, 8).unwrap();
    socket
}

fn inode(socket: &OwnedFd) -> u64 {
    rustix::fs::fstat(socket).unwrap().st_ino
}

#[test]
fn what_stays_bound_is_told_with_who_holds_it() {
    let Some(_namespace) = fresh() else { return };
    if !lists_bound() {
        return skip("this kernel does not list BOUND");
    }
    // A port that the kernel chose is given back.
    let at = TcpListener::bind(LOCAL).unwrap().local_addr().unwrap();
    let listener = TcpListener::bind(at).unwrap();
    let udp = UdpSocket::bind(at).unwrap();
    udp.connect((Ipv4Addr::LOCALHOST, 9)).unwrap();
    let (tcp, udp) = (listener.local_addr().unwrap(), udp.local_addr().unwrap());
    let own = format!("[{}]", std::process::id());
    for (words, at) in [
        (["-t", &format!("state listen sport = {}", tcp.port())], tcp),
        (["-u", &format!("sport = {}", udp.port())], udp),
    ] {
        let (results, run) = end(&words);
        assert_eq!(
            (results, run.status),
            (only("still_bound", 1), Some(1)),
            "{run:?}"
        );
        let message = run
            .stderr
            .lines()
            .find(|line| line.contains("still_bound"))
            .unwrap();
        assert!(
            message.contains(&at.to_string()) && message.contains(&own),
            "{message}"
        );
    }
}

#[test]
fn what_the_kernel_cannot_end_is_not_supported() {
    let Some(_namespace) = fresh() else { return };
    let _unix = std::os::unix::net::UnixStream::pair().unwrap();
    let (results, run) = end(&["-x", "state established"]);
    assert_eq!(
        (results, run.status),
        (only("not_supported", 2), Some(2)),
        "{run:?}"
    );
    for row in run.values() {
        let named = format!("unix inode {}: not_supported", row["inode"]);
        assert!(run.stderr.contains(&named), "{named}: {run:?}");
    }
    if lists_bound() {
        let _bound = states::bound(V4).unwrap();
        let (results, run) = end(&["-t", "state bound"]);
        assert_eq!(
            (results, run.status),
            (only("not_supported", 1), Some(2)),
            "{run:?}"
        );
    }
}

#[test]
fn own_netlink_socket_is_not_among_them() {
    let Some(_namespace) = fresh() else { return };
    let flags = SocketFlags::CLOEXEC;
    let other = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None).unwrap();
    bind(&other, &SocketAddrNetlink::new(0, 0)).unwrap();
    let own = |words: &[&str]| {
        let run = lsock([words, &["-A", "netlink", "-n", "--format", "ndjson"]].concat());
        let inodes = run
            .values()
            .into_iter()
            .filter_map(|row| row["inode"].as_u64());
        (inodes.collect::<BTreeSet<_>>(), run)
    };
    let (listed, _) = own(&["-a"]);
    let (asked, run) = own(&["-K", "-a", "--dry-run"]);
    assert!(asked.contains(&inode(&other)), "{run:?}");
    // The list has one more, which is that of the program itself.
    assert_eq!(listed.len(), asked.len() + 1, "{listed:?} {run:?}");
}

#[test]
fn others_than_root_are_not_permitted_to() {
    let Some(_namespace) = fresh() else { return };
    let mut connection = Connection::open();
    let filter = format!("dport = {}", connection.port());
    let words = ["-Kt", "--yes", "--format", "ndjson", &filter];
    let mut commands = Vec::new();
    match no_nobody() {
        None => commands.push(as_nobody(Path::new(LSOCK))),
        Some(why) => skip(why),
    }
    if has("unshare") {
        // Root of a user namespace, which this network namespace does not belong to.
        let mut command = command("unshare");
        command.arg("--map-root-user").arg(LSOCK);
        commands.push(command);
    }
    for mut command in commands {
        let run = run(command.args(words));
        assert_eq!(
            (results(&run), run.status),
            (only("not_permitted", 1), Some(2)),
            "{run:?}"
        );
        assert!(run.stderr.contains("CAP_NET_ADMIN"), "{run:?}");
        assert!(connection.lives());
    }
}

#[test]
fn own_ssh_session_needs_a_yes_of_its_own() {
    let Some(_namespace) = fresh() else { return };
    let mut connection = Connection::open();
    let (client, server) = (
        connection.client.local_addr().unwrap(),
        connection.server.local_addr().unwrap(),
    );
    let session = format!(
        "{} {} {} {}",
        client.ip(),
        client.port(),
        server.ip(),
        server.port()
    );
    let filter = format!("sport = {}", connection.port());
    let attempt = |words: &[&str]| {
        run(program()
            .args(words)
            .arg(&filter)
            .env("SSH_CONNECTION", &session))
    };
    let refused = attempt(&["-Kt", "--yes"]);
    assert_eq!(refused.status, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("this ssh session"), "{refused:?}");
    assert!(connection.lives());
    // As by sudo.
    let script = format!("env -u SSH_CONNECTION {LSOCK} -Kt --yes '{filter}'; exit $?");
    let below = run(command("sh")
        .args(["-c", &script])
        .env("SSH_CONNECTION", &session));
    assert_eq!(below.status, Some(2), "{below:?}");
    assert!(below.stderr.contains("this ssh session"), "{below:?}");
    assert!(connection.lives());
    let other_end = run(program()
        .args(["-Kt", "--yes", &format!("dport = {}", connection.port())])
        .env("SSH_CONNECTION", &session));
    assert_eq!(other_end.status, Some(2), "{other_end:?}");
    assert!(
        other_end.stderr.contains("this ssh session"),
        "{other_end:?}"
    );
    assert!(connection.lives());
    let ended = attempt(&["-Kt", "--yes", "--yes"]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(!connection.lives());
}

const COUNT: usize = 10_000;

/// A process that may end sockets and not look into other processes.
#[test]
fn what_may_match_is_not_ended() {
    let Some(_namespace) = fresh() else { return };
    if !has("setpriv") {
        return skip("setpriv is missing");
    }
    let mut connection = Connection::open();
    let port = format!("dport = {}", connection.port());
    let mut attempt = |filter: &str| {
        let mut command = command("setpriv");
        let caps = "-all,+net_admin";
        command.args([
            "--inh-caps",
            caps,
            "--bounding-set",
            caps,
            LSOCK,
            "-Ktn",
            "--yes",
            filter,
        ]);
        (run(&mut command), connection.lives())
    };
    for filter in ["not process = sshd", "process = sshd"] {
        let (refused, lives) = attempt(&format!("{port} and {filter}"));
        assert_eq!(
            (refused.status, lives),
            (Some(2), true),
            "{filter}: {refused:?}"
        );
        let message = "cannot decide whether the filter matches 1 socket";
        assert!(refused.stderr.contains(message), "{refused:?}");
        assert!(!refused.text().contains("destroyed"), "{refused:?}");
    }
    let (ended, lives) = attempt(&port);
    assert_eq!((ended.status, lives), (Some(0), false), "{ended:?}");
}

#[test]
fn thousands_are_ended_in_one_run() {
    let Some(_namespace) = fresh() else { return };
    tcp::options::allow_descriptors(12_000).unwrap();
    // Those that are not accepted need no descriptor.
    std::fs::write("/proc/sys/net/core/somaxconn", "16384").unwrap();
    let listener = TcpListener::bind(LOCAL).unwrap();
    rustix::net::listen(&listener, 16_384).unwrap();
    let at = listener.local_addr().unwrap();
    let connections: Vec<_> = (0..COUNT)
        .map(|_| TcpStream::connect(at).unwrap())
        .collect();
    let (results, run) = end(&["-t", &format!("dport = {}", at.port())]);
    assert_eq!((results, run.status), (only("destroyed", COUNT), Some(0)));
    drop(connections);
}

#[test]
fn socket_is_ended_as_soon_as_it_appears() {
    let Some(_namespace) = fresh() else { return };
    let listener = TcpListener::bind(LOCAL).unwrap();
    let at = listener.local_addr().unwrap();
    let filter = format!("dport = {}", at.port());
    thread::scope(|scope| {
        let words = [
            "-Kt", "--yes", "--wait", "20s", "--format", "ndjson", &filter,
        ];
        let mut waiting = program();
        waiting.args(words);
        let waiting = crate::support::Child::piped(&mut waiting);
        let waits = scope.spawn(move || waiting.end());
        thread::sleep(Duration::from_millis(300));
        let mut client = TcpStream::connect(at).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionAborted);
        let run = waits.join().unwrap();
        assert_eq!(
            (results(&run), run.status),
            (only("destroyed", 1), Some(0)),
            "{run:?}"
        );
    });
    let late = lsock(["-Kt", "--yes", "--wait", "0", &filter]);
    assert_eq!(late.status, Some(1), "{late:?}");
}

#[test]
fn socket_of_another_namespace_is_ended_there() {
    let Some(_namespace) = fresh() else { return };
    let here = Connection::open();
    let (stay, wait) = std::sync::mpsc::channel();
    let (path, mut there) = in_new(
        || {
            let thread = rustix::thread::gettid().as_raw_nonzero();
            let path = format!("/proc/{}/task/{thread}/ns/net", std::process::id());
            (path, Connection::open())
        },
        Some(wait),
    );
    let filter = format!("dport = {}", there.port());
    let (results, run) = end(&["-t", "-N", &path, &filter]);
    assert_eq!(
        (results, run.status),
        (only("destroyed", 1), Some(0)),
        "{run:?}"
    );
    assert!(!there.lives());
    drop((here, stay));
}

#[test]
fn every_format_tells_the_result() {
    let Some(_namespace) = fresh() else { return };
    for format in ["plain", "table", "json", "ndjson", "csv", "csv-safe"] {
        let connection = Connection::open();
        let filter = format!("dport = {}", connection.port());
        let run = lsock(["-Ktn", "--yes", "--format", format, &filter]);
        assert_eq!(run.status, Some(0), "{format}: {run:?}");
        assert!(run.text().contains("destroyed"), "{format}: {run:?}");
        let title = if matches!(format, "plain" | "table") {
            "RESULT"
        } else {
            "result"
        };
        assert!(run.text().contains(title), "{format}: {run:?}");
    }
    let connection = Connection::open();
    let filter = format!("dport = {}", connection.port());
    let chosen = lsock(["-Ktn", "--yes", "--columns", "local,pid", "-H", &filter]);
    assert!(chosen.text().ends_with("destroyed\n"), "{chosen:?}");
    let connection = Connection::open();
    let filter = format!("dport = {}", connection.port());
    let named = lsock(["-Ktn", "--yes", "--columns", "result,local", "-H", &filter]);
    assert!(named.text().starts_with("destroyed "), "{named:?}");
    let unasked = lsock(["-tn", "--columns", "result"]);
    assert_eq!(unasked.status, Some(2), "{unasked:?}");
    assert!(unasked.stderr.contains("result needs -K"), "{unasked:?}");
    let connection = Connection::open();
    let quiet = lsock(["-Ktq", "--yes", &format!("dport = {}", connection.port())]);
    assert_eq!(
        (quiet.status, quiet.text(), &*quiet.stderr),
        (Some(0), "", "")
    );
    // A listing has no such key.
    let listed = lsock(["-tanj"]);
    assert!(
        listed
            .sockets()
            .iter()
            .all(|row| row.get("result").is_none())
    );
    let _: Value = listed.document();
}
