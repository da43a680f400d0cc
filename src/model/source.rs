//! Where rows come from.

use super::named;

named! {
    /// Where rows came from.
    #[derive(Default)]
    pub enum Source {
        /// `sock_diag` netlink.
        #[default]
        Netlink = "netlink",
        /// The files of `/proc/net`.
        Procfs = "procfs",
        /// A recording.
        Replay = "replay",
    }
}
