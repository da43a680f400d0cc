//! TCP connections by a walk through the kernel's table: the rows are those of netlink.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use nix::sys::socket::{SockaddrIn, bind, connect, getsockname, setsockopt, sockopt};
use serde_json::Value;

use crate::scene::{Namespace, V4, V6, tcp};
use crate::support::{Stop, calls, can_strace, close, fresh, lsock, skip, stage, until, until_ok};

/// All that a walk tells.
const COLUMNS: &str = "family,state,recv_q,send_q,src,dst,uid,inode,shutdown,mark,cgroup_id,\
    interface,timer.kind,timer.retransmits";

/// False where the kernel does not let us walk, which is said.
pub fn can_walk() -> bool {
    let run = lsock(["-tn", "--source", "bpf"]);
    if run.status == Some(0) {
        return true;
    }
    assert_eq!(run.status, Some(2), "{run:?}");
    skip(&run.stderr);
    false
}

/// The rows of a listing, in order.
fn rows(source: &str, words: &[&str]) -> Vec<String> {
    let run = lsock([&["-tn", "-H", "--source", source], words].concat()).clean();
    let mut rows: Vec<String> = run.lines().into_iter().map(str::to_owned).collect();
    rows.sort();
    rows
}

#[test]
fn rows_are_those_of_netlink_in_every_state() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    if !can_walk() {
        return;
    }
    for words in [
        &["-a", "--columns", COLUMNS][..],
        &["-a"],
        &["-6"],
        &["-a", "state time-wait or state syn-recv"],
        &["-a", "sport > 1000 and not dst 127.0.0.1"],
        &["-a", "(recv_q > 0 or timer = retransmit) and not orphan"],
        &["-l"],
    ] {
        until_ok("agreement", || {
            let [netlink, bpf] = ["netlink", "bpf"].map(|source| rows(source, words));
            if netlink == bpf {
                Ok(())
            } else {
                let alone = [(&netlink, &bpf), (&bpf, &netlink)].map(|(these, those)| {
                    let is_alone = |row: &&String| !those.contains(row);
                    these.iter().filter(is_alone).collect::<Vec<_>>()
                });
                Err(format!(
                    "{words:?}: only by netlink, only by bpf: {alone:#?}"
                ))
            }
        });
    }
}

#[test]
fn sources_name_the_walk() {
    let Some(_namespace) = fresh() else { return };
    let _pair = tcp::pair(V4).unwrap();
    if !can_walk() {
        return;
    }
    for (words, source) in [
        (&["--columns", "state,local"][..], "bpf"),
        (&["-l", "--columns", "state,local"], "netlink"),
    ] {
        let words = [&["-t", "--json", "--source", "bpf"], words].concat();
        let run = lsock(&words).done();
        assert_eq!(run.document()["summary"]["sources"][0]["source"], source);
    }
}

#[test]
fn checks_and_counts_agree() {
    let Some(_namespace) = fresh() else { return };
    let _pairs: Vec<_> = (0..5).map(|_| tcp::pair(V4).unwrap()).collect();
    if !can_walk() {
        return;
    }
    let [netlink, bpf] = ["netlink", "bpf"].map(|source| {
        let run = lsock(["-tsn", "--json", "--source", source]).done();
        run.document()["counts"].clone()
    });
    assert!(
        netlink == bpf && netlink.to_string().contains("10"),
        "{netlink} {bpf}"
    );
    for (words, status) in [
        (&["-q", "state established"][..], 0),
        (&["-q", "state time-wait"], 1),
        (&["--expect", "10", "state established"], 0),
        (&["--expect", "..9", "state established"], 1),
        (&["--limit", "3"], 0),
    ] {
        for source in ["bpf", "netlink"] {
            let run = lsock([&["-tan", "--source", source], words].concat());
            assert_eq!(run.status, Some(status), "{source} {words:?}: {run:?}");
        }
    }
}

