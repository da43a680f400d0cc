//! Handshakes that do not come to their end.

use std::collections::BTreeMap;

use crate::model::{Counts, Finding, Kind, Protocol, SYN_RETRANSMITS, State, StateSet};

use super::limits::sysctl;
use super::look::{Found, Look, Looker, Owners, end};
use super::who::names;
use super::{finding, many, number};

pub(super) fn find(looker: &mut Looker<'_>, counts: &Counts, out: &mut Vec<Finding>) {
    if counts.of(Protocol::Tcp, State::SynSent) > 0 {
        unanswered(looker, out);
    }
    if counts.of(Protocol::Tcp, State::SynRcvd) >= Kind::SynRcvd.least() {
        not_completed(looker, out);
    }
}

fn unanswered(looker: &mut Looker<'_>, out: &mut Vec<Finding>) {
    let states = StateSet::EMPTY.with(State::SynSent);
    let found = looker.look(Look::tcp(states), &|socket| {
        socket
            .timer
            .is_some_and(|timer| timer.retransmits >= SYN_RETRANSMITS)
    });
    let mut by_peer: BTreeMap<_, Vec<&Found>> = BTreeMap::new();
    for found in &found {
        if let Some(peer) = end(&found.socket.peer) {
            by_peer.entry(peer).or_default().push(found);
        }
    }
    for (peer, found) in by_peer {
        let own =
            format!("state syn-sent and dst {peer} and timer.retransmits >= {SYN_RETRANSMITS}");
        let sockets = looker.filter(Protocol::Tcp, &own);
        let count = found.len();
        out.extend(finding(Kind::SynSent, many(count), (count, sockets), || {
            format!(
                "{peer} does not answer: {} in SYN_SENT ({}), each SYN sent {} times or more. The \
                 host is down, a firewall drops the SYN, or the accept queue there is full.",
                number(count, "connection"),
                names(found),
                SYN_RETRANSMITS + 1,
            )
        }));
    }
}

fn not_completed(looker: &mut Looker<'_>, out: &mut Vec<Finding>) {
    let look = Look {
        owners: Owners::NotAsked,
        ..Look::tcp(StateSet::EMPTY.with(State::SynRcvd))
    };
    let mut by_port: BTreeMap<u32, usize> = BTreeMap::new();
    looker.each(look, &|_| true, &mut |socket, _| {
        let port = socket.local.port.unwrap_or_default();
        *by_port.entry(port).or_default() += 1;
    });
    by_port.retain(|_, count| Kind::SynRcvd.severity(many(*count)).is_some());
    if by_port.is_empty() {
        return;
    }
    let of_ports = |port: Option<u32>| port.is_some_and(|port| by_port.contains_key(&port));
    let listening = Look::tcp(StateSet::EMPTY.with(State::Listen));
    let listeners = looker.look(listening, &|socket| of_ports(socket.local.port));
    for (port, count) in &by_port {
        let sockets = looker.filter(
            Protocol::Tcp,
            &format!("state syn-rcvd and sport = :{port}"),
        );
        let who: Vec<&Found> = listeners
            .iter()
            .filter(|found| found.socket.local.port == Some(*port))
            .collect();
        out.extend(finding(Kind::SynRcvd, many(*count), (*count, sockets), || {
            let backlog = who.iter().filter_map(|found| found.socket.send_queue).max();
            let backlog = backlog.map(|backlog| format!("the backlog is {backlog}"));
            let most = sysctl("ipv4/tcp_max_syn_backlog");
            let most = most.map(|most| format!("tcp_max_syn_backlog is {most}"));
            let limits: Vec<String> = backlog.into_iter().chain(most).collect();
            format!(
                "{} to port {port} ({}) wait in SYN_RCVD for the clients; {}. The clients do not answer, \
                 the way back to them is broken, or this is a SYN flood: see tcp_syncookies.",
                number(*count, "handshake"),
                names(who),
                limits.join(", "),
            )
        }));
    }
}
