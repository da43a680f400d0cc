//! Turns sockets into rows: adds owners, services, users, interfaces, cgroups and hosts. Each lookup costs nothing
//! unless requested.

mod bound_path;
mod cgroups;
mod ethertypes;
mod hosts;
mod interfaces;
mod layers;
mod name_cache;
mod owners;
mod peers;
mod process;
mod services;
mod system_names;
#[cfg_attr(not(feature = "bpf"), path = "no_task_files.rs")]
mod task_files;
mod users;
mod visibility;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::container::Containers;
use crate::error::Error;
use crate::fields::Field;
use crate::model::{
    Fact, NameKind, Peer, Place, Process, ProcessStatus, RecordedName, Row, Socket, Stage, Warning,
};
use crate::netns::{self, Namespace, Namespaces};
use crate::procfs::fd::Walk;
use crate::procfs::moment::Moment;
use cgroups::{Cgroups, made_in};
#[cfg(feature = "cli")]
pub use hosts::{Mapped, resolve};
pub use interfaces::Interfaces;
pub use layers::Layers;
use name_cache::{LookUp, NameCache};
pub use owners::{Held, OwnerSource, ScanScope, Sight, Tasks};
use owners::{Names, Owners};
pub use peers::Connections;
use peers::OtherEnd;
pub use services::Ports;
use services::Services;
pub use system_names::{Machine, SystemNames};

/// The wanted lookups. By default only names of interfaces.
#[derive(Debug, Clone, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by itself")]
pub struct Lookups {
    /// Processes below this directory: `/proc`, another procfs, or a copy of one.
    pub owners: Option<PathBuf>,
    /// The processes considered.
    pub scope: ScanScope,
    /// How the descriptors of processes are found.
    pub owner_source: OwnerSource,
    /// The processes at the other end.
    pub peers: bool,
    /// The subflows of MPTCP connections.
    pub subflows: bool,
    /// Threads and security contexts.
    pub tasks: Tasks,
    /// Names of users.
    pub users: bool,
    /// The user whose name replaces a missing user; `None` = no name.
    pub nobody: Option<u32>,
    /// Names of ports.
    pub services: Ports,
    /// Names of interfaces.
    pub interfaces: Interfaces,
    /// Paths of cgroups.
    pub cgroups: bool,
    /// Places where processes run and sockets were made.
    pub places: Option<Places>,
    /// Whether paths of unix sockets lead to them.
    pub paths: bool,
}

/// Where to look up places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The directory of processes.
    pub proc: PathBuf,
    /// The root of the engines' files; `None` if this is another machine. The files of this machine count only while
    /// `proc` shows its processes.
    pub root: Option<PathBuf>,
}

impl Places {
    fn containers(self) -> Containers {
        let is_here = |root: &PathBuf| root.as_path() == Path::new("/");
        let root = self
            .root
            .filter(|root| !is_here(root) || visibility::is_live(&self.proc));
        Containers::new(self.proc, root)
    }
}

/// Looks up and caches what belongs to a socket.
#[derive(Debug)]
pub struct Enricher {
    owners: Option<Owners>,
    /// The result of the process search for the last socket; `None` = not made yet.
    status: Option<ProcessStatus>,
    peers: Option<Connections>,
    /// The other end of the last socket.
    peer: Option<Peer>,
    /// True if subflows are wanted.
    subflows: bool,
    /// Sockets above and below others, once read.
    layers: Option<Layers>,
    names: Names,
    nobody: Option<u32>,
    services: Services,
    /// By network namespace.
    interfaces: BTreeMap<Option<u32>, NameCache>,
    /// For namespaces without a thread there.
    interface_names: LookUp,
    cgroups: Option<Cgroups>,
    /// The place of the last socket.
    place: Option<Arc<Place>>,
    /// The place where the last socket was made.
    maker: Option<Arc<Place>>,
    /// Places of processes of this batch, by pid and cgroup.
    ran: HashMap<(u32, Option<u64>), Option<Arc<Place>>>,
    /// The inode number of this process's network namespace.
    own_network: Option<u32>,
    /// True if paths of unix sockets are checked.
    paths: bool,
    /// The result for the last socket.
    at_path: Option<bool>,
    /// The directory of processes.
    proc: PathBuf,
    /// The namespaces listed.
    namespaces: Namespaces,
    /// True if sockets may have names other than of interfaces and namespaces.
    looks_up: bool,
}