/// A summary, but for what runs on.
fn summary(source: &str, words: &[&str]) -> Value {
    let mut document = lsock([&["-sn", "--json", "--source", source], words].concat())
        .done()
        .document();
    document["time"] = Value::Null;
    // Each source has an order of its own: of many, others are the first 20.
    if let Some(listeners) = document["listeners"].as_array_mut() {
        listeners.sort_by_key(Value::to_string);
        if listeners.len() == 20 {
            listeners.clear();
        }
    }
    for part in document["summary"]["sources"].as_array_mut().unwrap() {
        part["source"] = Value::Null;
    }
    if let Some(rest) = document["time_wait"].get_mut("longest_ms") {
        *rest = rest.is_null().into();
    }
    document
}

#[test]
fn summaries_are_those_of_netlink_in_every_state() {
    let Some((_scene, _namespace)) = stage() else {
        return;
    };
    if !can_walk() {
        return;
    }
    // Beside those of the scene: one direction shut without a FIN, timers that mean nothing, and much that nobody
    // reads.
    let pairs: Vec<_> = [V4, V6, V4].map(|ip| tcp::pair(ip).unwrap()).into();
    pairs[0].client.shutdown(Shutdown::Read).unwrap();
    for pair in &pairs[1..] {
        for end in [&pair.client, &pair.server] {
            setsockopt(end, sockopt::KeepAlive, &true).unwrap();
        }
        (&pair.client).write_all(&vec![0; 20_000]).unwrap();
    }
    for words in [
        &["-t"][..],
        &["-t4"],
        &["-t6"],
        &["-t", "state established"],
        &["-t", "state time-wait or state fin-wait-2"],
        &["-t", "not state established"],
        &["-t", "sport > 1000"],
        &["-t", "half-closed"],
        &["-tu"],
    ] {
        until_ok("agreement", || {
            let [netlink, bpf] = ["netlink", "bpf"].map(|source| summary(source, words));
            if netlink == bpf {
                Ok(())
            } else {
                Err(format!("{words:?}: {netlink:#}\n{bpf:#}"))
            }
        });
    }
}

#[test]
fn who_has_the_port_of_a_bound_socket_is_counted_once() {
    let Some(_namespace) = fresh() else { return };
    if !can_walk() {
        return;
    }
    // Two addresses of the same port: one is bound, the other connected from there.
    let at = |last| {
        let socket = tcp::socket(V4).unwrap();
        setsockopt(&socket, sockopt::ReuseAddr, &true).unwrap();
        bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, last, 9_999)).unwrap();
        socket
    };
    let (_bound, client) = (at(9), at(1));
    let listener = tcp::listener(V4, 16).unwrap();
    let address: SockaddrIn = getsockname(listener.as_raw_fd()).unwrap();
    connect(client.as_raw_fd(), &address).unwrap();
    let counts = |source| summary(source, &["-t"])["counts"].clone();
    let states = counts("bpf")[0]["states"].clone();
    assert_eq!(
        (&states["BOUND"], &states["ESTABLISHED"]),
        (&1.into(), &2.into())
    );
    assert_eq!(counts("bpf"), counts("netlink"));
}

#[test]
fn who_stays_is_counted_once_while_others_come_and_go() {
    let Some(_namespace) = fresh() else { return };
    if !can_walk() {
        return;
    }
    let _crowd = Crowd::new(500);
    let namespace = fs::File::open("/proc/thread-self/ns/net").unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| come_and_go(&stop, &namespace, &[V4]));
        for _ in 0..20 {
            let document = summary("bpf", &["-t6", "state established"]);
            assert_eq!(document["counts"][0]["states"]["ESTABLISHED"], 1_000);
        }
    });
}

