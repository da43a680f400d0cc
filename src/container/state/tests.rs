#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::path::Path;

use super::State;
use crate::model::Fact;

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn what_runc_and_its_like_run_is_found_by_its_cgroup() {
    let root = tempfile::tempdir().unwrap();
    let files = [
        (
            "run/runc/c1/state.json",
            r#"{"cgroup_paths":{"":"/sys/fs/cgroup/unified/c1"}}"#,
        ),
        (
            "run/runc/c2/state.json",
            r#"{"cgroup_paths":{"":"/sys/fs/cgroup/deep/c2"}}"#,
        ),
        (
            "run/runc/top/state.json",
            r#"{"cgroup_paths":{"":"/sys/fs/cgroup"}}"#,
        ),
        ("run/runc/broken/state.json", "{"),
        ("run/crun/c3/status", r#"{"cgroup-path":"/c3"}"#),
        (
            "run/containerd/io.containerd.runtime.v2.task/default/redis/config.json",
            r#"{"linux":{"cgroupsPath":"/default/redis"}}"#,
        ),
        (
            "run/containerd/io.containerd.runtime.v2.task/moby/x/config.json",
            r#"{"linux":{"cgroupsPath":"system.slice:docker:x"}}"#,
        ),
    ];
    for (path, text) in files {
        write(root.path(), path, text);
    }
    let state = State::new(root.path().to_owned());
    for (path, id) in [
        ("/c1", Some("c1")),
        ("/c1/below", Some("c1")),
        ("/c10", None),
        ("/deep/c2", Some("c2")),
        ("/deep", None),
        ("/c3", Some("c3")),
        ("/default/redis", Some("redis")),
        ("/", None),
        ("", None),
    ] {
        let found = state.at(path.as_bytes()).map(|(id, _)| id.as_slice());
        assert_eq!(found, id.map(str::as_bytes), "{path}");
    }
}

#[test]
fn pods_of_podman_stand_in_its_databases() {
    let root = tempfile::tempdir().unwrap();
    let [infra, web, pod, other, alone] =
        ['1', '2', '3', '4', '5'].map(|one| one.to_string().repeat(64));
    let list = "var/lib/containers/storage/vfs-containers/containers.json";
    let containers = [&infra, &web, &alone].map(|id| format!(r#"{{"id":"{id}","names":["n"]}}"#));
    write(root.path(), list, &format!("[{}]", containers.join(",")));
    let lie = r#"\"id\":\"LIE\",\"name\":\"evil\""#.replace("LIE", &pod);
    for (file, text) in [
        (
            "libpod/bolt_state.db",
            format!(
                "\0config{{\"id\":\"{pod}\",\"name\":\"shop\",\"labels\":{{\"x\":\"{lie}\"}}}}\"id\":\"1"
            ),
        ),
        (
            "db.sql",
            format!(
                "{{\"spec\":0,\"id\":\"{infra}\",\"name\":\"i\",\"pod\":\"{pod}\",\"image\":1}}"
            ),
        ),
        (
            "db.sql-wal",
            format!(
                "\"id\":\"{web}\",\"name\":\"w\",\"pod\":\"{other}\"}}\"id\":\"{alone}\",\"name\":\"a\"}}"
            ),
        ),
    ] {
        write(
            root.path(),
            &format!("var/lib/containers/storage/{file}"),
            &text,
        );
    }
    let mut state = State::new(root.path().to_owned());
    for (id, name, uid) in [
        (&infra, Some("shop"), Some(&pod)),
        (&web, None, Some(&other)),
        (&alone, None, None),
    ] {
        let place = state.podman(id, None, None).unwrap();
        let facts = [Fact::Pod, Fact::PodUid].map(|fact| place.get(fact));
        let uid = uid.map(String::as_bytes);
        assert_eq!(facts, [name.map(str::as_bytes), uid], "{id}");
    }
}
