//! The record of a transition, as the BPF program writes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::model::{Ending, Family, Process, Protocol, State, Syn, Table, Task, Traffic};

/// Limit of bytes of a command line.
pub(super) const COMMAND: usize = 256;

/// `SOCK_DEAD` (`enum sock_flags`, `include/net/sock.h`): no program holds it any more.
const DEAD: u64 = 1 << 0;
/// `SOCK_DONE`: the peer's FIN was received.
const DONE: u64 = 1 << 1;
/// `PF_KTHREAD` (`include/linux/sched.h`).
const KERNEL_THREAD: u32 = 0x0020_0000;

// `include/uapi/asm-generic/errno.h`.
const EPIPE: u32 = 32;
const ENETUNREACH: u32 = 101;
const ECONNABORTED: u32 = 103;
const ECONNRESET: u32 = 104;
const ETIMEDOUT: u32 = 110;
const ECONNREFUSED: u32 = 111;
const EHOSTUNREACH: u32 = 113;

/// A record. If a task held the socket, a command line of at most [`COMMAND`] bytes follows.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct StepRecord {
    /// `CLOCK_MONOTONIC`, in nanoseconds.
    pub(super) time_ns: u64,
    /// The address of the kernel's structure, which identifies a socket during its life.
    pub(super) socket: u64,
    /// 0 = none yet.
    pub(super) cookie: u64,
    /// 0 = no descriptor can exist.
    pub(super) inode: u64,
    /// 0 = unknown.
    pub(super) cgroup: u64,
    /// The cgroup of the current process; 0 = unknown.
    pub(super) task_cgroup: u64,
    pub(super) flags: u64,
    pub(super) sent: u64,
    /// Retransmitted bytes, included in those sent.
    pub(super) resent: u64,
    /// Includes one for the FIN.
    pub(super) received: u64,
    pub(super) old_state: u32,
    pub(super) new_state: u32,
    pub(super) mark: u32,
    pub(super) uid: u32,
    /// 0 = bound to none.
    pub(super) interface: u32,
    pub(super) error: u32,
    /// 1 if the current task holds the socket's lock, in a system call.
    pub(super) is_held: u8,
    /// Not 0 if the program has closed it, or shut it down while connected.
    pub(super) shutdown: u8,
    /// 1 if the SYN may wait for data (`TCP_FASTOPEN_CONNECT`); other bits have no meaning.
    pub(super) fast_open: u16,
    pub(super) process: u32,
    pub(super) thread: u32,
    pub(super) task_flags: u32,
    pub(super) task_uid: u32,
    pub(super) command_length: u32,
    /// In eighths of a microsecond.
    pub(super) srtt: u32,
    pub(super) retransmits: u32,
    /// `comm` of the process.
    pub(super) name: [u8; 16],
    /// `comm` of the thread.
    pub(super) thread_name: [u8; 16],
    /// IPv4 uses the first four bytes.
    pub(super) address: [u8; 16],
    pub(super) peer_address: [u8; 16],
    pub(super) protocol: u16,
    pub(super) family: u16,
    /// 0 = not chosen yet, or released.
    pub(super) port: u16,
    /// In network order.
    pub(super) peer_port: [u8; 2],
    /// The local port in network order. Unlike `port` it remains when the socket is closed, and until the next use
    /// chooses a port.
    pub(super) last_port: [u8; 2],
    /// 1 if a program saves or restores the connection (`TCP_REPAIR`); other bits have no meaning.
    pub(super) repair: u16,
    /// Segments sent.
    pub(super) segments: u32,
    /// Segments received.
    pub(super) answers: u32,
    /// Inode number of the network namespace.
    pub(super) netns: u32,
}

