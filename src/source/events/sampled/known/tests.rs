//! Random lives, polled at random moments: the reported transitions are a part of those that happened.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::net::Ipv4Addr;
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::{any, proptest};

use super::Known;
use crate::model::{Event, Family, Protocol, Socket, State, Structure, TRANSITIONS, Table};
use crate::source::events::sampled::pending::PendingEvents;

const TCP: Table = Table {
    protocol: Protocol::Tcp,
    family: Family::Inet,
};

/// What distinguishes sockets with the same ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    /// Cookies.
    Cookies,
    /// Cookies, but a socket with which the kernel replaces another may have a new one.
    Changing,
    /// Nothing: `/proc/net`.
    None,
}

/// A pair of ends, and the sockets that have it one after another.
#[derive(Debug)]
struct Place {
    port: u32,
    marks: Marks,
    state: State,
    /// True if it began with a request.
    passive: bool,
    /// The number of its socket.
    life: u64,
    cookie: u64,
    /// Every step there was.
    truth: Vec<(State, State)>,
}

impl Place {
    fn new(port: u32, marks: Marks) -> Self {
        Self {
            port,
            marks,
            state: State::Closed,
            passive: false,
            life: 0,
            cookie: 0,
            truth: Vec::new(),
        }
    }

    /// Makes one of the possible transitions; true if a life has ended.
    fn advance(&mut self, choice: usize) -> bool {
        let begins = self.state == State::Closed;
        let steps: Vec<_> = TRANSITIONS
            .iter()
            .map(|step| (step.from, step.to))
            .filter(|(from, to)| {
                let passive = (*from, *to) == (State::Listen, State::SynRcvd);
                let other = [State::Bound, State::Unconn];
                let of_tcp = !other.contains(from) && !other.contains(to);
                of_tcp && (passive && begins || !passive && *from == self.state)
            })
            .collect();
        let step = steps[choice % steps.len()];
        self.truth.push(step);
        self.state = step.1;
        // In a simultaneous open, SYN_RCVD is a state of the socket that sent the SYN.
        let request = step.0 == State::SynRcvd && self.passive;
        let swapped = step.1 == State::TimeWait || request;
        if begins {
            self.life += 1;
            self.passive = step.1 == State::SynRcvd;
        }
        if begins || swapped && self.marks == Marks::Changing && choice.is_multiple_of(3) {
            self.cookie += 1;
        }
        self.state == State::Closed
    }

    fn socket(&self) -> Option<Socket> {
        if self.state == State::Closed {
            return None;
        }
        let mut socket = Socket::new(Protocol::Tcp, Family::Inet);
        socket.state = self.state;
        socket.local.ip = Some(Ipv4Addr::LOCALHOST.into());
        socket.local.port = Some(self.port);
        socket.peer.ip = Some(Ipv4Addr::LOCALHOST.into());
        socket.peer.port = (self.state != State::Listen).then_some(80);
        if self.marks != Marks::None {
            let without = [State::SynRcvd, State::TimeWait];
            let inode = u64::from(self.port) << 32 | self.life;
            socket.inode = Some(inode).filter(|_| !without.contains(&self.state));
            socket.cookie = Some(u64::from(self.port) << 32 | self.cookie);
        }
        Some(socket)
    }
}

/// Polls all places.
fn look(known: &mut Known, places: &[Place], pending: &mut PendingEvents) {
    for socket in places.iter().filter_map(Place::socket) {
        known.meet(&socket, pending);
    }
    known.settle(Instant::now(), pending);
}

/// Takes all pending events.
fn all(pending: &mut PendingEvents) -> Vec<Event> {
    std::iter::from_fn(|| pending.pop()).collect()
}

/// True if the events of a connection are among the transitions that happened, in order.
fn is_part(told: &[&Event], truth: &[(State, State)]) -> bool {
    let mut truth = truth.iter();
    told.iter().all(|step| {
        truth.any(|(from, to)| {
            step.old_state.is_none_or(|old| old == *from) && step.socket.state == *to
        })
    })
}

/// Lets the places live, and polls them where the choice says so.
fn walk(choices: &[(usize, usize)], marks: Marks) {
    let mut known = Known::new(TCP);
    let mut pending = PendingEvents::default();
    let mut places = [1, 2, 3].map(|port| Place::new(port, marks));
    look(&mut known, &places, &mut pending);
    look(&mut known, &places, &mut pending);
    for (place, choice) in choices {
        let over = match places.get_mut(*place) {
            Some(place) => place.advance(*choice),
            None => true,
        };
        // If only the ends are known, a round between two lives must see neither.
        if *place >= places.len() || over && marks == Marks::None {
            look(&mut known, &places, &mut pending);
        }
    }
    look(&mut known, &places, &mut pending);
    look(&mut known, &places, &mut pending);
    let steps = all(&mut pending);
    for connection in 1..=steps.iter().map(|step| step.connection).max().unwrap_or(0) {
        let told: Vec<&Event> = steps
            .iter()
            .filter(|step| step.connection == connection)
            .collect();
        let Some(first) = told.first() else { continue };
        let port = first.socket.local.port;
        let place = places.iter().find(|place| Some(place.port) == port);
        let truth = &place.unwrap().truth;
        let pairs: Vec<_> = told.iter().map(|s| (s.old_state, s.socket.state)).collect();
        assert!(is_part(&told, truth), "{pairs:?} of {truth:?}");
    }
}

