//! What a filter spares: the kernel sends less, tables are not asked for, processes are not read.

use std::net::TcpStream;
use std::os::fd::OwnedFd;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;

use crate::asked::sent;
use crate::scene::expected::local_address;
use crate::scene::tcp::{self, listeners, states};
use crate::scene::{V4, unix};
use crate::support::{fresh, list, lsock, traced};

/// `NLM_F_REQUEST` (`include/uapi/linux/netlink.h`).
const REQUEST: u16 = 1;

/// A listener with so many connections waiting at it.
fn crowd(count: i32) -> (OwnedFd, Vec<TcpStream>) {
    let listener = tcp::listener(V4, count).unwrap();
    let clients = (0..count).map(|_| tcp::connect(&listener).unwrap());
    let clients = clients.collect();
    (listener, clients)
}

/// How many bytes `lsock <words>` gets from the kernel, and how many rows it shows.
fn received(words: &[&str]) -> Option<(u64, usize)> {
    let (run, trace) = traced("recvfrom,recvmsg", &[words, &["-j"]].concat())?;
    let counts = trace.lines().filter_map(|line| line.rsplit_once(" = "));
    let counts = counts.filter_map(|(_, count)| count.parse::<u64>().ok());
    Some((counts.sum(), run.clean().sockets().len()))
}

#[test]
fn kernel_sends_only_what_the_filter_lets_through() {
    let Some(_namespace) = fresh() else { return };
    let (_listener, clients) = crowd(200);
    let port = clients[0].local_addr().unwrap().port();
    let Some((everything, rows)) = received(&["-ta"]) else {
        return;
    };
    // Both ends of each connection, 72 bytes and more.
    assert!(everything > 400 * 72 && rows == 401, "{everything} {rows}");
    let port = port.to_string();
    for (expression, wanted) in [
        (format!("sport = {port}"), 1),
        (format!("sport = :{port} or dport = :{port}"), 2),
        (format!(":{port}"), 2),
        (format!("src 127.0.0.1 and sport = {port}"), 1),
        (format!("sport = {port} and not state listen"), 1),
        ("src 127.9.0.0/16".to_owned(), 0),
        ("dst 10/8 or dst fe80::/10".to_owned(), 0),
        // What is BOUND has no peer, but the kernel tests that of an earlier connection.
        ("not dst 0.0.0.0/0 and not state bound".to_owned(), 0),
        ("state listen".to_owned(), 1),
        ("state listen or state time-wait".to_owned(), 1),
        ("exclude established".to_owned(), 1),
        ("dev lo".to_owned(), 0),
        ("state listen and inode > 0".to_owned(), 1),
    ] {
        let (bytes, rows) = received(&["-tan", &expression]).unwrap();
        assert_eq!(rows, wanted, "{expression}");
        assert!(bytes < 2_500, "{expression}: {bytes} of {everything}");
    }
}

#[test]
fn state_alone_shows_listeners_and_receives_nothing_else() {
    let Some(_namespace) = fresh() else { return };
    let (_listener, _clients) = crowd(200);
    let Some((bytes, rows)) = received(&["-t", "state", "listen"]) else {
        return;
    };
    assert!(bytes < 1_000 && rows == 1, "{bytes} {rows}");
}

/// Others may have the same ends, each on an interface of its own: only one that is asked for with its
/// interface is the only one.
#[test]
fn one_connection_is_looked_up_and_not_searched_for() {
    let Some(_namespace) = fresh() else { return };
    let (listener, _clients) = crowd(200);
    let to = local_address(&listener).unwrap();
    let client = tcp::socket(V4).unwrap();
    setsockopt(&client, BindToDevice, &"lo".into()).unwrap();
    // Too many wait already: it stays in SYN_SENT.
    rustix::io::ioctl_fionbio(&client, true).unwrap();
    let _ = rustix::net::connect(&client, &to);
    let expression = format!("src {} and dst {to}", local_address(&client).unwrap());
    let on_lo = format!("{expression} and dev lo");
    let Some((run, trace)) = traced("sendto,recvfrom", &["-t4n", &on_lo]) else {
        return;
    };
    // The connection below the names of the columns.
    assert_eq!(run.clean().lines().len(), 2);
    let requests = sent(&trace);
    assert_eq!(requests.len(), 1, "{trace}");
    let flags = u16::from_ne_bytes(requests[0][6..8].try_into().unwrap());
    assert_eq!(flags, REQUEST, "{trace}");
    let answers = trace.lines().filter(|line| line.contains("recvfrom("));
    assert_eq!(answers.count(), 1, "{trace}");
    // Among IPv6 sockets too, whose addresses may be mapped ones.
    for words in [&["-t4n", &expression][..], &["-tn", &expression]] {
        let (bytes, rows) = received(words).expect("it traced a moment ago");
        assert!(bytes < 1_000 && rows == 1, "{words:?}: {bytes} {rows}");
    }
}

#[test]
fn connection_that_is_looked_up_is_the_one_that_is_meant() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::mapped().unwrap();
    let client = held.the("IPv4 client of the mapped server");
    let (local, peer) = (client.local(), client.peer());
    let of = |expression: String| list(&["-tan", &expression]);
    let rows = of(format!("src {local} and dst {peer}"));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["family"], "inet");
    // The other end has the same addresses, mapped.
    let rows = of(format!("src {peer} and dst {local}"));
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["family"], "inet6");
    // The kernel would offer the listener in its place.
    let rows = of(format!("src {peer} and dst 127.0.0.1:1"));
    assert!(rows.is_empty(), "{rows:#?}");
    // The listener itself is found as what it is.
    let rows = of(format!("sport = {} and state listen", peer.port()));
    assert_eq!(rows.len(), 1);
}

