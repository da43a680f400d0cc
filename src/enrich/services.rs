//! Names of ports, from files: no packet leaves the machine for them.

use std::fs;

use crate::model::{Protocol, Socket};

use super::ethertypes;

/// Ports from here on belong to clients: a name there would be chance (`ip_local_port_range`).
const DEFAULT_EPHEMERAL: u16 = 32_768;

/// What numbers a service name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A port of TCP.
    Tcp,
    /// A port of UDP.
    Udp,
    /// An IP protocol.
    Ip,
}

impl Kind {
    /// Multipath TCP uses the ports of TCP, UDP-Lite those of UDP (RFC 3828, section 6).
    const fn of(protocol: Protocol) -> Option<Self> {
        match protocol {
            Protocol::Tcp | Protocol::Mptcp => Some(Self::Tcp),
            Protocol::Udp | Protocol::UdpLite => Some(Self::Udp),
            Protocol::Raw => Some(Self::Ip),
            Protocol::Icmp | Protocol::Unix | Protocol::Packet | Protocol::Netlink => None,
        }
    }
}

/// Numbers and their names.
#[derive(Debug, Default)]
struct Names {
    /// Ascending, each number once.
    sorted: Vec<(Kind, u16, Box<str>)>,
}

impl Names {
    /// Of a number with several names the first one stays.
    fn new(mut entries: Vec<(Kind, u16, Box<str>)>) -> Self {
        entries.sort_by_key(|entry| (entry.0, entry.1));
        entries.dedup_by_key(|entry| (entry.0, entry.1));
        Self { sorted: entries }
    }

    fn get(&self, kind: Kind, number: u16) -> Option<&str> {
        let key = |entry: &(Kind, u16, Box<str>)| (entry.0, entry.1);
        let at = self
            .sorted
            .binary_search_by_key(&(kind, number), key)
            .ok()?;
        self.sorted.get(at).map(|entry| &*entry.2)
    }
}

/// The names of ports that are not chosen by chance.
#[derive(Debug)]
pub struct Services {
    wanted: bool,
    names: Option<Names>,
    ephemeral: u16,
}

impl Services {
    /// Names ports, or (`wanted` = false) never does.
    pub fn new(wanted: bool) -> Self {
        Self {
            wanted,
            names: None,
            ephemeral: DEFAULT_EPHEMERAL,
        }
    }

    /// Reads `/etc/services` and `/etc/protocols` before the first socket that has such a port. A
    /// file that is missing has no names.
    pub fn prepare(&mut self, socket: &Socket) {
        if !self.wanted || self.names.is_some() || Kind::of(socket.protocol).is_none() {
            return;
        }
        let mut entries = services(&fs::read("/etc/services").unwrap_or_default());
        entries.extend(protocols(&fs::read("/etc/protocols").unwrap_or_default()));
        self.names = Some(Names::new(entries));
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        if let Some(first) = range.ok().as_deref().and_then(first_ephemeral) {
            self.ephemeral = first;
        }
    }

    /// The name of a port of a socket: of the service, the IP protocol (raw), the `EtherType`
    /// (packet), or `kernel` (netlink port 0).
    pub fn name(&self, protocol: Protocol, port: Option<u32>) -> Option<&str> {
        let port = port.filter(|_| self.wanted)?;
        match protocol {
            Protocol::Packet => return ethertypes::name(port),
            Protocol::Netlink => return (port == 0).then_some("kernel"),
            _ => {}
        }
        let kind = Kind::of(protocol)?;
        let number = u16::try_from(port).ok()?;
        if kind != Kind::Ip && number >= self.ephemeral {
            return None;
        }
        self.names.as_ref()?.get(kind, number)
    }
}

/// `name port/protocol aliases… # comment` (`services(5)`), for TCP and UDP.
fn services(text: &[u8]) -> Vec<(Kind, u16, Box<str>)> {
    let entry = |(name, number): (&[u8], &str)| {
        let (port, protocol) = number.split_once('/')?;
        let kind = match protocol {
            "tcp" => Kind::Tcp,
            "udp" => Kind::Udp,
            _ => return None,
        };
        let name = std::str::from_utf8(name).ok()?;
        Some((kind, port.parse().ok()?, name.into()))
    };
    lines(text).filter_map(entry).collect()
}

/// `name number aliases… # comment` (`protocols(5)`).
fn protocols(text: &[u8]) -> Vec<(Kind, u16, Box<str>)> {
    let entry = |(name, number): (&[u8], &str)| {
        let name = std::str::from_utf8(name).ok()?;
        Some((Kind::Ip, number.parse().ok()?, name.into()))
    };
    lines(text).filter_map(entry).collect()
}

/// The first two words of every line that has two before its comment.
fn lines(text: &[u8]) -> impl Iterator<Item = (&[u8], &str)> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line.split(|byte| *byte == b'#').next()?;
        let words = line.split(u8::is_ascii_whitespace);
        let mut words = words.filter(|word| !word.is_empty());
        Some((words.next()?, std::str::from_utf8(words.next()?).ok()?))
    })
}

fn first_ephemeral(range: &str) -> Option<u16> {
    range.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests;
