//! Other network namespaces: each of a kind, in a PID namespace and with mounts of the test's own.

mod ends;
mod events;
mod kinds;
mod names;
mod rounds;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::owners::alone::is_alone;
use crate::scene::expected::local_address;
use crate::scene::holder::{Holder, as_nobody, no_nobody};
use crate::scene::namespace::ip;
use crate::scene::tcp;
use crate::support::{LSOCK, Run, close, lsock, run, skip};

/// A listener on loopback of the calling thread's namespace, and its port.
fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Does something in a new namespace, in a thread that then waits there until `stay` is dropped.
pub fn in_new<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
    stay: Option<Receiver<()>>,
) -> T {
    let (done, answer) = channel();
    thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        ip(&["link", "set", "lo", "up"]).unwrap();
        done.send(work()).unwrap();
        stay.map(|stay| stay.recv());
    });
    answer.recv().unwrap()
}

/// Does something in a namespace that has a name.
pub fn in_named<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    let place = File::open(format!("/run/netns/{name}")).unwrap();
    thread::scope(|scope| {
        let work = scope.spawn(|| {
            setns(place, CloneFlags::CLONE_NEWNET).unwrap();
            work()
        });
        work.join().unwrap()
    })
}

/// Adds a namespace that nobody lives in.
pub fn add(name: &str) {
    ip(&["netns", "add", name]).unwrap();
    in_named(name, || ip(&["link", "set", "lo", "up"]).unwrap());
}

/// Where `ip netns` keeps its names, seen by nobody else.
pub fn own_mounts() {
    // Those of the machine, if it has any, would be below it, out of reach.
    run(Command::new("umount").args(["--recursive", "--quiet", "/run/netns"]));
    let mounted = run(Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/run"]));
    assert_eq!(mounted.status, Some(0), "{mounted:?}");
}

/// The namespace of each listener, by port.
fn found(run: &Run) -> BTreeMap<u64, String> {
    let rows = run.sockets().into_iter();
    rows.map(|row| {
        let netns = row["netns"].as_str().unwrap().to_owned();
        (row["local_port"].as_u64().unwrap(), netns)
    })
    .collect()
}

#[test]
fn sockets_of_every_kind_of_namespace_are_listed_once() {
    let name = "namespaces::sockets_of_every_kind_of_namespace_are_listed_once";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    ip(&["link", "set", "lo", "up"]).unwrap();
    let (_own, own_port) = listener();
    // A name and nothing more.
    add("empty");
    let (_named, named_port) = in_named("empty", listener);
    // A name, and a process.
    add("web");
    let (_in_web, web_port, web_holder) = in_named("web", || {
        let (socket, port) = listener();
        let holder = Holder::named(b"api", &[socket.as_fd()]).unwrap();
        (socket, port, holder)
    });
    // A process without a name, which one of the two is called by.
    let ((_nameless, nameless_port), nameless_holder) =
        in_new(|| (listener(), Holder::sleeping(&[]).unwrap()), None);
    // Nothing but a thread of this process, which lives elsewhere.
    let (leave, stay): (Sender<()>, _) = channel();
    let (_of_thread, thread_port) = in_new(listener, Some(stay));
    let own = format!("namespaces::sock[{}]", std::process::id());
    let run = lsock(["-N", "all", "-tln", "--json"]);
    let found = found(&run.clone().clean());
    let expected = [
        (named_port, "empty".to_owned()),
        (web_port, "web".to_owned()),
        (nameless_port, format!("sleep[{}]", nameless_holder.pid())),
    ];
    for (port, netns) in expected {
        assert_eq!(found.get(&port.into()), Some(&netns), "{found:?} {own}");
    }
    assert!(found.contains_key(&u64::from(own_port)));
    assert!(found.contains_key(&u64::from(thread_port)));
    assert_eq!(found.len(), 5, "{found:?}");
    let sources = run.document()["summary"]["sources"].clone();
    let of_web = |source: &&Value| source["netns"] == "web";
    let of_web: Vec<&Value> = sources.as_array().unwrap().iter().filter(of_web).collect();
    let source = |family| json!({"protocol": "tcp", "family": family, "source": "netlink", "reason": null, "netns": "web"});
    assert_eq!(of_web, [&source("inet"), &source("inet6")]);
    drop(leave);

    // Each by whatever leads there.
    let pid = web_holder.pid().to_string();
    let path = format!("/proc/{pid}/ns/net");
    for place in ["web", &pid, &path, "/run/netns/web"] {
        let text = lsock(["-tlnpH", "-N", place]).clean();
        let line: Vec<&str> = text.text().split_whitespace().collect();
        let local = format!("127.0.0.1:{web_port}");
        let holder = format!("api[{pid}]");
        assert_eq!(line[..4], ["tcp", "LISTEN", "0", "128"], "{place}");
        assert_eq!(line[4], local);
        assert!(line[6].contains(&holder), "{line:?}");
    }
    let both = lsock(["-N", "web,empty,web", "-tlnH"]).clean();
    let first = both
        .lines()
        .into_iter()
        .map(|line| line.split_whitespace().next().unwrap());
    assert_eq!(first.collect::<Vec<_>>(), ["web", "empty"]);
}

#[test]
fn checks_filters_and_sorts_know_namespaces() {
    let name = "namespaces::checks_filters_and_sorts_know_namespaces";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("red");
    add("blue");
    let pair = "-n red link add red0 type veth peer name blue0 netns blue";
    ip(&pair.split(' ').collect::<Vec<_>>()).unwrap();
    let listeners = ["red", "blue"].map(|name| in_named(name, || on_device(&format!("{name}0"))));
    let rows = lsock([
        "-N",
        "red,blue",
        "-tlnH",
        "--sort",
        "netns",
        "--columns",
        "netns,local_port,interface",
    ])
    .clean();
    let rows: Vec<Vec<&str>> = rows
        .lines()
        .into_iter()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows, [["blue", "8080", "blue0"], ["red", "8080", "red0"]]);
    for (filter, status) in [
        ("netns = red", 0),
        ("netns != red", 0),
        ("dev = red0", 0),
        ("dev = red0 and netns = blue", 1),
        ("sport = 8081", 1),
    ] {
        let run = lsock(["-N", "red,blue", "-tlnq", "--expect", "1", filter]);
        if filter.contains("netns") {
            let without = lsock(["-tlnq", filter]);
            assert_eq!(without.status, Some(2), "{without:?}");
        }
        assert_eq!((run.status, &*run.stderr), (Some(status), ""), "{filter}");
    }
    assert_eq!(
        lsock(["-N", "red,blue", "-tlnq", "--expect", "2"]).status,
        Some(0)
    );
    let waited = lsock(["-N", "red,blue", "-tln", "--wait", "5s", "netns = blue"]).clean();
    assert!(waited.text().contains("blue"), "{waited:?}");
    close(listeners);
    for wrong in [
        "",
        "red,",
        "rad",
        "net:[1]",
        "4194304",
        "/proc/self/ns/nosuch",
        "/dev/null",
    ] {
        let run = lsock(["-N", wrong, "-tln"]);
        assert_eq!(run.status, Some(2), "{run:?}");
        run.assert_speaks_plainly();
    }
    let told = lsock(["-N", "rad", "-tln"]).stderr;
    assert_eq!(
        told,
        "lsock: -N: there is no network namespace \"rad\"; did you mean red?\n"
    );
}

