//! What `netstat` does one after another, by its options.

use std::collections::BTreeSet;

use crate::model::{Family, Protocol};
use crate::query::netstat::{Absence, Other, Step};
use crate::render::Section;

/// Families as they are named. Each is the letter that means the same, or one that no option has; `0` means
/// nothing for sockets.
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

/// Letters, the sections below whose banner they are listed, and what is listed, in the order of `netstat`.
/// The last ones `lsock` does not list.
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

/// Both files of listeners and associations are missed where there are none. What they hold is listed.
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

/// What is listed below which banners, in the order of `netstat`, which ends where it finds that something
/// it was asked for does not exist.
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
        // One that is asked for as one of its family need not be there.
        let by_version = by_version && sections == INTERNET;
        let absence = if by_version { Absence::Silent } else { absence };
        // Bluetooth has to be named.
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
