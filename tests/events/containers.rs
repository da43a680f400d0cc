//! In which container steps are made, however short its processes live.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::rights::REFUSE;
use super::watch::{Watch, can_trace};
use crate::containers::Group;
use crate::owners::alone::is_alone;
use crate::scene::namespace::ip;
use crate::support::{LSOCK, Run, Stop, command, has, lsock, run, skip, spawn};

const ID: &str = "3fa9c1d27b5e4806a1c3e5f70912b4d6e8fa0b1c2d3e4f5061728394a5b6c7d8";
const POD: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

/// Goes into a cgroup, listens, connects to itself, and closes all; begins each by its word.
const TALK: &str = r"
import os, socket, sys
open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()))
listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
print(listener.getsockname()[1], client.getsockname()[1], flush=True)
if len(sys.argv) > 2:
    sys.stdin.read()
client.close()
server.recv(1)
server.close()
";

/// A network namespace of its own, and a cgroup there with this path.
fn group(name: &str, path: &str) -> Option<Group> {
    if !is_alone(name, &["--net"]) || !has("python3") {
        return None;
    }
    ip(&["link", "set", "lo", "up"]).unwrap();
    let group = Group::new(path);
    if group.is_none() {
        skip(format_args!("no cgroup {path} can be made here"));
    }
    group
}

/// Files of docker that call the container.
fn files(name: &str) -> TempDir {
    let root = TempDir::new().unwrap();
    let directory = root.path().join("var/lib/docker/containers").join(ID);
    fs::create_dir_all(&directory).unwrap();
    let networks = json!({"bridge": {"IPAddress": "172.17.0.9"}});
    let labels =
        json!({"com.docker.compose.project": "shop", "com.docker.compose.service": "front"});
    let config = json!({
        "Name": format!("/{name}"),
        "Config": {"Image": "nginx:1", "Labels": labels},
        "NetworkSettings": {"Networks": networks},
    });
    fs::write(directory.join("config.v2.json"), config.to_string()).unwrap();
    root
}

fn talk(group: &Path) -> [u16; 2] {
    let run = run(command("python3").args(["-c", TALK]).arg(group)).done();
    ports(run.text())
}

fn ports(line: &str) -> [u16; 2] {
    let ports = line.split_whitespace().map(|port| port.parse().unwrap());
    ports.collect::<Vec<_>>().try_into().unwrap()
}

/// The steps of the sockets with these ports.
fn of(events: &[Value], ports: [u16; 2]) -> Vec<&Value> {
    let events = events.iter();
    events
        .filter(|event| ports.iter().any(|port| event["local_port"] == *port))
        .collect()
}

/// Runs it until it ends, while there are steps in a cgroup.
fn while_talking(words: &[&str], group: &Path) -> Run {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                talk(group);
            }
        });
        let _stop = Stop(&is_over);
        lsock([&["-En"], words].concat())
    })
}

#[test]
fn each_step_names_the_container_of_a_process_that_is_gone_with_its_cgroup() {
    let name = "events::containers::\
        each_step_names_the_container_of_a_process_that_is_gone_with_its_cgroup";
    let path = format!("lsock-events.slice/docker-{ID}.scope");
    let Some(before) = group(name, &path).filter(|_| can_trace()) else {
        return;
    };
    drop(before);
    let root = files("web");
    let root = root.path().to_str().unwrap();
    for more in [&[][..], &["-N", "all"]] {
        let watch = Watch::begin(&[&["-pe", "--host-root", root], more].concat(), "");
        // It comes while it is watched for, and goes.
        let group = Group::new(&path).unwrap();
        let ports = talk(&group);
        watch.ring();
        drop(group);
        let (events, run) = watch.end();
        assert_eq!(run.status, Some(0), "{run:?}");
        let events = of(&events, ports);
        // Two of the listener's, five of the client's, and five of the server's.
        assert!(events.len() >= 11, "{events:#?}");
        for event in events {
            let told = [
                ("container", "web"),
                ("container_id", ID),
                ("runtime", "docker"),
                ("image", "nginx:1"),
                ("compose_project", "shop"),
                ("compose_service", "front"),
                ("made_in", "web"),
            ];
            for (key, value) in told {
                assert_eq!(event[key], value, "{key}: {event}");
            }
            assert_eq!(event["cgroup"], format!("/{path}"), "{event}");
            assert!(event["pod"].is_null() && event["unit"].is_null(), "{event}");
        }
    }
}