impl Enricher {
    /// Prepares lookups; reads nothing yet.
    ///
    /// # Errors
    ///
    /// When the requested source of processes cannot be used here.
    pub fn new(lookups: Lookups) -> Result<Self, Error> {
        let (scope, source) = (lookups.scope, lookups.owner_source);
        let proc = lookups.owners.clone().unwrap_or_default();
        let owners = lookups.owners.map(|root| Owners::new(root, scope, source));
        let looks_up = owners.is_some()
            || lookups.peers
            || lookups.subflows
            || lookups.users
            || lookups.services != Ports::Numbers
            || lookups.cgroups
            || lookups.places.is_some()
            || lookups.paths;
        Ok(Self {
            looks_up,
            owners: owners.transpose()?,
            status: None,
            peers: lookups.peers.then(Connections::default),
            peer: None,
            subflows: lookups.subflows,
            layers: None,
            names: Names {
                users: NameCache::new(lookups.users.then_some(users::name_of)),
                containers: lookups.places.map(Places::containers),
                tasks: lookups.tasks,
            },
            nobody: lookups.nobody,
            services: Services::new(lookups.services),
            interfaces: BTreeMap::new(),
            interface_names: match lookups.interfaces {
                Interfaces::Live => |index| Some(interfaces::name_of(index)),
                Interfaces::NumbersOnly => |index| Some(interfaces::numbered(index)),
            },
            cgroups: lookups.cgroups.then(Cgroups::default),
            place: None,
            maker: None,
            ran: HashMap::new(),
            own_network: None,
            paths: lookups.paths,
            at_path: None,
            proc,
            namespaces: Namespaces::new(),
        })
    }

    /// Sets names that were recorded with the sockets.
    pub fn use_names(&mut self, names: Vec<RecordedName>) {
        self.looks_up |= !names.is_empty();
        for one in names {
            let RecordedName { number, name, .. } = one;
            match one.kind {
                NameKind::Interface => {
                    let names = self.interfaces.entry(one.netns);
                    let names = names.or_insert_with(|| NameCache::new(Some(self.interface_names)));
                    names.set(number, &name);
                }
                NameKind::User => self.names.users.set(number, &name),
                NameKind::Cgroup => {
                    let cgroups = self.cgroups.get_or_insert_with(Cgroups::elsewhere);
                    cgroups.set(number, name);
                }
            }
        }
    }

    /// Sets the namespaces of the sockets that follow.
    pub fn use_namespaces(&mut self, namespaces: Namespaces) {
        let is_gone =
            |inode| self.namespaces.contains_key(&inode) && !namespaces.contains_key(&inode);
        self.interfaces
            .retain(|netns, _| !netns.is_some_and(is_gone));
        self.namespaces = namespaces;
    }

    /// Uses the processes that a source read to find namespaces, if owners are found the same way.
    pub fn use_walk(&mut self, walk: Option<(Moment, Walk)>) {
        if let (Some(owners), Some((began, walk))) = (&mut self.owners, walk) {
            owners.use_walk(began, walk);
        }
    }

    /// Adds a namespace that the search did not find.
    pub fn meet_namespace(&mut self, inode: u32) {
        self.namespaces.entry(inode).or_insert_with(|| {
            let name = format!("net:[{inode}]").into_bytes().into();
            (Arc::new(Namespace::recorded(name, inode)), None)
        });
    }

    /// The namespace with this name, among those of the sockets.
    pub fn namespace(&self, name: &[u8]) -> Option<Arc<Namespace>> {
        let mut known = self.namespaces.values().map(|known| &known.0);
        known.find(|known| &*known.name == name).map(Arc::clone)
    }

    /// The container of all visible processes in the namespace with this name.
    pub fn container_of(&mut self, name: &[u8]) -> Option<Arc<[u8]>> {
        let namespace = self.namespace(name).filter(|known| !known.is_hidden)?;
        let containers = self.names.containers.as_mut()?;
        let place = containers.in_network_as_seen(namespace.inode.into()).0?;
        place.get(Fact::Container).map(Into::into)
    }

    /// Looks up the name of an interface in its namespace.
    fn prepare_interface(&mut self, index: u32, netns: Option<u32>) {
        let names = self.interfaces.entry(netns);
        let names = names.or_insert_with(|| NameCache::new(Some(self.interface_names)));
        let known = netns.and_then(|netns| self.namespaces.get(&netns));
        match known {
            Some((_, Some(anchor))) => names.prepare_by(index, |index| {
                anchor.run(move || interfaces::name_of(index)).ok()
            }),
            Some((_, None)) => {
                names.prepare_by(index, |index| Some(interfaces::numbered(index)));
            }
            None => names.prepare(index),
        }
    }