/// Family and protocol of each request.
fn tables(words: &[&str]) -> Option<Vec<(u8, u8)>> {
    let (run, trace) = traced("sendto", words)?;
    assert_eq!(run.status, Some(0), "{words:?}: {}", run.stderr);
    let requests = sent(&trace);
    Some(
        requests
            .iter()
            .map(|request| (request[16], request[17]))
            .collect(),
    )
}

#[test]
fn tables_that_cannot_match_are_not_asked_for() {
    let Some(_namespace) = fresh() else { return };
    let _held = (
        states::established(V4).unwrap(),
        unix::states::pair().unwrap(),
    );
    let (inet, inet6, unix, tcp, udp) = (2, 10, 1, 6, 17);
    // The older request, for TCP over both IP versions.
    let both = (0, 0);
    for (expression, wanted) in [
        ("protocol = tcp", &[both][..]),
        ("protocol = tcp and family = inet", &[(inet, tcp)]),
        ("protocol udp family inet6", &[(inet6, udp)]),
        ("protocol = unix", &[(unix, 0)]),
        ("family = unix", &[(unix, 0)]),
        ("type = stream and family != packet", &[(unix, 0)]),
        (
            "state listen and protocol = tcp",
            &[(inet, tcp), (inet6, tcp)],
        ),
        ("state time-wait", &[both]),
        ("protocol = tcp and protocol = udp", &[]),
    ] {
        let Some(mut asked) = tables(&["-A", "all", "-a", "-n", expression]) else {
            return;
        };
        // Families that are asked for where their modules are loaded: TIPC, vsock, SMC, XDP; and SCTP.
        asked.retain(|(family, protocol)| ![30, 40, 43, 44].contains(family) && *protocol != 132);
        asked.sort_unstable();
        asked.dedup();
        // MPTCP has a number of its own (262), of which the request shows the lower byte.
        if expression == "state time-wait" {
            asked.retain(|table| wanted.contains(table));
        }
        let mut wanted = wanted.to_vec();
        wanted.sort_unstable();
        assert_eq!(asked, wanted, "{expression}");
    }
}

#[test]
fn name_of_a_host_is_looked_up_nowhere_without_resolve() {
    let Some(_namespace) = fresh() else { return };
    let _held = states::established(V4).unwrap();
    for (expression, status) in [
        ("src 127.0.0.1", 0),
        ("sport = http", 0),
        ("src localhost", 2),
        ("dst www.example.org:80", 2),
    ] {
        let words = ["-tan", expression];
        let Some((run, trace)) = traced("openat,open,connect,sendto", &words) else {
            return;
        };
        assert_eq!(run.status, Some(status), "{expression}: {}", run.stderr);
        for name in ["resolv.conf", "/etc/hosts", "nsswitch", "nscd", "connect("] {
            let found = trace.lines().find(|line| line.contains(name));
            assert_eq!(found, None, "{expression}");
        }
        if status == 2 {
            assert!(run.stderr.contains("-r"), "{}", run.stderr);
            assert!(run.stdout.is_empty());
        }
    }
}

/// The processes of which something is opened or read.
fn processes_read(words: &[&str]) -> Option<Vec<String>> {
    let (run, trace) = traced("openat,open,readlink,readlinkat", words)?;
    run.done();
    let pids = trace.lines().filter_map(|line| {
        let beyond = line.split_once("\"/proc/")?.1;
        let pid = beyond.split(['/', '"']).next()?;
        let is_pid = !pid.is_empty() && pid.bytes().all(|byte| byte.is_ascii_digit());
        is_pid.then(|| pid.to_owned())
    });
    let mut pids: Vec<String> = pids.collect();
    pids.sort();
    pids.dedup();
    Some(pids)
}

#[test]
fn only_the_process_that_is_asked_for_is_read() {
    let Some(_namespace) = fresh() else { return };
    let held = listeners::handed_over(V4).unwrap();
    let (pid, _) = held.the("listener of a child").owners[0];
    let expression = format!("pid = {pid}");
    for words in [&["-tl", &expression][..], &["-tlp", &expression]] {
        assert_eq!(lsock(words).done().lines().len(), 2, "{words:?}");
        let Some(read) = processes_read(words) else {
            return;
        };
        assert_eq!(read, [pid.to_string()], "{words:?}");
    }
}

#[test]
fn no_process_is_read_for_a_filter_that_does_not_ask() {
    let Some(_namespace) = fresh() else { return };
    let _held = states::established(V4).unwrap();
    for expression in [
        "sport > 0",
        "state established and uid >= 0",
        "inode > 0 or half-closed or orphan",
        "any 127.0.0.1",
    ] {
        let words = ["-ta", expression];
        let Some(read) = processes_read(&words) else {
            return;
        };
        assert_eq!(read, Vec::<String>::new(), "{expression}");
    }
}

#[test]
fn no_process_is_read_where_the_rest_of_the_filter_lets_nothing_through() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 1).unwrap();
    let port = local_address(&listener).unwrap().port();
    let expression = format!("sport != {port} and process = sleep");
    let Some(read) = processes_read(&["-tl", &expression]) else {
        return;
    };
    assert_eq!(read, Vec::<String>::new());
}
