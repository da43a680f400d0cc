//! TCP sockets.

use std::net::TcpListener;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use super::{proc_row, tcp_agrees};
use crate::scene::tcp::{listeners, options, states};
use crate::scene::{Namespace, V4, V6, or_skip, witness};
use crate::support::{can_list_bound, tool, until};

/// One test for each recipe, over IPv4 and over IPv6: `/proc/net/tcp` and `ss` both show every
/// socket of it in the expected state, with the expected queues, inode and half-close.
macro_rules! proc_and_ss_show {
    ($($name:ident: $open:expr;)*) => {$(
        #[test]
        fn $name() {
            let _namespace = Namespace::enter();
            for ip in [V4, V6] {
                if let Some(held) = or_skip(stringify!($name), $open(ip)) {
                    tcp_agrees(&held);
                }
            }
        }
    )*};
}

proc_and_ss_show! {
    listen_is_listed: states::listen;
    syn_sent_is_listed_with_its_syn_unacknowledged: states::syn_sent;
    syn_rcvd_is_listed_without_inode: states::syn_rcvd;
    established_is_listed_at_both_ends: states::established;
    fin_wait_1_is_listed_with_unsent_bytes: states::fin_wait_1;
    half_close_is_listed_as_fin_wait_2_and_close_wait: states::half_closed;
    last_ack_is_listed_with_unsent_bytes: states::last_ack;
    closing_is_listed_with_unsent_bytes: states::closing;
    time_wait_is_listed_without_inode: states::time_wait;
    orphan_is_listed_without_inode: states::orphan;
    connection_not_accepted_is_listed_without_inode: states::pending;
    full_accept_queue_holds_one_more_than_its_backlog: |ip| listeners::full_queue(ip, 3);
    listener_of_three_processes_is_listed_once: listeners::shared;
    listener_of_a_child_is_listed: listeners::handed_over;
    two_listeners_share_a_port: listeners::reuse_port;
    listener_on_an_interface_is_listed_with_it: listeners::on_interface;
    unread_bytes_are_counted: |ip| options::unread(ip, 1_234);
    unsent_bytes_are_listed: options::unsent;
    receiving_side_shut_leaves_the_connection_established: options::receive_shut;
    keepalive_timer_is_listed: options::keepalive;
    marked_listener_is_listed: options::marked;
}

#[test]
fn mapped_connection_is_listed_as_ipv6_at_one_end_and_ipv4_at_the_other() {
    let _namespace = Namespace::enter();
    let Some(held) = or_skip("mapped", listeners::mapped()) else {
        return;
    };
    tcp_agrees(&held);
    let server = held.the("mapped server");
    assert_eq!(server.family, "inet6");
    assert_eq!(server.local().ip().to_string(), "::ffff:127.0.0.1");
    assert_eq!(held.the("IPv4 client of the mapped server").family, "inet");
}

#[test]
fn ipv6_only_listener_leaves_the_ipv4_port_free() {
    let namespace = Namespace::enter();
    let Some(held) = or_skip("v6only", listeners::v6only()) else {
        return;
    };
    let row = proc_row(held.the("IPv6-only listener"));
    // In a shared namespace someone else may have taken the IPv4 port.
    if namespace.is_fresh() {
        TcpListener::bind((V4, row.local.port())).unwrap();
    }
}

#[test]
fn link_local_listener_is_bound_to_its_interface() {
    let namespace = Namespace::enter();
    let Some(held) = or_skip("on_link_local", listeners::on_link_local(&namespace)) else {
        return;
    };
    tcp_agrees(&held);
}

#[test]
fn listener_held_5000_times_is_listed_once() {
    let _namespace = Namespace::enter();
    let opened = options::held_many_times(V4, 5_000);
    let Some(held) = or_skip("held_many_times", opened) else {
        return;
    };
    tcp_agrees(&held);
    assert_eq!(held.the("held many times").owners[0].1.len(), 5_000);
}