#[test]
fn counts_agree_where_records_fill_the_buffer() {
    let Some(_namespace) = fresh() else { return };
    if !can_walk() {
        return;
    }
    // Half-closed connections have a record each, of which the kernel takes some 400 at once.
    let crowd = Crowd::new(1_000);
    for (client, _) in crowd.pairs.iter().step_by(2) {
        client.shutdown(Shutdown::Write).unwrap();
    }
    let [netlink, bpf] = ["netlink", "bpf"].map(|source| summary(source, &["-t"]));
    assert_eq!(netlink["counts"], bpf["counts"]);
}

/// In so few buckets the records of some do not fit beside those of the one before, for which the kernel repeats them.
#[test]
fn counts_agree_where_records_of_a_bucket_do_not_fit() {
    let Some(_namespaces) = small_table("16") else {
        return;
    };
    if !can_walk() {
        return;
    }
    // Of these, every second bucket has more than the others.
    let crowd = Crowd::new(800);
    for (place, (client, _)) in crowd.pairs.iter().enumerate() {
        if place % 20 > 0 {
            client.shutdown(Shutdown::Write).unwrap();
        }
    }
    let [netlink, bpf] = ["netlink", "bpf"].map(|source| summary(source, &["-t"]));
    assert_eq!(netlink["counts"], bpf["counts"]);
}

#[test]
fn what_a_walk_does_not_tell_is_an_error() {
    for (words, text) in [
        (&["--json"][..], "cookie"),
        (&["-i"], "tcp_info"),
        (&["--columns", "cookie"], "no cookie"),
        (&["cookie = 1"], "no cookie"),
        (&["-D", "/dev/null"], "recorded"),
        (&["-c"], "-E"),
        (&["-E"], "-E"),
        (&["--wait", "1"], "-E"),
    ] {
        let run = lsock([&["-tan", "--source", "bpf"], words].concat());
        assert_eq!(run.status, Some(2), "{words:?}: {run:?}");
        assert!(run.stderr.contains(text), "{words:?}: {run:?}");
    }
}

#[test]
fn namespaces_share_one_walk() {
    if fresh().is_none() || !can_walk() {
        return;
    }
    let (told, paths) = channel();
    let (ended, end) = channel::<()>();
    let end = Mutex::new(end);
    thread::scope(|scope| {
        for count in [2, 3] {
            let (told, end) = (told.clone(), &end);
            scope.spawn(move || {
                let _namespace = Namespace::enter();
                let listener = tcp::listener(V4, 16).unwrap();
                let _clients: Vec<_> = (0..count)
                    .map(|_| tcp::connect(&listener).unwrap())
                    .collect();
                // Bound are some in one of them only.
                let _bound: Vec<_> = [V4, V6]
                    .into_iter()
                    .take(2 * (count - 2))
                    .map(|ip| bind_to((ip, 20_000).into()))
                    .collect();
                let thread = rustix::thread::gettid();
                let path = format!("/proc/{}/task/{thread}/ns/net", std::process::id());
                told.send(path).unwrap();
                let _ = end.lock().map(|end| end.recv());
            });
        }
        let paths = paths.iter().take(2).collect::<Vec<String>>().join(",");
        let of = |source: &str, words: &[&str]| {
            let run = lsock([&["-N", &paths, "--source", source], words].concat());
            assert_eq!(run.status, Some(0), "{run:?}");
            run
        };
        let columns = format!("netns_inode,{COLUMNS}");
        let [netlink, bpf] = ["netlink", "bpf"].map(|source| {
            let run = of(source, &["-tanH", "--columns", &columns]);
            let mut rows: Vec<String> = run.lines().into_iter().map(str::to_owned).collect();
            rows.sort();
            rows
        });
        assert_eq!(bpf.len(), 1 + 4 + 1 + 6 + 2);
        assert_eq!(netlink, bpf);
        let [netlink, bpf] = ["netlink", "bpf"]
            .map(|source| of(source, &["-ts", "--json"]).document()["namespaces"].to_string());
        assert_eq!(netlink, bpf);
        let only = of(
            "bpf",
            &[
                "-tan",
                "--expect",
                "10",
                "state established and src 127.0.0.1",
            ],
        );
        assert_eq!(only.lines().len(), 1 + 10, "{only:?}");
        drop(ended);
    });
}

