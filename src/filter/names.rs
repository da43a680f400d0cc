//! What names stand for, which only the machine knows.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use crate::model::Protocol;

/// What the names in a filter stand for on this machine.
pub trait Names {
    /// The number a service, an IP protocol (raw), an `EtherType` (packet) or `kernel` (netlink) has
    /// with each protocol; empty = no such name.
    fn service(&self, name: &str) -> Vec<(Protocol, u32)>;
    /// The user with this name.
    fn user(&self, name: &str) -> Option<u32>;
    /// The index of an interface; `None` = there is none, or it is another machine's.
    fn interface(&self, name: &str) -> Option<u32>;
    /// A cgroup's path below the cgroup2 mount, and its id where it exists here.
    fn cgroup(&self, path: &[u8]) -> (Vec<u8>, Option<u64>);
    /// The ports the kernel chooses from.
    fn ephemeral(&self) -> RangeInclusive<u16>;
    /// The addresses of a host.
    ///
    /// # Errors
    ///
    /// Why they are not looked up, or were not found.
    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String>;
}
