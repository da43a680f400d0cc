//! Names of network interfaces.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use rustix::net::netdevice::{index_to_name_inlined, name_to_index};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// Where the names of interfaces come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Interfaces {
    /// The kernel, in the network namespace of the calling thread.
    #[default]
    Live,
    /// Nowhere, for a recording of another machine: `if7`.
    NumbersOnly,
}

/// Names of the interfaces that were asked for.
#[derive(Debug)]
pub struct InterfaceNames {
    source: Interfaces,
    names: HashMap<u32, Box<str>>,
}

impl InterfaceNames {
    /// None yet.
    pub fn new(source: Interfaces) -> Self {
        Self {
            source,
            names: HashMap::new(),
        }
    }

    /// Finds the name of an interface, once. One that is gone, or has a name that is no UTF-8, is
    /// called by its index: `if7`.
    pub fn prepare(&mut self, index: u32) {
        let source = self.source;
        self.names.entry(index).or_insert_with(|| {
            let name = match source {
                Interfaces::Live => ask(index),
                Interfaces::NumbersOnly => None,
            };
            name.unwrap_or_else(|| format!("if{index}").into())
        });
    }

    /// The name that [`InterfaceNames::prepare`] found.
    pub fn name(&self, index: u32) -> Option<&str> {
        self.names.get(&index).map(|name| &**name)
    }

    /// Interfaces come, go and are renamed: forgets them all.
    pub fn forget(&mut self) {
        self.names.clear();
    }
}

/// The index of the interface with this name, in the network namespace of the calling thread
/// (`SIOCGIFINDEX`).
pub fn index_of(name: &str) -> Option<u32> {
    name_to_index(any_socket()?, name).ok()
}

/// `SIOCGIFNAME`.
fn ask(index: u32) -> Option<Box<str>> {
    let name = index_to_name_inlined(any_socket()?, index).ok()?;
    Some(name.as_str().into())
}

/// Any socket answers. It is closed at once, so that it never stands in a listing of unix sockets;
/// interfaces are few.
fn any_socket() -> Option<OwnedFd> {
    let family = AddressFamily::UNIX;
    socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()
}

#[cfg(test)]
mod tests {
    use super::{InterfaceNames, Interfaces, index_of};

    fn name(source: Interfaces, index: u32) -> Option<String> {
        let mut interfaces = InterfaceNames::new(source);
        interfaces.prepare(index);
        interfaces.name(index).map(Into::into)
    }

    #[test]
    fn loopback_is_the_first_interface() {
        assert_eq!(name(Interfaces::Live, 1).as_deref(), Some("lo"));
    }

    #[test]
    fn names_have_their_indexes() {
        assert_eq!(index_of("lo"), Some(1));
        for name in [
            "",
            "nosuchinterface",
            "longer than any name of an interface",
        ] {
            assert_eq!(index_of(name), None, "{name}");
        }
    }

    #[test]
    fn unknown_interface_is_called_by_its_index() {
        let unknown = name(Interfaces::Live, 2_000_000_007);
        assert_eq!(unknown.as_deref(), Some("if2000000007"));
    }

    #[test]
    fn indexes_of_a_recording_are_not_looked_up_here() {
        assert_eq!(name(Interfaces::NumbersOnly, 1).as_deref(), Some("if1"));
    }

    #[test]
    fn nothing_is_known_unasked() {
        assert_eq!(InterfaceNames::new(Interfaces::Live).name(1), None);
    }
}