proptest! {
    #[test]
    fn what_is_told_of_sockets_with_cookies_happened(
        choices in vec((0..5_usize, any::<usize>()), 0..120)
    ) {
        walk(&choices, Marks::Cookies);
    }

    #[test]
    fn what_is_told_where_cookies_change_happened(
        choices in vec((0..5_usize, any::<usize>()), 0..120)
    ) {
        walk(&choices, Marks::Changing);
    }

    #[test]
    fn what_is_told_of_sockets_without_cookies_happened(
        choices in vec((0..5_usize, any::<usize>()), 0..120)
    ) {
        walk(&choices, Marks::None);
    }
}

/// Polls twice without any socket, and returns the events.
fn told_when_none_is_there(
    known: &mut Known,
    pending: &mut PendingEvents,
) -> Vec<(Option<State>, State)> {
    look(known, &[], pending);
    look(known, &[], pending);
    let steps = all(pending);
    let pairs = steps.iter().map(|step| (step.old_state, step.socket.state));
    pairs.collect()
}

/// A place whose socket has reached this state.
fn place(state: State) -> Place {
    let mut place = Place::new(1, Marks::Cookies);
    (place.state, place.cookie) = (state, 1);
    place
}

/// The notice of its destroyed socket, whose peer answered `idle_ms` ago.
fn destroyed(idle_ms: u32) -> Socket {
    let mut socket = place(State::Established).socket().unwrap();
    socket.state = State::Closed;
    socket.inode = None;
    let mut info = [0; 60];
    info[56..].copy_from_slice(&idle_ms.to_ne_bytes());
    socket.details_mut().set_info(Structure::TcpInfo, &info);
    socket
}

fn learnt(places: &[Place]) -> (Known, PendingEvents) {
    let mut known = Known::new(TCP);
    let mut pending = PendingEvents::default();
    look(&mut known, places, &mut pending);
    look(&mut known, places, &mut pending);
    (known, pending)
}

#[test]
fn a_socket_that_no_look_saw_is_told_when_it_was_destroyed() {
    let (mut known, mut pending) = learnt(&[]);
    known.destroyed(&destroyed(0));
    let told = told_when_none_is_there(&mut known, &mut pending);
    assert_eq!(told, [(None, State::Closed)]);
    let told = told_when_none_is_there(&mut known, &mut pending);
    assert_eq!(told, []);
}

#[test]
fn a_destroyed_socket_whose_place_was_taken_is_not_closed() {
    for state in [State::TimeWait, State::FinWait2, State::Established] {
        let (mut known, mut pending) = learnt(&[]);
        known.destroyed(&destroyed(0));
        let mut left = place(state);
        left.cookie = 2;
        look(&mut known, &[left], &mut pending);
        let steps = all(&mut pending);
        assert_eq!(steps.len(), 1);
        assert_eq!((steps[0].old_state, steps[0].socket.state), (None, state));
    }
}

#[test]
fn a_socket_that_a_look_saw_is_closed_once() {
    let (mut known, mut pending) = learnt(&[place(State::LastAck)]);
    known.destroyed(&destroyed(0));
    let told = told_when_none_is_there(&mut known, &mut pending);
    assert_eq!(told, [(Some(State::LastAck), State::Closed)]);
    // Its program kept the descriptor until now.
    known.destroyed(&destroyed(20));
    assert_eq!(told_when_none_is_there(&mut known, &mut pending), []);
}

#[test]
fn a_connection_that_ended_long_ago_is_not_told_when_its_descriptor_is_closed() {
    let (mut known, mut pending) = learnt(&[]);
    known.destroyed(&destroyed(5_000));
    assert_eq!(told_when_none_is_there(&mut known, &mut pending), []);
}

#[test]
fn a_socket_that_was_never_connected_makes_no_step() {
    let (mut known, mut pending) = learnt(&[]);
    let mut socket = destroyed(0);
    socket.peer.port = None;
    known.destroyed(&socket);
    assert_eq!(told_when_none_is_there(&mut known, &mut pending), []);
}
