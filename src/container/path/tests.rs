#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use super::{Meaning, unescaped};

/// The id of a container.
const ID: &str = "3fa9c1d27b5e4806a1c3e5f70912b4d6e8fa0b1c2d3e4f5061728394a5b6c7d8";
/// The id of a nested container.
const IN: &str = "b0b1c2d3e4f5061728394a5b6c7d83fa9c1d27b5e4806a1c3e5f70912b4d6e8f";
const POD: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

/// Runtime and id, pod, unit; `ID`, `IN`, `POD` and `POD_` are placeholders.
type Row = (&'static str, &'static str, &'static str, &'static str);

const CONTAINERS: [Row; 48] = [
    ("/system.slice/docker-ID.scope", "docker ID", "", ""),
    ("/docker/ID", "docker ID", "", ""),
    ("/docker/ID/init", "docker ID", "", ""),
    ("/mine.slice/docker-ID.scope", "docker ID", "", ""),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
        "docker ID",
        "",
        "",
    ),
    ("/docker/ID/system.slice/nginx.service", "docker ID", "", ""),
    (
        "/system.slice/docker-ID.scope/system.slice/nginx.service",
        "docker ID",
        "",
        "",
    ),
    ("/docker/ID/docker/IN", "docker IN inner", "", ""),
    (
        "/system.slice/docker-ID.scope/docker/IN",
        "docker IN inner",
        "",
        "",
    ),
    ("/machine.slice/libpod-ID.scope", "podman ID", "", ""),
    (
        "/machine.slice/libpod-ID.scope/container",
        "podman ID",
        "",
        "",
    ),
    (
        "/machine.slice/libpod-ID.scope/container/system.slice/a.service",
        "podman ID",
        "",
        "",
    ),
    ("/libpod_parent/libpod-ID", "podman ID", "", ""),
    ("/libpod_parent/IN/libpod-ID", "podman ID", "IN", ""),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_IN.slice/libpod-ID.scope/container",
        "podman ID",
        "IN",
        "",
    ),
    ("/libpod-ID", "podman ID", "", ""),
    ("/machine.slice/libpod-payload-ID", "podman ID", "", ""),
    (
        "/system.slice/web.service/libpod-payload-ID",
        "podman ID",
        "",
        "web.service",
    ),
    (
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope/container",
        "podman ID",
        "",
        "",
    ),
    (
        "/machine.slice/machine-libpod_pod_IN.slice/libpod-ID.scope",
        "podman ID",
        "IN",
        "",
    ),
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice/cri-containerd-ID.scope",
        "containerd ID",
        "POD",
        "",
    ),
    (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-podPOD_.slice/cri-containerd-ID.scope",
        "containerd ID",
        "POD",
        "",
    ),
    (
        "/kubepods.slice/kubepods-podPOD_.slice/cri-containerd-ID.scope",
        "containerd ID",
        "POD",
        "",
    ),
    (
        "/kubepods.slice/kubepods-podPOD_.slice/crio-ID.scope",
        "cri-o ID",
        "POD",
        "",
    ),
    (
        "/kubepods.slice/kubepods-podPOD_.slice/crio-ID.scope/container",
        "cri-o ID",
        "POD",
        "",
    ),
    ("/kubepods/burstable/podPOD/crio-ID", "cri-o ID", "POD", ""),
    ("/kubepods/burstable/podPOD/ID", "kubernetes ID", "POD", ""),
    ("/kubepods/besteffort/podPOD/ID", "kubernetes ID", "POD", ""),
    ("/kubepods/podPOD/ID", "kubernetes ID", "POD", ""),
    ("/kubepods/podPOD/ID/sub", "kubernetes ID", "POD", ""),
    (
        "/kubepods/burstable/pod0123456789abcdef0123456789abcdef/ID",
        "kubernetes ID",
        "0123456789abcdef0123456789abcdef",
        "",
    ),
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice/docker-ID.scope",
        "docker ID",
        "POD",
        "",
    ),
    (
        "/system.slice/containerd.service/kubepods-burstable-podPOD_.slice:cri-containerd:ID",
        "containerd ID",
        "POD",
        "containerd.service",
    ),
    (
        "/kubepods-podPOD_.slice:cri-containerd:ID",
        "containerd ID",
        "POD",
        "",
    ),
    ("/k8s.io:cri-containerd:ID", "containerd ID", "", ""),
    (
        "/kubelet/kubepods/burstable/podPOD/ID",
        "kubernetes ID",
        "POD",
        "",
    ),
    (
        "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-podPOD_.slice/cri-containerd-ID.scope",
        "containerd ID",
        "POD",
        "",
    ),
    (
        "/docker/ID/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podPOD_.slice/cri-containerd-IN.scope",
        "containerd IN inner",
        "POD",
        "",
    ),
    (
        "/docker/ID/kubelet/kubepods/besteffort/podPOD/IN",
        "kubernetes IN inner",
        "POD",
        "",
    ),
    ("/../../podPOD/ID", "kubernetes ID", "POD", ""),
    ("/../cri-containerd-ID.scope", "containerd ID", "", ""),
    ("/system.slice/nerdctl-ID.scope", "containerd ID", "", ""),
    ("/lxc.payload.db", "lxc db", "", ""),
    (
        "/lxc.payload.db/system.slice/nginx.service",
        "lxc db",
        "",
        "",
    ),
    ("/lxc.payload/db", "lxc db", "", ""),
    ("/lxc/db/init.scope", "lxc db", "", ""),
    (
        "/lxc.payload.outer/lxc.payload.inner",
        "lxc inner inner",
        "",
        "",
    ),
    ("/lxc.payload.outer/docker/ID", "docker ID inner", "", ""),
];

