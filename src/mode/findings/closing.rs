//! Closes that do not come to their end.

use crate::model::{Counts, Finding, Kind, Protocol, Socket, State, StateSet, TimerKind};

use super::limits::{orphans, sysctl};
use super::look::{Found, Look, Looker, Owners};
use super::who::{Who, groups, names};
use super::{finding, many, number, stuck};

pub(super) fn find(looker: &mut Looker<'_>, counts: &Counts, out: &mut Vec<Finding>) {
    let count = |state| counts.of(Protocol::Tcp, state);
    let leaks = [
        (State::CloseWait, Kind::CloseWait),
        (State::FinWait2, Kind::HalfClosed),
    ];
    let many = leaks
        .iter()
        .filter(|(state, kind)| count(*state) >= kind.least());
    let states = many.fold(StateSet::EMPTY, |states, (state, _)| states.with(*state));
    if states != StateSet::EMPTY {
        let found = looker.look(Look::tcp(states), &|_| true);
        let (waiting, rest): (Vec<Found>, Vec<Found>) = found
            .into_iter()
            .partition(|found| found.socket.state == State::CloseWait);
        close_wait(looker, &waiting, out);
        half_closed(looker, rest, out);
    }
    if counts.held_up > 0 && count(State::LastAck) + count(State::Closing) > 0 {
        no_end(looker, out);
    }
    if counts.orphans > 0 {
        near_the_limit(looker, out);
    }
}

fn close_wait(looker: &Looker<'_>, found: &[Found], out: &mut Vec<Finding>) {
    for group in groups(found) {
        let count = group.sockets.len();
        let own = format!("state close-wait and {}", group.who.filter());
        let sockets = looker.filter(Protocol::Tcp, &own);
        out.extend(finding(Kind::CloseWait, many(count), (count, sockets), || {
            let connections = number(count, "connection");
            match &group.who {
                Who::Nobody => format!(
                    "{connections} in CLOSE_WAIT wait to be accepted, and their peers have already \
                     closed: the program must accept faster."
                ),
                who => format!(
                    "{} holds {connections} in CLOSE_WAIT: the peers have closed, the program has \
                     not. It leaks them: it must close a connection when it reads its end.",
                    who.words(),
                ),
            }
        }));
    }
}

fn half_closed(looker: &Looker<'_>, found: Vec<Found>, out: &mut Vec<Finding>) {
    let (held, orphaned): (Vec<Found>, Vec<Found>) = found
        .into_iter()
        .partition(|found| !found.socket.is_orphan());
    for group in groups(&held) {
        let count = group.sockets.len();
        let own = format!("state fin-wait-2 and not orphan and {}", group.who.filter());
        let sockets = looker.filter(Protocol::Tcp, &own);
        out.extend(finding(Kind::HalfClosed, many(count), (count, sockets), || {
            format!(
                "{} holds {} half-closed in FIN_WAIT_2: it has shut its direction and waits for \
                 peers that do not shut theirs, and no timer ends that. Give the wait a time limit, \
                 or close.",
                group.who.words(),
                number(count, "connection"),
            )
        }));
    }
    let count = orphaned.len();
    let sockets = looker.filter(Protocol::Tcp, "state fin-wait-2 and orphan");
    let kind = Kind::HalfClosedOrphans;
    out.extend(finding(kind, many(count), (count, sockets), || {
        let limit = sysctl("ipv4/tcp_fin_timeout");
        let limit = limit.map_or_else(String::new, |limit| format!(" ({limit} s)"));
        format!(
            "{} that no process holds wait in FIN_WAIT_2 for the FIN of their peers, each for \
             tcp_fin_timeout{limit} at the most. Look at the peers: there they are in CLOSE_WAIT.",
            number(count, "connection"),
        )
    }));
}

fn no_end(looker: &mut Looker<'_>, out: &mut Vec<Finding>) {
    let states = StateSet::EMPTY.with(State::LastAck).with(State::Closing);
    let look = Look {
        wanted: stuck::WANTED,
        ..Look::tcp(states)
    };
    let found = looker.look(look, &stuck::is_stuck);
    let count = found.len();
    let [sent, probed] = [TimerKind::Retransmit, TimerKind::Probe].map(stuck::filter);
    let own = format!("state last-ack,closing and ({sent} or {probed})");
    let sockets = looker.filter(Protocol::Tcp, &own);
    let kind = Kind::ClosingStuck;
    out.extend(finding(kind, many(count), (count, sockets), || {
        format!(
            "{} in LAST_ACK or CLOSING ({}): the last FIN gets no answer, or waits behind data that the \
             peer does not read. Look at the peers; the kernel gives up after tcp_orphan_retries.",
            number(count, "connection"),
            names(&found),
        )
    }));
}

fn near_the_limit(looker: &mut Looker<'_>, out: &mut Vec<Finding>) {
    let (Some(all), Some(most)) = (orphans(), sysctl("ipv4/tcp_max_orphans")) else {
        return;
    };
    let share = all.saturating_mul(100) / most.max(1);
    if Kind::Orphans.severity(share).is_none() {
        return;
    }
    let states = StateSet::ORPHANED.without(State::FinWait2);
    let look = Look {
        owners: Owners::NotAsked,
        ..Look::tcp(states)
    };
    let mut count = 0;
    looker.each(look, &Socket::is_orphan, &mut |_, _| count += 1);
    let sockets = looker.filter(Protocol::Tcp, "orphan and not state fin-wait-2");
    out.extend(finding(Kind::Orphans, share, (count, sockets), || {
        format!(
            "The kernel holds {all} connections that no process holds any more, of {most} allowed \
             (tcp_max_orphans); {count} of them are here. Beyond that it resets them: find peers that \
             do not read, lower tcp_orphan_retries, or raise the limit."
        )
    }));
}