/// In one cgroup it makes a listener, in another it accepts and connects.
const MOVING: &str = r"
import os, socket, sys
def enter(place):
    open(place + '/cgroup.procs', 'w').write(str(os.getpid()))
enter(sys.argv[1])
listener = socket.create_server(('127.0.0.1', 0))
enter(sys.argv[2])
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
print(listener.getsockname()[1], client.getsockname()[1], flush=True)
server.close()
";

#[test]
fn a_step_is_of_the_cgroup_of_its_moment_and_the_socket_of_that_where_it_was_made() {
    let name = "events::containers::\
        a_step_is_of_the_cgroup_of_its_moment_and_the_socket_of_that_where_it_was_made";
    let Some(unit) = group(name, "lsock-moving.slice/maker.service").filter(|_| can_trace()) else {
        return;
    };
    let pod = format!("kubepods/burstable/pod{POD}/{ID}");
    let pod = Group::new(&pod).unwrap();
    let watch = Watch::begin(&["-pe"], "");
    let mut python = command("python3");
    python.args(["-c", MOVING]).args([&*unit, &*pod]);
    let [port, from] = ports(run(&mut python).done().text());
    let (events, run) = watch.end();
    assert_eq!(run.status, Some(0), "{run:?}");
    let steps = |local: u16, peer: Value| -> Vec<Vec<Value>> {
        let is_it = |event: &&Value| event["local_port"] == local && event["peer_port"] == peer;
        let keys = ["new_state", "container", "pod_uid", "unit", "made_in"];
        let events = events.iter().filter(is_it);
        events
            .map(|event| keys.map(|key| event[key].clone()).into())
            .collect()
    };
    let is = |told: &[Value], expected: [&str; 4]| {
        let told = told[1..].iter().map(|told| told.as_str().unwrap_or("-"));
        assert_eq!(told.collect::<Vec<_>>(), expected);
    };
    let (short, maker) = (&ID[..12], "maker.service");
    let listener = steps(port, Value::Null);
    is(&listener[0], ["-", "-", maker, maker]);
    // Who closes it is in the pod, and it was made in the unit for ever.
    is(&listener[1], [short, POD, "-", maker]);
    for step in steps(from, port.into()) {
        is(&step, [short, POD, "-", short]);
    }
    let accepted = steps(port, from.into());
    assert!(accepted.len() >= 4, "{accepted:?}");
    for step in accepted {
        // It is its listener's until it is used.
        let is_used = !["SYN_RCVD", "ESTABLISHED"]
            .map(Value::from)
            .contains(&step[0]);
        let expected = if is_used {
            [short, POD, "-", maker]
        } else {
            ["-", "-", maker, maker]
        };
        is(&step, expected);
    }
}

#[test]
fn filters_columns_and_formats_have_the_container() {
    let name = "events::containers::filters_columns_and_formats_have_the_container";
    let path = format!("lsock-formats.slice/docker-{ID}.scope");
    let Some(group) = group(name, &path).filter(|_| can_trace()) else {
        return;
    };
    let root = files("we,b\n;\u{1b}[31m\"x");
    let root = root.path().to_str().unwrap();
    // A comma in a name would make it look like two.
    let escaped = r#"we\x2cb\x0a;\x1b[31m"x"#;
    let shown = |words: &[&str]| {
        let words = [
            &["--host-root", root, "--limit", "1", "--wait", "60s"],
            words,
        ]
        .concat();
        let run = while_talking(&words, &group);
        // Whose a listener was that is gone may be unknown, and said.
        assert_eq!(run.status, Some(0), "{run:?}");
        assert!(!run.text().contains('\u{1b}'), "{run:?}");
        run
    };
    let filter = &*format!("container_id = {ID}");
    // By name in columns, whatever else is asked for.
    let run = shown(&["-H", "--columns", "local_port,state,container", filter]);
    let words: Vec<_> = run.text().split_whitespace().collect();
    assert_eq!(words[1..5], [words[1], words[2], "->", words[4]], "{run:?}");
    assert_eq!(words[5], escaped.replace(r"\x2c", r"\\x2c"), "{run:?}");
    let run = shown(&["-pe", "-H", filter]);
    let line = run.text();
    assert_eq!(line.lines().count(), 1, "{run:?}");
    let run = shown(&["--format", "ndjson", "--columns", "container,image", filter]);
    let told = &run.values()[0];
    assert_eq!(told["image"], "nginx:1");
    assert!(told["new_state"].is_string() && told["pod"].is_null());
    assert!(told.get("local_port").is_none(), "{told}");
    let run = shown(&["--format", "csv", "--columns", "image,runtime", filter]);
    let [header, line] = *run.text().lines().collect::<Vec<_>>() else {
        panic!("{run:?}");
    };
    let begin = "time,image,runtime,old_state,new_state,step,";
    assert!(
        header.starts_with(begin) && line.contains(",nginx:1,docker,"),
        "{run:?}"
    );
    let run = shown(&["--by", "pair", "-e", "--format", "ndjson", filter]);
    let pair = &run.values()[0];
    assert_eq!(pair["client"]["image"], "nginx:1", "{pair}");
    assert_eq!(pair["server"]["image"], "nginx:1", "{pair}");
    let run = shown(&["--by", "pair", "--columns", "image", filter]);
    assert!(run.text().contains("image: nginx:1"), "{run:?}");
    for (filter, status) in [
        (format!("container_id = {ID} and image ~ nginx*"), 0),
        (
            "container != none and compose_service = front".to_owned(),
            0,
        ),
        ("unit = nginx.service".to_owned(), 1),
        // Of one whose begin was not seen it is not known.
        ("container_id !~ 3fa9* and sport > 1024".to_owned(), 1),
    ] {
        let words = ["--host-root", root, "-q", "--wait", "2s", &filter];
        let run = while_talking(&words, &group);
        assert_eq!(run.status, Some(status), "{filter}: {run:?}");
    }
}

