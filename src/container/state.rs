//! Reads the files in which engines keep their containers; no daemon is asked.
//!
//! All their text is untrusted. Files in a container's own root are never read, so no container can rename itself;
//! the files of a user count only for that user's part of the cgroup tree.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::json::{self, Value};
use super::path::{Runtime, is_id};
use crate::model::{Fact, Place};
use crate::procfs::file::read_path;

/// More than the file of one container.
const FILE: usize = 4 * 1024 * 1024;
/// More than the list of all containers.
const LIST: usize = 64 * 1024 * 1024;
/// Limit of directory entries read.
const ENTRIES: usize = 8_192;

/// Docker's default data directories.
const DOCKER: [&str; 2] = ["var/lib/docker", "var/snap/docker/common/var-lib-docker"];
const PODMAN: &str = "var/lib/containers/storage";
/// Data directories of docker and podman in a user's home.
const HOME: [&str; 2] = [".local/share/docker", ".local/share/containers/storage"];
/// Podman's databases of pods, beside its stores.
const PODS: [&str; 3] = ["libpod/bolt_state.db", "db.sql", "db.sql-wal"];
const ID: &[u8] = br#""id":""#;
const CONTAINERD: [&str; 4] = [
    "run/containerd/io.containerd.runtime.v2.task",
    "run/docker/containerd/daemon/io.containerd.runtime.v2.task",
    "run/k3s/containerd/io.containerd.runtime.v2.task",
    "var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
];
const CRIO: &str = "run/containers/storage";
const POD_LOGS: &str = "var/log/pods";
const MACHINES: &str = "run/systemd/machines";
/// Other managers of LXC containers, with their directories.
const LXC: [(&str, &str); 3] = [
    ("var/lib/incus/containers", "incus"),
    ("var/snap/lxd/common/lxd/containers", "lxd"),
    ("var/lib/lxd/containers", "lxd"),
];
/// State directories of containerd, runc and crun: `ID/FILE` below, or `NAMESPACE/ID/FILE`.
const STATES: [(&str, bool, &str, Runtime); 4] = [
    (CONTAINERD[0], true, "config.json", Runtime::Containerd),
    (
        "run/containerd/runc",
        true,
        "state.json",
        Runtime::Containerd,
    ),
    ("run/runc", false, "state.json", Runtime::Runc),
    ("run/crun", false, "status", Runtime::Crun),
];

/// The id of a container, and its runtime.
pub(super) type Plain = (Vec<u8>, Runtime);

/// The files below a root, each read at most once.
#[derive(Debug)]
pub(super) struct State {
    root: PathBuf,
    /// Podman's containers, by directory and id.
    podman: HashMap<PathBuf, HashMap<String, Place>>,
    /// Containers by cgroup path.
    cgroups: OnceCell<HashMap<Vec<u8>, Plain>>,
    /// Namespaces and names of pods by UID.
    pods: OnceCell<HashMap<String, (String, String)>>,
    /// Ids of docker containers by address; `None` = ambiguous.
    addresses: OnceCell<HashMap<String, Option<String>>>,
    /// Names of machines by unit.
    machines: OnceCell<HashMap<Vec<u8>, Vec<u8>>>,
}

