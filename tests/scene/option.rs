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
