//! Room for the processes of one socket.

use crate::model::Process;

/// Processes that are written again and again without new memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    processes: Vec<Process>,
    used: usize,
}

impl Scratch {
    pub(super) fn clear(&mut self) {
        self.used = 0;
    }

    pub(super) fn get(&self) -> &[Process] {
        self.processes.get(..self.used).unwrap_or_default()
    }

    /// Adds a process with these descriptors.
    pub(super) fn add(&mut self, process: &Process, fds: impl Iterator<Item = u32>) {
        if self.used == self.processes.len() {
            self.processes.push(Process::default());
        }
        if let Some(copy) = self.processes.get_mut(self.used) {
            copy.pid = process.pid;
            copy.name.clone_from(&process.name);
            copy.command.clone_from(&process.command);
            copy.called = process.called;
            copy.uid = process.uid;
            copy.user.clone_from(&process.user);
            copy.fds.clear();
            copy.fds.extend(fds);
            self.used += 1;
        }
    }
}
