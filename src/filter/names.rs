//! What names stand for, which only the machine knows.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::Field;
use crate::model::Protocol;

/// A name, and the number it stands for.
pub type Resolved = (Vec<u8>, Option<u64>);

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
    /// A name of this machine that a field is compared with, as rows have it: of a cgroup the path below the
    /// cgroup2 mount. And the number of a user, an interface (whose index and `if7` are names too) or a
    /// cgroup; `None` = it is looked for among the names of the rows.
    ///
    /// # Errors
    ///
    /// Why there is no such name.
    fn resolve(&self, field: Field, name: Vec<u8>) -> Result<Resolved, String>;
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
