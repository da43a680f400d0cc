//! What `netstat` does one after another, by its options.

use std::collections::BTreeSet;

use crate::model::{Family, Protocol, Table};
use crate::query::netstat::{Absence, Other, Step};
use crate::render::Section;

/// A family, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    Inet,
    Inet6,
    Unix,
    Ipx,
    Ax25,
    X25,
    Netrom,
    Rose,
    Bluetooth,
    Sctp,
    /// It is known, and means nothing for sockets.
    Nothing,
}

impl Named {
    /// The family of this name.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        let known = FAMILIES.iter().find(|(known, _)| known.as_bytes() == name);
        known.map(|(_, family)| *family)
    }
}

/// Families as they are named: first, in its order, those that are options of their own.
pub(super) const FAMILIES: [(&str, Named); 16] = [
    ("ax25", Named::Ax25),
    ("x25", Named::X25),
    ("ip", Named::Inet),
    ("ipx", Named::Ipx),
    ("appletalk", Named::Nothing),
    ("netrom", Named::Netrom),
    ("inet", Named::Inet),
    ("inet6", Named::Inet6),
    ("ddp", Named::Nothing),
    ("rose", Named::Rose),
    ("unix", Named::Unix),
    ("bluetooth", Named::Bluetooth),
    ("tcpip", Named::Inet),
    ("ip6", Named::Inet6),
    ("econet", Named::Nothing),
    ("ash", Named::Nothing),
];

/// How many are options.
pub(super) const LONG_FAMILIES: usize = 13;

/// What `netstat` lists and `lsock` does not, in the order of `netstat`: SCTP, what waits and what is
/// connected, with the internet protocols, the others behind unix sockets.
const OTHERS: [(Named, Other); 8] = [
    other(Named::Sctp, "AF INET (sctp)", &["net/sctp/eps"], 1),
    other(Named::Sctp, "AF INET (sctp)", &["net/sctp/assocs"], 1),
    other(Named::Ipx, "AF IPX", &["net/ipx/socket", "net/ipx"], 1),
    other(Named::Ax25, "AF AX25", &["net/ax25"], 0),
    other(Named::X25, "AF X25", &["net/x25"], 1),
    other(Named::Netrom, "AF NETROM", &["net/nr"], 1),
    other(Named::Rose, "AF ROSE", &["net/rose"], 1),
    other(Named::Bluetooth, "AF BLUETOOTH", &[], 0),
];

const fn other(
    family: Named,
    name: &'static str,
    files: &'static [&'static str],
    titles: usize,
) -> (Named, Other) {
    let other = Other {
        name,
        files,
        titles,
    };
    (family, other)
}

/// Protocols of the internet section, by their letters; SCTP has no place in the model.
const PROTOCOLS: [(u8, Option<Protocol>); 5] = [
    (b't', Some(Protocol::Tcp)),
    (b'S', None),
    (b'u', Some(Protocol::Udp)),
    (b'U', Some(Protocol::UdpLite)),
    (b'w', Some(Protocol::Raw)),
];

/// What is listed below which banners, in the order of `netstat`, which ends where it finds that something
/// it was asked for does not exist.
pub(super) fn parts(
    letters: &BTreeSet<u8>,
    families: &BTreeSet<Named>,
) -> Vec<(&'static [Section], Vec<Step>)> {
    let asked = Asked::of(letters, families);
    let mut parts = Vec::new();
    if !asked.protocols.is_empty() {
        let protocols = PROTOCOLS.into_iter();
        let protocols = protocols.filter(|(letter, _)| asked.protocols.contains(letter));
        let steps = protocols.flat_map(|(_, protocol)| match protocol {
            Some(protocol) => vec![asked.tables(protocol)],
            None => asked.sctp(letters),
        });
        parts.push((&[Section::Internet][..], steps.collect()));
    }
    if asked.wants(Named::Unix) {
        let tables = Protocol::Unix.tables().collect();
        let steps = vec![Step::Tables(tables, asked.absence)];
        parts.push((&[Section::Unix], steps));
    }
    let others = OTHERS.into_iter();
    let others = others.filter(|(family, _)| asked.wants(*family));
    let others = others.map(|(_, other)| Step::Other(other, asked.absence));
    parts.push((&[], others.collect()));
    parts
}

/// What the options come to.
struct Asked {
    /// Nothing is named: all that there are.
    everything: bool,
    /// The families named.
    named: BTreeSet<Named>,
    /// The letters of protocols.
    protocols: BTreeSet<u8>,
    ipv4: bool,
    ipv6: bool,
    /// What it means that something is not there.
    absence: Absence,
    /// The same of an internet protocol, which may be asked for as one of its family.
    of_internet: Absence,
}

impl Asked {
    fn of(letters: &BTreeSet<u8>, families: &BTreeSet<Named>) -> Self {
        let mut named = families.clone();
        named.remove(&Named::Nothing);
        if letters.contains(&b'2') || letters.contains(&b'f') {
            named.insert(Named::Bluetooth);
        }
        let all = PROTOCOLS.map(|(letter, _)| letter);
        let chosen = all.into_iter().filter(|letter| letters.contains(letter));
        let mut protocols: BTreeSet<u8> = chosen.collect();
        let everything = named.is_empty() && protocols.is_empty();
        let [inet, inet6] = [Named::Inet, Named::Inet6].map(|version| named.contains(&version));
        let by_version = (inet || inet6) && protocols.is_empty();
        if everything || by_version {
            protocols.extend(all);
        }
        let absence = match (everything, letters.contains(&b'v')) {
            (false, _) => Absence::Final,
            (true, true) => Absence::Told,
            (true, false) => Absence::Silent,
        };
        Self {
            everything,
            ipv4: inet || !inet6,
            ipv6: inet6 || !inet,
            absence,
            of_internet: if by_version { Absence::Silent } else { absence },
            named,
            protocols,
        }
    }

    /// True if a family is listed. Bluetooth has to be named; SCTP belongs to the protocols.
    fn wants(&self, family: Named) -> bool {
        let is_usual = !matches!(family, Named::Sctp | Named::Bluetooth);
        self.everything && is_usual || self.named.contains(&family)
    }

    fn tables(&self, protocol: Protocol) -> Step {
        let families = [(self.ipv4, Family::Inet), (self.ipv6, Family::Inet6)];
        let families = families.into_iter().filter(|(wanted, _)| *wanted);
        let tables = families.map(|(_, family)| Table { protocol, family });
        Step::Tables(tables.collect(), self.of_internet)
    }

    /// Only the files of IPv4 exist; they have the sockets of both.
    fn sctp(&self, letters: &BTreeSet<u8>) -> Vec<Step> {
        let [all, listening] = [b'a', b'l'].map(|letter| letters.contains(&letter));
        let [(_, waiting), (_, connected), ..] = OTHERS;
        let files = [(all || listening, waiting), (all || !listening, connected)];
        let files = files.into_iter().filter(|(wanted, _)| *wanted && self.ipv4);
        files
            .map(|(_, other)| Step::Other(other, self.of_internet))
            .collect()
    }
}
