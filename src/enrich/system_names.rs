//! Resolves the names in a filter.

use std::fs;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use crate::fields::Field;
use crate::filter::{Names, Resolved};
use crate::model::Protocol;
use crate::procfs::mounts;
use crate::text::{escape, nearest};

use super::{cgroups, hosts, interfaces, services, users};
use crate::netns::NAMED;

/// Time limit for resolving one host.
const DEADLINE: Duration = Duration::from_secs(2);
/// Up to this many names are listed in an error message.
const FEW: usize = 6;

/// The machine that the sockets are of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Machine {
    /// This machine's.
    #[default]
    Here,
    /// A recording's, which may contain names: names are compared per row.
    Recorded,
    /// Another `/proc`'s: its users, interfaces and cgroups are unknown here.
    Elsewhere,
}

/// Resolves names on this machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SystemNames<'r> {
    /// The machine that the sockets are of.
    pub machine: Machine,
    /// True if hosts are resolved.
    pub hosts: bool,
    /// True if only unix sockets are listed.
    pub only_unix: bool,
    /// True if the sockets are of other network namespaces, with their own interfaces.
    pub other_netns: bool,
    /// A `/proc` with the settings of the sockets' kernel; `None` = unknown.
    pub root: Option<&'r Path>,
}

impl SystemNames<'_> {
    /// Resolves a name on this machine; for a recording, leaves it to be compared with the rows.
    fn here<T>(
        self,
        what: &str,
        instead: &str,
        find: impl FnOnce() -> Result<T, String>,
    ) -> Result<Option<T>, String> {
        match self.machine {
            Machine::Here => find().map(Some),
            Machine::Recorded => Ok(None),
            Machine::Elsewhere => Err(format!(
                "{what} of another machine have no names here; write the {instead}"
            )),
        }
    }

    fn user(&self, name: &str) -> Result<Option<u32>, String> {
        self.here("users", "uid", || {
            let found = users::uid_of(name);
            found.ok_or_else(|| missing("user", name, &before_colons("/etc/passwd")))
        })
    }

    fn interface(&self, name: &str) -> Result<Option<u32>, String> {
        // Interfaces that are gone are shown as `if7`.
        if let Some(index) = name.strip_prefix("if").and_then(|index| index.parse().ok()) {
            return Ok(Some(index));
        }
        let index = name.parse().ok();
        if self.other_netns || self.machine != Machine::Here && index.is_some() {
            return Ok(index);
        }
        self.here("interfaces", "number", || {
            let known = index.filter(|index| interfaces::is_there(*index));
            let found = interfaces::index_of(name).or(known);
            found.ok_or_else(|| missing("interface", name, &before_colons(DEVICES)))
        })
    }

    fn check(&self, field: Field, name: &str) -> Result<(), String> {
        let (what, all) = match field {
            _ if self.machine != Machine::Here => return Ok(()),
            Field::Netns if self.other_netns => return Ok(()),
            Field::Congestion => ("congestion control", words(CONGESTION)),
            Field::FileDevice if mounts::is_mounted(name) => return Ok(()),
            Field::FileDevice => ("mounted device", mounts::devices()),
            _ => ("network namespace", namespaces()),
        };
        // If no names are known, none is wrong.
        if all.is_empty() && field == Field::Congestion || all.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(missing(what, name, &all))
    }

    fn cgroup(&self, path: &[u8]) -> Result<Resolved, String> {
        let (path, id) = match self.machine {
            Machine::Here => cgroups::locate(path),
            Machine::Recorded => return Ok((cgroups::plain(path), None)),
            Machine::Elsewhere => {
                return Err("cgroups of another machine have no paths here".into());
            }
        };
        let all = id.map_or_else(cgroups::all, |_| Vec::new());
        // Without a cgroup2 mount, no paths are known.
        if all.is_empty() {
            return Ok((path, id));
        }
        let name = String::from_utf8_lossy(&path);
        let is_below = |other: &&String| other.ends_with(&*name);
        Err(match all.iter().find(is_below) {
            Some(whole) => {
                let (path, whole) = (escape(&path), escape(whole.as_bytes()));
                format!("there is no cgroup \"{path}\"; did you mean {whole}?")
            }
            None => missing("cgroup", &name, &all),
        })
    }
}

/// The error for an unknown name, with a suggestion.
fn missing(what: &str, name: &str, all: &[String]) -> String {
    let hint = match nearest(name, all) {
        Some(near) => format!("; did you mean {}?", escape(near.as_bytes())),
        None if (1..=FEW).contains(&all.len()) => {
            format!("; there are: {}", escape(all.join(", ").as_bytes()))
        }
        None => String::new(),
    };
    format!("there is no {what} \"{}\"{hint}", escape(name.as_bytes()))
}

