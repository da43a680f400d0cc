//! Resolves the names in a filter, which depend on the machine.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::Field;
use crate::model::Protocol;

/// A name and its number.
pub type Resolved = (Vec<u8>, Option<u64>);

/// Resolves the names in a filter on this machine.
///
/// A name that does not exist here is an error that suggests a similar one. A recording is of another
/// machine, so every name remains a test.
pub trait Names {
    /// The numbers of a service, an IP protocol (raw), an `EtherType` (packet) or `kernel` (netlink) in each
    /// protocol; empty = no such name.
    fn service(&self, name: &str) -> Vec<(Protocol, u32)>;
    /// A service with a similar name.
    fn near_service(&self, name: &str) -> Option<String>;
    /// Resolves a name that a field is compared with to its form in rows (for a cgroup the path below the
    /// cgroup2 mount), with the number of the user, interface (index and `if7` are names too) or cgroup.
    /// Number `None` = search the names of the rows.
    ///
    /// # Errors
    ///
    /// Why there is no such name.
    fn resolve(&self, field: Field, name: Vec<u8>) -> Result<Resolved, String>;
    /// The ephemeral ports; `None` = unknown.
    fn ephemeral(&self) -> Option<RangeInclusive<u16>>;
    /// True if only unix sockets are listed: every endpoint is a name.
    fn only_unix(&self) -> bool {
        false
    }
    /// The addresses of a host.
    ///
    /// # Errors
    ///
    /// Why they were not found, or not looked up.
    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String>;
}
