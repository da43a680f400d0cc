//! The program's records: one for each socket, and one about the table.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustix::time::{ClockId, clock_getres};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::model::{Endpoint, Family, Protocol, Shutdown, Socket, Timer, TimerKind};

/// In place of a family: the first record, about the table.
pub(super) const TABLE: u8 = 0xfe;
/// In place of a family: a chain had the end of another.
pub(super) const STRAYED: u8 = 0xff;

/// The fields that lists show; a record by itself if nothing more is requested.
#[derive(Debug, Default, Clone, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct Head {
    /// Inode number of its network namespace, if several are walked.
    pub(super) netns: u32,
    /// `skc_bound_dev_if`
    pub(super) interface: u32,
    /// Addresses in network order; IPv4 in the first four bytes.
    pub(super) local: [u8; 16],
    pub(super) peer: [u8; 16],
    /// `rcv_nxt - copied_seq`, which is -1 after a FIN that was read.
    pub(super) recv_queue: i32,
    pub(super) send_queue: u32,
    /// In host order.
    pub(super) local_port: u16,
    /// In network order.
    pub(super) peer_port: [u8; 2],
    /// The kernel's number, or [`TABLE`] or [`STRAYED`].
    pub(super) family: u8,
    /// The kernel's number.
    pub(super) state: u8,
    /// As in netlink: `idiag_timer`
    pub(super) timer: u8,
    /// `idiag_retrans`
    pub(super) retransmits: u8,
}

/// The fields that netlink reports, too.
#[derive(Debug, Default, Clone, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct Detailed {
    pub(super) head: Head,
    pub(super) cgroup: u64,
    pub(super) inode: u64,
    /// Ticks until the timer fires; negative if overdue.
    pub(super) expires: i32,
    pub(super) uid: u32,
    pub(super) mark: u32,
    pub(super) shutdown: u8,
    /// 1 for a full socket, 0 for a request or timewait structure.
    pub(super) is_full: u8,
    pub(super) unused: [u8; 2],
}

/// A record of either kind.
pub(super) trait Record: Clone + FromBytes + IntoBytes + Send {
    fn head(&self) -> &Head;

    /// The inode number of the socket; 0 = it has none, or it is not recorded.
    fn inode(&self) -> u64 {
        0
    }

    /// Decodes into the scratch socket; false if the family is not one of TCP.
    fn decode(&self, ticks: Ticks, socket: &mut Socket) -> bool;
}

/// The kind of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Extent {
    /// [`Head`]
    Head,
    /// [`Detailed`]
    Detailed,
}

impl Extent {
    /// Bytes of a record.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::Head => size_of::<Head>(),
            Self::Detailed => size_of::<Detailed>(),
        }
    }
}

/// Nanoseconds of a kernel tick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ticks(i64);

impl Ticks {
    /// The resolution of the coarse clock, which advances once a tick.
    pub(super) fn of_kernel() -> Self {
        Self(clock_getres(ClockId::MonotonicCoarse).tv_nsec)
    }

    pub(super) fn millis(self, ticks: i32) -> u32 {
        let nanos = i64::from(ticks.max(0)) * self.0;
        u32::try_from(nanos / 1_000_000).unwrap_or(u32::MAX)
    }
}

impl Record for Head {
    fn head(&self) -> &Head {
        self
    }

    fn decode(&self, _: Ticks, socket: &mut Socket) -> bool {
        let family = Family::from_code(self.family);
        let Some(family @ (Family::Inet | Family::Inet6)) = family else {
            return false;
        };
        socket.reset(Protocol::Tcp, family);
        socket.state = Protocol::Tcp.state(self.state);
        socket.recv_queue = u32::try_from(self.recv_queue).ok().or(Some(0));
        socket.send_queue = Some(self.send_queue);
        set(&mut socket.local, family, self.local, self.local_port);
        let peer_port = u16::from_be_bytes(self.peer_port);
        set(&mut socket.peer, family, self.peer, peer_port);
        socket.interface = Some(self.interface).filter(|index| *index != 0);
        socket.timer = TimerKind::from_code(self.timer).map(|kind| Timer {
            kind,
            expires_ms: 0,
            retransmits: self.retransmits,
        });
        true
    }
}

impl Record for Detailed {
    fn head(&self) -> &Head {
        &self.head
    }

    fn inode(&self) -> u64 {
        self.inode
    }

    fn decode(&self, ticks: Ticks, socket: &mut Socket) -> bool {
        if !self.head.decode(ticks, socket) {
            return false;
        }
        if let Some(timer) = &mut socket.timer {
            timer.expires_ms = ticks.millis(self.expires);
        }
        socket.mark = Some(self.mark);
        // As in netlink: orphans have no owner, and only full sockets have the rest.
        socket.inode = Some(self.inode).filter(|inode| *inode != 0);
        socket.uid = Some(self.uid).filter(|uid| *uid != 0 || self.inode != 0);
        if self.is_full == 1 {
            socket.shutdown = Some(Shutdown::from_bits(self.shutdown));
            socket.cgroup_id = Some(self.cgroup).filter(|id| *id != 0);
        }
        true
    }
}

fn set(end: &mut Endpoint, family: Family, bytes: [u8; 16], port: u16) {
    let [a, b, c, d, ..] = bytes;
    end.ip = Some(match family {
        Family::Inet => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => IpAddr::V6(Ipv6Addr::from(bytes)),
    });
    end.port = Some(u32::from(port)).filter(|port| *port != 0);
}
