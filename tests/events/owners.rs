//! Whose the connections are, however short they live.

use std::collections::{HashMap, VecDeque};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use super::watch::{Steps, Watch, traced};
use crate::scene::expected::local_address;
use crate::scene::{V4, tcp};
use crate::support::{Child, LSOCK, Reading, close, command, has, run};

/// Sends so many bytes to a port of this machine, reads a line and the end, and ends.
fn call(port: u16, bytes: u64) -> String {
    let talk = format!("printf %0{bytes}d 0 >&3; read -r <&3; read -r <&3; exit 0");
    format!("exec 3<>/dev/tcp/127.0.0.1/{port}; {talk}")
}

/// However short they live, each is told whole: every step, whose it is, and what it carried.
#[test]
fn of_1000_processes_that_connect_once_and_exit_each_is_told_whole() {
    const CALLERS: u64 = 1_000;
    let Some(_namespace) = traced() else { return };
    if !has("bash") {
        return;
    }
    let listener = tcp::listener(V4, 16).unwrap();
    let port = local_address(&listener).unwrap().port();
    let watch = Watch::begin(&["-p"], "");
    let ours = std::process::id();
    let calls: Vec<(u32, u16)> = (1..=CALLERS)
        .map(|bytes| {
            let mut bash = command("bash");
            let child = Child::start(bash.args(["-c", &call(port, bytes)]));
            let mut server = tcp::accept(&listener).unwrap();
            std::io::copy(&mut (&server).take(bytes), &mut std::io::sink()).unwrap();
            let peer = server.peer_addr().unwrap().port();
            server.write_all(b"done\n").unwrap();
            // What another test starts may hold a copy of it for a moment, and then be the one who closes it.
            server.shutdown(Shutdown::Write).unwrap();
            let pid = child.pid();
            assert_eq!(child.end().status, Some(0));
            (pid, peer)
        })
        .collect();
    let (events, run) = watch.end();
    run.done();
    // The port of one that is over may be chosen again.
    let mut ends: HashMap<(u64, u64), VecDeque<Vec<Value>>> = HashMap::new();
    for event in events {
        let [local, peer] = ["local_port", "peer_port"].map(|key| event[key].as_u64());
        if let (Some(local), Some(peer)) = (local, peer) {
            let lives = ends.entry((local, peer)).or_default();
            if ["CLOSED", "LISTEN"]
                .iter()
                .any(|state| event["old_state"] == *state)
            {
                lives.push_back(Vec::new());
            }
            lives.back_mut().unwrap().push(event);
        }
    }
    let mut next = |key| ends.get_mut(&key).and_then(VecDeque::pop_front).unwrap();
    for (bytes, (pid, here)) in (1..).zip(calls) {
        let (here, there) = (u64::from(here), u64::from(port));
        let client = &next((here, there));
        let chain = "CLOSED SYN_SENT ESTABLISHED CLOSE_WAIT LAST_ACK CLOSED";
        assert_eq!(Steps::of(client, |_| true).chain(), chain, "{client:#?}");
        let server = &next((there, here));
        let chain = Steps::of(server, |_| true).chain();
        let open = "LISTEN SYN_RCVD ESTABLISHED FIN_WAIT_1 FIN_WAIT_2";
        assert!(chain.starts_with(open), "{chain}: {server:#?}");
        for event in client {
            let process = &event["processes"][0];
            assert_eq!(
                (&process["pid"], &process["name"]),
                (&pid.into(), &"bash".into())
            );
            assert_eq!(process["command"], format!("bash -c {}", call(port, bytes)));
        }
        for event in server {
            assert_eq!(event["processes"][0]["pid"], ours, "{event}");
        }
        let numbers = |events: &[Value]| {
            let last = events.last().unwrap();
            assert!(last["rtt_us"].is_u64(), "{last}");
            ["bytes_sent", "bytes_received", "retransmits"].map(|key| last[key].as_u64().unwrap())
        };
        for (end, to_send, to_receive) in [(client, bytes, 5), (server, 5, bytes)] {
            let [sent, received, again] = numbers(end);
            assert_eq!(received, to_receive);
            // The kernel may send something again, which counts as sent, too.
            assert!(sent == to_send || sent > to_send && again > 0, "{end:#?}");
        }
    }
}

