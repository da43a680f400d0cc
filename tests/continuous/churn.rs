//! A thousand sockets come and go in a second: none is lost, and none doubled.

use std::collections::HashMap;
use std::net::{TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};
use rustix::net::sockopt;
use serde_json::Value;

use super::run::{Running, read};
use crate::faults::allow_many_descriptors;
use crate::scene::{V4, V6, tcp};
use crate::support::{fresh, list, until};

/// Sockets that come, and as many that go, in a second.
pub const RATE: u32 = 1_000;

/// Changes that are told until it ends.
const CHANGES: usize = 10_000;

/// Opens and closes sockets until it is dropped.
pub struct Churn {
    over: Arc<AtomicBool>,
    opened: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Churn {
    /// In the namespace of this thread; `open` makes something of so many sockets, which are closed
    /// when it is dropped.
    pub fn begin<T: Send + 'static>(sockets: u32, open: fn() -> T) -> Churn {
        let over = Arc::new(AtomicBool::new(false));
        let opened = Arc::new(AtomicUsize::new(0));
        let place = std::fs::File::open("/proc/thread-self/ns/net").unwrap();
        let thread = thread::spawn({
            let (over, opened) = (Arc::clone(&over), Arc::clone(&opened));
            move || {
                setns(place, CloneFlags::CLONE_NEWNET).unwrap();
                let begun = Instant::now();
                let mut kept = std::collections::VecDeque::new();
                for number in 1_u32.. {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    // Some live for a moment, so that most are seen.
                    if kept.len() > 20 {
                        kept.pop_front();
                    }
                    kept.push_back(open());
                    opened.fetch_add(1, Ordering::Relaxed);
                    let due = Duration::from_secs(1) * number * sockets / RATE;
                    thread::sleep(due.saturating_sub(begun.elapsed()));
                }
            }
        });
        Churn {
            over,
            opened,
            thread: Some(thread),
        }
    }

    /// How often something was opened.
    pub fn opened(&self) -> usize {
        self.opened.load(Ordering::Relaxed)
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// A listener.
pub fn listener() -> OwnedFd {
    tcp::listener(V4, 1).unwrap()
}

/// A connection that is closed with a reset: two sockets, and their listener.
fn connection() -> (OwnedFd, TcpStream, TcpStream) {
    let pair = tcp::pair(V4).unwrap();
    for end in [&pair.client, &pair.server] {
        sockopt::set_socket_linger(end, Some(Duration::ZERO)).unwrap();
    }
    (pair.listener, pair.client, pair.server)
}

/// The other one with the ends of this one.
fn take_by_ends(there: &mut HashMap<String, Value>, cookie: &str) -> Option<Value> {
    let ends = |row: &Value| {
        let keys = ["local_address", "local_port", "peer_address", "peer_port"];
        keys.map(|key| row[key].clone())
    };
    let own = ends(there.get(cookie)?);
    let mut others = there.iter().filter(|(other, _)| *other != cookie);
    let other = others.find(|(_, row)| ends(row) == own)?.0.clone();
    there.remove(&other)
}

/// Plays the changes: every socket by its cookie. One that is new was not there, one that is gone or
/// changed was.
fn play(changes: &[Value]) -> HashMap<String, Value> {
    let mut there: HashMap<String, Value> = HashMap::new();
    for change in changes {
        let cookie = change["cookie"].as_str().unwrap().to_owned();
        match change["change"].as_str() {
            None | Some("new") => {
                let before = there.insert(cookie, change.clone());
                assert_eq!(before, None, "listed twice: {change}");
            }
            Some("changed") => {
                let before = there.insert(cookie.clone(), change.clone());
                // A request has a cookie of its own: what it becomes has the same ends.
                let before = before.or_else(|| take_by_ends(&mut there, &cookie));
                let before = before.unwrap_or_else(|| panic!("was never listed: {change}"));
                assert_eq!(before["state"], change["old_state"], "{before} {change}");
            }
            Some("gone") => {
                let before = there.remove(&cookie);
                let before = before.unwrap_or_else(|| panic!("was never listed: {change}"));
                assert_eq!(before["state"], change["state"], "{before} {change}");
            }
            other => panic!("{other:?}"),
        }
    }
    there
}

fn cookies<'v>(rows: impl IntoIterator<Item = &'v Value>) -> Vec<String> {
    let cookies = rows
        .into_iter()
        .map(|row| row["cookie"].as_str().unwrap().to_owned());
    let mut cookies: Vec<String> = cookies.collect();
    cookies.sort_unstable();
    cookies
}

/// A listener beside many others on one port.
fn twin() -> OwnedFd {
    let socket = tcp::socket(V4).unwrap();
    sockopt::set_socket_reuseport(&socket, true).unwrap();
    let port = std::net::SocketAddr::new(V4, 45_454);
    rustix::net::bind(&socket, &port).unwrap();
    rustix::net::listen(&socket, 1).unwrap();
    socket
}

/// Runs it amid churn until so many changes were told; then what it told comes to what there is. What
/// is `still` there all the time is told once.
fn assert_nothing_is_lost<T: Send + 'static>(
    options: &[&str],
    (sockets, open): (u32, fn() -> T),
    still: impl FnOnce() -> Vec<OwnedFd>,
) {
    let Some(_namespace) = fresh() else { return };
    let still = still();
    let before = list(&[options, &["-n"]].concat());
    let words = [options, &["-nc", "0.01", "--format", "ndjson"]].concat();
    let running = Running::begin(&words);
    running.wait_for("the first round", |lines| lines.len() >= before.len());
    let churn = Churn::begin(sockets, open);
    running.wait_for("changes", |lines| lines.len() > before.len() + CHANGES);
    drop(churn);
    until("the last changes", || {
        let now = cookies(&list(&[options, &["-n"]].concat()));
        let told = play(&running.changes());
        (cookies(told.values()) == now).then_some(())
    });
    let (lines, run) = running.end();
    run.clean();
    // Those that were there all the time are told once.
    let mut told: HashMap<String, Vec<Value>> = HashMap::new();
    for change in read(&lines) {
        let cookie = change["cookie"].to_string();
        told.entry(cookie).or_default().push(change);
    }
    for row in &before {
        let of = told.get(&row["cookie"].to_string());
        assert_eq!(of.map(Vec::len), Some(1), "{row}: {of:#?}");
    }
    drop(still);
}

#[test]
fn no_listener_is_lost_or_doubled() {
    let still = || (0..50).map(|_| listener()).collect();
    assert_nothing_is_lost(&["-tl"], (1, listener), still);
}

/// All of them in one bucket of the kernel's table, which takes several datagrams: a dump leaves some
/// out and lists some twice when others come and go before it reads on.
#[test]
fn no_listener_among_many_in_its_bucket_is_lost_or_doubled() {
    allow_many_descriptors();
    let still = || (0..900).map(|_| twin()).collect();
    assert_nothing_is_lost(&["-tl4"], (1, twin), still);
}

#[test]
fn no_socket_of_udp_is_lost_or_doubled() {
    let open = || UdpSocket::bind((V6, 0)).unwrap();
    let still = || (0..200).map(|_| UdpSocket::bind((V6, 0)).unwrap().into());
    assert_nothing_is_lost(&["-ua"], (1, open), || still().collect());
}

#[test]
fn no_connection_is_lost_or_doubled() {
    let still = || {
        let pairs = (0..50).map(|_| tcp::pair(V4).unwrap());
        pairs
            .flat_map(|pair| [pair.listener, pair.client.into(), pair.server.into()])
            .collect()
    };
    assert_nothing_is_lost(&["-ta4"], (3, connection), still);
}
