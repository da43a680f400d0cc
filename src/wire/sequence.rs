//! Sequence numbers that identify the table of each message in a recording.
//!
//! A reply to an IP dump holds its address family but not its protocol. In a recording `lsock` puts a code of the
//! table into the sequence number. So messages keep the format of `ss -D`, and each identifies its table.

use crate::model::Table;

/// The upper half of the sequence numbers of lsock: `LS`.
const MAGIC: u32 = 0x4c53;

/// Set by versions that write a note at the end: without the note, the recording is truncated.
const HAS_END: u32 = 0x100;

/// The sequence number for messages of `table`, in a recording without a note at its end.
pub fn tag(table: Table) -> u32 {
    MAGIC << 16 | u32::from(table.recording_code())
}

/// As [`tag`], in a recording with a note at its end.
pub fn tag_with_end(table: Table) -> u32 {
    tag(table) | HAS_END
}

/// True if the recording should end with a note.
pub const fn has_end(sequence: u32) -> bool {
    is_ours(sequence) && sequence & HAS_END != 0
}

/// True if a version of lsock chose the sequence number.
pub const fn is_ours(sequence: u32) -> bool {
    sequence >> 16 == MAGIC
}

/// The table of a sequence number; `None` if another program, or a later version of this one, chose it.
pub fn table_of(sequence: u32) -> Option<Table> {
    Table::all().find(|table| tag(*table) == sequence || tag_with_end(*table) == sequence)
}

#[cfg(test)]
mod tests {
    use super::{Table, has_end, is_ours, table_of, tag, tag_with_end};
    use crate::model::{Family, Protocol};

    /// As in recordings since the first version.
    #[rustfmt::skip]
    const RECORDED: [(u32, Protocol, Family); 15] = [
        (0x4c53_0000, Protocol::Tcp, Family::Inet),
        (0x4c53_0040, Protocol::Tcp, Family::Inet6),
        (0x4c53_0001, Protocol::Udp, Family::Inet),
        (0x4c53_0041, Protocol::Udp, Family::Inet6),
        (0x4c53_0002, Protocol::UdpLite, Family::Inet),
        (0x4c53_0042, Protocol::UdpLite, Family::Inet6),
        (0x4c53_0003, Protocol::Raw, Family::Inet),
        (0x4c53_0043, Protocol::Raw, Family::Inet6),
        (0x4c53_0004, Protocol::Icmp, Family::Inet),
        (0x4c53_0044, Protocol::Icmp, Family::Inet6),
        (0x4c53_0005, Protocol::Mptcp, Family::Inet),
        (0x4c53_0045, Protocol::Mptcp, Family::Inet6),
        (0x4c53_0006, Protocol::Unix, Family::Unix),
        (0x4c53_0007, Protocol::Packet, Family::Packet),
        (0x4c53_0008, Protocol::Netlink, Family::Netlink),
    ];

    #[test]
    fn recorded_sequence_numbers_never_change() {
        for (number, protocol, family) in RECORDED {
            let table = Table { protocol, family };
            assert_eq!(tag(table), number, "{table}");
            assert_eq!(table_of(number), Some(table), "{table}");
            assert!(is_ours(number) && !has_end(number), "{table}");
            assert_eq!(table_of(tag_with_end(table)), Some(table), "{table}");
            assert!(has_end(tag_with_end(table)), "{table}");
        }
    }

    #[test]
    fn every_table_has_a_number_of_its_own() {
        for table in Table::all() {
            assert_eq!(table_of(tag(table)), Some(table));
        }
    }

    #[test]
    fn other_numbers_are_not_ours() {
        // A number of `ss`, and one of a protocol that does not exist yet.
        for (number, expected) in [(123_456, false), (0x4c53_003f, true)] {
            assert_eq!(table_of(number), None, "{number:#x}");
            assert_eq!(is_ours(number), expected, "{number:#x}");
        }
    }
}
