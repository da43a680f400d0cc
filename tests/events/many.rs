//! Ten thousand connections, and too many: every step is told, or counted as lost.

use std::collections::{BTreeMap, HashMap};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use rustix::net::sockopt::set_socket_linger;
use serde_json::Value;

use super::watch::{Steps, Watch, has_begun, traced};
use super::{CLIENT, SERVER};
use crate::scene::expected::local_address;
use crate::scene::{Namespace, V4, tcp};
use crate::support::{LSOCK, Reading, Run, Stop, close, fresh, program, until};

const CONNECTIONS: usize = 10_000;
/// Six of the one who closes first and five of the other, but for the end of `TIME_WAIT`.
const STEPS: usize = 5 + 5;

/// Opens and closes so many connections, one after the other; gives the listener's port.
pub fn open_and_close(count: usize) -> u16 {
    let listener = tcp::listener(V4, 16).unwrap();
    for _ in 0..count {
        let client = tcp::connect(&listener).unwrap();
        let server = tcp::accept(&listener).unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        wait_for_end(&server);
        close(server);
        wait_for_end(&client);
    }
    local_address(&listener).unwrap().port()
}

fn wait_for_end(mut stream: &TcpStream) {
    use std::io::Read as _;
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
}

/// The steps of each socket of the connections with this port, by local and peer port.
fn sockets(events: &[Value], port: u16) -> HashMap<(u64, u64), Steps> {
    let mut found: HashMap<(u64, u64), Vec<Value>> = HashMap::new();
    for event in events {
        let [local, peer] = ["local_port", "peer_port"].map(|key| event[key].as_u64());
        let (Some(local), Some(peer)) = (local, peer) else {
            continue;
        };
        if local == u64::from(port) || peer == u64::from(port) {
            found.entry((local, peer)).or_default().push(event.clone());
        }
    }
    let found = found.into_iter();
    found
        .map(|(ends, events)| (ends, Steps::of(&events, |_| true)))
        .collect()
}

/// How many steps of the connections with this port were told. The first of one may be told without
/// its own port or its peer's, where the next was lost.
fn told(events: &[Value], port: u16) -> usize {
    let of_connection = |event: &&Value| {
        let [local, peer] = ["local_port", "peer_port"].map(|key| event[key].as_u64());
        let is_accepted = peer.is_some() || event["new_state"] == "SYN_RCVD";
        peer == Some(port.into()) || local == Some(port.into()) && is_accepted
    };
    events.iter().filter(of_connection).count()
}

/// Room for every connection in `TIME_WAIT`, and none with the ports of one before it: loopback would
/// use them again after a second.
pub fn allow_many(namespace: &Namespace) {
    namespace.set_sysctl("ipv4/tcp_tw_reuse", "0").unwrap();
    namespace
        .set_sysctl("ipv4/tcp_max_tw_buckets", "100000")
        .unwrap();
}

#[test]
fn every_step_of_ten_thousand_connections_is_told() {
    let Some(namespace) = traced() else { return };
    allow_many(&namespace);
    let watch = Watch::begin(&[], "");
    let port = open_and_close(CONNECTIONS);
    let (events, run) = watch.end();
    let lost = lost(&run);
    let sockets = sockets(&events, port);
    let told = told(&events, port);
    assert!(
        told + lost >= CONNECTIONS * STEPS,
        "{told} told and {lost} lost"
    );
    if lost > 0 {
        return;
    }
    assert_eq!(sockets.len(), 2 * CONNECTIONS);
    for ((local, peer), steps) in sockets {
        let wanted = if peer == u64::from(port) {
            CLIENT
        } else {
            SERVER
        };
        assert_eq!(steps.chain(), wanted, "{local} to {peer}");
    }
}

/// While two other namespaces open and close connections as fast as they can, ours are told, and nothing else.
#[test]
fn neighbours_that_churn_neither_appear_nor_take_room() {
    const OURS: usize = 500;
    let Some(namespace) = traced() else { return };
    allow_many(&namespace);
    let watch = Watch::begin(&[], "");
    let is_over = AtomicBool::new(false);
    let (port, theirs) = std::thread::scope(|scope| {
        let churn = || {
            let Some(_namespace) = fresh() else { return 0 };
            let mut count = 0;
            while !is_over.load(Ordering::Relaxed) {
                open_and_close(100);
                count += 100;
            }
            count
        };
        let neighbours = [scope.spawn(churn), scope.spawn(churn)];
        let stop = Stop(&is_over);
        let port = open_and_close(OURS);
        drop(stop);
        (port, neighbours.map(|one| one.join().unwrap()))
    });
    let (events, run) = watch.end();
    run.clean();
    assert!(theirs.iter().all(|count| *count > 0), "{theirs:?}");
    assert_eq!(told(&events, port), OURS * STEPS);
    // And those of the listener.
    assert_eq!(events.len(), OURS * STEPS + 2);
}

