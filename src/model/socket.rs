//! A socket as the kernel reports it.

use std::net::{IpAddr, Ipv6Addr};

use super::{
    BoundFile, Details, Endpoint, Family, Info, Memory, Protocol, SocketType, State, StateSet,
    Structure, Table, Timer, TimerKind, named,
};

/// Retransmissions from which a connection counts as stuck: more than 1.5 s, because intervals double from
/// 200 ms. One or two are normal loss.
pub const RETRANSMITS: u8 = 3;

/// Unread bytes from which a socket counts as stuck. A program may leave part of a message for later, but not
/// this much.
pub const UNREAD: u32 = 16 * 1024;

named! {
    /// The shut directions of a connection (half-close).
    pub enum Shutdown {
        /// Neither.
        None = "none",
        /// Receiving is shut, by the peer's FIN or `shutdown(SHUT_RD)`; can only send.
        Receive = "receive",
        /// Sending is shut, by `shutdown(SHUT_WR)`, which sends a FIN; can only receive.
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

    /// What this end can still do, as text.
    pub const fn words(self) -> &'static str {
        match self {
            Self::None => "open both ways",
            Self::Receive => "can only send",
            Self::Send => "can only receive",
            Self::Both => "closed both ways",
        }
    }
}

/// Raw columns of `net/tcp` and `net/unix` that netlink lacks; columns that a file does not have are 0. For
/// `net/netlink`, whether inodes are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProcNetExtras {
    /// `RefCount` of a unix socket: references in the kernel; all its descriptors count as one.
    pub references: u32,
    /// `rx_queue` of TCP.
    pub rx_queue: u32,
    /// `tx_queue` of TCP. A listener has none: its value is left from an earlier connection of the same
    /// socket.
    pub tx_queue: u32,
    /// `tr` of TCP: code of the running timer; 0 = none.
    pub timer: u8,
    /// `tm->when`: hundredths of a second until it expires.
    pub ticks: u64,
    /// `retrnsmt`: unanswered retransmissions, whichever timer runs.
    pub retransmits: u32,
    /// `timeout`: unanswered probes, whichever timer runs.
    pub probes: u32,
    /// True if the file lacks inodes, so the socket may have one.
    pub lacks_inode: bool,
}

named! {
    /// The source of rows.
    #[derive(Default)]
    pub enum Source {
        /// `sock_diag` netlink.
        #[default]
        Netlink = "netlink",
        /// The files of `/proc/net`.
        Procfs = "procfs",
        /// A recording.
        Replay = "replay",
        /// A BPF program that iterates over the TCP hash table, with netlink for what is not in it.
        Bpf = "bpf",
    }
}

impl Source {
    /// True if it lists all that the kernel lists.
    pub const fn tells_all(self) -> bool {
        matches!(self, Self::Netlink | Self::Bpf)
    }
}

