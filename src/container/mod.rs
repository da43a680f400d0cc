//! In which container, pod and unit the processes of a socket run.
//!
//! The kernel knows no containers: a process is in a cgroup, whose path engines write in ways of their own, and
//! what a container is called stands in their files.

mod holder;
mod path;
mod serving;
mod state;

use std::cell::OnceCell;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{Place, Process};
use holder::cgroup_of;
use path::{Container, Meaning, Runtime};
use serving::{Arguments, Serving};
use state::{Named, State};

/// Digits of an id that stand for a name.
const DIGITS: usize = 12;

/// Finds places, and remembers them: each process and each path is looked at once.
#[derive(Debug)]
pub struct Containers {
    proc: PathBuf,
    /// The files of the machine; `None` = the processes are not its own.
    state: Option<State>,
    serving: OnceCell<Serving>,
    of_paths: HashMap<Vec<u8>, Arc<Place>>,
    /// `None` = it cannot be told.
    of_processes: HashMap<u32, Option<Arc<Place>>>,
}

impl Containers {
    /// Looks at processes below `proc`, and for names below `root`; `None` = there are none.
    pub fn new(proc: PathBuf, root: Option<PathBuf>) -> Self {
        Self {
            proc,
            state: root.map(State::new),
            serving: OnceCell::new(),
            of_paths: HashMap::new(),
            of_processes: HashMap::new(),
        }
    }

    /// Everything found is out of date.
    #[must_use]
    pub fn forget(self) -> Self {
        let root = self.state.map(State::into_root);
        Self::new(self.proc, root)
    }

    /// Where these processes run; `None` = of one of them it cannot be told, or there are none.
    pub fn of(&mut self, holders: &[Process]) -> Option<Arc<Place>> {
        let mut all: Option<Arc<Place>> = None;
        for holder in holders {
            let place = self.of_process(holder)?;
            all = Some(match all {
                Some(others) if others == place => others,
                Some(others) => Arc::new(Place::clone(&others).with(&place)),
                None => place,
            });
        }
        all
    }

    fn of_process(&mut self, process: &Process) -> Option<Arc<Place>> {
        if let Some(known) = self.of_processes.get(&process.pid) {
            return known.clone();
        }
        let path = cgroup_of(&self.proc, process.pid);
        let place = path.map(|path| {
            let place = self.at(&path);
            match self.served(process, &path, &place) {
                Some(served) => Arc::new(served),
                None => place,
            }
        });
        self.of_processes.insert(process.pid, place.clone());
        place
    }

    /// The pod or container that a process runs in, else its service; `None` = it runs in neither, or it cannot
    /// be told.
    pub fn name_of(&mut self, pid: u32) -> Option<Box<[u8]>> {
        let path = cgroup_of(&self.proc, pid)?;
        let place = self.at(&path);
        let service = place.unit.clone();
        let service = service.filter(|unit| unit.ends_with(b".service"));
        place
            .pod
            .clone()
            .or_else(|| place.container.clone())
            .or(service)
    }

    /// True if a process runs in a container or pod with this name, or one whose id begins so.
    pub fn runs_in(&mut self, pid: u32, word: &[u8]) -> bool {
        let Some(path) = cgroup_of(&self.proc, pid) else {
            return false;
        };
        let place = self.at(&path);
        let names = [&place.container, &place.pod];
        let has_name = names.iter().any(|name| name.as_deref() == Some(word));
        let container = Meaning::of(&path).container;
        has_name || container.is_some_and(|container| container.id.starts_with(word))
    }

    /// What the path of a cgroup stands for.
    pub fn at(&mut self, path: &[u8]) -> Arc<Place> {
        if let Some(known) = self.of_paths.get(path) {
            return Arc::clone(known);
        }
        let place = Arc::new(self.place(Meaning::of(path), path));
        self.of_paths.insert(path.to_vec(), Arc::clone(&place));
        place
    }

