//! Options, congestion control, upper layer protocols and signatures.

use super::*;
use crate::model::Info;

/// A TCP socket with the given attributes.
fn with(attributes: &[Vec<u8>]) -> Socket {
    decoded(Protocol::Tcp, &[inet(1), attributes.concat()].concat())
}

/// The known fields of a structure.
fn known(info: Option<Info<'_>>) -> Vec<(&'static str, u64)> {
    let fields = info.map_or(&[][..], |info| info.structure.fields());
    let known = fields
        .iter()
        .filter_map(|field| Some((field.name, info?.get(field)?)));
    known.collect()
}

fn of(socket: &Socket, structure: Structure) -> Vec<(&'static str, u64)> {
    known(socket.info(structure))
}

#[test]
fn options_are_known_as_far_as_they_were_asked_for_and_sent() {
    let flags = attribute(22, &[0b0011_1101, 0b0000_0101]);
    let tos = attribute(5, &[255]);
    // Sent unrequested.
    let unasked = with(std::slice::from_ref(&flags));
    assert_eq!(unasked.info(Structure::SocketOptions), None);
    let before_5_10 = with(std::slice::from_ref(&tos));
    assert_eq!(of(&before_5_10, Structure::SocketOptions), [("tos", 255)]);
    let class = attribute(17, &7_u32.to_ne_bytes());
    let whole = with(&[tos, attribute(6, &[3]), class, flags]);
    let expected = [
        ("tos", 255),
        ("tclass", 3),
        ("class_id", 7),
        ("recverr", 1),
        ("freebind", 1),
        ("hdrincl", 1),
        ("mc_loop", 1),
        ("transparent", 1),
        ("mc_all", 0),
        ("nodefrag", 0),
        ("bind_address_no_port", 1),
        ("recverr_rfc4884", 0),
        ("defer_connect", 1),
    ];
    assert_eq!(of(&whole, Structure::SocketOptions), expected);
}

#[test]
fn congestion_control_is_told_by_the_attribute() {
    let words = |words: &[u32]| {
        words
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .collect::<Vec<_>>()
    };
    let vegas = with(&[attribute(3, &words(&[1, 2, 300, 0x7fff_ffff]))]);
    let expected = [
        ("vegas_enabled", 1),
        ("vegas_rttcnt", 2),
        ("vegas_rtt", 300),
    ];
    assert_eq!(of(&vegas, Structure::CongestionInfo), expected);
    let shorts = [1_u16, 0].map(u16::to_ne_bytes).concat();
    let dctcp = with(&[attribute(9, &[shorts, words(&[1_024, 5, 6])].concat())]);
    let expected = [
        ("dctcp_enabled", 1),
        ("dctcp_ce_state", 0),
        ("dctcp_alpha", 1_024),
        ("dctcp_ab_ecn", 5),
        ("dctcp_ab_tot", 6),
    ];
    assert_eq!(of(&dctcp, Structure::CongestionInfo), expected);
    let bbr = with(&[attribute(16, &words(&[9, 1, 40, 739, 512]))]);
    let expected = [
        ("bbr_bw", (1 << 32) + 9),
        ("bbr_min_rtt", 40),
        ("bbr_pacing_gain", 739),
        ("bbr_cwnd_gain", 512),
    ];
    assert_eq!(of(&bbr, Structure::CongestionInfo), expected);
    assert_eq!(
        of(&with(&[attribute(16, &[1; 7])]), Structure::CongestionInfo),
        []
    );
}

#[test]
fn upper_layer_protocols_have_their_name_and_what_they_tell() {
    let short = |kind, number: u16| attribute(kind, &number.to_ne_bytes());
    let tls = [
        short(1, 0x304),
        short(2, 52),
        short(3, 2),
        attribute(6, &[]),
    ]
    .concat();
    let tls = with(&[attribute(
        19,
        &[attribute(1, b"tls\0"), attribute(2, &tls)].concat(),
    )]);
    assert_eq!(tls.details.as_ref().unwrap().ulp, b"tls");
    let expected = [
        ("tls_version", 0x304),
        ("tls_cipher", 52),
        ("tls_txconf", 2),
        ("tls_rx_no_pad", 1),
    ];
    assert_eq!(of(&tls, Structure::UlpInfo), expected);
    let word = |kind, number: u32| attribute(kind, &number.to_ne_bytes());
    let subflow = [
        word(1, 11),
        word(2, u32::MAX),
        attribute(4, &u64::from(u32::MAX).to_ne_bytes()),
        word(8, 0x180),
        attribute(9, &[4]),
        // Of a later kernel.
        word(12, 1),
    ];
    let subflow = attribute(3 | 0x8000, &subflow.concat());
    let mptcp = with(&[attribute(19, &[attribute(1, b"mptcp\0"), subflow].concat())]);
    let expected = [
        ("token_rem", 11),
        ("token_loc", u32::MAX.into()),
        ("map_seq", u32::MAX.into()),
        ("subflow_flags", 0x180),
        ("id_rem", 4),
    ];
    assert_eq!(of(&mptcp, Structure::UlpInfo), expected);
}

#[test]
fn of_a_signature_only_the_peer_is_kept() {
    let entry = |family: u8, prefix: u8, address: &[u8]| {
        let mut entry = vec![0x6b; 100];
        entry[..4].copy_from_slice(&[family, prefix, 16, 0]);
        entry[4..4 + address.len()].copy_from_slice(address);
        entry
    };
    let mut ipv6 = [0; 16];
    ipv6[15] = 1;
    let entries = [
        entry(2, 24, &[10, 0, 0, 0]),
        entry(10, 128, &ipv6),
        entry(99, 1, &[1]),
    ];
    let socket = with(&[attribute(18, &entries.concat())]);
    assert_eq!(socket.details.as_ref().unwrap().md5, b"10.0.0.0/24,::1/128");
    assert!(!format!("{socket:?}").contains("107, 107"));
}

#[test]
fn bpf_maps_have_an_id_and_a_size() {
    let id = |id: u32| attribute(2, &id.to_ne_bytes());
    let storage = |parts: &[Vec<u8>]| attribute(1 | 0x8000, &parts.concat());
    let value = |size| attribute(3, &vec![7; size]);
    let stored = [
        storage(&[id(12), value(16)]),
        // Padding, what a later kernel may send, and a map without a value.
        storage(&[
            attribute(1, &[]),
            attribute(9, &[1]),
            id(u32::MAX),
            value(3),
        ]),
        storage(&[id(5)]),
        attribute(1, &[0; 3]),
    ];
    let socket = with(&[attribute(0x8014, &stored.concat())]);
    assert_eq!(socket.details.unwrap().bpf_storage, b"12:16,4294967295:3");
}
