//! `--by pair`: both ends of real connections, put together.

use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::lives::{End, LIVES, Stage, bound};
use super::watch::{Steps, acknowledge_at_once, can_trace, has_begun, traced};
use super::{is_lacking, once_more};
use crate::scene::expected::local_address;
use crate::scene::{Namespace, V4, V6, tcp};
use crate::support::{Reading, Run, fresh, lsock, program, until};

/// `lsock -E --by pair` in the namespace of this thread. It is told what to wait for by connections that
/// are refused.
struct Pairs<T> {
    running: Reading<T>,
    rung: Cell<u8>,
    shows: fn(&T, Ipv4Addr) -> bool,
}

impl<T: Clone + std::fmt::Debug + Send + 'static> Pairs<T> {
    fn begin(
        options: &[&str],
        locale: &str,
        read: fn(String) -> T,
        shows: fn(&T, Ipv4Addr) -> bool,
    ) -> Pairs<T> {
        let mut command = program();
        command.args(["-E", "-n", "--by", "pair"]).args(options);
        command.env("LC_ALL", locale);
        let pairs = Pairs {
            running: Reading::start(&mut command, read),
            rung: Cell::new(0),
            shows,
        };
        until("it has begun", || {
            has_begun(pairs.running.pid()).then_some(())
        });
        pairs.ring();
        pairs
    }

    /// Waits until everything that was over before this call is told.
    fn ring(&self) {
        self.rung.set(self.rung.get() + 1);
        let bell = Ipv4Addr::new(127, 0, 1, self.rung.get());
        refuse(bell);
        self.running.wait_for("the bell", |told| {
            told.iter().any(|pair| (self.shows)(pair, bell))
        });
    }

    fn end(self) -> (Vec<T>, Run) {
        self.ring();
        self.running.end_by(Signal::SIGINT)
    }
}

/// A connection from this address, where nobody listens.
fn refuse(from: Ipv4Addr) {
    let taken = bound(V4);
    let to = local_address(&taken).unwrap();
    let socket: OwnedFd = tcp::socket(V4).unwrap();
    rustix::net::bind(&socket, &SocketAddr::from((from, 0))).unwrap();
    rustix::net::connect(&socket, &to).unwrap_err();
}

/// Objects.
fn objects(options: &[&str]) -> Pairs<Value> {
    let options = [&["--format", "ndjson"], options].concat();
    let read = |line: String| serde_json::from_str(&line).unwrap();
    Pairs::begin(&options, "C", read, |pair, bell| {
        pair["client"]["local_address"] == bell.to_string()
    })
}

/// What is drawn of the first life, in a locale.
fn drawing(namespace: &Namespace, options: &[&str], locale: &str) -> String {
    let pairs = Pairs::begin(
        options,
        locale,
        |line| line,
        |line, bell| line.contains(&format!(" {bell}:")),
    );
    let (_, life) = LIVES[0];
    life(&Stage {
        namespace,
        ip: V4,
        pause: Duration::from_millis(1),
    });
    let (lines, run) = pairs.end();
    assert_eq!(run.status, Some(0));
    lines.join("\n")
}

/// The ends in an object, with their roles.
fn ends(pair: &Value) -> Vec<(&'static str, &Value)> {
    let of_role = ["client", "server"].map(|role| (role, &pair[role]));
    let others = pair["ends"].as_array().unwrap();
    let ends = of_role
        .into_iter()
        .chain(others.iter().map(|end| ("end", end)));
    ends.filter(|(_, end)| end.is_object()).collect()
}

/// The place of the pair that an end is in, and its role there, if it is told whole.
fn place(pairs: &[Value], end: &End) -> Option<Result<(usize, &'static str), String>> {
    let mut found = pairs.iter().enumerate().flat_map(|(place, pair)| {
        let is_it = |life: &Value| life["local_port"] == end.local && life["peer_port"] == end.peer;
        let ends = ends(pair).into_iter();
        ends.filter_map(move |(role, life)| is_it(life).then_some((place, role, life)))
    });
    let (place, role, life) = found.next()?;
    let chain = Steps::of(life["steps"].as_array().unwrap(), |_| true).chain();
    let place = (place, role);
    let is_whole = end.is_recorded(&chain);
    Some(is_whole.then_some(place).ok_or(format!("{chain}: {end:?}")))
}

