//! Notes in a recording: messages of lsock about tables, in words.

use crate::model::{NameKind, RecordedName, State, StateSet};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// The kernel had no sockets of the table, for this reason.
    None(String),
    /// The states of the table that were requested, and listed if there were any.
    States(StateSet),
    /// What the kernel excluded from the table by the filter: all ports but one at either end, and by a program.
    Narrowed([Option<u16>; 2], Vec<u8>),
    /// The name of a number.
    Name(RecordedName),
    /// The following messages are of the network namespace with this inode number and name.
    Netns(u32, Vec<u8>),
    /// The last message.
    End,
}

const NETNS: &str = "netns";
/// Precedes the namespace of an interface.
const AT: char = '@';
/// The word for states without a name.
const UNKNOWN: &str = "UNKNOWN";

impl Note {
    /// The text of [`Note::End`].
    pub(super) const END: &[u8] = b"end";

    pub(super) fn write(&self) -> Vec<u8> {
        match self {
            Self::None(reason) => format!("none {reason}").into_bytes(),
            Self::States(states) => {
                let named = State::all_named().filter(|state| states.contains(*state));
                let mut words: Vec<&str> = named.map(State::name).collect();
                words.extend(states.contains(State::Unknown(0)).then_some(UNKNOWN));
                format!("states {}", words.join(",")).into_bytes()
            }
            Self::Narrowed(ports, program) => {
                let [local, peer] = ports
                    .map(|port| port.map_or_else(|| NO_PORT.to_owned(), |port| port.to_string()));
                let mut text = format!("narrowed {local} {peer} ").into_bytes();
                let digits = |byte: &u8| format!("{byte:02x}").into_bytes();
                text.extend(program.iter().flat_map(digits));
                text
            }
            Self::Name(RecordedName {
                kind,
                number,
                name,
                netns,
            }) => {
                let netns = netns.map_or_else(String::new, |netns| format!("{AT}{netns}"));
                let begin = format!("{}{netns} {number} ", kind.name()).into_bytes();
                [&begin[..], name].concat()
            }
            Self::Netns(inode, name) => [format!("{NETNS} {inode} ").as_bytes(), name].concat(),
            Self::End => Self::END.to_vec(),
        }
    }

    /// Parses a note; `None` = unknown to this version.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let (word, rest) = split(text);
        let words = str::from_utf8(rest);
        Some(match word {
            b"none" => Self::None(words.ok()?.to_owned()),
            b"states" => {
                let states = words.ok()?.split(',').filter_map(|word| match word {
                    UNKNOWN => Some(State::Unknown(0)),
                    word => State::from_name(word),
                });
                Self::States(states.fold(StateSet::EMPTY, StateSet::with))
            }
            b"narrowed" => {
                let (local, rest) = split(rest);
                let (peer, program) = split(rest);
                let pairs = program.chunks(2);
                let byte = |pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
                let program: Option<_> = pairs.map(byte).collect();
                Self::Narrowed([port(local)?, port(peer)?], program?)
            }
            Self::END => Self::End,
            word if word == NETNS.as_bytes() => {
                let (inode, name) = split(rest);
                Self::Netns(str::from_utf8(inode).ok()?.parse().ok()?, name.to_owned())
            }
            word => {
                let (word, netns) = match str::from_utf8(word).ok()?.split_once(AT) {
                    Some((word, netns)) => (word.as_bytes(), Some(netns.parse().ok()?)),
                    None => (word, None),
                };
                let mut kinds = NameKind::ALL.into_iter();
                let kind = kinds.find(|kind| kind.name().as_bytes() == word)?;
                let (number, name) = split(rest);
                Self::Name(RecordedName {
                    kind,
                    number: str::from_utf8(number).ok()?.parse().ok()?,
                    name: name.into(),
                    netns,
                })
            }
        })
    }
}

/// The word for any port.
const NO_PORT: &str = "*";

#[expect(
    clippy::option_option,
    reason = "whether it is one, and whether there is one"
)]
fn port(word: &[u8]) -> Option<Option<u16>> {
    match str::from_utf8(word).ok()? {
        NO_PORT => Some(None),
        number => Some(Some(number.parse().ok()?)),
    }
}

/// The first word, and the rest.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let mut parts = text.splitn(2, |byte| *byte == b' ');
    let mut part = || parts.next().unwrap_or_default();
    (part(), part())
}

#[cfg(test)]
mod tests {
    use super::{NameKind, Note, RecordedName, State, StateSet};

    #[test]
    fn notes_are_read_as_they_were_written() {
        let name = |kind, number, name: &[u8]| {
            Note::Name(RecordedName {
                kind,
                number,
                name: name.into(),
                netns: None,
            })
        };
        for note in [
            Note::None("there is no /proc/net/udplite".to_owned()),
            Note::States(StateSet::ALL),
            Note::States(StateSet::EMPTY),
            Note::States(StateSet::EMPTY.with(State::Listen).with(State::Bound)),
            Note::Narrowed([None, Some(443)], Vec::new()),
            Note::Narrowed([Some(22), None], vec![0, 0x1f, 0xff]),
            name(NameKind::Interface, 2, b"eth0"),
            name(NameKind::User, 1000, b"alice"),
            name(NameKind::Cgroup, u64::MAX, b"/a b/\xff\n"),
            Note::Name(RecordedName {
                kind: NameKind::Interface,
                number: 2,
                name: b"eth0".as_slice().into(),
                netns: Some(4_026_532_210),
            }),
            Note::Netns(4_026_532_210, b"it's a \xff name".to_vec()),
            Note::End,
        ] {
            assert_eq!(Note::read(&note.write()), Some(note));
        }
        for unknown in [&b""[..], b"later 1", b"user x y", b"none \xff"] {
            assert_eq!(Note::read(unknown), None, "{unknown:?}");
        }
    }
}
