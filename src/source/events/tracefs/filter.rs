//! What of the filter the kernel can do itself, before it records.

use super::super::Watched;
use crate::model::{Family, Protocol};

/// The text for the tracepoint's `filter`: it lets pass what is watched, and perhaps more.
pub(in crate::source::events) fn kernel_filter(watched: &[Watched]) -> String {
    let parts: Vec<String> = watched.iter().filter_map(part).collect();
    parts.join(" || ")
}

fn part(watched: &Watched) -> Option<String> {
    let protocol = match watched.table.protocol {
        Protocol::Tcp => 6,
        Protocol::Mptcp => 262,
        _ => return None,
    };
    let family = match watched.table.family {
        Family::Inet => 2,
        Family::Inet6 => 10,
        _ => return None,
    };
    let mut tests = vec![
        format!("protocol == {protocol}"),
        format!("family == {family}"),
    ];
    // The first step of a connection is recorded before its port is chosen.
    let local = watched.narrow.local_port;
    tests.extend(local.map(|port| format!("(sport == {port} || sport == 0)")));
    let peer = watched.narrow.peer_port;
    tests.extend(peer.map(|port| format!("dport == {port}")));
    Some(format!("({})", tests.join(" && ")))
}