#[test]
fn both_queues_together_hold_what_was_written() {
    let _namespace = Namespace::enter();
    for ip in [V4, V6] {
        let Some(held) = or_skip("unsent", options::unsent(ip)) else {
            continue;
        };
        // A byte on its way is counted at both ends until it is acknowledged.
        let sum = || {
            proc_row(held.the("unsent bytes")).send_queue
                + proc_row(held.the("peer of unsent bytes")).recv_queue
        };
        let total = options::written_by_unsent();
        until("sum of the queues", || (sum() == total).then_some(()));
    }
}

#[test]
fn bound_socket_is_in_no_file_of_proc_net() {
    let _namespace = Namespace::enter();
    for ip in [V4, V6] {
        let Some(held) = or_skip("bound", states::bound(ip)) else {
            continue;
        };
        assert_eq!(witness::rows_of(held.the("BOUND")).unwrap(), []);
    }
}

#[test]
fn bound_socket_keeps_its_port_from_others() {
    let _namespace = Namespace::enter();
    let held = states::bound(V4).unwrap();
    let error = TcpListener::bind(held.the("BOUND").local()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
}

#[test]
fn bound_socket_is_known_to_sock_diag_under_bit_13() {
    let _namespace = Namespace::enter();
    for (ip, family) in [(V4, AddressFamily::INET), (V6, AddressFamily::INET6)] {
        let Some(held) = or_skip("bound", states::bound(ip)) else {
            continue;
        };
        let inode = u32::try_from(held.the("BOUND").inode.unwrap()).unwrap();
        if !can_list_bound() {
            return;
        }
        let listed = || {
            states_and_inodes(family, 1 << 13)
                .contains(&(7, inode))
                .then_some(())
        };
        until("the bound socket in the dump", listed);
    }
}

#[test]
fn ss_shows_the_mark_to_root() {
    let _namespace = Namespace::enter();
    let Some(held) = or_skip("marked", options::marked(V4)) else {
        return;
    };
    let inode = held.the("marked listener").inode.unwrap();
    let Some(output) = tool("ss", &["-tlnHeO"]) else {
        return;
    };
    let output = String::from_utf8(output).unwrap();
    let line = output
        .lines()
        .find(|line| line.contains(&format!("ino:{inode} ")))
        .unwrap();
    assert!(
        line.contains(&format!("fwmark:{:#x}", options::MARK)),
        "{line}"
    );
}

/// State and inode of every TCP socket the kernel dumps for this mask of states.
fn states_and_inodes(family: AddressFamily, states: u32) -> Vec<(u8, u32)> {
    let socket: OwnedFd = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )
    .unwrap();
    // `nlmsghdr` of a SOCK_DIAG_BY_FAMILY dump, then `inet_diag_req_v2` for protocol 6.
    let mut request = Vec::new();
    request.extend(72_u32.to_ne_bytes());
    request.extend(20_u16.to_ne_bytes());
    request.extend(0x301_u16.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([u8::try_from(family.as_raw()).unwrap(), 6, 0, 0]);
    request.extend(states.to_ne_bytes());
    request.resize(72, 0);
    rustix::net::send(&socket, &request, SendFlags::empty()).unwrap();
    let mut found = Vec::new();
    let mut buffer = vec![0_u8; 65_536];
    loop {
        let (length, _) = rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty()).unwrap();
        let mut rest = &buffer[..length];
        while rest.len() >= 16 {
            let size = usize::try_from(u32::from_ne_bytes(rest[..4].try_into().unwrap())).unwrap();
            match u16::from_ne_bytes(rest[4..6].try_into().unwrap()) {
                20 => found.push((
                    rest[17],
                    u32::from_ne_bytes(rest[84..88].try_into().unwrap()),
                )),
                3 => return found,
                other => panic!("netlink message {other}: {:?}", &rest[..size]),
            }
            rest = &rest[size.next_multiple_of(4).min(rest.len())..];
        }
    }
}
