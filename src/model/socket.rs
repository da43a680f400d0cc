//! A socket as the kernel reports it.

use std::net::{IpAddr, Ipv6Addr};

use super::{
    BoundFile, Details, Endpoint, Family, Info, Memory, Protocol, SocketType, State, StateSet,
    Structure, Table, Timer, TimerKind, named,
};

/// A connection is stuck if it was sent again so often: over a second and a half, for each pause is
/// twice the one before it and the first is 200 ms. A lost segment takes one or two.
pub const RETRANSMITS: u8 = 3;

/// Bytes that wait to be read. A program may leave the rest of a message for later, but not this much.
pub const UNREAD: u32 = 16 * 1024;

named! {
    /// Which directions of a connection are shut: the half-close.
    pub enum Shutdown {
        /// Neither.
        None = "none",
        /// Receiving is shut: the peer has sent its FIN, or `shutdown(SHUT_RD)`; can only send.
        Receive = "receive",
        /// Sending is shut: `shutdown(SHUT_WR)`, our FIN; can only receive.
        Send = "send",
        /// Both.
        Both = "both",
    }
}

impl Shutdown {
    /// From the bits `RCV_SHUTDOWN` 1 and `SEND_SHUTDOWN` 2 (`include/net/sock.h`).
    pub const fn from_bits(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::None,
            1 => Self::Receive,
            2 => Self::Send,
            _ => Self::Both,
        }
    }

    /// What this end can still do, in words for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::None => "open both ways",
            Self::Receive => "can only send",
            Self::Send => "can only receive",
            Self::Both => "closed both ways",
        }
    }
}

/// What a line of `net/tcp` or `net/unix` has and netlink has not, as it stands there; columns the file
/// does not have are 0. Of `net/netlink`, that it lacks the inodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcNetExtras {
    /// `RefCount` of a unix socket: how often the kernel refers to it, its descriptors as one.
    pub references: u32,
    /// `rx_queue` of TCP.
    pub rx_queue: u32,
    /// `tx_queue` of TCP. A listener has no such queue: what stands there is left of a connection that
    /// the same socket had before.
    pub tx_queue: u32,
    /// `tr` of TCP: the code of the timer that runs; 0 = none.
    pub timer: u8,
    /// `tm->when`: hundredths of a second until it fires.
    pub ticks: u64,
    /// `retrnsmt`: segments sent again without an answer, whatever timer runs.
    pub retransmits: u32,
    /// `timeout`: probes sent without an answer, whatever timer runs.
    pub probes: u32,
    /// True if the file has no inodes, and the socket may have one.
    pub lacks_inode: bool,
}

named! {
    /// Where rows came from.
    #[derive(Default)]
    pub enum Source {
        /// `sock_diag` netlink.
        #[default]
        Netlink = "netlink",
        /// The files of `/proc/net`.
        Procfs = "procfs",
        /// A recording.
        Replay = "replay",
        /// A walk through the table of TCP connections by a BPF program, and netlink for what is in no such table.
        Bpf = "bpf",
    }
}

impl Source {
    /// True if it lists all that the kernel lists.
    pub const fn tells_all(self) -> bool {
        matches!(self, Self::Netlink | Self::Bpf)
    }
}

/// One socket. `None` = unknown or not applicable, never zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Socket {
    /// What it speaks.
    pub protocol: Protocol,
    /// Its address family.
    pub family: Family,
    /// Who reports it; set once by the source that fills it.
    pub source: Source,
    /// Inode number of its network namespace; set once by the source; `None` = the own one, unasked.
    pub netns: Option<u32>,
    /// Its type, where the protocol does not say it.
    pub kind: Option<SocketType>,
    /// Where it stands in the state machine.
    pub state: State,
    /// Bytes received but not yet read; for a listener, connections waiting for `accept`.
    ///
    /// `idiag_rqueue` (`include/uapi/linux/inet_diag.h`) or `rx_queue` in `/proc/net/tcp`.
    pub recv_queue: Option<u32>,
    /// Bytes sent but not acknowledged, or not yet sent; for a listener, the limit of its queue.
    ///
    /// `idiag_wqueue` or `tx_queue`; `/proc` does not tell the limit. `None` in `SYN_SENT` before the SYN.
    pub send_queue: Option<u32>,
    /// Its own end.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// Index of the interface it is bound to, or of the scope of a link-local address.
    pub interface: Option<u32>,
    /// The user who made it; `None` for sockets that belong to no user any more.
    pub uid: Option<u32>,
    /// Inode number in sockfs: what `/proc/PID/fd` shows. `None` = no descriptor can exist, unless
    /// [`lacks_inode`](Self::lacks_inode).
    pub inode: Option<u64>,
    /// The kernel's identifier of the socket, never used twice; what is left of its connections
    /// (`TIME_WAIT`) has the same.
    pub cookie: Option<u64>,
    /// Half-close.
    pub shutdown: Option<Shutdown>,
    /// `IPV6_V6ONLY`; told of IPv6 sockets without a peer, by netlink.
    pub v6only: Option<bool>,
    /// The timer that runs.
    pub timer: Option<Timer>,
    /// `SO_MARK`; told only to `CAP_NET_ADMIN`.
    pub mark: Option<u32>,
    /// Inode number of its cgroup's directory in cgroup2.
    pub cgroup_id: Option<u64>,
    /// Inode number of the socket at the other end (unix).
    pub peer_inode: Option<u64>,
    /// What a file of `/proc/net` has beside that; of TCP and unix sockets that were read there.
    pub proc_net: Option<ProcNetExtras>,
    /// What was asked for with `-e`, `-i` and `-m`.
    pub details: Option<Box<Details>>,
}

