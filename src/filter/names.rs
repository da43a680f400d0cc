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
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn user(&self, name: &str) -> Result<u32, String>;
    /// The index of an interface; `None` = there is none of this name.
    ///
    /// # Errors
    ///
    /// Why names of interfaces mean nothing.
    fn interface(&self, name: &str) -> Result<Option<u32>, String>;
    /// A cgroup's path below the cgroup2 mount, and its id where it exists.
    ///
    /// # Errors
    ///
    /// Why paths of cgroups mean nothing.
    fn cgroup(&self, path: &[u8]) -> Result<(Vec<u8>, Option<u64>), String>;
    /// The ports the kernel chooses from.
    fn ephemeral(&self) -> RangeInclusive<u16>;
    /// The addresses of a host.
    ///
    /// # Errors
    ///
    /// Why they are not looked up, or were not found.
    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String>;
}
