//! Bytes that no kernel sends.

use proptest::prelude::*;

use super::super::{Body, Messages, decode, table_of_reply};
use super::{attribute, inet, scratch};
use crate::model::Protocol;

/// Bytes of the fixed part of a reply.
const fn fixed(protocol: Protocol) -> usize {
    match protocol {
        Protocol::Unix | Protocol::Packet | Protocol::Xdp => 16,
        Protocol::Netlink => 28,
        Protocol::Vsock => 32,
        Protocol::Smc => 64,
        // Attributes alone: a number in one within another.
        Protocol::Tipc => 12,
        _ => 72,
    }
}

proptest! {
    #[test]
    fn random_reply_never_panics(
        family in prop::sample::select(vec![0_u8, 1, 2, 10, 16, 17, 40, 43, 44]),
        mut payload in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Some(first) = payload.first_mut() {
            *first = family;
        }
        table_of_reply(&payload);
        for protocol in Protocol::ALL {
            let row = decode(protocol, &payload, &mut scratch());
            prop_assert!(row.is_err() || payload.len() >= fixed(protocol));
        }
    }

    #[test]
    fn random_attributes_never_panic(
        attributes in prop::collection::vec((0..24_u16, prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        cut in 0..200_usize,
    ) {
        let mut bytes = inet(1);
        for (kind, value) in &attributes {
            bytes.extend(attribute(*kind, value));
        }
        prop_assert_eq!(decode(Protocol::Tcp, &bytes, &mut scratch()), Ok(()));
        bytes.truncate(72 + cut);
        let _ = decode(Protocol::Tcp, &bytes, &mut scratch());
    }

    #[test]
    fn random_datagram_ends(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let count = Messages::new(&bytes).count();
        prop_assert!(count <= bytes.len() / 16 + 1);
    }

    #[test]
    fn random_lengths_never_panic(lengths in prop::collection::vec(0..64_u32, 1..20)) {
        let mut bytes = Vec::new();
        for length in &lengths {
            bytes.extend(length.to_ne_bytes());
            bytes.extend([20, 0, 2, 0]);
            bytes.extend([0; 12]);
        }
        for message in Messages::new(&bytes).flatten() {
            if let Body::Socket(payload) = message.body {
                prop_assert!(payload.len() < 64);
            }
        }
    }
}
