//! `-c` and `--wait`: namespaces come and go from round to round.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::Signal;

use super::{add, in_named, listener, own_mounts};
use crate::owners::alone::is_alone;
use crate::scene::namespace::ip;
use crate::support::{Reading, Stop, lsock, program, run, until_ok};

#[test]
fn every_round_looks_for_namespaces() {
    let name = "namespaces::rounds::every_round_looks_for_namespaces";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    ip(&["link", "set", "lo", "up"]).unwrap();
    let (_own, own_port) = listener();
    let mut command = program();
    command.args(["-c", "0.1", "-N", "all", "-tlnH"]);
    let rounds = Reading::start(&mut command, |line| line);
    // The lines of the last round that is over.
    let wait_for = |what: &str, ports: [u16; 2], found: [usize; 2]| {
        rounds.wait_for(what, |lines: &[String]| {
            let mut whole = lines.rsplit(|line| line.starts_with("20"));
            let last = whole.nth(1).unwrap_or_default();
            let count = |port: u16| {
                let port = format!(":{port} ");
                last.iter().filter(|line| line.contains(&port)).count()
            };
            ports.map(count) == found
        });
    };
    wait_for("the own listener", [own_port, 1], [1, 0]);
    add("late");
    let (late, port) = in_named("late", listener);
    wait_for("a namespace that came", [own_port, port], [1, 1]);
    drop(late);
    ip(&["netns", "delete", "late"]).unwrap();
    wait_for("its end", [own_port, port], [1, 0]);
    // The same name, and perhaps the same inode.
    add("late");
    let (_again, port) = in_named("late", listener);
    wait_for("another one", [own_port, port], [1, 1]);
    let (_, run) = rounds.end_by(Signal::SIGINT);
    let told = "lsock: warning: network namespace late: it is gone\n";
    assert_eq!((run.status, &*run.stderr), (Some(0), told));
}

#[test]
fn two_that_watch_keep_no_namespace_for_each_other() {
    let name = "namespaces::rounds::two_that_watch_keep_no_namespace_for_each_other";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("brief");
    // The other end of the pair goes with its namespace.
    ip(&[
        "link", "add", "here", "type", "veth", "peer", "there", "netns", "brief",
    ])
    .unwrap();
    let (listener, port) = in_named("brief", listener);
    let watches = ["0.1", "0.15"].map(|seconds| {
        let mut command = program();
        command.args(["-c", seconds, "-N", "all", "-tlnH"]);
        Reading::start(&mut command, |line| line)
    });
    let port = format!(":{port} ");
    for watch in &watches {
        watch.wait_for("the listener", |lines: &[String]| {
            lines.iter().any(|line| line.contains(&port))
        });
    }
    drop(listener);
    ip(&["netns", "delete", "brief"]).unwrap();
    until_ok("the kernel has taken it down", || {
        match ip(&["link", "show", "here"]) {
            Ok(()) => Err("its interface is there"),
            Err(_) => Ok(()),
        }
    });
    for watch in watches {
        let (_, run) = watch.end_by(Signal::SIGINT);
        let told = "lsock: warning: network namespace brief: it is gone\n";
        assert_eq!((run.status, &*run.stderr), (Some(0), told));
    }
}

/// Each list is whole but for what it names: what came and went in the midst of it.
#[test]
fn a_namespace_that_vanishes_meanwhile_is_a_gap_with_its_name() {
    let name = "namespaces::rounds::a_namespace_that_vanishes_meanwhile_is_a_gap_with_its_name";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("steady");
    let (_steady, port) = in_named("steady", listener);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = Stop(&is_over);
        scope.spawn(|| {
            for number in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let name = format!("brief{number}");
                ip(&["netns", "add", &name]).unwrap();
                ip(&["netns", "delete", &name]).unwrap();
            }
        });
        for _ in 0..20 {
            let run = lsock(["-N", "all", "-tln", "--json"]);
            let rows = run.sockets();
            let steady = rows.iter().filter(|row| row["local_port"] == port);
            let steady: Vec<_> = steady.map(|row| &row["netns"]).collect();
            assert_eq!(steady, ["steady"], "{run:?}");
            // Of what came and went: its name, that of the `ip` that was about to make it, or none where that was over
            // and had it open. What others left in the
            // kernel is told, too.
            let is_named = |line: &str| {
                let about = line.split_once("network namespace ");
                let names = ["brief", "ip[", "net:["];
                about.is_some_and(|(_, name)| names.iter().any(|begin| name.starts_with(begin)))
                    || line.ends_with(": no readable path leads there")
            };
            assert!(run.stderr.lines().all(is_named), "{run:?}");
            let gaps = run.stderr.contains("incomplete list");
            assert_eq!(run.status, Some(if gaps { 2 } else { 0 }), "{run:?}");
            let summary = &run.document()["summary"];
            assert_eq!(summary["complete"], !gaps, "{run:?}");
        }
    });
    // One that it was found by, and that leads nowhere any more.
    let file = std::path::Path::new("/run/netns/steady");
    let mounted = run(Command::new("umount").arg(file));
    assert_eq!(mounted.status, Some(0), "{mounted:?}");
    let gone = lsock(["-N", "/run/netns/steady", "-tln"]);
    assert_eq!(gone.status, Some(2), "{gone:?}");
    let told = "/run/netns/steady is no network namespace";
    assert!(gone.stderr.contains(told), "{gone:?}");
}

#[test]
fn wait_finds_a_namespace_that_comes_and_doubts_one_that_does_not() {
    let name = "namespaces::rounds::wait_finds_a_namespace_that_comes_and_doubts_one_that_does_not";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    let waiting =
        std::thread::spawn(|| lsock(["-N", "soon", "-tlnq", "--wait", "30s", "port = 80"]));
    std::thread::sleep(std::time::Duration::from_millis(300));
    add("soon");
    let _listener = in_named("soon", || {
        std::net::TcpListener::bind("127.0.0.1:80").unwrap()
    });
    let run = waiting.join().unwrap();
    assert_eq!((run.status, &*run.stderr), (Some(0), ""));
    for count in ["0", "1.."] {
        let run = lsock(["-N", "never", "-tln", "--wait", "200ms", "--expect", count]);
        assert_eq!(run.status, Some(2), "{run:?}");
        let told = "incomplete list: -N: there is no network namespace \"never\"\n";
        assert!(run.stderr.contains(told), "{run:?}");
    }
}
