#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Containers;
use crate::model::{Place, Process};

fn id(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A machine: its files, and its processes below `proc`.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, path: &str, text: &str) {
        write(self.0.path(), path, text);
    }

    fn process(&self, pid: u32, name: &str, cgroup: &str, arguments: &str) -> Process {
        self.file(&format!("proc/{pid}/cgroup"), &format!("0::{cgroup}\n"));
        self.file(&format!("proc/{pid}/comm"), &format!("{name}\n"));
        self.file(
            &format!("proc/{pid}/cmdline"),
            &arguments.replace(' ', "\0"),
        );
        Process {
            pid,
            name: Some(name.into()),
            uid: Some(0),
            ..Process::default()
        }
    }

    fn containers(&self) -> Containers {
        let root = self.0.path().to_owned();
        Containers::new(root.join("proc"), Some(root))
    }
}

/// Container, pod, unit and image.
fn words(place: &Place) -> [String; 4] {
    [&place.container, &place.pod, &place.unit, &place.image].map(|part| {
        let bytes = part.as_deref().unwrap_or(b"-");
        String::from_utf8_lossy(bytes).into_owned()
    })
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
        ["db", "db-0", &format!("crio-{crio}.scope"), "pg:3"],
    );
    is(
        &mut containers,
        &format!("{pod}/{old}"),
        ["555555555555", "web-9", "-", "-"],
    );
    // What runs within another container is not what has this id here.
    let inner = format!("/lxc.payload.evil/docker/{docker}");
    is(&mut containers, &inner, ["111111111111", "-", "-", "-"]);
    is(
        &mut containers,
        &format!("/docker/{old}{pod}/{cri}"),
        ["333333333333", uid, "-", "-"],
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
fn holders_in_several_places_are_all_told() {
    let machine = Machine::new();
    let holders = [
        machine.process(1, "systemd", "/init.scope", "init"),
        machine.process(8, "a", "/system.slice/foo.service", "a"),
        machine.process(9, "a", "/system.slice/foo.service", "a"),
        machine.process(10, "b", &format!("/docker/{}", id('7')), "b"),
    ];
    let mut containers = machine.containers();
    let of = |containers: &mut Containers, holders: &[Process]| containers.of(holders);
    let both = of(&mut containers, &holders[1..3]).unwrap();
    assert_eq!(words(&both), ["-", "-", "foo.service", "-"]);
    let all = of(&mut containers, &holders).unwrap();
    assert_eq!(
        words(&all),
        ["777777777777", "-", "init.scope,foo.service", "-"]
    );
    assert_eq!(of(&mut containers, &[]), None);
    let gone = Process {
        pid: 11,
        ..Process::default()
    };
    assert_eq!(of(&mut containers, &[holders[1].clone(), gone]), None);
}

#[test]
fn who_works_for_a_container_names_it() {
    let machine = Machine::new();
    let [podman, docker] = ['1', '2'].map(id);
    machine.file(
        &format!("var/lib/docker/containers/{docker}/config.v2.json"),
        r#"{"Name":"/api","Config":{"Image":"i"},"NetworkSettings":{"Networks":{"b":{"IPAddress":"172.17.0.2"}}}}"#,
    );
    machine.file(
        "var/lib/containers/storage/vfs-containers/containers.json",
        &format!(r#"[{{"id":"{podman}","names":["web"]}}]"#),
    );
    let conmon = |name: &str| format!("/usr/bin/conmon -c {podman} -n {name} --exit");
    let line = "docker-proxy -proto tcp -host-port 80 -container-ip 172.17.0.2 -container-port 80";
    let of_root = machine.process(
        5,
        "conmon",
        "/machine.slice/libpod-conmon-x.scope",
        &conmon("renamed"),
    );
    let proxy = machine.process(6, "docker-proxy", "/system.slice/docker.service", line);
    let mut of_user = machine.process(7, "conmon", "/user.slice/x", &conmon("mine"));
    of_user.uid = Some(1000);
    let path = format!("/docker/{}", id('3'));
    let inside = machine.process(8, "conmon", &path, &conmon("evil"));
    let mut containers = machine.containers();
    for (process, expected) in [
        (of_root, ["web", "-", "libpod-conmon-x.scope", "-"]),
        (proxy, ["api", "-", "docker.service", "i"]),
        (of_user, ["mine", "-", "-", "-"]),
        (inside, ["333333333333", "-", "-", "-"]),
    ] {
        let place = containers.of(&[process]).unwrap();
        assert_eq!(words(&place), expected);
    }
}
