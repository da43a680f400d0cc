//! Fields of the kernel's structures that the programs read, and their offsets in a record.

use std::mem::offset_of;

use super::record::StepRecord;
use crate::bpf::Size::{self, Eight, Four, One, Two};
use crate::bpf::TypeKind;
use crate::source::checks::COMMON;

/// The type of the tracepoint's arguments: socket, old state, new state.
pub(super) const TRACEPOINT: &str = "btf_trace_inet_sock_set_state";
/// The functions that make the small structure of a closed socket and handle its segments.
pub(super) const REST: [&str; 2] = ["inet_twsk_alloc", "tcp_timewait_state_process"];
/// The types and functions that the programs use.
pub(super) const WANTED: [(TypeKind, &str); 17] = [
    (TypeKind::Typedef, TRACEPOINT),
    (TypeKind::Function, REST[0]),
    (TypeKind::Function, REST[1]),
    (TypeKind::Struct, "inet_timewait_sock"),
    (TypeKind::Struct, COMMON),
    (TypeKind::Struct, "sock"),
    (TypeKind::Struct, "tcp_sock"),
    (TypeKind::Struct, "net"),
    (TypeKind::Struct, "socket"),
    (TypeKind::Struct, "file"),
    (TypeKind::Struct, "inode"),
    (TypeKind::Struct, "css_set"),
    (TypeKind::Struct, "cgroup"),
    (TypeKind::Struct, "kernfs_node"),
    (TypeKind::Struct, "task_struct"),
    (TypeKind::Struct, "mm_struct"),
    (TypeKind::Struct, "cred"),
];

/// Size, path in a structure, and offset in a record.
pub(super) type Field = (Size, &'static str, usize);

/// Fields of the structure at the start of `struct sock`.
pub(super) const OF_COMMON: [Field; 5] = [
    (Two, "skc_family", offset_of!(StepRecord, family)),
    (Two, "skc_num", offset_of!(StepRecord, port)),
    (Two, "skc_dport", offset_of!(StepRecord, peer_port)),
    (Four, "skc_bound_dev_if", offset_of!(StepRecord, interface)),
    (Eight, "skc_flags", offset_of!(StepRecord, flags)),
];
/// Fields of `struct sock`.
pub(super) const OF_SOCKET: [Field; 5] = [
    (Two, "sk_protocol", offset_of!(StepRecord, protocol)),
    (Four, "sk_mark", offset_of!(StepRecord, mark)),
    (Four, "sk_uid.val", offset_of!(StepRecord, uid)),
    (Four, "sk_err", offset_of!(StepRecord, error)),
    (One, "sk_shutdown", offset_of!(StepRecord, shutdown)),
];
/// Fields of `struct tcp_sock`.
pub(super) const OF_TCP: [Field; 8] = [
    (Two, LAST_PORT, offset_of!(StepRecord, last_port)),
    (Four, "srtt_us", offset_of!(StepRecord, srtt)),
    (Four, "segs_out", offset_of!(StepRecord, segments)),
    (Four, "segs_in", offset_of!(StepRecord, answers)),
    (Four, "total_retrans", offset_of!(StepRecord, retransmits)),
    (Eight, "bytes_sent", offset_of!(StepRecord, sent)),
    (Eight, "bytes_retrans", offset_of!(StepRecord, resent)),
    (Eight, "bytes_received", offset_of!(StepRecord, received)),
];
/// 1 if a task holds the socket.
pub(super) const HELD: [&str; 2] = ["sock", "sk_lock.owned"];
/// Bit fields of `struct tcp_sock`.
pub(super) const BITS_OF_TCP: [(&str, usize); 2] = [
    ("fastopen_connect", offset_of!(StepRecord, fast_open)),
    ("repair", offset_of!(StepRecord, repair)),
];
pub(super) const LAST_PORT: &str = "inet_conn.icsk_inet.inet_sport";
/// Offsets of both addresses in a record.
pub(super) const ADDRESS_PLACES: [usize; 2] = [
    offset_of!(StepRecord, address),
    offset_of!(StepRecord, peer_address),
];

/// The path from the first thread of a process to the id of its cgroup.
pub(super) const TASK_CGROUP: [[&str; 2]; 4] = [
    ["task_struct", "cgroups"],
    ["css_set", "dfl_cgrp"],
    ["cgroup", "kn"],
    ["kernfs_node", "id"],
];

/// The path from a socket to its network namespace.
pub(super) const NETWORK: [[&str; 2]; 2] = [[COMMON, "skc_net.net"], ["net", "ns.inum"]];
/// The path from a socket to its inode. Without a file, each pointer on the path is 0, and so is the result.
pub(super) const INODE: [[&str; 2]; 4] = [
    ["sock", "sk_socket"],
    ["socket", "file"],
    ["file", "f_inode"],
    ["inode", "i_ino"],
];