/// Goes where tables have so many buckets; `None` = that is not possible here.
fn small_table(buckets: &str) -> Option<[Namespace; 2]> {
    let parent = fresh()?;
    let key = "ipv4/tcp_child_ehash_entries";
    if let Err(error) = parent.set_sysctl(key, buckets) {
        skip(error);
        return None;
    }
    Some([parent, fresh()?])
}

#[test]
fn small_tables_are_walked_whole() {
    for buckets in ["16", "1024"] {
        let Some(_namespaces) = small_table(buckets) else {
            return;
        };
        if !can_walk() {
            return;
        }
        let _pairs: Vec<_> = (0..100).map(|_| tcp::pair(V4).unwrap()).collect();
        let all = rows("bpf", &["-a"]);
        assert!(all.len() >= 200, "{}", all.len());
        assert_eq!(all, rows("netlink", &["-a"]));
    }
}

#[test]
fn too_many_in_one_bucket_are_told() {
    let Some(_namespaces) = small_table("1") else {
        return;
    };
    if !can_walk() {
        return;
    }
    let _crowd = Crowd::new(300);
    let run = lsock(["-tan", "--source", "bpf"]);
    if run.status == Some(0) {
        // There may be a least number of buckets.
        assert!(run.lines().len() > 1_200, "{run:?}");
        return;
    }
    assert_eq!(run.status, Some(2), "{run:?}");
    assert!(
        run.stderr.contains("too many sockets in one bucket"),
        "{run:?}"
    );
}

/// Connections that stay, and the inode of each of their ends.
struct Crowd {
    _listeners: Vec<OwnedFd>,
    pairs: Vec<(TcpStream, TcpStream)>,
    inodes: Vec<u64>,
}

impl Crowd {
    fn new(stay: usize) -> Crowd {
        tcp::options::allow_descriptors(16_000).unwrap();
        let listeners = [V4, V6].map(|ip| tcp::listener(ip, 128).unwrap());
        let pairs = listeners.iter().flat_map(|listener| {
            (0..stay).map(move |_| {
                let client = tcp::connect(listener).unwrap();
                (client, tcp::accept(listener).unwrap())
            })
        });
        let pairs: Vec<_> = pairs.collect();
        let both = pairs.iter().flat_map(|(client, server)| [client, server]);
        let inode_of = |socket: &TcpStream| rustix::fs::fstat(socket).unwrap().st_ino;
        Crowd {
            inodes: both.map(inode_of).collect(),
            pairs,
            _listeners: listeners.into(),
        }
    }
}

/// Opens and closes connections in a namespace until it is to stop, some thousand times at the most.
fn come_and_go(stop: &AtomicBool, namespace: &fs::File, hosts: &[IpAddr]) {
    setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
    for turn in 0..1_000 {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        thread::sleep(Duration::from_millis(5));
        let ip = hosts[turn % hosts.len()];
        let listener = tcp::listener(ip, 128).unwrap();
        let clients: Vec<_> = (0..50).map(|_| tcp::connect(&listener).unwrap()).collect();
        close(clients);
    }
}

