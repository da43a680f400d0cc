//! Entries from round to round.

use super::{Key, Tracker};
use crate::model::State::{CloseWait, Established, FinWait2, SynSent, TimeWait};
use crate::model::{Family, Protocol, Socket, State};
use crate::track::Sameness;

/// A key that is reusable or unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Name {
    Shared(u32),
    Unique(u32),
}

impl Key for Name {
    fn is_unique(&self) -> bool {
        matches!(self, Self::Unique(_))
    }
}

/// The earlier state of an entry, and how it relates to the socket that has its key.
type Told = (Name, Option<(Sameness, State)>);

#[derive(Default)]
struct Looks {
    tracker: Tracker<Name, State>,
}

impl Looks {
    fn meet(&mut self, listed: &[(Name, State, Option<u64>)]) -> Vec<Told> {
        let mut told = Vec::new();
        for (name, state, cookie) in listed {
            let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
            (socket.state, socket.cookie) = (*state, *cookie);
            self.tracker.meet(*name, &socket, |before| {
                told.push((*name, before.map(|(sameness, old)| (sameness, old.kept))));
                *state
            });
        }
        told
    }

    /// The sockets gone after a complete round, and whether the next one decides about others.
    fn settle(&mut self) -> (Vec<Name>, bool) {
        let mut gone = Vec::new();
        let is_open = self.tracker.settle(|name, _| gone.push(*name));
        (gone, is_open)
    }
}

const ONE: Name = Name::Shared(1);
const TWO: Name = Name::Shared(2);

#[test]
fn socket_is_gone_when_two_complete_looks_missed_it() {
    let mut looks = Looks::default();
    looks.meet(&[(ONE, Established, Some(1)), (TWO, Established, Some(2))]);
    assert_eq!(looks.settle(), (vec![], false));
    looks.meet(&[(ONE, Established, Some(1))]);
    assert_eq!(looks.settle(), (vec![], true));
    looks.meet(&[(ONE, Established, Some(1))]);
    assert_eq!(looks.settle(), (vec![TWO], false));
    assert!(looks.tracker.get(&TWO).is_none());
}

#[test]
fn socket_that_the_second_look_lists_is_not_gone() {
    let mut looks = Looks::default();
    let there = [(ONE, Established, Some(1))];
    looks.meet(&there);
    looks.settle();
    for _ in 0..3 {
        assert_eq!(looks.settle(), (vec![], true));
        let told = looks.meet(&there);
        assert_eq!(told, [(ONE, Some((Sameness::Same, Established)))]);
        assert_eq!(looks.settle(), (vec![], false));
    }
}

#[test]
fn incomplete_looks_end_no_socket_and_do_not_count() {
    let mut looks = Looks::default();
    looks.meet(&[(ONE, Established, Some(1))]);
    looks.settle();
    for _ in 0..3 {
        looks.tracker.give_up();
    }
    assert!(!looks.tracker.is_learnt());
    assert_eq!(looks.settle(), (vec![], true));
    assert!(looks.tracker.is_learnt());
    looks.tracker.give_up();
    assert_eq!(looks.settle(), (vec![ONE], false));
}

#[test]
fn state_that_follows_is_of_the_same_socket() {
    let mut looks = Looks::default();
    looks.meet(&[(ONE, Established, Some(1))]);
    looks.settle();
    let told = looks.meet(&[(ONE, CloseWait, Some(1))]);
    assert_eq!(told, [(ONE, Some((Sameness::Same, Established)))]);
}

#[test]
fn what_the_kernel_puts_in_its_place_may_be_the_same() {
    let mut looks = Looks::default();
    looks.meet(&[(ONE, FinWait2, Some(1))]);
    looks.settle();
    let told = looks.meet(&[(ONE, TimeWait, Some(2))]);
    assert_eq!(told, [(ONE, Some((Sameness::Unclear, FinWait2)))]);
}

#[test]
fn without_cookie_nothing_is_certain_after_a_look_that_listed_neither() {
    let mut looks = Looks::default();
    looks.meet(&[(ONE, Established, None)]);
    looks.settle();
    let told = looks.meet(&[(ONE, CloseWait, None)]);
    assert_eq!(told, [(ONE, Some((Sameness::Same, Established)))]);
    looks.settle();
    looks.settle();
    let told = looks.meet(&[(ONE, CloseWait, None)]);
    assert_eq!(told, [(ONE, Some((Sameness::Unclear, CloseWait)))]);
}

#[test]
fn another_socket_takes_a_shared_key_in_a_later_look_only() {
    let mut looks = Looks::default();
    let both = [(ONE, TimeWait, Some(1)), (ONE, SynSent, Some(2))];
    assert_eq!(looks.meet(&both), [(ONE, None)]);
    looks.settle();
    let told = looks.meet(&both[1..]);
    assert_eq!(told, [(ONE, Some((Sameness::Other, TimeWait)))]);
    assert_eq!(looks.settle(), (vec![], false));
}

#[test]
fn unique_key_is_of_one_socket_whatever_its_state() {
    let mut looks = Looks::default();
    let one = Name::Unique(1);
    let told = looks.meet(&[(one, TimeWait, Some(1)), (one, SynSent, Some(2))]);
    assert_eq!(told, [(one, None), (one, Some((Sameness::Same, TimeWait)))]);
}
