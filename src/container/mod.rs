//! Container, pod and unit of the processes of a socket.
//!
//! The kernel does not know containers. A process is in a cgroup, whose path each engine forms in its own way; the
//! names of containers are in the engines' files.

mod holder;
mod json;
mod network;
mod path;
mod servants;
mod serving;
mod state;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Fact, Place, Process};
use crate::procfs::file::read_path;
use holder::{SHORT, cgroup_of, chosen};
use network::Networks;
use path::{Container, Meaning, Runtime, unit_within};
use servants::PORT;
use serving::{Serving, Standing};
use state::State;

/// Limit of paths kept while cgroups come and go.
const MOST_PLACES: usize = 16_384;

/// Finds places and caches them by cgroup path.
#[derive(Debug)]
pub struct Containers {
    proc: PathBuf,
    /// The machine's files; `None` if the processes are of another machine.
    state: Option<State>,
    serving: OnceCell<Serving>,
    networks: Networks,
    places: HashMap<Vec<u8>, Arc<Place>>,
    /// True if cached files may be outdated for a new path.
    is_old: bool,
}

impl Containers {
    /// Reads processes below `proc`, and the files of engines below `root`; `None` = there are none.
    pub fn new(proc: PathBuf, root: Option<PathBuf>) -> Self {
        Self {
            proc,
            state: root.map(State::new),
            serving: OnceCell::new(),
            networks: Networks::default(),
            places: HashMap::new(),
            is_old: false,
        }
    }

    /// Forgets everything.
    #[must_use]
    pub fn forget(self) -> Self {
        let root = self.state.map(State::into_root);
        Self::new(self.proc, root)
    }

    /// Where a process runs, by its `cgroup` and `status` in `/proc`; `status` shows whether it is a process of the
    /// machine itself, which may work for a container. `None` if unknown.
    pub fn of(&mut self, process: &Process, cgroup: &[u8], status: &[u8]) -> Option<Arc<Place>> {
        let place = self.at(&chosen(cgroup)?);
        if place.is_contained() {
            return Some(place);
        }
        let other = Standing::of(status).and_then(|standing| {
            let started = self.started(&standing, &place);
            started.or_else(|| self.served(process, &standing, &place))
        });
        Some(other.unwrap_or(place))
    }

    /// Begins another batch: known paths stay, and for a new path all files are read again.
    pub fn next_batch(&mut self) {
        self.is_old = true;
    }

    /// Where a process ran when its cgroup had this path, even if it has left since; `None` if unknown.
    pub fn of_past(&mut self, process: &Process, path: Option<&[u8]>) -> Option<Arc<Place>> {
        let place = path.map(|path| self.at(path));
        if place.as_ref().is_some_and(|place| place.is_contained()) {
            return place;
        }
        // A process still there may work for a container. Without cgroup2, only its current place is known.
        let file = |name| {
            let path = self.proc.join(format!("{}/{name}", process.pid));
            read_path(&path, SHORT).ok()
        };
        let is_there = |lines: &Vec<u8>| {
            let mut lines = lines.split(|byte| *byte == b'\n');
            path.is_none_or(|path| lines.any(|line| line.strip_prefix(b"0::") == Some(path)))
        };
        let now = file("cgroup").filter(is_there).zip(file("status"));
        now.and_then(|(cgroup, status)| self.of(process, &cgroup, &status))
            .or(place)
    }

    /// Where a process runs, regardless of the container that it works for; `None` if unknown.
    fn home(&mut self, pid: u32) -> Option<Arc<Place>> {
        let place = self.at(&cgroup_of(&self.proc, pid)?);
        if place.is_contained() {
            return Some(place);
        }
        let started = Standing::read(&self.proc, pid).and_then(|it| self.started(&it, &place));
        Some(started.unwrap_or(place))
    }

    /// The name of a network namespace after a process in it: its pod, container or service. `None` if it has none of
    /// these, or it is unknown.
    pub fn name_of(&mut self, pid: u32, comm: &[u8]) -> Option<Box<[u8]>> {
        let mut place = self.home(pid)?;
        if comm == PORT {
            place = self.beside(pid).unwrap_or(place);
        }
        let service = place.get(Fact::Unit);
        let service = service.filter(|unit| unit.ends_with(b".service"));
        let contained = place.get(Fact::Pod).or(place.get(Fact::Container));
        contained.or(service).map(Into::into)
    }

    /// True if a process runs in a container or pod with this name, or with an id that begins so.
    pub fn runs_in(&mut self, pid: u32, word: &[u8]) -> bool {
        let Some(place) = self.home(pid) else {
            return false;
        };
        let names = [Fact::Container, Fact::Pod];
        let has_name = names.iter().any(|name| place.get(*name) == Some(word));
        let id = place.get(Fact::ContainerId);
        // Nested containers do not count.
        let id = id.filter(|id| !id.contains(&b':'));
        has_name || id.is_some_and(|id| id.starts_with(word))
    }

    /// The common place of all processes of a network namespace, if they are in containers or pods; empty if none is.
    /// `None` if only some are, or it is unknown.
    pub fn in_network(&mut self, inode: u32) -> Option<Arc<Place>> {
        self.state.as_ref()?;
        let (common, is_whole) = self.in_network_as_seen(inode.into());
        common.filter(|_| is_whole)
    }

