//! Lines of the unix, packet and netlink tables, and rules for all tables.

use super::super::{bucket_of, is_header};
use super::samples::*;
use super::{changed, decoded, refusal, row};
use crate::model::{PortKind, Protocol, SocketType, State, Table};

fn name(path: &[u8]) -> Vec<u8> {
    let line = [b"0: 00000002 00000000 00000000 0001 01 21429 ", path].concat();
    decoded(TABLE_UNIX, &line).unwrap().local.name
}

#[test]
fn every_table_with_a_file_has_lines_that_are_decoded() {
    for table in Table::all() {
        let has_lines = SAMPLES.iter().any(|(of, _)| *of == table);
        assert_eq!(has_lines, table.proc_file().is_some(), "{table}");
    }
    for sample in SAMPLES {
        let (table, socket) = (sample.0, row(*sample));
        assert_eq!(
            (socket.protocol, socket.family),
            (table.protocol, table.family)
        );
        let ip = table.protocol.is_ip();
        assert_eq!(socket.local.ip.is_some(), ip, "{table}");
        let types = matches!(table.protocol, Protocol::Unix | Protocol::Packet);
        assert_eq!(socket.kind.is_some(), types, "{table}");
        let has_port = table.protocol.port() != PortKind::None;
        assert!(has_port || socket.local.port.is_none(), "{table}");
    }
}

#[test]
fn header_is_told_from_a_row() {
    assert!(is_header(
        TABLE_TCP,
        b"  sl  local_address rem_address   st"
    ));
    assert!(is_header(TABLE_UNIX, b"Num       RefCount Protocol"));
    assert!(is_header(TABLE_NETLINK, b"sk               Eth Pid"));
    for (table, line) in SAMPLES {
        assert!(!is_header(*table, line));
    }
}

#[test]
fn bucket_is_the_first_column() {
    assert_eq!(bucket_of(ICMP6.1), Some(60));
    assert_eq!(bucket_of(b"no row"), None);
}

#[test]
fn error_quotes_only_the_beginning_of_a_long_column() {
    let line = vec![b'x'; 1 << 20];
    let error = decoded(TABLE_TCP, &line).unwrap_err();
    let beginning = "x".repeat(64);
    assert_eq!(error, format!("sl: \"{beginning}...\" has no colon"));
}

#[test]
fn error_escapes_what_it_quotes() {
    let error = decoded(TABLE_TCP, b"\x1b]0;\xff").unwrap_err();
    assert_eq!(error, "sl: \"\\x1b]0;\\xff\" has no colon");
}

#[test]
fn unix_path_is_the_rest_of_the_line() {
    assert_eq!(row(UNIX).local.name, b"/tmp/pf a b");
    assert_eq!(row(UNIX).inode, Some(21429));
    assert_eq!(row(UNIX_BYTES).local.name, b"/tmp/pf\xff\xfe");
}

#[test]
fn unix_path_keeps_its_own_blanks() {
    assert_eq!(name(b" rel"), b" rel");
    assert_eq!(name(b"trail "), b"trail ");
    assert_eq!(name(b"ends\r"), b"ends\r");
}

#[test]
fn unix_at_sign_begins_an_abstract_name() {
    assert_eq!(row(UNIX_AUTOBIND).local.name, b"\x003b861");
    assert_eq!(row(UNIX_SEQPACKET).local.name, b"\0");
    assert_eq!(name(b"@a@b"), b"\0a@b");
    assert_eq!(name(b"pf@x@"), b"pf@x@");
}

#[test]
fn unix_socket_may_have_no_name() {
    let socket = row(UNIX_UNNAMED);
    assert_eq!(socket.local.name, b"");
    assert_eq!(
        (socket.state, socket.inode),
        (State::Established, Some(442))
    );
}

#[test]
fn unix_flag_makes_a_listener() {
    assert_eq!(row(UNIX).state, State::Listen);
    assert_eq!(row(UNIX_AUTOBIND).state, State::Unconn);
}

#[test]
fn unix_connection_not_yet_accepted_has_no_inode() {
    assert_eq!(row(UNIX_PENDING).inode, None);
    assert_eq!(row(UNIX_PENDING).state, State::from_unix_proc(2, 0));
}

#[test]
fn unix_type_is_told_and_queues_and_peer_are_not() {
    assert_eq!(row(UNIX).kind, Some(SocketType::Stream));
    let socket = row(UNIX_SEQPACKET);
    assert_eq!(socket.kind, Some(SocketType::Seqpacket));
    assert_eq!((socket.recv_queue, socket.send_queue), (None, None));
    assert_eq!((socket.uid, socket.peer_inode), (None, None));
}

