//! Who is at the other end.

use std::fs;
use std::io::Write as _;
use std::net::{
    Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket,
};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::sockopt::ReusePort;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket};
use serde_json::{Value, json};

use crate::namespaces::{add, in_named, own_mounts};
use crate::owners::alone::is_alone;
use crate::owners::nobody::Reachable;
use crate::scene::holder::Holder;
use crate::scene::namespace::ip;
use crate::scene::{V4, V6, tcp};
use crate::support::{Run, fresh, lsock, needed, run, skip, until};

/// The names of the processes at the other end of the only socket that is listed, with commas; `None` = not told.
fn peers_of(run: &Run) -> Option<String> {
    let rows = run.sockets();
    let [row] = &*rows else {
        panic!("{rows:#?}");
    };
    peers(row)
}

fn peers(row: &Value) -> Option<String> {
    let processes = row["peer_processes"].as_array()?.iter();
    let names = processes.map(|process| process["name"].as_str().unwrap());
    Some(names.collect::<Vec<_>>().join(","))
}

fn ask(words: &[&str]) -> Option<String> {
    peers_of(&lsock([&["-jnpp"], words].concat()))
}

const NOBODY: Option<&str> = Some("");

/// A connection whose ends two processes hold, and no other.
fn held(server: SocketAddr, client: impl ToSocketAddrs) -> (u16, u16, [Holder; 2]) {
    let listener = TcpListener::bind(server).unwrap();
    let to = client.to_socket_addrs().unwrap().next().unwrap();
    let to = SocketAddr::new(to.ip(), listener.local_addr().unwrap().port());
    let client = TcpStream::connect(to).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let holders = [
        Holder::named(b"client", &[client.as_fd()]).unwrap(),
        Holder::named(b"server", &[accepted.as_fd()]).unwrap(),
    ];
    (client.local_addr().unwrap().port(), to.port(), holders)
}