/// The processes of the events of the socket with these ports, each by the state it arrived in.
fn owners(events: &[Value], local: u16, peer: u16) -> Vec<(String, Vec<u64>)> {
    let ports = |event: &&Value| event["local_port"] == local && event["peer_port"] == peer;
    let of_socket = events.iter().filter(ports).map(|event| {
        let processes = event["processes"].as_array().into_iter().flatten();
        let pids = processes.map(|process| process["pid"].as_u64().unwrap());
        let state = event["new_state"].as_str().unwrap().to_owned();
        (state, pids.collect())
    });
    of_socket.collect()
}

#[test]
fn accepted_connection_is_its_listeners_and_then_its_users() {
    let Some(_namespace) = traced() else { return };
    let ours = u64::from(std::process::id());
    let old = tcp::listener(V4, 4).unwrap();
    let watch = Watch::begin(&["-p"], "");
    let new = tcp::listener(V4, 4).unwrap();
    let mut ports = Vec::new();
    for listener in [&old, &new] {
        let client = tcp::connect(listener).unwrap();
        let server = tcp::accept(listener).unwrap();
        ports.push((
            server.local_addr().unwrap().port(),
            client.local_addr().unwrap().port(),
        ));
        client.shutdown(Shutdown::Write).unwrap();
        watch.ring();
        close(server);
    }
    let (events, run) = watch.end();
    run.done();
    for (local, peer) in ports {
        let states = [
            "SYN_RCVD",
            "ESTABLISHED",
            "CLOSE_WAIT",
            "LAST_ACK",
            "CLOSED",
        ];
        let expected = states.map(|state| (state.to_owned(), vec![ours]));
        assert_eq!(owners(&events, local, peer), expected);
    }
}

/// A listener and eight workers that accept from it, write their pid, and close. They end with it.
const WORKERS: &str = "
import ctypes, os, signal, socket
listener = socket.create_server(('127.0.0.1', 0), backlog=64)
workers = []
for _ in range(8):
    worker = os.fork()
    if worker == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
        while True:
            connection, _ = listener.accept()
            connection.sendall(b'%d' % os.getpid())
            connection.close()
    workers.append(worker)
print(listener.getsockname()[1], os.getpid(), *workers, flush=True)
signal.pause()
";

#[test]
fn who_accepted_of_many_is_named_from_its_first_act_on_and_all_before() {
    let Some(_namespace) = traced() else { return };
    if !has("python3") {
        return;
    }
    let running = Reading::start(command("python3").args(["-c", WORKERS]), |line| line);
    running.wait_for("the port", |told| !told.is_empty());
    let words = running.told().remove(0);
    let numbers = words.split(' ').map(|word| word.parse().unwrap());
    let numbers: Vec<u64> = numbers.collect();
    let (port, holders) = (u16::try_from(numbers[0]).unwrap(), &numbers[1..]);
    let watch = Watch::begin(&["-p"], "");
    let accepted: Vec<(u16, u64)> = (0..40)
        .map(|_| {
            let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            let mut pid = String::new();
            client.read_to_string(&mut pid).unwrap();
            (client.local_addr().unwrap().port(), pid.parse().unwrap())
        })
        .collect();
    let (events, run) = watch.end();
    run.done();
    for (peer, worker) in accepted {
        let told = owners(&events, port, peer);
        assert!(told.len() >= 4, "{told:?}");
        for (state, mut pids) in told {
            pids.sort_unstable();
            let mut expected = vec![worker];
            if ["SYN_RCVD", "ESTABLISHED"].contains(&&*state) {
                expected = holders.to_vec();
                expected.sort_unstable();
            }
            assert_eq!(pids, expected, "{state}");
        }
    }
}

