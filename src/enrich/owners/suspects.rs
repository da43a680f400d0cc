//! Who else may hold a socket that some process holds, of those that could not be read.
//!
//! Any process may have been handed any socket, so that strictly no list of owners is complete unless
//! every process could be read. Counted are those that have a socket the usual ways: whoever made it, and
//! who inherited it.

use std::collections::HashMap;
use std::path::Path;

use super::scanner::FdScan;
use crate::enrich::process::users_of;
use crate::enrich::visibility::Visibility;

/// The first process of a PID namespace, which adopts orphans: that it is the parent says nothing.
const INIT: u32 = 1;

/// A process that is known to hold a socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kin {
    pub(super) pid: u32,
    pub(super) parent: Option<u32>,
    pub(super) uid: Option<u32>,
}

/// The users of processes that could not be read, as far as they were asked for; `None` = not told.
#[derive(Debug, Default)]
pub(super) struct Suspects(HashMap<u32, Option<[u32; 4]>>);

impl Suspects {
    /// May one that could not be read hold a socket of this user, beside these that do?
    ///
    /// One that runs as the user who made the socket, if none of these does; the parent of one of these,
    /// if it runs as that user; a child of one of these.
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

    /// May this process run as this user?
    fn may_be(&mut self, pid: u32, uid: Option<u32>, root: &Path) -> bool {
        let users = self.0.entry(pid).or_insert_with(|| users_of(root, pid));
        let is_user = |uid| users.is_none_or(|users| users.contains(&uid));
        uid.is_none_or(is_user)
    }
}