#[test]
fn ends_of_a_connection_over_loopback_know_each_other_by_their_four_numbers() {
    let Some(_namespace) = fresh() else { return };
    let any6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    let any4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    for (server, client) in [
        (any4, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        (any6, SocketAddr::from((Ipv6Addr::LOCALHOST, 0))),
        // One end is IPv4, the other one mapped.
        (any6, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
    ] {
        let (client, server, _holders) = held(server, client);
        let to = [format!("dport = {server}"), format!("dport = {client}")];
        assert_eq!(ask(&["-t", &to[0]]).as_deref(), Some("server"));
        assert_eq!(ask(&["-t", &to[1]]).as_deref(), Some("client"));
        // The listing of one IP version alone knows the other end, too.
        let text = lsock(["-tnppH", &to[0]]);
        let line: Vec<&str> = text.text().split_whitespace().collect();
        assert!(line[7].starts_with("server["), "{text:?}");
        for (filter, status) in [
            (format!("dport = {server} and peer_process = server"), 0),
            (format!("dport = {server} and peer_process != server"), 1),
            (format!("dport = {server} and peer_process = none"), 1),
        ] {
            let run = lsock(["-tnq", &filter]);
            assert_eq!(run.status, Some(status), "{filter}: {run:?}");
        }
        let shown = lsock(["-tnj", "peer_process = server"]).sockets();
        assert_eq!(shown[0]["peer_processes"], Value::Null, "without -pp");
        assert_eq!(shown[0]["processes"], Value::Null);
        let columns = [
            "--columns",
            "peer_pid,peer_process",
            "--sort",
            "-peer_process",
        ];
        let rows = lsock([&["-tnH", "state connected"], &columns[..]].concat());
        let rows: Vec<_> = rows.lines();
        assert!(
            rows[0].ends_with("server") || rows[0].trim_end().ends_with("server"),
            "{rows:?}"
        );
    }
}

#[test]
fn end_that_no_process_holds_has_nobody() {
    let Some(_namespace) = fresh() else { return };
    // Not accepted yet.
    let listener = tcp::listener(V4, 5).unwrap();
    let waiting = tcp::connect(&listener).unwrap();
    let to = |port: u16| format!("dport = {port}");
    let port = waiting.peer_addr().unwrap().port();
    assert_eq!(ask(&["-t", &to(port)]).as_deref(), NOBODY);
    // Its own other end, which only the kernel has.
    let own = waiting.local_addr().unwrap().port();
    assert_eq!(ask(&["-t", &to(own)]).unwrap().split(',').count(), 1);
    assert_eq!(
        ask(&["-tl"]).as_deref(),
        NOBODY,
        "a listener has no other end"
    );
    drop((waiting, listener));

    // This end is in TIME_WAIT, and the other one closed: and the other way round.
    let pair = tcp::pair(V6).unwrap();
    let port = pair.client.local_addr().unwrap().port();
    pair.client.shutdown(Shutdown::Write).unwrap();
    until("FIN", || {
        let half = lsock([
            "-tnq",
            "--expect",
            "1",
            &format!("dport = {port} state close-wait"),
        ]);
        (half.status == Some(0)).then_some(())
    });
    drop(pair.client);
    // An orphan in FIN_WAIT_2 is the other end of this one.
    assert_eq!(ask(&["-t", &to(port)]).as_deref(), NOBODY);
    drop(pair.server);
    let left = until("TIME_WAIT", || {
        let run = lsock(["-tnppj", &format!("sport = {port} state time-wait")]);
        (run.sockets().len() == 1).then_some(run)
    });
    assert_eq!(peers_of(&left).as_deref(), NOBODY);
}

#[test]
fn self_connected_socket_is_its_own_other_end() {
    let Some(_namespace) = fresh() else { return };
    let socket = tcp::socket(V4).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 7_777));
    rustix::net::bind(&socket, &address).unwrap();
    rustix::net::connect(&socket, &address).unwrap();
    let rows = lsock(["-tnjpp"]).sockets();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["peer_processes"], rows[0]["processes"]);
    assert_eq!(rows[0]["processes"].as_array().unwrap().len(), 1);
}

#[test]
fn udp_sockets_that_are_connected_know_each_other_and_no_others() {
    let Some(_namespace) = fresh() else { return };
    let [one, other, open] = [(); 3].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let port = |socket: &UdpSocket| socket.local_addr().unwrap().port();
    one.connect(other.local_addr().unwrap()).unwrap();
    other.connect(one.local_addr().unwrap()).unwrap();
    let _holder = Holder::named(b"resolver", &[other.as_fd()]).unwrap();
    let told = ask(&["-u", &format!("sport = {}", port(&one))]).unwrap();
    assert!(told.contains("resolver"), "{told:?}");
    // It has no other end, as far as it is concerned.
    assert_eq!(
        ask(&["-ua", &format!("sport = {}", port(&open))]).as_deref(),
        NOBODY
    );
    // Whoever sends to a socket that is not connected may not be answered by it.
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.connect(open.local_addr().unwrap()).unwrap();
    let filter = format!("sport = {}", port(&client));
    assert_eq!(ask(&["-u", &filter]).as_deref(), None);
    let judged = lsock(["-unq", &filter, "and", "peer_process = none"]);
    assert_eq!(judged.status, Some(2), "{judged:?}");
    let text = lsock(["-unppH", &filter]);
    assert!(text.text().trim_end().ends_with('?'), "{text:?}");
}

