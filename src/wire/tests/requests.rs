//! Requests, byte by byte.

use std::net::SocketAddr;

use super::super::{Detail, DumpParams, Extensions, both_request, dump_request, exact_request};
use crate::model::{Family, Protocol, State, StateSet, Table};

const ALL: DumpParams<'_> = DumpParams {
    states: StateSet::ALL,
    extensions: Extensions {
        sctp: None,
        attributes: false,
        info: false,
        options: false,
        memory: false,
        storage: false,
        files: false,
        unix_peers: false,
        proc_net: false,
        is_named: false,
        detail: Detail::All,
    },
    ports: [0, 0],
    program: &[],
};
const TCP: Table = Table::new(Protocol::Tcp, Family::Inet);

#[test]
fn every_table_that_sock_diag_lists_has_a_request() {
    for table in Table::all() {
        let number = table.protocol.sock_diag();
        let request = dump_request(table, ALL);
        assert_eq!(request.is_some(), number.is_some(), "{table}");
        let (Some(request), Some(number)) = (request, number) else {
            continue;
        };
        assert_eq!(request[16], table.family.code(), "{table}");
        match u8::try_from(number) {
            Ok(number) => assert_eq!(request[17], number, "{table}"),
            Err(_) => assert_eq!(request[76..], u32::from(number).to_ne_bytes(), "{table}"),
        }
    }
}

#[test]
fn requests_have_the_sizes_of_the_kernel_structures() {
    let len = |protocol, family| {
        dump_request(Table::new(protocol, family), ALL)
            .unwrap()
            .len()
            - 16
    };
    assert_eq!(len(Protocol::Tcp, Family::Inet), 56);
    assert_eq!(len(Protocol::Mptcp, Family::Inet6), 56 + 8);
    assert_eq!(len(Protocol::Unix, Family::Unix), 24);
    assert_eq!(len(Protocol::Netlink, Family::Netlink), 20);
    assert_eq!(len(Protocol::Packet, Family::Packet), 20);
    let icmp = Table::new(Protocol::Icmp, Family::Inet);
    assert_eq!(dump_request(icmp, ALL), None);
}

#[test]
fn request_for_both_ip_versions_is_the_older_one() {
    let params = DumpParams {
        states: StateSet::EMPTY.with(State::TimeWait),
        extensions: Extensions {
            info: true,
            ..ALL.extensions
        },
        ports: [22, 0],
        program: &[1, 2, 3, 4],
    };
    let request = both_request(params);
    assert_eq!(request.len(), 16 + 60 + 8);
    // `TCPDIAG_GETSOCK`; the family is left open.
    assert_eq!((request[4], request[16]), (18, 0));
    assert_eq!(request[19], 1 << 1 | 1 << 2 | 1 << 3);
    assert_eq!(request[20..24], [0, 22, 0, 0]);
    assert_eq!(request[68..72], (1_u32 << 6).to_ne_bytes());
    assert_eq!(request[80..], [1, 2, 3, 4]);
}

#[test]
fn what_bpf_maps_store_is_asked_for_by_an_empty_attribute() {
    let params = DumpParams {
        extensions: Extensions {
            storage: true,
            ..ALL.extensions
        },
        program: &[1, 2, 3, 4],
        ..ALL
    };
    let attribute = [4_u16, 2].map(u16::to_ne_bytes).concat();
    for (request, len) in [
        (dump_request(TCP, params).unwrap(), 72),
        (both_request(params), 76),
    ] {
        assert_eq!(request.len(), len + 8 + 4);
        assert_eq!(request[len + 8..], attribute);
    }
}

#[test]
fn sctp_info_is_always_asked_for_and_states_choose_if_they_are_to() {
    let table = Table::new(Protocol::Sctp, Family::Inet);
    let listen = StateSet::EMPTY.with(State::Listen);
    for (sctp, mask) in [(None, StateSet::ALL.kernel_mask()), (Some(listen), 1 << 10)] {
        let extensions = Extensions {
            sctp,
            ..ALL.extensions
        };
        let params = DumpParams { extensions, ..ALL };
        let request = dump_request(table, params).unwrap();
        assert_eq!(request[18], 1 << 1);
        assert_eq!(request[20..24], mask.to_ne_bytes());
    }
}

#[test]
fn extensions_are_asked_only_when_wanted() {
    let extensions = |info, options, memory| {
        let extensions = Extensions {
            info,
            options,
            memory,
            ..ALL.extensions
        };
        let params = DumpParams { extensions, ..ALL };
        dump_request(TCP, params).unwrap()[18]
    };
    assert_eq!(extensions(false, false, false), 0);
    assert_eq!(extensions(true, false, false), 1 << 1 | 1 << 2 | 1 << 3);
    assert_eq!(extensions(false, true, false), 1 << 4 | 1 << 5);
    assert_eq!(extensions(false, false, true), 1 << 6);
}

#[test]
fn state_mask_of_listeners_is_in_the_request() {
    let params = DumpParams {
        states: StateSet::EMPTY.with(State::Listen),
        ..ALL
    };
    let request = dump_request(TCP, params).unwrap();
    assert_eq!(request[20..24], (1_u32 << 10).to_ne_bytes());
}

#[test]
fn ports_stand_in_the_id_and_the_program_behind_it() {
    let params = DumpParams {
        ports: [80, 443],
        program: &[1, 4, 8, 0],
        ..ALL
    };
    let request = dump_request(TCP, params).unwrap();
    assert_eq!(request[24..28], [0, 80, 1, 187]);
    let attribute = [8_u16.to_ne_bytes(), 1_u16.to_ne_bytes()].concat();
    assert_eq!(request[72..], [&attribute[..], &[1, 4, 8, 0]].concat());
}

#[test]
fn program_for_mptcp_comes_after_its_number() {
    let table = Table {
        protocol: Protocol::Mptcp,
        family: Family::Inet6,
    };
    let params = DumpParams {
        program: &[1, 4, 8, 0],
        ..ALL
    };
    let kinds = dump_request(table, params).unwrap()[72..]
        .chunks(8)
        .map(|attribute| attribute[2])
        .collect::<Vec<_>>();
    assert_eq!(kinds, [3, 1]);
}

#[test]
fn one_connection_is_asked_for_with_its_whole_id() {
    let ends: [SocketAddr; 2] =
        ["[2001:db8::1]:80", "[2001:db8::2]:443"].map(|e| e.parse().unwrap());
    let table = Table {
        family: Family::Inet6,
        ..TCP
    };
    let request = exact_request(table, ALL, ends, Some(7));
    assert_eq!(request.len(), 16 + 56);
    // NLM_F_REQUEST alone: one reply.
    assert_eq!(request[6..8], 1_u16.to_ne_bytes());
    assert_eq!(request[16], 10);
    assert_eq!(request[24..28], [0, 80, 1, 187]);
    assert_eq!((request[28], request[43]), (0x20, 1));
    assert_eq!((request[44], request[59]), (0x20, 2));
    assert_eq!(request[60..64], 7_u32.to_ne_bytes());
    assert_eq!(request[64..72], [0xff; 8]);
}
