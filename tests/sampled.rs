//! Steps of real connections, found by looking again and again.

use std::collections::{HashMap, HashSet};
use std::io::{Read as _, pipe};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::{Duration, Instant};

use lsock::model::State::{
    self, CloseWait, Closed, Established, FinWait1, FinWait2, LastAck, Listen, SynRcvd, SynSent,
    TimeWait,
};
use lsock::model::{Event, Family, Protocol, Socket, Table, Warning};
use lsock::source::events::{Destroyed, EventSource as _, Sampled, Scope, Watched};
use lsock::source::{NetlinkSource, ProcfsSource, Recorder, Source};
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

use crate::scene::{V4, tcp};
use crate::support::{PATIENCE, close, fresh, until};

/// Where a listener is, and where connections to it go; at the last there are both families.
const ENDS: [[&str; 2]; 3] = [
    ["127.0.0.1", "127.0.0.1"],
    ["::1", "::1"],
    ["::", "127.0.0.1"],
];

/// A step: where from, where to.
type Pair = (Option<State>, State);

fn netlink() -> Sampled {
    sample(
        Box::new(NetlinkSource::new(Recorder::default())),
        Destroyed::Told,
    )
}

fn sample(source: Box<dyn Source>, destroyed: Destroyed) -> Sampled {
    let watched = [Family::Inet, Family::Inet6].map(|family| {
        Watched::all(Table {
            protocol: Protocol::Tcp,
            family,
        })
    });
    Sampled::new(
        source,
        Scope::Own,
        destroyed,
        watched.into(),
        "a test".to_owned(),
    )
    .unwrap()
}

/// Watches until this is told, and then whether more is.
fn events(sampled: &mut Sampled, done: impl Fn(&[Event]) -> bool) -> Vec<Event> {
    let mut events = Vec::new();
    let (wake, _open) = pipe().unwrap();
    let end = Instant::now() + PATIENCE;
    while !done(&events) && Instant::now() < end {
        watch(sampled, wake.as_fd(), Some(end), &mut events);
    }
    watch(sampled, wake.as_fd(), Some(Instant::now()), &mut events);
    events
}

/// Were these states arrived in, so often as they stand here?
fn arrived(events: &[Event], states: &[State]) -> bool {
    states.iter().all(|state| {
        let wanted = states.iter().filter(|other| *other == state).count();
        count(events, *state) >= wanted
    })
}

fn count(events: &[Event], state: State) -> usize {
    let arrived = events.iter().filter(|event| event.socket.state == state);
    arrived.count()
}

fn watch(
    sampled: &mut Sampled,
    wake: BorrowedFd<'_>,
    until: Option<Instant>,
    events: &mut Vec<Event>,
) {
    let flow = sampled.wait(wake, until, &mut |event: &Event| {
        events.push(event.clone());
        ControlFlow::Continue(())
    });
    assert_eq!(flow.unwrap(), ControlFlow::Continue(()));
}

/// The steps of the socket with these ports.
fn pairs(events: &[Event], local: u16, peer: Option<u16>) -> Vec<Pair> {
    let is_it = |socket: &Socket| {
        socket.local.port == Some(local.into()) && socket.peer.port == peer.map(u32::from)
    };
    events
        .iter()
        .filter(|event| is_it(&event.socket))
        .map(|event| (event.old_state, event.socket.state))
        .collect()
}

