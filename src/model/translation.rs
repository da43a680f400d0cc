//! What translates addresses says of a connection.

use std::net::IpAddr;

use super::Protocol;

/// An address and a port.
pub type Address = (IpAddr, u16);

/// A connection whose ends see other numbers of each other than they have (`ip_conntrack_tuple`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Translation {
    /// What it speaks.
    pub protocol: Protocol,
    /// From and to, as whoever opened it sees it: its own end, and whom it called.
    pub original: [Address; 2],
    /// Likewise as whoever was called sees it.
    pub reply: [Address; 2],
}
