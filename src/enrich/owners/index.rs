//! What one look at the descriptors of processes brought.

use std::path::Path;

use super::finder::Sought;
use super::held::Held;
use crate::enrich::births::Births;
use crate::enrich::bpf::TaskFiles;
use crate::enrich::process::now;
use crate::enrich::visibility::{Visibility, is_hiding, is_live};
use crate::error::Error;
use crate::model::Cause;
use crate::procfs::fd::{Descriptor, Walk, walk, walk_first_threads, walk_of, walk_rest};

/// Descriptors by inode, and how much they say.
#[derive(Debug)]
pub(super) struct Index {
    held: Held,
    /// Processes that could not be read, ascending.
    pub(super) unreadable: Vec<u32>,
    /// The directory of some could not be opened.
    pub(super) refused: bool,
    pub(super) visibility: Visibility,
    /// The moment before the look,
    pub(super) births: Births,
    /// which is this, in ticks.
    pub(super) began: u64,
    /// Why there was none.
    pub(super) failure: Option<Cause>,
}

impl Index {
    /// What a walk through `root` finds. Of processes that are named, the ones that `hidepid` may hide
    /// are out of sight.
    pub(super) fn walked(root: &Path, sought: &Sought) -> Self {
        let live = is_live(root);
        let blank = Self::blank(live);
        let found = match sought {
            Sought::All => walk(root),
            Sought::FirstThreads => walk_first_threads(root),
            Sought::Only(pids) => walk_of(root, pids),
        };
        let is_absent = |pid: &u32| !root.join(pid.to_string()).exists();
        let visibility = match sought {
            _ if !live => Visibility::All,
            Sought::All | Sought::FirstThreads => Visibility::of(root),
            Sought::Only(pids) if pids.iter().any(is_absent) && is_hiding(root) => {
                Visibility::OwnOnly
            }
            Sought::Only(_) => Visibility::All,
        };
        match found {
            Ok(found) => Self {
                visibility,
                ..blank.with(found)
            },
            Err(error) => Self {
                visibility,
                failure: Some(error.into()),
                ..blank
            },
        }
    }

    /// What the kernel's iterator tells, of these processes alone if some are named. It sees them
    /// all, so `root` must show them all, too.
    pub(super) fn told(root: &Path, iterator: &TaskFiles, sought: &Sought) -> Result<Self, Error> {
        let blank = Self::blank(true);
        let mut found = walk_rest(root, || iterator.run())?;
        if let Sought::Only(pids) = sought {
            found.descriptors.retain(|held| pids.contains(&held.pid));
            found.unreadable.retain(|pid| pids.contains(pid));
        }
        Ok(blank.with(found))
    }

    /// Nothing can be told.
    pub(super) fn failed(error: Error) -> Self {
        Self {
            failure: Some(error.into()),
            ..Self::blank(true)
        }
    }

    /// Of this moment, with nothing in it.
    fn blank(live: bool) -> Self {
        Self {
            held: Held::new(Vec::new()),
            unreadable: Vec::new(),
            refused: false,
            visibility: Visibility::All,
            births: if live { Births::now() } else { Births::none() },
            began: now(),
            failure: None,
        }
    }

    fn with(self, found: Walk) -> Self {
        let mut unreadable = found.unreadable;
        unreadable.sort_unstable();
        Self {
            held: Held::new(found.descriptors),
            unreadable,
            refused: found.refused,
            ..self
        }
    }

    /// Was nobody found to hold a socket?
    pub(super) const fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Who holds the socket with this inode, by process and number.
    pub(super) fn descriptors_of(&self, inode: u64) -> &[Descriptor] {
        self.held.of(inode)
    }
}
