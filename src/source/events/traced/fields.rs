//! What the program reads: fields of the kernel's structures, and their places in a record.

use std::mem::offset_of;

use super::record::Record;
use crate::bpf::Kind;
use crate::bpf::Size::{self, Eight, Four, Two};

/// The type that describes the arguments of the tracepoint: socket, old state, new state.
pub(super) const TRACEPOINT: &str = "btf_trace_inet_sock_set_state";
/// The functions that make the small structure of a socket, and that deal with its segments.
pub(super) const REST: [&str; 2] = ["inet_twsk_alloc", "tcp_timewait_state_process"];
/// The types that the programs must know.
pub(super) const WANTED: [(Kind, &str); 16] = [
    (Kind::Typedef, TRACEPOINT),
    (Kind::Function, REST[0]),
    (Kind::Function, REST[1]),
    (Kind::Struct, "inet_timewait_sock"),
    (Kind::Struct, COMMON),
    (Kind::Struct, "sock"),
    (Kind::Struct, "tcp_sock"),
    (Kind::Struct, "net"),
    (Kind::Struct, "socket"),
    (Kind::Struct, "file"),
    (Kind::Struct, "inode"),
    (Kind::Struct, "cgroup"),
    (Kind::Struct, "kernfs_node"),
    (Kind::Struct, "task_struct"),
    (Kind::Struct, "mm_struct"),
    (Kind::Struct, "cred"),
];

/// A field of a structure, and its place in a record.
pub(super) type Field = (Size, &'static str, usize);

/// The structure that `struct sock` begins with.
pub(super) const COMMON: &str = "sock_common";
/// Of that.
pub(super) const OF_COMMON: [Field; 5] = [
    (Two, "skc_family", offset_of!(Record, family)),
    (Two, "skc_num", offset_of!(Record, port)),
    (Two, "skc_dport", offset_of!(Record, peer_port)),
    (Four, "skc_bound_dev_if", offset_of!(Record, interface)),
    (Eight, "skc_flags", offset_of!(Record, flags)),
];
/// Of `struct sock`.
pub(super) const OF_SOCKET: [Field; 4] = [
    (Two, "sk_protocol", offset_of!(Record, protocol)),
    (Four, "sk_mark", offset_of!(Record, mark)),
    (Four, "sk_uid.val", offset_of!(Record, uid)),
    (Four, "sk_err", offset_of!(Record, error)),
];
/// Of `struct tcp_sock`.
pub(super) const OF_TCP: [Field; 6] = [
    (Two, LAST_PORT, offset_of!(Record, last_port)),
    (Four, "srtt_us", offset_of!(Record, srtt)),
    (Four, "total_retrans", offset_of!(Record, retransmits)),
    (Eight, "bytes_sent", offset_of!(Record, sent)),
    (Eight, "bytes_retrans", offset_of!(Record, resent)),
    (Eight, "bytes_received", offset_of!(Record, received)),
];
const LAST_PORT: &str = "inet_conn.icsk_inet.inet_sport";
/// The addresses of both ends, in IPv4 and in IPv6.
pub(super) const ADDRESSES: [([&str; 2], usize); 2] = [
    (
        ["skc_rcv_saddr", "skc_v6_rcv_saddr"],
        offset_of!(Record, address),
    ),
    (
        ["skc_daddr", "skc_v6_daddr"],
        offset_of!(Record, peer_address),
    ),
];

/// From a socket to its network namespace,
pub(super) const NETWORK: [[&str; 2]; 2] = [[COMMON, "skc_net.net"], ["net", "ns.inum"]];
/// to its inode. Where there is no file, each address on the way is 0, and so is what is read from there.
pub(super) const INODE: [[&str; 2]; 4] = [
    ["sock", "sk_socket"],
    ["socket", "file"],
    ["file", "f_inode"],
    ["inode", "i_ino"],
];
/// and to its cgroup.
pub(super) const CGROUP: [[&str; 2]; 3] = [
    ["sock", "sk_cgrp_data.cgroup"],
    ["cgroup", "kn"],
    ["kernfs_node", "id"],
];