#[test]
fn which_of_two_udp_twins_is_at_the_other_end_is_not_guessed() {
    let Some(_namespace) = fresh() else { return };
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let from = client.local_addr().unwrap();
    let mut to = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut twins = Vec::new();
    for name in [&b"first"[..], b"second"] {
        let twin = socket(
            AddressFamily::Inet,
            SockType::Datagram,
            SockFlag::SOCK_CLOEXEC,
            None,
        );
        let twin = twin.unwrap();
        setsockopt(&twin, ReusePort, &true).unwrap();
        rustix::net::bind(&twin, &to).unwrap();
        let twin = UdpSocket::from(twin);
        to = twin.local_addr().unwrap();
        let holder = Holder::named(name, &[twin.as_fd()]).unwrap();
        twins.push((twin, holder));
    }
    client.connect(to).unwrap();
    let filter = format!("sport = {}", from.port());
    let asked = || ask(&["-u", &filter]);
    // Neither has said from whom it takes datagrams.
    assert_eq!(asked(), None);
    twins[0].0.connect(from).unwrap();
    assert!(asked().unwrap().contains("first"));
    twins[1].0.connect(from).unwrap();
    // Now both have.
    assert_eq!(asked(), None);
    let judged = lsock(["-unq", &filter, "and", "peer_process = first"]);
    assert_eq!(judged.status, Some(2), "{judged:?}");
    let text = lsock(["-unppH", &filter]);
    assert!(text.text().trim_end().ends_with('?'), "{text:?}");
    // What either sends goes to the only other end there is.
    let rows = lsock(["-ujnpp", &format!("sport = {}", to.port())]).sockets();
    assert_eq!(rows.len(), 2, "{rows:#?}");
    for row in rows {
        let own = std::process::id();
        assert_eq!(row["peer_processes"][0]["pid"], own, "{row:#?}");
    }
}

#[test]
fn peer_of_a_unix_socket_is_told_by_its_inode() {
    let Some(_namespace) = fresh() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let client = UnixStream::connect(&path).unwrap();
    let inode = |stream: &UnixStream| {
        let file = rustix::fs::fstat(stream).unwrap();
        format!("inode = {}", file.st_ino)
    };
    // Nobody has accepted it.
    assert_eq!(ask(&["-x", &inode(&client)]).as_deref(), NOBODY);
    let (accepted, _) = listener.accept().unwrap();
    let _holder = Holder::named(b"daemon", &[accepted.as_fd()]).unwrap();
    let number = inode(&accepted);
    drop(accepted);
    assert_eq!(ask(&["-x", &inode(&client)]).as_deref(), Some("daemon"));
    assert_eq!(ask(&["-x", &number]).unwrap().split(',').count(), 1);
    assert_eq!(ask(&["-xl", "src ~ */s"]).as_deref(), NOBODY, "it listens");
    let filter = [&inode(&client), "and", "peer_process = daemon"];
    assert_eq!(lsock([&["-xq"], &filter[..]].concat()).status, Some(0));

    let (one, other) = UnixStream::pair().unwrap();
    let _holder = Holder::named(b"worker", &[other.as_fd()]).unwrap();
    let told = ask(&["-x", &inode(&one)]).unwrap();
    assert_eq!(
        told.split(',').count(),
        2,
        "this process and the child: {told:?}"
    );
    // The file does not tell peers.
    let run = lsock(["-xjpp", "--source", "procfs", &inode(&one)]);
    assert_eq!(peers_of(&run), None);
}

