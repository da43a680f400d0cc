//! The definitions, in the order of [`Field`].

use super::cost::Cost;
use super::definition::Definition as D;
use super::{Field, memory_part};
use crate::model::{Family, ProcessStatus, Protocol, Shutdown, SocketType, Table, TimerKind, Unit};

impl Field {
    /// Its definition; parts of a kernel structure share that of the structure.
    #[expect(clippy::too_many_lines, reason = "a table: a few lines for each field")]
    pub const fn definition(self) -> &'static D {
        match self {
            Self::Protocol => {
                const { &D::word("protocol", 7, Protocol::NAMES).short("proto", "PROTO") }
            }
            Self::Family => const { &D::word("family", 7, Family::NAMES) },
            Self::Type => {
                const {
                    &D::word("type", 9, SocketType::NAMES)
                        .of(|table| matches!(table.protocol, Protocol::Unix | Protocol::Packet))
                }
            }
            Self::State => const { &D::new("state", 11) },
            Self::RecvQueue => {
                const {
                    &D::number("recv_queue", 6)
                        .short("recv_q", "RECV_Q")
                        .counts(Unit::Bytes)
                        .in_procfs(|_, table| table.protocol != Protocol::Unix)
                        .not_in_events()
                }
            }
            Self::SendQueue => {
                const {
                    &D::number("send_queue", 6)
                        .short("send_q", "SEND_Q")
                        .counts(Unit::Bytes)
                        .in_procfs(|_, table| is_ip(table) || table.protocol == Protocol::Netlink)
                        .not_in_events()
                }
            }
            Self::LocalAddress => {
                const {
                    &D::new("local_address", 15)
                        .of(|table| table.protocol != Protocol::Packet)
                        .kept()
                }
            }
            Self::LocalPort => {
                const {
                    &D::new("local_port", 10)
                        .of(|table| table.protocol != Protocol::Unix)
                        .right()
                }
            }
            Self::PeerAddress => {
                const {
                    &D::new("peer_address", 15)
                        .of(|table| table.protocol != Protocol::Packet)
                        .in_procfs(|_, table| is_ip(table))
                        .costs(Cost::UnixPeers)
                        .kept()
                }
            }
            Self::PeerPort => {
                const {
                    &D::new("peer_port", 10)
                        .of(|table| is_ip(table) || table.protocol == Protocol::Netlink)
                        .in_procfs(|_, table| is_ip(table))
                        .right()
                }
            }
            Self::Interface => {
                const {
                    &D::new("interface", 9)
                        .aliases(&["dev", "iface"])
                        .of(|table| is_ip(table) || table.protocol == Protocol::Packet)
                        .in_procfs(|_, table| table.protocol == Protocol::Packet)
                        .costs(Cost::Interface)
                        .kept()
                }
            }
            Self::Uid => {
                const {
                    &D::number("uid", 10)
                        .of(|table| table.protocol != Protocol::Netlink)
                        .in_procfs(|_, table| table.protocol != Protocol::Unix)
                }
            }
            Self::User => {
                const {
                    &D::new("user", 10)
                        .of(|table| table.protocol != Protocol::Netlink)
                        .in_procfs(|_, table| table.protocol != Protocol::Unix)
                        .costs(Cost::User)
                        .optional()
                }
            }
            Self::Inode => const { &D::number("inode", 10) },
            Self::Cookie => {
                const {
                    &D::new("cookie", 8)
                        .counts(Unit::Count)
                        .netlink_only()
                        .kept()
                }
            }
            Self::Shutdown => {
                const {
                    &D::word("shutdown", 8, Shutdown::NAMES)
                        .of(|table| is_ip(table) || table.protocol == Protocol::Unix)
                        .netlink_only()
                        .not_in_events()
                }
            }
            Self::V6Only => {
                const {
                    &D::word("v6only", 6, &["true", "false"])
                        .of(|table| {
                            table.family == Family::Inet6 && table.protocol.has_service_ports()
                        })
                        .netlink_only()
                        .optional()
                        .not_in_events()
                }
            }
            Self::Timer => const { &D::new("timer", 20).of(is_ip).not_in_events() },
            Self::TimerKind => {
                const {
                    &D::word("timer", 11, TimerKind::NAMES)
                        .aliases(&["timer.kind", "timer_kind"])
                        .csv("timer_kind")
                        .of(is_ip)
                        .not_in_events()
                }
            }
            Self::TimerExpires => {
                const {
                    &D::number("expires_ms", 10)
                        .aliases(&["timer_expires_ms"])
                        .counts(Unit::Millis)
                        .of(is_ip)
                        .not_in_events()
                }
            }
            Self::TimerRetransmits => {
                const {
                    &D::number("retransmits", 11)
                        .aliases(&["timer_retransmits"])
                        .of(is_ip)
                        .not_in_events()
                }
            }
            Self::Mark => {
                const {
                    &D::number("mark", 10)
                        .aliases(&["fwmark"])
                        .of(is_ip)
                        .netlink_only()
                        .privileged()
                        .optional()
                }
            }
            Self::Cgroup => {
                const {
                    &D::new("cgroup", 40)
                        .of(is_ip)
                        .netlink_only()
                        .costs(Cost::Cgroup)
                        .optional()
                        .wraps()
                }
            }
            Self::Netns => const { &D::new("netns", 12).costs(Cost::Netns) },
            Self::PeerInode => {
                const {
                    &D::number("peer_inode", 10)
                        .of(|table| table.protocol == Protocol::Unix)
                        .netlink_only()
                }
            }
            Self::Processes => const { &D::new("processes", 24).costs(Cost::Owners).wraps() },
            Self::Pid => {
                const {
                    &D::number("pid", 10)
                        .aliases(&["pids", "processes.pid"])
                        .csv("pids")
                        .costs(Cost::Owners)
                }
            }
            Self::Process => {
                const {
                    &D::new("process", 16)
                        .aliases(&[
                            "processes",
                            "process_name",
                            "process_names",
                            "processes.name",
                        ])
                        .csv("process_names")
                        .costs(Cost::Owners)
                }
            }
            Self::Command => {
                const {
                    &D::new("command", 24)
                        .aliases(&["process_commands", "processes.command"])
                        .csv("process_commands")
                        .costs(Cost::Owners)
                }
            }
            Self::ProcessUser => {
                const {
                    &D::new("process_user", 12)
                        .aliases(&["process_users", "processes.user"])
                        .csv("process_users")
                        .costs(Cost::Owners)
                }
            }
            Self::Fd => {
                const {
                    &D::number("fd", 10)
                        .aliases(&["fds", "processes.fds"])
                        .csv("fds")
                        .costs(Cost::Owners)
                }
            }
            Self::ProcessStatus => {
                const { &D::word("process_status", 14, ProcessStatus::NAMES).costs(Cost::Owners) }
            }
            Self::Congestion => {
                const {
                    &D::new("congestion", 10)
                        .aliases(&["cong"])
                        .of(|table| matches!(table.protocol, Protocol::Tcp | Protocol::Mptcp))
                        .netlink_only()
                        .costs(Cost::Info)
                        .optional()
                        .not_in_events()
                }
            }
            Self::TcpInfo | Self::TcpPart(_) => {
                const {
                    &D::new("tcp_info", 8)
                        .of(|table| table.protocol == Protocol::Tcp)
                        .netlink_only()
                        .costs(Cost::Info)
                        .optional()
                        .not_in_events()
                        .wraps()
                }
            }
            Self::MptcpInfo | Self::MptcpPart(_) => {
                const {
                    &D::new("mptcp_info", 10)
                        .of(|table| table.protocol == Protocol::Mptcp)
                        .netlink_only()
                        .costs(Cost::Info)
                        .optional()
                        .not_in_events()
                        .wraps()
                }
            }
            Self::Memory | Self::MemoryPart(_) => {
                const {
                    &D::new("memory", 8)
                        .in_procfs(|field, table| has_drops(table) && is_drops(field))
                        .costs(Cost::Memory)
                        .optional()
                        .not_in_events()
                        .wraps()
                }
            }
            Self::Local => const { &D::new("local", 24) },
            Self::Peer => const { &D::new("peer", 24).costs(Cost::UnixPeers) },
        }
    }
}

fn is_ip(table: Table) -> bool {
    matches!(table.family, Family::Inet | Family::Inet6)
}

/// Of memory `/proc/net` reports what was dropped, and nothing else.
fn is_drops(field: Field) -> bool {
    matches!(field, Field::MemoryPart(place) if memory_part(place).0 == "drops")
}

const fn has_drops(table: Table) -> bool {
    !matches!(
        table.protocol,
        Protocol::Tcp | Protocol::Unix | Protocol::Packet | Protocol::Mptcp
    )
}