impl State {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            podman: HashMap::new(),
            cgroups: OnceCell::new(),
            pods: OnceCell::new(),
            addresses: OnceCell::new(),
            machines: OnceCell::new(),
        }
    }

    /// The root, to read everything again.
    pub(super) fn into_root(self) -> PathBuf {
        self.root
    }

    /// A path of the machine, below the root.
    fn below(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    fn home(&self, user: u32, path: &str) -> Option<PathBuf> {
        let users = read_path(&self.root.join("etc/passwd"), FILE).ok()?;
        let of_user = |line: &[u8]| {
            let fields: Vec<&[u8]> = line.split(|byte| *byte == b':').collect();
            let [_, _, uid, _, _, home, ..] = *fields else {
                return None;
            };
            (uid == user.to_string().as_bytes()).then(|| OsStr::from_bytes(home).to_owned())
        };
        let home = users.split(|byte| *byte == b'\n').find_map(of_user)?;
        Some(self.below(Path::new(&home)).join(path))
    }

    /// The facts about a docker container; `user` = whose it is, `None` = root's.
    pub(super) fn docker(&self, id: &str, user: Option<u32>, told: &[PathBuf]) -> Option<Place> {
        let roots: Vec<PathBuf> = match user {
            Some(user) => self.home(user, HOME[0]).into_iter().collect(),
            None => self.docker_roots(told),
        };
        let file = |root: PathBuf| {
            parsed(
                &root.join("containers").join(id).join("config.v2.json"),
                FILE,
            )
        };
        roots.into_iter().find_map(file).as_ref().map(docker)
    }

    fn docker_roots(&self, told: &[PathBuf]) -> Vec<PathBuf> {
        let set = parsed(&self.root.join("etc/docker/daemon.json"), FILE);
        let set = set
            .and_then(|set| text(&set, "/data-root"))
            .map(PathBuf::from);
        let usual = DOCKER.iter().map(PathBuf::from);
        let mut roots: Vec<PathBuf> = told
            .iter()
            .cloned()
            .chain(set)
            .chain(usual)
            .map(|root| self.below(&root))
            .collect();
        // With user namespaces, docker uses `UID.GID` below.
        let is_mapped = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().as_bytes();
            name.first().is_some_and(u8::is_ascii_digit) && name.contains(&b'.')
        };
        let mapped: Vec<PathBuf> = roots
            .iter()
            .flat_map(|root| entries(root))
            .filter(is_mapped)
            .collect();
        roots.extend(mapped);
        roots
    }

    /// As [`Self::docker`], for podman. `store` is the directory on conmon's command line.
    pub(super) fn podman(
        &mut self,
        id: &str,
        user: Option<u32>,
        store: Option<&Path>,
    ) -> Option<Place> {
        let storage = match user {
            Some(user) => self.home(user, HOME[1])?,
            None => self.root.join(PODMAN),
        };
        let stores = entries(&storage).into_iter();
        let stores = stores.filter(|store| store.as_os_str().as_bytes().ends_with(b"-containers"));
        let told = store.map(|store| self.below(store));
        for store in told.into_iter().chain(stores) {
            let list = self
                .podman
                .entry(store)
                .or_insert_with_key(|store| podman(store));
            if let Some(place) = list.get(id) {
                return Some(place.clone());
            }
        }
        None
    }

    /// The facts in the annotations of Kubernetes.
    pub(super) fn annotated(&self, id: &str) -> Option<Place> {
        let of_containerd = CONTAINERD
            .iter()
            .flat_map(|tasks| entries(&self.root.join(tasks)));
        let of_containerd =
            of_containerd.map(|namespace| (namespace.join(id).join("config.json"), "containerd"));
        let of_crio = entries(&self.root.join(CRIO)).into_iter();
        let of_crio = of_crio.map(|driver| (driver.join(id).join("userdata/config.json"), "cri-o"));
        let mut files = of_containerd.chain(of_crio);
        let (config, runtime) =
            files.find_map(|(path, runtime)| Some((parsed(&path, FILE)?, runtime)))?;
        let labels = config.get("annotations");
        let first = |keys: [&str; 2]| {
            let label = |key: &&str| word(labels?.get(*key));
            keys.iter().find_map(label)
        };
        let mut place = Place::default();
        place.add(Fact::Runtime, Some(runtime));
        for (fact, keys) in [
            (
                Fact::Container,
                [
                    "io.kubernetes.cri.container-name",
                    "io.kubernetes.container.name",
                ],
            ),
            (Fact::Container, ["nerdctl/name", ""]),
            (
                Fact::Image,
                [
                    "io.kubernetes.cri.image-name",
                    "io.kubernetes.cri-o.ImageName",
                ],
            ),
            (
                Fact::Pod,
                ["io.kubernetes.cri.sandbox-name", "io.kubernetes.pod.name"],
            ),
            (
                Fact::PodNamespace,
                [
                    "io.kubernetes.cri.sandbox-namespace",
                    "io.kubernetes.pod.namespace",
                ],
            ),
            (
                Fact::PodUid,
                ["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"],
            ),
        ] {
            place.add(fact, first(keys));
        }
        Some(place)
    }

    /// The manager of an LXC container.
    pub(super) fn keeper(&self, name: &[u8]) -> Option<&'static str> {
        let has = |place: &str| {
            self.root
                .join(place)
                .join(OsStr::from_bytes(name))
                .symlink_metadata()
                .is_ok()
        };
        let keeper = LXC.iter().find(|(place, _)| has(place));
        keeper.map(|(_, keeper)| *keeper)
    }

    /// The container with this cgroup, or with one above it, from the state files of runc and others.
    pub(super) fn at(&self, path: &[u8]) -> Option<&Plain> {
        let known = self.cgroups.get_or_init(|| self.cgroups());
        let mut path = path;
        while !path.is_empty() {
            if let Some(plain) = known.get(path) {
                return Some(plain);
            }
            let end = path.iter().rposition(|byte| *byte == b'/')?;
            path = path.get(..end)?;
        }
        None
    }

    fn cgroups(&self) -> HashMap<Vec<u8>, Plain> {
        let mut all = HashMap::new();
        for (place, has_namespaces, file, runtime) in STATES {
            let mut directories = vec![self.root.join(place)];
            if has_namespaces {
                directories = entries(&self.root.join(place));
            }
            for container in directories.iter().flat_map(|place| entries(place)) {
                let state = parsed(&container.join(file), FILE);
                let id = container.file_name().map(|id| id.as_bytes().to_vec());
                if let (Some(path), Some(id)) = (state.as_ref().and_then(cgroup), id) {
                    all.entry(path.into_bytes()).or_insert((id, runtime));
                }
            }
        }
        all
    }

    /// The machine that systemd has registered for a unit.
    pub(super) fn machine(&self, unit: &[u8]) -> Option<&[u8]> {
        let machines = self.machines.get_or_init(|| {
            let files = entries(&self.root.join(MACHINES)).into_iter();
            let machine = |path: PathBuf| {
                let lines = read_path(&path, FILE).ok()?;
                let value = |key: &[u8]| {
                    let mut lines = lines.split(|byte| *byte == b'\n');
                    lines.find_map(|line| line.strip_prefix(key))
                };
                // Other classes are virtual machines.
                value(b"CLASS=").filter(|class| *class == b"container")?;
                let name = path.file_name()?.as_bytes().to_vec();
                Some((value(b"UNIT=")?.to_vec(), name))
            };
            // Symbolic links lead from units to machines: `unit:NAME`.
            files
                .filter(|path| !path.is_symlink())
                .filter_map(machine)
                .collect()
        });
        machines.get(unit).map(Vec::as_slice)
    }

    /// Namespace and name of a pod, from the name of its log directory.
    pub(super) fn pod(&self, uid: &str) -> Option<&(String, String)> {
        let pods = self.pods.get_or_init(|| {
            let names = entries(&self.root.join(POD_LOGS)).into_iter();
            let pod = |path: PathBuf| {
                let name = path.file_name()?.to_str()?;
                let parts: Vec<&str> = name.split('_').collect();
                let [namespace, pod, uid] = *parts else {
                    return None;
                };
                Some((uid.to_owned(), (namespace.to_owned(), pod.to_owned())))
            };
            names.filter_map(pod).collect()
        });
        pods.get(uid)
    }

    /// The docker container with this address.
    pub(super) fn with_address(&self, address: &str, told: &[PathBuf]) -> Option<&str> {
        let known = self.addresses.get_or_init(|| {
            let mut all = HashMap::new();
            let containers = self.docker_roots(told).into_iter();
            for container in containers.flat_map(|root| entries(&root.join("containers"))) {
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
                            // Two containers with the same address cannot be distinguished.
                            let known = all.entry(address).or_insert_with(|| Some(id.to_owned()));
                            *known = known.take().filter(|known| known == id);
                        }
                    }
                }
            }
            all
        });
        known.get(address)?.as_deref()
    }
}

