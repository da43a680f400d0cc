//! What is said about owners that are not shown.

/// Where `hidepid` hides processes.
pub(super) const HIDEPID: &str = "processes of other users are hidden (/proc is mounted with hidepid); \
    run as root to see their sockets";
/// Where not all PID namespaces can be seen.
pub(super) const PID_NAMESPACE: &str = "processes outside this PID namespace are not visible; \
    run outside the container to see their sockets";

/// More processes than this are counted, not listed.
const MOST_LISTED: usize = 5;

/// Of processes that were named, at least one.
pub(super) fn refused_text(pids: &[u32]) -> String {
    let (processes, their) = number_of(pids.len());
    let which = if pids.len() > MOST_LISTED {
        format!("{} {processes}", pids.len())
    } else {
        let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
        format!("{processes} {}", pids.join(", "))
    };
    if rustix::process::geteuid().is_root() {
        format!("{which} not readable even by root; {their} sockets are not shown")
    } else {
        format!("{which} not readable; run as root to see {their} sockets")
    }
}

const fn number_of(processes: usize) -> (&'static str, &'static str) {
    match processes {
        1 => ("process", "its"),
        _ => ("processes", "their"),
    }
}

/// Of any processes.
pub(super) fn unreadable_text(count: usize) -> String {
    let (processes, their) = number_of(count);
    if rustix::process::geteuid().is_root() {
        let holds = if count == 1 { "it holds" } else { "they hold" };
        format!("{count} {processes} not readable even by root; which sockets {holds} is unknown")
    } else {
        format!("{count} {processes} not readable; run as root to see {their} sockets")
    }
}
