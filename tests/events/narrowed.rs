//! What the program in the kernel leaves out: nothing that a filter accepts, and no room for the rest.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::lives::{LIVES, Stage};
use super::watch::traced;
use super::{is_lacking, once_more};
use crate::scene::{Namespace, V4, V6, tcp};
use crate::support::{Reading, close, program};

/// Filters, each with what else is asked.
const FILTERS: &[&[&str]] = &[
    &["dport = :8080"],
    &["sport = :8080"],
    &["-p", "port = :7070"],
    &["sport < 45000"],
    &["-p", "dport >= 45000"],
    &["sport != 8080 and dport != 8080"],
    &["-p", "not (sport = 7070 or dport < 45000)"],
    &["src 127.0.0.0/8"],
    &["not src 127.0.0.0/8"],
    &["-p", "dst ::1"],
    &["dst 127.0.0.1 and sport > 40000 or dst ::1 and dport > 40000"],
    &["not (dst 10/8 or dst 127.0.0.0/30 or sport < 40000)"],
    &["src 0.0.0.0 or src ::"],
    &["-p", "dev = none and dst 127.0.0.1"],
    &["state listen"],
    &["-p", "state close-wait"],
    &["state time-wait"],
    &["-p", "state fin-wait-2"],
    &["state syn-sent"],
    &["-p", "state closing or state last-ack"],
    &["exclude established exclude close-wait"],
    &["state fin-wait-2 and dst 127.0.0.1"],
    &["state established and sport = 8080 or state last-ack"],
    &["family = inet6 and state syn-recv"],
];

/// A test of which the kernel knows nothing and that holds for nothing: the filter beside it is not tested there.
const NEVER: &str = "any no-socket-has-this";

/// Begins to watch, and returns when it does.
fn begin(options: &[&str], filter: &str) -> Reading<String> {
    let mut lsock = program();
    lsock.args(["-E", "-n", "--format", "csv"]).args(options);
    let watch = Reading::start(lsock.arg(filter), |line| line);
    watch.wait_for("the titles", |told| !told.is_empty());
    watch
}

/// What was told. Each program reads clocks of its own: of times, whether they are known.
fn told(watch: Reading<String>) -> Result<Vec<String>, String> {
    let (lines, run) = watch.end_by(Signal::SIGINT);
    if is_lacking(&run) {
        return Err(run.stderr);
    }
    assert_eq!(run.status, Some(0), "{run:?}");
    let without_times = lines.iter().map(|line| {
        let (_, line) = line.split_once(',').unwrap();
        let mut fields: Vec<&str> = line.rsplitn(4, ',').collect();
        for time in &mut fields[1..3] {
            *time = if time.is_empty() { "-" } else { "known" };
        }
        fields.join(",")
    });
    Ok(without_times.collect())
}

/// A connection from one port to another one, that is closed on both sides.
fn connection(ip: IpAddr, [from, to]: [u16; 2]) {
    let listener = tcp::socket(ip).unwrap();
    rustix::net::sockopt::set_socket_reuseaddr(&listener, true).unwrap();
    rustix::net::bind(&listener, &SocketAddr::new(ip, to)).unwrap();
    rustix::net::listen(&listener, 4).unwrap();
    let socket = tcp::socket(ip).unwrap();
    rustix::net::sockopt::set_socket_reuseaddr(&socket, true).unwrap();
    rustix::net::bind(&socket, &SocketAddr::new(ip, from)).unwrap();
    rustix::net::connect(&socket, &SocketAddr::new(ip, to)).unwrap();
    let server = tcp::accept(&listener).unwrap();
    close(TcpStream::from(socket));
    close(server);
}

fn live(namespace: &Namespace) {
    for ip in [V4, V6] {
        for (_, life) in LIVES {
            life(&Stage {
                namespace,
                ip,
                pause: Duration::from_millis(1),
            });
        }
        connection(ip, [7_070, 8_080]);
        connection(ip, [0, 8_081]);
        connection(ip, [50_000, 8_082]);
    }
}

#[test]
fn kernel_leaves_out_nothing_that_the_filter_accepts() {
    let Some(namespace) = traced() else { return };
    let compare = |filters: &[&[&str]]| -> Result<(), String> {
        let watches: Vec<_> = filters
            .iter()
            .map(|words| {
                let (filter, options) = words.split_last().unwrap();
                let whole = format!("({filter}) or {NEVER}");
                [begin(options, filter), begin(options, &whole)]
            })
            .collect();
        live(&namespace);
        // What it has no time to tell when it ends would be lost.
        for watch in watches.iter().flatten() {
            watch.until_at_rest();
        }
        for (filter, watches) in filters.iter().zip(watches) {
            let [narrowed, whole] = watches.map(told);
            let (narrowed, whole) = (narrowed?, whole?);
            assert!(whole.len() > 1, "{filter:?}: nothing happened");
            let same = narrowed
                .iter()
                .zip(&whole)
                .take_while(|(one, other)| one == other);
            let same = same.count();
            let differ = [narrowed.get(same), whole.get(same)];
            if differ != [None, None] {
                return Err(format!("{filter:?}: {differ:?}"));
            }
        }
        Ok(())
    };
    for filters in FILTERS.chunks(8) {
        once_more(|| compare(filters));
    }
}

/// How many records found no room while nobody read them.
fn lost(filter: &str) -> usize {
    let watch = begin(&[], filter);
    watch.signal(Signal::SIGSTOP);
    super::many::open_and_close(2_000);
    watch.signal(Signal::SIGCONT);
    // What it has no time to tell when it ends is lost, too.
    watch.until_at_rest();
    super::many::lost(&watch.end_by(Signal::SIGINT).1)
}

#[test]
fn what_the_filter_cannot_accept_takes_no_room() {
    let Some(namespace) = traced() else { return };
    super::many::allow_many(&namespace);
    let all = lost(NEVER);
    assert!(all > 0);
    for none in [
        "dport = :1 and sport = :1",
        "dst 10.0.0.0/8 or dst 2001:db8::/32 or dst 10.1.2.3",
        "dst != 127.0.0.0/8",
        "family = inet6",
        "protocol = mptcp",
    ] {
        assert_eq!(lost(none), 0, "{none}");
    }
    // Where lives begin and end is told.
    let some = lost("state syn-sent");
    assert!(some < all, "{some} of {all}");
}
