#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

mod served;

use super::Containers;
use crate::model::{Fact, Place, Process};

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A machine with files, and processes below `proc`.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, path: &str, text: &str) {
        write(self.0.path(), path, text);
    }

    /// Adds a process of a user; `inner` = in another PID namespace.
    fn process(
        &self,
        pid: u32,
        (name, arguments): (&str, &str),
        cgroup: &str,
        (user, inner): (u32, bool),
    ) -> Process {
        let directory = format!("proc/{pid}");
        let arguments = arguments.replace(' ', "\0");
        self.file(&format!("{directory}/cgroup"), &format!("0::{cgroup}\n"));
        self.file(&format!("{directory}/comm"), &format!("{name}\n"));
        self.file(&format!("{directory}/cmdline"), &arguments);
        let own = fs::read_to_string("/proc/self/status").unwrap();
        let line = |line: &str| match line.split_once(':') {
            Some(("Uid", _)) => format!("Uid:\t{user}\t{user}\t{user}\t{user}\n"),
            Some(("NSpid", _)) => format!("NSpid:\t{pid}{}\n", if inner { "\t1" } else { "" }),
            _ => format!("{line}\n"),
        };
        let status: String = own.lines().map(line).collect();
        self.file(&format!("{directory}/status"), &status);
        let mut process = Process {
            pid,
            name: Some(name.into()),
            ..Process::default()
        };
        process.set_command(arguments.into());
        process
    }

    /// Puts a process into a network namespace, represented by a file, and returns its inode.
    fn network(&self, pid: u32, network: &str) -> u32 {
        let place = self.0.path().join(format!("proc/{pid}/ns/net"));
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let network = self.0.path().join(network);
        fs::write(&network, "").unwrap();
        symlink(&network, place).unwrap();
        u32::try_from(fs::metadata(network).unwrap().ino()).unwrap()
    }

    /// Gives a process another parent.
    fn below(&self, pid: u32, parent: u32) {
        let path = format!("proc/{pid}/status");
        let status = fs::read_to_string(self.0.path().join(&path)).unwrap();
        let line = |line: &str| match line.split_once(':') {
            Some(("PPid", _)) => format!("PPid:\t{parent}\n"),
            _ => format!("{line}\n"),
        };
        self.file(&path, &status.lines().map(line).collect::<String>());
    }

    /// Where a process runs.
    fn place(&self, containers: &mut Containers, process: &Process) -> std::sync::Arc<Place> {
        let file =
            |name: &str| fs::read(self.0.path().join(format!("proc/{}/{name}", process.pid)));
        let [cgroup, status] = ["cgroup", "status"].map(|name| file(name).unwrap());
        containers.of(process, &cgroup, &status).unwrap()
    }

    fn containers(&self) -> Containers {
        let root = self.0.path().to_owned();
        Containers::new(root.join("proc"), Some(root))
    }
}

/// Container, pod, unit and image.
fn words(place: &Place) -> [String; 4] {
    [Fact::Container, Fact::Pod, Fact::Unit, Fact::Image].map(|fact| told(place, fact))
}

fn told(place: &Place, fact: Fact) -> String {
    String::from_utf8_lossy(place.get(fact).unwrap_or(b"-")).into_owned()
}

/// Every known fact with its name.
fn facts(place: &Place) -> String {
    let known = Fact::ALL
        .into_iter()
        .filter(|fact| place.get(*fact).is_some());
    let known = known.map(|fact| format!("{}={}", fact.name(), told(place, fact)));
    known.collect::<Vec<_>>().join(" ")
}

fn is(containers: &mut Containers, path: &str, expected: [&str; 4]) {
    assert_eq!(words(&containers.at(path.as_bytes())), expected, "{path}");
}

