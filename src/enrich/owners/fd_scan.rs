//! What one look at the descriptors of processes brought.

use std::path::Path;

use super::fd_index::FdIndex;
use crate::enrich::inode_counters::InodeCounters;
use crate::enrich::process::now;
use crate::enrich::task_files::TaskFiles;
use crate::enrich::visibility::{Visibility, is_hiding, is_live};
use crate::error::Error;
use crate::model::Cause;
use crate::procfs::fd::{Walk, walk, walk_first_threads, walk_of, walk_rest};

/// Whose descriptors are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ScanScope {
    /// Everybody's.
    #[default]
    All,
    /// Everybody's, as the first thread of each shows them; the kernel's iterator cannot tell that.
    FirstThreads,
    /// Those of these processes; who else holds a socket is not told.
    Only(Vec<u32>),
}

/// Descriptors by inode, and how much they say.
#[derive(Debug)]
pub(super) struct FdScan {
    pub(super) index: FdIndex,
    /// Processes that could not be read, ascending.
    pub(super) unreadable: Vec<u32>,
    /// The directory of some could not be opened.
    pub(super) refused: bool,
    pub(super) visibility: Visibility,
    /// The moment before the look,
    pub(super) counters: InodeCounters,
    /// which is this, in ticks.
    pub(super) began: u64,
    /// Why there was none.
    pub(super) failure: Option<Cause>,
}

impl FdScan {
    /// What a walk through `root` finds. Of processes that are named, the ones that `hidepid` may hide
    /// are out of sight.
    pub(super) fn walked(root: &Path, scope: &ScanScope) -> Self {
        let live = is_live(root);
        let mut scan = Self::blank(live);
        let found = match scope {
            ScanScope::All => walk(root),
            ScanScope::FirstThreads => walk_first_threads(root),
            ScanScope::Only(pids) => walk_of(root, pids),
        };
        match found {
            Ok(found) => scan.add(found),
            Err(error) => scan.failure = Some(error.into()),
        }
        let is_absent = |pid: &u32| !root.join(pid.to_string()).exists();
        scan.visibility = match scope {
            _ if !live => Visibility::All,
            ScanScope::All | ScanScope::FirstThreads => Visibility::of(root),
            ScanScope::Only(pids) if pids.iter().any(is_absent) && is_hiding(root) => {
                Visibility::OwnOnly
            }
            ScanScope::Only(_) => Visibility::All,
        };
        scan
    }

    /// What the kernel's iterator tells, of these processes alone if some are named. It sees them
    /// all, so `root` must show them all, too.
    pub(super) fn told(
        root: &Path,
        iterator: &TaskFiles,
        scope: &ScanScope,
    ) -> Result<Self, Error> {
        let mut scan = Self::blank(true);
        let mut found = walk_rest(root, || iterator.run())?;
        if let ScanScope::Only(pids) = scope {
            found.descriptors.retain(|held| pids.contains(&held.pid));
            found.unreadable.retain(|pid| pids.contains(pid));
        }
        scan.add(found);
        Ok(scan)
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
            index: FdIndex::new(Vec::new()),
            unreadable: Vec::new(),
            refused: false,
            visibility: Visibility::All,
            counters: if live {
                InodeCounters::now()
            } else {
                InodeCounters::none()
            },
            began: now(),
            failure: None,
        }
    }

    fn add(&mut self, found: Walk) {
        self.index = FdIndex::new(found.descriptors);
        self.unreadable = found.unreadable;
        self.unreadable.sort_unstable();
        self.refused = found.refused;
    }
}
