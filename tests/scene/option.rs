//! Socket options that neither `nix` nor `rustix` knows by name.

use nix::{libc, setsockopt_impl, sockopt_impl};

sockopt_impl!(
    /// Accepts a connection only when its first byte is there; the value is in seconds.
    TcpDeferAccept,
    SetOnly,
    libc::IPPROTO_TCP,
    libc::TCP_DEFER_ACCEPT,
    u32
);

sockopt_impl!(
    /// A classic BPF program that says how much of a segment the socket gets to see.
    AttachFilter,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_ATTACH_FILTER,
    libc::sock_fprog
);

sockopt_impl!(
    /// Joins a group of a netlink protocol.
    NetlinkMembership,
    SetOnly,
    libc::SOL_NETLINK,
    libc::NETLINK_ADD_MEMBERSHIP,
    i32
);