#[test]
fn who_stays_is_listed_once_while_others_come_and_go() {
    let Some(_namespace) = fresh() else { return };
    if !can_walk() {
        return;
    }
    let crowd = Crowd::new(500);
    let namespace = fs::File::open("/proc/thread-self/ns/net").unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| come_and_go(&stop, &namespace, &[V4, V6]));
        let ways = [
            &["-a", "--columns", "inode"][..],
            &["--columns", "inode", "state established and sport > 1023"],
            &["-p", "--columns", "inode,pid"],
        ];
        for words in ways.into_iter().cycle().take(21) {
            let words = [&["-t", "--source", "bpf", "--format", "ndjson"], words].concat();
            let run = lsock(&words).done();
            let mut times = HashMap::<u64, u32>::new();
            for row in run.values() {
                if let Some(inode) = row["inode"].as_u64() {
                    let mut owners = row["processes"].as_array().into_iter().flatten();
                    let is_ours = owners.any(|owner| owner["pid"] == std::process::id());
                    let is_right = is_ours || !words.contains(&"-p");
                    *times.entry(inode).or_default() += u32::from(is_right);
                }
            }
            for inode in &crowd.inodes {
                assert_eq!(times.get(inode), Some(&1), "{words:?}");
            }
        }
    });
}

#[test]
fn what_becomes_time_wait_meanwhile_is_listed_once() {
    let Some(_namespace) = fresh() else { return };
    if !can_walk() {
        return;
    }
    tcp::options::allow_descriptors(16_000).unwrap();
    let listener = tcp::listener(V4, 128).unwrap();
    let address: SockaddrIn = getsockname(listener.as_raw_fd()).unwrap();
    let filter = format!("dport = {}", address.port());
    let pairs = || {
        (
            tcp::connect(&listener).unwrap(),
            tcp::accept(&listener).unwrap(),
        )
    };
    let pairs: Vec<_> = (0..2_000).map(|_| pairs()).collect();
    let port = |client: &TcpStream| client.local_addr().unwrap().port().to_string();
    let mut ports: Vec<_> = pairs.iter().map(|(client, _)| port(client)).collect();
    ports.sort();
    let found = |filter: &str| {
        let rows = rows("bpf", &["-a", "--columns", "sport", filter]);
        let ports = rows.iter().map(|row| row.trim().to_owned());
        ports.collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let closing = scope.spawn(|| {
            for (client, server) in &pairs {
                client.shutdown(Shutdown::Write).unwrap();
                server.shutdown(Shutdown::Write).unwrap();
                thread::sleep(Duration::from_micros(100));
            }
        });
        while !closing.is_finished() {
            assert_eq!(found(&filter), ports);
        }
    });
    assert_eq!(found(&format!("{filter} and state time-wait")), ports);
}

/// Some of them in the middle of a long chain, and so many side by side that the kernel calls for smaller parts.
#[test]
fn who_is_bound_among_many_is_listed() {
    let Some(_namespace) = fresh() else { return };
    if !can_walk() {
        return;
    }
    tcp::options::allow_descriptors(16_000).unwrap();
    let shared = |port| {
        let socket = tcp::socket(V4).unwrap();
        setsockopt(&socket, sockopt::ReusePort, &true).unwrap();
        rustix::net::bind(&socket, &SocketAddr::new(V4, port)).unwrap();
        socket
    };
    let listener = shared(0);
    let address: SockaddrIn = getsockname(listener.as_raw_fd()).unwrap();
    let some = || (0..20).map(|_| shared(address.port())).collect::<Vec<_>>();
    let mut sockets = some();
    rustix::net::listen(&listener, 400).unwrap();
    let pairs = (0..300).map(|_| {
        let client = tcp::connect(&listener).unwrap();
        (client, tcp::accept(&listener).unwrap())
    });
    let pairs: Vec<_> = pairs.collect();
    sockets.extend(some());
    sockets.extend((30_000..31_000).map(|port| bind_to((V4, port).into())));
    // Others at the same port: at another address, of the other IP version, and in another namespace.
    let port = address.port();
    let addresses = [V6, IpAddr::from([127, 5, 0, 1])];
    let others = addresses.map(|ip| bind_to((ip, port).into()));
    let at_one_port = 40 + others.len();
    sockets.extend(others);
    let elsewhere = thread::spawn(move || fresh().map(|_other| bind_to((V4, port).into())));
    let _elsewhere = elsewhere.join().unwrap();
    let columns = ["-a", "--columns", "state,src,inode"];
    let [netlink, bpf] = ["netlink", "bpf"].map(|source| rows(source, &columns));
    assert_eq!(netlink, bpf);
    let bound = bpf.iter().filter(|row| row.starts_with("BOUND"));
    assert_eq!((bound.count(), pairs.len()), (sockets.len(), 300));
    let filter = format!("sport = {port}");
    let words = [&columns[..], &[&filter]].concat();
    let [netlink, bpf] = ["netlink", "bpf"].map(|source| rows(source, &words));
    assert_eq!(netlink, bpf);
    let bound = bpf.iter().filter(|row| row.starts_with("BOUND"));
    assert_eq!(bound.count(), at_one_port);
    if cfg!(target_arch = "x86_64") && can_strace() {
        // Nothing is left to netlink.
        let states = "(state bound or state established)";
        for filter in [states, &format!("{filter} and {states}")] {
            let words = [&["-tn", "--source", "bpf"], &columns[..], &[filter]].concat();
            until("a proof", || (calls("sendto", &words) == 0).then_some(()));
        }
    }
}

