//! The table of fields and their definitions.

use super::definition::{Cost, Definition};
use crate::model::{
    Family, InfoField, ProcessStatus, Protocol, Shutdown, SocketType, Table, TimerKind, Unit,
};

/// Defines [`Field`] and its definitions: first the keys of a row in the order of JSON, then the others.
macro_rules! fields {
    (
        keys { $(
            $key:ident = $kind:ident($name:literal $(, $arg:expr)+)
                $({ $($said:ident: $of:expr),+ $(,)? })?;
        )+ }
        beside { $(
            $(#[$doc:meta])+
            $other:ident = $new:ident($($with:expr),+)
                $({ $($told:ident: $about:expr),+ $(,)? })?;
        )+ }
    ) => {
        /// A property of a socket, with its one name. Ordered as in JSON; parts follow their structures.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Field {
            $(#[doc = concat!("`", $name, "`")] $key,)+
            $($(#[$doc])+ $other,)+
            /// `tcp_info.…` and parts of other kernel structures.
            InfoPart(&'static InfoField),
            /// `memory.…`: an index in [`Memory::FIELDS`](crate::model::Memory::FIELDS).
            MemoryPart(usize),
        }

        impl Field {
            /// Every field of the vocabulary, in the order of JSON: the keys of a row.
            pub const VOCABULARY: [Self; [$($name),+].len()] = [$(Self::$key),+];

            /// Its definition; parts of a kernel structure share that of the structure.
            pub const fn definition(self) -> &'static Definition {
                match &self {
                    $(Self::$key => const {
                        &Definition { $($($said: $of,)+)? ..Definition::$kind($name $(, $arg)+) }
                    },)+
                    $(Self::$other => const {
                        &Definition { $($($told: $about,)+)? ..Definition::$new($($with),+) }
                    },)+
                    Self::InfoPart(part) => Self::of_structure(part.structure).definition(),
                    Self::MemoryPart(_) => Self::Memory.definition(),
                }
            }
        }
    };
}

fields! {
    keys {
        Protocol = word("protocol", 7, Protocol::NAMES) { short: Some("proto") };
        Family = word("family", 7, Family::NAMES);
        Type = word("type", 11, SocketType::NAMES) {
            applies: |table| !(is_ip(table) || matches!(table.protocol, Protocol::Netlink | Protocol::Smc))
                || is_sctp(table),
        };
        State = new("state", 11);
        RecvQueue = number("recv_queue", 6) {
            short: Some("recv_q"), unit: Some(Unit::Bytes), in_netlink: has_queues,
            in_procfs: |table| table.protocol != Protocol::Unix,
        };
        SendQueue = number("send_queue", 6) {
            short: Some("send_q"), unit: Some(Unit::Bytes), in_netlink: has_queues,
            in_procfs: |table| is_ip(table) || table.protocol == Protocol::Netlink,
        };
        LocalAddress = new("local_address", 15) {
            applies: has_address, is_optional: true,
        };
        LocalPort = right("local_port", 10) {
            aliases: &["sport"], applies: |table| table.protocol != Protocol::Unix,
            is_optional: true,
        };
        PeerAddress = new("peer_address", 15) {
            applies: has_address, in_procfs: is_ip,
            cost: Cost::UnixPeers, is_optional: true,
        };
        PeerPort = right("peer_port", 10) {
            aliases: &["dport"],
            applies: |table| has_address(table) && !is_unix(table), in_procfs: is_ip,
            is_optional: true,
        };
        LocalAddresses = new("local_addresses", 31) { applies: is_sctp, is_optional: true };
        PeerAddresses = new("peer_addresses", 31) { applies: is_sctp, is_optional: true };
        Interface = new("interface", 9) {
            aliases: &["dev", "iface"],
            applies: |table| {
                is_ip(table) || !has_address(table) || table.protocol == Protocol::Smc
            },
            in_procfs: |table| table.protocol == Protocol::Packet, cost: Cost::Interface,
            is_optional: true,
        };
        Uid = number("uid", 10) {
            in_netlink: has_uid, in_procfs: has_uid_line,
        };
        User = new("user", 10) {
            in_netlink: has_uid, in_procfs: has_uid_line,
            cost: Cost::User,
        };
        Inode = number("inode", 10) { is_optional: true };
        Cookie = new("cookie", 8) { unit: Some(Unit::Count), in_procfs: NEVER };
        Shutdown = word("shutdown", 8, Shutdown::NAMES) {
            applies: |table| {
                is_ip(table)
                    || matches!(table.protocol, Protocol::Unix | Protocol::Vsock | Protocol::Smc)
            },
            in_procfs: NEVER,
        };
        V6Only = word("v6only", 6, &["true", "false"]) {
            applies: |table| table.family == Family::Inet6 && table.protocol.has_service_ports(),
            in_procfs: NEVER,
        };
        Timer = new("timer", 23) { applies: is_ip, is_optional: true };
        Mark = number("mark", 10) {
            aliases: &["fwmark"], applies: is_ip, in_netlink: NEVER, in_procfs: NEVER,
        };
        Cgroup = new("cgroup", 40) { in_netlink: is_ip, in_procfs: NEVER, cost: Cost::Cgroup };
        CgroupId = number("cgroup_id", 10) { in_netlink: is_ip, in_procfs: NEVER };
        MadeIn = new("made_in", 24) { in_netlink: is_ip, in_procfs: NEVER, cost: Cost::Maker };
        Netns = new("netns", 12) { cost: Cost::Netns, is_optional: true };
        NetnsInode = number("netns_inode", 11) { cost: Cost::Netns, is_optional: true };
        PeerInode = number("peer_inode", 10) {
            applies: |table| table.protocol == Protocol::Unix, in_procfs: NEVER, is_optional: true,
        };
        FileInode = number("file_inode", 10) {
            applies: is_unix, in_procfs: NEVER, cost: Cost::File,
        };
        FileDevice = right("file_device", 11) {
            applies: is_unix, in_procfs: NEVER, cost: Cost::File,
        };
        AtPath = word("at_path", 7, &["true", "false"]) {
            applies: is_unix, in_procfs: NEVER, cost: Cost::Path,
        };
        PendingPeers = number("pending_peers", 13) {
            applies: is_unix, in_procfs: NEVER, cost: Cost::File,
        };
        Processes = new("processes", 24) { cost: Cost::Owners, is_optional: true };
        ProcessStatus = word("process_status", 14, ProcessStatus::NAMES) { cost: Cost::Owners };
        Container = place("container", 16);
        ContainerId = place("container_id", 12);
        Runtime = place("runtime", 10);
        Image = place("image", 24);
        ComposeProject = place("compose_project", 15);
        ComposeService = place("compose_service", 15);
        Pod = place("pod", 24);
        PodNamespace = place("pod_namespace", 13);
        PodUid = place("pod_uid", 36);
        Unit = place("unit", 24);
        ContainerUnit = place("container_unit", 24);
        PeerProcesses = new("peer_processes", 24) {
            applies: has_peer, cost: Cost::Peers, is_optional: true,
        };
        PeerNetns = new("peer_netns", 12) {
            applies: has_peer, cost: Cost::Peers, is_optional: true,
        };
        PeerContainer = new("peer_container", 16) {
            applies: has_peer, cost: Cost::Peers, is_optional: true,
        };
        SocketOptions = new("socket_options", 14) {
            applies: is_ip, in_procfs: NEVER, cost: Cost::Options,
        };
        Congestion = new("congestion", 10) {
            aliases: &["cong"],
            applies: |table| has_rate(table) || is_sctp(table),
            in_procfs: NEVER, cost: Cost::Info,
        };
        CongestionInfo = info("congestion_info", 15, is_tcp) { is_optional: true };
        TcpInfo = info("tcp_info", 8, is_tcp);
        MptcpInfo = info("mptcp_info", 10, |table| table.protocol == Protocol::Mptcp);
        Ulp = info("ulp", 5, is_tcp) { is_optional: true };
        UlpInfo = info("ulp_info", 8, is_tcp) { is_optional: true };
        Md5 = info("md5", 18, is_tcp) { is_optional: true };
        BpfStorage = new("bpf_storage", 11) {
            // The kernel does not report it for others (`inet_sk_diag_fill`).
            applies: has_rate,
            in_procfs: NEVER, cost: Cost::Storage, is_optional: true,
        };
        SctpInfo = info("sctp_info", 9, is_sctp);
        XdpInfo = info("xdp_info", 8, |table| table.protocol == Protocol::Xdp);
        TipcInfo = info("tipc_info", 9, |table| table.protocol == Protocol::Tipc);
        SmcInfo = info("smc_info", 8, |table| table.protocol == Protocol::Smc);
        Memory = new("memory", 8) {
            applies: |table| {
                !matches!(table.protocol, Protocol::Vsock | Protocol::Tipc | Protocol::Smc)
            },
            in_procfs: has_drops, cost: Cost::Memory,
        };
    }
    beside {
        /// `result`: the result of destroying the socket with `-K`.
        Result = new("result", 14);
        /// `acked_rate`: bytes per second that the peer acknowledges, with `-c`.
        AckedRate = number("acked_rate", 13) {
            unit: Some(Unit::Rate), applies: has_rate, in_procfs: NEVER, cost: Cost::Rates,
            is_optional: true,
        };
        /// `received_rate`: bytes received per second, with `-c`.
        ReceivedRate = number("received_rate", 13) {
            unit: Some(Unit::Rate), applies: has_rate, in_procfs: NEVER, cost: Cost::Rates,
            is_optional: true,
        };
        /// `local`: address, interface and port in one cell.
        Local = new("local", 24) { aliases: &["src"] };
        /// `peer`: likewise for the peer.
        Peer = new("peer", 24) { aliases: &["dst"], cost: Cost::UnixPeers };
        /// `timer.kind`
        TimerKind = word("timer", 11, TimerKind::NAMES) {
            key: Some("kind"), applies: is_ip, is_optional: true,
        };
        /// `timer.expires_ms`
        TimerExpires = number("expires_ms", 10) {
            unit: Some(Unit::Millis), applies: is_ip, is_optional: true,
        };
        /// `timer.retransmits`
        TimerRetransmits = number("retransmits", 11) { applies: is_ip, is_optional: true };
        /// `processes.pid`
        Pid = number("pid", 10) { csv: Some("pids"), cost: Cost::Owners, is_optional: true };
        /// `processes.name`
        Process = new("process", 16) {
            key: Some("name"), aliases: &["processes", "process_name"], csv: Some("process_names"),
            cost: Cost::Owners, is_optional: true,
        };
        /// `processes.command`
        Command = new("command", 24) {
            csv: Some("process_commands"), cost: Cost::Owners, is_optional: true,
        };
        /// `processes.user`
        ProcessUser = new("process_user", 12) {
            key: Some("user"), csv: Some("process_users"), cost: Cost::Owners, is_optional: true,
        };
        /// `processes.fds`
        Fd = number("fd", 10) {
            key: Some("fds"), csv: Some("fds"), cost: Cost::Owners, is_optional: true,
        };
        /// `processes.tids`
        Tid = number("tid", 10) {
            key: Some("tids"), csv: Some("tids"), cost: Cost::Owners, is_optional: true,
        };
        /// `processes.context`
        ProcessContext = new("process_context", 24) {
            key: Some("context"), csv: Some("process_contexts"), cost: Cost::Owners,
            is_optional: true,
        };
        /// `processes.socket_context`
        SocketContext = new("socket_context", 24) {
            csv: Some("socket_contexts"), cost: Cost::Owners, is_optional: true,
        };
        /// `peer_processes.pid`
        PeerPid = number("peer_pid", 10) {
            key: Some("pid"), csv: Some("peer_pids"), applies: has_peer, cost: Cost::Peers,
            is_optional: true,
        };
        /// `peer_processes.name`
        PeerProcess = new("peer_process", 16) {
            key: Some("name"), aliases: &["peer_processes", "peer_process_name"],
            csv: Some("peer_process_names"), applies: has_peer, cost: Cost::Peers,
            is_optional: true,
        };
    }
}

const NEVER: fn(Table) -> bool = |_| false;

fn is_unix(table: Table) -> bool {
    table.protocol == Protocol::Unix
}

fn is_sctp(table: Table) -> bool {
    table.protocol == Protocol::Sctp
}

/// Sockets of these two families have an interface instead.
fn has_address(table: Table) -> bool {
    !matches!(table.protocol, Protocol::Packet | Protocol::Xdp)
}

/// Netlink reports no bytes or messages for these.
fn has_queues(table: Table) -> bool {
    !matches!(
        table.protocol,
        Protocol::Vsock | Protocol::Xdp | Protocol::Smc
    )
}

fn has_uid(table: Table) -> bool {
    !matches!(table.protocol, Protocol::Netlink | Protocol::Vsock)
}

/// Connections whose other end may be on this host.
fn has_peer(table: Table) -> bool {
    is_unix(table) || table.protocol.has_service_ports()
}

fn is_tcp(table: Table) -> bool {
    table.protocol == Protocol::Tcp
}

fn has_rate(table: Table) -> bool {
    table.protocol.is_tcp_like()
}

fn is_ip(table: Table) -> bool {
    matches!(table.family, Family::Inet | Family::Inet6)
}

/// `net/netlink` and `net/unix` do not report who made a socket.
const fn has_uid_line(table: Table) -> bool {
    !matches!(table.protocol, Protocol::Unix | Protocol::Netlink)
}

/// Of memory, `/proc/net` reports only drops, and not for all protocols.
const fn has_drops(table: Table) -> bool {
    !matches!(
        table.protocol,
        Protocol::Tcp | Protocol::Unix | Protocol::Packet | Protocol::Mptcp | Protocol::Sctp
    )
}
