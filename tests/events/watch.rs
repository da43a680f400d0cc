//! A run of `lsock -E` under way, and what it tells.

use std::cell::Cell;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::scene::expected::local_address;
use crate::scene::{Namespace, V4, tcp};
use crate::support::{Reading, Run, close, command, fresh, lsock, program, run, skip, until};

/// The bell is rung again when it was not heard for so long: the watch had not begun.
const AGAIN: Duration = Duration::from_millis(500);

/// `lsock -E` in the namespace of this thread.
///
/// It is told what to wait for by a bell: a listener that is opened and closed. What happened before
/// the bell is told before the bell.
pub struct Watch {
    running: Reading<Value>,
    /// Of the bells.
    port: u16,
    rung: Cell<u8>,
}

impl Watch {
    /// Begins to watch with these options, and returns when it does.
    pub fn begin(options: &[&str], filter: &str) -> Watch {
        Watch::begin_as(program(), options, filter)
    }

    /// The same, run by this command.
    pub fn begin_as(mut command: Command, options: &[&str], filter: &str) -> Watch {
        let free = tcp::listener([127, 0, 1, 0].into(), 1).unwrap();
        let port = local_address(&free).unwrap().port();
        close(free);
        command
            .args(["-E", "-n", "--format", "ndjson"])
            .args(options);
        if !filter.is_empty() {
            command.arg(format!("({filter}) or port = :{port}"));
        }
        let watch = Watch {
            running: Reading::start(&mut command, |line| serde_json::from_str(&line).unwrap()),
            port,
            rung: Cell::new(0),
        };
        watch.ring();
        watch
    }

    /// Waits until everything that happened before this call is told.
    ///
    /// # Panics
    ///
    /// When it is not told in time.
    pub fn ring(&self) {
        until("the bell is heard", || {
            let bell = self.next_bell();
            let before = self.running.told().len();
            let _listener = open(bell);
            let rung = Instant::now();
            let is_told = |told: &[Value]| told.iter().skip(before).any(|event| is_at(event, bell));
            while !self.running.is(is_told) {
                if rung.elapsed() > AGAIN {
                    return None;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            Some(())
        });
    }

    /// Each has an address of its own, so that none is taken for one before it.
    fn next_bell(&self) -> SocketAddr {
        self.rung.set(self.rung.get().wrapping_add(1).max(1));
        SocketAddr::from(([127, 0, 1, self.rung.get()], self.port))
    }

    /// The process id of what runs.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        self.running.signal(signal);
    }

    /// Ends it as a user does, when everything that happened is told; gives what it told and how it
    /// ended.
    pub fn end(self) -> (Vec<Value>, Run) {
        self.ring();
        self.end_by(Signal::SIGINT)
    }

    /// Ends it by this signal.
    pub fn end_by(self, signal: Signal) -> (Vec<Value>, Run) {
        self.signal(signal);
        self.outcome()
    }

    /// Waits for its end.
    pub fn outcome(self) -> (Vec<Value>, Run) {
        let (told, run) = self.running.outcome();
        (without_bells(told, self.port), run)
    }
}

/// All that was told but for the bells.
fn without_bells(told: Vec<Value>, port: u16) -> Vec<Value> {
    // A connection may have the same port, but not at this address.
    let is_bell = |event: &Value| {
        let address = event["local_address"].as_str();
        event["local_port"] == port
            && address.is_some_and(|address| address.starts_with("127.0.1."))
    };
    told.into_iter().filter(|event| !is_bell(event)).collect()
}

/// Does it wait for steps by now?
pub fn has_begun(pid: u32) -> bool {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd"));
    let mut files = files.into_iter().flatten().flatten();
    files.any(|file| {
        std::fs::read_link(file.path()).is_ok_and(|to| to.ends_with("anon_inode:[eventpoll]"))
    })
}

fn open(bell: SocketAddr) -> OwnedFd {
    let listener = tcp::socket(V4).unwrap();
    rustix::net::bind(&listener, &bell).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    listener
}

fn is_at(event: &Value, bell: SocketAddr) -> bool {
    event["local_port"] == bell.port() && event["local_address"] == bell.ip().to_string()
}

/// A namespace of its own, where the kernel's records can be had.
pub fn traced() -> Option<Namespace> {
    let namespace = fresh().filter(|_| can_trace())?;
    acknowledge_at_once();
    Some(namespace)
}

/// From now on a FIN is acknowledged by whoever sends it. Else a timer would do it some milliseconds later, and there
/// are kernels that do not record what an interrupt does (see `once_more`).
pub fn acknowledge_at_once() {
    for words in [
        "-4 route replace local 127.0.0.1 dev lo table local proto kernel scope host quickack 1",
        "-6 route del local ::1 dev lo table local",
        "-6 route add local ::1 dev lo table local proto kernel metric 1 quickack 1",
    ] {
        let run = run(command("ip").args(words.split(' ')));
        assert_eq!(run.status, Some(0), "ip {words}: {run:?}");
    }
}

/// True if this machine and user can have the kernel's records; otherwise the test is skipped.
pub fn can_trace() -> bool {
    let run = lsock(["-E", "--wait", "0", "--json"]);
    let traced = run.document()["summary"]["sampled"] == false;
    if !traced {
        skip(run.stderr);
    }
    traced
}

/// The steps of each end of the connections of a port, in the order they were told.
#[derive(Debug, PartialEq, Eq)]
pub struct Steps(pub Vec<(Option<String>, String)>);

impl Steps {
    /// Those of events that are so.
    pub fn of(events: &[Value], is_it: impl Fn(&Value) -> bool) -> Steps {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let those = events.iter().filter(|event| is_it(event));
        Steps(
            those
                .map(|event| {
                    (
                        text(&event["old_state"]),
                        text(&event["new_state"]).unwrap(),
                    )
                })
                .collect(),
        )
    }

    /// `CLOSED SYN_SENT ESTABLISHED …`
    ///
    /// # Panics
    ///
    /// When a step does not begin where the one before it ended.
    pub fn chain(&self) -> String {
        let mut chain = String::new();
        for (old, new) in &self.0 {
            let old = old.as_deref().unwrap_or("?");
            if chain.is_empty() {
                chain.push_str(old);
            }
            assert!(chain.ends_with(old), "{chain}, and then {old} to {new}");
            chain = format!("{chain} {new}");
        }
        chain
    }

    /// Is each of them one of the chain's, in the same order? A step whose beginning is not known
    /// must arrive where one of the chain's arrives.
    pub fn are_of(&self, chain: &str) -> bool {
        let states: Vec<&str> = chain.split(' ').collect();
        let mut truth = states.windows(2);
        self.0.iter().all(|(old, new)| {
            truth.any(|step| {
                step[1] == new.as_str() && old.as_deref().is_none_or(|old| old == step[0])
            })
        })
    }
}
