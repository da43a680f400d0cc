//! Names of ports, from files: no packet leaves the machine for them.

use std::fs;
use std::ops::RangeInclusive;

use crate::model::{PortKind, Protocol, Socket};

use super::ethertypes;

/// The ports the kernel chooses from unless it is told otherwise (`ip_local_port_range`).
const DEFAULT_EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

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
        match protocol.port() {
            PortKind::Tcp => Some(Self::Tcp),
            PortKind::Udp => Some(Self::Udp),
            PortKind::IpProtocol => Some(Self::Ip),
            PortKind::None | PortKind::EchoId | PortKind::EtherType | PortKind::PortId => None,
        }
    }
}

/// Which names ports are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ports {
    /// None: they stay numbers.
    #[default]
    Numbers,
    /// The first name of a port in the files, unless the kernel gives such ports to clients.
    Named,
    /// The last name of a port in the files, whatever the port: what `netstat` shows.
    NamedLast,
}

/// Numbers and their names.
#[derive(Debug, Default)]
struct Names {
    /// Ascending, each number once.
    sorted: Vec<(Kind, u16, Box<str>)>,
}

impl Names {
    /// Of a number with several names one stays.
    fn new(mut entries: Vec<(Kind, u16, Box<str>)>, ports: Ports) -> Self {
        if ports == Ports::NamedLast {
            entries.reverse();
        }
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

/// The names of ports.
#[derive(Debug)]
pub struct Services {
    wanted: Ports,
    names: Option<Names>,
    /// Ports from here on belong to clients: a name there would be chance.
    ephemeral: u16,
}

impl Services {
    /// Names ports as `wanted`.
    pub fn new(wanted: Ports) -> Self {
        Self {
            wanted,
            names: None,
            ephemeral: *DEFAULT_EPHEMERAL.start(),
        }
    }

    /// Reads `/etc/services` and `/etc/protocols` before the first socket that has such a port. A
    /// file that is missing has no names.
    pub fn prepare(&mut self, socket: &Socket) {
        let named = self.wanted != Ports::Numbers;
        if !named || self.names.is_some() || Kind::of(socket.protocol).is_none() {
            return;
        }
        let mut entries = names(&services_file(), service);
        entries.extend(names(&protocols_file(), protocol));
        self.names = Some(Names::new(entries, self.wanted));
        self.ephemeral = *ephemeral_range().start();
    }

    /// The name of a port of a socket: of the service, the IP protocol (raw), the `EtherType`
    /// (packet), or `kernel` (netlink port 0).
    pub fn name(&self, protocol: Protocol, port: Option<u32>) -> Option<&str> {
        let port = port.filter(|_| self.wanted != Ports::Numbers)?;
        match protocol.port() {
            PortKind::EtherType => return ethertypes::name(port),
            PortKind::PortId => return (port == 0).then_some(KERNEL),
            _ => {}
        }
        let kind = Kind::of(protocol)?;
        let number = u16::try_from(port).ok()?;
        let by_chance = kind != Kind::Ip && number >= self.ephemeral;
        if by_chance && self.wanted == Ports::Named {
            return None;
        }
        self.names.as_ref()?.get(kind, number)
    }
}

/// What a service, an IP protocol, an `EtherType` or `kernel` (netlink) stands for: the reverse of
/// [`Services::name`], but ephemeral ports have names, too. Names are looked for before aliases, and
/// capitals do not matter.
pub fn numbers(name: &str) -> Vec<(Protocol, u32)> {
    let mut found = known_as(name, &services_file(), service);
    found.extend(known_as(name, &protocols_file(), protocol));
    let of = |kind: Kind, number: u16| {
        let protocols = Protocol::ALL.into_iter();
        let those = protocols.filter(move |protocol| Kind::of(*protocol) == Some(kind));
        those.map(move |protocol| (protocol, number.into()))
    };
    let mut numbers: Vec<(Protocol, u32)> = found
        .into_iter()
        .flat_map(|(kind, number)| of(kind, number))
        .collect();
    let ethertype = ethertypes::number(name).map(|number| (Protocol::Packet, number.into()));
    let kernel = name.eq_ignore_ascii_case(KERNEL);
    numbers.extend(ethertype);
    numbers.extend(kernel.then_some((Protocol::Netlink, 0)));
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// The ports the kernel chooses from, in the network namespace of this process.
pub fn ephemeral_range() -> RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let range = text.ok().as_deref().and_then(range);
    range.unwrap_or(DEFAULT_EPHEMERAL)
}

/// The name of netlink port 0.
const KERNEL: &str = "kernel";

/// Reads a second word: what it numbers, and the number.
type Second = fn(&str) -> Option<(Kind, u16)>;

/// `name port/protocol aliases… # comment` (`services(5)`), for TCP and UDP.
fn service(second: &str) -> Option<(Kind, u16)> {
    let (port, protocol) = second.split_once('/')?;
    let kind = match protocol {
        "tcp" => Kind::Tcp,
        "udp" => Kind::Udp,
        _ => return None,
    };
    Some((kind, port.parse().ok()?))
}

/// `name number aliases… # comment` (`protocols(5)`).
fn protocol(second: &str) -> Option<(Kind, u16)> {
    Some((Kind::Ip, second.parse().ok()?))
}

fn services_file() -> Vec<u8> {
    fs::read("/etc/services").unwrap_or_default()
}

fn protocols_file() -> Vec<u8> {
    fs::read("/etc/protocols").unwrap_or_default()
}

/// The name in every line.
fn names(text: &[u8], second: Second) -> Vec<(Kind, u16, Box<str>)> {
    let entry = |(name, word, _)| {
        let (kind, number) = second(word)?;
        let name = std::str::from_utf8(name).ok()?;
        Some((kind, number, name.into()))
    };
    lines(text).filter_map(entry).collect()
}

/// The numbers with this name; of a kind without such a name, those with such an alias.
fn known_as(name: &str, text: &[u8], second: Second) -> Vec<(Kind, u16)> {
    let is_it = |word: &[u8]| word.eq_ignore_ascii_case(name.as_bytes());
    let (mut named, mut aliased) = (Vec::new(), Vec::new());
    for (first, word, mut aliases) in lines(text) {
        if is_it(first) {
            named.extend(second(word));
        } else if aliases.any(is_it) {
            aliased.extend(second(word));
        }
    }
    aliased.retain(|(kind, _)| !named.iter().any(|(named, _)| named == kind));
    named.extend(aliased);
    named
}

/// The first two words, and the others, of every line that has two before its comment.
fn lines(text: &[u8]) -> impl Iterator<Item = (&[u8], &str, impl Iterator<Item = &[u8]>)> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = line.split(|byte| *byte == b'#').next()?;
        let words = line.split(u8::is_ascii_whitespace);
        let mut words = words.filter(|word| !word.is_empty());
        let first = words.next()?;
        let second = std::str::from_utf8(words.next()?).ok()?;
        Some((first, second, words))
    })
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut ports = text.split_whitespace().map(str::parse);
    let (first, last) = (ports.next()?.ok()?, ports.next()?.ok()?);
    Some(first..=last)
}

#[cfg(test)]
mod tests;