#[test]
fn other_ends_in_other_namespaces_are_found_where_these_are_listed() {
    let name = "peers::other_ends_in_other_namespaces_are_found_where_these_are_listed";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    ip(&["link", "set", "lo", "up"]).unwrap();
    // Two pairs of namespaces with the same addresses.
    for number in ["1", "2"] {
        let [red, blue] = ["red", "blue"].map(|side| format!("{side}{number}"));
        add(&red);
        add(&blue);
        ip(&[
            "-n", &red, "link", "add", "r0", "type", "veth", "peer", "name", "b0", "netns", &blue,
        ])
        .unwrap();
        for (side, device, last) in [(&red, "r0", "1"), (&blue, "b0", "2")] {
            let v4 = format!("10.0.0.{last}/24");
            let v6 = format!("fd00::{last}/64");
            ip(&["-n", side, "address", "add", &v4, "dev", device]).unwrap();
            ip(&["-n", side, "address", "add", &v6, "dev", device, "nodad"]).unwrap();
            ip(&["-n", side, "link", "set", device, "up"]).unwrap();
        }
    }
    // Over IPv6 in both pairs with ports of their own, over IPv4 with the same four numbers.
    let connect = |number: &str, to: SocketAddr, port: u16| {
        let listener = in_named(&format!("blue{number}"), || TcpListener::bind(to).unwrap());
        let to = listener.local_addr().unwrap();
        let client = in_named(&format!("red{number}"), || {
            let from = match to {
                SocketAddr::V4(_) => SocketAddr::from(([10, 0, 0, 1], port)),
                SocketAddr::V6(_) => SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 1], port)),
            };
            let socket = tcp::socket(to.ip()).unwrap();
            rustix::net::bind(&socket, &from).unwrap();
            until("the way there", || rustix::net::connect(&socket, &to).ok());
            TcpStream::from(socket)
        });
        let (accepted, _) = listener.accept().unwrap();
        [
            Holder::named(format!("client{number}").as_bytes(), &[client.as_fd()]).unwrap(),
            Holder::named(format!("server{number}").as_bytes(), &[accepted.as_fd()]).unwrap(),
        ]
    };
    let four = SocketAddr::from(([10, 0, 0, 2], 80));
    let six = |port: u16| SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 2], port));
    let _of_six = [connect("1", six(81), 5_001), connect("2", six(82), 5_002)];
    let _first = connect("1", four, 5_000);
    let all = ["-t", "-N", "red1,red2,blue1,blue2"];
    let row = |words: &[&str], filter: &str| {
        let words = [&["-jnpp"], words, &[filter]].concat();
        let rows = lsock(words).sockets();
        assert_eq!(rows.len(), 1, "{rows:#?}");
        rows[0].clone()
    };
    for (filter, name, netns) in [
        ("dport = 81", "server1", "blue1"),
        ("dport = 5001", "client1", "red1"),
        ("dport = 82", "server2", "blue2"),
        ("dport = 80", "server1", "blue1"),
        ("dport = 5000", "client1", "red1"),
    ] {
        let row = row(&all, filter);
        assert_eq!(peers(&row).as_deref(), Some(name), "{filter}");
        assert_eq!(row["peer_netns"], json!(netns));
    }
    // One that is not listed is not searched.
    let alone = row(&["-t", "-N", "red1"], "dport = 81");
    assert_eq!((peers(&alone), &alone["peer_netns"]), (None, &Value::Null));
    let status = |words: &[&str]| lsock([&["-tnq"], words].concat()).status;
    assert_eq!(status(&["-N", "red1", "peer_process = server1"]), Some(2));
    assert_eq!(status(&["-N", "all", "peer_process = server1"]), Some(0));
    assert_eq!(status(&["-N", "all", "peer_netns = blue2"]), Some(0));
    assert_eq!(status(&["peer_netns = blue2"]), Some(2));
    // The same four numbers in both pairs: which of two it is nobody knows.
    let _second = connect("2", four, 5_000);
    let rows = lsock([&["-jnpp", "dport = 80 or dport = 5000"], &all[..]].concat()).sockets();
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| peers(row).is_none()), "{rows:#?}");
    // Those of one pair alone are no riddle.
    let pair = row(&["-t", "-N", "red2,blue2"], "dport = 80");
    assert_eq!(peers(&pair).as_deref(), Some("server2"));
    // 127.0.0.1 is another one everywhere.
    let loopback = ["red1", "blue1"].map(|netns| {
        in_named(netns, || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 90)).unwrap();
            let socket = tcp::socket(V4).unwrap();
            let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 6_000));
            rustix::net::bind(&socket, &from).unwrap();
            rustix::net::connect(&socket, &listener.local_addr().unwrap()).unwrap();
            let (accepted, _) = listener.accept().unwrap();
            Holder::named(format!("on-{netns}").as_bytes(), &[accepted.as_fd()]).unwrap()
        })
    });
    for row in lsock([&["-jnpp", "dport = 90"], &all[..]].concat()).sockets() {
        let netns = row["netns"].as_str().unwrap();
        assert_eq!(peers(&row).as_deref(), Some(&*format!("on-{netns}")));
    }
    drop(loopback);
}

