//! UDP, UDP-Lite, raw, ping, packet, netlink and MPTCP sockets.

use std::fs;

use super::{proc_agrees, ss_agrees};
use crate::scene::{Expected, Held, Namespace, V4, V6, or_skip, witness};
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
            assert_eq!(
                witness::rows_of(expected).unwrap().len(),
                1,
                "{expected:#?}"
            );
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
    let text = fs::read_to_string("/proc/thread-self/net/packet").unwrap();
    let inode = expected.inode.unwrap().to_string();
    let fields = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let row = text
        .lines()
        .map(fields)
        .find(|row| row.last() == Some(&inode));
    let row = row.unwrap_or_else(|| panic!("{expected:#?}\nstands not in\n{text}"));
    assert_eq!(
        row[2],
        if expected.kind == Some("raw") {
            "3"
        } else {
            "2"
        },
        "{expected:#?}"
    );
    assert_eq!(
        row[3],
        format!("{:04x}", expected.number.unwrap()),
        "{expected:#?}"
    );
    let interface = expected
        .interface
        .map_or(0, |name| nix::net::if_::if_nametoindex(name).unwrap());
    assert_eq!(row[4], interface.to_string(), "{expected:#?}");
}

#[test]
fn netlink_sockets_are_listed_with_protocol_and_port_id() {
    let _namespace = Namespace::enter();
    let Some(held) = or_skip("netlink", link::netlink()) else {
        return;
    };
    let text = fs::read_to_string("/proc/thread-self/net/netlink").unwrap();
    for expected in &held.expected {
        // `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`.
        let found = text
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .any(|row| {
                row.get(1) == Some(&expected.number.unwrap().to_string().as_str())
                    && row.get(2) == Some(&expected.port_id.unwrap().to_string().as_str())
                    && row.last() == Some(&expected.inode.unwrap().to_string().as_str())
            });
        assert!(found, "{expected:#?}\nstands not in\n{text}");
    }
}
