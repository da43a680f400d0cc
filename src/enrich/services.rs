//! Names of ports, from files: no packet leaves the machine for them.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::model::{PortKind, Protocol, Socket};
use crate::procfs::file::read_path;
use crate::text::escape;

use super::ethertypes;
use super::name_cache::NameCache;

/// The ports the kernel chooses from unless it is told otherwise (`ip_local_port_range`).
const DEFAULT_EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// Files with names, and what reads their second words: what such a word numbers, and the number.
/// Multipath TCP uses the ports of TCP, UDP-Lite those of UDP (RFC 3828, section 6).
const FILES: [(&str, SecondWord); 2] = [("/etc/services", service), ("/etc/protocols", protocol)];

type SecondWord = fn(&str) -> Option<(PortKind, u16)>;

/// What has a name, and its name.
type Named = ((PortKind, u16), Box<str>);

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
    /// As [`Named`](Self::Named); of a netlink port the process with that number, which may be another one's: what
    /// `ss` shows.
    AsSs,
}

/// The names of ports.
#[derive(Debug)]
pub(super) struct Services {
    wanted: Ports,
    /// Ascending, each number once.
    names: Option<Vec<Named>>,
    /// Ports from here on belong to clients: a name there would be chance.
    ephemeral: u16,
    /// Of processes by their numbers.
    processes: NameCache,
}

impl Services {
    pub(super) fn new(wanted: Ports) -> Self {
        Self {
            wanted,
            names: None,
            ephemeral: *DEFAULT_EPHEMERAL.start(),
            processes: NameCache::new((wanted == Ports::AsSs).then_some(process_name)),
        }
    }

    /// Reads the files before the first socket that has such a port.
    pub(super) fn prepare(&mut self, socket: &Socket) {
        let kind = socket.protocol.port();
        if let (PortKind::PortId, Some(port)) = (kind, socket.local.port) {
            self.processes.prepare(port);
        }
        let in_files = matches!(
            kind,
            PortKind::Tcp | PortKind::Udp | PortKind::Sctp | PortKind::IpProtocol
        );
        if self.wanted == Ports::Numbers || self.names.is_some() || !in_files {
            return;
        }
        let entries = FILES
            .iter()
            .flat_map(|(path, second)| names(&read(path), *second));
        self.set(entries.collect());
        let range = ephemeral_range(Path::new("/proc"));
        self.ephemeral = *range.unwrap_or(DEFAULT_EPHEMERAL).start();
    }

    /// Of a number with several names one stays.
    fn set(&mut self, mut names: Vec<Named>) {
        if self.wanted == Ports::NamedLast {
            names.reverse();
        }
        names.sort_by_key(|named| named.0);
        names.dedup_by_key(|named| named.0);
        self.names = Some(names);
    }

    /// The name of a port of a socket: of the service, the IP protocol (raw), the `EtherType`
    /// (packet), or `kernel` (netlink port 0).
    pub(super) fn name(&self, protocol: Protocol, port: Option<u32>) -> Option<&str> {
        let port = port.filter(|_| self.wanted != Ports::Numbers)?;
        let kind = match protocol.port() {
            PortKind::EtherType => return ethertypes::name(port),
            PortKind::PortId if port == 0 => return Some(KERNEL),
            PortKind::PortId => return self.processes.name(port),
            kind => kind,
        };
        let number = u16::try_from(port).ok()?;
        let by_chance = kind != PortKind::IpProtocol && number >= self.ephemeral;
        if by_chance && self.wanted != Ports::NamedLast {
            return None;
        }
        let names = self.names.as_ref()?;
        let at = names.binary_search_by_key(&(kind, number), |named| named.0);
        names.get(at.ok()?).map(|named| &*named.1)
    }
}

/// The name of a process, which is told of none whose number is no such one.
fn process_name(pid: u32) -> Option<Box<str>> {
    let path = PathBuf::from(format!("/proc/{pid}/comm"));
    let name = read_path(&path, NAME_MAX).ok()?;
    let name = escape(name.strip_suffix(b"\n").unwrap_or(&name));
    Some(name.into())
}

/// Bytes that are read of a name.
const NAME_MAX: usize = 64;

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

/// Every name that a port or an IP protocol has in the files.
pub(super) fn all() -> Vec<String> {
    let files = FILES.iter();
    let named = files.flat_map(|(path, second)| names(&read(path), *second));
    named.map(|(_, name)| name.into_string()).collect()
}

/// The ports the kernel chooses from, in the network namespace of this process if the root is `/proc`;
/// `None` = it cannot be read.
pub(super) fn ephemeral_range(root: &Path) -> Option<RangeInclusive<u16>> {
    let text = read_path(&root.join("sys/net/ipv4/ip_local_port_range"), RANGE_MAX).ok()?;
    range(std::str::from_utf8(&text).ok()?)
}

/// Bytes that are read of the range.
const RANGE_MAX: usize = 64;

const KERNEL: &str = "kernel";

/// `name port/protocol aliases… # comment` (`services(5)`), for TCP, UDP and SCTP.
fn service(second: &str) -> Option<(PortKind, u16)> {
    let (port, protocol) = second.split_once('/')?;
    let kind = match protocol {
        "tcp" => PortKind::Tcp,
        "udp" => PortKind::Udp,
        "sctp" => PortKind::Sctp,
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

/// First names; one of digits would be taken for another port's number.
fn names(text: &[u8], second: SecondWord) -> Vec<Named> {
    let is_name = |name: &[u8]| !name.iter().all(u8::is_ascii_digit);
    let named = |(name, numbered, _)| Some((numbered, std::str::from_utf8(name).ok()?.into()));
    lines(text, second)
        .filter(|(name, ..)| is_name(name))
        .filter_map(named)
        .collect()
}

/// The numbers with this name; of a kind without such a name, those with such an alias.
fn known_as(name: &str, text: &[u8], second: SecondWord) -> Vec<(PortKind, u16)> {
    let is_it = |word: &[u8]| word.eq_ignore_ascii_case(name.as_bytes());
    let (mut named, mut aliased) = (Vec::new(), Vec::new());
    for (first, numbered, mut aliases) in lines(text, second) {
        if is_it(first) {
            named.push(numbered);
        } else if aliases.any(is_it) {
            aliased.push(numbered);
        }
    }
    aliased.retain(|(kind, _)| !named.iter().any(|(named, _)| named == kind));
    named.extend(aliased);
    named
}

/// The name, what it is of, and the aliases, of every line that has them before its comment.
fn lines(
    text: &[u8],
    second: SecondWord,
) -> impl Iterator<Item = (&[u8], (PortKind, u16), impl Iterator<Item = &[u8]>)> {
    text.split(|byte| *byte == b'\n').filter_map(move |line| {
        let line = line.split(|byte| *byte == b'#').next()?;
        let words = line.split(u8::is_ascii_whitespace);
        let mut words = words.filter(|word| !word.is_empty());
        let first = words.next()?;
        let numbered = second(std::str::from_utf8(words.next()?).ok()?)?;
        Some((first, numbered, words))
    })
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let mut ports = text.split_whitespace().map(str::parse);
    let (first, last) = (ports.next()?.ok()?, ports.next()?.ok()?);
    Some(first..=last)
}

#[cfg(test)]
mod tests;
