//! What the names in a filter stand for.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::filter::Names;
use crate::model::Protocol;

use super::{cgroups, hosts, interfaces, services, users};

/// How long the addresses of one host are waited for.
const DEADLINE: Duration = Duration::from_secs(2);

/// Asks this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meanings {
    /// The sockets are this machine's. Otherwise its users, interfaces and cgroups mean nothing.
    pub live: bool,
    /// Hosts are looked up.
    pub hosts: bool,
}

impl Names for Meanings {
    fn service(&self, name: &str) -> Vec<(Protocol, u32)> {
        services::numbers(name)
    }

    fn user(&self, name: &str) -> Option<u32> {
        users::uid_of(name).filter(|_| self.live)
    }

    fn interface(&self, name: &str) -> Option<u32> {
        interfaces::index_of(name).filter(|_| self.live)
    }

    fn cgroup(&self, path: &[u8]) -> (Vec<u8>, Option<u64>) {
        if self.live {
            cgroups::locate(path)
        } else {
            (cgroups::locate_elsewhere(path), None)
        }
    }

    fn ephemeral(&self) -> RangeInclusive<u16> {
        services::ephemeral_range()
    }

    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        if !self.hosts {
            return Err("host names are looked up only with -r".into());
        }
        // The parser names the host.
        let none = || "no host with this name was found".into();
        hosts::addresses(name, DEADLINE).ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::Meanings;
    use crate::filter::Names;
    use crate::model::Protocol;

    const HERE: Meanings = Meanings {
        live: true,
        hosts: true,
    };
    const ELSEWHERE: Meanings = Meanings {
        live: false,
        hosts: false,
    };

    #[test]
    fn users_and_interfaces_of_another_machine_are_unknown() {
        assert_eq!(
            (HERE.user("root"), HERE.interface("lo")),
            (Some(0), Some(1))
        );
        assert_eq!(
            (ELSEWHERE.user("root"), ELSEWHERE.interface("lo")),
            (None, None)
        );
    }

    #[test]
    fn cgroups_of_another_machine_have_a_path_and_no_id() {
        let root = (b"/".to_vec(), None);
        assert_eq!(ELSEWHERE.cgroup(b"/sys/fs/cgroup/"), root);
        assert_eq!(HERE.cgroup(b"x.slice/").0, b"/x.slice");
    }

    #[test]
    fn services_are_the_same_everywhere() {
        for meanings in [HERE, ELSEWHERE] {
            assert_eq!(meanings.service("kernel"), [(Protocol::Netlink, 0)]);
            assert!(!meanings.ephemeral().is_empty());
        }
    }

    #[test]
    fn hosts_are_looked_up_only_on_demand() {
        let refused = Err("host names are looked up only with -r".to_owned());
        assert_eq!(ELSEWHERE.host("localhost"), refused);
        let unknown = Err("no host with this name was found".to_owned());
        assert_eq!(HERE.host("fe80::"), unknown);
    }
}
