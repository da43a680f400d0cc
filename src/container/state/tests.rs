#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::path::Path;

use super::State;

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
