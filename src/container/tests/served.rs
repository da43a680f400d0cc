//! Processes that work for a container, and processes that only pretend to.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Machine, id, words};

/// A machine with the files of root's engines and of a user's.
fn served() -> Machine {
    let machine = Machine::new();
    let [podman, docker, rootless, moved] = ['1', '2', '4', '5'].map(id);
    let list = "vfs-containers/containers.json";
    let named = |id: &str, name: &str| {
        format!(r#"{{"id":"{id}","names":["{name}"],"metadata":"{{\"image-name\":\"i\"}}"}}"#)
    };
    for (path, text) in [
        (
            format!("var/lib/docker/containers/{docker}/config.v2.json"),
            r#"{"Name":"/api","Config":{"Image":"i"},"NetworkSettings":{"Networks":{"b":{"IPAddress":"172.17.0.2"}}}}"#.to_owned(),
        ),
        (
            format!("var/lib/containers/storage/{list}"),
            format!("[{}]", named(&podman, "web")),
        ),
        (
            "etc/passwd".to_owned(),
            "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n".to_owned(),
        ),
        (
            format!("home/ann/.local/share/containers/storage/{list}"),
            format!("[{},{}]", named(&rootless, "blog"), named(&podman, "evil")),
        ),
        (
            format!("data/{list}"),
            format!("[{}]", named(&moved, "moved")),
        ),
    ] {
        machine.file(&path, &text);
    }
    machine
}

fn conmon(id: &str, name: &str) -> String {
    let bundle = format!("/data/vfs-containers/{id}/userdata");
    format!("/usr/bin/conmon --api-version 1 -c {id} -b {bundle} -n {name} --exit")
}

const PROXY: &str =
    "docker-proxy -proto tcp -host-port 80 -container-ip 172.17.0.2 -container-port 80";
const OF_ANN: &str = "/user.slice/user-1000.slice/user@1000.service/user.slice";

/// Process, cgroup, user and whether in another PID namespace; then container, unit and image.
type Runs<'a> = ((&'a str, &'a str), String, (u32, bool), [&'a str; 3]);