#[test]
fn unix_abstract_names_may_hold_nul_bytes() {
    assert_eq!(name(b"@a\0b\0"), b"\0a\0b\0");
    assert_eq!(name(b"@\0"), b"\0\0");
    assert_eq!(name(b"/run/a\0\0"), b"/run/a");
}

#[test]
fn unix_names_the_kernel_cannot_write_are_refused() {
    let nul = refusal(UNIX, "pf a", "pf\0a");
    assert_eq!(
        nul,
        "Path: \"/tmp/pf\\x00a b\" has a newline, or bytes after a NUL"
    );
    let longest = "n".repeat(108);
    assert_eq!(name(longest.as_bytes()).len(), 108);
    let longer = refusal(UNIX, "/tmp/pf a b", &format!("{longest}n"));
    assert!(longer.ends_with("is longer than any path"));
}

#[test]
fn unix_name_that_begins_with_a_newline_is_empty() {
    let socket = changed(UNIX, " /tmp/pf a b", " ").unwrap();
    assert_eq!(socket.local.name, b"");
    assert_eq!(socket.inode, row(UNIX).inode);
}

#[test]
fn unix_references_are_hexadecimal() {
    let socket = changed(UNIX, "00000002", "0000001F").unwrap();
    assert_eq!(socket.proc_net.unwrap().references, 31);
}

#[test]
fn unix_rest_of_a_path_with_a_newline_is_refused() {
    let error = decoded(TABLE_UNIX, b"new").unwrap_err();
    assert_eq!(error, "Num: \"new\" has no colon");
}

#[test]
fn unix_inode_narrower_than_its_column_is_refused() {
    let error = refusal(UNIX, "21429", "21 29");
    assert_eq!(error, "Inode: \"21\" has too few digits");
}

#[test]
fn packet_port_is_the_ethertype() {
    let socket = row(PACKET);
    assert_eq!(socket.local.port, Some(0x800));
    assert_eq!(socket.kind, Some(SocketType::Dgram));
    assert_eq!((socket.recv_queue, socket.send_queue), (Some(64644), None));
    assert_eq!((socket.uid, socket.inode), (Some(0), Some(21448)));
    assert_eq!((socket.state, socket.interface), (State::Unconn, None));
}

#[test]
fn packet_socket_may_be_bound_to_an_interface_or_to_nothing() {
    assert_eq!(row(PACKET_LO).interface, Some(1));
    assert_eq!(row(PACKET_LO).kind, Some(SocketType::Raw));
    assert_eq!(row(PACKET_IDLE).local.port, None);
}

#[test]
fn netlink_port_id_is_unsigned() {
    let socket = row(NETLINK);
    assert_eq!(socket.local.name, b"route");
    assert_eq!(socket.local.port, Some(3_400_313_592));
    assert_eq!((socket.recv_queue, socket.send_queue), (Some(0), Some(0)));
    assert_eq!((socket.uid, socket.inode), (None, Some(21456)));
    assert_eq!(socket.state, State::Unconn);
}

#[test]
fn netlink_port_id_of_the_kernel_is_0() {
    assert_eq!(row(NETLINK_KERNEL).local.name, b"sock_diag");
    assert_eq!(row(NETLINK_KERNEL).local.port, Some(0));
}

#[test]
fn netlink_port_id_may_be_negative_and_columns_may_be_missing() {
    let socket = changed(NETLINK, "3400313592", "-894653704").unwrap();
    assert_eq!(socket.local.port, Some(3_400_313_592));
    let line = |tail| changed(NETLINK, " 2        0        21456   ", tail).unwrap();
    let without_inode = line(" 2        7");
    assert_eq!(without_inode.memory().unwrap().drops, Some(7));
    assert!(without_inode.lacks_inode() && without_inode.may_be_held());
    assert_eq!(line(" 2").memory(), None);
    assert_eq!(line(" 2        0        21456   9").inode, Some(21456));
}

#[test]
fn packet_socket_may_have_lost_its_interface() {
    let socket = changed(PACKET_LO, " 1     1 0 ", " -1    0 0 ").unwrap();
    assert_eq!(socket.interface, Some(u32::MAX));
}

#[test]
fn netlink_family_without_a_name_is_its_number() {
    let socket = changed(NETLINK_KERNEL, " 4   0", " 31  0").unwrap();
    assert_eq!(socket.local.name, b"31");
}
