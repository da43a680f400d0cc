//! Which processes hold a socket.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::model::{Process, ProcessStatus, Socket};
use crate::procfs::fd::{Descriptor, Walk, walk};

use super::births::Births;
use super::process::Details;
use super::users::Users;
use super::visibility::{Visibility, is_live};

/// Walks over all processes per listing: the first, and two for sockets made since.
const MOST_WALKS: u8 = 3;

/// Finds the processes of sockets. Nothing is read before the first socket that can have any.
#[derive(Debug)]
pub struct Owners {
    root: PathBuf,
    index: Option<Index>,
    walks: u8,
    /// Processes that were asked for; `None` = gone.
    details: HashMap<u32, Option<Known>>,
    found: Scratch,
    /// Sockets too new for the last walk that was made.
    too_new: usize,
    /// Sockets whose owners may be outside of what we can see.
    out_of_sight: usize,
}

/// What one walk brought.
#[derive(Debug)]
struct Index {
    /// Ascending.
    descriptors: Vec<Descriptor>,
    /// How many processes could not be read.
    unreadable: usize,
    visibility: Visibility,
    /// The moment before the walk.
    births: Births,
    /// Why there was none.
    failure: Option<Error>,
}

/// A process and the name of its user.
#[derive(Debug)]
struct Known {
    details: Details,
    user: Option<Box<str>>,
}

impl Owners {
    /// Will look below `root`: `/proc`, another procfs, or a copy of one.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            index: None,
            walks: 0,
            details: HashMap::new(),
            found: Scratch::default(),
            too_new: 0,
            out_of_sight: 0,
        }
    }

    /// Everything found is out of date: the next listing walks again.
    pub fn forget(&mut self) {
        self.index = None;
        self.walks = 0;
        self.details.clear();
        self.found.clear();
        self.too_new = 0;
        self.out_of_sight = 0;
    }

    /// Looks for the processes of a socket, by pid, each with its descriptors ascending; they are
    /// lent until the next call.
    ///
    /// Without a process the status is `None` only if that is certain: every process could be read,
    /// and the socket was there before they were.
    pub fn of(&mut self, socket: &Socket, users: &mut Users) -> (ProcessStatus, &[Process]) {
        self.found.clear();
        let status = match socket.inode {
            Some(inode) => self.look_up(inode, users),
            None => ProcessStatus::None,
        };
        (status, self.found())
    }

    /// The processes that the last call of [`Owners::of`] found.
    pub fn found(&self) -> &[Process] {
        self.found.get()
    }

    /// How many processes could not be read.
    pub fn unreadable(&self) -> usize {
        self.index.as_ref().map_or(0, |index| index.unreadable)
    }

    fn look_up(&mut self, inode: u64, users: &mut Users) -> ProcessStatus {
        loop {
            let index = match self.index.take() {
                Some(index) => index,
                None => self.walk(),
            };
            let held = index.descriptors_of(inode);
            let newer = held.is_empty() && index.births.precede(inode);
            if newer && self.walks < MOST_WALKS {
                continue;
            }
            for of_process in held.chunk_by(|a, b| a.pid == b.pid) {
                self.add(of_process, users);
            }
            let status = if self.found.get().is_empty() {
                self.missing(&index, newer)
            } else {
                ProcessStatus::Found
            };
            self.index = Some(index);
            return status;
        }
    }

    /// What it means that nobody holds a socket.
    fn missing(&mut self, index: &Index, newer: bool) -> ProcessStatus {
        self.too_new += usize::from(newer);
        let out_of_sight = index.visibility != Visibility::All;
        self.out_of_sight += usize::from(out_of_sight);
        if newer || out_of_sight || index.unreadable > 0 || index.failure.is_some() {
            ProcessStatus::Unreadable
        } else {
            ProcessStatus::None
        }
    }

    fn walk(&mut self) -> Index {
        self.walks += 1;
        // A number may belong to another process by now.
        self.details.clear();
        Index::of(&self.root)
    }

    /// Adds a process with these descriptors, unless it is gone.
    fn add(&mut self, held: &[Descriptor], users: &mut Users) {
        let Some(pid) = held.first().map(|first| first.pid) else {
            return;
        };
        let root = &self.root;
        let known = self.details.entry(pid).or_insert_with(|| {
            let details = Details::read(root, pid)?;
            let user = details.uid.map(|uid| users.name_or_digits(uid));
            Some(Known { details, user })
        });
        if let Some(known) = known
            && let Some(process) = self.found.add(pid)
        {
            process.pid = pid;
            process.name.clone_from(&known.details.name);
            process.command.clone_from(&known.details.command);
            process.uid = known.details.uid;
            match (&mut process.user, &known.user) {
                (Some(text), Some(user)) => {
                    text.clear();
                    text.push_str(user);
                }
                (text, user) => *text = user.as_deref().map(Into::into),
            }
            process.fds.clear();
            process.fds.extend(held.iter().map(|held| held.fd));
        }
    }

    /// What must be said about owners that are not shown; empty when none were asked for.
    pub fn warnings(&self) -> Vec<String> {
        let Some(index) = &self.index else {
            return Vec::new();
        };
        let mut texts = Vec::new();
        if let Some(error) = &index.failure {
            // Who is out of sight beside it makes no difference.
            return vec![error.chain()];
        }
        if index.visibility == Visibility::OwnOnly {
            texts.push(HIDEPID.into());
        } else if index.unreadable > 0 {
            texts.push(unreadable_text(index.unreadable));
        }
        if index.visibility == Visibility::PidNamespace && self.out_of_sight > 0 {
            texts.push(PID_NAMESPACE.into());
        }
        match self.too_new {
            0 => {}
            1 => texts.push("1 socket is too new to tell its processes".into()),
            count => texts.push(format!(
                "{count} sockets are too new to tell their processes"
            )),
        }
        texts
    }
}