#[test]
fn recordings_give_back_each_namespace() {
    let name = "namespaces::recordings_give_back_each_namespace";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("red");
    add("blue");
    let pair = "-n red link add red0 type veth peer name blue0 netns blue";
    ip(&pair.split(' ').collect::<Vec<_>>()).unwrap();
    let _listeners = ["red", "blue"].map(|name| in_named(name, || on_device(&format!("{name}0"))));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sockets");
    let file = file.to_str().unwrap();
    let live = lsock(["-N", "red,blue", "-tlnjD", file]);
    let played = lsock(["-tlnj", "--replay", file]);
    let told = |run: &Run| -> Vec<[Value; 4]> {
        let of = |row: &Value| {
            ["netns", "netns_inode", "interface", "local_port"].map(|field| row[field].clone())
        };
        run.sockets().iter().map(of).collect()
    };
    assert_eq!(told(&live).len(), 2);
    assert_eq!(told(&live), told(&played), "{played:?}");
    assert_eq!(told(&live)[1][2], "blue0");
    let text = lsock(["-tlnH", "--replay", file, "dev = blue0"]).clean();
    let words: Vec<&str> = text.text().split_whitespace().collect();
    assert_eq!(
        (words[0], words[5]),
        ("blue", "127.0.0.1%blue0:8080"),
        "{text:?}"
    );
    let counted = lsock(["-tsj", "--replay", file]).document();
    assert_eq!(counted["namespaces"].as_array().unwrap().len(), 2);
    let status = |filter: &str| lsock(["-tlnq", "--replay", file, "--expect", "1", filter]).status;
    assert_eq!(
        (status("netns = red"), status("netns = web")),
        (Some(0), Some(1))
    );
}

/// A listener at port 8080 of loopback that is bound to a device.
fn on_device(device: &str) -> OwnedFd {
    let socket = tcp::socket(Ipv4Addr::LOCALHOST.into()).unwrap();
    setsockopt(&socket, BindToDevice, &device.into()).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8_080));
    rustix::net::bind(&socket, &address).unwrap();
    rustix::net::listen(&socket, 5).unwrap();
    socket
}

