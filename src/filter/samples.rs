//! Random sockets for tests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::Field;
use crate::model::{
    BoundFile, Endpoint, Fact, Family, Memory, Peer, Place, Process, ProcessStatus, Protocol, Row,
    Shutdown, Socket, SocketType, Stage, State, StateSet, Structure, Table, Timer, TimerKind,
};

pub(super) const IPV4: [&str; 5] = [
    "0.0.0.0",
    "127.0.0.1",
    "10.0.0.1",
    "10.0.1.7",
    "192.168.1.1",
];
pub(super) const IPV6: [&str; 6] = [
    "::",
    "::1",
    "fe80::1",
    "2001:db8::1",
    "::ffff:10.0.0.1",
    "::ffff:192.168.1.1",
];
pub(super) const PORTS: [u16; 7] = [1, 22, 80, 443, 8080, 40_000, 65_535];
pub(super) const NAMES: [&str; 6] = [
    "",
    "/run/a.sock",
    "/run/b.sock",
    "\0bus",
    "\x000a1b2",
    "@odd",
];
pub(super) const TEXTS: [&str; 9] = [
    "nginx", "sshd", "eth0", "root", "/a.slice", "cubic", "10.0.0.1", "route", "if7",
];
pub(super) const GLOBS: [&str; 9] = [
    "*", "n*", "?shd", "@*", "/run/*", "10.*", "*:*", "r??t*", "*0",
];
/// Text fields with long values, or several, in the order of [`Field::comparable`]; they hold no numbers.
pub(super) const TEXT_FIELDS: [Field; 27] = [
    Field::LocalAddress,
    Field::PeerAddress,
    Field::Interface,
    Field::User,
    Field::Cgroup,
    Field::MadeIn,
    Field::Netns,
    Field::Process,
    Field::Command,
    Field::ProcessUser,
    Field::ProcessContext,
    Field::SocketContext,
    Field::Container,
    Field::ContainerId,
    Field::Runtime,
    Field::Image,
    Field::ComposeProject,
    Field::ComposeService,
    Field::Pod,
    Field::PodNamespace,
    Field::PodUid,
    Field::Unit,
    Field::ContainerUnit,
    Field::PeerProcess,
    Field::PeerNetns,
    Field::PeerContainer,
    Field::Congestion,
];
pub(super) const WORD_FIELDS: [Field; 6] = [
    Field::Protocol,
    Field::Family,
    Field::Type,
    Field::Shutdown,
    Field::TimerKind,
    Field::ProcessStatus,
];

/// A row with everything known.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) socket: Socket,
    pub(super) interface: Option<String>,
    pub(super) user: Option<String>,
    pub(super) cgroup: Option<Vec<u8>>,
    pub(super) netns: Option<Vec<u8>>,
    pub(super) processes: Option<Vec<Process>>,
    pub(super) status: Option<ProcessStatus>,
    pub(super) place: Option<Place>,
    pub(super) peer: Option<Peer>,
}

impl Sample {
    /// The row with everything.
    pub(super) fn row(&self) -> Row<'_> {
        Row {
            stage: Stage::Owners,
            processes: self.processes.as_deref(),
            process_status: self.status,
            place: self.place.as_ref(),
            peer: self.peer.as_ref(),
            ..self.named()
        }
    }

    /// The row without its processes.
    pub(super) fn named(&self) -> Row<'_> {
        Row {
            stage: Stage::Names,
            interface: self.interface.as_deref(),
            user: self.user.as_deref(),
            cgroup: self.cgroup.as_deref(),
            made_in: self.cgroup.as_deref(),
            netns: self.netns.as_deref(),
            netns_inode: self.netns.as_ref().map(|_| 4_026_531_840),
            at_path: self.at_path(),
            ..Row::bare(&self.socket)
        }
    }

    /// Known for some sockets bound to a path, true for some of these.
    fn at_path(&self) -> Option<bool> {
        let file = self.socket.file().filter(|file| file.device.1 > 0)?;
        Some(file.device.1 == 1)
    }
}

