//! Names of ports, from files: nothing is sent for them.

use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::model::{PortKind, Protocol, Socket};
use crate::procfs::file::read_path;
use crate::text::escape;

use super::ethertypes;
use super::name_cache::NameCache;

/// The default of `ip_local_port_range`, from which the kernel chooses ports.
const DEFAULT_EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// Files with names, and parsers of their second column, which give kind and number. MPTCP uses the ports of TCP,
/// UDP-Lite those of UDP (RFC 3828, section 6).
const FILES: [(&str, SecondWord); 2] = [("/etc/services", service), ("/etc/protocols", protocol)];

type SecondWord = fn(&str) -> Option<(PortKind, u16)>;

/// A numbered thing and its name.
type Named = ((PortKind, u16), Box<str>);

/// Which names of ports are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ports {
    /// None: ports stay numbers.
    #[default]
    Numbers,
    /// The first name of a port in the files, unless it is an ephemeral port.
    Named,
    /// The last name of a port in the files, also of ephemeral ports, as `netstat` shows.
    NamedLast,
    /// As [`Named`](Self::Named); for a netlink port the process with that pid, which may be unrelated, as `ss`
    /// shows.
    AsSs,
}

/// The names of ports.
#[derive(Debug)]
pub(super) struct Services {
    wanted: Ports,
    /// Sorted, without duplicate numbers.
    names: Option<Vec<Named>>,
    /// The first ephemeral port: from here on a name would be coincidence.
    ephemeral: u16,
    /// Names of processes by pid.
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

    /// Reads the files before the first socket with such a port.
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

    /// Keeps one name for each number.
    fn set(&mut self, mut names: Vec<Named>) {
        if self.wanted == Ports::NamedLast {
            names.reverse();
        }
        names.sort_by_key(|named| named.0);
        names.dedup_by_key(|named| named.0);
        self.names = Some(names);
    }

    /// The name of a socket's port: of the service, the IP protocol (raw), the `EtherType` (packet), or `kernel`
    /// (netlink port 0).
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

/// The name of a process; `None` if there is none with this pid.
fn process_name(pid: u32) -> Option<Box<str>> {
    let path = PathBuf::from(format!("/proc/{pid}/comm"));
    let name = read_path(&path, NAME_MAX).ok()?;
    let name = escape(name.strip_suffix(b"\n").unwrap_or(&name));
    Some(name.into())
}

/// Bytes read of a name.
const NAME_MAX: usize = 64;

/// The numbers of a service, an IP protocol, an `EtherType` or `kernel` (netlink): the reverse of [`Services::name`],
/// except that ephemeral ports have names, too. Names precede aliases; case is ignored.
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

/// Every name of a port or IP protocol in the files.
pub(super) fn all() -> Vec<String> {
    let files = FILES.iter();
    let named = files.flat_map(|(path, second)| names(&read(path), *second));
    named.map(|(_, name)| name.into_string()).collect()
}

/// The ephemeral ports, of this process's network namespace if the root is `/proc`; `None` if unreadable.
pub(super) fn ephemeral_range(root: &Path) -> Option<RangeInclusive<u16>> {
    let text = read_path(&root.join("sys/net/ipv4/ip_local_port_range"), RANGE_MAX).ok()?;
    range(std::str::from_utf8(&text).ok()?)
}

/// Bytes read of the range.
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

/// Reads a file; empty if it is missing.
fn read(path: &str) -> Vec<u8> {
    fs::read(path).unwrap_or_default()
}

/// First names; a numeric one would be confused with a port number, and is skipped.
fn names(text: &[u8], second: SecondWord) -> Vec<Named> {
    let is_name = |name: &[u8]| !name.iter().all(u8::is_ascii_digit);
    let named = |(name, numbered, _)| Some((numbered, std::str::from_utf8(name).ok()?.into()));
    lines(text, second)
        .filter(|(name, ..)| is_name(name))
        .filter_map(named)
        .collect()
}

/// The numbers with this name; for a kind without the name, those with the alias.
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

/// Name, number and aliases of every line that has them before its comment.
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
