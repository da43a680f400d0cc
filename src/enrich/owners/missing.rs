//! Warnings about processes that cannot be read.

use std::io;

use crate::enrich::visibility::why_refused;
use crate::model::{Cause, Warning};
use crate::procfs::fd::Unreadable;
use crate::text::{counted, escape, escape_also, separates_processes};

pub(super) const HIDDEN: &str = "processes of other users are hidden (/proc is mounted with hidepid); run as root to \
                                 see their sockets";

pub(super) const OUTSIDE: &str = "processes outside this PID namespace are not visible; run outside the container to \
                                  see their sockets";

pub(super) const NO_CONTEXTS: &str =
    "processes have no security context here: no module such as SELinux gives them one";

/// More processes than this are counted, not listed.
const MOST_NAMED: usize = 5;

/// Warns of sockets made after the last scan, if there are any.
pub(super) fn too_new(count: usize) -> Option<Warning> {
    let text = match count {
        0 => return None,
        1 => "the processes of 1 new socket are unknown".to_owned(),
        _ => format!("the processes of {count} new sockets are unknown"),
    };
    Some(Warning::note(text).varying("too new"))
}

/// Warns of processes that could not be read for a reason other than privileges, if there are any.
pub(super) fn failed(unreadable: &[Unreadable]) -> Option<Warning> {
    let mut failed = unreadable.iter().filter(|one| !one.is_refused());
    let first = failed.next()?;
    let cause = Cause::from(io::Error::from(first.cause));
    let more = match failed.count() {
        0 => String::new(),
        more => format!(" and {}", counted(more, "more process")),
    };
    let pid = first.pid;
    let text = format!("cannot read the descriptors of pid {pid}{more}: {cause}");
    Some(Warning::failed(text).varying(format!("cannot read descriptors: {cause}")))
}

/// Warns of processes that could not be read for lack of privileges, if there are any. `are_chosen` = only these
/// processes were requested.
pub(super) fn refused(
    unreadable: &[Unreadable],
    are_chosen: bool,
    name: impl Fn(u32) -> Option<Vec<u8>>,
) -> Option<Warning> {
    let refused = unreadable.iter().filter(|one| one.is_refused());
    let pids: Vec<u32> = refused.map(|one| one.pid).collect();
    let their = match pids.len() {
        0 => return None,
        1 => "its",
        _ => "their",
    };
    let why = match (why_refused(), are_chosen) {
        (None, _) => format!("; run as root to see {their} sockets"),
        (Some(why), true) => format!(" {why}; {their} sockets are not shown"),
        (Some(why), false) => format!(" {why}; {their} sockets are unknown"),
    };
    let text = format!("{} not readable{why}", processes(&pids, name));
    Some(Warning::note(text).varying("processes not readable"))
}

/// `pid 1 (systemd)`, `pids 1 (systemd), 812`, `212 processes`
fn processes(pids: &[u32], name: impl Fn(u32) -> Option<Vec<u8>>) -> String {
    if pids.len() > MOST_NAMED {
        return counted(pids.len(), "process");
    }
    let each = pids.iter().map(|pid| match name(*pid) {
        Some(name) => {
            let name = escape_also(escape(&name), |c| {
                separates_processes(c) || "()".contains(c)
            });
            format!("{pid} ({name})")
        }
        None => pid.to_string(),
    });
    let each: Vec<String> = each.collect();
    let noun = if pids.len() == 1 { "pid" } else { "pids" };
    format!("{noun} {}", each.join(", "))
}