#[test]
fn where_steps_are_sampled_holders_name_the_container() {
    let name = "events::containers::where_steps_are_sampled_holders_name_the_container";
    let path = format!("lsock-sampled.slice/docker-{ID}.scope");
    let Some(before) = group(name, &path) else {
        return;
    };
    drop(before);
    let root = files("web");
    let root = root.path().to_str().unwrap();
    let mut refused = command("python3");
    let call = libc::SYS_bpf.to_string();
    refused.args(["-c", REFUSE, &call, "1", LSOCK]);
    let watch = Watch::begin_as(refused, &["-pe", "--host-root", root], "");
    let group = Group::new(&path).unwrap();
    let mut python = command("python3");
    python.args(["-c", TALK]).arg(&*group).arg("wait");
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = spawn(&mut python).unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(python.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    watch.ring();
    drop(python.stdin.take());
    python.wait().unwrap();
    let (events, run) = watch.end();
    assert!(run.stderr.contains("(sampled)"), "{run:?}");
    let events = of(&events, ports(&line));
    assert!(events.len() >= 3, "{events:#?}");
    for event in events {
        assert_eq!(
            (&event["container"], &event["image"]),
            (&"web".into(), &"nginx:1".into())
        );
    }
}

/// Calls itself a proxy of docker, which works for a container and is in none.
const PROXY: &str = r"
import socket
open('/proc/self/comm', 'w').write('docker-proxy')
listener = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
print(listener.getsockname()[1], client.getsockname()[1], flush=True)
input()
";

#[test]
fn a_proxy_of_docker_is_named_by_the_container_it_works_for() {
    let name = "events::containers::a_proxy_of_docker_is_named_by_the_container_it_works_for";
    let Some(_group) = group(name, "lsock-proxy.slice/docker.service").filter(|_| can_trace())
    else {
        return;
    };
    let root = files("web");
    let script: PathBuf = root.path().join("proxy.py");
    fs::write(&script, PROXY).unwrap();
    let options = ["-pe", "--host-root", root.path().to_str().unwrap()];
    let watch = Watch::begin(&options, "");
    let mut python = command("python3");
    python.arg(&script).args(["-container-ip", "172.17.0.9"]);
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = spawn(&mut python).unwrap();
    let mut line = String::new();
    let mut output = BufReader::new(python.stdout.take().unwrap());
    output.read_line(&mut line).unwrap();
    watch.ring();
    drop(python.stdin.take());
    python.wait().unwrap();
    let (events, run) = watch.end();
    assert_eq!(run.status, Some(0), "{run:?}");
    let events = of(&events, ports(&line));
    assert!(events.len() >= 5, "{events:#?}");
    for event in events {
        assert_eq!(event["container"], "web", "{event}");
        // It was made by a process of the machine.
        assert_ne!(event["made_in"], "web", "{event}");
    }
}