    /// Looks up everything except processes, which cost more: user, interface, cgroup and services.
    pub fn prepare_names(&mut self, socket: &Socket) {
        self.status = None;
        self.place = None;
        self.peer = None;
        self.maker = None;
        if let Some(uid) = socket.uid.or(self.nobody) {
            self.names.users.prepare(uid);
        }
        if let Some(index) = socket.interface {
            self.prepare_interface(index, socket.netns);
        }
        if let (Some(cgroups), Some(id)) = (&mut self.cgroups, socket.cgroup_id) {
            cgroups.prepare(id);
            if let Some(containers) = &mut self.names.containers {
                self.maker = cgroups.found(id).map(|path| containers.at(path));
            }
        }
        let leads_here = || bound_path::leads_here(socket);
        self.at_path = self.paths.then(leads_here).flatten();
        self.services.prepare(socket);
    }

    /// Prepares to look up the processes of these sockets.
    pub fn announce(&self, inodes: &[u64]) {
        if let Some(owners) = &self.owners {
            owners.announce(inodes);
        }
    }

    /// Finds the processes of a socket.
    pub fn prepare_owners(&mut self, socket: &Socket) {
        if let Some(owners) = &mut self.owners {
            let status = owners.of(socket, &mut self.names);
            self.status = Some(status);
            self.place = owners.place();
            if self.paths && self.at_path.is_none() {
                self.at_path = bound_path::leads_there(&self.proc, socket, owners.found());
            }
            if !status.is_found() {
                self.guess_place(socket);
            }
        }
        let has_peer = Field::PeerProcesses.applies_to(socket.table());
        if let Some(peers) = self.peers.as_ref().filter(|_| has_peer) {
            let other = peers.of(socket);
            self.peer = Some(self.at_other_end(other));
        }
    }

    /// Guesses the place of the last prepared socket, which nobody is known to hold: where it was made, else the common
    /// place of its network namespace.
    pub fn guess_place(&mut self, socket: &Socket) {
        let (Some(containers), Some(_)) = (&mut self.names.containers, &self.cgroups) else {
            return;
        };
        self.place = self.maker.clone().or_else(|| {
            let own = || netns::here().map(|here| here.inode);
            let own = self.own_network.or_else(own);
            self.own_network = own;
            containers.in_network(socket.netns.or(own)?)
        });
    }

    /// Where a process ran when it was in this cgroup, even if it has left since; `None` = not requested, or unknown.
    pub fn place_of(&mut self, process: &Process, cgroup_id: Option<u64>) -> Option<Arc<Place>> {
        let containers = self.names.containers.as_mut()?;
        let ran = self.ran.entry((process.pid, cgroup_id));
        let place = ran.or_insert_with(|| {
            let cgroups = self.cgroups.as_mut();
            let path = cgroups.zip(cgroup_id).and_then(|(of, id)| of.found(id));
            containers.of_past(process, path)
        });
        place.clone()
    }

    /// Where a process runs; `None` = not requested, or unknown.
    pub fn place_of_pid(&mut self, pid: u32) -> Option<Arc<Place>> {
        let described = process::read(&self.proc, pid, true)?;
        let containers = self.names.containers.as_mut()?;
        containers.of(&described.process, &described.cgroup?, &described.status)
    }

    /// The holders of the socket at the other end.
    fn at_other_end(&mut self, other: OtherEnd) -> Peer {
        let (end, owners) = match (other, &mut self.owners) {
            (OtherEnd::Socket(end), Some(owners)) => (end, owners),
            (OtherEnd::Nothing, _) => return Peer::absent(true),
            _ => return Peer::absent(false),
        };
        let known = end.netns.and_then(|netns| self.namespaces.get(&netns));
        let netns = known.map(|(namespace, _)| Arc::clone(&namespace.name));
        let Some(inode) = end.inode else {
            return Peer {
                netns,
                ..Peer::absent(!end.lacks_inode)
            };
        };
        Peer {
            netns,
            ..owners.of_other(inode, end.uid, &mut self.names)
        }
    }