fn are(machine: &Machine, all: &[Runs<'_>]) {
    let mut processes = Vec::new();
    for (place, (runs, cgroup, user, expected)) in all.iter().enumerate() {
        let pid = u32::try_from(place).unwrap() + 5;
        processes.push((machine.process(pid, *runs, cgroup, *user), expected));
    }
    let mut containers = machine.containers();
    for (process, [container, unit, image]) in processes {
        let place = machine.place(&mut containers, &process);
        let expected = [*container, "-", unit, image];
        assert_eq!(words(&place), expected, "{process:?}");
    }
}

#[test]
fn who_works_for_a_container_names_it() {
    let [podman, rootless, moved, own] = ['1', '4', '5', '6'].map(id);
    let [root, ann] = [(0, false), (1000, false)];
    let contained = (100_000, true);
    let unit = "libpod-conmon-x.scope";
    let docker = "/system.slice/docker.service".to_owned();
    let of_ann = format!("{OF_ANN}/libpod-{rootless}.scope/container");
    let conmon_of = |id: &str| conmon(id, "old");
    let [first, second, third] = [&podman, &own, &moved].map(|id| conmon_of(id));
    are(
        &served(),
        &[
            (
                ("conmon", &first),
                format!("/machine.slice/{unit}"),
                root,
                ["web", unit, "i"],
            ),
            (
                ("docker-proxy", PROXY),
                docker,
                root,
                ["api", "docker.service", "i"],
            ),
            (
                ("conmon", &second),
                "/user.slice/x".into(),
                ann,
                ["old", "-", "-"],
            ),
            (("conmon", &third), "/x".into(), root, ["moved", "-", "i"]),
            (
                ("sh", "sh"),
                format!("/libpod-{moved}"),
                (0, true),
                ["moved", "-", "i"],
            ),
            (("sh", "sh"), of_ann, contained, ["blog", "-", "i"]),
        ],
    );
}

#[test]
fn nothing_names_what_is_not_its_own() {
    let [podman, other, moved, own] = ['1', '3', '5', '7'].map(id);
    let lie = conmon(&podman, "evil");
    let later = conmon(&own, "evil");
    let inside = (0, true);
    are(
        &served(),
        &[
            (
                ("conmon", &lie),
                format!("/docker/{other}"),
                (0, false),
                ["333333333333", "-", "-"],
            ),
            // Neither a user's files or processes name root's containers, nor root's a user's.
            (
                ("sh", "sh"),
                format!("/libpod-{podman}"),
                inside,
                ["web", "-", "i"],
            ),
            (
                ("sh", "sh"),
                format!("{OF_ANN}/libpod-{moved}.scope"),
                inside,
                ["555555555555", "-", "-"],
            ),
            // Impostors in something that does not look like a container.
            (("conmon", &later), "/c1".into(), inside, ["-", "-", "-"]),
            (
                ("docker-proxy", PROXY),
                "/c1".into(),
                inside,
                ["-", "-", "-"],
            ),
            (
                ("sh", "sh"),
                format!("/libpod-{own}"),
                inside,
                ["777777777777", "-", "-"],
            ),
        ],
    );
}

#[test]
fn what_listens_for_a_container_without_root_is_named_after_it() {
    let machine = served();
    let [rootless, pod] = ['4', '8'].map(id);
    let ann = (1000, false);
    let process = |pid, runs, user| machine.process(pid, runs, "/", user);
    let conmon = conmon(&rootless, "old");
    process(5, ("conmon", &conmon), ann);
    // A process that conmon started without a cgroup of its own, and its child.
    let web = process(6, ("httpd", "httpd"), (1000, true));
    let worker = process(7, ("httpd", "httpd"), (100_033, true));
    machine.below(6, 5);
    machine.below(7, 6);
    let port = process(8, ("rootlessport", "rootlessport"), ann);
    process(9, ("exe", "rootlessport-child"), ann);
    let network = machine.0.path().join("web");
    let pasta = format!("pasta -t 1-1:2-2 --netns {}", network.display());
    let pasta = process(10, ("pasta.avx2", &pasta), (1000, true));
    machine.below(10, 1);
    for pid in [6, 7, 8, 9] {
        machine.network(pid, "web");
    }
    for pid in [5, 10, 11, 12, 13] {
        machine.network(pid, "host");
    }
    let held = machine.0.path().join("proc/10/fd");
    fs::create_dir(&held).unwrap();
    symlink(network, held.join("6")).unwrap();
    // Impostors: in the machine's network namespace, below another process, in another PID namespace.
    let false_port = process(11, ("rootlessport", "rootlessport"), ann);
    let orphan = process(12, ("httpd", "httpd"), (1000, true));
    machine.below(12, 8);
    let inner_port = process(13, ("rootlessport", "rootlessport"), (1000, true));
    machine.below(13, 12);
    let pod_port = process(14, ("rootlessport", "rootlessport"), ann);
    machine.network(14, "pod");
    machine.process(15, ("sh", "sh"), &format!("/libpod-{pod}"), (0, true));
    machine.network(15, "pod");
    let mut containers = machine.containers();
    for (process, expected) in [
        (&web, ["blog", "i"]),
        (&worker, ["blog", "i"]),
        (&port, ["blog", "i"]),
        (&pasta, ["blog", "i"]),
        (&false_port, ["-", "-"]),
        (&orphan, ["-", "-"]),
        (&inner_port, ["-", "-"]),
        (&pod_port, ["888888888888", "-"]),
    ] {
        let place = machine.place(&mut containers, process);
        let [container, _, _, image] = words(&place);
        assert_eq!([&*container, &*image], expected, "{process:?}");
    }
    let called = containers.name_of(8, b"rootlessport");
    assert_eq!(called.as_deref(), Some(b"blog".as_slice()));
    assert!(containers.runs_in(7, b"blog") && !containers.runs_in(5, b"blog"));
}
