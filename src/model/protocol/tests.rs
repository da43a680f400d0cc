//! Checks that the table of protocols is consistent.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::{Family, PortKind, Protocol, Table};
use crate::model::{State, StateSet};

fn assert_distinct<T: Ord + Debug>(values: impl IntoIterator<Item = T>) {
    let mut seen = BTreeSet::new();
    for value in values {
        let text = format!("{value:?}");
        assert!(seen.insert(value), "twice: {text}");
    }
}

#[test]
fn nothing_of_a_protocol_is_that_of_another() {
    assert_distinct(Protocol::ALL.map(Protocol::name));
    assert_distinct(Protocol::ALL.map(Protocol::title));
    assert_distinct(Table::all().map(Table::recording_code));
    assert_distinct(Table::all().filter_map(Table::proc_file));
    assert_distinct(Family::ALL.map(Family::name));
    assert_distinct(Family::ALL.map(Family::code));
    assert_distinct(Table::all().filter_map(|t| Some((t.family, t.protocol.sock_diag()?))));
}

#[test]
fn recording_codes_leave_room_for_the_ip_version() {
    assert!(Table::all().all(|table| table.recording_code() & !0x40 < 0x40));
}

#[test]
fn every_table_has_a_file_but_those_of_modules_and_mptcp() {
    let file = |protocol, family| Table::new(protocol, family).proc_file();
    assert_eq!(
        file(Protocol::Tcp, Family::Inet).as_deref(),
        Some("net/tcp")
    );
    assert_eq!(
        file(Protocol::UdpLite, Family::Inet6).as_deref(),
        Some("net/udplite6")
    );
    assert_eq!(
        file(Protocol::Unix, Family::Unix).as_deref(),
        Some("net/unix")
    );
    for table in Table::all() {
        let has_none = table.protocol == Protocol::Mptcp || table.protocol.is_module();
        assert_eq!(table.proc_file().is_none(), has_none, "{table}");
    }
}

#[test]
fn every_protocol_is_in_a_dump_but_ping() {
    for protocol in Protocol::ALL {
        let is_ping = protocol == Protocol::Icmp;
        assert_eq!(protocol.sock_diag().is_none(), is_ping, "{protocol}");
    }
}

#[test]
fn ip_protocols_are_those_with_ip_addresses() {
    for protocol in Protocol::ALL {
        let families = protocol.families();
        let is_ip = families == [Family::Inet, Family::Inet6];
        assert_eq!(protocol.is_ip(), is_ip, "{protocol}");
        assert_eq!(protocol.is_ip(), is_ip, "{protocol}");
        assert!(is_ip || !protocol.has_service_ports(), "{protocol}");
        let is_unix = protocol == Protocol::Unix;
        assert_eq!(protocol.port() == PortKind::None, is_unix, "{protocol}");
    }
}

#[test]
fn protocols_with_a_handshake_listen() {
    for protocol in Protocol::ALL {
        let listens = protocol.listening() == StateSet::EMPTY.with(State::Listen);
        assert!(listens || !protocol.is_tcp_like(), "{protocol}");
        // The kernel's code of an established connection is the same everywhere.
        assert_eq!(protocol.state(1), State::Established, "{protocol}");
    }
}

#[test]
fn families_have_the_numbers_of_the_kernel() {
    let codes = Family::ALL.map(Family::code);
    assert_eq!(codes, [2, 10, 1, 17, 16, 40, 30, 44, 43]);
    for family in Family::ALL {
        assert_eq!(Family::from_code(family.code()), Some(family));
    }
    assert_eq!(Family::from_code(0), None);
}
