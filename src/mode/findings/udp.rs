//! Datagrams that are not read in time.

use crate::model::{Counts, Finding, Kind, Protocol, Socket, StateSet};
use crate::source::Extensions;

use super::finding;
use super::limits::{sysctl, udp_without_room};
use super::look::{Look, Looker};
use super::who::groups;

/// How many the socket has dropped.
fn drops(socket: &Socket) -> u64 {
    let drops = socket.memory().and_then(|memory| memory.drops);
    drops.map(u64::from).unwrap_or_default()
}

fn drops_many(socket: &Socket) -> bool {
    Kind::UdpDrops.severity(drops(socket)).is_some()
}

pub(super) fn find(looker: &mut Looker<'_>, counts: &Counts, out: &mut Vec<Finding>) {
    let count = counts.total(Protocol::Udp) + counts.total(Protocol::UdpLite);
    if count == 0 || Kind::UdpDrops.severity(udp_without_room()).is_none() {
        return;
    }
    for protocol in [Protocol::Udp, Protocol::UdpLite] {
        let look = Look {
            protocol,
            wanted: Extensions {
                memory: true,
                ..Extensions::default()
            },
            ..Look::tcp(StateSet::ALL)
        };
        let found = looker.look(look, &drops_many);
        for group in groups(&found) {
            let least = Kind::UdpDrops.least();
            let own = format!("memory.drops >= {least} and {}", group.who.filter());
            let sockets = looker.filter(protocol, &own);
            let dropped: u64 = group.sockets.iter().map(|found| drops(&found.socket)).sum();
            let count = group.sockets.len();
            out.extend(finding(Kind::UdpDrops, dropped, (count, sockets), || {
                let most = sysctl("core/rmem_max");
                let most = most.map_or_else(String::new, |most| format!(" (rmem_max is {most})"));
                let ports = group.sockets.iter().filter_map(|found| found.socket.local.port);
                let mut ports: Vec<String> = ports.take(3).map(|port| port.to_string()).collect();
                ports.dedup();
                format!(
                    "{} lost {dropped} datagrams at port {}: its buffer was full when they came. It reads \
                     too slowly for the bursts; a larger SO_RCVBUF takes more{most}.",
                    group.who.words(),
                    ports.join(", "),
                )
            }));
        }
    }
}