fn docker(config: &Value) -> Place {
    let labels = config.pointer("/Config/Labels");
    let label = |key: &str| word(labels?.get(key));
    let name = text(config, "/Name");
    let name = name.map(|name| name.strip_prefix('/').unwrap_or(&name).to_owned());
    let mut place = Place::default();
    for (fact, found) in [
        (Fact::Container, label("io.kubernetes.container.name")),
        (Fact::Container, name),
        (Fact::Runtime, Some("docker".to_owned())),
        (Fact::Image, text(config, "/Config/Image")),
        (Fact::ComposeProject, label("com.docker.compose.project")),
        (Fact::ComposeService, label("com.docker.compose.service")),
        (Fact::Pod, label("io.kubernetes.pod.name")),
        (Fact::PodNamespace, label("io.kubernetes.pod.namespace")),
        (Fact::PodUid, label("io.kubernetes.pod.uid")),
    ] {
        place.add(fact, found);
    }
    place
}

fn podman(store: &Path) -> HashMap<String, Place> {
    let list = parsed(&store.join("containers.json"), LIST);
    let list = list.as_ref().and_then(Value::as_array);
    let pods = Pods::of(store);
    let one = |one: &Value| {
        let metadata = text(one, "/metadata");
        let metadata = metadata.and_then(|text| json::parsed(text.as_bytes()));
        let id = text(one, "/id")?;
        let mut place = Place::default();
        place.add(Fact::Container, text(one, "/names/0"));
        place.add(
            Fact::Image,
            metadata.and_then(|metadata| text(&metadata, "/image-name")),
        );
        let pod = pods.of_container.get(&id);
        place.add(Fact::Pod, pod.and_then(|pod| pods.names.get(pod)));
        place.add(Fact::PodUid, pod);
        Some((id, place))
    };
    list.into_iter().flatten().filter_map(one).collect()
}