impl Socket {
    /// An empty socket of a table, reported by netlink, to be filled again and again.
    pub fn new(protocol: Protocol, family: Family) -> Self {
        Self {
            protocol,
            family,
            ..Self::default()
        }
    }

    /// The same, which keeps the attributes that it has no field for.
    #[must_use]
    pub fn keeping_attributes(mut self, is_wanted: bool) -> Self {
        if is_wanted {
            self.details_mut().keeps_attributes = true;
        }
        self
    }

    /// Keeps an attribute that it has no field for, where those are wanted.
    pub fn keep(&mut self, number: u32, value: &[u8]) {
        if let Some(details) = &mut self.details
            && details.keeps_attributes
        {
            details.attributes.push((number, value.to_vec()));
        }
    }

    /// Forgets everything but who reports it and of which namespace, and the memory it holds.
    pub fn reset(&mut self, protocol: Protocol, family: Family) {
        self.protocol = protocol;
        self.family = family;
        self.kind = None;
        self.state = State::Unconn;
        self.recv_queue = None;
        self.send_queue = None;
        self.local.clear();
        self.peer.clear();
        self.interface = None;
        self.uid = None;
        self.inode = None;
        self.cookie = None;
        self.shutdown = None;
        self.v6only = None;
        self.timer = None;
        self.mark = None;
        self.cgroup_id = None;
        self.peer_inode = None;
        self.proc_net = None;
        if let Some(details) = &mut self.details {
            details.clear();
        }
    }

    /// Clears what an earlier life of the socket left behind. In BOUND that is the peer and both queues; in
    /// `SYN_SENT` the send queue is the difference of two unset sequence numbers until the first SYN, which
    /// starts a timer.
    pub fn clear_leftovers(&mut self) {
        let is_bound = match self.state {
            State::Bound => true,
            State::Closed => self.protocol.is_tcp_like(),
            _ => false,
        };
        if is_bound {
            self.recv_queue = None;
            self.peer.clear();
        }
        let is_unsent = self.state == State::SynSent && self.timer.is_none();
        if is_bound || is_unsent && self.protocol == Protocol::Tcp {
            self.send_queue = None;
        }
    }

    /// True if its own address, `::`, stands for every IPv4 address too; `None` = that is not told.
    pub fn takes_ipv4_too(&self) -> Option<bool> {
        let is_any = self.local.ip == Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        if !(self.state.is_bound() && is_any && self.protocol.has_service_ports()) {
            return Some(false);
        }
        self.v6only.map(|only| !only)
    }