/// Every table.
pub(super) fn tables() -> Vec<Table> {
    let of = |protocol: Protocol| {
        let families = protocol.families().iter();
        families.map(move |family| Table {
            protocol,
            family: *family,
        })
    };
    Protocol::ALL.into_iter().flat_map(of).collect()
}

/// A row of any table.
pub(super) fn any_sample() -> impl Strategy<Value = Sample> {
    select(tables()).prop_flat_map(sample)
}

/// A row of this table.
pub(super) fn sample(table: Table) -> impl Strategy<Value = Sample> {
    let names = (
        option(select(vec!["eth0", "if7", "lo"])),
        option(select(vec!["root", "nobody", ""])),
        option(select(vec!["/a.slice", "/"])),
        option(select(vec!["blue"])),
    );
    let owners = || option(prop::collection::vec(process(), 0..3));
    let every = (socket(table), names, owners(), owners());
    every.prop_map(|(socket, names, owners, others)| {
        let (interface, user, cgroup, netns) = names;
        let processes = match socket.inode {
            None => Some(Vec::new()),
            Some(_) => owners,
        };
        let status = match processes.as_deref() {
            None => ProcessStatus::Unreadable,
            Some([]) => ProcessStatus::None,
            Some(_) => ProcessStatus::Found,
        };
        Sample {
            interface: interface
                .filter(|_| socket.interface.is_some())
                .map(Into::into),
            user: user.filter(|_| socket.uid.is_some()).map(Into::into),
            cgroup: cgroup
                .filter(|_| socket.cgroup_id.is_some())
                .map(Into::into),
            netns: netns.map(Into::into),
            place: place_of(processes.as_deref()),
            processes,
            peer: Field::PeerPid
                .applies_to(socket.table())
                .then(|| peer_of(others)),
            status: Some(status),
            socket,
        }
    })
}

/// A peer with these processes; nobody if there are none.
fn peer_of(processes: Option<Vec<Process>>) -> Peer {
    match processes {
        None => Peer::absent(false),
        Some(processes) if processes.is_empty() => Peer::absent(true),
        Some(processes) => Peer {
            status: Some(ProcessStatus::Found),
            is_in_doubt: false,
            netns: Some((*b"route").into()),
            place: place_of(Some(&processes)).map(Into::into),
            processes,
        },
    }
}

/// The place of the first process; the kernel has none.
fn place_of(processes: Option<&[Process]>) -> Option<Place> {
    let first = processes?.first()?;
    let mut place = Place::default();
    if first.pid != 1 {
        place.add(Fact::Container, Some("nginx"));
        place.add(Fact::Pod, Some("api-7"));
        place.add(Fact::Unit, Some("cubic"));
        place.add(Fact::Image, Some("10.0.0.1"));
        place.add(Fact::ContainerId, Some("0123"));
        for fact in Fact::ALL {
            place.add(fact, Some("root"));
        }
    }
    let mut other = Place::default();
    other.add(Fact::Container, Some("web"));
    Some(if first.pid > 2 {
        other.with(&place)
    } else {
        place
    })
}

pub(super) fn option<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>> {
    prop::option::of(strategy)
}

fn process() -> impl Strategy<Value = Process> {
    let user = option(select(vec!["root", "nobody"]));
    let fds = prop::collection::vec(3_u32..6, 1..3);
    (1_u32..5, text(), text(), user, fds).prop_map(|(pid, name, command, user, fds)| Process {
        pid,
        name: Some(name.into()),
        command: Some(command.into()),
        called: 0,
        uid: user.map(|_| 0),
        user: user.map(Into::into),
        fds,
        ..Process::default()
    })
}

pub(super) fn text() -> impl Strategy<Value = &'static str> {
    select(TEXTS.to_vec())
}

