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

    pub(super) fn add(&mut self, pid: u32) -> Option<&mut Process> {
        if self.used == self.processes.len() {
            self.processes.push(Process {
                pid,
                name: Vec::new(),
                command: Vec::new(),
                called: 0,
                uid: None,
                user: None,
                fds: Vec::new(),
            });
        }
        self.used += 1;
        self.processes.get_mut(self.used - 1)
    }
}
