//! Subjects of tests: the words that begin one.

use super::Field;
use crate::fields::Unknown;
use crate::model::Table;
use crate::text::nearest;

/// The subject of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// `state`
    State,
    /// `exclude`
    Exclude,
    /// `any`
    Shown,
    /// `autobound`
    Autobound,
    /// `half-closed`
    HalfClosed,
    /// `orphan`
    Orphan,
    /// A field; an address means the whole endpoint.
    Field(Field),
    /// Either of two fields.
    Either([Field; 2]),
}

const ADDRESSES: Subject = Subject::Either([Field::LocalAddress, Field::PeerAddress]);
pub(super) const PORTS: Subject = Subject::Either([Field::LocalPort, Field::PeerPort]);

/// Words that are not fields, or mean several.
const WORDS: [(&str, Subject); 16] = [
    ("state", Subject::State),
    ("exclude", Subject::Exclude),
    ("excl", Subject::Exclude),
    ("any", Subject::Shown),
    ("autobound", Subject::Autobound),
    ("half-closed", Subject::HalfClosed),
    ("half_closed", Subject::HalfClosed),
    ("orphan", Subject::Orphan),
    ("src", Subject::Field(Field::LocalAddress)),
    ("local", Subject::Field(Field::LocalAddress)),
    ("dst", Subject::Field(Field::PeerAddress)),
    ("peer", Subject::Field(Field::PeerAddress)),
    ("addr", ADDRESSES),
    ("address", ADDRESSES),
    ("host", ADDRESSES),
    ("port", PORTS),
];

impl Subject {
    /// The subject that a word means for the sockets of these tables, in any case.
    pub(super) fn of(word: &str, tables: &[Table]) -> Result<Self, Unknown> {
        let word = word.to_ascii_lowercase();
        if let Some((_, subject)) = WORDS.iter().find(|(name, _)| *name == word) {
            return Ok(*subject);
        }
        Field::compared(&word, tables).map(Self::Field)
    }
}

/// A similar word, for one that begins no test.
pub(super) fn meant(word: &str) -> Option<String> {
    let word = word.to_ascii_lowercase();
    let mut known = names();
    known.extend(Field::comparable().map(|field| field.own_name().to_owned()));
    known.extend(["and", "or", "not"].map(str::to_owned));
    nearest(&word, &known).map(str::to_owned)
}

/// Every word that can begin a test.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = WORDS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for field in Field::comparable() {
        names.extend([field.name(), field.path()]);
        names.extend(Some(field.csv_header()).filter(|_| !field.has_unit_in_text()));
        names.extend(field.aliases().map(str::to_owned));
    }
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::{Field, Subject, Unknown, names, nearest};

    #[test]
    fn every_field_has_its_name() {
        for field in Field::comparable() {
            assert_eq!(Subject::of(&field.name(), &[]), Ok(Subject::Field(field)));
        }
    }

    #[test]
    fn parts_of_structures_have_short_names_where_no_other_has_them() {
        for (short, long) in [
            ("rtt", "tcp_info.rtt"),
            ("TCP_INFO_RTT", "tcp_info.rtt"),
            ("drops", "memory.drops"),
            ("memory_rcvbuf", "memory.rcvbuf"),
            ("subflows", "mptcp_info.subflows"),
            ("expires_ms", "timer.expires_ms"),
        ] {
            assert_eq!(Subject::of(short, &[]), Subject::of(long, &[]), "{short}");
        }
        let Err(Unknown::Ambiguous(names)) = Subject::of("retransmits", &[]) else {
            unreachable!("it is ambiguous")
        };
        assert_eq!(
            names,
            [
                "timer.retransmits",
                "tcp_info.retransmits",
                "mptcp_info.retransmits"
            ]
        );
    }

    #[test]
    #[cfg_attr(not(feature = "cli"), ignore = "the program alone knows slips")]
    fn a_slip_is_recognised() {
        let names = names();
        for (word, meant) in [
            ("sorce", "src"),
            ("spotr", "sport"),
            ("recv_que", "recv_queue"),
            ("inteface", "interface"),
            ("halfclosed", "half-closed"),
        ] {
            assert_eq!(nearest(word, &names), Some(meant), "{word}");
        }
        assert_eq!(nearest("zzzzzz", &names), None);
        assert_eq!(nearest(&"s".repeat(1 << 20), &names), None);
    }
}