pub(super) fn number() -> impl Strategy<Value = u32> {
    select(vec![0, 1, 2, 3, 5, 100, 1_500, 70_000])
}

pub(super) fn states() -> impl Strategy<Value = StateSet> {
    let every: Vec<State> = State::all_named().chain([State::Unknown(9)]).collect();
    let count = every.len();
    let some = subsequence(every, 0..=count);
    some.prop_map(|states| states.into_iter().fold(StateSet::EMPTY, StateSet::with))
}

/// A socket as the sources fill it; optional values are sometimes missing.
pub(super) fn socket(table: Table) -> impl Strategy<Value = Socket> {
    let state = select(
        State::all_named()
            .chain([State::Unknown(9)])
            .collect::<Vec<_>>(),
    );
    let kind = option(select(vec![SocketType::Stream, SocketType::Raw]));
    let queues = (option(number()), option(number()));
    let ids = (option(number()), option(number()), option(number()));
    let ends = (end(table), end(table));
    (state, kind, queues, ids, ends, rest()).prop_map(
        move |(state, kind, queues, ids, ends, rest)| {
            let mut socket = Socket::new(table.protocol, table.family);
            socket.state = state;
            (socket.recv_queue, socket.send_queue) = queues;
            (socket.local, socket.peer) = ends;
            socket.uid = ids.0;
            socket.inode = ids.1.map(u64::from);
            socket.cookie = ids.2.map(u64::from);
            rest.fill(&mut socket, kind);
            socket
        },
    )
}

fn end(table: Table) -> impl Strategy<Value = Endpoint> {
    let port = option(select(PORTS.to_vec()));
    let ips = match table.family {
        Family::Inet => IPV4.to_vec(),
        _ => IPV6.to_vec(),
    };
    (port, select(ips), select(NAMES.to_vec())).prop_map(move |(port, ip, name)| {
        let mut end = Endpoint::default();
        match table.family {
            Family::Inet | Family::Inet6 | Family::Smc => {
                end.ip = ip.parse().ok();
                end.port = port.map(u32::from);
            }
            Family::Unix => end.set_name(name.as_bytes()),
            Family::Packet | Family::Xdp => end.port = port.map(u32::from),
            Family::Netlink | Family::Vsock | Family::Tipc => {
                end.set_name(if table.family == Family::Netlink {
                    b"route"
                } else {
                    b"1"
                });
                end.port = port.map(|port| if port == 80 { 70_080 } else { port.into() });
            }
        }
        end
    })
}

/// Values that only some tables have.
#[derive(Debug, Clone)]
struct Rest {
    numbers: [Option<u32>; 4],
    shutdown: Option<u8>,
    timer: Option<(u8, u32)>,
    info: Option<usize>,
    memory: Option<u32>,
    congestion: Option<&'static str>,
}

fn rest() -> impl Strategy<Value = Rest> {
    let numbers = [
        option(number()),
        option(number()),
        option(number()),
        option(number()),
    ];
    let timer = option((1_u8..5, number()));
    let congestion = option(select(vec!["cubic", "bbr"]));
    let details = (option(0_usize..400), option(number()), congestion);
    (numbers, option(0_u8..4), timer, details).prop_map(|(numbers, shutdown, timer, details)| {
        let (info, memory, congestion) = details;
        Rest {
            numbers,
            shutdown,
            timer,
            info,
            memory,
            congestion,
        }
    })
}