/// How many records the run says it lost: it says so on stderr, and with its status.
pub fn lost(run: &Run) -> usize {
    if run.status == Some(0) {
        assert_eq!(run.stderr, "");
        return 0;
    }
    assert_eq!(run.status, Some(2), "{run:?}");
    let mut words = run.stderr.split_whitespace();
    let number = words.find_map(|word| word.parse().ok());
    number.unwrap_or_else(|| panic!("no number: {}", run.stderr))
}

#[test]
fn what_the_kernel_had_no_room_for_is_counted() {
    let Some(namespace) = traced() else { return };
    allow_many(&namespace);
    let watch = Watch::begin(&[], "");
    watch.signal(Signal::SIGSTOP);
    // More than the largest buffer holds.
    let port = open_and_close(2 * CONNECTIONS);
    watch.signal(Signal::SIGCONT);
    std::thread::sleep(Duration::from_millis(100));
    let (events, run) = watch.end();
    let told = told(&events, port);
    let lost = lost(&run);
    assert!(lost > 0, "{told} told");
    assert!(
        told + lost >= 2 * CONNECTIONS * STEPS,
        "{told} told and {lost} lost"
    );
}

/// The most memory that a process has had, in kB, but for the pages of the program itself: those of a build for
/// debuggers are many.
fn peak_memory(pid: u32) -> u64 {
    let read = |file| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let kilobytes = |line: &str, key: &str| -> Option<u64> {
        let number = line.strip_prefix(key)?.trim().strip_suffix(" kB")?;
        Some(number.parse().unwrap())
    };
    let peak = read("status");
    let peak = peak.lines().find_map(|line| kilobytes(line, "VmHWM:"));
    let mut is_program = false;
    let mut program = 0;
    for line in read("smaps").lines() {
        match kilobytes(line, "Rss:") {
            Some(resident) if is_program => program += resident,
            // The first line of a mapping ends with its file.
            None if !line.contains("kB") => is_program = line.ends_with(LSOCK),
            Some(_) | None => {}
        }
    }
    peak.unwrap() - program
}

/// Each is ended by a reset as soon as it is accepted: the process that connects makes every step, and no timer one.
#[test]
fn as_many_as_one_process_makes_are_told_or_counted_exactly() {
    const MADE: usize = 20_000;
    /// Three of each end.
    const STEPS: usize = 3 + 3;
    /// 16 MiB, less the 3.5 of the program as it is built for users.
    const MEMORY: u64 = (32 - 7) << 9;
    /// Forty times what it takes where it has too much to tell.
    const SOON: Duration = Duration::from_secs(10);
    let Some(_namespace) = traced() else { return };
    let listener = tcp::listener(V4, 16).unwrap();
    let words = ["-En", "--format", "ndjson", "--wait", "1h"];
    let watch = Reading::start(program().args(words), |line| {
        assert!(line.ends_with('}'), "{line}");
        let (_, states) = line.split_once("\"old_state\":").unwrap();
        let (states, _) = states.split_once(",\"task\":").unwrap();
        states.to_owned()
    });
    until("it has begun", || has_begun(watch.pid()).then_some(()));
    for _ in 0..MADE {
        let client = tcp::connect(&listener).unwrap();
        let server = tcp::accept(&listener).unwrap();
        set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
        close(client);
        close(server);
    }
    let peak = peak_memory(watch.pid());
    let begun = Instant::now();
    let (told, run) = watch.end_by(Signal::SIGINT);
    let took = begun.elapsed();
    let (count, lost) = (told.len(), lost(&run));
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for states in told {
        *kinds.entry(states).or_default() += 1;
    }
    assert_eq!(count + lost, MADE * STEPS, "{lost} lost, {kinds:#?}");
    assert!(peak < MEMORY, "{peak} kB");
    assert!(took < SOON, "{took:?}");
}