#[test]
fn summaries_count_each_namespace_and_say_what_is_wrong_there() {
    let name = "namespaces::summaries_count_each_namespace_and_say_what_is_wrong_there";
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("calm");
    add("it's full");
    let (_calm, calm_port) = in_named("calm", listener);
    let (_full, full_port, _waiting) = in_named("it's full", || {
        let full = tcp::listener(Ipv4Addr::LOCALHOST.into(), 1).unwrap();
        let waiting = [(); 2].map(|()| tcp::connect(&full).unwrap());
        let port = local_address(&full).unwrap().port();
        (full, port, waiting)
    });
    let words = ["-ts", "-N", "calm,it's full"];
    let document = lsock([&words[..], &["-j"]].concat()).document();
    let listening = |counts: &Value| {
        let tables = counts.as_array().unwrap().iter();
        let counts = tables.map(|table| table["states"]["LISTEN"].as_u64().unwrap());
        counts.sum::<u64>()
    };
    assert_eq!(listening(&document["counts"]), 2);
    let each = document["namespaces"].as_array().unwrap();
    let each: Vec<_> = each
        .iter()
        .map(|one| (&one["netns"], listening(&one["counts"])))
        .collect();
    assert_eq!(each, [(&json!("calm"), 1), (&json!("it's full"), 1)]);
    let listeners = document["listeners"].as_array().unwrap();
    let listeners = listeners
        .iter()
        .map(|one| (&one["netns"], &one["local_port"]));
    let expected = [
        (json!("it's full"), json!(full_port)),
        (json!("calm"), json!(calm_port)),
    ];
    assert!(listeners.eq(expected.iter().map(|(netns, port)| (netns, port))));
    let found = document["findings"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["kind"], &found[0]["netns"]),
        (&json!("accept_queue"), &json!("it's full"))
    );
    let text = lsock(words);
    assert!(text.text().contains("critical it's full: "), "{text:?}");
    // What it says to type lists what it is about.
    let command = text
        .lines()
        .into_iter()
        .find_map(|line| line.trim().strip_prefix("lsock "));
    let command = format!("exec {LSOCK} {} -H", command.unwrap());
    let listed = run(Command::new("sh").args(["-c", &command]));
    assert!(
        listed.text().contains(&format!("127.0.0.1:{full_port}")),
        "{listed:?}"
    );
    assert_eq!(listed.lines().len(), 1, "{listed:?}");
    for (format, title) in [("csv", "netns,protocol,family,state,count"), ("ndjson", "")] {
        let lines = lsock([&words[..], &["--format", format]].concat());
        assert!(lines.text().starts_with(title), "{lines:?}");
        assert_eq!(lines.text().matches("LISTEN").count(), 2, "{lines:?}");
    }
    for (netns, status) in [("calm", 0), ("it's full", 1), ("calm,it's full", 1)] {
        let run = lsock(["-ts", "--fail-on", "warning", "-N", netns]);
        assert_eq!(run.status, Some(status), "{run:?}");
    }
}

#[test]
fn what_must_not_be_entered_is_told_or_read_in_files() {
    let name = "namespaces::what_must_not_be_entered_is_told_or_read_in_files";
    if let Some(why) = no_nobody() {
        return skip(why);
    }
    if !is_alone(name, &["--mount", "--net"]) {
        return;
    }
    own_mounts();
    add("closed");
    let (_listener, _) = in_named("closed", listener);
    let run = run_as_nobody(&["-N", "closed", "-tln"]);
    assert_eq!(run.status, Some(2), "{run:?}");
    let told = "lsock: incomplete list: network namespace closed: cannot be entered: operation not permitted\n";
    assert_eq!(run.stderr, told);
    // The files of a process that lives there may be read.
    let two = || [(); 2].map(|()| Holder::sleeping(&[]).unwrap());
    let ((_open, port), holders) = in_new(move || (listener(), two()), None);
    let mut pids = holders.each_ref().map(Holder::pid);
    pids.sort_unstable();
    // The first leads; any of them is enough to ask for.
    let [pid, other] = pids.map(|pid| pid.to_string());
    // So may those of a thread.
    let (_leave, stay) = channel();
    let (_of_thread, of_thread) = in_new(listener, Some(stay));
    for words in [["-N", &pid], ["-N", &other], ["-N", "all"]] {
        let run = run_as_nobody(&[&words[..], &["-tln", "--json"]].concat());
        let has_thread = found(&run).contains_key(&of_thread.into());
        assert_eq!(has_thread, words[1] == "all", "{run:?}");
        let netns = format!("sleep[{pid}]");
        // What stands for it here is no inode of a namespace.
        assert!(run.sockets().iter().all(|row| row["netns_inode"].is_null()));
        assert_eq!(found(&run).get(&port.into()), Some(&netns), "{run:?}");
        let told = format!(
            "network namespace {netns}: cannot be entered: permission denied; reading /proc/net"
        );
        assert!(run.stderr.contains(&told), "{run:?}");
    }
    // Of one that lives where the asker does, all is there.
    let own = std::process::id().to_string();
    let (_open, port) = listener();
    let run = run_as_nobody(&["-N", &own, "-tln", "--json"]);
    assert_eq!((run.status, &*run.stderr), (Some(0), ""), "{run:?}");
    assert!(found(&run).contains_key(&port.into()), "{run:?}");
}

fn run_as_nobody(words: &[&str]) -> Run {
    run(as_nobody(Path::new(LSOCK)).args(words))
}
