//! Structures that grow with the kernel: every length is read as far as it goes.

use super::*;
use crate::model::Memory;

/// The fields of a `tcp_info` or `mptcp_info` of `length` different bytes.
fn info(protocol: Protocol, length: usize) -> Vec<(&'static str, Option<u64>)> {
    let value: Vec<u8> = (1..=250).cycle().take(length).collect();
    let mut bytes = inet(1);
    bytes.extend(attribute(2, &value));
    let socket = decoded(protocol, &bytes);
    let structure = if protocol == Protocol::Tcp {
        Structure::TcpInfo
    } else {
        Structure::MptcpInfo
    };
    let info = socket.info(structure);
    let value = |field| info.and_then(|info| info.get(field));
    let fields = structure.fields().iter();
    fields.map(|field| (field.name, value(field))).collect()
}

fn assert_grows(protocol: Protocol) {
    let whole = info(protocol, 300);
    assert!(whole.iter().all(|(_, value)| value.is_some()), "{whole:?}");
    let mut before = 0;
    for length in 0..300 {
        let found = info(protocol, length);
        for (field, full) in found.iter().zip(&whole) {
            assert!(
                field.1.is_none() || field == full,
                "{length} bytes: {field:?}"
            );
        }
        let known = found.iter().filter(|(_, value)| value.is_some()).count();
        assert!(known >= before, "{length} bytes");
        before = known;
    }
}

#[test]
fn tcp_info_of_every_length_is_known_as_far_as_it_goes() {
    assert_grows(Protocol::Tcp);
    assert_eq!(
        info(Protocol::Tcp, 0)
            .iter()
            .filter(|(_, v)| v.is_some())
            .count(),
        0
    );
}

#[test]
fn mptcp_info_of_every_length_is_known_as_far_as_it_goes() {
    assert_grows(Protocol::Mptcp);
}

#[test]
fn meminfo_of_every_length_has_nine_words_at_the_most() {
    for length in 0..=300 {
        let mut bytes = inet(1);
        bytes.extend(attribute(7, &vec![1; length]));
        let socket = decoded(Protocol::Udp, &bytes);
        let memory = socket.memory().unwrap();
        let fields = Memory::FIELDS.iter();
        let known = fields.filter(|(.., value)| value(memory).is_some()).count();
        assert_eq!(known, (length / 4).min(9), "{length} bytes");
    }
}

#[test]
fn numbers_of_too_few_bytes_are_unknown() {
    for (kind, needed) in [(8_u16, 1), (15, 4), (21, 8)] {
        for length in 0..needed {
            let mut bytes = inet(1);
            bytes.extend(attribute(kind, &vec![1; length]));
            let socket = decoded(Protocol::Tcp, &bytes);
            let known = (socket.shutdown, socket.mark, socket.cgroup_id);
            assert_eq!(known, (None, None, None), "{kind}: {length} bytes");
        }
    }
}

#[test]
fn congestion_of_every_length_ends_at_its_nul() {
    for length in 0..=300 {
        let mut name = vec![b'x'; length];
        name.extend(b"\0rest");
        let mut bytes = inet(1);
        bytes.extend(attribute(4, &name));
        let socket = decoded(Protocol::Tcp, &bytes);
        let known = socket.congestion().map_or(0, <[u8]>::len);
        assert_eq!(known, length);
    }
}

#[test]
fn nothing_of_the_reply_before_is_left_in_the_scratch_socket() {
    let mut full = inet(1);
    for (kind, value) in [
        (2_u16, &[5; 104][..]),
        (4, b"cubic\0"),
        (7, &[1; 36]),
        (8, &[2]),
        (15, &[1; 4]),
        (21, &[1; 8]),
    ] {
        full.extend(attribute(kind, value));
    }
    let mut socket = decoded(Protocol::Tcp, &full);
    decode(Protocol::Tcp, &inet(1), &mut socket).unwrap();
    let fresh = decoded(Protocol::Tcp, &inet(1));
    assert_eq!(
        (socket.shutdown, socket.mark, socket.cgroup_id),
        (None, None, None)
    );
    assert_eq!(socket.congestion(), fresh.congestion());
    assert_eq!(
        socket.info(Structure::TcpInfo),
        fresh.info(Structure::TcpInfo)
    );
    assert_eq!(socket.memory(), fresh.memory());
}
