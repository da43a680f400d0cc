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

/// Families as they are named.
const FAMILIES: [(&str, Named); 16] = [
    ("ax25", Named::Ax25),
    ("ip", Named::Inet),
    ("ip6", Named::Inet6),
    ("ipx", Named::Ipx),
    ("rose", Named::Rose),
    ("appletalk", Named::Nothing),
    ("netrom", Named::Netrom),
    ("inet", Named::Inet),
    ("inet6", Named::Inet6),
    ("ddp", Named::Nothing),
    ("unix", Named::Unix),
    ("tcpip", Named::Inet),
    ("econet", Named::Nothing),
    ("x25", Named::X25),
    ("ash", Named::Nothing),
    ("bluetooth", Named::Bluetooth),
];

/// SCTP: what waits, and what is connected.
const SCTP: [Other; 2] = [
    other("AF INET (sctp)", &["net/sctp/eps"], 1),
    other("AF INET (sctp)", &["net/sctp/assocs"], 1),
];

/// Families that `netstat` lists behind unix sockets, in its order.
const OTHERS: [(Named, Other); 5] = [
    (
        Named::Ipx,
        other("AF IPX", &["net/ipx/socket", "net/ipx"], 1),
    ),
    (Named::Ax25, other("AF AX25", &["net/ax25"], 0)),
    (Named::X25, other("AF X25", &["net/x25"], 1)),
    (Named::Netrom, other("AF NETROM", &["net/nr"], 1)),
    (Named::Rose, other("AF ROSE", &["net/rose"], 1)),
];

const fn other(name: &'static str, files: &'static [&'static str], titles: usize) -> Other {
    Other {
        name,
        files,
        titles,
    }
}

/// Protocols of the internet section, by their letters; SCTP has no place in the model.
const PROTOCOLS: [(u8, Option<Protocol>); 5] = [
    (b't', Some(Protocol::Tcp)),
    (b'S', None),
    (b'u', Some(Protocol::Udp)),
    (b'U', Some(Protocol::UdpLite)),
    (b'w', Some(Protocol::Raw)),
];

/// What is listed, in the order of `netstat`, which ends where it finds that something it was asked for
/// does not exist.
pub(super) fn steps(letters: &BTreeSet<u8>, families: &BTreeSet<Named>) -> Vec<Step> {
    let asked = Asked::of(letters, families);
    let mut steps = Vec::new();
    if !asked.protocols.is_empty() {
        steps.push(Step::Begin(Section::Internet));
    }
    for (letter, protocol) in PROTOCOLS {
        match protocol {
            _ if !asked.protocols.contains(&letter) => {}
            Some(protocol) => steps.push(asked.tables(protocol)),
            None => steps.extend(asked.sctp(letters)),
        }
    }
    if asked.wants(Named::Unix) {
        let table = Table {
            protocol: Protocol::Unix,
            family: Family::Unix,
        };
        steps.push(Step::Begin(Section::Unix));
        steps.push(Step::Tables(vec![table], asked.absence));
    }
    let others = OTHERS.into_iter();
    let others = others.filter(|(family, _)| asked.wants(*family));
    steps.extend(others.map(|(_, other)| Step::Other(other, asked.absence)));
    if asked.named.contains(&Named::Bluetooth) {
        steps.push(Step::Never("AF BLUETOOTH"));
    }
    steps
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

    fn wants(&self, family: Named) -> bool {
        self.everything || self.named.contains(&family)
    }

    fn tables(&self, protocol: Protocol) -> Step {
        let families = [(self.ipv4, Family::Inet), (self.ipv6, Family::Inet6)];
        let families = families.into_iter().filter(|(wanted, _)| *wanted);
        let tables = families.map(|(_, family)| Table { protocol, family });
        Step::Tables(tables.collect(), self.of_internet)
    }

    /// Only the files of IPv4 exist; they have the sockets of both.
    fn sctp(&self, letters: &BTreeSet<u8>) -> impl Iterator<Item = Step> + use<> {
        let [all, listening] = [b'a', b'l'].map(|letter| letters.contains(&letter));
        let [waiting, connected] = SCTP;
        let files = [(all || listening, waiting), (all || !listening, connected)];
        let (ipv4, absence) = (self.ipv4, self.of_internet);
        let files = files.into_iter().filter(move |(wanted, _)| *wanted && ipv4);
        files.map(move |(_, other)| Step::Other(other, absence))
    }
}