/// Binds a socket to a port, which others may share.
fn bind_to(address: SocketAddr) -> OwnedFd {
    let socket = tcp::socket(address.ip()).unwrap();
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    rustix::net::bind(&socket, &address).unwrap();
    socket
}

#[test]
fn who_stays_bound_is_listed_once_while_others_come_and_go() {
    let Some(_namespace) = fresh() else { return };
    if !can_walk() {
        return;
    }
    // The kernel tells of all in one piece: at the edge of one it may leave out some.
    let ports = 20_000..20_040_u16;
    let staying: Vec<_> = [V4, V6]
        .into_iter()
        .flat_map(|ip| ports.clone().map(move |port| bind_to((ip, port).into())))
        .collect();
    let inode_of = |socket: &OwnedFd| rustix::fs::fstat(socket).unwrap().st_ino;
    let mut inodes: Vec<_> = staying.iter().map(inode_of).collect();
    inodes.sort_unstable();
    let namespace = fs::File::open("/proc/thread-self/ns/net").unwrap();
    let path = format!(
        "/proc/{}/task/{}/ns/net",
        std::process::id(),
        rustix::thread::gettid()
    );
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = Stop(&stop);
        scope.spawn(|| come_and_go(&stop, &namespace, &[V4, V6]));
        scope.spawn(|| {
            setns(&namespace, CloneFlags::CLONE_NEWNET).unwrap();
            // Without an end, that of the other would not come where the test fails.
            for _ in 0..5_000 {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // Some share a port with those that stay, at the same address or another.
                let others = (19_950..20_030).map(|port| bind_to((V4, port).into()));
                let elsewhere = (1..40).map(|last| IpAddr::from([127, 6, 0, last]));
                let elsewhere = elsewhere.map(|ip| bind_to((ip, 20_020).into()));
                close(others.chain(elsewhere).collect::<Vec<_>>());
                thread::sleep(Duration::from_millis(1));
            }
        });
        let at_one_port = [&staying[20], &staying[60]].map(inode_of).to_vec();
        for (scope, filter, expected) in [
            (&["-N", &path][..], "state bound", &inodes),
            (&[], "sport ge 20000", &inodes),
            (&[], "sport = 20020", &at_one_port),
        ] {
            for _ in 0..10 {
                let words = ["-ta", "--source", "bpf", "--format", "ndjson"];
                let words = [scope, &words, &["--columns", "inode", filter]].concat();
                let found = lsock(words).done().values();
                let mut found: Vec<_> = found
                    .iter()
                    .filter_map(|row| row["inode"].as_u64())
                    .collect();
                found.retain(|inode| inodes.binary_search(inode).is_ok());
                found.sort_unstable();
                assert_eq!(&found, expected);
            }
        }
    });
}
