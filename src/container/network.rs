//! Processes by network namespace.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::stat;
use rustix::io::Errno;

use super::servants::is_port;
use crate::model::Place;
use crate::procfs::fd::{is_kernel_thread, processes_in};
use crate::procfs::file::read_path;

/// The common places of the processes of each network namespace.
#[derive(Debug, Default)]
pub(super) struct Networks {
    /// The processes in each namespace; `None` = not read yet.
    processes: Option<HashMap<u64, Vec<u32>>>,
    /// True if these are all processes of the machine.
    pub(super) is_whole: bool,
    common: HashMap<u64, Option<Arc<Place>>>,
}

impl Networks {
    /// The common place of all processes of a namespace, if they are in containers or pods; empty if none is. Processes
    /// that listen for a container do not count.
    pub(super) fn common(
        &mut self,
        inode: u64,
        proc: &Path,
        mut home: impl FnMut(u32) -> Option<Arc<Place>>,
    ) -> Option<Arc<Place>> {
        if self.processes.is_none() {
            self.look(proc);
        }
        let processes = self.processes.as_ref()?;
        let known = self.common.entry(inode).or_insert_with(|| {
            let mut places = Vec::new();
            for pid in processes.get(&inode)? {
                // A process that has ended has no place.
                let place = home(*pid);
                places.extend(place.filter(|place| place.is_contained() || !is_port(proc, *pid)));
            }
            if !places.iter().any(|place| place.is_contained()) {
                return Some(Arc::default());
            }
            let common = places.into_iter();
            let common = common.reduce(|all, one| Arc::new(Place::clone(&all).common(&one)));
            common.filter(|place| place.is_contained())
        });
        known.clone()
    }

    /// Groups all processes by network namespace.
    fn look(&mut self, proc: &Path) {
        let first = read_path(&proc.join("2/stat"), 1024);
        let pids = processes_in(proc);
        self.is_whole = first.is_ok_and(|first| is_kernel_thread(&first)) && pids.is_ok();
        let known = self.processes.insert(HashMap::new());
        for pid in pids.unwrap_or_default() {
            match stat(proc.join(format!("{pid}/ns/net"))) {
                Ok(network) => known.entry(network.st_ino).or_default().push(pid),
                // The process has ended.
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(_) => self.is_whole = false,
            }
        }
    }
}
