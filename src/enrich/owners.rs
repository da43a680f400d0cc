//! Which processes hold a socket.

mod scratch;
mod texts;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::model::{Process, ProcessStatus, Socket};
use crate::procfs::fd::{Descriptor, Walk, walk, walk_first_threads, walk_of};

use super::births::Births;
use super::process::Details;
use super::users::Users;
use super::visibility::{Visibility, is_hiding, is_live};
use scratch::Scratch;
use texts::{HIDEPID, PID_NAMESPACE, refused_text, unreadable_text};

/// Walks over all processes per listing: the first, and two for sockets made since.
const MOST_WALKS: u8 = 3;

/// Finds the processes of sockets. Nothing is read before the first socket that can have any.
#[derive(Debug)]
pub struct Owners {
    root: PathBuf,
    sought: Sought,
    index: Option<Index>,
    walks: u8,
    /// Processes that were asked for; `None` = gone.
    details: HashMap<u32, Option<Known>>,
    found: Scratch,
    /// The last socket has no process that was found, and may have one.
    in_doubt: bool,
    /// Sockets too new for the last walk that was made, by inode.
    too_new: HashSet<u64>,
    /// Sockets whose owners may be outside of what we can see.
    out_of_sight: usize,
}

/// Whose descriptors are looked at.
#[derive(Debug)]
enum Sought {
    /// Everybody's.
    All,
    /// Everybody's, as the first thread of each shows them.
    FirstThreads,
    /// Those of these processes.
    Only(Vec<u32>),
}

/// How far a search could look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// Somebody holds a socket, of whatever kind.
    pub found: bool,
    /// There is a process, maybe one of the kernel's, whose descriptors this user may not list; or
    /// there are no processes to look at.
    pub refused: bool,
}

/// What one walk brought.
#[derive(Debug)]
struct Index {
    /// Ascending.
    descriptors: Vec<Descriptor>,
    /// Processes that could not be read, ascending.
    unreadable: Vec<u32>,
    /// The directory of some could not be opened.
    refused: bool,
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
            sought: Sought::All,
            index: None,
            walks: 0,
            details: HashMap::new(),
            found: Scratch::default(),
            in_doubt: false,
            too_new: HashSet::new(),
            out_of_sight: 0,
        }
    }

    /// Will look at these processes below `root` and at no others: who else holds a socket is not
    /// told, and what none of them holds is `Unreadable`, without a warning.
    pub fn among(root: impl Into<PathBuf>, pids: Vec<u32>) -> Self {
        Self {
            sought: Sought::Only(pids),
            ..Self::new(root)
        }
    }

    /// Will look at the first thread of every process below `root`: what only others show is nobody's.
    pub fn of_first_threads(root: impl Into<PathBuf>) -> Self {
        Self {
            sought: Sought::FirstThreads,
            ..Self::new(root)
        }
    }

    /// Looks at once, whether a socket asks for it or not.
    pub fn look(&mut self) -> Sight {
        let index = match self.index.take() {
            Some(index) => index,
            None => self.walk(),
        };
        let sight = Sight {
            found: !index.descriptors.is_empty(),
            refused: index.refused || index.failure.is_some(),
        };
        self.index = Some(index);
        sight
    }

    /// Everything found is out of date: the next listing walks again.
    pub fn forget(&mut self) {
        self.index = None;
        self.walks = 0;
        self.details.clear();
        self.found.clear();
        self.in_doubt = false;
        self.too_new.clear();
        self.out_of_sight = 0;
    }

    /// Looks for the processes of a socket, by pid, each with its descriptors ascending; they are
    /// lent until the next call.
    ///
    /// Without a process the status is `None` only if that is certain: every process could be read,
    /// and the socket was there before they were.
    pub fn of(&mut self, socket: &Socket, users: &mut Users) -> (ProcessStatus, &[Process]) {
        self.found.clear();
        self.in_doubt = false;
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

    /// Had the last socket no process, and might it have one? Of those that are looked at, that is,
    /// where they are [chosen](Self::among).
    pub const fn are_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// How many processes could not be read.
    pub fn unreadable(&self) -> usize {
        let index = self.index.as_ref();
        index.map_or(0, |index| index.unreadable.len())
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
                self.missing(&index, newer.then_some(inode))
            } else {
                ProcessStatus::Found
            };
            self.index = Some(index);
            return status;
        }
    }

    /// What it means that nobody holds a socket; its inode, if it is too new.
    fn missing(&mut self, index: &Index, newer: Option<u64>) -> ProcessStatus {
        let out_of_sight = index.visibility != Visibility::All;
        self.in_doubt = newer.is_some()
            || out_of_sight
            || !index.unreadable.is_empty()
            || index.failure.is_some();
        if matches!(self.sought, Sought::Only(_)) {
            return ProcessStatus::Unreadable;
        }
        self.too_new.extend(newer);
        self.out_of_sight += usize::from(out_of_sight);
        if self.in_doubt {
            ProcessStatus::Unreadable
        } else {
            ProcessStatus::None
        }
    }

    fn walk(&mut self) -> Index {
        self.walks += 1;
        // A number may belong to another process by now.
        self.details.clear();
        match &self.sought {
            Sought::All => Index::of(&self.root, walk),
            Sought::FirstThreads => Index::of(&self.root, walk_first_threads),
            Sought::Only(pids) => Index::among(&self.root, pids),
        }
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
            process.called = known.details.called;
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
        } else if !index.unreadable.is_empty() {
            texts.push(match self.sought {
                Sought::Only(_) => refused_text(&index.unreadable),
                _ => unreadable_text(index.unreadable.len()),
            });
        }
        if index.visibility == Visibility::PidNamespace && self.out_of_sight > 0 {
            texts.push(PID_NAMESPACE.into());
        }
        match self.too_new.len() {
            0 => {}
            1 => texts.push("1 socket is too new to tell its processes".into()),
            count => texts.push(format!(
                "{count} sockets are too new to tell their processes"
            )),
        }
        texts
    }
}

impl Index {
    fn of(root: &Path, walk: impl Fn(&Path) -> Result<Walk, Error>) -> Self {
        let live = is_live(root);
        let births = if live { Births::now() } else { Births::none() };
        let found = walk(root);
        let visibility = if live {
            Visibility::of(root)
        } else {
            Visibility::All
        };
        Self::new(found, births, visibility)
    }

    /// Of these processes alone. Out of sight are those that `hidepid` may hide.
    fn among(root: &Path, pids: &[u32]) -> Self {
        let live = is_live(root);
        let births = if live { Births::now() } else { Births::none() };
        let found = walk_of(root, pids);
        let is_absent = |pid: &u32| !root.join(pid.to_string()).exists();
        let visibility = if live && pids.iter().any(is_absent) && is_hiding(root) {
            Visibility::OwnOnly
        } else {
            Visibility::All
        };
        Self::new(found, births, visibility)
    }

    fn new(found: Result<Walk, Error>, births: Births, visibility: Visibility) -> Self {
        let (found, failure) = match found {
            Ok(found) => (found, None),
            Err(error) => (Walk::default(), Some(error)),
        };
        let (mut descriptors, mut unreadable) = (found.descriptors, found.unreadable);
        descriptors.sort_unstable();
        unreadable.sort_unstable();
        Self {
            descriptors,
            unreadable,
            refused: found.refused,
            visibility,
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

#[cfg(test)]
mod tests;
