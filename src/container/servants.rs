//! Processes of the machine itself that work for one container, and their children.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::stat;

use super::Containers;
use super::path::{Container, Meaning, Runtime};
use super::serving::{ARGUMENTS, Arguments, Standing};
use crate::model::{Fact, Place, Process};
use crate::procfs::file::read_path;

/// More generations than processes of a container have.
const GENERATIONS: usize = 64;

/// Listens for rootless containers, in their network namespace.
pub(super) const PORT: &[u8] = b"rootlessport";

impl Containers {
    /// The container that a process works for, such as conmon or docker-proxy, whose own `cgroup` is outside.
    pub(super) fn served(
        &mut self,
        process: &Process,
        standing: &Standing,
        own: &Place,
    ) -> Option<Arc<Place>> {
        let line = || Some(Arguments::new(process.command.as_deref()?, b' '));
        match process.name.as_deref()? {
            b"conmon" if !standing.is_inside => self.of_conmon(&line()?, standing, own),
            b"docker-proxy" if !standing.is_inside && standing.user == 0 => {
                let address = str::from_utf8(line()?.after(b"-container-ip")?).ok()?;
                let told = &self.serving().docker;
                let id = self.state.as_ref()?.with_address(address, told)?;
                let container = Container::of(Runtime::Docker, id.as_bytes());
                Some(self.of_machine(container, None, own))
            }
            b"pasta" | b"pasta.avx2" => {
                let line = line()?;
                let network = line.after(b"--netns")?;
                let held = self.proc.join(format!("{}/fd", process.pid));
                let mut held = fs::read_dir(held).ok()?.flatten();
                let held = held.find(|held| {
                    let target = fs::read_link(held.path());
                    target.is_ok_and(|target| target.as_os_str() == OsStr::from_bytes(network))
                });
                self.behind(stat(held?.path()).ok()?.st_ino)
            }
            // Its child has this name nowhere else.
            _ if process.command.as_deref()?.starts_with(PORT) && !standing.is_inside => {
                self.beside(process.pid)
            }
            _ => None,
        }
    }

    /// The container whose conmon started a process: a rootless container may have no cgroup of its own.
    pub(super) fn started(&mut self, standing: &Standing, own: &Place) -> Option<Arc<Place>> {
        let mut parent = standing.is_inside.then_some(standing.parent)?;
        for _ in 0..GENERATIONS {
            let above = Standing::read(&self.proc, parent)?;
            if !above.is_inside {
                let file =
                    |name: &str| read_path(&self.proc.join(format!("{parent}/{name}")), ARGUMENTS);
                let is_conmon = file("comm").is_ok_and(|name| name.trim_ascii_end() == b"conmon");
                let line = file("cmdline").ok().filter(|_| is_conmon)?;
                return self.of_conmon(&Arguments::new(&line, 0), &above, own);
            }
            parent = above.parent;
        }
        None
    }

    /// The container whose network namespace a process is in.
    pub(super) fn beside(&mut self, pid: u32) -> Option<Arc<Place>> {
        let network = stat(self.proc.join(format!("{pid}/ns/net")));
        self.behind(network.ok()?.st_ino)
    }

    /// The container that all processes of a network namespace share, except those that listen for it.
    fn behind(&mut self, network: u64) -> Option<Arc<Place>> {
        let (place, _) = self.in_network_as_seen(network);
        place.filter(|place| place.is_contained())
    }

    fn of_conmon(
        &mut self,
        line: &Arguments<'_>,
        conmon: &Standing,
        own: &Place,
    ) -> Option<Arc<Place>> {
        let container = Container::of(Runtime::Podman, line.after(b"-c")?);
        // What an ordinary user runs cannot claim a container of root.
        let user = Some(conmon.user).filter(|user| *user != 0);
        Some(self.of_machine(container, user, own))
    }

    fn of_machine(&mut self, container: Container, user: Option<u32>, own: &Place) -> Arc<Place> {
        let unit = own.get(Fact::Unit).map(Into::into);
        let meaning = Meaning {
            container: Some(container),
            unit,
            user,
            ..Meaning::default()
        };
        Arc::new(self.place(&meaning))
    }
}

/// True for a process of the machine itself that listens for a container in that container's network namespace.
pub(super) fn is_port(proc: &Path, pid: u32) -> bool {
    let line = read_path(&proc.join(format!("{pid}/cmdline")), ARGUMENTS);
    let is_outside = || Standing::read(proc, pid).is_some_and(|it| !it.is_inside);
    line.is_ok_and(|line| line.starts_with(PORT)) && is_outside()
}