    fn place(&self, meaning: Meaning, path: &[u8]) -> Place {
        let container = meaning.container.or_else(|| self.plain(path));
        let is_inner = container.as_ref().is_some_and(|found| found.is_inner);
        let named = container.as_ref().map(|found| self.named(found));
        let named = named.unwrap_or_default();
        let logged = || {
            let uid = meaning.pod.as_deref()?;
            let state = self.state.as_ref().filter(|_| !is_inner);
            Some(
                state
                    .and_then(|state| state.pod(uid))
                    .unwrap_or(uid)
                    .to_owned(),
            )
        };
        let name = |name: String| clean(name.as_bytes());
        let short = || container.as_ref().map(short);
        Place {
            container: named.name.map(name).or_else(short),
            pod: named.pod.or_else(logged).map(name),
            unit: meaning.unit,
            image: named.image.map(name),
        }
    }

    /// The name that engines have written down. Of one within another container only its own engine knows it,
    /// and what that says is not believed.
    fn named(&self, container: &Container) -> Named {
        if container.is_inner {
            return Named::default();
        }
        let state = self.state.as_ref();
        let found = state.and_then(|state| state.named(container));
        let mut named = found.unwrap_or_default();
        if named.name.is_none() && container.runtime == Runtime::Podman {
            let name = self.serving().name(&container.id);
            named.name = name.map(|name| String::from_utf8_lossy(name).into_owned());
        }
        named
    }

    /// A container whose path says nothing: what runs it tells that it is one.
    fn plain(&self, path: &[u8]) -> Option<Container> {
        let state = self.state.as_ref()?;
        let id = state.at(path).or_else(|| {
            // Most paths have more in them than these two names, or less.
            let is_short = path.split(|byte| *byte == b'/').nth(2).is_some();
            let has_unit = Meaning::of(path).unit.is_some() || path.starts_with(b"/user.slice/");
            (is_short && !has_unit)
                .then(|| self.serving().task(path))
                .flatten()
        })?;
        Some(Container {
            runtime: Runtime::Containerd,
            id: id.into(),
            is_inner: false,
        })
    }

    fn serving(&self) -> &Serving {
        self.serving.get_or_init(|| Serving::new(&self.proc))
    }

    /// The container that a process of the machine works for, as conmon and docker-proxy do.
    fn served(&self, process: &Process, path: &[u8], own: &Place) -> Option<Place> {
        let name = process.name.as_deref();
        let is_conmon = name == Some(b"conmon");
        if own.container.is_some() || !is_conmon && name != Some(b"docker-proxy") {
            return None;
        }
        let arguments = Arguments::of(&self.proc, process.pid);
        let (runtime, id) = if is_conmon {
            (Runtime::Podman, arguments.after(b"-c")?)
        } else {
            let address = arguments.after(b"-container-ip")?;
            let id = self
                .state
                .as_ref()?
                .with_address(str::from_utf8(&address).ok()?)?;
            (Runtime::Docker, id.as_bytes().to_vec())
        };
        let container = Container {
            runtime,
            id: id.into(),
            is_inner: false,
        };
        // What an ordinary user runs has no claim on a container of root's.
        if process.uid != Some(0) {
            let name = arguments.after(b"-n").filter(|_| is_conmon)?;
            return Some(Place {
                container: Some(clean(&name)),
                ..own.clone()
            });
        }
        Some(Place {
            unit: own.unit.clone(),
            ..self.place(
                Meaning {
                    container: Some(container),
                    ..Meaning::default()
                },
                path,
            )
        })
    }
}

/// What stands for a name: the first digits of an id, or all of what is none.
fn short(container: &Container) -> Box<[u8]> {
    let is_id = container.id.len() == 64 && container.id.iter().all(u8::is_ascii_hexdigit);
    let end = if is_id { DIGITS } else { container.id.len() };
    clean(container.id.get(..end).unwrap_or_default())
}

/// A name in which no comma can make one look like two.
fn clean(name: &[u8]) -> Box<[u8]> {
    let parts: Vec<&[u8]> = name.split(|byte| *byte == b',').collect();
    parts.join(br"\x2c".as_slice()).into()
}

#[cfg(test)]
mod tests;