impl Rest {
    fn fill(self, socket: &mut Socket, kind: Option<SocketType>) {
        let [interface, mark, cgroup, peer_inode] = self.numbers;
        let shutdown = self.shutdown.map(Shutdown::from_bits);
        let has_memory = Field::Memory.applies_to(socket.table());
        if let Some(bytes) = self.memory.filter(|_| has_memory) {
            let some = Some(bytes).filter(|bytes| bytes % 2 == 0);
            socket.details_mut().memory = Some(Memory {
                rmem_alloc: some,
                rcvbuf: Some(bytes),
                wmem_alloc: some,
                sndbuf: some,
                fwd_alloc: some,
                wmem_queued: some,
                optmem: some,
                backlog: some,
                drops: Some(1),
            });
        }
        match socket.protocol {
            Protocol::Unix => {
                socket.kind = kind;
                socket.shutdown = shutdown;
                socket.peer_inode = peer_inode.map(u64::from);
                if let (Some(inode), true) = (mark, socket.has_path()) {
                    let details = socket.details_mut();
                    let device = (8, inode % 4);
                    details.file = Some(BoundFile { device, inode });
                    details.file_device = format!("8:{}", device.1).into_bytes();
                }
                if socket.state == State::Listen {
                    let pending = cgroup.map(|inode| vec![inode; 2]);
                    socket.details_mut().pending_peers = pending;
                }
            }
            Protocol::Packet => {
                socket.kind = kind;
                socket.interface = interface;
                socket.peer.clear();
            }
            Protocol::Xdp => {
                socket.kind = kind;
                socket.interface = interface;
                socket.peer.clear();
                (socket.recv_queue, socket.send_queue) = (None, None);
                self.fill_info(socket);
            }
            Protocol::Tipc => {
                socket.kind = kind;
                self.fill_info(socket);
            }
            Protocol::Vsock | Protocol::Smc => {
                (socket.recv_queue, socket.send_queue) = (None, None);
                socket.shutdown = shutdown;
                match socket.protocol {
                    Protocol::Vsock => (socket.kind, socket.uid) = (kind, None),
                    _ => socket.interface = interface,
                }
                self.fill_info(socket);
            }
            Protocol::Netlink => socket.uid = None,
            _ => {
                socket.interface = interface;
                socket.shutdown = shutdown;
                socket.mark = mark;
                socket.cgroup_id = cgroup.map(u64::from);
                let can_take_ipv4 = Field::V6Only.applies_to(socket.table());
                socket.v6only = mark.filter(|_| can_take_ipv4).map(|mark| mark % 2 == 0);
                self.fill_connection(socket);
            }
        }
    }

    fn fill_connection(&self, socket: &mut Socket) {
        socket.timer = self.timer.and_then(|(code, expires_ms)| {
            Some(Timer {
                kind: TimerKind::from_code(code)?,
                expires_ms,
                retransmits: 2,
            })
        });
        let is_tcp = matches!(socket.protocol, Protocol::Tcp | Protocol::Mptcp);
        if is_tcp && matches!(socket.state, State::Listen | State::Bound) {
            let unspecified = match socket.family {
                Family::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
                _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            };
            (socket.peer.ip, socket.peer.port) = (Some(unspecified), None);
        }
        if let Some(name) = self.congestion.filter(|_| is_tcp) {
            socket.details_mut().congestion = name.into();
        }
        if socket.protocol == Protocol::Sctp {
            socket.kind = Some(SocketType::Association);
            let lists = [(); 2].map(|()| b"10.0.0.1".to_vec());
            socket.details_mut().addresses = lists;
        }
        self.fill_info(socket);
    }

    fn fill_info(&self, socket: &mut Socket) {
        let Some(len) = self.info else { return };
        let bytes: Vec<u8> = (0..=5).cycle().take(len).collect();
        if Field::BpfStorage.applies_to(socket.table()) && len > 100 {
            socket.details_mut().bpf_storage = b"12:16".to_vec();
        }
        let structures = Structure::ALL.into_iter();
        let table = socket.table();
        for structure in structures.filter(|of| Field::of_structure(*of).applies_to(table)) {
            socket.details_mut().set_info(structure, &bytes);
        }
        if socket.protocol == Protocol::Tcp && len > 100 {
            socket.details_mut().ulp = b"tls".to_vec();
            socket.details_mut().md5 = b"10.0.0.1/32".to_vec();
        }
    }
}