#[test]
fn ends_behind_nat_are_joined_by_the_table_of_connections() {
    let Some(_namespace) = fresh() else { return };
    let Some(iptables) = needed("iptables") else {
        return;
    };
    let rule = "-t nat -A OUTPUT -p tcp -d 127.0.0.1 --dport 80 -j REDIRECT --to-ports 8080";
    let added = run(std::process::Command::new(iptables).args(rule.split(' ')));
    if added.status != Some(0) {
        return skip(format_args!("no NAT: {added:?}"));
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 8_080)).unwrap();
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, 80)).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let _holders = [
        Holder::named(b"client", &[client.as_fd()]).unwrap(),
        Holder::named(b"server", &[accepted.as_fd()]).unwrap(),
    ];
    let port = client.local_addr().unwrap().port();
    drop((client, accepted));
    assert_eq!(ask(&["-t", "dport = 80"]).as_deref(), Some("server"));
    assert_eq!(
        ask(&["-t", &format!("dport = {port}")]).as_deref(),
        Some("client")
    );
    // Whoever may not read that table knows of no other end, and of none that is not there.
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let told = lsock.run(&["-tjnpp", "dport = 80"]);
    assert_eq!(peers_of(&told), None);
}

#[test]
fn user_without_rights_is_not_told_who_is_there() {
    let Some(_namespace) = fresh() else { return };
    let Some(lsock) = Reachable::new() else {
        return;
    };
    let (_, server, _holders) = held(
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        (Ipv4Addr::LOCALHOST, 0),
    );
    let filter = format!("dport = {server}");
    let run = lsock.run(&["-tjnpp", &filter]);
    assert_eq!((run.status, peers_of(&run)), (Some(0), None));
    assert!(run.stderr.contains("not readable"), "{run:?}");
    let judged = lsock.run(&["-tnq", &filter, "and", "peer_process = server"]);
    assert_eq!(judged.status, Some(2), "{judged:?}");
    let text = lsock.run(&["-tnppH", &filter]);
    assert!(text.text().trim_end().ends_with('?'), "{text:?}");
}

#[test]
fn rounds_and_waits_look_for_other_ends_again() {
    let Some(_namespace) = fresh() else { return };
    let listener = tcp::listener(V4, 5).unwrap();
    let client = tcp::connect(&listener).unwrap();
    let port = client.peer_addr().unwrap().port();
    let accepting = std::thread::spawn({
        let origin = fs::File::open("/proc/thread-self/ns/net").unwrap();
        move || {
            setns(origin, CloneFlags::CLONE_NEWNET).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(300));
            let mut accepted = tcp::accept(&listener).unwrap();
            accepted.write_all(b"x").unwrap();
            Holder::named(b"late", &[accepted.as_fd()]).unwrap()
        }
    });
    let filter = format!("dport = {port} and peer_process = late");
    let waited = lsock(["-tnpp", "--wait", "20s", &filter]);
    assert_eq!(waited.status, Some(0), "{waited:?}");
    assert!(waited.text().contains("late["), "{waited:?}");
    drop(accepting.join().unwrap());
}

#[test]
fn other_ends_are_of_listings_of_this_machine() {
    for words in [
        &["-Epp"][..],
        &["-tpp", "--format", "netstat"],
        &["-tpp", "-s"],
        &["-tpp", "--replay", "/dev/null"],
        &["-t", "--replay", "/dev/null", "peer_process = curl"],
        &["-E", "peer_process = curl"],
    ] {
        let run = lsock(words);
        assert_eq!(
            (run.status, run.text()),
            (Some(2), ""),
            "{words:?}: {run:?}"
        );
        run.assert_speaks_plainly();
    }
}