/// A socket. `None` = unknown or not applicable, never zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Socket {
    /// Its protocol.
    pub protocol: Protocol,
    /// Its address family.
    pub family: Family,
    /// The source; set once by the one that fills it.
    pub source: Source,
    /// Inode number of its network namespace, set once by the source; `None` = that of `lsock`, not looked
    /// up.
    pub netns: Option<u32>,
    /// Its type, if the protocol does not determine it.
    pub kind: Option<SocketType>,
    /// Its state.
    pub state: State,
    /// Bytes received but not yet read; for a listener, connections waiting for `accept`.
    ///
    /// `idiag_rqueue` (`include/uapi/linux/inet_diag.h`) or `rx_queue` in `/proc/net/tcp`.
    pub recv_queue: Option<u32>,
    /// Bytes unacknowledged or not yet sent; for a listener, the limit of its queue.
    ///
    /// `idiag_wqueue` or `tx_queue`; `/proc` does not report the limit. `None` in `SYN_SENT` before the SYN.
    pub send_queue: Option<u32>,
    /// The local endpoint.
    pub local: Endpoint,
    /// The peer's endpoint.
    pub peer: Endpoint,
    /// Index of the interface it is bound to, or of the scope of a link-local address.
    pub interface: Option<u32>,
    /// The user who created it; `None` = it no longer belongs to a user.
    pub uid: Option<u32>,
    /// Inode number in sockfs, as in `/proc/PID/fd`. `None` = no descriptor can exist, unless
    /// [`lacks_inode`](Self::lacks_inode).
    pub inode: Option<u64>,
    /// The kernel's identifier of the socket, never reused; its `TIME_WAIT` socket has the same.
    pub cookie: Option<u64>,
    /// Half-close.
    pub shutdown: Option<Shutdown>,
    /// `IPV6_V6ONLY`; reported by netlink for IPv6 sockets without a peer.
    pub v6only: Option<bool>,
    /// The running timer.
    pub timer: Option<Timer>,
    /// `SO_MARK`; reported only with `CAP_NET_ADMIN`.
    pub mark: Option<u32>,
    /// Inode number of its cgroup's directory in cgroup2.
    pub cgroup_id: Option<u64>,
    /// Inode number of the peer socket (unix).
    pub peer_inode: Option<u64>,
    /// True if the kernel itself uses it (netlink): no descriptor of it exists.
    pub is_kernel: bool,
    /// Further columns of `/proc/net`, for TCP and unix sockets read there.
    pub proc_net: Option<ProcNetExtras>,
    /// What `-e`, `-i` and `-m` ask for.
    pub details: Option<Box<Details>>,
}

impl Socket {
    /// Creates an empty socket of a table with netlink as its source, to be filled repeatedly.
    pub fn new(protocol: Protocol, family: Family) -> Self {
        Self {
            protocol,
            family,
            ..Self::default()
        }
    }

    /// Makes it keep attributes without a field here.
    #[must_use]
    pub fn keeping_attributes(mut self, is_wanted: bool) -> Self {
        if is_wanted {
            self.details_mut().keeps_attributes = true;
        }
        self
    }

    /// Stores an attribute without a field here, if those are kept.
    pub fn keep(&mut self, number: u32, value: &[u8]) {
        if let Some(details) = &mut self.details
            && details.keeps_attributes
        {
            details.attributes.push((number, value.to_vec()));
        }
    }

