//! How a record is laid out: the kernel describes it in `format`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Context, Record};
use crate::model::{Family, Protocol, State};

/// `TRACE_FLAG_HARDIRQ` and `TRACE_FLAG_SOFTIRQ` of `include/linux/trace_events.h`.
const IN_INTERRUPT: u8 = 0x08 | 0x10;

/// Where a field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    offset: usize,
    size: usize,
}

impl Place {
    /// The field with this name, of a line each as in
    /// `field:__u16 sport; offset:28; size:2; signed:0;`.
    pub(super) fn of(format: &str, name: &str) -> Result<Self, String> {
        let place = format.lines().find_map(|line| Self::of_line(line, name));
        place.ok_or_else(|| format!("there is no field {name}"))
    }

    fn of_line(line: &str, wanted: &str) -> Option<Self> {
        let mut parts = line.trim().strip_prefix("field:")?.split(';');
        let declaration = parts.next()?;
        let name = declaration
            .split('[')
            .next()?
            .split_whitespace()
            .next_back()?;
        let mut number = |key: &str| parts.next()?.trim().strip_prefix(key)?.parse().ok();
        let (offset, size) = (number("offset:")?, number("size:")?);
        (name == wanted).then_some(Self { offset, size })
    }

    /// Where it begins, and how long it is.
    pub(super) const fn span(self) -> (usize, usize) {
        (self.offset, self.size)
    }

    fn bytes(self, entry: &[u8]) -> Option<&[u8]> {
        entry.get(self.offset..)?.get(..self.size)
    }

    fn array<const N: usize>(self, entry: &[u8]) -> Option<[u8; N]> {
        self.bytes(entry)?.try_into().ok()
    }

    /// A number of up to eight bytes, in this machine's order.
    pub(super) fn number(self, entry: &[u8]) -> Option<u64> {
        Some(match self.size {
            1 => u64::from(u8::from_ne_bytes(self.array(entry)?)),
            2 => u64::from(u16::from_ne_bytes(self.array(entry)?)),
            4 => u64::from(u32::from_ne_bytes(self.array(entry)?)),
            8 => u64::from_ne_bytes(self.array(entry)?),
            _ => return None,
        })
    }
}

/// Where the fields of `sock:inet_sock_set_state` are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    id: u64,
    kind: Place,
    flags: Place,
    pid: Place,
    socket: Place,
    states: [Place; 2],
    ports: [Place; 2],
    family: Place,
    protocol: Place,
    v4: [Place; 2],
    v6: [Place; 2],
}

impl Layout {
    /// Reads the text of `format`; the error says what is missing.
    pub(super) fn parse(format: &str) -> Result<Self, String> {
        let id = format.lines().find_map(|line| line.strip_prefix("ID:"));
        let id = id.and_then(|id| id.trim().parse().ok());
        let place = |name| Place::of(format, name);
        Ok(Self {
            id: id.ok_or("there is no ID")?,
            kind: place("common_type")?,
            flags: place("common_flags")?,
            pid: place("common_pid")?,
            socket: place("skaddr")?,
            states: [place("oldstate")?, place("newstate")?],
            ports: [place("sport")?, place("dport")?],
            family: place("family")?,
            protocol: place("protocol")?,
            v4: [place("saddr")?, place("daddr")?],
            v6: [place("saddr_v6")?, place("daddr_v6")?],
        })
    }

    /// Reads one entry; `None` = it is of another event, or of a protocol that is not watched.
    pub(super) fn record(&self, time_ns: u64, entry: &[u8]) -> Option<Record> {
        if self.kind.number(entry)? != self.id {
            return None;
        }
        let protocol = match self.protocol.number(entry)? {
            6 => Protocol::Tcp,
            262 => Protocol::Mptcp,
            _ => return None,
        };
        let family = match self.family.number(entry)? {
            2 => Family::Inet,
            10 => Family::Inet6,
            _ => return None,
        };
        let flags = u8::try_from(self.flags.number(entry)?).ok()?;
        let pid = u32::try_from(self.pid.number(entry)?).ok()?;
        let [old_state, new_state] = self.states.map(|place| state(place, entry));
        let [local, peer] = [0, 1].map(|side| self.end(family, side, entry));
        Some(Record {
            time_ns,
            socket: self.socket.number(entry)?,
            pid: pid.cast_signed(),
            context: if flags & IN_INTERRUPT == 0 {
                Context::Task
            } else {
                Context::Interrupt
            },
            old_state: old_state?,
            new_state: new_state?,
            protocol,
            family,
            local: local?,
            peer: peer?,
        })
    }

    fn end(&self, family: Family, side: usize, entry: &[u8]) -> Option<(IpAddr, u16)> {
        let port = self.ports.get(side)?.number(entry)?;
        let ip: IpAddr = match family {
            Family::Inet => Ipv4Addr::from(self.v4.get(side)?.array::<4>(entry)?).into(),
            _ => Ipv6Addr::from(self.v6.get(side)?.array::<16>(entry)?).into(),
        };
        Some((ip, u16::try_from(port).ok()?))
    }
}

/// A code of `include/net/tcp_states.h`. A netlink dump calls sockets `BOUND` that are here `CLOSED`.
fn state(place: Place, entry: &[u8]) -> Option<State> {
    Some(match place.number(entry)? {
        7 => State::Closed,
        code => State::from_tcp(u8::try_from(code).ok()?),
    })
}
