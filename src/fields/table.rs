//! The definitions, in the order of [`Field`].

use super::Field;
use super::cost::Cost;
use super::definition::Definition as D;
use crate::model::{Family, ProcessStatus, Protocol, Shutdown, SocketType, Table, TimerKind, Unit};

macro_rules! definitions {
    ($($fields:pat => $definition:expr;)+) => {
        impl Field {
            /// Its definition; parts of a kernel structure share that of the structure.
            pub const fn definition(self) -> &'static D {
                match self {
                    $($fields => const { &$definition },)+
                }
            }
        }
    };
}

definitions! {
    Self::Protocol => D::word("protocol", 7, Protocol::NAMES).short("proto");
    Self::Family => D::word("family", 7, Family::NAMES);
    Self::Type => D::word("type", 9, SocketType::NAMES)
        .of(|table| matches!(table.protocol, Protocol::Unix | Protocol::Packet));
    Self::State => D::new("state", 11);
    Self::RecvQueue => D::number("recv_queue", 6)
        .short("recv_q")
        .counts(Unit::Bytes)
        .in_procfs(|table| table.protocol != Protocol::Unix);
    Self::SendQueue => D::number("send_queue", 6)
        .short("send_q")
        .counts(Unit::Bytes)
        .in_procfs(|table| is_ip(table) || table.protocol == Protocol::Netlink);
    Self::LocalAddress => D::new("local_address", 15)
        .of(|table| table.protocol != Protocol::Packet)
        .optional();
    Self::LocalPort => D::right("local_port", 10)
        .aliases(&["sport"])
        .of(|table| table.protocol != Protocol::Unix)
        .optional();
    Self::PeerAddress => D::new("peer_address", 15)
        .of(|table| table.protocol != Protocol::Packet)
        .in_procfs(is_ip)
        .costs(Cost::UnixPeers)
        .optional();
    Self::PeerPort => D::right("peer_port", 10)
        .aliases(&["dport"])
        .of(|table| is_ip(table) || table.protocol == Protocol::Netlink)
        .in_procfs(is_ip)
        .optional();
    Self::Interface => D::new("interface", 9)
        .aliases(&["dev", "iface"])
        .of(|table| is_ip(table) || table.protocol == Protocol::Packet)
        .in_procfs(|table| table.protocol == Protocol::Packet)
        .costs(Cost::Interface)
        .optional();
    Self::Uid => D::number("uid", 10)
        .in_netlink(|table| table.protocol != Protocol::Netlink)
        .in_procfs(has_uid_line);
    Self::User => D::new("user", 10)
        .in_netlink(|table| table.protocol != Protocol::Netlink)
        .in_procfs(has_uid_line)
        .costs(Cost::User);
    Self::Inode => D::number("inode", 10).optional();
    Self::Cookie => D::new("cookie", 8).counts(Unit::Count).netlink_only();
    Self::Shutdown => D::word("shutdown", 8, Shutdown::NAMES)
        .of(|table| is_ip(table) || table.protocol == Protocol::Unix)
        .netlink_only();
    Self::V6Only => D::word("v6only", 6, &["true", "false"])
        .of(|table| table.family == Family::Inet6 && table.protocol.has_service_ports())
        .netlink_only();
    Self::Timer => D::new("timer", 23).of(is_ip).optional();
    Self::TimerKind => D::word("timer", 11, TimerKind::NAMES)
        .key("kind")
        .of(is_ip)
        .optional();
    Self::TimerExpires => D::number("expires_ms", 10)
        .counts(Unit::Millis)
        .of(is_ip)
        .optional();
    Self::TimerRetransmits => D::number("retransmits", 11).of(is_ip).optional();
    Self::Mark => D::number("mark", 10)
        .aliases(&["fwmark"])
        .of(is_ip)
        .in_netlink(|_| false)
        .netlink_only();
    Self::Cgroup => D::new("cgroup", 40)
        .in_netlink(is_ip)
        .netlink_only()
        .costs(Cost::Cgroup);
    Self::Netns => D::new("netns", 12).costs(Cost::Netns).optional();
    Self::NetnsInode => D::number("netns_inode", 11).costs(Cost::Netns).optional();
    Self::PeerInode => D::number("peer_inode", 10)
        .of(|table| table.protocol == Protocol::Unix)
        .netlink_only()
        .optional();
    Self::FileInode => D::number("file_inode", 10)
        .of(is_unix)
        .netlink_only()
        .costs(Cost::File);
    Self::FileDevice => D::right("file_device", 11)
        .of(is_unix)
        .netlink_only()
        .costs(Cost::File);
    Self::AtPath => D::word("at_path", 7, &["true", "false"])
        .of(is_unix)
        .netlink_only()
        .costs(Cost::Path);
    Self::PendingPeers => D::number("pending_peers", 13)
        .of(is_unix)
        .netlink_only()
        .costs(Cost::File);
    Self::Processes => D::new("processes", 24).costs(Cost::Owners).optional();
    Self::Pid => D::number("pid", 10)
        .csv("pids")
        .costs(Cost::Owners)
        .optional();
    Self::Process => D::new("process", 16)
        .key("name")
        .aliases(&["processes", "process_name"])
        .csv("process_names")
        .costs(Cost::Owners)
        .optional();
    Self::Command => D::new("command", 24)
        .csv("process_commands")
        .costs(Cost::Owners)
        .optional();
    Self::ProcessUser => D::new("process_user", 12)
        .key("user")
        .csv("process_users")
        .costs(Cost::Owners)
        .optional();
    Self::Fd => D::number("fd", 10)
        .key("fds")
        .csv("fds")
        .costs(Cost::Owners)
        .optional();
    Self::ProcessStatus => D::word("process_status", 14, ProcessStatus::NAMES).costs(Cost::Owners);
    Self::Container => D::new("container", 16).costs(Cost::Containers).optional();
    Self::Pod => D::new("pod", 24).costs(Cost::Containers).optional();
    Self::Unit => D::new("unit", 24).costs(Cost::Containers).optional();
    Self::Image => D::new("image", 24).costs(Cost::Containers).optional();
    Self::PeerProcesses => D::new("peer_processes", 24).of(has_peer).costs(Cost::Peers).optional();
    Self::PeerPid => D::number("peer_pid", 10)
        .key("pid")
        .csv("peer_pids")
        .of(has_peer)
        .costs(Cost::Peers)
        .optional();
    Self::PeerProcess => D::new("peer_process", 16)
        .key("name")
        .aliases(&["peer_processes", "peer_process_name"])
        .csv("peer_process_names")
        .of(has_peer)
        .costs(Cost::Peers)
        .optional();
    Self::PeerNetns => D::new("peer_netns", 12).of(has_peer).costs(Cost::Peers).optional();
    Self::PeerContainer => D::new("peer_container", 16).of(has_peer).costs(Cost::Peers).optional();
    Self::Congestion => D::new("congestion", 10)
        .aliases(&["cong"])
        .of(|table| matches!(table.protocol, Protocol::Tcp | Protocol::Mptcp))
        .netlink_only()
        .costs(Cost::Info);
    Self::TcpInfo | Self::TcpPart(_) => D::new("tcp_info", 8)
        .of(|table| table.protocol == Protocol::Tcp)
        .netlink_only()
        .costs(Cost::Info);
    Self::MptcpInfo | Self::MptcpPart(_) => D::new("mptcp_info", 10)
        .of(|table| table.protocol == Protocol::Mptcp)
        .netlink_only()
        .costs(Cost::Info);
    Self::Memory | Self::MemoryPart(_) => D::new("memory", 8).in_procfs(has_drops).costs(Cost::Memory);
    Self::Local => D::new("local", 24).aliases(&["src"]);
    Self::Peer => D::new("peer", 24).aliases(&["dst"]).costs(Cost::UnixPeers);
}

fn is_unix(table: Table) -> bool {
    table.protocol == Protocol::Unix
}

/// Connections, of which another end may be on this host.
fn has_peer(table: Table) -> bool {
    is_unix(table) || table.protocol.has_service_ports()
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