/// The words of a file; none if it cannot be read.
fn words(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

/// The text before the colon of each line.
fn before_colons(path: &str) -> Vec<String> {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let names = text.lines().filter_map(|line| line.split_once(':'));
    names.map(|(name, _)| name.trim().to_owned()).collect()
}

/// Network namespaces named by `ip netns`.
fn namespaces() -> Vec<String> {
    let entries = fs::read_dir(NAMED).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.collect()
}

const DEVICES: &str = "/proc/thread-self/net/dev";
const CONGESTION: &str = "/proc/sys/net/ipv4/tcp_available_congestion_control";

impl Names for SystemNames<'_> {
    fn service(&self, name: &str) -> Vec<(Protocol, u32)> {
        services::numbers(name)
    }

    fn near_service(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        nearest(&name, &services::all()).map(str::to_owned)
    }

    fn resolve(&self, field: Field, name: Vec<u8>) -> Result<Resolved, String> {
        let text = String::from_utf8_lossy(&name);
        let number = match field {
            Field::Cgroup => return self.cgroup(&name),
            Field::Interface => self.interface(&text)?.map(u64::from),
            Field::User => self.user(&text)?.map(u64::from),
            // Compared as text with the rows.
            Field::ProcessUser => self.user(&text).map(|_| None)?,
            _ => self.check(field, &text).map(|()| None)?,
        };
        drop(text);
        Ok((name, number))
    }

    fn ephemeral(&self) -> Option<RangeInclusive<u16>> {
        services::ephemeral_range(self.root?)
    }

    fn only_unix(&self) -> bool {
        self.only_unix
    }

    fn host(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        if !self.hosts {
            return Err("host names are looked up only with -r".into());
        }
        // The parser adds the host's name.
        let none = || "no host with this name was found".into();
        hosts::addresses(name, DEADLINE).ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::{Machine, SystemNames};
    use crate::fields::Field;
    use crate::filter::Names;
    use crate::model::Protocol;

    const fn of(machine: Machine) -> SystemNames<'static> {
        SystemNames {
            machine,
            hosts: false,
            only_unix: false,
            other_netns: false,
            root: None,
        }
    }

    const HERE: SystemNames<'static> = of(Machine::Here);
    const ELSEWHERE: SystemNames<'static> = of(Machine::Elsewhere);
    const RECORDED: SystemNames<'static> = of(Machine::Recorded);

    #[test]
    #[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    #[cfg_attr(not(feature = "cli"), ignore = "the program alone knows slips")]
    fn what_is_not_here_is_told_with_the_nearest_name() {
        assert_eq!(HERE.user("root"), Ok(Some(0)));
        assert_eq!(HERE.interface("lo"), Ok(Some(1)));
        let near = |what: &str, typed: &str, meant: &str| {
            format!("there is no {what} \"{typed}\"; did you mean {meant}?")
        };
        assert_eq!(HERE.user("rooot"), Err(near("user", "rooot", "root")));
        assert_eq!(HERE.interface("loo"), Err(near("interface", "loo", "lo")));
        let wrong = HERE.interface("eth000000").unwrap_err();
        assert!(
            wrong.starts_with("there is no interface \"eth000000\""),
            "{wrong}"
        );
        assert_eq!(HERE.near_service("no such service"), None);
        let congestion = |name| HERE.check(Field::Congestion, name);
        assert_eq!(congestion("reno"), Ok(()));
        let slip = near("congestion control", "renno", "reno");
        assert_eq!(congestion("renno"), Err(slip));
        assert!(HERE.interface("99999").is_err());
        assert_eq!(HERE.interface("1"), Ok(Some(1)));
        assert_eq!(HERE.interface("if99999"), Ok(Some(99_999)));
        let device = HERE.check(Field::FileDevice, "4095:7").unwrap_err();
        let begin = "there is no mounted device \"4095:7\"";
        assert!(device.starts_with(begin), "{device}");
        let netns = HERE.check(Field::Netns, "no such namespace").unwrap_err();
        assert!(
            netns.starts_with("there is no network namespace"),
            "{netns}"
        );
    }

    #[test]
    #[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    fn a_cgroup_that_is_not_here_is_none() {
        let here = |path: &[u8]| HERE.cgroup(path);
        let Ok((_, Some(_))) = here(b"/") else {
            return crate::skip::skip("cgroup2 is not mounted");
        };
        let wrong = here(b"/no/such.slice").unwrap_err();
        assert!(
            wrong.starts_with("there is no cgroup \"/no/such.slice\""),
            "{wrong}"
        );
        assert!(here(b"/..").is_err());
    }

    #[test]
    fn names_of_a_recording_are_looked_for_in_it() {
        assert_eq!(RECORDED.user("nosuch"), Ok(None));
        assert_eq!(RECORDED.interface("nope0"), Ok(None));
        assert_eq!(RECORDED.interface("99999"), Ok(Some(99_999)));
        assert_eq!(RECORDED.check(Field::FileDevice, "4095:7"), Ok(()));
        assert_eq!(
            RECORDED.cgroup(b"x.slice/"),
            Ok((b"/x.slice".to_vec(), None))
        );
        assert_eq!(RECORDED.check(Field::Congestion, "bbr9"), Ok(()));
    }

    #[test]
    fn names_of_another_machine_mean_nothing() {
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
            assert_eq!(meanings.ephemeral(), None);
        }
    }

    #[test]
    fn hosts_are_looked_up_only_on_demand() {
        let refused = Err("host names are looked up only with -r".to_owned());
        assert_eq!(ELSEWHERE.host("localhost"), refused);
        let unknown = Err("no host with this name was found".to_owned());
        let resolving = SystemNames {
            hosts: true,
            ..HERE
        };
        assert_eq!(resolving.host("fe80::"), unknown);
    }
}
