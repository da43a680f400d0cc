//! Containers, pods and units: in cgroups of the test's own, named as engines name them.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::namespaces::{add, in_named, in_new, own_mounts};
use crate::owners::alone::is_alone;
use crate::scene::holder::Holder;
use crate::scene::namespace::ip;
use crate::support::{Run, fresh, lsock, skip, spawn};

const ID: &str = "3fa9c1d27b5e4806a1c3e5f70912b4d6e8fa0b1c2d3e4f5061728394a5b6c7d8";
const POD: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

fn text(run: &Run) -> String {
    String::from_utf8(run.stdout.clone()).unwrap()
}

/// A cgroup, with those above it that are not there; removed with it.
#[derive(Clone)]
pub struct Group(PathBuf);

impl Group {
    /// `None` = such cgroups cannot be made here.
    pub fn new(path: &str) -> Option<Self> {
        let mounts = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
        let is_mount = |mount: &&&str| Path::new(mount).join("cgroup.procs").exists();
        let mount = mounts.iter().find(is_mount)?;
        let directory = Path::new(mount).join(path);
        fs::create_dir_all(&directory).ok()?;
        Some(Self(directory))
    }
}

impl Deref for Group {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Those above are left where others are in them.
        let mut directory = self.0.as_path();
        while fs::remove_dir(directory).is_ok() {
            let Some(above) = directory.parent() else {
                break;
            };
            directory = above;
        }
    }
}

/// A cgroup with a process that holds a listener.
struct Scene {
    directory: Group,
    process: Child,
    port: u16,
}

impl Scene {
    /// `None` = such cgroups cannot be made here.
    fn new(path: &str) -> Option<Self> {
        let directory = Group::new(path)?;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let port = listener.local_addr().unwrap().port();
        Self::holding(directory, listener.into(), port)
    }

    /// The same with another socket.
    fn holding(directory: Group, socket: OwnedFd, port: u16) -> Option<Self> {
        let mut sleep = Command::new("sleep");
        let process = spawn(sleep.arg("600").stdin(Stdio::from(socket))).unwrap();
        let scene = Self {
            directory,
            process,
            port,
        };
        let pid = scene.process.id().to_string();
        let moved = fs::write(scene.directory.join("cgroup.procs"), pid);
        moved.is_ok().then_some(scene)
    }

    fn listed(&self, words: &[&str]) -> Run {
        let port = format!("sport = {}", self.port);
        lsock([&["-tlnH", &*port], words].concat())
    }

    /// What stands in its row: container, pod, unit and image.
    fn is(&self, expected: &str) {
        let run = self
            .listed(&["--columns", "container,pod,unit,image"])
            .clean();
        let shown = text(&run);
        let words: Vec<_> = shown.split_whitespace().collect();
        assert_eq!(words.join(" "), expected, "{run:?}");
    }