    /// As [`Self::in_network`], for the visible processes only, and whether these are all.
    pub fn in_network_as_seen(&mut self, inode: u64) -> (Option<Arc<Place>>, bool) {
        let mut networks = std::mem::take(&mut self.networks);
        let found = networks.common(inode, &self.proc.clone(), |pid| self.home(pid));
        let is_whole = networks.is_whole;
        self.networks = networks;
        (found, is_whole)
    }

    /// The place that a cgroup path stands for.
    pub fn at(&mut self, path: &[u8]) -> Arc<Place> {
        if let Some(known) = self.places.get(path) {
            return Arc::clone(known);
        }
        if std::mem::take(&mut self.is_old) {
            let root = self.state.take().map(State::into_root);
            let mut places = std::mem::take(&mut self.places);
            if places.len() >= MOST_PLACES {
                places.clear();
            }
            *self = Self {
                places,
                ..Self::new(std::mem::take(&mut self.proc), root)
            };
        }
        let mut meaning = Meaning::of(path);
        if meaning.container.is_none() {
            self.find_plain(path, &mut meaning);
        }
        let place = Arc::new(self.place(&meaning));
        self.places.insert(path.to_vec(), Arc::clone(&place));
        place
    }

    fn place(&mut self, meaning: &Meaning) -> Place {
        let mut place = Place::default();
        if let Some(container) = &meaning.container {
            place = self.named(container, meaning.user).unwrap_or_default();
            place.add(Fact::Container, Some(container.short()));
            place.add(Fact::Runtime, container.runtime.name());
            place.add(Fact::ContainerId, container.whole());
        }
        if let Some(uid) = &meaning.pod {
            let state = self.state.as_ref();
            if let Some((namespace, name)) = state.and_then(|state| state.pod(uid)) {
                place.add(Fact::Pod, Some(name));
                place.add(Fact::PodNamespace, Some(namespace));
            }
            place.add(Fact::Pod, Some(uid));
            place.add(Fact::PodUid, Some(uid));
        }
        let outer = place.get(Fact::Container).map(Box::<[u8]>::from);
        // A nested container's path is only what the outer one claims; it never names another container of the machine.
        if let Some(inner) = &meaning.inner {
            place.nest(Fact::Container, Some(inner.short()));
            place.nest(Fact::Runtime, inner.runtime.name());
            place.nest(Fact::ContainerId, inner.whole());
            place.remove(Fact::Image);
        }
        if let Some(uid) = &meaning.inner_pod {
            for fact in [Fact::Pod, Fact::PodUid] {
                place.add(fact, outer.as_ref());
                place.nest(fact, Some(uid));
            }
        }
        place.add(Fact::Unit, meaning.unit.as_ref());
        place.add(Fact::ContainerUnit, meaning.container_unit.as_ref());
        place
    }

    /// The facts in the engines' files.
    fn named(&mut self, container: &Container, user: Option<u32>) -> Option<Place> {
        let state = self.state.as_mut()?;
        let serving = || self.serving.get_or_init(|| Serving::new(&self.proc));
        let id = str::from_utf8(&container.id).ok()?;
        if id.contains('/') || matches!(id, "." | "..") {
            return None;
        }
        match container.runtime {
            Runtime::Docker => {
                let known = state.docker(id, user, &[]);
                known.or_else(|| state.docker(id, user, &serving().docker))
            }
            Runtime::Podman => {
                let known = state.podman(id, user, None);
                known.or_else(|| {
                    let conmon = serving().conmon(&container.id, user)?;
                    let known = state.podman(id, user, conmon.store.as_deref());
                    let mut place = known.unwrap_or_default();
                    place.add(Fact::Container, conmon.name.as_ref());
                    Some(place)
                })
            }
            Runtime::Kubernetes => state.annotated(id).or_else(|| state.docker(id, None, &[])),
            Runtime::Containerd | Runtime::CriO => state.annotated(id),
            Runtime::Lxc => {
                let mut place = Place::default();
                place.add(Fact::Runtime, state.keeper(&container.id));
                Some(place)
            }
            Runtime::Runc | Runtime::Crun | Runtime::Nspawn => None,
        }
    }

    /// Finds a container whose path does not show it, in the data of its runtime.
    fn find_plain(&self, path: &[u8], meaning: &mut Meaning) {
        let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').collect();
        let unit = meaning.unit.as_deref();
        let machine = || {
            let state = self.state.as_ref()?;
            let machine = unit.and_then(|unit| state.machine(unit));
            let machine = machine.filter(|_| !path.ends_with(b"/supervisor"));
            let payload = parts.iter().position(|part| *part == b"payload");
            let machine = machine.or_else(|| payload.and_then(|_| self.serving().machine(path)))?;
            let within = payload.and_then(|place| parts.get(place..));
            Some((Container::of(Runtime::Nspawn, machine), within))
        };
        let Some(state) = &self.state else { return };
        if let Some((id, runtime)) = state.at(path) {
            meaning.container = Some(Container::of(*runtime, id));
        } else if let Some((machine, within)) = machine() {
            meaning.container = Some(machine);
            meaning.container_unit = within.and_then(unit_within);
        } else if unit.is_none() && parts.len() >= 3 && !path.starts_with(b"/user.slice/") {
            // Most paths have more or fewer parts than namespace and id.
            let task = self.serving().task(path);
            meaning.container = task.map(|task| Container::of(Runtime::Containerd, task));
        }
    }

    fn serving(&self) -> &Serving {
        self.serving.get_or_init(|| Serving::new(&self.proc))
    }
}

#[cfg(all(test, feature = "containers"))]
mod tests;