#[test]
fn step_tells_who_made_it_and_what_was_carried() {
    let Some(_namespace) = traced() else { return };
    let watch = Watch::begin(&[], "");
    let mut pair = tcp::pair(V4).unwrap();
    pair.client.write_all(&vec![b'.'; 20_000]).unwrap();
    pair.server.read_exact(&mut vec![0; 20_000]).unwrap();
    pair.server.write_all(&[b'.'; 300]).unwrap();
    pair.client.read_exact(&mut [0; 300]).unwrap();
    let ports = [&pair.client, &pair.server].map(|end| end.local_addr().unwrap().port());
    pair.client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(pair.server.read(&mut [0]).unwrap(), 0);
    close(pair.server);
    assert_eq!(pair.client.read(&mut [0]).unwrap(), 0);
    let (events, run) = watch.end();
    run.clean();
    let inode = std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
    for event in &events {
        let told = (&event["netns"], &event["netns_inode"]);
        assert_eq!(told, (&format!("net:[{inode}]").into(), &inode.into()));
    }
    let ids = [
        i64::from(std::process::id()),
        nix::unistd::gettid().as_raw().into(),
    ];
    for (local, peer, last, carried, made) in [
        (
            ports[0],
            ports[1],
            "TIME_WAIT",
            [20_000, 300],
            ["SYN_SENT", "FIN_WAIT_1"],
        ),
        (
            ports[1],
            ports[0],
            "CLOSED",
            [300, 20_000],
            ["LAST_ACK", "LAST_ACK"],
        ),
    ] {
        let of_end = |event: &&Value| event["local_port"] == local && event["peer_port"] == peer;
        for event in events.iter().filter(of_end) {
            let is_made = made.iter().any(|state| event["new_state"] == *state);
            let task = ["pid", "tid"].map(|key| event["task"][key].as_i64());
            assert_eq!(task, ids.map(|id| Some(id).filter(|_| is_made)), "{event}");
        }
        let end = events.iter().rfind(of_end).unwrap();
        assert_eq!(end["new_state"], last);
        let told = ["bytes_sent", "bytes_received"].map(|key| end[key].as_i64().unwrap());
        assert_eq!(told, carried, "{end}");
        assert_eq!(end["retransmits"], 0, "{end}");
        let number = |event: &Value, key: &str| event[key].as_u64();
        let of_end: Vec<&Value> = events.iter().filter(of_end).collect();
        assert_eq!(number(of_end[0], "duration_us"), None);
        assert_eq!(number(of_end[0], "life_us"), Some(0));
        let durations = of_end[1..].iter().map(|event| number(event, "duration_us"));
        let sum: u64 = durations.map(Option::unwrap).sum();
        let life = number(end, "life_us").unwrap();
        // Each was rounded down.
        let steps = u64::try_from(of_end.len()).unwrap();
        assert!((sum..sum + steps).contains(&life), "{life}: {of_end:#?}");
        assert!(end["rtt_us"].as_u64().unwrap() > 0, "{end}");
    }
}

#[test]
fn connection_that_nobody_accepted_has_no_owner() {
    let Some(_namespace) = traced() else { return };
    let listener = tcp::listener(V4, 4).unwrap();
    let client = tcp::connect(&listener).unwrap();
    let port = client.peer_addr().unwrap().port();
    let from = client.local_addr().unwrap().port();
    let watch = Watch::begin(&["-p"], "");
    close(listener);
    let (events, run) = watch.end();
    run.done();
    let told = events
        .iter()
        .find(|event| event["local_port"] == port && event["peer_port"] == from);
    let told = told.expect("the end of what was not accepted");
    assert_eq!(told["new_state"], "CLOSED");
    assert_eq!(told["processes"], Value::Null, "{told}");
    assert_eq!(
        told["step"],
        "listener closed before it was accepted: RST sent"
    );
}

#[test]
fn in_a_pid_namespace_pids_are_those_of_it_or_unknown() {
    let Some(_namespace) = traced() else { return };
    if !has("bash") || !has("unshare") {
        return;
    }
    let listener = tcp::listener(V4, 1_024).unwrap();
    let port = local_address(&listener).unwrap().port();
    let script = format!(
        "{LSOCK} -Enp --format ndjson --wait 60s dport = :{port} & lsock=$!; \
         until grep -qs prog_id /proc/$lsock/fdinfo/*; do sleep 0.1; done; \
         sleep 0.5; bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'; sleep 0.5; \
         kill -INT $lsock; wait $lsock"
    );
    let is_over = AtomicBool::new(false);
    let inside = std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..1_000 {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                // The queue of the listener may be full by then.
                let to = (Ipv4Addr::LOCALHOST, port).into();
                close(TcpStream::connect_timeout(&to, Duration::from_millis(100)));
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let mut unshare = command("unshare");
        let inside = run(unshare.args(["-pf", "--mount-proc", "bash", "-c", &script]));
        is_over.store(true, Ordering::Relaxed);
        inside
    });
    let (mut here, mut elsewhere) = (0, 0);
    for event in inside.values() {
        match event["processes"].as_array() {
            None => elsewhere += 1,
            Some(processes) => {
                let [process] = processes.as_slice() else {
                    panic!("{event}");
                };
                assert_eq!(process["name"], "bash");
                assert!(process["pid"].as_u64().unwrap() < 1_000, "{event}");
                here += 1;
            }
        }
    }
    assert!(here >= 2 && elsewhere >= 2, "{inside:?}");
}