const HIDEPID: &str = "processes of other users are hidden (/proc is mounted with hidepid); \
    run as root to see their sockets";
const PID_NAMESPACE: &str = "processes outside this PID namespace are not visible; \
    run outside the container to see their sockets";

fn unreadable_text(count: usize) -> String {
    let (processes, their) = match count {
        1 => ("process", "its"),
        _ => ("processes", "their"),
    };
    if rustix::process::geteuid().is_root() {
        format!("{count} {processes} not readable even by root; {their} sockets show ?")
    } else {
        format!("{count} {processes} not readable; run as root to see {their} sockets")
    }
}

impl Index {
    fn of(root: &Path) -> Self {
        let live = is_live(root);
        let births = if live { Births::now() } else { Births::none() };
        let (found, failure) = match walk(root) {
            Ok(found) => (found, None),
            Err(error) => (Walk::default(), Some(error)),
        };
        let mut descriptors = found.descriptors;
        descriptors.sort_unstable();
        Self {
            descriptors,
            unreadable: found.unreadable.len(),
            visibility: if live {
                Visibility::of(root)
            } else {
                Visibility::All
            },
            births,
            failure,
        }
    }

    fn descriptors_of(&self, inode: u64) -> &[Descriptor] {
        let all = &self.descriptors;
        let start = all.partition_point(|held| held.inode < inode);
        let from = all.get(start..).unwrap_or_default();
        let end = from.partition_point(|held| held.inode == inode);
        from.get(..end).unwrap_or_default()
    }
}

/// Processes that are written again and again without new memory.
#[derive(Debug, Default)]
struct Scratch {
    processes: Vec<Process>,
    used: usize,
}

impl Scratch {
    fn clear(&mut self) {
        self.used = 0;
    }

    fn get(&self) -> &[Process] {
        self.processes.get(..self.used).unwrap_or_default()
    }

    fn add(&mut self, pid: u32) -> Option<&mut Process> {
        if self.used == self.processes.len() {
            self.processes.push(Process {
                pid,
                name: Vec::new(),
                command: Vec::new(),
                uid: None,
                user: None,
                fds: Vec::new(),
            });
        }
        self.used += 1;
        self.processes.get_mut(self.used - 1)
    }
}

#[cfg(test)]
mod tests;
