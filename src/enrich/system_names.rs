//! What the names in a filter stand for.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::filter::Names;
use crate::model::Protocol;
use crate::text;

use super::{cgroups, hosts, interfaces, services, users};

/// How long the addresses of one host are waited for.
const DEADLINE: Duration = Duration::from_secs(2);

/// Asks this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemNames {
    /// The sockets are this machine's. Otherwise its users, interfaces and cgroups mean nothing.
    pub live: bool,
    /// Hosts are looked up.
    pub hosts: bool,
}

impl SystemNames {
    fn here(self, what: &str, instead: &str) -> Result<(), String> {
        if self.live {
            return Ok(());
        }
        Err(format!(
            "{what} of another machine have no names here; write the {instead}"
        ))
    }
}

impl Names for SystemNames {
    fn service(&self, name: &str) -> Vec<(Protocol, u32)> {
        services::numbers(name)
    }

    fn user(&self, name: &str) -> Result<u32, String> {
        self.here("users", "uid")?;
        let name_shown = text::escape(name.as_bytes());
        users::uid_of(name).ok_or_else(|| format!("there is no user \"{name_shown}\""))
    }

    fn interface(&self, name: &str) -> Result<Option<u32>, String> {
        self.here("interfaces", "number")?;
        Ok(interfaces::index_of(name))
    }

    fn cgroup(&self, path: &[u8]) -> Result<(Vec<u8>, Option<u64>), String> {
        if self.live {
            Ok(cgroups::locate(path))
        } else {
            Err("cgroups of another machine have no paths here".into())
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
    use super::SystemNames;
    use crate::filter::Names;
    use crate::model::Protocol;

    const HERE: SystemNames = SystemNames {
        live: true,
        hosts: true,
    };
    const ELSEWHERE: SystemNames = SystemNames {
        live: false,
        hosts: false,
    };

    #[test]
    fn names_of_another_machine_mean_nothing() {
        assert_eq!(HERE.user("root"), Ok(0));
        assert_eq!(HERE.interface("lo"), Ok(Some(1)));
        assert_eq!(HERE.interface("nope0"), Ok(None));
        assert_eq!(
            HERE.cgroup(b"x.slice/").map(|found| found.0),
            Ok(b"/x.slice".to_vec())
        );
        let told = |what: &str, instead: &str| {
            format!("{what} of another machine have no names here; write the {instead}")
        };
        assert_eq!(ELSEWHERE.user("root"), Err(told("users", "uid")));
        assert_eq!(ELSEWHERE.interface("lo"), Err(told("interfaces", "number")));
        assert!(ELSEWHERE.cgroup(b"/").is_err());
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
