//! Events of sockets that appear, change and disappear.

use super::{Play, connection, listener};
use crate::model::State::{
    self, CloseWait, Closed, Established, FinWait1, FinWait2, LastAck, Listen, SynRcvd, SynSent,
    TimeWait, Unknown,
};

#[test]
fn what_is_there_at_the_begin_is_no_news() {
    let there = vec![listener(1), connection(Established, 2)];
    let mut play = Play::of(there.clone());
    assert_eq!(play.steps(there), []);
}

#[test]
fn a_passive_close_looked_at_in_every_state_is_told_in_full() {
    let mut play = Play::of(vec![]);
    let states = [SynRcvd, Established, CloseWait, LastAck];
    let mut told: Vec<_> = states
        .into_iter()
        .flat_map(|state| play.steps(vec![connection(state, 1)]))
        .collect();
    told.extend(play.steps(vec![]));
    let wanted = [
        (None, SynRcvd, 1),
        (Some(SynRcvd), Established, 1),
        (Some(Established), CloseWait, 1),
        (Some(CloseWait), LastAck, 1),
        (Some(LastAck), Closed, 1),
    ];
    assert_eq!(told, wanted);
}

#[test]
fn steps_between_two_looks_are_told_where_there_is_one_way() {
    let mut play = Play::of(vec![connection(Established, 1)]);
    let wanted = [
        (Some(Established), FinWait1, 1),
        (Some(FinWait1), FinWait2, 1),
    ];
    assert_eq!(play.steps(vec![connection(FinWait2, 1)]), wanted);
}

#[test]
fn a_state_that_several_ways_lead_to_has_no_old_state() {
    let mut play = Play::of(vec![connection(SynSent, 1)]);
    let told = play.steps(vec![connection(Established, 1)]);
    assert_eq!(told, [(None, Established, 1)]);
    let told = play.steps(vec![connection(TimeWait, 1)]);
    let wanted = [(Some(Established), FinWait1, 1), (None, TimeWait, 1)];
    assert_eq!(told, wanted);
}

#[test]
fn where_a_new_socket_comes_from_is_known_of_a_listener_and_of_syn_sent() {
    for (socket, old) in [
        (listener(1), Some(Closed)),
        (connection(SynSent, 1), Some(Closed)),
        (connection(SynRcvd, 1), None),
        (connection(Established, 1), None),
        (connection(CloseWait, 1), None),
        (connection(TimeWait, 1), None),
        (connection(Unknown(20), 1), None),
    ] {
        let told = Play::of(vec![]).steps(vec![socket.clone()]);
        assert_eq!(told, [(old, socket.state, 1)]);
    }
}

#[test]
fn the_last_step_of_a_socket_that_is_gone_is_told_where_it_is_certain() {
    for (state, old) in [
        (LastAck, Some(LastAck)),
        (TimeWait, Some(TimeWait)),
        (Established, None),
        (FinWait2, None),
        (Unknown(20), None),
    ] {
        let mut play = Play::of(vec![connection(state, 1)]);
        assert_eq!(play.steps(vec![]), [(old, Closed, 1)]);
        assert_eq!(play.steps(vec![]), []);
    }
    let mut play = Play::of(vec![listener(1)]);
    assert_eq!(play.steps(vec![]), [(Some(Listen), Closed, 1)]);
}

#[test]
fn a_closed_socket_is_told_as_it_was_seen_last() {
    let mut last = connection(LastAck, 5);
    last.interface = Some(3);
    last.uid = Some(1_000);
    last.mark = Some(9);
    last.cgroup_id = Some(44);
    let mut play = Play::of(vec![last.clone()]);
    let event = play.events(vec![]).remove(0);
    last.state = Closed;
    assert_eq!(event.socket, last);
    assert!(event.sampled);
}

#[test]
fn a_socket_in_two_states_is_told_with_all_that_the_look_showed() {
    let mut play = Play::of(vec![connection(Established, 1)]);
    let mut now = connection(FinWait2, 1);
    now.recv_queue = Some(12);
    let events = play.events(vec![now]);
    let queues: Vec<_> = events.iter().map(|e| e.socket.recv_queue).collect();
    assert_eq!(queues, [Some(12), Some(12)]);
    assert_eq!(events[0].time, events[1].time);
}

#[test]
fn what_the_kernel_puts_in_its_place_is_the_same_connection() {
    let mut play = Play::of(vec![connection(FinWait2, 1)]);
    let told = play.steps(vec![connection(TimeWait, 1)]);
    assert_eq!(told, [(Some(FinWait2), TimeWait, 1)]);
}

