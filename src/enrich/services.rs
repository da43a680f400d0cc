//! Names of ports, from files: no packet leaves the machine for them.

use std::fs;
use std::ops::RangeInclusive;

use crate::model::{PortKind, Protocol, Socket};

use super::ethertypes;

/// The ports the kernel chooses from unless it is told otherwise (`ip_local_port_range`).
const DEFAULT_EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// Files with names, and what reads their second words: what such a word numbers, and the number.
/// Multipath TCP uses the ports of TCP, UDP-Lite those of UDP (RFC 3828, section 6).
const FILES: [(&str, SecondWord); 2] = [("/etc/services", service), ("/etc/protocols", protocol)];

type SecondWord = fn(&str) -> Option<(PortKind, u16)>;

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
    sorted: Vec<(PortKind, u16, Box<str>)>,
}

impl Names {
    /// Of a number with several names one stays.
    fn new(mut entries: Vec<(PortKind, u16, Box<str>)>, ports: Ports) -> Self {
        if ports == Ports::NamedLast {
            entries.reverse();
        }
        entries.sort_by_key(|entry| (entry.0, entry.1));
        entries.dedup_by_key(|entry| (entry.0, entry.1));
        Self { sorted: entries }
    }

    fn get(&self, kind: PortKind, number: u16) -> Option<&str> {
        let key = |entry: &(PortKind, u16, Box<str>)| (entry.0, entry.1);
        let at = self
            .sorted
            .binary_search_by_key(&(kind, number), key)
            .ok()?;
        self.sorted.get(at).map(|entry| &*entry.2)
    }
}

/// The names of ports.
#[derive(Debug)]
pub(super) struct Services {
    wanted: Ports,
    names: Option<Names>,
    /// Ports from here on belong to clients: a name there would be chance.
    ephemeral: u16,
}

impl Services {
    /// Names ports as `wanted`.
    pub(super) fn new(wanted: Ports) -> Self {
        Self {
            wanted,
            names: None,
            ephemeral: *DEFAULT_EPHEMERAL.start(),
        }
    }

    /// Reads the files before the first socket that has such a port.
    pub(super) fn prepare(&mut self, socket: &Socket) {
        let kind = socket.protocol.port();
        let in_files = matches!(kind, PortKind::Tcp | PortKind::Udp | PortKind::IpProtocol);
        if self.wanted == Ports::Numbers || self.names.is_some() || !in_files {
            return;
        }
        let entries = FILES
            .iter()
            .flat_map(|(path, second)| names(&read(path), *second));
        self.names = Some(Names::new(entries.collect(), self.wanted));
        self.ephemeral = *ephemeral_range().start();
    }

    /// The name of a port of a socket: of the service, the IP protocol (raw), the `EtherType`
    /// (packet), or `kernel` (netlink port 0).
    pub(super) fn name(&self, protocol: Protocol, port: Option<u32>) -> Option<&str> {
        let port = port.filter(|_| self.wanted != Ports::Numbers)?;
        let kind = match protocol.port() {
            PortKind::EtherType => return ethertypes::name(port),
            PortKind::PortId => return (port == 0).then_some(KERNEL),
            kind => kind,
        };
        let number = u16::try_from(port).ok()?;
        let by_chance = kind != PortKind::IpProtocol && number >= self.ephemeral;
        if by_chance && self.wanted == Ports::Named {
            return None;
        }
        self.names.as_ref()?.get(kind, number)
    }
}

/// What a service, an IP protocol, an `EtherType` or `kernel` (netlink) stands for: the reverse of
/// [`Services::name`], but ephemeral ports have names, too. Names are looked for before aliases, and
/// capitals do not matter.
pub(super) fn numbers(name: &str) -> Vec<(Protocol, u32)> {
    let files = FILES.iter();
    let found = files.flat_map(|(path, second)| known_as(name, &read(path), *second));
    let mut numbers: Vec<(Protocol, u32)> = found
        .flat_map(|(kind, number)| {
            let protocols = Protocol::ALL.into_iter();
            let those = protocols.filter(move |protocol| protocol.port() == kind);
            those.map(move |protocol| (protocol, number.into()))
        })
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
pub(super) fn ephemeral_range() -> RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let range = text.ok().as_deref().and_then(range);
    range.unwrap_or(DEFAULT_EPHEMERAL)
}

/// The name of netlink port 0.
const KERNEL: &str = "kernel";

/// `name port/protocol aliases… # comment` (`services(5)`), for TCP and UDP.
fn service(second: &str) -> Option<(PortKind, u16)> {
    let (port, protocol) = second.split_once('/')?;
    let kind = match protocol {
        "tcp" => PortKind::Tcp,
        "udp" => PortKind::Udp,
        _ => return None,
    };
    Some((kind, port.parse().ok()?))
}

/// `name number aliases… # comment` (`protocols(5)`).
fn protocol(second: &str) -> Option<(PortKind, u16)> {
    Some((PortKind::IpProtocol, second.parse().ok()?))
}

/// A file that is missing has no names.
fn read(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

/// The name in every line.
fn names(text: &[u8], second: SecondWord) -> Vec<(PortKind, u16, Box<str>)> {
    let entry = |(name, word, _)| {
        let (kind, number) = second(word)?;
        let name = std::str::from_utf8(name).ok()?;
        Some((kind, number, name.into()))
    };
    lines(text).filter_map(entry).collect()
}

/// The numbers with this name; of a kind without such a name, those with such an alias.
fn known_as(name: &str, text: &[u8], second: SecondWord) -> Vec<(PortKind, u16)> {
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
