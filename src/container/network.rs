//! The processes of network namespaces.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::stat;
use rustix::io::Errno;

use super::holder::cgroup_of;
use crate::model::Place;
use crate::procfs::fd::{is_kernel_thread, processes_in};
use crate::procfs::file::read_path;

/// What the processes of network namespaces have in common.
#[derive(Debug, Default)]
pub(super) struct Networks {
    /// Those that live there; `None` = not looked yet. Empty if it cannot be told of all.
    processes: Option<HashMap<u32, Vec<u32>>>,
    common: HashMap<u32, Option<Arc<Place>>>,
}

impl Networks {
    /// What all processes there have in common, if they are in containers or pods; nothing if none is.
    pub(super) fn common(
        &mut self,
        inode: u32,
        proc: &Path,
        mut at: impl FnMut(&[u8]) -> Arc<Place>,
    ) -> Option<Arc<Place>> {
        let processes = self
            .processes
            .get_or_insert_with(|| by_network(proc).unwrap_or_default());
        let known = self.common.entry(inode).or_insert_with(|| {
            let cgroups = processes
                .get(&inode)?
                .iter()
                .filter_map(|pid| cgroup_of(proc, *pid));
            // Threads of the kernel are in no cgroup but the first.
            let places: Vec<Arc<Place>> = cgroups.map(|cgroup| at(&cgroup)).collect();
            if !places.iter().any(|place| place.is_contained()) {
                return Some(Arc::default());
            }
            let common = places.into_iter();
            let common = common.reduce(|all, one| Arc::new(Place::clone(&all).common(&one)));
            common.filter(|place| place.is_contained())
        });
        known.clone()
    }
}

/// Every process by its network namespace; `None` = it cannot be told of one, or there are others that are not
/// seen here.
fn by_network(proc: &Path) -> Option<HashMap<u32, Vec<u32>>> {
    let first = read_path(&proc.join("2/stat"), 1024).ok()?;
    if !is_kernel_thread(&first) {
        return None;
    }
    let mut all: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in processes_in(proc).ok()? {
        match stat(proc.join(format!("{pid}/ns/net"))) {
            Ok(network) => all
                .entry(network.st_ino.try_into().ok()?)
                .or_default()
                .push(pid),
            // It has ended.
            Err(Errno::NOENT | Errno::SRCH) => {}
            Err(_) => return None,
        }
    }
    Some(all)
}