    /// True if it speaks this version of IP: an IPv6 socket at an IPv4-mapped address speaks IPv4 alone, one
    /// at `::` may speak both. `None` = that is not told.
    pub fn speaks(&self, version: Family) -> Option<bool> {
        match self.local.ip.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(_)) => Some(version == Family::Inet),
            Some(_) if version == Family::Inet => self.takes_ipv4_too(),
            _ => Some(version == self.family),
        }
    }

    /// True if its inode is not told, and it may have one.
    pub fn lacks_inode(&self) -> bool {
        // `smc_diag` sends 0 of some sockets that were accepted.
        let is_untold = self.protocol == Protocol::Smc && self.inode.is_none();
        is_untold || self.proc_net.is_some_and(|listed| listed.lacks_inode)
    }

    /// True if a descriptor of it can exist.
    pub fn may_be_held(&self) -> bool {
        self.inode.is_some() || self.lacks_inode()
    }

    /// The table it is in.
    pub const fn table(&self) -> Table {
        Table {
            protocol: self.protocol,
            family: self.family,
        }
    }

    /// True if it has, or begins or ends, a connection with a state machine.
    pub const fn is_connection(&self) -> bool {
        self.protocol.is_tcp_like() && !matches!(self.state, State::Listen | State::Bound)
    }

    /// One direction is shut, the other open: by the state of TCP, or as the kernel tells.
    pub const fn is_half_closed(&self) -> bool {
        let by_state = matches!(
            self.state,
            State::FinWait1 | State::FinWait2 | State::CloseWait
        );
        let by_shutdown = matches!(self.shutdown, Some(Shutdown::Receive | Shutdown::Send));
        self.protocol.is_tcp_like() && by_state || by_shutdown
    }

    /// Closed by its program, not yet by the kernel, and held by no descriptor.
    pub const fn is_orphan(&self) -> bool {
        self.protocol.is_tcp_like()
            && self.inode.is_none()
            && StateSet::ORPHANED.contains(self.state)
    }

    /// True if it is connected to itself: both ends are one.
    pub fn is_self_connected(&self) -> bool {
        let has_port = self.local.port.is_some_and(|port| port > 0);
        has_port && self.local.port == self.peer.port && self.local.ip == self.peer.ip
    }

    /// Much waits to be read ([`UNREAD`] bytes or more; of a listener, connections wait, not bytes), or
    /// data does not get through: it was sent again [`RETRANSMITS`] times or more, or the window of the
    /// peer is closed.
    pub fn may_be_stuck(&self) -> bool {
        let is_unread = self.recv_queue >= Some(UNREAD) && self.state != State::Listen;
        let is_held_up = self.timer.is_some_and(|timer| match timer.kind {
            TimerKind::Retransmit => timer.retransmits >= RETRANSMITS,
            TimerKind::Probe => true,
            TimerKind::Keepalive | TimerKind::TimeWait | TimerKind::DelayedAck => false,
        });
        self.protocol.is_tcp_like() && (is_unread || is_held_up)
    }

    /// The details, made when there are none.
    pub fn details_mut(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// The memory it uses, where that was asked for.
    pub fn memory(&self) -> Option<&Memory> {
        self.details.as_ref()?.memory.as_ref()
    }

    /// The file it is bound to (unix), where that was asked for.
    pub fn file(&self) -> Option<BoundFile> {
        self.details.as_ref()?.file
    }

    /// True if it is bound to a path (unix).
    pub fn has_path(&self) -> bool {
        self.protocol == Protocol::Unix && self.local.name.first().is_some_and(|first| *first != 0)
    }

    /// What the kernel sent in an attribute that no field here holds, where those were asked for.
    pub fn attribute(&self, number: u32) -> Option<&[u8]> {
        let mut kept = self.details.as_ref()?.attributes.iter();
        let found = kept.find(|(kept, _)| *kept == number)?;
        Some(&found.1)
    }

    /// A structure of the kernel, where that was asked for.
    pub fn info(&self, structure: Structure) -> Option<Info<'_>> {
        self.details.as_ref()?.info(structure)
    }

    /// The addresses of its own end (0), or of the other one (1), where there are several of an end (SCTP).
    pub fn addresses(&self, end: usize) -> impl Iterator<Item = IpAddr> {
        let details = self.details.as_ref();
        let list = details.and_then(|details| details.addresses.get(end));
        let words = list
            .into_iter()
            .flat_map(|list| list.split(|byte| *byte == b','));
        words.filter_map(|word| str::from_utf8(word).ok()?.parse().ok())
    }

    /// Its congestion control algorithm, where that was asked for.
    pub fn congestion(&self) -> Option<&[u8]> {
        let name = &self.details.as_ref()?.congestion;
        (!name.is_empty()).then_some(name.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Family, Protocol, Socket, State, Timer, TimerKind};
    use std::net::Ipv4Addr;

    /// As a source tells it, with a peer and both queues.
    fn told(protocol: Protocol, state: State, timer: Option<Timer>) -> Socket {
        let mut socket = Socket::new(protocol, Family::Inet);
        (socket.state, socket.timer) = (state, timer);
        (socket.recv_queue, socket.send_queue) = (Some(3), Some(4));
        socket.peer.ip = Some(Ipv4Addr::LOCALHOST.into());
        socket.clear_leftovers();
        socket
    }

    #[test]
    fn what_an_earlier_life_left_behind_is_cleared() {
        let bound = told(Protocol::Tcp, State::Bound, None);
        assert_eq!((bound.recv_queue, bound.send_queue), (None, None));
        assert_eq!(bound.peer, Endpoint::default());
        let timer = Timer {
            kind: TimerKind::Retransmit,
            expires_ms: 900,
            retransmits: 0,
        };
        for (protocol, state, timer, send_queue) in [
            (Protocol::Tcp, State::SynSent, None, None),
            (Protocol::Tcp, State::SynSent, Some(timer), Some(4)),
            (Protocol::Tcp, State::Established, None, Some(4)),
            (Protocol::Mptcp, State::SynSent, None, Some(4)),
            (Protocol::Udp, State::Unconn, None, Some(4)),
        ] {
            let socket = told(protocol, state, timer);
            assert_eq!(socket.send_queue, send_queue, "{protocol} {state}");
            assert_eq!(socket.recv_queue, Some(3));
            assert!(socket.peer.ip.is_some());
        }
    }
}
