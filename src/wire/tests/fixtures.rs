//! Replies of a kernel for real sockets, truncated and altered (`tests/fixtures`, little endian).
#![cfg(target_endian = "little")]

use super::super::{Body, Messages, decode, table_of};
use super::scratch;
use crate::model::Socket;

macro_rules! fixtures {
    ($($name:ident $file:literal $rows:literal)*) => { $(
        mod $name {
            const BYTES: &[u8] = include_bytes!(concat!("../../../tests/fixtures/", $file));

            #[test]
            fn every_reply_is_a_row() {
                assert_eq!(super::rows(BYTES).len(), $rows);
            }

            #[test]
            fn prefix_has_the_rows_that_it_holds_whole() {
                super::assert_prefixes(BYTES);
            }

            #[test]
            fn changed_byte_changes_no_row_of_another_message() {
                super::assert_changes(BYTES);
            }

            #[test]
            fn prefix_of_a_reply_is_refused_or_tells_the_truth() {
                super::assert_short_replies(BYTES);
            }
        }
    )* };
}

fixtures! {
    mptcp4 "wire/mptcp4.bin" 2
    mptcp6 "wire/mptcp6.bin" 2
    netlink "wire/netlink.bin" 10
    packet "wire/packet.bin" 3
    tcp4 "wire/tcp4.bin" 12
    tcp6 "wire/tcp6.bin" 12
    udp4 "wire/udp4.bin" 2
    udp6 "wire/udp6.bin" 2
    udplite4 "wire/udplite4.bin" 1
    udplite6 "wire/udplite6.bin" 1
    unix "wire/unix.bin" 12
    vsock "families/vsock.bin" 10
    sctp "families/sctp.bin" 27
    smc "families/smc.bin" 13
    tipc "families/tipc.bin" 8
    xdp "families/xdp.bin" 2
}

/// The sockets in a datagram, each with the offset of its message.
fn rows(bytes: &[u8]) -> Vec<(usize, Socket)> {
    let mut rows = Vec::new();
    for message in Messages::new(bytes).flatten() {
        let Body::Socket(payload) = message.body else {
            continue;
        };
        let Some(table) = table_of(message.sequence) else {
            continue;
        };
        let mut socket = scratch();
        if decode(table.protocol, payload, &mut socket).is_ok() {
            let begin = payload.as_ptr().addr() - bytes.as_ptr().addr() - 16;
            rows.push((begin, socket));
        }
    }
    rows
}

fn assert_prefixes(bytes: &[u8]) {
    let whole = rows(bytes);
    for length in 0..bytes.len() {
        let found = rows(&bytes[..length]);
        assert_eq!(found, whole[..found.len()], "{length} bytes");
        // The last message may have been cut, but none before it.
        let begun = whole.iter().filter(|(begin, _)| *begin < length).count();
        assert!(found.len() + 1 >= begun, "{length} bytes");
    }
}

fn assert_changes(bytes: &[u8]) {
    let whole = rows(bytes);
    for at in 0..bytes.len() {
        for byte in [0, 0xff] {
            let mut changed = bytes.to_vec();
            changed[at] = byte;
            let found = rows(&changed);
            assert!(found.len() <= whole.len(), "byte {at} = {byte}");
            // The message that holds the changed byte.
            let own = whole
                .iter()
                .map(|(begin, _)| *begin)
                .rfind(|begin| *begin <= at);
            for row in found {
                let is_known = whole.contains(&row);
                assert!(
                    is_known || Some(row.0) == own,
                    "byte {at} = {byte}: {row:?}"
                );
            }
        }
    }
}

fn assert_short_replies(bytes: &[u8]) {
    for message in Messages::new(bytes).flatten() {
        let (Body::Socket(payload), Some(table)) = (message.body, table_of(message.sequence))
        else {
            continue;
        };
        let mut whole = scratch();
        decode(table.protocol, payload, &mut whole).unwrap();
        for length in 0..payload.len() {
            let mut socket = scratch();
            if decode(table.protocol, &payload[..length], &mut socket).is_ok() {
                // Fields of the fixed header; attributes follow it.
                assert_eq!(socket.state, whole.state, "{length} bytes");
                assert_eq!(socket.inode, whole.inode, "{length} bytes");
                assert_eq!(socket.cookie, whole.cookie, "{length} bytes");
                assert_eq!(socket.local.port, whole.local.port, "{length} bytes");
                assert_eq!(socket.peer.ip, whole.peer.ip, "{length} bytes");
            }
        }
    }
}