#[test]
fn with_another_cookie_in_its_place_only_the_state_is_certain() {
    let orphan = |cookie| {
        let mut socket = connection(FinWait2, cookie);
        socket.inode = None;
        socket
    };
    for (old, new) in [
        (connection(SynRcvd, 1), connection(Established, 2)),
        (connection(FinWait2, 1), connection(TimeWait, 2)),
        (connection(Established, 1), orphan(2)),
    ] {
        let mut play = Play::of(vec![old]);
        let told = play.steps(vec![new.clone()]);
        assert_eq!(told, [(None, new.state, 1)]);
    }
}

#[test]
fn another_cookie_is_another_connection() {
    for (old, last) in [
        (Established, None),
        (TimeWait, Some(TimeWait)),
        (LastAck, Some(LastAck)),
    ] {
        let mut play = Play::of(vec![connection(old, 1)]);
        let told = play.steps(vec![connection(SynSent, 2)]);
        let wanted = [(last, Closed, 1), (Some(Closed), SynSent, 2)];
        assert_eq!(told, wanted, "{old}");
    }
    let mut play = Play::of(vec![connection(TimeWait, 1)]);
    let told = play.steps(vec![connection(TimeWait, 2)]);
    assert_eq!(told, [(Some(TimeWait), Closed, 1), (None, TimeWait, 2)]);
}

#[test]
fn the_same_socket_in_an_earlier_state_begins_another_life() {
    let mut play = Play::of(vec![connection(CloseWait, 1)]);
    let told = play.steps(vec![connection(SynSent, 1)]);
    let wanted = [(None, Closed, 1), (Some(Closed), SynSent, 2)];
    assert_eq!(told, wanted);
}

#[test]
fn without_cookies_a_state_that_cannot_follow_is_another_connection() {
    let mut play = Play::of(vec![connection(TimeWait, 0)]);
    let told = play.steps(vec![connection(Established, 0)]);
    let wanted = [(Some(TimeWait), Closed, 1), (None, Established, 2)];
    assert_eq!(told, wanted);
}

#[test]
fn without_cookies_another_inode_is_another_connection() {
    let mut play = Play::of(vec![connection(Established, 0)]);
    let mut other = connection(CloseWait, 0);
    other.inode = Some(8);
    let told = play.steps(vec![other]);
    assert_eq!(told, [(None, Closed, 1), (None, CloseWait, 2)]);
}

#[test]
fn without_cookies_a_connection_is_followed_by_its_ends() {
    let mut play = Play::of(vec![connection(Established, 0)]);
    let told = play.steps(vec![connection(CloseWait, 0)]);
    assert_eq!(told, [(Some(Established), CloseWait, 1)]);
}

#[test]
fn listeners_that_share_a_port_are_told_apart() {
    let mut play = Play::of(vec![listener(1), listener(2)]);
    let told = play.steps(vec![listener(2), listener(3)]);
    let wanted = [(Some(Closed), Listen, 3), (Some(Listen), Closed, 1)];
    assert_eq!(told, wanted);
    let without_cookie = |inode| {
        let mut socket = listener(inode);
        socket.cookie = None;
        socket
    };
    let mut play = Play::of(vec![without_cookie(1), without_cookie(2)]);
    let told = play.steps(vec![without_cookie(1)]);
    assert_eq!(told, [(Some(Listen), Closed, 2)]);
}

#[test]
fn a_listener_that_is_bound_to_an_interface_is_the_same() {
    let mut play = Play::of(vec![listener(1)]);
    let mut bound = listener(1);
    bound.interface = Some(3);
    assert_eq!(play.steps(vec![bound.clone()]), []);
    bound.state = Closed;
    assert_eq!(play.events(vec![])[0].socket, bound);
}

#[test]
fn connections_on_two_interfaces_are_two() {
    let on = |interface, state| {
        let mut socket = connection(state, u64::from(interface));
        socket.interface = Some(interface);
        socket
    };
    let mut play = Play::of(vec![on(1, Established), on(2, Established)]);
    let told = play.steps(vec![on(1, Established), on(2, CloseWait)]);
    assert_eq!(told, [(Some(Established), CloseWait, 2)]);
}

#[test]
fn of_twins_the_first_is_followed() {
    let twins = vec![connection(Established, 1), connection(Established, 2)];
    let mut play = Play::of(twins.clone());
    assert_eq!(play.steps(twins), []);
    assert_eq!(play.steps(vec![]), [(None, Closed, 1)]);
}

#[test]
fn a_closed_socket_that_is_still_listed_is_told_once() {
    let mut play = Play::of(vec![connection(LastAck, 1)]);
    let closed = || vec![connection(Closed, 1)];
    assert_eq!(play.steps(closed()), [(Some(LastAck), Closed, 1)]);
    assert_eq!(play.steps(closed()), []);
    assert_eq!(play.steps(vec![]), []);
}

#[test]
fn a_row_of_a_bound_socket_is_no_state_of_a_connection() {
    let mut play = Play::of(vec![connection(Established, 1)]);
    let told = play.steps(vec![connection(State::Bound, 1)]);
    assert_eq!(told, [(None, Closed, 1)]);
}
