//! The definitions, in the order of [`Field`].

use super::Field;
use super::cost::Cost;
use super::definition::Definition as D;
use crate::model::{Family, ProcessStatus, Protocol, Shutdown, SocketType, Table, TimerKind, Unit};

const PROTOCOL: D = D::word("protocol", 7, Protocol::NAMES).short("proto");
const FAMILY: D = D::word("family", 7, Family::NAMES);
const TYPE: D = D::word("type", 9, SocketType::NAMES)
    .of(|table| matches!(table.protocol, Protocol::Unix | Protocol::Packet));
const STATE: D = D::new("state", 11);
const RECV_QUEUE: D = D::number("recv_queue", 6)
    .short("recv_q")
    .counts(Unit::Bytes)
    .in_procfs(|table| table.protocol != Protocol::Unix);
const SEND_QUEUE: D = D::number("send_queue", 6)
    .short("send_q")
    .counts(Unit::Bytes)
    .in_procfs(|table| is_ip(table) || table.protocol == Protocol::Netlink);
const LOCAL_ADDRESS: D = D::new("local_address", 15)
    .of(|table| table.protocol != Protocol::Packet)
    .optional();
const LOCAL_PORT: D = D::right("local_port", 10)
    .aliases(&["sport"])
    .of(|table| table.protocol != Protocol::Unix)
    .optional();
const PEER_ADDRESS: D = D::new("peer_address", 15)
    .of(|table| table.protocol != Protocol::Packet)
    .in_procfs(is_ip)
    .costs(Cost::UnixPeers)
    .optional();
const PEER_PORT: D = D::right("peer_port", 10)
    .aliases(&["dport"])
    .of(|table| is_ip(table) || table.protocol == Protocol::Netlink)
    .in_procfs(is_ip)
    .optional();
const INTERFACE: D = D::new("interface", 9)
    .aliases(&["dev", "iface"])
    .of(|table| is_ip(table) || table.protocol == Protocol::Packet)
    .in_procfs(|table| table.protocol == Protocol::Packet)
    .costs(Cost::Interface)
    .optional();
const UID: D = D::number("uid", 10)
    .in_netlink(|table| table.protocol != Protocol::Netlink)
    .in_procfs(has_uid_line);
const USER: D = D::new("user", 10)
    .in_netlink(|table| table.protocol != Protocol::Netlink)
    .in_procfs(has_uid_line)
    .costs(Cost::User);
const INODE: D = D::number("inode", 10).optional();
const COOKIE: D = D::new("cookie", 8).counts(Unit::Count).netlink_only();
const SHUTDOWN: D = D::word("shutdown", 8, Shutdown::NAMES)
    .of(|table| is_ip(table) || table.protocol == Protocol::Unix)
    .netlink_only();
const V6ONLY: D = D::word("v6only", 6, &["true", "false"])
    .of(|table| table.family == Family::Inet6 && table.protocol.has_service_ports())
    .netlink_only();
const TIMER: D = D::new("timer", 23).of(is_ip).optional();
const TIMER_KIND: D = D::word("timer", 11, TimerKind::NAMES)
    .key("kind")
    .of(is_ip)
    .optional();
const TIMER_EXPIRES: D = D::number("expires_ms", 10)
    .counts(Unit::Millis)
    .of(is_ip)
    .optional();
const TIMER_RETRANSMITS: D = D::number("retransmits", 11).of(is_ip).optional();
const MARK: D = D::number("mark", 10)
    .aliases(&["fwmark"])
    .of(is_ip)
    .in_netlink(|_| false)
    .netlink_only();
const CGROUP: D = D::new("cgroup", 40)
    .in_netlink(is_ip)
    .netlink_only()
    .costs(Cost::Cgroup);
const NETNS: D = D::new("netns", 12).costs(Cost::Netns).optional();
const NETNS_INODE: D = D::number("netns_inode", 11).costs(Cost::Netns).optional();
const PEER_INODE: D = D::number("peer_inode", 10)
    .of(|table| table.protocol == Protocol::Unix)
    .netlink_only()
    .optional();
const FILE_INODE: D = D::number("file_inode", 10)
    .of(is_unix)
    .netlink_only()
    .costs(Cost::File);
const FILE_DEVICE: D = D::right("file_device", 11)
    .of(is_unix)
    .netlink_only()
    .costs(Cost::File);
const AT_PATH: D = D::word("at_path", 7, &["true", "false"])
    .of(is_unix)
    .netlink_only()
    .costs(Cost::Path);
const PENDING_PEERS: D = D::number("pending_peers", 13)
    .of(is_unix)
    .netlink_only()
    .costs(Cost::File);
