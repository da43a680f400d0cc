//! Sequence numbers that tell what was asked.
//!
//! A reply to an IP dump holds its address family but not its protocol. The kernel copies the number
//! of the request into every reply, so `lsock` puts the table there, and a recording of raw messages
//! stays what `ss -D` writes and yet says which table each message belongs to.

use crate::model::Table;

/// The upper half of every sequence number of ours: `LS`.
const MAGIC: u32 = 0x4c53;

/// The sequence number of a request for `table`.
pub fn tag(table: Table) -> u32 {
    MAGIC << 16 | u32::from(table.recording_code())
}

/// True if a version of this program chose the sequence number.
pub const fn is_ours(sequence: u32) -> bool {
    sequence >> 16 == MAGIC
}

/// The table a sequence number stands for; `None` when another program, or a later version of this
/// one, chose it.
pub fn table_of(sequence: u32) -> Option<Table> {
    Table::all().find(|table| tag(*table) == sequence)
}

#[cfg(test)]
mod tests {
    use super::{Table, is_ours, table_of, tag};
    use crate::model::{Family, Protocol};

    /// As they stand in recordings since the first version.
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
            assert!(is_ours(number), "{table}");
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
        // That of `ss`, and one of a protocol that does not exist yet.
        for (number, expected) in [(123_456, false), (0x4c53_003f, true)] {
            assert_eq!(table_of(number), None, "{number:#x}");
            assert_eq!(is_ours(number), expected, "{number:#x}");
        }
    }
}
