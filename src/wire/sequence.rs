//! Sequence numbers that tell what was asked.
//!
//! A reply to an IP dump holds its address family but not its protocol. The kernel copies the number
//! of the request into every reply, so `lsock` puts the table there, and a recording of raw messages
//! stays what `ss -D` writes and yet says which table each message belongs to.

use crate::model::{Family, Protocol, Table};

/// The upper half of every sequence number of ours: `LS`.
const MAGIC: u32 = 0x4c53;
/// IPv6, in the byte that holds the protocol.
const INET6: u32 = 0x40;

/// The sequence number of a request for `table`.
pub fn tag(table: Table) -> u32 {
    let protocol = Protocol::ALL
        .iter()
        .position(|p| *p == table.protocol)
        .unwrap_or_default();
    let family = if table.family == Family::Inet6 {
        INET6
    } else {
        0
    };
    MAGIC << 16 | family | u32::try_from(protocol).unwrap_or_default()
}

/// The table a sequence number stands for; `None` when another program chose it.
pub fn table_of(sequence: u32) -> Option<Table> {
    Protocol::ALL
        .into_iter()
        .flat_map(|protocol| {
            protocol.families().iter().map(move |family| Table {
                protocol,
                family: *family,
            })
        })
        .find(|table| tag(*table) == sequence)
}

#[cfg(test)]
mod tests {
    use super::{Family, Protocol, Table, table_of, tag};

    #[test]
    fn a_sequence_number_tells_its_table() {
        for protocol in Protocol::ALL {
            for family in protocol.families() {
                let table = Table {
                    protocol,
                    family: *family,
                };
                assert_eq!(table_of(tag(table)), Some(table));
            }
        }
    }

    #[test]
    fn the_sequence_number_of_ss_is_not_ours() {
        assert_eq!(table_of(123_456), None);
    }

    #[test]
    fn ip_versions_differ() {
        let table = |family| Table {
            protocol: Protocol::Udp,
            family,
        };
        assert_ne!(tag(table(Family::Inet)), tag(table(Family::Inet6)));
    }
}