/// Podman's pods, which are only in its database.
///
/// Both the bolt and the `SQLite` database contain the JSON text of each container and pod literally:
/// `"id":"ID","name":"NAME"`, then `,"pod":"ID"`. Inside other JSON strings quotes are escaped. Outdated records do no
/// harm: a pod keeps its name, and a container its pod.
#[derive(Debug, Default)]
struct Pods {
    /// Names of containers and pods by id.
    names: HashMap<String, String>,
    of_container: HashMap<String, String>,
}

impl Pods {
    /// The pods in the databases beside a store.
    fn of(store: &Path) -> Self {
        let mut pods = Self::default();
        let storage = store.parent().unwrap_or(store);
        for file in PODS {
            let data = read_path(&storage.join(file), LIST).unwrap_or_default();
            pods.take(&data);
        }
        pods
    }

    fn take(&mut self, data: &[u8]) {
        let found = data.windows(ID.len()).enumerate();
        for (place, _) in found.filter(|(_, part)| *part == ID) {
            let rest = data.get(place + ID.len()..).unwrap_or_default();
            let mut texts = rest.split(|byte| *byte == b'"').step_by(2);
            let mut next = || str::from_utf8(texts.next()?).ok();
            if let (Some(id), Some("name"), Some(name)) = (next(), next(), next())
                && is_id(id.as_bytes())
            {
                self.names.insert(id.to_owned(), name.to_owned());
                if let (Some("pod"), Some(pod)) = (next(), next()) {
                    self.of_container.insert(id.to_owned(), pod.to_owned());
                }
            }
        }
    }
}

/// The path in a state file, below the cgroup2 mount.
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
    json::parsed(&read_path(path, most).ok()?)
}

/// The sorted paths in a directory; none if it cannot be read.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.take(ENTRIES).map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

#[cfg(all(test, feature = "containers"))]
mod tests;
