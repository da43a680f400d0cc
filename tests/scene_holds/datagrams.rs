//! UDP, UDP-Lite, raw, ping, packet, netlink and MPTCP sockets.

use std::fs;

use super::{eventually, proc_agrees, proc_row, ss_agrees};
use crate::scene::{Expected, Held, Namespace, V4, V6, or_skip};
use crate::scene::{datagram, link, mptcp};

/// One test for each recipe, over IPv4 and over IPv6, against `/proc/net` and `ss`.
macro_rules! proc_and_ss_show {
    ($($name:ident: $open:expr, $protocol:literal, $flags:literal;)*) => {$(
        #[test]
        fn $name() {
            let namespace = Namespace::enter();
            let open: fn(&Namespace, std::net::IpAddr) -> std::io::Result<Held> = $open;
            for ip in [V4, V6] {
                if let Some(held) = or_skip(stringify!($name), open(&namespace, ip)) {
                    proc_agrees(&held.expected);
                    ss_agrees(&held.expected, $protocol, &[$flags]);
                }
            }
        }
    )*};
}

proc_and_ss_show! {
    udp_bound_is_listed_unconnected: |_, ip| datagram::udp_bound(ip), "udp", "-uanHeO";
    udp_connected_is_listed_established: |_, ip| datagram::udp_connected(ip), "udp", "-uanHeO";
    udp_unread_bytes_are_counted_in_memory: |_, ip| datagram::udp_unread(ip), "udp", "-uanHeO";
    udplite_is_listed_in_a_file_of_its_own: |_, ip| datagram::udplite(ip), "none", "-uanHeO";
    raw_socket_has_its_protocol_for_a_port: |_, ip| datagram::raw(ip), "none", "-wanHeO";
    raw_socket_connected_is_listed_established:
        |_, ip| datagram::raw_connected(ip), "none", "-wanHeO";
    ping_socket_has_its_identifier_for_a_port: datagram::ping, "none", "-wanHeO";
    mptcp_is_listed_by_ss: |_, ip| mptcp::connection(ip), "mptcp", "-ManHeO";
}

#[test]
fn mptcp_sockets_stand_in_proc_net_tcp_with_their_own_inodes() {
    let _namespace = Namespace::enter();
    for ip in [V4, V6] {
        let Some(held) = or_skip("mptcp", mptcp::connection(ip)) else {
            continue;
        };
        for expected in &held.expected {
            proc_row(expected);
        }
    }
}

#[test]
fn packet_sockets_are_listed_with_type_ethertype_and_interface() {
    let _namespace = Namespace::enter();
    let Some(held) = or_skip("packet", link::packet()) else {
        return;
    };
    held.expected.iter().for_each(assert_packet);
    let held = link::packet_on_lo().unwrap();
    held.expected.iter().for_each(assert_packet);
}

/// `sk RefCnt Type Proto Iface R Rmem User Inode`, the protocol in hexadecimal.
fn assert_packet(expected: &Expected) {
    let index = |name| nix::net::if_::if_nametoindex(name).unwrap();
    let wanted = [
        if expected.kind == Some("raw") {
            "3".into()
        } else {
            "2".into()
        },
        format!("{:04x}", expected.number.unwrap()),
        expected.interface.map_or(0, index).to_string(),
    ];
    let row = row_of("packet", expected);
    assert_eq!(row[2..5], wanted, "{expected:#?}");
}

#[test]
fn netlink_sockets_are_listed_with_protocol_and_port_id() {
    let _namespace = Namespace::enter();
    let Some(held) = or_skip("netlink", link::netlink()) else {
        return;
    };
    for expected in &held.expected {
        // `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`
        let row = row_of("netlink", expected);
        assert_eq!(
            row[1],
            expected.number.unwrap().to_string(),
            "{expected:#?}"
        );
        assert_eq!(
            row[2],
            expected.port_id.unwrap().to_string(),
            "{expected:#?}"
        );
    }
}

/// The fields of the line of `/proc/net/<file>` that ends with the inode.
fn row_of(file: &str, expected: &Expected) -> Vec<String> {
    let inode = expected.inode.unwrap().to_string();
    eventually(|| {
        let text = fs::read_to_string(format!("/proc/thread-self/net/{file}")).unwrap();
        let mut rows = text
            .lines()
            .map(|line| line.split_whitespace().map(String::from).collect());
        let found = rows.find(|row: &Vec<String>| row.last() == Some(&inode));
        found.ok_or_else(|| format!("{expected:#?}\nstands not in\n{text}"))
    })
}