impl StepRecord {
    /// Reads a record and its command line; `None` = too few bytes.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (record, rest) = Self::read_from_prefix(bytes).ok()?;
        let length = usize::try_from(record.command_length).ok()?;
        Some((record, rest.get(..length).unwrap_or_default()))
    }

    /// The table of the socket; `None` = not watched.
    pub(super) const fn table(&self) -> Option<Table> {
        let protocol = match self.protocol {
            6 => Protocol::Tcp,
            262 => Protocol::Mptcp,
            _ => return None,
        };
        let family = match self.family {
            2 => Family::Inet,
            10 => Family::Inet6,
            _ => return None,
        };
        Some(Table { protocol, family })
    }

    /// The local end; port 0 = unknown.
    pub(super) fn local(&self) -> (IpAddr, u16) {
        let [_, new] = self.kernel_states();
        let port = match self.port {
            0 if new == State::Closed => u16::from_be_bytes(self.last_port),
            port => port,
        };
        (self.ip(self.address), port)
    }

    /// The peer. A listener has none; the addresses of an earlier peer are ignored.
    pub(super) fn peer(&self) -> (IpAddr, u16) {
        if self.is_listeners() {
            return (self.ip([0; 16]), 0);
        }
        (
            self.ip(self.peer_address),
            u16::from_be_bytes(self.peer_port),
        )
    }

    fn ip(&self, address: [u8; 16]) -> IpAddr {
        let [a, b, c, d, ..] = address;
        match self.family {
            10 => Ipv6Addr::from(address).into(),
            _ => Ipv4Addr::new(a, b, c, d).into(),
        }
    }

    /// True if the socket is or was a listener.
    fn is_listeners(&self) -> bool {
        let states = self.kernel_states();
        matches!(states, [_, State::Listen] | [State::Listen, State::Closed])
    }

    /// True if a listener made the socket. MPTCP has no transition to `SYN_RCVD`.
    pub(super) fn is_accepted(&self) -> bool {
        let [old, _] = self.kernel_states();
        old == State::Listen && !self.is_listeners()
    }

    /// The old and the new state.
    pub(super) fn kernel_states(&self) -> [State; 2] {
        [self.old_state, self.new_state]
            .map(|code| State::from_mptcp(u8::try_from(code).unwrap_or(u8::MAX)))
    }

    /// The state of the connection now; `None` = unchanged. The kernel reports the end of a socket when it keeps only
    /// a small structure of it: in `TIME_WAIT`, or in `FIN_WAIT_2` if the program has closed it.
    pub(super) fn new_state(&self) -> Option<State> {
        let [old, new] = self.kernel_states();
        let is_small =
            self.error == 0 && self.is_tcp() && new == State::Closed && !self.is_removed();
        let has = |flag| self.flags & flag != 0;
        match old {
            _ if old == new => None,
            State::FinWait2 | State::Closing if is_small && has(DONE) => Some(State::TimeWait),
            State::FinWait2 if is_small && has(DEAD) => None,
            _ => Some(new),
        }
    }

    /// How a connection ended, if not by the handshake of the close; `None` = by that, or unknown.
    pub(super) fn ending(&self) -> Option<Ending> {
        let [old, _] = self.kernel_states();
        if self.new_state() != Some(State::Closed) {
            return None;
        }
        let is_dead = self.flags & DEAD != 0;
        Some(match self.error {
            ECONNABORTED => Ending::Destroyed,
            ECONNREFUSED if self.is_tcp() && self.answers == 0 => Ending::Rejected,
            ECONNREFUSED => Ending::Refused,
            ETIMEDOUT => Ending::TimedOut,
            ENETUNREACH | EHOSTUNREACH => Ending::Unreachable,
            // Data came after the program had closed: then the reset is ours, with the same error.
            ECONNRESET if is_dead && matches!(old, State::FinWait1 | State::FinWait2) => {
                Ending::Reset
            }
            ECONNRESET | EPIPE => Ending::ResetByPeer,
            0 => match old {
                State::Listen | State::LastAck => return None,
                _ if self.is_removed() => Ending::Removed,
                State::FinWait2 | State::Closing if !self.is_tcp() => Ending::Complete,
                // Only its subflows know why.
                State::SynSent if !self.is_tcp() => return None,
                State::SynSent if self.local().1 == 0 => Ending::NoPort,
                State::SynSent if self.is_silent() => Ending::NotBegun,
                State::SynSent => Ending::GivenUp,
                _ if self.is_held == 1 => Ending::Aborted,
                _ if self.inode == 0 && !is_dead => Ending::NotAccepted,
                _ => return None,
            },
            _ => return None,
        })
    }

    pub(super) const fn is_tcp(&self) -> bool {
        self.protocol == 6
    }

    /// True if a process of this PID namespace made the transition.
    pub(super) const fn is_made_here(&self) -> bool {
        self.is_held == 1 && self.process != 0
    }

    /// True if the socket has sent nothing.
    pub(super) const fn is_silent(&self) -> bool {
        self.is_tcp() && self.segments == 0
    }

    /// True if a program removes the connection without a segment: `TCP_REPAIR`.
    const fn is_removed(&self) -> bool {
        self.repair & 1 == 1 && self.is_held == 1
    }

    /// What happens to the SYN, which is sent after this record if possible.
    pub(super) const fn syn(&self) -> Syn {
        if self.repair & 1 == 1 && self.is_silent() {
            Syn::Restored
        } else if self.fast_open & 1 == 1 {
            Syn::MayWait
        } else {
            Syn::Sent
        }
    }

    /// The current thread, if it made the transition: by a system call on this socket, or on the listener that will not
    /// accept it.
    pub(super) fn task(&self) -> Option<Task> {
        let [old, new] = self.kernel_states();
        let is_made = match (old, new) {
            (State::Closed | State::Listen, State::SynSent | State::Listen | State::Closed)
            | (State::SynRcvd | State::Established, State::FinWait1)
            | (State::CloseWait, State::LastAck) => self.is_held == 1,
            (State::SynSent, State::Established) => {
                self.is_held == 1 && self.syn() == Syn::Restored
            }
            _ => match self.ending() {
                Some(
                    Ending::Aborted
                    | Ending::GivenUp
                    | Ending::NotBegun
                    | Ending::Removed
                    | Ending::Destroyed,
                ) => self.is_held == 1,
                ending => ending == Some(Ending::NotAccepted),
            },
        };
        (is_made && self.process != 0).then_some(Task {
            pid: self.process,
            tid: self.thread,
            comm: self.thread_name,
        })
    }

    /// The name of the current process.
    pub(super) fn process_name(&self) -> &[u8] {
        let name = self.name.split(|byte| *byte == 0).next();
        name.unwrap_or_default()
    }

    /// The counters of TCP; `None` for listeners and other protocols.
    pub(super) fn traffic(&self) -> Option<Traffic> {
        // The peer's FIN is counted as a byte.
        let fin = u64::from(self.flags & DONE != 0);
        (self.is_tcp() && !self.is_listeners()).then(|| Traffic {
            bytes_sent: self.sent.saturating_sub(self.resent),
            bytes_received: self.received.saturating_sub(fin),
            retransmits: self.retransmits,
            rtt_us: Some(self.srtt >> 3).filter(|rtt_us| *rtt_us != 0),
        })
    }

    /// The current process, if it uses the socket. A process that destroys a socket need not use it, and kernel threads
    /// work for others. A listener being destroyed has no error yet.
    pub(super) fn user(&self, command: &[u8]) -> Option<Process> {
        let may_be_destroyed = self.kernel_states()[0] == State::Listen && self.shutdown == 0;
        let is_user = self.is_made_here()
            && self.error != ECONNABORTED
            && !may_be_destroyed
            && self.task_flags & KERNEL_THREAD == 0;
        is_user.then(|| {
            let mut process = Process {
                pid: self.process,
                name: Some(self.process_name().to_vec()),
                uid: Some(self.task_uid),
                ..Process::default()
            };
            process.set_command(command.to_vec());
            process
        })
    }
}

#[cfg(test)]
pub(super) mod tests;