    /// Clears all but the source, the namespace and allocated memory.
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
        self.is_kernel = false;
        self.proc_net = None;
        if let Some(details) = &mut self.details {
            details.clear();
        }
    }

    /// Clears values left from an earlier connection. In BOUND those are the peer and both queues. In
    /// `SYN_SENT` the send queue is the difference of two unset sequence numbers until the first SYN starts a
    /// timer.
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

    /// True if it is bound to `::` and also accepts IPv4; `None` = not reported.
    pub fn takes_ipv4_too(&self) -> Option<bool> {
        let is_any = self.local.ip == Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
        if !(self.state.is_bound() && is_any && self.protocol.has_service_ports()) {
            return Some(false);
        }
        self.v6only.map(|only| !only)
    }

    /// True if it uses this version of IP. An IPv6 socket at an IPv4-mapped address uses only IPv4; one at
    /// `::` may use both. `None` = not reported.
    pub fn speaks(&self, version: Family) -> Option<bool> {
        match self.local.ip.map(|ip| ip.to_canonical()) {
            Some(IpAddr::V4(_)) => Some(version == Family::Inet),
            Some(_) if version == Family::Inet => self.takes_ipv4_too(),
            _ => Some(version == self.family),
        }
    }

    /// True if its inode is not reported, and it may have one.
    pub fn lacks_inode(&self) -> bool {
        // `smc_diag` sends 0 for some accepted sockets.
        let is_untold = self.protocol == Protocol::Smc && self.inode.is_none();
        is_untold || self.proc_net.is_some_and(|listed| listed.lacks_inode)
    }

    /// True if a descriptor of it can exist.
    pub fn may_be_held(&self) -> bool {
        !self.is_kernel && (self.inode.is_some() || self.lacks_inode())
    }

    /// Its table.
    pub const fn table(&self) -> Table {
        Table {
            protocol: self.protocol,
            family: self.family,
        }
    }

    /// True if it has a connection with a state machine, or is opening or closing one.
    pub const fn is_connection(&self) -> bool {
        self.protocol.is_tcp_like() && !matches!(self.state, State::Listen | State::Bound)
    }

    /// True if exactly one direction is shut, by its TCP state or as the kernel reports.
    pub const fn is_half_closed(&self) -> bool {
        let by_state = matches!(
            self.state,
            State::FinWait1 | State::FinWait2 | State::CloseWait
        );
        let by_shutdown = matches!(self.shutdown, Some(Shutdown::Receive | Shutdown::Send));
        self.protocol.is_tcp_like() && by_state || by_shutdown
    }

    /// True if closed by its program but not yet by the kernel, and held by no descriptor.
    pub const fn is_orphan(&self) -> bool {
        self.protocol.is_tcp_like()
            && self.inode.is_none()
            && StateSet::ORPHANED.contains(self.state)
    }

    /// True if both of its ends are the same.
    pub fn is_self_connected(&self) -> bool {
        let has_port = self.local.port.is_some_and(|port| port > 0);
        has_port && self.local.port == self.peer.port && self.local.ip == self.peer.ip
    }

    /// True if [`UNREAD`] bytes or more wait to be read (not for a listener, whose queue holds connections),
    /// or if data does not get through: it was retransmitted [`RETRANSMITS`] times or more, or the peer's
    /// window is closed.
    pub fn may_be_stuck(&self) -> bool {
        let is_unread = self.recv_queue >= Some(UNREAD) && self.state != State::Listen;
        let is_held_up = self.timer.is_some_and(|timer| match timer.kind {
            TimerKind::Retransmit => timer.retransmits >= RETRANSMITS,
            TimerKind::Probe => true,
            TimerKind::Keepalive | TimerKind::TimeWait | TimerKind::DelayedAck => false,
        });
        self.protocol.is_tcp_like() && (is_unread || is_held_up)
    }

    /// The details; adds empty ones if there are none.
    pub fn details_mut(&mut self) -> &mut Details {
        self.details.get_or_insert_default()
    }

    /// Its memory, if requested.
    pub fn memory(&self) -> Option<&Memory> {
        self.details.as_ref()?.memory.as_ref()
    }

    /// The file it is bound to (unix), if requested.
    pub fn file(&self) -> Option<BoundFile> {
        self.details.as_ref()?.file
    }

    /// True if it is bound to a path (unix).
    pub fn has_path(&self) -> bool {
        self.protocol == Protocol::Unix && self.local.name.first().is_some_and(|first| *first != 0)
    }

    /// The value of an attribute without a field here, if requested.
    pub fn attribute(&self, number: u32) -> Option<&[u8]> {
        let mut kept = self.details.as_ref()?.attributes.iter();
        let found = kept.find(|(kept, _)| *kept == number)?;
        Some(&found.1)
    }

    /// A kernel structure, if requested.
    pub fn info(&self, structure: Structure) -> Option<Info<'_>> {
        self.details.as_ref()?.info(structure)
    }

    /// The addresses of its local end (0) or the peer (1), if it has several (SCTP).
    pub fn addresses(&self, end: usize) -> impl Iterator<Item = IpAddr> {
        let details = self.details.as_ref();
        let list = details.and_then(|details| details.addresses.get(end));
        let words = list
            .into_iter()
            .flat_map(|list| list.split(|byte| *byte == b','));
        words.filter_map(|word| str::from_utf8(word).ok()?.parse().ok())
    }

    /// Its congestion control algorithm, if requested.
    pub fn congestion(&self) -> Option<&[u8]> {
        let name = &self.details.as_ref()?.congestion;
        (!name.is_empty()).then_some(name.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Family, Protocol, Socket, State, Timer, TimerKind};
    use std::net::Ipv4Addr;

    /// A socket with a peer and both queues, as a source reports it.
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