    /// True if connections must be read to find the other end of this socket.
    pub fn lacks_connections(&self, socket: &Socket) -> bool {
        let peers = self.peers.as_ref();
        peers.is_some_and(|peers| peers.lack(socket))
    }

    /// Sets the connections that were read.
    pub fn use_connections(&mut self, connections: Connections) {
        if let Some(peers) = &mut self.peers {
            *peers = connections.after(peers);
        }
    }

    /// Adds the name of its user to a process.
    pub fn with_user(&mut self, mut process: Process) -> Process {
        process.user = process.uid.map(|uid| self.names.users.name_or_digits(uid));
        process
    }

    /// True if the last prepared socket may have a process that was not found.
    pub fn doubts_owners(&self) -> bool {
        self.status.is_some() && self.owners.as_ref().is_some_and(|o| o.in_doubt)
    }

    /// True if its other end may have one.
    pub fn doubts_peer(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.is_in_doubt)
    }

    /// Reads processes now instead of with the first socket, if they are requested.
    pub fn look_for_owners(&mut self) -> Option<Sight> {
        self.owners.as_mut().map(Owners::look)
    }

    /// Every descriptor of the processes considered, if any are requested.
    pub fn held(&mut self) -> Option<Held> {
        self.owners.as_mut().map(Owners::held)
    }

    /// True if the row of a socket needs no lookup.
    pub const fn knows(&self, socket: &Socket) -> bool {
        !self.looks_up && socket.interface.is_none() && socket.netns.is_none()
    }

    /// The row of the last prepared socket; without processes until [`Enricher::prepare_owners`] has found them. (For
    /// another socket that was prepared before, everything except processes is right.)
    pub fn row<'a>(&'a self, socket: &'a Socket) -> Row<'a> {
        let protocol = socket.protocol;
        let cgroups = self.cgroups.as_ref();
        let told = |status: ProcessStatus| !status.is_unknown();
        let owners = self.owners.as_ref();
        let cgroup = cgroups.and_then(|cgroups| cgroups.path(socket.cgroup_id?));
        let containers = self.names.containers.as_ref();
        Row {
            interface: socket
                .interface
                .and_then(|index| self.interfaces.get(&socket.netns)?.name(index)),
            user: socket
                .uid
                .or(self.nobody)
                .and_then(|uid| self.names.users.name(uid)),
            cgroup,
            made_in: containers
                .and(cgroup)
                .map(|cgroup| made_in(self.maker.as_deref(), cgroup)),
            netns: socket
                .netns
                .and_then(|netns| Some(&*self.namespaces.get(&netns)?.0.name)),
            netns_inode: socket.netns.filter(|netns| {
                let known = self.namespaces.get(netns);
                !known.is_some_and(|(known, _)| known.is_hidden)
            }),
            at_path: self.at_path,
            stage: Stage::Owners,
            is_owner_in_doubt: self.doubts_owners(),
            processes: owners
                .filter(|_| self.status.is_some_and(told))
                .map(Owners::found),
            process_status: self.status,
            place: self.place.as_deref(),
            peer: self.peer.as_ref(),
            subflows: self.layers.as_ref().and_then(|of| of.subflows(socket)),
            local_service: self.services.name(protocol, socket.local.port),
            peer_service: self.services.name(protocol, socket.peer.port),
            ..Row::bare(socket)
        }
    }

    /// Begins another listing: processes, interfaces and cgroups may have changed; names of users and services are
    /// kept.
    pub fn next_listing(&mut self) {
        self.owners = self.owners.take().map(Owners::forget);
        self.status = None;
        self.peers = self.peers.is_some().then(Connections::default);
        self.peer = None;
        self.layers = None;
        self.names.containers = self.names.containers.take().map(Containers::forget);
        if let Some(cgroups) = &mut self.cgroups {
            cgroups.forget();
        }
        self.interfaces.clear();
    }

    /// Begins another batch of events: cgroups and containers may be new. Known ones are kept.
    pub fn next_batch(&mut self) {
        self.ran.clear();
        if let Some(cgroups) = &mut self.cgroups {
            cgroups.next_batch();
        }
        if let Some(containers) = &mut self.names.containers {
            containers.next_batch();
        }
    }

    /// Warnings about missing names.
    pub fn warnings(&self) -> Vec<Warning> {
        let owners = self.owners.as_ref();
        owners.map_or_else(Vec::new, |owners| owners.warnings(self.names.tasks))
    }
}

#[cfg(test)]
mod tests;