const PROCESSES: D = D::new("processes", 24).costs(Cost::Owners).optional();
const PID: D = D::number("pid", 10)
    .csv("pids")
    .costs(Cost::Owners)
    .optional();
const PROCESS: D = D::new("process", 16)
    .key("name")
    .aliases(&["processes", "process_name"])
    .csv("process_names")
    .costs(Cost::Owners)
    .optional();
const COMMAND: D = D::new("command", 24)
    .csv("process_commands")
    .costs(Cost::Owners)
    .optional();
const PROCESS_USER: D = D::new("process_user", 12)
    .key("user")
    .csv("process_users")
    .costs(Cost::Owners)
    .optional();
const FD: D = D::number("fd", 10)
    .key("fds")
    .csv("fds")
    .costs(Cost::Owners)
    .optional();
const PROCESS_STATUS: D = D::word("process_status", 14, ProcessStatus::NAMES).costs(Cost::Owners);
const CONGESTION: D = D::new("congestion", 10)
    .aliases(&["cong"])
    .of(|table| matches!(table.protocol, Protocol::Tcp | Protocol::Mptcp))
    .netlink_only()
    .costs(Cost::Info);
const TCP_INFO: D = D::new("tcp_info", 8)
    .of(|table| table.protocol == Protocol::Tcp)
    .netlink_only()
    .costs(Cost::Info);
const MPTCP_INFO: D = D::new("mptcp_info", 10)
    .of(|table| table.protocol == Protocol::Mptcp)
    .netlink_only()
    .costs(Cost::Info);
const MEMORY: D = D::new("memory", 8).in_procfs(has_drops).costs(Cost::Memory);
const LOCAL: D = D::new("local", 24).aliases(&["src"]);
const PEER: D = D::new("peer", 24).aliases(&["dst"]).costs(Cost::UnixPeers);

impl Field {
    /// Its definition; parts of a kernel structure share that of the structure.
    pub const fn definition(self) -> &'static D {
        match self {
            Self::Protocol => &PROTOCOL,
            Self::Family => &FAMILY,
            Self::Type => &TYPE,
            Self::State => &STATE,
            Self::RecvQueue => &RECV_QUEUE,
            Self::SendQueue => &SEND_QUEUE,
            Self::LocalAddress => &LOCAL_ADDRESS,
            Self::LocalPort => &LOCAL_PORT,
            Self::PeerAddress => &PEER_ADDRESS,
            Self::PeerPort => &PEER_PORT,
            Self::Interface => &INTERFACE,
            Self::Uid => &UID,
            Self::User => &USER,
            Self::Inode => &INODE,
            Self::Cookie => &COOKIE,
            Self::Shutdown => &SHUTDOWN,
            Self::V6Only => &V6ONLY,
            Self::Timer => &TIMER,
            Self::TimerKind => &TIMER_KIND,
            Self::TimerExpires => &TIMER_EXPIRES,
            Self::TimerRetransmits => &TIMER_RETRANSMITS,
            Self::Mark => &MARK,
            Self::Cgroup => &CGROUP,
            Self::Netns => &NETNS,
            Self::NetnsInode => &NETNS_INODE,
            Self::PeerInode => &PEER_INODE,
            Self::FileInode => &FILE_INODE,
            Self::FileDevice => &FILE_DEVICE,
            Self::AtPath => &AT_PATH,
            Self::PendingPeers => &PENDING_PEERS,
            Self::Processes => &PROCESSES,
            Self::Pid => &PID,
            Self::Process => &PROCESS,
            Self::Command => &COMMAND,
            Self::ProcessUser => &PROCESS_USER,
            Self::Fd => &FD,
            Self::ProcessStatus => &PROCESS_STATUS,
            Self::Congestion => &CONGESTION,
            Self::TcpInfo | Self::TcpPart(_) => &TCP_INFO,
            Self::MptcpInfo | Self::MptcpPart(_) => &MPTCP_INFO,
            Self::Memory | Self::MemoryPart(_) => &MEMORY,
            Self::Local => &LOCAL,
            Self::Peer => &PEER,
        }
    }
}

fn is_unix(table: Table) -> bool {
    table.protocol == Protocol::Unix
}

fn is_ip(table: Table) -> bool {
    matches!(table.family, Family::Inet | Family::Inet6)
}

/// `net/netlink` does not tell who made a socket, nor does `net/unix`.
const fn has_uid_line(table: Table) -> bool {
    !matches!(table.protocol, Protocol::Unix | Protocol::Netlink)
}

/// Of memory `/proc/net` reports only what was dropped, and not of all protocols.
const fn has_drops(table: Table) -> bool {
    !matches!(
        table.protocol,
        Protocol::Tcp | Protocol::Unix | Protocol::Packet | Protocol::Mptcp
    )
}
