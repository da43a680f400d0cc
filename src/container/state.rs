//! What engines keep about their containers in files of the machine: no daemon is asked.
//!
//! All of it is text by others. The files of a container's own root are never looked at, so that none can give
//! itself another name.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::path::{Container, Runtime};
use crate::procfs::file::read_path;

/// More than the file of one container has.
const FILE: usize = 4 * 1024 * 1024;
/// More than the list of all containers has.
const LIST: usize = 64 * 1024 * 1024;
/// So many entries of a directory are looked at.
const ENTRIES: usize = 8_192;

const DOCKER: &str = "var/lib/docker/containers";
const PODMAN: &str = "var/lib/containers/storage";
const CONTAINERD: &str = "run/containerd/io.containerd.runtime.v2.task";
const CRIO: &str = "run/containers/storage";
const POD_LOGS: &str = "var/log/pods";
/// Where containerd, runc and crun keep what they run: `ID/FILE` below, or `NAMESPACE/ID/FILE`.
const STATES: [(&str, bool, &str); 4] = [
    (CONTAINERD, true, "config.json"),
    ("run/containerd/runc", true, "state.json"),
    ("run/runc", false, "state.json"),
    ("run/crun", false, "status"),
];

/// What is known of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: Option<String>,
    pub(super) image: Option<String>,
    /// The name of its pod.
    pub(super) pod: Option<String>,
}

/// The files below a root, each read at most once.
#[derive(Debug)]
pub(super) struct State {
    root: PathBuf,
    podman: OnceCell<HashMap<String, Named>>,
    /// Ids by the paths of their cgroups.
    cgroups: OnceCell<HashMap<Vec<u8>, Vec<u8>>>,
    /// Names of pods by their UIDs.
    pods: OnceCell<HashMap<String, String>>,
    /// Ids of docker's containers by their addresses.
    addresses: OnceCell<HashMap<String, String>>,
}

impl State {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            podman: OnceCell::new(),
            cgroups: OnceCell::new(),
            pods: OnceCell::new(),
            addresses: OnceCell::new(),
        }
    }

    /// The root, below which everything is to be read anew.
    pub(super) fn into_root(self) -> PathBuf {
        self.root
    }

    /// What the files say of a container.
    pub(super) fn named(&self, container: &Container) -> Option<Named> {
        let id = str::from_utf8(&container.id).ok()?;
        if id.contains('/') || matches!(id, "." | "..") {
            return None;
        }
        match container.runtime {
            Runtime::Docker => {
                let path = Path::new(DOCKER).join(id).join("config.v2.json");
                self.json(&path).as_ref().map(docker)
            }
            Runtime::Podman => self.podman().get(id).cloned(),
            Runtime::Kubernetes | Runtime::Containerd => self.annotated(id),
            Runtime::Lxc | Runtime::Nspawn => None,
        }
    }

    fn json(&self, path: &Path) -> Option<Value> {
        parsed(&self.root.join(path), FILE)
    }

    fn podman(&self) -> &HashMap<String, Named> {
        self.podman.get_or_init(|| {
            let mut all = HashMap::new();
            for driver in entries(&self.root.join(PODMAN)) {
                if !driver.to_string_lossy().ends_with("-containers") {
                    continue;
                }
                let list = parsed(&driver.join("containers.json"), LIST);
                for one in list
                    .as_ref()
                    .and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                {
                    if let Some(id) = text(one, "/id") {
                        all.insert(id, podman(one));
                    }
                }
            }
            all
        })
    }

    /// What the annotations say that Kubernetes has written.
    fn annotated(&self, id: &str) -> Option<Named> {
        let of_containerd = entries(&self.root.join(CONTAINERD)).into_iter();
        let of_containerd = of_containerd.map(|namespace| namespace.join(id).join("config.json"));
        let of_crio = entries(&self.root.join(CRIO)).into_iter();
        let of_crio = of_crio.map(|driver| driver.join(id).join("userdata/config.json"));
        let mut files = of_containerd.chain(of_crio);
        let config = files.find_map(|path| parsed(&path, FILE))?;
        let labels = config.get("annotations")?;
        let first = |keys: &[&str]| keys.iter().find_map(|key| word(labels.get(*key)));
        Some(Named {
            name: first(&[
                "io.kubernetes.cri.container-name",
                "io.kubernetes.container.name",
                "nerdctl/name",
            ]),
            image: first(&[
                "io.kubernetes.cri.image-name",
                "io.kubernetes.cri-o.ImageName",
            ]),
            pod: first(&["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"]),
        })
    }

    /// The container whose cgroup this is, or has it in it, as runc and its like have written it down.
    pub(super) fn at(&self, path: &[u8]) -> Option<&[u8]> {
        let known = self.cgroups.get_or_init(|| self.cgroups());
        let mut path = path;
        while !path.is_empty() {
            if let Some(id) = known.get(path) {
                return Some(id);
            }
            let end = path.iter().rposition(|byte| *byte == b'/')?;
            path = path.get(..end)?;
        }
        None
    }

    fn cgroups(&self) -> HashMap<Vec<u8>, Vec<u8>> {
        let mut all = HashMap::new();
        for (place, has_namespaces, file) in STATES {
            let mut directories = vec![self.root.join(place)];
            if has_namespaces {
                directories = entries(&self.root.join(place));
            }
            for container in directories.iter().flat_map(|place| entries(place)) {
                let state = parsed(&container.join(file), FILE);
                let id = container.file_name().map(|id| id.as_bytes().to_vec());
                if let (Some(path), Some(id)) = (state.as_ref().and_then(cgroup), id) {
                    all.insert(path.into_bytes(), id);
                }
            }
        }
        all
    }

    /// The name of the pod with this UID, which its directory of logs has.
    pub(super) fn pod(&self, uid: &str) -> Option<&str> {
        let pods = self.pods.get_or_init(|| {
            let names = entries(&self.root.join(POD_LOGS)).into_iter();
            let pod = |path: PathBuf| {
                let name = path.file_name()?.to_str()?;
                let mut parts = name.split('_');
                let (_, pod, uid) = (parts.next()?, parts.next()?, parts.next()?);
                parts
                    .next()
                    .is_none()
                    .then(|| (uid.to_owned(), pod.to_owned()))
            };
            names.filter_map(pod).collect()
        });
        pods.get(uid).map(String::as_str)
    }

    /// The container of docker that has this address.
    pub(super) fn with_address(&self, address: &str) -> Option<&str> {
        let known = self.addresses.get_or_init(|| {
            let mut all = HashMap::new();
            for container in entries(&self.root.join(DOCKER)) {
                let config = parsed(&container.join("config.v2.json"), FILE);
                let networks = config
                    .as_ref()
                    .and_then(|it| it.pointer("/NetworkSettings/Networks"));
                let networks = networks.and_then(Value::as_object).into_iter().flatten();
                let id = container
                    .file_name()
                    .and_then(OsStr::to_str)
                    .unwrap_or_default();
                for (_, network) in networks {
                    for key in ["/IPAddress", "/GlobalIPv6Address"] {
                        if let Some(address) = text(network, key) {
                            all.insert(address, id.to_owned());
                        }
                    }
                }
            }
            all
        });
        known.get(address).map(String::as_str)
    }
}