const MACHINES: [Row; 7] = [
    (
        "/machine.slice/machine-db.scope/payload",
        "nspawn db",
        "",
        "machine-db.scope",
    ),
    (
        "/machine.slice/machine-my\\x2ddb.scope/payload/system.slice/nginx.service",
        "nspawn my-db",
        "",
        "machine-my\\x2ddb.scope",
    ),
    (
        "/machine.slice/systemd-nspawn@db.service/payload/init.scope",
        "nspawn db",
        "",
        "systemd-nspawn@db.service",
    ),
    (
        "/machine.slice/systemd-nspawn@my\\x2ddb.service/payload",
        "nspawn my-db",
        "",
        "systemd-nspawn@my\\x2ddb.service",
    ),
    (
        "/machine.slice/systemd-nspawn@db.service/payload/docker/ID",
        "docker ID inner",
        "",
        "systemd-nspawn@db.service",
    ),
    (
        "/machine.slice/systemd-nspawn@db.service/supervisor",
        "",
        "",
        "systemd-nspawn@db.service",
    ),
    (
        "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt/emulator",
        "",
        "",
        "machine-qemu\\x2d1\\x2dvm.scope",
    ),
];

const OTHERS: [Row; 47] = [
    ("/", "", "", ""),
    ("", "", "", ""),
    ("/init.scope", "", "", "init.scope"),
    ("/system.slice", "", "", ""),
    ("/system.slice/docker.service", "", "", "docker.service"),
    ("/system.slice/docker.socket", "", "", "docker.socket"),
    (
        "/system.slice/containerd.service",
        "",
        "",
        "containerd.service",
    ),
    ("/system.slice/crio.service", "", "", "crio.service"),
    ("/system.slice/kubelet.service", "", "", "kubelet.service"),
    ("/system.slice/lxc.service", "", "", "lxc.service"),
    ("/machine.slice/libpod-conmon-ID.scope", "", "", ""),
    ("/machine.slice/libpod-conmon-ID", "", "", ""),
    (
        "/kubepods.slice/kubepods-podPOD_.slice/crio-conmon-ID.scope",
        "",
        "POD",
        "",
    ),
    ("/kubepods.slice/kubepods-podPOD_.slice", "", "POD", ""),
    ("/kubepods/burstable/podPOD", "", "POD", ""),
    ("/lxc.monitor.db", "", "", ""),
    ("/lxc.monitor/db", "", "", ""),
    ("/lxc/lxc.monitor.db", "", "", ""),
    ("/lxc.pivot", "", "", ""),
    ("/c1", "", "", ""),
    ("/c1/nginx.service", "", "", ""),
    ("/default/redis", "", "", ""),
    ("/docker", "", "", ""),
    ("/docker/buildkit", "", "", ""),
    (
        "/docker/3FA9C1D27B5E4806A1C3E5F70912B4D6E8FA0B1C2D3E4F5061728394A5B6C7D8",
        "",
        "",
        "",
    ),
    ("/docker/ID0", "", "", ""),
    ("/docker/IDx", "", "", ""),
    ("/docker/3fa9c1d27b5e", "", "", ""),
    ("/docker-ID", "", "", ""),
    ("/xdocker-ID.scope", "", "", "xdocker-ID.scope"),
    (
        "/system.slice/docker-ID.service",
        "",
        "",
        "docker-ID.service",
    ),
    (
        "/system.slice/not-docker-ID.scope",
        "",
        "",
        "not-docker-ID.scope",
    ),
    ("/ID", "", "", ""),
    ("/system.slice/ID", "", "", ""),
    (
        "/system.slice/evil.service/nginx.service",
        "",
        "",
        "evil.service",
    ),
    (
        "/system.slice/evil.service/podPOD/ID",
        "kubernetes ID",
        "",
        "evil.service",
    ),
    (
        "/system.slice/nginx.service/worker",
        "",
        "",
        "nginx.service",
    ),
    (
        "/system.slice/system-getty.slice/getty@tty1.service",
        "",
        "",
        "getty@tty1.service",
    ),
    (
        "/system.slice/system-bar.slice/bar@3-10.0.0.1:80-10.0.0.2:4242.service",
        "",
        "",
        "bar@3-10.0.0.1:80-10.0.0.2:4242.service",
    ),
    ("/system.slice/foo.socket", "", "", "foo.socket"),
    ("/system.slice/_cgroup.service", "", "", "cgroup.service"),
    ("/system.slice/my unit.service", "", "", ""),
    (
        "/user.slice/user-1000.slice/session-4.scope",
        "",
        "",
        "session-4.scope",
    ),
    (
        "/user.slice/user-1000.slice/user@1000.service/init.scope",
        "",
        "",
        "user@1000.service",
    ),
    (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/api.service/x",
        "",
        "",
        "api.service",
    ),
    (
        "/user.slice/user-1000.slice/user@1000.service/app.slice/snap.firefox.firefox-1a2b.scope",
        "",
        "",
        "snap.firefox.firefox-1a2b.scope",
    ),
    (
        "/system.slice/snap.lxd.daemon.service",
        "",
        "",
        "snap.lxd.daemon.service",
    ),
];

