//! `-c` and `--wait`: namespaces come and go from round to round.

use nix::sys::signal::Signal;

use super::{add, in_named, listener, own_mounts};
use crate::owners::alone::is_alone;
use crate::scene::namespace::ip;
use crate::support::{Reading, lsock, program};

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