fn docker(config: &Value) -> Named {
    let label = |key: &str| word(config.pointer("/Config/Labels")?.get(key));
    let name = text(config, "/Name");
    let name = name.map(|name| name.strip_prefix('/').unwrap_or(&name).to_owned());
    Named {
        name: label("io.kubernetes.container.name").or(name),
        image: text(config, "/Config/Image"),
        pod: label("io.kubernetes.pod.name"),
    }
}

fn podman(one: &Value) -> Named {
    let metadata =
        text(one, "/metadata").and_then(|json| serde_json::from_str::<Value>(&json).ok());
    Named {
        name: text(one, "/names/0"),
        image: metadata.and_then(|metadata| text(&metadata, "/image-name")),
        pod: None,
    }
}

/// The path below the cgroup2 mount that a state file tells.
fn cgroup(state: &Value) -> Option<String> {
    let of_runc = word(state.get("cgroup_paths").and_then(|paths| paths.get("")));
    let told = of_runc.or_else(|| text(state, "/cgroup-path"));
    let path = told.or_else(|| text(state, "/linux/cgroupsPath"))?;
    let mounts = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"];
    let below = mounts.iter().find_map(|mount| path.strip_prefix(mount));
    let path = below.unwrap_or(&path);
    // `SLICE:PREFIX:NAME` is no path.
    (path.starts_with('/') && path.len() > 1).then(|| path.to_owned())
}

fn text(value: &Value, pointer: &str) -> Option<String> {
    word(value.pointer(pointer))
}

fn word(value: Option<&Value>) -> Option<String> {
    let word = value?.as_str().filter(|word| !word.is_empty())?;
    Some(word.to_owned())
}

fn parsed(path: &Path, most: usize) -> Option<Value> {
    serde_json::from_slice(&read_path(path, most).ok()?).ok()
}

/// The paths of what a directory has, in an order; none of one that cannot be read.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.take(ENTRIES).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests;