fn filled(text: &str) -> String {
    let text = text.replace("POD_", &POD.replace('-', "_"));
    let text = text.replace("POD", POD);
    text.replace("ID", ID).replace("IN", IN)
}

#[test]
fn every_path_means_what_it_means_to_its_engine() {
    let rows = CONTAINERS.iter().chain(&MACHINES).chain(&OTHERS);
    for (path, container, pod, unit) in rows {
        let meaning = Meaning::of(filled(path).as_bytes());
        let inner = if meaning.inner.is_some() {
            " inner"
        } else {
            ""
        };
        let found = meaning.inner.or(meaning.container).map(|found| {
            let runtime = found.runtime.name().unwrap_or("kubernetes");
            let id = String::from_utf8(found.id.into()).unwrap();
            format!("{runtime} {id}{inner}")
        });
        let told = |unit: Box<[u8]>| String::from_utf8(unit.into()).unwrap();
        assert_eq!(
            (
                found.unwrap_or_default(),
                meaning.inner_pod.or(meaning.pod).unwrap_or_default(),
                meaning.unit.map(told).unwrap_or_default()
            ),
            (filled(container), filled(pod), filled(unit)),
            "{path}"
        );
    }
}

#[test]
fn a_unit_in_a_container_is_not_one_of_the_machine() {
    for (path, expected) in [
        ("/docker/ID/system.slice/nginx.service", "nginx.service"),
        ("/docker/ID/init.scope", "init.scope"),
        (
            "/machine.slice/libpod-ID.scope/container/system.slice/a.service/b",
            "a.service",
        ),
        (
            "/lxc.payload.db/system.slice/system-x.slice/x@1.service",
            "x@1.service",
        ),
        (
            "/machine.slice/systemd-nspawn@db.service/payload/init.scope",
            "init.scope",
        ),
        (
            "/docker/ID/user.slice/user-1.slice/user@1.service/app.slice/b.service",
            "b.service",
        ),
        ("/docker/ID/docker/IN/system.slice/c.service", "c.service"),
        ("/docker/ID/system.slice/a.service/docker/IN", ""),
        ("/docker/ID/init", ""),
        ("/docker/ID", ""),
        ("/system.slice/nginx.service/container/a.service", ""),
    ] {
        let found = Meaning::of(filled(path).as_bytes()).container_unit;
        assert_eq!(
            found.unwrap_or_default(),
            expected.as_bytes().into(),
            "{path}"
        );
    }
}

#[test]
fn a_user_owns_what_is_below_its_slice() {
    for (path, user) in [
        (
            "/user.slice/user-1000.slice/user@1000.service/x",
            Some(1000),
        ),
        ("/user.slice/user-0.slice/session-1.scope", Some(0)),
        ("/docker/x/user.slice/user-1000.slice", None),
        ("/user.slice/user-x.slice", None),
        ("/system.slice/user-1000.slice", None),
    ] {
        assert_eq!(Meaning::of(path.as_bytes()).user, user, "{path}");
    }
}

#[test]
fn bytes_of_any_kind_are_no_surprise() {
    for path in [
        &b"/\xff\xfe/docker/\xff"[..],
        b"//..//",
        b"/a\0b.service",
        br"/machine-\x.scope",
        br"/machine-\x00.scope",
        b"/:cri-containerd:",
        b"/machine-.scope",
        b"/.service",
        b"/lxc.payload.",
    ] {
        let meaning = Meaning::of(path);
        assert!(meaning.pod.is_none() && meaning.unit.is_none_or(|unit| unit.ends_with(b".scope")));
    }
    assert_eq!(unescaped(br"a\x2db\x\x2"), br"a-b\x\x2");
}