#[test]
fn names_come_from_the_files_of_each_engine() {
    let machine = Machine::new();
    let [docker, podman, cri, crio, old] = ['1', '2', '3', '4', '5'].map(id);
    let uid = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    machine.file(
        &format!("var/lib/docker/containers/{docker}/config.v2.json"),
        r#"{"Name":"/api","Config":{"Image":"nginx:1","Labels":{}}}"#,
    );
    machine.file(
        "var/lib/containers/storage/overlay-containers/containers.json",
        &format!(r#"[{{"id":"{podman}","names":["web","old"],"metadata":"{{\"image-name\":\"localhost/bb:latest\"}}"}}]"#),
    );
    machine.file(
        &format!("run/containerd/io.containerd.runtime.v2.task/k8s.io/{cri}/config.json"),
        r#"{"annotations":{"io.kubernetes.cri.container-name":"app","io.kubernetes.cri.sandbox-name":"api-7","io.kubernetes.cri.image-name":"app:2"}}"#,
    );
    machine.file(
        &format!("run/containers/storage/overlay-containers/{crio}/userdata/config.json"),
        r#"{"annotations":{"io.kubernetes.container.name":"db","io.kubernetes.pod.name":"db-0","io.kubernetes.cri-o.ImageName":"pg:3"}}"#,
    );
    fs::create_dir_all(
        machine
            .0
            .path()
            .join(format!("var/log/pods/default_web-9_{uid}")),
    )
    .unwrap();
    let mut containers = machine.containers();
    is(
        &mut containers,
        &format!("/docker/{docker}"),
        ["api", "-", "-", "nginx:1"],
    );
    is(
        &mut containers,
        &format!("/libpod-{podman}"),
        ["web", "-", "-", "localhost/bb:latest"],
    );
    let pod = format!("/kubepods/burstable/pod{uid}");
    is(
        &mut containers,
        &format!("{pod}/{cri}"),
        ["app", "api-7", "-", "app:2"],
    );
    is(
        &mut containers,
        &format!("/crio-{crio}.scope"),
        ["db", "db-0", "-", "pg:3"],
    );
    is(
        &mut containers,
        &format!("{pod}/{old}"),
        ["555555555555", "web-9", "-", "-"],
    );
    // A nested container with the id of one here is another.
    let inner = format!("/lxc.payload.evil/docker/{docker}");
    is(
        &mut containers,
        &inner,
        ["evil:111111111111", "-", "-", "-"],
    );
    is(
        &mut containers,
        &format!("/docker/{old}{pod}/{cri}"),
        [
            "555555555555:333333333333",
            &format!("555555555555:{uid}"),
            "-",
            "-",
        ],
    );
    // Nor can a nested container take another's name, or hide its pod.
    let inner = format!("/docker/{docker}/lxc.payload.web/{pod}/machine-web.scope");
    is(
        &mut containers,
        &inner,
        ["api:web", &format!("api:{uid}"), "-", "-"],
    );
    let inner = format!("{pod}/{cri}/docker/{docker}");
    is(
        &mut containers,
        &inner,
        ["app:111111111111", "api-7", "-", "-"],
    );
    is(
        &mut containers,
        "/lxc.payload.a,b",
        [r"a\x2cb", "-", "-", "-"],
    );
}

#[test]
fn each_file_is_read_once_and_again_for_the_next_listing() {
    let machine = Machine::new();
    let docker = id('1');
    let file = format!("var/lib/docker/containers/{docker}/config.v2.json");
    let path = format!("/docker/{docker}");
    machine.file(&file, r#"{"Name":"/old"}"#);
    let mut containers = machine.containers();
    is(&mut containers, &path, ["old", "-", "-", "-"]);
    machine.file(&file, r#"{"Name":"/new"}"#);
    is(&mut containers, &path, ["old", "-", "-", "-"]);
    containers = containers.forget();
    is(&mut containers, &path, ["new", "-", "-", "-"]);
    let elsewhere = Containers::new(machine.0.path().join("proc"), None).at(path.as_bytes());
    assert_eq!(
        words(&elsewhere)[0],
        "111111111111",
        "no files of this machine"
    );
}

#[test]
fn endless_and_hostile_files_are_no_trouble() {
    let machine = Machine::new();
    let [endless, lying, wrong] = ['1', '2', '3'].map(id);
    let file = |id: &str| format!("var/lib/docker/containers/{id}/config.v2.json");
    machine.file(
        &file(&lying),
        r#"{"Name":"\u001b[2J\nx","Config":{"Labels":[1],"Image":7}}"#,
    );
    machine.file(&file(&wrong), "[]");
    let place = machine.0.path().join(file(&endless));
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    symlink("/dev/zero", place).unwrap();
    let mut containers = machine.containers();
    is(
        &mut containers,
        &format!("/docker/{endless}"),
        ["111111111111", "-", "-", "-"],
    );
    is(
        &mut containers,
        &format!("/docker/{lying}"),
        ["\u{1b}[2J\nx", "-", "-", "-"],
    );
    is(
        &mut containers,
        &format!("/docker/{wrong}"),
        ["333333333333", "-", "-", "-"],
    );
}

#[test]
fn every_fact_is_told_that_an_engine_has_written() {
    let machine = Machine::new();
    let [shop, cri, inner] = ['1', '2', '3'].map(id);
    let uid = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    let labels = r#"{"com.docker.compose.project":"shop","com.docker.compose.service":"web"}"#;
    let sandbox =
        r#""io.kubernetes.cri.sandbox-name":"api-7","io.kubernetes.cri.sandbox-namespace":"prod""#;
    for (path, text) in [
        (
            "etc/docker/daemon.json",
            r#"{"data-root":"/data/docker"}"#.to_owned(),
        ),
        (
            &format!("data/docker/containers/{shop}/config.v2.json"),
            format!(r#"{{"Name":"/shop-1","Config":{{"Image":"nginx","Labels":{labels}}}}}"#),
        ),
        (
            &format!("run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/{cri}/config.json"),
            format!(r#"{{"annotations":{{"io.kubernetes.cri.container-name":"app",{sandbox}}}}}"#),
        ),
        ("var/lib/incus/containers/db", String::new()),
        (
            "run/systemd/machines/box",
            "# x\nCLASS=container\nUNIT=box.service\n".into(),
        ),
        (
            "run/systemd/machines/vm",
            "CLASS=vm\nUNIT=v.service\n".into(),
        ),
        (
            "run/runc/c1/state.json",
            r#"{"cgroup_paths":{"":"/sys/fs/cgroup/c1"}}"#.into(),
        ),
    ] {
        machine.file(path, &text);
    }
    let nspawn = "systemd-nspawn --keep-unit -M tiny -D /x";
    machine.process(
        5,
        ("systemd-nspawn", nspawn),
        "/t.service/supervisor",
        (0, false),
    );
    let shim = "containerd-shim-runc-v2 -namespace default -id redis";
    machine.process(
        6,
        ("containerd-shim", shim),
        "/containerd.service",
        (0, false),
    );
    let engine = |name: &str| format!("container={name} container_id={name}");
    let mut containers = machine.containers();
    for (path, expected) in [
        (
            format!("/docker/{shop}"),
            format!(
                "container=shop-1 container_id={shop} runtime=docker image=nginx compose_project=shop compose_service=web"
            ),
        ),
        (
            format!("/kubepods/burstable/pod{uid}/{cri}"),
            format!(
                "container=app container_id={cri} runtime=containerd pod=api-7 pod_namespace=prod pod_uid={uid}"
            ),
        ),
        (
            format!("/docker/{shop}/docker/{inner}"),
            format!(
                "container=shop-1:333333333333 container_id={shop}:{inner} runtime=docker:docker compose_project=shop compose_service=web"
            ),
        ),
        (
            "/lxc.payload.db/x".into(),
            "container=db runtime=incus".into(),
        ),
        (
            "/lxc.payload.other".into(),
            "container=other runtime=lxc".into(),
        ),
        (
            "/box.service/payload".into(),
            "container=box runtime=nspawn unit=box.service".into(),
        ),
        ("/box.service/supervisor".into(), "unit=box.service".into()),
        ("/v.service/payload".into(), "unit=v.service".into()),
        (
            "/t.service/payload/x".into(),
            "container=tiny runtime=nspawn unit=t.service".into(),
        ),
        (
            "/default/redis".into(),
            format!("{} runtime=containerd", engine("redis")),
        ),
        ("/c1/x".into(), format!("{} runtime=runc", engine("c1"))),
        ("/c2".into(), String::new()),
    ] {
        let place = containers.at(path.as_bytes());
        assert_eq!(facts(&place), expected, "{path}");
    }
}

#[test]
fn a_network_namespace_belongs_to_what_all_of_its_processes_run_in() {
    let machine = Machine::new();
    let thread = "2 (kthreadd) S 0 0 0 0 -1 2129984 0 0";
    let [web, pause] = ['1', '2'].map(id);
    let pod = "/kubepods/pod0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
    let system = (0, false);
    let add = |pid: u32, network: &str, cgroup: &str| {
        machine.process(pid, ("sh", "sh"), cgroup, system);
        machine.network(pid, network)
    };
    let host = add(2, "host", "/");
    add(3, "host", &format!("/docker/{web}"));
    let alone = add(4, "alone", &format!("/docker/{web}"));
    add(5, "alone", &format!("/docker/{web}/below"));
    let bare = add(8, "bare", "/system.slice/a.service");
    let shared = add(6, "shared", &format!("{pod}/{web}"));
    add(7, "shared", &format!("{pod}/{pause}"));
    assert_eq!(
        machine.containers().in_network(alone),
        None,
        "no thread of the kernel is seen"
    );
    machine.file("proc/2/stat", thread);
    let mut containers = machine.containers();
    for (network, expected) in [
        (host, None),
        (alone, Some(["111111111111", "-", "-", "-"])),
        (
            shared,
            Some(["-", "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9", "-", "-"]),
        ),
        (bare, Some(["-", "-", "-", "-"])),
        (0, None),
    ] {
        let found = containers.in_network(network);
        assert_eq!(
            found.as_deref().map(words),
            expected.map(|words| words.map(str::to_owned))
        );
    }
}
