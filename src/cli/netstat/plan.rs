//! The steps of `netstat`, derived from its options.

use std::collections::BTreeSet;

use crate::model::{Family, Protocol};
use crate::query::netstat::{Absence, Other, Step};
use crate::render::Section;

/// Names of families, with the letter that means the same or one that is not an option; `0` has no sockets to
/// list.
const FAMILIES: &str = "ax25 5 x25 X ip 4 ipx I appletalk 0 netrom O inet 4 inet6 6 ddp 0 rose R unix x \
    bluetooth 2 tcpip 4 ip6 6 econet 0 ash 0";

pub(super) fn family(name: &[u8]) -> Option<u8> {
    let mut words = FAMILIES.split(' ');
    words.find(|known| known.as_bytes() == name)?;
    words.next()?.bytes().next()
}

#[derive(Clone, Copy)]
enum What {
    Tables(Protocol),
    Other(Other),
}

const INTERNET: &[Section] = &[Section::Internet];

/// Letters, the sections that list them, and what is listed, in the order of `netstat`. `lsock` does not list
/// the last ones.
const LISTED: [(&[u8], &[Section], What); 13] = [
    (b"t", INTERNET, What::Tables(Protocol::Tcp)),
    (b"S", INTERNET, What::Tables(Protocol::Sctp)),
    (b"S", INTERNET, What::Other(OTHER_FILE_OF_SCTP)),
    (b"u", INTERNET, What::Tables(Protocol::Udp)),
    (b"U", INTERNET, What::Tables(Protocol::UdpLite)),
    (b"w", INTERNET, What::Tables(Protocol::Raw)),
    (b"x", &[Section::Unix], What::Tables(Protocol::Unix)),
    (
        b"I",
        &[],
        other("AF IPX", &["net/ipx/socket", "net/ipx"], 1),
    ),
    (b"5", &[], other("AF AX25", &["net/ax25"], 0)),
    (b"X", &[], other("AF X25", &["net/x25"], 1)),
    (b"O", &[], other("AF NETROM", &["net/nr"], 1)),
    (b"R", &[], other("AF ROSE", &["net/rose"], 1)),
    (BLUETOOTH, &[], other("AF BLUETOOTH", &[], 0)),
];

/// `netstat` reports both files of listeners and associations as missing. `lsock` lists their contents.
const OTHER_FILE_OF_SCTP: Other = Other {
    name: "AF INET (sctp)",
    files: &["net/sctp/eps"],
    titles: usize::MAX,
};
const BLUETOOTH: &[u8] = b"2f";

const fn other(name: &'static str, files: &'static [&'static str], titles: usize) -> What {
    What::Other(Other {
        name,
        files,
        titles,
    })
}

/// What is listed in which sections, in the order of `netstat`, which exits at the first requested family
/// that does not exist.
pub(super) fn parts(given: &BTreeSet<u8>) -> Vec<(&'static [Section], Vec<Step>)> {
    let names = |letters: &[u8]| letters.iter().any(|letter| given.contains(letter));
    let everything = !names(b"46") && !LISTED.iter().any(|(letters, ..)| names(letters));
    let by_version = names(b"46") && !names(b"tSuUw");
    let absence = match (everything, names(b"v")) {
        (false, _) => Absence::Final,
        (true, true) => Absence::Told,
        (true, false) => Absence::Silent,
    };
    let mut parts: Vec<(&[Section], Vec<Step>)> = Vec::new();
    for (letters, sections, what) in LISTED {
        // Need not exist if requested only through its family.
        let by_version = by_version && sections == INTERNET;
        let absence = if by_version { Absence::Silent } else { absence };
        // Listed only if named.
        let is_usual = everything && letters != BLUETOOTH;
        let is_both = matches!(what, What::Other(OTHER_FILE_OF_SCTP));
        if !(names(letters) || is_usual || by_version) || (is_both && !names(b"a")) {
            continue;
        }
        let step = step(what, absence, names);
        match parts.last_mut() {
            Some((above, steps)) if *above == sections => steps.push(step),
            _ => parts.push((sections, vec![step])),
        }
    }
    parts
}

fn step(what: What, absence: Absence, names: impl Fn(&[u8]) -> bool) -> Step {
    match what {
        What::Tables(protocol) => {
            let tables = protocol.tables().filter(|table| match table.family {
                Family::Inet => names(b"4") || !names(b"6"),
                Family::Inet6 => names(b"6") || !names(b"4"),
                _ => true,
            });
            Step::Tables(tables.collect(), absence)
        }
        What::Other(other) => Step::Other(other, absence),
    }
}
