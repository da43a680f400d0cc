//! Unreadable processes that may also hold a socket.
//!
//! Any process may have been handed any socket, so strictly a list of owners is complete only if every process was
//! read. Counted are those that may have it in the usual ways: its maker, and those who inherited it.

use std::collections::HashMap;
use std::path::Path;

use super::scanner::FdScan;
use crate::enrich::process::users_of;
use crate::enrich::visibility::Visibility;

/// The first process of a PID namespace. It adopts orphans, so being the parent means nothing.
const INIT: u32 = 1;

/// A known holder of a socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kin {
    pub(super) pid: u32,
    pub(super) parent: Option<u32>,
    pub(super) uid: Option<u32>,
}

/// The users of unreadable processes, cached; `None` = unknown.
#[derive(Debug, Default)]
pub(super) struct Suspects(HashMap<u32, Option<[u32; 4]>>);

impl Suspects {
    /// True if an unreadable process may hold a socket of this user, in addition to `holders`.
    ///
    /// Such a process runs as the socket's user if no holder does, is the parent of a holder and runs as that user, or
    /// is a child of a holder.
    pub(super) fn may_hold(
        &mut self,
        scan: &FdScan,
        uid: Option<u32>,
        holders: &[Kin],
        root: &Path,
    ) -> bool {
        let unreadable = &scan.unreadable;
        if unreadable.is_empty() && scan.visibility == Visibility::All {
            return false;
        }
        let any = |is_such: &dyn Fn(&Kin) -> bool| holders.iter().any(is_such);
        let is_maker_shown = uid.is_none() || any(&|kin| kin.uid == uid || kin.uid.is_none());
        if !is_maker_shown && scan.visibility != Visibility::All {
            return true;
        }
        unreadable.iter().any(|suspect| {
            let child = || any(&|kin| suspect.parent == Some(kin.pid));
            let parent = || suspect.pid != INIT && any(&|kin| kin.parent == Some(suspect.pid));
            !suspect.is_refused()
                || child()
                || ((!is_maker_shown || parent()) && self.may_be(suspect.pid, uid, root))
        })
    }

    /// True if this process may run as this user.
    fn may_be(&mut self, pid: u32, uid: Option<u32>, root: &Path) -> bool {
        let users = self.0.entry(pid).or_insert_with(|| users_of(root, pid));
        let is_user = |uid| users.is_none_or(|users| users.contains(&uid));
        uid.is_none_or(is_user)
    }
}