/// Opens, half-closes and closes a connection, and looks after each.
fn a_slow_life(sampled: &mut Sampled, [at, to]: [&str; 2]) {
    let listener = TcpListener::bind((at, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let told = events(sampled, |told| arrived(told, &[Listen]));
    assert_eq!(pairs(&told, port, None), [(Some(Closed), Listen)]);

    let client = TcpStream::connect((to, port)).unwrap();
    let (server, from) = listener.accept().unwrap();
    let from = from.port();
    let mut told = events(sampled, |told| arrived(told, &[Established, Established]));
    assert_eq!(pairs(&told, from, Some(port)), [(None, Established)]);
    assert_eq!(pairs(&told, port, Some(from)), [(None, Established)]);

    client.shutdown(Shutdown::Write).unwrap();
    let half = events(sampled, |told| arrived(told, &[FinWait2, CloseWait]));
    let active = [(Some(Established), FinWait1), (Some(FinWait1), FinWait2)];
    assert_eq!(pairs(&half, from, Some(port)), active);
    let passive = [(Some(Established), CloseWait)];
    assert_eq!(pairs(&half, port, Some(from)), passive);

    close(server);
    let closed = events(sampled, |told| arrived(told, &[TimeWait, Closed]));
    let active = [(Some(FinWait2), TimeWait)];
    assert_eq!(pairs(&closed, from, Some(port)), active);
    let passive = pairs(&closed, port, Some(from));
    let truth = [(CloseWait, LastAck), (LastAck, Closed)];
    assert!(is_part(&passive, &truth), "{passive:?}");

    close((client, listener));
    let end = events(sampled, |told| arrived(told, &[Closed]));
    assert_eq!(pairs(&end, port, None), [(Some(Listen), Closed)]);
    told.extend([half, closed].into_iter().flatten());
    // A life before this one may end meanwhile.
    let here = [Some(u32::from(port)), Some(u32::from(from))];
    told.retain(|event| here.contains(&event.socket.local.port));
    let numbers: HashMap<_, _> = told
        .iter()
        .map(|event| (event.socket.local.port, event.connection))
        .collect();
    assert_eq!(numbers.len(), 2);
    for event in &told {
        assert_eq!(numbers[&event.socket.local.port], event.connection);
    }
    assert_eq!(sampled.gaps(), []);
}

#[test]
fn a_slow_life_is_told_step_by_step() {
    let Some(_namespace) = fresh() else { return };
    let mut sampled = netlink();
    for ends in ENDS {
        a_slow_life(&mut sampled, ends);
    }
}

#[test]
fn a_slow_life_is_told_step_by_step_from_proc() {
    let Some(_namespace) = fresh() else { return };
    let source = ProcfsSource::new("/proc/thread-self", Recorder::default());
    let mut sampled = sample(Box::new(source), Destroyed::NotTold);
    for ends in ENDS {
        a_slow_life(&mut sampled, ends);
    }
}

/// Opens a connection from this port and closes both ends, the client's first or not.
fn a_fast_life(listener: &TcpListener, port: u16, client_first: bool) -> u16 {
    let client = tcp::socket(V4).unwrap();
    rustix::net::bind(&client, &SocketAddr::new(V4, port)).unwrap();
    rustix::net::connect(&client, &listener.local_addr().unwrap()).unwrap();
    let mut client = TcpStream::from(client);
    let (mut server, from) = listener.accept().unwrap();
    let (first, second) = if client_first {
        (&client, &mut server)
    } else {
        (&server, &mut client)
    };
    first.shutdown(Shutdown::Write).unwrap();
    assert_eq!(second.read(&mut [0]).unwrap(), 0);
    second.shutdown(Shutdown::Write).unwrap();
    from.port()
}

/// Every step that the one who opens, or the other, makes when it closes first, or second.
fn truth(opens: bool, closes_first: bool) -> Vec<(State, State)> {
    let mut steps = if opens {
        vec![(Closed, SynSent), (SynSent, Established)]
    } else {
        vec![(Listen, SynRcvd), (SynRcvd, Established)]
    };
    steps.extend(if closes_first {
        [
            (Established, FinWait1),
            (FinWait1, FinWait2),
            (FinWait2, TimeWait),
        ]
    } else {
        [
            (Established, CloseWait),
            (CloseWait, LastAck),
            (LastAck, Closed),
        ]
    });
    steps
}

fn is_part(told: &[Pair], truth: &[(State, State)]) -> bool {
    let mut truth = truth.iter();
    told.iter()
        .all(|(old, new)| truth.any(|(from, to)| to == new && old.is_none_or(|old| old == *from)))
}

#[test]
fn of_2000_fast_connections_nothing_is_invented() {
    const COUNT: usize = 2_000;
    let Some(_namespace) = fresh() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut sampled = netlink();
    let (wake, done) = pipe().unwrap();
    let lives = thread::spawn(move || {
        // The kernel may choose the port of one that has ended at the client's side again.
        let lives = (0..COUNT).map(|life| {
            let port = 20_000 + u16::try_from(life).unwrap();
            (a_fast_life(&listener, port, life % 2 == 0), life % 2 == 0)
        });
        let lives: Vec<_> = lives.collect();
        close(done);
        (lives, listener)
    });
    let mut told = Vec::new();
    while !lives.is_finished() {
        watch(&mut sampled, wake.as_fd(), None, &mut told);
    }
    let (lives, _listener) = lives.join().unwrap();
    watch(&mut sampled, wake.as_fd(), None, &mut told);
    let mut connections: HashMap<u64, Vec<Pair>> = HashMap::new();
    let mut ports = HashMap::new();
    for event in &told {
        let pair = (event.old_state, event.socket.state);
        connections.entry(event.connection).or_default().push(pair);
        let socket = &event.socket;
        ports.insert(event.connection, (socket.local.port, socket.peer.port));
    }
    let lives: HashMap<u32, bool> = lives
        .iter()
        .map(|(port, first)| (u32::from(*port), *first))
        .collect();
    for (connection, steps) in &connections {
        let (local, peer) = ports[connection];
        let opens = peer == Some(port.into());
        let other = if opens { local } else { peer };
        let client_first = lives[&other.unwrap()];
        let truth = truth(opens, opens == client_first);
        assert!(is_part(steps, &truth), "{steps:?} of {truth:?}");
    }
    // What waits for its end is there to be seen; of the other ends the kernel tells.
    let sides: HashSet<_> = ports.values().collect();
    assert_eq!(sides.len(), connections.len());
    assert_eq!(count(&told, TimeWait), COUNT);
    assert!(count(&told, Closed) > 0);
}

#[test]
fn notices_without_room_are_told_and_the_watch_goes_on() {
    let Some(_namespace) = fresh() else { return };
    let mut sampled = netlink();
    let gaps = until("an overrun", || {
        // More than any receive buffer holds; each of them makes a notice and no step.
        for _ in 0..20_000 {
            let flags = SockFlag::SOCK_CLOEXEC;
            close(socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap());
        }
        // Another thread of the kernel writes the notices.
        thread::sleep(Duration::from_millis(200));
        assert_eq!(events(&mut sampled, |_| true), []);
        Some(sampled.gaps()).filter(|gaps| !gaps.is_empty())
    });
    let overrun = "notifications of closed sockets were lost (ENOBUFS)";
    assert_eq!(gaps, [Warning::failed(overrun)]);
    a_slow_life(&mut sampled, ENDS[0]);
}

#[test]
fn without_privilege_the_kernel_tells_of_closed_sockets_too() {
    let told = thread::spawn(|| {
        let _namespace = fresh()?;
        let mut sets = capabilities(None).unwrap();
        sets.effective = CapabilitySet::empty();
        set_capabilities(None, sets).unwrap();
        assert!(unshare(CloneFlags::CLONE_NEWNET).is_err());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sampled = netlink();
        a_fast_life(&listener, 20_000, true);
        let told = events(&mut sampled, |told| arrived(told, &[Closed, TimeWait]));
        assert_eq!(sampled.gaps(), []);
        Some(told)
    });
    let Some(told) = told.join().unwrap() else {
        return;
    };
    let mut told: Vec<_> = told
        .iter()
        .map(|event| (event.old_state, event.socket.state.name()))
        .collect();
    told.sort_unstable_by_key(|(_, name)| *name);
    assert_eq!(told, [(None, "CLOSED"), (None, "TIME_WAIT")]);
}