#[test]
fn both_ends_of_every_life_are_one_pair() {
    if !can_trace() || fresh().is_none() {
        return;
    }
    for (name, life) in LIVES {
        let live = |ip| {
            let namespace = fresh().unwrap();
            acknowledge_at_once();
            let pairs = objects(&[]);
            let stage = Stage {
                namespace: &namespace,
                ip,
                pause: Duration::from_millis(1),
            };
            let of_life = life(&stage);
            let (told, run) = pairs.end();
            if is_lacking(&run) {
                return Err(run.stderr);
            }
            assert_eq!(run.status, Some(0), "{name}");
            let places = of_life.iter().map(|end| place(&told, end).transpose());
            let places: Vec<_> = places.collect::<Result<_, _>>()?;
            match *places {
                [Some((client, "client")), Some((server, "server"))] => {
                    assert_eq!(client, server, "{name}");
                }
                // Both have connected.
                [Some((one, "end")), Some((other, "end"))] => assert_eq!(one, other, "{name}"),
                // Refused, or nobody answers.
                [Some((alone, "client"))] => {
                    assert_eq!(told[alone]["server"], Value::Null, "{name}");
                }
                // A listener.
                [None] => assert_eq!(of_life[0].peer, 0, "{name}"),
                ref other => panic!("{name} over {ip}: {other:?}"),
            }
            Ok(())
        };
        for ip in [V4, V6] {
            once_more(|| live(ip));
        }
    }
}

#[test]
fn pair_is_drawn_with_the_signs_of_the_locale() {
    let Some(namespace) = traced() else { return };
    let lines = [
        "SYN_SENT      ──────── SYN ────────▶",
        "SYN_SENT      -------- SYN -------->",
    ];
    for (format, locale, line) in [
        ("table", "C.UTF-8", lines[0]),
        ("table", "C", lines[1]),
        ("plain", "C.UTF-8", lines[1]),
    ] {
        let found = drawing(&namespace, &["--format", format], locale);
        assert!(found.contains(line), "{format} in {locale}:\n{found}");
        for state in [
            "ESTABLISHED",
            "FIN_WAIT_1",
            "CLOSE_WAIT",
            "FIN_WAIT_2",
            "LAST_ACK",
        ] {
            assert!(found.contains(state), "{state}:\n{found}");
        }
    }
}

#[test]
fn filter_of_one_end_shows_both_and_the_limit_counts_pairs() {
    let Some(namespace) = traced() else { return };
    let pairs = objects(&["--limit", "2", "state close-wait or src 127.0.1.0/24"]);
    let (_, life) = LIVES[0];
    let of_life = life(&Stage {
        namespace: &namespace,
        ip: V6,
        pause: Duration::from_millis(1),
    });
    let (told, run) = pairs.running.outcome();
    assert_eq!((run.status, told.len()), (Some(0), 2), "{told:?}");
    for end in &of_life {
        assert_eq!(
            place(&told, end).map(|place| place.map(|(place, _)| place)),
            Some(Ok(1)),
            "{told:?}"
        );
    }
}

#[test]
fn check_counts_pairs() {
    let Some(_namespace) = traced() else { return };
    let watch = ["-E", "-t", "--by", "pair", "--wait", "0", "--expect"];
    let run = lsock(watch.iter().chain(&["1"]));
    let found = "lsock: expected exactly 1 TCP connection, found none\n";
    // Some owners cannot be read in a container.
    assert!(
        run.status == Some(1) && run.stderr.ends_with(found),
        "{run:?}"
    );
    assert_eq!(lsock(watch.iter().chain(&["0"])).status, Some(0));
}