    fn matches(&self, filter: &str) -> bool {
        let run = self.listed(&[&format!("and {filter}")]).clean();
        !run.stdout.is_empty()
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

fn scene(path: &str) -> Option<Scene> {
    let scene = Scene::new(path);
    if scene.is_none() {
        skip(format_args!("no cgroup {path} can be made here"));
    }
    scene
}

#[test]
fn a_container_is_that_of_the_holder_and_not_of_the_maker() {
    if !is_alone(
        "containers::a_container_is_that_of_the_holder_and_not_of_the_maker",
        &[],
    ) {
        return;
    }
    let Some(scene) = scene(&format!("lsock-test.slice/docker-{ID}.scope")) else {
        return;
    };
    // The scope that the engine made for it is the container, and no unit.
    scene.is("3fa9c1d27b5e - - -");
    for (filter, holds) in [
        ("container = 3fa9c1d27b5e", true),
        ("container ~ 3fa9*", true),
        ("container != 3fa9c1d27b5e", false),
        ("container = none", false),
        ("container != none", true),
        ("container = web", false),
        ("pod = none", true),
        ("unit = docker.service", false),
        ("unit = none", true),
        ("runtime = docker", true),
        (&format!("container_id = {ID}"), true),
        ("container_id ~ 3fa9*", true),
        // The test made the listener, and it is in no container.
        ("made_in = 3fa9c1d27b5e", false),
    ] {
        assert_eq!(scene.matches(filter), holds, "{filter}");
    }
    let sorted = scene.listed(&["--sort", "container"]).clean();
    assert_eq!(text(&sorted).lines().count(), 1);
}

#[test]
fn container_at_the_other_end_is_that_of_who_holds_it() {
    let name = "containers::container_at_the_other_end_is_that_of_who_holds_it";
    if !is_alone(name, &["--net"]) {
        return;
    }
    ip(&["link", "set", "lo", "up"]).unwrap();
    let Some(scene) = scene(&format!("lsock-test7.slice/docker-{ID}.scope")) else {
        return;
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let filter = format!("dport = {port}");
    let words = ["-tnH", "--columns", "peer_container,peer_process", &filter];
    let told = || {
        let shown = text(&lsock(words).clean());
        shown.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(told(), "- -", "it is not accepted yet");
    let (accepted, _) = listener.accept().unwrap();
    let _served = Scene::holding(scene.directory.clone(), accepted.into(), port);
    assert_eq!(told(), "3fa9c1d27b5e sleep");
    let status = |filter: &str| lsock(["-tnq", "--expect", "1", filter]).status;
    assert_eq!(status("peer_container = 3fa9c1d27b5e"), Some(0));
    assert_eq!(status("peer_container = web"), Some(1));
    drop(client);
}

#[test]
fn a_pod_has_its_uid_and_a_unit_its_name() {
    if !is_alone("containers::a_pod_has_its_uid_and_a_unit_its_name", &[]) {
        return;
    }
    let pod = format!("kubepods/burstable/pod{POD}/{ID}");
    let Some(in_pod) = scene(&pod) else {
        return;
    };
    in_pod.is(&format!("3fa9c1d27b5e {POD} - -"));
    assert!(in_pod.matches("pod ~ 0a1b*"));
    let Some(service) = scene("lsock-test2.slice/lsock-test.service/worker") else {
        return;
    };
    service.is("- - lsock-test.service -");
    assert!(service.matches("unit = lsock-test.service and container = none"));
    assert!(!service.matches("unit != lsock-test.service"));
}

#[test]
fn formats_have_them_where_they_are_asked_for() {
    if !is_alone(
        "containers::formats_have_them_where_they_are_asked_for",
        &[],
    ) {
        return;
    }
    let Some(scene) = scene("lsock-test3.slice/lsock-json.service") else {
        return;
    };
    let unit = |words: &[&str]| {
        let run = scene.listed(&[words, &["-j"]].concat()).clean();
        run.sockets()[0]["unit"].clone()
    };
    assert_eq!(unit(&["-ep"]), "lsock-json.service");
    assert_eq!(unit(&["--columns", "unit"]), "lsock-json.service");
    assert!(unit(&["-p"]).is_null() && unit(&[]).is_null());
    let csv = scene
        .listed(&["--columns", "container,unit", "--format", "csv"])
        .clean();
    assert_eq!(text(&csv).trim_end(), ",lsock-json.service");
}

/// Goes into a cgroup, makes a listener that says its port, and closes it when it is told to.
const MAKER: &str = r"
import os, socket, sys
open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()))
listener = socket.create_server(('127.0.0.1', 0))
open(sys.argv[2] + '/cgroup.procs', 'w').write(str(os.getpid()))
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
";

#[test]
fn where_a_socket_was_made_is_told_also_when_that_is_gone() {
    let name = "containers::where_a_socket_was_made_is_told_also_when_that_is_gone";
    if !is_alone(name, &[]) {
        return;
    }
    let Some(mut scene) = scene("lsock-test5.slice/maker.service") else {
        return;
    };
    let made_in = scene.directory.join("here");
    fs::create_dir(&made_in).unwrap();
    let mut python = Command::new("python3");
    python.args(["-c", MAKER]);
    python.args([made_in.as_path(), &scene.directory]);
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut maker = spawn(&mut python).unwrap();
    let mut line = String::new();
    BufReader::new(maker.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    scene.port = line.trim().parse().unwrap();
    let id = fs::metadata(&made_in).unwrap().ino();
    let shown = |expected: &str| {
        let run = scene
            .listed(&["--columns", "made_in,cgroup,cgroup_id"])
            .clean();
        let words = text(&run);
        let words: Vec<_> = words.split_whitespace().collect();
        assert_eq!(words.join(" "), expected, "{run:?}");
    };
    shown(&format!(
        "maker.service /lsock-test5.slice/maker.service/here {id}"
    ));
    assert!(scene.matches("made_in = maker.service"));
    fs::remove_dir(&made_in).unwrap();
    shown(&format!("gone gone {id}"));
    assert!(scene.matches("made_in = gone") && !scene.matches("made_in = none"));
    let run = scene.listed(&["-j", "-e"]).clean();
    let socket = &run.sockets()[0];
    assert_eq!(
        (&socket["made_in"], &socket["cgroup_id"]),
        (&"gone".into(), &id.into())
    );
    drop(maker.stdin.take());
    maker.wait().unwrap();
}

#[test]
fn a_network_namespace_is_called_by_the_container_that_leads_it() {
    let name = "containers::a_network_namespace_is_called_by_the_container_that_leads_it";
    if !is_alone(name, &["--net"]) {
        return;
    }
    let path = format!("lsock-test4.slice/docker-{ID}.scope");
    let Some(scene) = in_new(move || scene(&path), None) else {
        return;
    };
    for place in ["all", "3fa9c1d27b5e", "3fa9c1", ID] {
        let run = scene.listed(&["-N", place, "--columns", "netns"]).clean();
        assert_eq!(text(&run).trim_end(), "3fa9c1d27b5e", "{place}");
    }
    let wrong = scene.listed(&["-N", "3fa9c1d27b5f"]);
    assert_eq!(wrong.status, Some(2), "{wrong:?}");
}

#[test]
fn metrics_have_the_container_of_listeners_and_of_namespaces() {
    let Some(_namespace) = fresh() else { return };
    let path = format!("lsock-test11.slice/docker-{ID}.scope");
    let Some(scene) = in_new(move || scene(&path), None) else {
        return;
    };
    let other = in_new(|| Holder::sleeping(&[]).unwrap(), None);
    let [pid, other] = [scene.process.id(), other.pid()].map(|pid| pid.to_string());
    let page = |netns: &str| lsock(["-st", "--format", "openmetrics", "-N", netns]).done();
    let of_listener = format!(
        "lsock_listen_queue_length{{protocol=\"tcp\",address=\"127.0.0.1\",port=\"{}\",process=\"sleep\"",
        scene.port
    );
    let of_state = "lsock_sockets{protocol=\"tcp\",family=\"inet\",state=\"LISTEN\"";
    let container = "container=\"3fa9c1d27b5e\"";
    let one = page(&pid);
    for line in [
        format!("{of_listener},{container}}} 0"),
        format!("{of_state}}} 1"),
    ] {
        assert!(one.lines().contains(&&*line), "{line} {one:?}");
    }
    let both = page(&format!("{pid},{other}"));
    for line in [
        format!("{of_listener},netns=\"3fa9c1d27b5e\",{container}}} 0"),
        format!("{of_state},netns=\"3fa9c1d27b5e\",{container}}} 1"),
        format!("{of_state},netns=\"sleep[{other}]\"}} 0"),
    ] {
        assert!(both.lines().contains(&&*line), "{line} {both:?}");
    }
}

#[test]
fn a_container_comes_before_the_random_name_that_its_engine_gave() {
    let name = "containers::a_container_comes_before_the_random_name_that_its_engine_gave";
    if !is_alone(name, &["--net", "--mount"]) {
        return;
    }
    own_mounts();
    fs::create_dir("/run/netns").unwrap();
    let random = "cni-0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    add(random);
    let all = || {
        let run = lsock(["-N", "all", "-s", "-j"]);
        // BOUND is not listed up to Linux 6.7, which is said.
        assert_eq!(run.status, Some(0), "{run:?}");
        text(&run)
    };
    assert!(all().contains(random), "nobody lives there yet: {}", all());
    let path = format!("lsock-test6.slice/docker-{ID}.scope");
    let Some(scene) = in_named(random, || scene(&path)) else {
        return;
    };
    for place in ["all", "3fa9c1d27b5e", random] {
        let run = scene.listed(&["-N", place, "--columns", "netns"]).clean();
        assert_eq!(text(&run).trim_end(), "3fa9c1d27b5e", "{place}");
    }
}

/// Goes into a cgroup, and holds connections whose peers have closed.
const LEAKING: &str = r"
import os, socket, sys
open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid()))
listener = socket.create_server(('127.0.0.1', 0))
held = []
for _ in range(40):
    socket.create_connection(listener.getsockname()).close()
    held.append(listener.accept())
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
";

#[test]
fn a_finding_names_the_container_of_the_process_that_it_accuses() {
    let name = "containers::a_finding_names_the_container_of_the_process_that_it_accuses";
    if !is_alone(name, &["--net"]) {
        return;
    }
    ip(&["link", "set", "lo", "up"]).unwrap();
    let Some(group) = Group::new(&format!("lsock-test10.slice/docker-{ID}.scope")) else {
        return skip("no cgroup can be made here");
    };
    let mut python = Command::new("python3");
    python.args(["-c", LEAKING]).arg(&*group);
    python.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = spawn(&mut python).unwrap();
    let mut output = BufReader::new(python.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    let text = |words: &[&str]| {
        let run = lsock([&["-st", "-j"], words].concat());
        let findings = run.document()["findings"].clone();
        let kind = |finding: &&Value| finding["kind"] == "close_wait";
        let found = findings.as_array().unwrap().iter().find(kind);
        found.unwrap()["text"].as_str().unwrap().to_owned()
    };
    let pid = python.id();
    let begin = format!("[{pid}] in container 3fa9c1d27b5e holds 40 connections in CLOSE_WAIT.");
    for words in [&[][..], &["container = 3fa9c1d27b5e"], &["-N", "all"]] {
        assert!(text(words).contains(&begin), "{}", text(words));
    }
    drop(python.stdin.take());
    python.wait().unwrap();
}

/// Makes a listener in one cgroup, and passes it to a process in another one that keeps it alone, then to a third.
const PASSED: &str = r"
import os, socket, sys
def enter(place):
    open(place + '/cgroup.procs', 'w').write(str(os.getpid()))
enter(sys.argv[1])
listener = socket.create_server(('127.0.0.1', 0))
for place in sys.argv[2:]:
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        listener.close()
        enter(place)
        theirs.send(b'.')
        held = socket.recv_fds(theirs, 1, 1)
        theirs.send(b'.')
        sys.stdin.read()
        os._exit(0)
    ours.recv(1)
    socket.send_fds(ours, [b'x'], [listener.fileno()])
    ours.recv(1)
port = listener.getsockname()[1]
listener.close()
print(port, flush=True)
sys.stdin.read()
";

/// Makes a listener in one cgroup, and forks workers, each for one of the others: each accepts a connection.
const PREFORK: &str = r"
import os, socket, sys
def enter(place):
    open(place + '/cgroup.procs', 'w').write(str(os.getpid()))
enter(sys.argv[1])
listener = socket.create_server(('127.0.0.1', 0))
kept = []
for place in sys.argv[2:]:
    back, done = os.pipe()
    if os.fork() == 0:
        enter(place)
        kept.append(listener.accept())
        for one in kept[:-1]:
            one.close()
        os.write(done, b'.')
        sys.stdin.read()
        os._exit(0)
    kept.append(socket.create_connection(listener.getsockname()))
    os.read(back, 1)
print(listener.getsockname()[1], *[one.getsockname()[1] for one in kept], flush=True)
sys.stdin.read()
";

/// A scene of cgroups for a program that makes a listener in the first and starts processes for the others; ends it.
struct Started {
    scene: Scene,
    maker: Child,
    places: Vec<PathBuf>,
    /// What it says: ports.
    ports: Vec<u16>,
}

impl Started {
    fn new(path: &str, script: &str) -> Option<Self> {
        let mut scene = scene(path)?;
        let other = ID.replace('3', "4");
        let names = [format!("docker-{ID}.scope"), format!("libpod-{other}")];
        let places = names.map(|name| scene.directory.join(name));
        for place in &places {
            fs::create_dir(place).unwrap();
        }
        let mut python = Command::new("python3");
        python
            .args(["-c", script])
            .arg(&*scene.directory)
            .args(&places);
        python.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut maker = spawn(&mut python).unwrap();
        let mut line = String::new();
        BufReader::new(maker.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ports = line.split_whitespace().map(|port| port.parse().unwrap());
        let ports: Vec<u16> = ports.collect();
        scene.port = ports[0];
        Some(Self {
            scene,
            maker,
            places: places.into(),
            ports,
        })
    }

    fn told(&self, words: &[&str]) -> Vec<String> {
        let run = self.scene.listed(words).clean();
        text(&run).split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.maker.stdin.take());
        self.maker.wait().unwrap();
        for place in &self.places {
            for _ in 0..100 {
                if fs::remove_dir(place).is_ok() {
                    break;
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        }
    }
}

#[test]
fn a_listener_that_was_passed_on_is_of_those_who_got_it() {
    let name = "containers::a_listener_that_was_passed_on_is_of_those_who_got_it";
    if !is_alone(name, &[]) {
        return;
    }
    let Some(started) = Started::new("lsock-test8.slice/maker.service", PASSED) else {
        return;
    };
    let told = started.told(&["--columns", "container,made_in"]);
    assert_eq!(told, ["3fa9c1d27b5e,4fa9c1d27b5e", "maker.service"]);
    for filter in [
        "container = 3fa9c1d27b5e",
        "container = 4fa9c1d27b5e",
        "runtime = podman",
    ] {
        assert!(started.scene.matches(filter), "{filter}");
    }
}

#[test]
fn connections_of_a_prefork_server_are_of_the_workers_that_hold_them() {
    let name = "containers::connections_of_a_prefork_server_are_of_the_workers_that_hold_them";
    if !is_alone(name, &[]) {
        return;
    }
    let Some(started) = Started::new("lsock-test9.slice/prefork.service", PREFORK) else {
        return;
    };
    // All of them hold the listener, and who made it is only one of them.
    let columns = ["--columns", "container,made_in"];
    let both = "3fa9c1d27b5e,4fa9c1d27b5e";
    assert_eq!(started.told(&columns), [both, "prefork.service"]);
    // Each connection is of the worker that accepted it; its client is of all that came after.
    let [listener, first, second] = *started.ports else {
        panic!("{:?}", started.ports);
    };
    for (client, container) in [(first, "3fa9c1d27b5e"), (second, "4fa9c1d27b5e")] {
        let filter = format!("sport = {listener} and dport = {client}");
        let run = lsock(["-tnH", &filter, "--columns", "container,made_in"]).clean();
        let told: Vec<_> = run.text().split_whitespace().collect();
        assert_eq!(told, [container, "prefork.service"], "{run:?}");
        let filter =
            format!("dport = {listener} and sport = {client} and peer_container = {container}");
        assert_eq!(lsock(["-tnq", &filter]).status, Some(0), "{filter}");
    }
}
