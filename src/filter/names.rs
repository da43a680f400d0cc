//! What names stand for, which only the machine knows.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::Field;
use crate::model::Protocol;

/// What the names in a filter stand for on this machine.
///
/// A name of something that does not exist here is an error that says which name is near; of a recording,
/// which is of another machine, every name stays a test.
pub trait Names {
    /// The number a service, an IP protocol (raw), an `EtherType` (packet) or `kernel` (netlink) has
    /// with each protocol; empty = no such name.
    fn service(&self, name: &str) -> Vec<(Protocol, u32)>;
    /// The service whose name is like this one.
    fn near_service(&self, name: &str) -> Option<String>;
    /// The user with this name; `None` = it is to be looked for among the names of the rows.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn user(&self, name: &str) -> Result<Option<u32>, String>;
    /// The index of an interface, of which the index itself and `if7` are names too; `None` = it is to be
    /// looked for among the names of the rows.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn interface(&self, name: &str) -> Result<Option<u32>, String>;
    /// The value of a field that holds a name of this machine: `congestion`, `netns`, `file_device`.
    ///
    /// # Errors
    ///
    /// Why it is none.
    fn check(&self, field: Field, name: &str) -> Result<(), String>;
    /// A cgroup's path below the cgroup2 mount, and its id; `None` = it is to be looked for among the
    /// paths of the rows.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn cgroup(&self, path: &[u8]) -> Result<(Vec<u8>, Option<u64>), String>;
    /// The ports the kernel chooses from; `None` = unknown.
    fn ephemeral(&self) -> Option<RangeInclusive<u16>>;
    /// True if nothing but unix sockets is listed: an end is the name of one, whatever it looks like.
    fn only_unix(&self) -> bool {
        false
    }
    /// The addresses of a host.
    ///
    /// # Errors
    ///
    /// Why they are not looked up, or were not found.
    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String>;
}
