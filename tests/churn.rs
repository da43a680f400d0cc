//! Long lists, and lists of what comes and goes meanwhile: who stays is listed exactly once.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

use crate::scene::expected::local_address;
use crate::scene::{V4, V6, tcp};
use crate::support::{Stop, close, fresh, lsock};

/// Connections that stay, over each IP version: their lists take many datagrams.
const STAY: usize = 500;
/// As often it is looked.
const LOOKS: usize = 20;

/// Connections, and the inode of each of their ends.
struct Crowd {
    _listeners: Vec<OwnedFd>,
    _pairs: Vec<(TcpStream, TcpStream)>,
    inodes: Vec<u64>,
}

fn inode_of(socket: &TcpStream) -> u64 {
    rustix::fs::fstat(socket).unwrap().st_ino
}

fn crowd() -> Crowd {
    tcp::options::allow_descriptors(16_000).unwrap();
    let listeners = [V4, V6].map(|ip| tcp::listener(ip, 128).unwrap());
    let pairs = listeners.iter().flat_map(|listener| {
        (0..STAY).map(move |_| {
            let client = tcp::connect(listener).unwrap();
            (client, tcp::accept(listener).unwrap())
        })
    });
    let pairs: Vec<_> = pairs.collect();
    let both = pairs.iter().flat_map(|(client, server)| [client, server]);
    Crowd {
        inodes: both.map(inode_of).collect(),
        _pairs: pairs,
        _listeners: listeners.into(),
    }
}

/// How often each inode is listed, and how many rows there are.
fn listed(words: &[&str]) -> (HashMap<u64, u32>, usize) {
    let run = lsock([words, &["--format", "ndjson", "--columns", "inode"]].concat()).done();
    let mut times = HashMap::new();
    for row in run.values() {
        if let Some(inode) = row["inode"].as_u64() {
            *times.entry(inode).or_default() += 1;
        }
    }
    (times, run.lines().len())
}

/// Opens and closes connections in a namespace until it is to stop, some thousand times at the most.
fn come_and_go(stop: &AtomicBool, namespace: &std::fs::File) {
    setns(namespace, CloneFlags::CLONE_NEWNET).unwrap();
    for turn in 0..1_000 {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
        let ip = if turn % 2 == 0 { V4 } else { V6 };
        let listener = tcp::listener(ip, 128).unwrap();
        let clients: Vec<_> = (0..50).map(|_| tcp::connect(&listener).unwrap()).collect();
        close(clients);
    }
}

#[test]
fn every_socket_of_a_long_list_is_there_once() {
    let Some(_namespace) = fresh() else { return };
    let crowd = crowd();
    for words in [&["-ta"][..], &["-t"], &["-ta", "--source", "netlink"]] {
        for _ in 0..LOOKS {
            let (times, rows) = listed(words);
            let all = words.contains(&"-ta");
            assert_eq!(rows, 4 * STAY + if all { 2 } else { 0 }, "{words:?}");
            for inode in &crowd.inodes {
                assert_eq!(times.get(inode), Some(&1), "{words:?}");
            }
        }
    }
}

#[test]
fn both_ip_versions_at_once_are_the_two_lists() {
    let Some(_namespace) = fresh() else { return };
    let _crowd = crowd();
    for words in [
        &["-ta"][..],
        &["-ta", "sport > 1000"],
        &["-t", "state established"],
    ] {
        let [both, v4, v6] = ["-46", "-4", "-6"].map(|version| {
            let columns = "family,state,local,peer,inode,cookie,uid";
            let run = lsock([&[version, "-H", "--columns", columns], words].concat()).clean();
            let mut rows: Vec<String> = run.lines().into_iter().map(str::to_owned).collect();
            rows.sort();
            rows
        });
        let mut each = [v4, v6].concat();
        each.sort();
        assert!(each.len() >= 4 * STAY);
        assert_eq!(both, each, "{words:?}");
    }
}

#[test]
fn who_stays_is_listed_once_while_others_come_and_go() {
    let Some(_namespace) = fresh() else { return };
    let crowd = crowd();
    let here = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| come_and_go(&stop, &here));
        let _stop = Stop(&stop);
        for words in [&["-ta"][..], &["-t"], &["-ta4"], &["-tap"]] {
            for _ in 0..LOOKS / 2 {
                let (times, _) = listed(words);
                let family = if words.contains(&"-ta4") {
                    2 * STAY
                } else {
                    4 * STAY
                };
                for inode in &crowd.inodes[..family] {
                    assert_eq!(times.get(inode), Some(&1), "{words:?}");
                }
            }
        }
    });
}

/// The kernel goes through those that are bound first, and through connections after that.
#[test]
fn who_is_bound_and_connects_meanwhile_is_listed_once() {
    const BOUND: u16 = 100;
    let Some(_namespace) = fresh() else { return };
    let _crowd = crowd();
    let here = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
    for _ in 0..LOOKS {
        let listener = tcp::listener(V4, i32::from(BOUND)).unwrap();
        let server = local_address(&listener).unwrap();
        let sockets: Vec<OwnedFd> = (0..BOUND)
            .map(|_| {
                let socket = tcp::socket(V4).unwrap();
                rustix::net::bind(&socket, &SocketAddr::new(V4, 0)).unwrap();
                socket
            })
            .collect();
        let inodes: Vec<u64> = sockets
            .iter()
            .map(|socket| rustix::fs::fstat(socket).unwrap().st_ino)
            .collect();
        let (times, _) = std::thread::scope(|scope| {
            scope.spawn(|| {
                setns(&here, CloneFlags::CLONE_NEWNET).unwrap();
                for socket in &sockets {
                    rustix::net::connect(socket, &server).unwrap();
                }
            });
            listed(&["-ta"])
        });
        for inode in &inodes {
            assert_eq!(times.get(inode), Some(&1));
        }
    }
}
